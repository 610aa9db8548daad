"""Reading JSON (RFC 8259), in steps, with an explicit stack.

The reader walks the text with a stack of the open Lists and Maps.  A List or Map that fits into a window of the text
is read at once by CPython's own scanner, after a test that it cannot nest deeply, and so is a run of simple items of
a List.  Whatever that refuses is walked, so that every error is found and worded here.

State between steps: a List ``[position, outermost, …, innermost open container]``; at the end ``[-1, value]``.
"""

from __future__ import annotations

import json.decoder
import json.scanner
import re
from collections.abc import Callable
from itertools import accumulate
from json.decoder import JSONDecodeError
from math import inf
from types import SimpleNamespace
from typing import Any, NoReturn

from holdfast.vm import bigint, limits
from holdfast.vm.library import takes
from holdfast.vm.methods.arguments import need_text
from holdfast.vm.objects import MapBase, fail
from holdfast.vm.runtime import Runtime

DEPTH_MAX = 500
"""Lists and Maps inside each other."""
STEP_CHARACTERS = 32_768
"""Characters that one step reads, about."""
WINDOW = 32_768
"""Characters that CPython's scanner is given at once."""
NATIVE_DEPTH = 200
"""Nesting that CPython's scanner, which recurses, is trusted with."""
FAILURES_MAX = 4
"""Containers in a row that did not fit into a window before the next ones are walked."""
FAILURES_GAP = 4_096
"""Characters to walk after so many failures."""
RUN_MIN = 64
"""Characters of simple items that are worth being read at once."""
INT_DIGITS = limits.INT_BITS * 3 // 10
"""Digits of an Int, about; what is longer is refused before it is computed."""
BRIEF = 40
"""Characters of the text in a message."""

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SIMPLE = r'(?>"[^"\\]*+"|[-+.0-9eE]++|true|false|null)[ \t\n\r]*+,'
_ITEMS = re.compile(rf"(?>[ \t\n\r]*+{_SIMPLE})++")
_ENTRIES = re.compile(rf'(?>[ \t\n\r]*+"[^"\\]*+"[ \t\n\r]*+:[ \t\n\r]*+{_SIMPLE})++')
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_scanstring: Callable[[str, int, bool], tuple[str, int]] = json.decoder.scanstring  # type: ignore[attr-defined]
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_LEVEL = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def functions(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """The reader of one world."""

    @takes(text="", state="rw")
    def json_read(text: Any, state: Any) -> bool:
        """Read on; True while there is more to read."""
        return Reader(runtime, need_text("json.parse", text), state).step()

    return {"json_read": json_read}


class Reader:
    """One step of the reader."""

    def __init__(self, runtime: Runtime, text: str, state: Any) -> None:
        self.runtime = runtime
        self.text = text
        self.state = state
        self.native = _scanner()
        self.window = ""
        self.window_start = 0
        self.window_safe = False
        self.failures = 0
        self.failed_at = 0
        self.walk_to = 0
        """Before this place are simple items that must be walked: one of them is wrong."""

    # ------------------------------------------------------------------ the walk

    def step(self) -> bool:
        """Read about STEP_CHARACTERS more; False at the end."""
        raw = self.writable(self.state)
        at, stack = raw[0], list(raw[1:])
        if at < 0:
            return False
        end = at + STEP_CHARACTERS
        closed = None
        if not stack:
            closed, at, opened = self.value(self.space(0), 0)
            if opened:
                stack.append(closed)
        while stack:
            if at > end:
                raw[:] = [at, *stack]
                return True
            at = self.space(at)
            container = stack[-1]
            if self.text[at : at + 1] == ("}" if isinstance(container, MapBase) else "]"):
                closed = stack.pop()
                at += 1
            else:
                at = self.element(container, stack, at)
        at = self.space(at)
        if at < len(self.text):
            self.expected("the end of the text", at)
        raw[:] = [-1, closed]
        return False

    def element(self, container: Any, stack: list[Any], at: int) -> int:
        """Read one more element of the innermost container; its comma comes first, if it is not the first."""
        is_map = isinstance(container, MapBase)
        if container.v:
            if self.text[at : at + 1] != ",":
                self.expected("',' or '}'" if is_map else "',' or ']'", at)
            at = self.space(at + 1)
        at = self.run(container, at, is_map)
        if is_map:
            key, at = self.key(at)
        value, at, opened = self.value(at, len(stack))
        if opened:
            stack.append(value)
        raw = self.writable(container)
        if is_map:
            raw[key] = value
        else:
            raw.append(value)
        return at

    def key(self, at: int) -> tuple[str, int]:
        """A key and its colon."""
        if self.text[at : at + 1] != '"':
            self.expected("a key in double quotes", at)
        key, at = self.string(at)
        at = self.space(at)
        if self.text[at : at + 1] != ":":
            self.expected("':' behind the key", at)
        return key, self.space(at + 1)

    def value(self, at: int, depth: int) -> tuple[Any, int, bool]:
        """The value at a place, where it ends, and whether it is a container that is still to be filled."""
        character = self.text[at : at + 1]
        if character in ("{", "["):
            if depth >= DEPTH_MAX:
                self.wrong(f"Lists and Maps are nested deeper than {DEPTH_MAX}", at)
            found = self.whole(at, depth)
            if found is not None:
                return *found, False
            new = self.runtime.new_map({}) if character == "{" else self.runtime.new_list([])
            return new, at + 1, True
        if character == '"':
            return *self.string(at), False
        number = _NUMBER.match(self.text, at)
        if number is not None:
            return self.number(number), number.end(), False
        word = _WORD.match(self.text, at)
        if word is not None and word[0] in _WORDS:
            return _WORDS[word[0]], word.end(), False
        self.expected("a value", at)

    def space(self, at: int) -> int:
        """Behind the white space."""
        if self.text[at : at + 1] in " \t\n\r":
            match = _SPACE.match(self.text, at)
            return match.end() if match is not None else at
        return at

    def writable(self, obj: Any) -> Any:
        """The raw container, to be changed."""
        heap = self.runtime.heap
        if obj._t is not heap.token:
            heap.barrier(obj)
        return obj.v

    # ------------------------------------------------------------------ strings and numbers

    def string(self, at: int) -> tuple[str, int]:
        """The Text whose opening quote is at the place, and where it ends."""
        try:
            value, end = _scanstring(self.text, at + 1, True)
        except JSONDecodeError as error:
            message, place = error.msg, error.pos
        else:
            if value.isascii() or _SURROGATE.search(value) is None:
                return value, end
            lone = _SURROGATE.search(value)
            assert lone is not None
            self.wrong(f"a string holds \\u{ord(lone[0]):04x}, which is half of a surrogate pair", at)
        if message.startswith("Unterminated"):
            self.wrong("the string that begins here does not end", at)
        if message.startswith("Invalid control"):
            self.wrong(
                "a string cannot hold a line break or control character as it is: write \\n, \\t, \\u0007", place
            )
        self.wrong(
            'a string holds an escape that JSON does not have; there are \\" \\\\ \\/ \\b \\f \\n \\r \\t \\u1f60',
            place,
        )

    def number(self, match: re.Match[str]) -> int | float:
        """The number that was found."""
        text = match[0]
        if match[1] is None and match[2] is None:
            if len(text) > INT_DIGITS:
                self.wrong(
                    f"a number has {limits.count(len(text))} digits; the most are {limits.count(INT_DIGITS)}",
                    match.start(),
                )
            return -bigint.from_digits(text[1:], 10) if text[0] == "-" else bigint.from_digits(text, 10)
        value = float(text)
        if value in (inf, -inf):
            self.wrong(f"the number {_brief(text)} is too large for a Float", match.start())
        return value

    # ------------------------------------------------------------------ what is read at once

    def whole(self, at: int, depth: int) -> tuple[Any, int] | None:
        """A whole container by CPython's scanner; None when it must be walked."""
        if self.failures >= FAILURES_MAX:
            if at < self.failed_at + FAILURES_GAP:
                return None
            self.failures = 0
        for _ in range(2):
            if not self.window or not self.window_start <= at < self.window_start + len(self.window):
                self.open_window(at)
            if not self.window_safe:
                return None
            try:
                value, end = self.native(self.window, at - self.window_start)
            except (ValueError, StopIteration):
                if at == self.window_start or self.window_start + len(self.window) >= len(self.text):
                    break
                self.window = ""  # it may fit into a window that begins with it
            else:
                wrapped = self.wrap(value, depth)
                if wrapped is None:
                    return None
                self.failures = 0
                return wrapped, self.window_start + end
        self.failures += 1
        self.failed_at = at
        return None

    def open_window(self, at: int) -> None:
        """A window that begins at a place outside of strings."""
        self.window_start = at
        self.window = text = self.text[at : at + WINDOW]
        outside = text.replace("\\\\", "").replace('\\"', "").split('"')[::2]
        brackets = "".join(outside).encode("ascii", "replace").translate(None, _NO_BRACKETS)
        levels = list(accumulate(map(_LEVEL.__getitem__, brackets), initial=0))
        self.window_safe = max(levels) - min(levels) <= NATIVE_DEPTH and _ESCAPED_SURROGATE.search(text) is None

    def run(self, container: Any, at: int, is_map: bool) -> int:
        """Put in what simple items follow here, the last comma included; where the next item begins."""
        if at < self.walk_to:
            return at
        found = (_ENTRIES if is_map else _ITEMS).match(self.text, at, at + WINDOW)
        if found is None or found.end() - at < RUN_MIN:
            return at
        inside = self.text[at : found.end() - 1]
        try:
            items, _ = self.native("{" + inside + "}" if is_map else "[" + inside + "]", 0)
        except (ValueError, StopIteration):
            items = None
        values = items.values() if type(items) is dict else items
        if values is None or inf in values or -inf in values:
            self.walk_to = found.end()
            return at
        raw = self.writable(container)
        raw.update(items) if is_map else raw.extend(items)
        return self.space(found.end())

    def wrap(self, value: Any, depth: int) -> Any:
        """Objects around all raw containers, level by level; None when there are too many levels, or an infinity."""
        new_list, new_map = self.runtime.new_list, self.runtime.new_map
        top = [value]
        level: list[Any] = [top]
        while level:
            below: list[Any] = []
            for raw in level:
                values = raw if type(raw) is list else raw.values()
                kinds = set(map(type, values))
                if float in kinds and (inf in values or -inf in values):
                    return None
                if dict not in kinds and list not in kinds:
                    continue
                for place, item in enumerate(raw) if type(raw) is list else raw.items():
                    kind = type(item)
                    if kind is dict:
                        raw[place] = new_map(item)
                        below.append(item)
                    elif kind is list:
                        raw[place] = new_list(item)
                        below.append(item)
            if below and depth >= DEPTH_MAX:
                return None
            level = below
            depth += 1
        return top[0]

    # ------------------------------------------------------------------ errors

    def expected(self, what: str, at: int) -> NoReturn:
        """Throw: something else stands where this should."""
        if at >= len(self.text):
            self.wrong(f"expected {what}, but the text ends", at)
        word = _WORD.match(self.text, at)
        found = word[0] if word is not None else self.text[at]
        self.wrong(f"expected {what}, but found '{_brief(found)}'", at)

    def wrong(self, message: str, at: int) -> NoReturn:
        """Throw the ValueError of a malformed text."""
        line = self.text.count("\n", 0, at) + 1
        column = at - self.text.rfind("\n", 0, at)
        fail("ValueError", f"JSON, line {line}, column {column}: {message}")


def _brief(text: str) -> str:
    return text if len(text) <= BRIEF else text[:BRIEF] + "…"


def _no_constant(name: str) -> NoReturn:
    """CPython's scanner takes NaN and Infinity, which JSON does not have."""
    raise ValueError(name)


def _scanner() -> Callable[[str, int], tuple[Any, int]]:
    context = SimpleNamespace(
        strict=True,
        object_hook=None,
        object_pairs_hook=None,
        parse_float=float,
        parse_int=int,
        parse_constant=_no_constant,
        memo={},
    )
    made: Callable[[str, int], tuple[Any, int]] = json.scanner.c_make_scanner(context)  # type: ignore[attr-defined]
    return made
