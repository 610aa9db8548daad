"""Methods of Text: immutable, indices and lengths in code points.

No method formats by attribute or item look-up (threat 3), and each that can grow a Text computes the length first.
CPython searches forwards in linear time and backwards in quadratic time, so whatever looks from the end searches a
reversed copy.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from holdfast.vm import limits
from holdfast.vm.methods.arguments import cut, items_of, need_count, need_int, need_text, needs, table
from holdfast.vm.objects import fail
from holdfast.vm.ops import bounds
from holdfast.vm.runtime import Runtime
from holdfast.vm.show import to_text

_LINE_END = re.compile(r"\r\n|\n|\r")
_WORD = re.compile(r"\S+")


# --------------------------------------------------------------------------- form


def _grown(text: str) -> str:
    """A result that is a little longer than its source (``"ß".upper()`` is ``"SS"``)."""
    limits.check_text(len(text))
    return text


def upper(self: str) -> str:
    """The Text in upper case.

    > "Straße".upper() == "STRASSE"
    """
    return _grown(self.upper())


def lower(self: str) -> str:
    """The Text in lower case.

    > "Ada".lower() == "ada"
    """
    return _grown(self.lower())


def title(self: str) -> str:
    """Each word with a capital first letter and the rest in lower case; words are parted by white space.

    > "don't PANIC".title() == "Don't Panic"
    """
    limits.check_objects("the words of a Text", self.count(" ") + 1)
    return _grown(_WORD.sub(lambda word: word[0][0].title() + word[0][1:].lower(), self))


def capitalize(self: str) -> str:
    """The first letter as a capital; the rest stays.

    > "ada Lovelace".capitalize() == "Ada Lovelace"
    """
    return _grown(self[:1].title() + self[1:])


def trim(self: str, chars: Any = None) -> str:
    """Without white space, or without the given characters, at both ends.

    > "  a b ".trim() == "a b"
    > "--x-".trim("-") == "x"
    """
    return self.strip(None if chars is None else need_text("Text.trim", chars))


def trim_start(self: str, chars: Any = None) -> str:
    """Without white space, or without the given characters, at its start.

    > "  a ".trim_start() == "a "
    """
    return self.lstrip(None if chars is None else need_text("Text.trim_start", chars))


def trim_end(self: str, chars: Any = None) -> str:
    """Without white space, or without the given characters, at its end.

    > " a  ".trim_end() == " a"
    """
    return self.rstrip(None if chars is None else need_text("Text.trim_end", chars))


def pad_start(self: str, width: Any, fill: Any = " ") -> str:
    """At least ``width`` long, filled up at its start.

    > "7".pad_start(3, "0") == "007"
    """
    return _padding("Text.pad_start", self, width, fill) + self


def pad_end(self: str, width: Any, fill: Any = " ") -> str:
    """At least ``width`` long, filled up at its end.

    > "ab".pad_end(4, ".") == "ab.."
    """
    return self + _padding("Text.pad_end", self, width, fill)


def _padding(where: str, text: str, width: Any, fill: Any) -> str:
    unit = need_text(where, fill)
    missing = need_int(where, width) - len(text)
    if missing <= 0:
        return ""
    if not unit:
        fail("ValueError", f"{where} cannot fill with an empty Text: give one or more characters")
    limits.check_text(len(text) + missing)
    return (unit * (missing // len(unit) + 1))[:missing]


def repeat(self: str, count: Any) -> str:
    """The Text ``count`` times.

    > "ab".repeat(3) == "ababab"
    """
    number = need_count("Text.repeat", count)
    limits.check_text(len(self) * number)
    return self * number if self else ""


def reversed_(self: str) -> str:
    """The code points in reverse order.

    > "abc".reversed() == "cba"
    """
    return self[::-1]


def replace(self: str, old: Any, new: Any, max: Any = None) -> str:
    """With each ``old``, or the first ``max`` of them, replaced by ``new``.

    > "a-b-c".replace("-", "+") == "a+b+c"
    > "a-b-c".replace("-", "", max: 1) == "ab-c"
    """
    old, new = need_text("Text.replace", old), need_text("Text.replace", new)
    times = self.count(old)
    if max is not None:
        times = min(times, need_count("Text.replace", max))
    # "a" * 8_000 with each "a" replaced by a Text of 8,000 is a bomb of 64 million.
    limits.check_text(len(self) + times * (len(new) - len(old)))
    return self.replace(old, new, times)


def remove_prefix(self: str, prefix: Any) -> str:
    """Without ``prefix``, if it starts so.

    > "v1.2".remove_prefix("v") == "1.2"
    """
    return self.removeprefix(need_text("Text.remove_prefix", prefix))


def remove_suffix(self: str, suffix: Any) -> str:
    """Without ``suffix``, if it ends so.

    > "bank.hold".remove_suffix(".hold") == "bank"
    """
    return self.removesuffix(need_text("Text.remove_suffix", suffix))


def slice(self: str, start: Any = 0, end: Any = None) -> str:
    """The part from ``start`` to before ``end``; negative ones count from the end, those outside are cut.

    > "holdfast".slice(4) == "fast"
    > "holdfast".slice(-4, -1) == "fas"
    """
    low, high = bounds(start, end, closed=False)
    return self[low:high]


def first(self: str) -> str | None:
    """The first code point, nil if the Text is empty.

    > "abc".first() == "a"
    """
    return self[0] if self else None


def last(self: str) -> str | None:
    """The last code point, nil if the Text is empty.

    > "abc".last() == "c"
    """
    return self[-1] if self else None


def join(self: str, items: Any) -> str:
    """The items of a collection with this Text between them; what is no Text is converted.

    > ", ".join(["a", 1, nil]) == "a, 1, nil"
    """
    return joined(self, items_of("Text.join", items))


def joined(separator: str, items: list[Any]) -> str:
    """The items as Texts with the separator between them; the length is known before the Text is made."""
    total = len(separator) * max(0, len(items) - 1)
    limits.check_text(total)
    if set(map(type, items)) <= {str}:
        limits.check_text(total + sum(map(len, items)))
        return separator.join(items)
    texts = []
    converted = 0
    for item in items:
        text = item if type(item) is str else to_text(item)
        total += len(text)
        if type(item) is not str:
            converted += len(text)
        if total > limits.TEXT_LENGTH or converted > limits.BULK_ITEMS:
            limits.check_text(total)
            limits.check_bulk("the code points of converted items", converted)
        texts.append(text)
    return separator.join(texts)


# --------------------------------------------------------------------------- questions


def len_(self: str) -> int:
    """The number of code points, as ``len(text)``.

    > "für".len() == 3
    """
    return len(self)


def is_empty(self: str) -> bool:
    """Whether there is no code point.

    > "".is_empty() == true
    """
    return not self


def is_digit(self: str) -> bool:
    """Whether there are only the digits 0 to 9, at least one: what ``Int(text)`` takes.

    > "042".is_digit() == true
    > "4.2".is_digit() == false
    """
    return self.isascii() and self.isdigit()


def is_alpha(self: str) -> bool:
    """Whether there are only letters, at least one.

    > "für".is_alpha() == true
    """
    return self.isalpha()


def is_space(self: str) -> bool:
    """Whether there is only white space, at least one.

    > " ".is_space() == true
    """
    return self.isspace()


def is_upper(self: str) -> bool:
    """Whether there are cased letters, all in upper case.

    > "K-1F".is_upper() == true
    """
    return self.isupper()


def is_lower(self: str) -> bool:
    """Whether there are cased letters, all in lower case.

    > "k-1f".is_lower() == true
    """
    return self.islower()


def contains(self: str, sub: Any) -> bool:
    """Whether ``sub`` is somewhere in it, as ``sub in text``.

    > "holdfast".contains("fast") == true
    """
    return need_text("Text.contains", sub) in self


def starts_with(self: str, prefix: Any) -> bool:
    """Whether it starts with ``prefix``.

    > "holdfast".starts_with("hold") == true
    """
    return self.startswith(need_text("Text.starts_with", prefix))


def ends_with(self: str, suffix: Any) -> bool:
    """Whether it ends with ``suffix``.

    > "holdfast".ends_with("fast") == true
    """
    return self.endswith(need_text("Text.ends_with", suffix))


def index(self: str, sub: Any, default: Any = None) -> Any:
    """Where ``sub`` is found first; ``default`` if nowhere.

    > "banana".index("an") == 1
    > "banana".index("x") == nil
    """
    at = self.find(need_text("Text.index", sub))
    return at if at >= 0 else default


def last_index(self: str, sub: Any, default: Any = None) -> Any:
    """Where ``sub`` is found last; ``default`` if nowhere.

    > "banana".last_index("an") == 3
    """
    sub = need_text("Text.last_index", sub)
    at = self[::-1].find(sub[::-1])  # str.rfind takes quadratic time
    return len(self) - len(sub) - at if at >= 0 else default


def find(self: str, sub: Any, start: Any = 0) -> Any:
    """Where ``sub`` is found first at or after ``start``; nil if nowhere.

    > "banana".find("an", start: 2) == 3
    """
    at = self.find(need_text("Text.find", sub), bounds(start, None, closed=False)[0])
    return at if at >= 0 else None


def count(self: str, sub: Any) -> int:
    """How often ``sub`` is in it, without overlaps.

    > "banana".count("an") == 2
    """
    return self.count(need_text("Text.count", sub))


def bytes(self: str) -> Any:
    """Its UTF-8 encoding.

    > "für".bytes() == b"f\\xc3\\xbcr"
    """
    encoded = self.encode("utf-8")  # there are no surrogates in a Text: every door refuses them
    limits.check_bytes(len(encoded))
    return encoded


PURE = table(
    upper, lower, title, capitalize, trim, trim_start, trim_end, pad_start, pad_end, repeat, reversed_, replace,
    remove_prefix, remove_suffix, slice, first, last, needs("r", items="r")(join), len_, is_empty, is_digit, is_alpha,
    is_space, is_upper, is_lower, contains, starts_with, ends_with, index, last_index, find, count, bytes,
)  # fmt: skip


# --------------------------------------------------------------------------- parts


def methods(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """All methods of Text in one world."""
    new_list = runtime.new_list

    def split(self: str, sep: Any = None, max: Any = None) -> Any:
        """The parts between ``sep``, at most ``max`` of them; without ``sep``, the words between white space.

        > "a,b,,c".split(",") == ["a", "b", "", "c"]
        > " to  be ".split() == ["to", "be"]
        > "k=v=w".split("=", max: 2) == ["k", "v=w"]
        """
        return new_list(_split(self, sep, max))

    def lines(self: str) -> Any:
        """The lines, without their ends (``\\n``, ``\\r\\n`` or ``\\r``); a last empty one does not count.

        > "a\\nb\\n".lines() == ["a", "b"]
        """
        limits.check_bulk("the lines of a Text", self.count("\n") + self.count("\r"))
        parts = self.split("\n") if "\r" not in self else _LINE_END.split(self)
        if not parts[-1]:
            parts.pop()
        return new_list(parts)

    def chars(self: str) -> Any:
        """The code points, each as a Text.

        > "für".chars() == ["f", "ü", "r"]
        """
        limits.check_bulk("a Text", len(self))
        return new_list(list(self))

    def code_points(self: str) -> Any:
        """The code points, each as an Int.

        > "aé".code_points() == [97, 233]
        """
        limits.check_bulk("a Text", len(self))
        return new_list(list(map(ord, self)))

    return PURE | table(split, lines, chars, code_points)


def _split(text: str, sep: Any, most: Any) -> list[str]:
    """The parts of a Text; their number is known before they are made."""
    if most is None and type(sep) is str and sep and len(text) < limits.BULK_ITEMS:
        return text.split(sep)
    splits = -1
    if most is not None:
        splits = cut(need_count("Text.split", most)) - 1
        if splits < 0:
            fail("ValueError", "Text.split cannot give 0 parts: max must be at least 1")
    if sep is None:
        parts = text.split(None, splits if 0 <= splits <= limits.BULK_ITEMS else limits.BULK_ITEMS)
        limits.check_bulk("the words of a Text", len(parts))
        return parts
    sep = need_text("Text.split", sep)
    if not sep:
        fail("ValueError", "Text.split cannot split at an empty Text: use chars()")
    if splits < 0 or splits > limits.BULK_ITEMS:
        limits.check_bulk("the parts of a Text", text.count(sep) + 1)
    return text.split(sep, splits)
