"""Reading CSV (RFC 4180), in steps.

A step is given a text, the place where its next row begins, and whether the text is the end of the data.  It reads the
complete rows of a window with CPython's reader, converts them column by column, and says where the next row begins:
in front of a row that is not complete yet, when there is more data to come.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Any, NoReturn

from holdfast.vm import bigint, limits
from holdfast.vm.library import takes
from holdfast.vm.methods.arguments import need_count, need_text
from holdfast.vm.objects import ListBase, fail, kind_name
from holdfast.vm.runtime import Runtime
from holdfast.vm.show import brief, quote

WINDOW = 65_536
"""Characters that one step reads, about."""
ROW_MAX = 4 * 1024 * 1024
"""Characters of one row, line breaks in quotes included."""
FIELD_MAX = 131_072
"""Characters of one field: the limit of CPython's reader, which is one for the whole process."""
INT_DIGITS = limits.INT_BITS * 3 // 10
MEMO_ENTRIES = 50_000
"""Converted fields that are remembered, before all are forgotten."""
MEMO_TEXT = 64
"""Characters of a field that is remembered."""

_INT = re.compile(r"[+-]?[0-9]+")
_PLAIN_INT = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_PLAIN_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)")
_BOOLS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def functions(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """The reader of one world."""
    memos = Memos()

    @takes(text="", at="", last="", line="", marks="", columns="r", kinds="r", missing="r", most="")
    def csv_read(
        text: Any, at: Any, last: Any, line: Any, marks: Any, columns: Any, kinds: Any, missing: Any, most: Any
    ) -> Any:
        """The next rows: a List of the rows, where the next one begins, and the number of lines so far."""
        step = Step(text, at, line, marks, last is True)
        names = _raw(columns)
        rows = step.read(most, len(names) if names is not None else None)
        if kinds is not None:
            rows = convert(step, rows, names, kinds if type(kinds) is str else _raw(kinds), _raw(missing), memos)
        if names is not None:
            # The rows have the width of the names: a test here would take as long as the rest.
            made = [runtime.new_map(dict(zip(names, row, strict=False))) for row in rows]
        else:
            made = [runtime.new_list(row) for row in rows]
        return runtime.new_list([runtime.new_list(made), step.at, step.line])

    @takes(marks="")
    def csv_check(marks: Any) -> None:
        """Throw unless the Text is a delimiter and a quotation mark that can be told from each other."""
        need_text("csv", marks)
        if len(marks) != 2 or marks[0] == marks[1] or set(marks) & {"\n", "\r", "\ufeff"}:
            fail("ValueError", "the delimiter and the quotation mark must be two different characters, no line breaks")

    return {"csv_read": csv_read, "csv_check": csv_check}


def _raw(value: Any) -> list[Any] | None:
    """The items of a List, or nil."""
    if value is None:
        return None
    if not isinstance(value, ListBase):
        fail("TypeError", f"csv needs a List here, not {kind_name(value)}")
    return list(value.v)


class Step:
    """One step of the reader."""

    def __init__(self, text: Any, at: Any, line: Any, marks: Any, last: bool) -> None:
        self.text = need_text("csv", text)
        self.at = need_count("csv", at)
        self.line = need_count("csv", line)
        self.marks = need_text("csv", marks)
        self.last = last
        self.lines: Sequence[int] = []
        """The line on which each row ends."""

    def read(self, most: Any, width: int | None) -> list[list[str]]:
        """The complete rows of the next window, at most so many; all of a width, if one is given."""
        limit = need_count("csv", most) if most is not None else WINDOW
        size, start = WINDOW, self.at
        while True:
            window, whole = self.cut(size)
            rows = self.rows(window, whole, limit)
            if self.at > start or whole or self.at + size >= len(self.text):
                break
            size *= 2
            if size > ROW_MAX:
                self.wrong(f"a row of more than {limits.count(ROW_MAX)} characters; is a quotation mark missing?")
        if not rows and not self.last and len(self.text) - self.at > ROW_MAX:
            self.wrong(f"a row of more than {limits.count(ROW_MAX)} characters; is a quotation mark missing?")
        if width is not None and set(map(len, rows)) - {width}:
            for row, line in zip(rows, self.lines, strict=True):
                if len(row) != width:
                    fields = "field" if len(row) == 1 else "fields"
                    self.wrong(f"a row of {len(row)} {fields}, but there are {width} columns", line)
        return rows

    def cut(self, size: int) -> tuple[str, bool]:
        """The text of a window up to the end of a line, and whether it is the whole rest of the data."""
        end = self.at + size
        window = self.text[self.at : end]
        if self.last and end >= len(self.text):
            return window, True
        stop = window.rfind("\n") + 1 or window[:-1].rfind("\r") + 1
        return window[:stop], False

    def rows(self, window: str, whole: bool, most: int) -> list[list[str]]:
        """The complete rows of a window; moves on behind them."""
        if self.marks[1] not in window:
            rows = self.plain_rows(window)
            if rows is not None and len(rows) <= most:
                first = self.line + 1
                self.at += len(window)
                self.line += len(rows)
                self.lines = range(first, first + len(rows))
                return rows
        lines = list(io.StringIO(window, newline=""))
        reader = self.reader(lines)
        rows = []
        ends: list[int] = []
        done = 0
        try:
            for row in reader:
                done = reader.line_num
                if row:
                    rows.append(row)
                    ends.append(self.line + done)
                    if len(rows) >= most:
                        break
        except csv.Error as error:
            message = str(error)
            if whole or "unexpected end" not in message:
                # What stands before the wrong row is given first; the error comes when it is the next one.
                if not rows:
                    self.wrong(_worded(message, self.marks), self.line + done + 1)
        self.at += sum(map(len, lines[:done]))
        self.line += done
        self.lines = ends
        return rows

    def plain_rows(self, window: str) -> list[list[str]] | None:
        """The rows of a window without quotation marks, where each line is one; None where it is not that simple."""
        reader = self.reader(io.StringIO(window, newline=""))
        try:
            rows = list(reader)
        except csv.Error:
            return None
        return rows if all(rows) else None

    def reader(self, lines: Iterable[str]) -> Any:
        """CPython's reader."""
        return csv.reader(lines, delimiter=self.marks[0], quotechar=self.marks[1], strict=True)

    def wrong(self, message: str, line: int | None = None) -> NoReturn:
        """Throw the ValueError of malformed data."""
        fail("ValueError", f"CSV, line {line if line is not None else self.line + 1}: {message}")


def _worded(message: str, marks: str) -> str:
    """CPython's complaint in our words."""
    if "expected after" in message:
        return (
            f"a closing {marks[1]} must be followed by {quote(marks[0])} or the end of the line; inside it is doubled"
        )
    if "unexpected end" in message:
        return f"the text ends inside of quotation marks: a closing {marks[1]} is missing"
    if "field larger" in message:
        return f"a field of more than {limits.count(FIELD_MAX)} characters; is a closing {marks[1]} missing?"
    return "this row cannot be read"


# --------------------------------------------------------------------------- conversion


class _Refused(Exception):
    """A field that cannot be converted: the reason."""


class _Memo(dict[str, Any]):
    """Text to value; columns repeat themselves, and so do those of numbers among each other."""

    def __init__(self, convert: Callable[[str], Any], missing: Sequence[str]) -> None:
        super().__init__(dict.fromkeys(missing))
        self.convert = convert

    def __missing__(self, text: str) -> Any:
        value = self.convert(text)
        if len(text) <= MEMO_TEXT:
            self[text] = value
        return value


class Memos(dict[tuple[str, tuple[str, ...]], _Memo]):
    """What is remembered from one step to the next, by type and missing texts.  Equal fields share one value."""

    def getter(self, kind: Any, missing: tuple[str, ...]) -> Callable[[str], Any]:
        """What converts the fields of a column."""
        memo = self.get((kind, missing)) if type(kind) is str else None
        if memo is None or len(memo) > MEMO_ENTRIES:
            if len(self) >= 2 * len(_CONVERTERS):
                self.clear()
            memo = self[kind, missing] = _Memo(_converter(kind), missing)
        return memo.__getitem__


def convert(
    step: Step, rows: list[list[Any]], names: list[Any] | None, kinds: Any, missing: list[Any] | None, memos: Memos
) -> list[Any]:
    """The rows with their fields converted, Lists where the columns have no names; ``kinds`` is one for all, or one for
    each column."""
    texts = tuple(missing) if missing is not None else ("",)
    for text in texts:
        need_text("csv: missing", text)
    if type(kinds) is str:
        get = memos.getter(kinds, texts)
        for number, row in enumerate(rows):
            try:
                row[:] = map(get, row)
            except _Refused as refused:
                step.wrong(str(refused), step.lines[number])
        return rows
    getters = [None if kind == "text" and missing is None else memos.getter(kind, texts) for kind in kinds]
    try:
        fields = zip(getters, zip(*rows, strict=True), strict=True)
        columns = [column if get is None else map(get, column) for get, column in fields]
        made = zip(*columns, strict=True)
        return list(made) if names is not None else list(map(list, made))
    except (_Refused, ValueError):  # rows of different lengths, or none
        convert_each(step, rows, names, getters)
        return rows


def convert_each(step: Step, rows: list[list[Any]], names: list[Any] | None, getters: list[Any]) -> None:
    """Convert field by field, in place, and tell where the first one is that cannot be."""
    for column, get in enumerate(getters):
        if get is None:
            continue
        for number, row in enumerate(rows):
            try:
                row[column] = get(row[column])
            except IndexError:
                step.wrong(f"a row of {len(row)} fields, but there are {len(getters)} types", step.lines[number])
            except _Refused as refused:
                name = quote(names[column]) if names is not None else str(column)
                step.wrong(f"column {name}: {refused}", step.lines[number])


def _converter(kind: Any) -> Callable[[str], Any]:
    found = _CONVERTERS.get(kind) if type(kind) is str else None
    if found is None:
        fail("ValueError", f"{brief(kind)} is no type of a column: use {', '.join(map(quote, _CONVERTERS))}")
    return found


def _int(text: str) -> int:
    stripped = text.strip()
    if _INT.fullmatch(stripped) is None:
        raise _Refused(f"{brief(text)} is no Int")
    if len(stripped) > INT_DIGITS:
        raise _Refused(f"an Int of {limits.count(len(stripped))} digits")
    if len(stripped) < 20:
        return int(stripped)
    digits = stripped.lstrip("+-")
    value = bigint.from_digits(digits, 10)
    return -value if stripped[0] == "-" else value


def _float(text: str) -> float:
    stripped = text.strip()
    if len(stripped) > limits.NUMBER_TEXT or _FLOAT.fullmatch(stripped) is None:
        raise _Refused(f"{brief(text)} is no Float")
    value = float(stripped)
    if value in (inf, -inf):
        raise _Refused(f"{brief(text)} is too large for a Float")
    return value


def _bool(text: str) -> bool:
    value = _BOOLS.get(text.strip().lower())
    if value is None:
        raise _Refused(f"{brief(text)} is no Bool: true, false, yes, no, 1 and 0 are")
    return value


def _auto(text: str) -> Any:
    """An Int or Float where the field is written as one (no leading zero: that is an identifier), else the Text."""
    if _PLAIN_INT.fullmatch(text) is not None:
        return _int(text) if len(text) <= INT_DIGITS else text
    if len(text) <= limits.NUMBER_TEXT and _PLAIN_FLOAT.fullmatch(text) is not None:
        value = float(text)
        return value if abs(value) != inf else text
    return text


_CONVERTERS: dict[str, Callable[[str], Any]] = {
    "text": lambda text: text,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "auto": _auto,
}
