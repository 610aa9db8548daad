"""Tables of threads, for ``ps``, ``top`` and the REPL: plain text, everything from programs escaped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from holdfast.repl.console import escaped
from holdfast.repl.host import ThreadRow

NAME_MAX = 32
DOMAIN_MAX = 80
HEAD = ("KID", "NAME", "STATE", "CPU MS", "OBJECTS", "MAIL", "WHERE")
RIGHT = frozenset({"CPU MS", "OBJECTS", "MAIL", "CPU %"})
"""Columns of numbers."""

SORTS = ("cpu", "objects", "mailbox", "state", "name", "where")
"""What a table can be sorted by."""


def one_line(text: str, room: int) -> str:
    """A text of a program that takes one line, and no more than the room."""
    text = escaped(text).replace("\n", "\\n").replace("\t", " ")
    return text if len(text) <= room else text[: max(0, room - 1)] + "…"


def cells(row: ThreadRow, depth: int = 0, domains: bool = False) -> tuple[str, ...]:
    """The columns of one thread; with ``domains`` also what it may do."""
    name = "  " * min(depth, 10) + row.name
    return (
        row.id or "-",
        one_line(name, NAME_MAX),
        row.state,
        str(row.cpu_ms),
        str(row.objects),
        str(row.mailbox),
        *((one_line(row.domain, DOMAIN_MAX),) if domains else ()),
        one_line(row.at, 200),
    )


def table(rows: Iterable[Sequence[str]], head: Sequence[str] = HEAD, width: int = 0) -> list[str]:
    """Lines with the columns below each other; a width of 0 cuts nothing off."""
    rows = [head, *rows]
    widths = [max(len(row[n]) for row in rows) for n in range(len(head))]
    lines = []
    for row in rows:
        parts = [
            cell.rjust(size) if name in RIGHT else cell.ljust(size)
            for cell, size, name in zip(row, widths, head, strict=True)
        ]
        line = "  ".join(parts).rstrip()
        lines.append(line if not width or len(line) <= width else line[: width - 1] + "…")
    return lines


def as_tree(rows: list[ThreadRow]) -> list[tuple[ThreadRow, int]]:
    """Each thread behind the one that started it, and how deep it stands; one whose parent has ended is a root."""
    known = {row.id for row in rows}
    children: dict[str, list[ThreadRow]] = {}
    for row in rows:
        children.setdefault(row.parent if row.parent in known and row.parent != row.id else "", []).append(row)
    out: list[tuple[ThreadRow, int]] = []
    waiting = [(row, 0) for row in reversed(children.get("", []))]
    while waiting:
        row, depth = waiting.pop()
        out.append((row, depth))
        waiting += [(child, depth + 1) for child in reversed(children.pop(row.id, []))]
    return out


def sorted_rows(rows: list[ThreadRow], shares: dict[str, float], sort: str, turned: bool) -> list[ThreadRow]:
    """The rows in an order; numbers with the largest first."""
    keys: dict[str, Callable[[ThreadRow], Any]] = {
        "cpu": lambda row: (-shares.get(row.id, 0.0), -row.cpu_ms),
        "objects": lambda row: -row.objects,
        "mailbox": lambda row: -row.mailbox,
        "state": lambda row: row.state,
        "name": lambda row: row.name,
        "where": lambda row: row.at,
    }
    return sorted(rows, key=keys[sort], reverse=turned)


def shares_of(before: list[ThreadRow], rows: list[ThreadRow], seconds: float) -> dict[str, float]:
    """Per cent of the time between two looks at which each thread ran, by KID."""
    old = {row.id: row.cpu_ms for row in before}
    scale = max(seconds, 0.001) * 10
    return {row.id: (row.cpu_ms - old[row.id]) / scale for row in rows if row.cpu_ms > old.get(row.id, row.cpu_ms)}


def listing(rows: list[ThreadRow], tree: bool = False, width: int = 0) -> list[str]:
    """All rows as lines."""
    placed = as_tree(rows) if tree else [(row, 0) for row in rows]
    domains = any(row.domain for row in rows)
    head = (*HEAD[:-1], "DOMAIN", HEAD[-1]) if domains else HEAD
    return table([cells(row, depth, domains) for row, depth in placed], head, width=width)


def told(row: ThreadRow) -> str:
    """One thread in a line without head."""
    return "  ".join(part for part in (row.id, one_line(row.name, NAME_MAX), row.state, one_line(row.at, 200)) if part)


def gone(wanted: int, first: int) -> str:
    """Words about lines that a console does not have any more."""
    lines = f"the line {wanted} is" if first == wanted + 1 else f"the lines {wanted} to {first - 1} are"
    return f"note: {lines} not kept any more"
