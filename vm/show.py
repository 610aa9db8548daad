"""Values as text: interpolation, ``print``, the REPL.

:func:`to_text` gives a Text bare and anything else as :func:`to_source`, which writes it as in source: what is
immutable parses back to an equal value (save ``inf`` and ``nan``, which have no literal).  No guest code runs, so
printing can neither block nor leak, and nothing recurses: an explicit stack walks the value, cycles are ``…``, and
depth, items and characters are limited (:mod:`holdfast.vm.limits`; threats 22 and 23 of the host boundary).

The walk yields *pieces*, which :func:`to_source` joins and :func:`pretty` breaks into lines:

======== ==================================================
LEAF     a scalar, or a collection that is shown as ``…``
OPEN     ``[``, ``{``, ``Account(``: a line may break after it
BREAK    ``, ``: a line may break after it
CLOSE    ``]``, ``}``, ``)``: a line may break before it
======== ==================================================

A kind that the machine adds (threads, capabilities) has a ``_show`` on its class, a host function from the object
to its text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from types import FunctionType
from typing import Any
from weakref import WeakSet

from holdfast.vm import bigint, ids, limits
from holdfast.vm.objects import Error, Obj, kind_name, live

LEAF, OPEN, BREAK, CLOSE = range(4)

ELLIPSIS = "…"

Piece = tuple[int, str]

Seen = tuple[str | None, Any, Callable[[Any], Any] | None]
"""What somebody sees of an object: words in its place, or the object itself, and what its parts are to them."""
See = Callable[[Any], Seen]

CLASS_MARK = "__hold_class__"
"""Attribute of the function that is a class value (its constructor): the Python class."""

_TEXT_SPECIAL = re.compile(r'["\\{}]')
_TEXT_ESCAPES = {"\n": "\\n", "\t": "\\t", '"': '\\"', "\\": "\\\\", "{": "{{", "}": "}}"}

# Controls but newline and tab, direction overrides and isolates (a printed name could read backwards), separators
# that are lines to some terminals, invisible characters, tags, surrogates.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f\ud800-\udfff]"
)


def safe_for_terminal(text: str) -> str:
    """The text with everything that could drive or deceive a terminal written as ``\\u{1b}``."""
    return _UNSAFE.sub(lambda match: f"\\u{{{ord(match[0]):x}}}", text)


readers: WeakSet[Any] = WeakSet()
"""The monitors of all worlds."""


def reader() -> See | None:
    """How the domain sees for which a host function works at the moment; None for the whole world's."""
    return next((one.guarded.seeing(one.acting) for one in readers if one.acting is not None), None)


def to_text(value: Any, see: See | None = None) -> str:
    """The conversion of ``Text(x)``, of interpolation and of ``print``; ``see`` for who may not read everything."""
    if type(value) is str:
        return value
    see = see or reader() if isinstance(value, Obj | FunctionType) else None
    text = seen(value, see)
    if text is not None:
        return text
    words, target, _ = see(value) if see is not None else (None, live(value), None)
    if words is not None:
        return words
    if isinstance(target, Error) and type(target.f_message) is str:
        return f"{target._name}: {target.f_message}"
    return to_source(value, see)


def to_source(value: Any, see: See | None = None) -> str:
    """The value as it is written in source."""
    text = seen(value, see)
    return "".join([piece for _, piece in pieces(value, see=see)]) if text is None else text


def brief(value: Any) -> str:
    """The value in a few words, for error messages."""
    if type(value) is int and value.bit_length() > _BRIEF_BITS:
        return f"an Int of {limits.count(value.bit_length())} bits"
    text = "".join([piece for _, piece in pieces(value, items=8, depth=2, characters=_BRIEF_CHARACTERS)])
    return text if len(text) <= 2 * _BRIEF_CHARACTERS else text[:_BRIEF_CHARACTERS] + ELLIPSIS


_BRIEF_BITS = 200
_BRIEF_CHARACTERS = 80


# --------------------------------------------------------------------------- scalars


def scalar(value: Any) -> str | None:
    """The source of a value that is no object; None for an :class:`Obj`."""
    kind = type(value)
    if kind is str:
        return quote(value)
    if kind is int:
        return bigint.to_decimal(value)
    if kind is float:
        return _float(value)
    if value is None:
        return "nil"
    if kind is bool:
        return "true" if value else "false"
    if kind is bytes:
        return _bytes(value)
    if kind is range:
        return f"{bigint.to_decimal(value.start)}..{bigint.to_decimal(value.stop)}"
    if kind is FunctionType:
        return _function(value)
    if isinstance(value, Obj):
        return None
    return "Value"  # no host object reaches a guest; if one did, nothing of it is shown


def seen(value: Any, see: See | None) -> str | None:
    """The same for somebody: of a function that may not be read the kind alone."""
    words = see(value)[0] if see is not None and type(value) is FunctionType else None
    return scalar(value) if words is None else words


def _float(value: float) -> str:
    """The shortest text that reads back as the same Float: ``2.0``, ``1.5e300``."""
    text = repr(value)
    if "e" not in text:
        return text
    mantissa, exponent = text.split("e")
    return f"{mantissa}e{int(exponent)}"


def _function(value: FunctionType) -> str:
    """``fn name``, ``class Name``, or ``fn`` for one without a name."""
    cls = value.__dict__.get(CLASS_MARK)
    if cls is not None:
        return f"class {cls._name}"
    name = value.__name__
    return f"fn {name}" if name != "fn" and name.isidentifier() else "fn"  # a literal has no name


def quote(text: str) -> str:
    """A Text literal; cut where it is longer than what is printed of one value."""
    cut = len(text) > limits.SHOW_CHARACTERS
    if cut:
        text = text[: limits.SHOW_CHARACTERS]
    if not text.isprintable():
        text = "".join([_TEXT_ESCAPES.get(c) or (c if c.isprintable() else f"\\u{{{ord(c):x}}}") for c in text])
    elif _TEXT_SPECIAL.search(text):
        text = _TEXT_SPECIAL.sub(lambda match: _TEXT_ESCAPES[match[0]], text)
    return f'"{text}"{ELLIPSIS}' if cut else f'"{text}"'


_BYTE_ESCAPES = [
    {9: "\\t", 10: "\\n", 34: '\\"', 92: "\\\\"}.get(n) or (chr(n) if 32 <= n < 127 else f"\\x{n:02x}")
    for n in range(256)
]


def _bytes(value: bytes) -> str:
    shown = value[: limits.SHOW_CHARACTERS]
    text = f'b"{"".join([_BYTE_ESCAPES[n] for n in shown])}"'
    return text if len(shown) == len(value) else text + ELLIPSIS


# --------------------------------------------------------------------------- the walk


class _Open:
    """A collection or instance that is being written."""

    __slots__ = ("close", "entries", "first", "ident", "more")

    def __init__(self, ident: int, entries: Iterator[tuple[str, Any]], more: int, close: str) -> None:
        self.ident = ident
        self.entries = entries
        self.more = more
        self.close = close
        self.first = True


class _Walk:
    """Turns a value into pieces, with an explicit stack and limits."""

    def __init__(self, items: int, depth: int, characters: int, see: See | None) -> None:
        self.see = see
        self.items = items
        self.depth = depth
        self.left = characters
        self.out: list[Piece] = []
        self.stack: list[_Open] = []
        self.path: set[int] = set()

    def run(self, value: Any) -> list[Piece]:
        """The pieces of the value."""
        self.value("", value)
        while self.stack:
            top = self.stack[-1]
            entry = next(top.entries, None) if self.left > 0 else None
            if entry is not None:
                self.separate(top)
                self.value(*entry)
                continue
            if self.left <= 0:
                self.separate(top)
                self.add(LEAF, ELLIPSIS)
            elif top.more:
                self.separate(top)
                self.add(LEAF, f"{ELLIPSIS} {limits.count(top.more)} more")
            self.add(CLOSE, top.close)
            self.stack.pop()
            self.path.discard(top.ident)
        return self.out

    def add(self, what: int, text: str) -> None:
        """Append a piece, and pay for it."""
        self.out.append((what, text))
        self.left -= len(text)

    def separate(self, top: _Open) -> None:
        """A comma, unless this is the first entry."""
        if not top.first:
            self.add(BREAK, ", ")
        top.first = False

    def value(self, label: str, value: Any) -> None:
        """Write a scalar, or open an object."""
        if type(value) is int and value.bit_length() > 4 * max(self.left, 16):
            # Printing is 80 ms for the largest Int: a List of many would take minutes (threat 23).
            self.add(LEAF, label + ELLIPSIS)
            return
        if type(value) in (str, bytes) and len(value) > max(self.left, 16):
            self.add(LEAF, label + to_source(value[: max(self.left, 16)]) + ELLIPSIS)
            return
        text = seen(value, self.see)
        if text is not None:
            self.add(LEAF, label + text)
            return
        see = self.see
        if see is None and value._k == ids.CAPABILITY:
            see = value._monitor.guarded.seeing(value._monitor.reading)
        words, obj, change = see(value) if see is not None else (None, live(value), None)
        if words is not None:
            self.add(LEAF, label + words)
            return
        ident = id(obj)
        if ident in self.path:
            self.add(LEAF, label + ELLIPSIS)
            return
        if type(obj) is FunctionType:
            self.add(LEAF, label + _function(obj))
            return
        start, close, entries, more = self.parts(obj)
        if change is not None and entries is not None:
            entries = ((inner, change(item)) for inner, item in entries)
        if not close:
            self.add(LEAF, label + start)
        elif len(self.stack) >= self.depth and entries is not None:
            self.add(LEAF, label + start + ELLIPSIS + close)
        else:
            self.add(OPEN, label + start)
            self.stack.append(_Open(ident, entries or iter(()), more, close))
            self.path.add(ident)

    def parts(self, obj: Obj) -> tuple[str, str, Iterator[tuple[str, Any]] | None, int]:
        """Opening text, closing text ("" for what has no parts), labelled entries if any, number of those left out."""
        number = obj._k
        if number == ids.LIST:
            raw = obj.v  # type: ignore[attr-defined]
            return "[", "]", _unlabelled(raw, self.items), max(0, len(raw) - self.items)
        if number == ids.MAP:
            raw = obj.v  # type: ignore[attr-defined]
            some = list(islice(raw.items(), self.items))
            # Each key is written when its turn has come: by then the keys before it have been paid for.
            labelled = ((self.key(key) + ": ", item) for key, item in some)
            return "{", "}", labelled if some else None, max(0, len(raw) - self.items)
        if number == ids.SET:
            raw = obj.v  # type: ignore[attr-defined]
            return "Set([", "])", _unlabelled(raw, self.items), max(0, len(raw) - self.items)
        show = getattr(type(obj), "_show", None)
        if show is not None:
            return show(obj), "", None, 0
        if number >= ids.USER_FIRST or isinstance(obj, Error):
            fields = list(_fields(obj))
            shown: Iterator[tuple[str, Any]] | None = iter(fields[: self.items]) if fields else None
            return f"{obj._name}(", ")", shown, max(0, len(fields) - self.items)
        return f"{obj._name} {ids.kid(obj._i)}" if obj._i else obj._name, "", None, 0

    def key(self, key: Any) -> str:
        """A Map key: a scalar in full, an instance by its class alone."""
        if type(key) in (str, bytes) and len(key) > max(self.left, 16):
            return to_source(key[: max(self.left, 16)]) + ELLIPSIS
        if type(key) is int and key.bit_length() > 4 * max(self.left, 16):
            return ELLIPSIS
        return seen(key, self.see) or f"{kind_name(key.target if key._k == ids.CAPABILITY else key)}({ELLIPSIS})"


def _unlabelled(raw: Any, count: int) -> Iterator[tuple[str, Any]] | None:
    """The first items of a raw container, with empty labels; None if it is empty."""
    some = [("", item) for item in islice(raw, count)]
    return iter(some) if some else None


def _fields(obj: Obj) -> Iterator[tuple[str, Any]]:
    """The fields of an instance in declared order; of an error its message, its cause and what a subclass adds."""
    error = isinstance(obj, Error)
    added: tuple[str, ...] = getattr(type(obj), "_added", ())  # by a new version of the class
    for slot in (*obj._slots, *added):
        if not slot.startswith("f_") or (error and slot in ("f_at", "f_trace")):
            continue
        try:
            value = getattr(obj, slot)
        except AttributeError:  # not assigned yet: the instance is printed by its own `init`
            continue
        if not (error and slot == "f_cause" and value is None):
            yield f"{slot[2:]}: ", value
    for name, value in (getattr(obj, "_x", None) or {}).items():
        if f"f_{name}" not in added:
            yield f"{name}: ", value


def pieces(
    value: Any,
    *,
    items: int = limits.SHOW_ITEMS,
    depth: int = limits.SHOW_DEPTH,
    characters: int = limits.SHOW_CHARACTERS,
    see: See | None = None,
) -> list[Piece]:
    """The value as pieces, within the limits."""
    return _Walk(items, depth, characters, see or reader()).run(value)


# --------------------------------------------------------------------------- layout

INDENT = 2

FLAT, LINES, FILL = range(3)
"""How a collection is laid out: on one line, a line for each entry, or (scalars of a List or Set) full lines."""


def pretty(
    value: Any,
    width: int = 80,
    *,
    items: int = limits.SHOW_ITEMS,
    depth: int = limits.SHOW_DEPTH,
    characters: int = limits.SHOW_CHARACTERS,
) -> str:
    """The value for the REPL: on one line where it fits, else in lines of about the width."""
    if type(value) is str:
        return quote(value) if len(value) <= characters else quote(value[:characters]) + ELLIPSIS
    parts = pieces(value, items=items, depth=depth, characters=characters)
    plans = _plans(parts)
    out: list[str] = []
    column = 0
    layouts: list[int] = []  # of the collections that are open
    for n, (what, text) in enumerate(parts):
        if what == OPEN:
            length, layout = plans[n]
            layouts.append(FLAT if length <= max(width - column, len(text) + 1) else layout)
            out.append(text)
            column = _new_line(out, layouts) if layouts[-1] else column + len(text)
        elif what == BREAK and layouts[-1]:
            if layouts[-1] == FILL and column + len(text) + len(parts[n + 1][1]) < width:
                out.append(text)
                column += len(text)
            else:
                out.append(",")
                column = _new_line(out, layouts)
        else:
            if what == CLOSE and layouts.pop():
                column = _new_line(out, layouts)
            out.append(text)
            column += len(text)
    return "".join(out)


def _new_line(out: list[str], layouts: list[int]) -> int:
    """Start a line; gives the column."""
    indent = INDENT * sum(map(bool, layouts))
    out.append("\n" + " " * indent)
    return indent


def _plans(parts: list[Piece]) -> dict[int, tuple[int, int]]:
    """For each OPEN by its place, its length on one line, and its layout where that is too long."""
    plans: dict[int, tuple[int, int]] = {}
    opened: list[tuple[int, int]] = []
    total = 0
    last = -1  # the place of the last OPEN: a collection that closes and is not it has others inside
    for n, (what, text) in enumerate(parts):
        if what == OPEN:
            opened.append((n, total))
            last = n
        total += len(text)
        if what == CLOSE:
            start, before = opened.pop()
            plans[start] = (total - before, FILL if text[0] == "]" and last == start else LINES)
    return plans
