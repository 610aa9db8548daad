"""Writing CSV (RFC 4180), in steps of some rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.vm import bigint
from holdfast.vm.library import takes
from holdfast.vm.methods.arguments import need_count, need_text
from holdfast.vm.objects import ListBase, MapBase, fail, kind_name
from holdfast.vm.runtime import Runtime
from holdfast.vm.show import brief, scalar

STEP_FIELDS = 10_000
"""Fields that one step writes, about."""


def functions(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """The writer of one world."""

    @takes(rows="", at="", columns="r", marks="", line_end="")
    def csv_write(rows: Any, at: Any, columns: Any, marks: Any, line_end: Any) -> Any:
        """Some rows as text from an index on: a List of the text and the index of the first row that is not in it."""
        rows, part = runtime.opened(rows)
        if not isinstance(rows, ListBase):
            fail("TypeError", f"csv.format needs a List of rows, not {kind_name(rows)}")
        raw, index, left = rows.v, need_count("csv.format", at), STEP_FIELDS
        names = list(columns.v) if isinstance(columns, ListBase) else None
        end = need_text("csv.format", line_end)
        out = []
        while index < len(raw) and left > 0:
            fields = _fields(runtime.readable(part(raw[index])), names)
            left -= len(fields) + 1
            out.append(_line(fields, need_text("csv.format", marks)) + end)
            index += 1
        return runtime.new_list(["".join(out), index])

    return {"csv_write": csv_write}


def _fields(row: Any, columns: list[Any] | None) -> list[Any]:
    """The values of a row in order."""
    if isinstance(row, ListBase):
        return list(row.v)
    if isinstance(row, MapBase):
        if columns is None:
            fail("TypeError", "csv.format needs the names of the columns to write Maps: give columns")
        raw = row.v
        unknown = [key for key in raw if key not in columns]
        if unknown:
            fail("ValueError", f"a row has the key {brief(unknown[0])}, which is no column")
        return [raw.get(name) for name in columns]
    fail("TypeError", f"a row must be a List or a Map, not {kind_name(row)}")


def _line(fields: list[Any], marks: str) -> str:
    """The fields as a line, without its end."""
    delimiter, mark = marks[0], marks[1]
    special = {delimiter, mark, "\n", "\r"}
    texts = []
    for value in fields:
        text = value if type(value) is str else _text(value)
        if not special.isdisjoint(text):
            text = mark + text.replace(mark, mark + mark) + mark
        texts.append(text)
    return delimiter.join(texts) if texts != [""] else mark + mark  # an empty line would be no row


def _text(value: Any) -> str:
    if value is None:
        return ""
    if type(value) in (bool, float):
        return str(scalar(value))
    if type(value) is int:
        return bigint.to_decimal(value)
    fail(
        "TypeError", f"a field must be a Text, a number, a Bool or nil, not {kind_name(value)}: convert it with Text(x)"
    )
