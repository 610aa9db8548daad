"""How the formatter lays out what it has to print.

Purpose: :mod:`holdfast.lang.format` turns a source into nested items; :class:`Printer` here decides where lines break
and writes them.

Formats
-------
An *item* is an :class:`Atom` (a token, a comment, a whole text with what it interpolates) or a :class:`Group` (brackets
and what stands between).  The entries of a group are statements, members, arms, elements or arguments.

Invariants
----------
* Printing what was printed gives the same.  A group is written over several lines if its author began a new line after
  the opening bracket, or if it does not fit; the first is true of all that was broken for the second reason.
* A line is only ever broken where no statement ends by it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

LINE_COLUMNS_MAX = 110
"""Longer lines are broken at brackets."""

INDENT = 4
"""Columns a level."""

SMALL_COLUMNS_MAX = 16
"""A group with no more than this between its brackets is not worth breaking."""

FORCED = "\n"
"""In place of the flat text of what cannot stand on one line."""

WIDE = "\r"
"""In place of the flat text of what could, but is longer than any line."""


@dataclass(slots=True)
class Atom:
    """A piece that is written as it is."""

    text: str
    space: bool = False
    """Whether a space goes before it."""
    break_before: bool = False
    """Whether it begins a new line inside its entry: the author broke the line at an operator."""
    break_after: bool = False
    """Whether the line ends after it: it is a comment to the end of the line."""
    dedent: bool = False
    """Whether it stands at the indentation of its entry when it begins a line: ``else`` after a comment."""


@dataclass(slots=True)
class Entry:
    """A statement, member, arm or element; or a comment on a line of its own."""

    items: list[Atom | Group] = field(default_factory=list)
    trailing: list[str] = field(default_factory=list)
    blank_before: bool = False
    comment: bool = False
    definition: bool = False

    def ends_line(self) -> bool:
        """Whether a comment stands at its end after which nothing can follow on the line."""
        return bool(self.trailing) and self.trailing[-1].startswith("//")


@dataclass(slots=True)
class Group:
    """Brackets with entries.  ``style`` is ``list`` (commas), ``plain`` (one expression), ``arms`` or ``block``."""

    opener: str
    closer: str
    style: str
    padded: bool = False
    """Whether a space goes inside the brackets when all stands on one line."""
    space: bool = False
    break_before: bool = False
    flagged: bool = False
    """Whether the author began a new line after the opener."""
    spread: bool = False
    """Whether blank lines go around definitions in it: the body of a class."""
    open_comment: str = ""
    entries: list[Entry] = field(default_factory=list)
    linked: bool = False
    """Whether this block and the one before it in the entry belong together (``else``, ``catch``)."""
    _flat: str = ""

    @property
    def empty(self) -> bool:
        """Whether there is nothing between the brackets."""
        return not self.entries and not self.open_comment

    def flat(self) -> str:
        """The group on one line, or FORCED or WIDE."""
        if not self._flat:
            self._flat = self._make_flat()
        return self._flat

    def _make_flat(self) -> str:
        if self.empty:
            return self.opener + self.closer
        if self.flagged or self.open_comment or (self.style == "block" and (self.spread or len(self.entries) > 1)):
            return FORCED
        parts = []
        for entry in self.entries:
            flat = FORCED if entry.comment or entry.trailing else flat_items(entry.items)
            if flat == FORCED:
                return FORCED
            parts.append(flat)
        if WIDE in parts:
            return WIDE
        pad = " " if self.padded else ""
        text = self.opener + pad + ", ".join(parts) + pad + self.closer
        return text if len(text) <= LINE_COLUMNS_MAX else WIDE

    def small(self) -> bool:
        """Whether breaking it would gain nothing."""
        return len(self.flat()) - 2 <= SMALL_COLUMNS_MAX and self.flat() not in (FORCED, WIDE)


Item = Atom | Group


def flat_items(items: list[Item]) -> str:
    """Items on one line without the space before the first, or FORCED or WIDE."""
    parts = []
    for at, item in enumerate(items):
        if isinstance(item, Group):
            flat = item.flat()
            broken = (item.break_before and at > 0) or flat == FORCED
        else:
            flat = item.text
            broken = item.break_after or (item.break_before and at > 0) or "\n" in flat
        if broken:
            return FORCED
        if item.space and at > 0:
            parts.append(" ")
        parts.append(flat)
    if WIDE in parts:
        return WIDE
    text = "".join(parts)
    return text if len(text) <= LINE_COLUMNS_MAX else WIDE


class Printer:
    """Writes entries; knows the column and the indentation of the line that it is in."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.column = 0
        self.line_indent = 0

    def text(self) -> str:
        """All that was written, with one newline at the end."""
        text = "".join(self.parts).strip("\n")
        return text + "\n" if text else ""

    # ------------------------------------------------------------------ the pen

    def _write(self, text: str) -> None:
        self.parts.append(text)
        newline = text.rfind("\n")
        self.column = self.column + len(text) if newline < 0 else len(text) - newline - 1

    def _newline(self, indent: int) -> None:
        self.parts.append("\n" + " " * indent)
        self.column = self.line_indent = indent

    # ------------------------------------------------------------------ entries

    def entries(self, entries: list[Entry], indent: int, style: str, *, spread: bool) -> None:
        """Write entries, each on a line of its own; with ``spread`` a blank line around definitions."""
        comma = "," if style == "list" else ""
        run_start = -1  # where the comments right above the next entry begin
        top = len(self.parts)
        after_definition = False
        for at, entry in enumerate(entries):
            start = len(self.parts)
            self._newline(indent)
            if at > 0 and (entry.blank_before or after_definition):
                self.parts[start] = "\n" + self.parts[start]
                run_start = -1
            first_of_run = start if run_start < 0 else run_start
            self._items(entry.items, len(comma), hang=0 if style == "plain" else INDENT)
            if comma and not entry.comment:
                self._write(comma)
            multi_line = any("\n" in part for part in self.parts[start + 1 :])
            for comment in entry.trailing:
                self._write(_comment_gap(comment) + comment)
            after_definition = spread and entry.definition and multi_line
            if after_definition and first_of_run > top and not self.parts[first_of_run].startswith("\n\n"):
                self.parts[first_of_run] = "\n" + self.parts[first_of_run]
            run_start = first_of_run if entry.comment else -1

    def _items(self, items: list[Item], after: int, hang: int = INDENT) -> None:
        """Write the items of an entry.

        ``after`` columns follow it on its last line; lines that the author broke at an operator hang by ``hang``.
        """
        indent = self.line_indent
        suffix = _suffix_widths(items, after)
        expanded: set[int] = set()
        comment_ended = False
        for at, item in enumerate(items):
            if at > 0 and (item.break_before or comment_ended):
                text = item.text if isinstance(item, Atom) else ""
                dedent = isinstance(item, Atom) and item.dedent
                self._newline(indent + (0 if dedent else INDENT if text in (".", "?.") else hang))
            elif item.space and at > 0:
                self._write(_comment_gap(item.text) if isinstance(item, Atom) else " ")
            comment_ended = isinstance(item, Atom) and item.break_after
            if isinstance(item, Atom):
                self._write(item.text)
            elif item.style in ("block", "arms"):
                if not item.linked:
                    expanded = self._chain(items, at, suffix)
                if item.empty or at not in expanded:
                    self._write(item.flat())
                else:
                    self._expand(item)
            else:
                self._group(item, suffix[at + 1])

    def _chain(self, items: list[Item], first: int, suffix: list[int]) -> set[int]:
        """Which blocks of ``if … else …`` to write over several lines: all or none."""
        blocks = [first]
        for at in range(first + 1, len(items)):
            item = items[at]
            if isinstance(item, Group) and item.style in ("block", "arms"):
                if not item.linked:
                    break
                blocks.append(at)
        flat = flat_items(items[first : blocks[-1] + 1])
        if flat not in (FORCED, WIDE) and self.column + len(flat) + suffix[blocks[-1] + 1] <= LINE_COLUMNS_MAX:
            return set()
        return set(blocks)

    # ------------------------------------------------------------------ groups

    def _group(self, group: Group, after: int) -> None:
        flat = group.flat()
        fits = flat not in (FORCED, WIDE) and self.column + len(flat) + after <= LINE_COLUMNS_MAX
        if fits or group.small() or group.empty:
            self._write(flat)
        elif not self._hug(group, after):
            self._expand(group)

    def _expand(self, group: Group) -> None:
        """Write a group with each entry on a line of its own."""
        indent = self.line_indent
        self._write(group.opener)
        if group.open_comment:
            self._write(_comment_gap(group.open_comment) + group.open_comment)
        self.entries(group.entries, indent + INDENT, group.style, spread=group.spread)
        self._newline(indent)
        self._write(group.closer)

    def _hug(self, group: Group, after: int) -> bool:
        """Write ``f(a, fn(x) {`` … ``})``: only the last entry goes over several lines.  Whether it could be done."""
        if group.opener != "(" or group.flagged or group.open_comment:
            return False
        if any(entry.comment or entry.trailing for entry in group.entries):
            return False
        head = [flat_items(entry.items) for entry in group.entries[:-1]]
        last = group.entries[-1].items
        opening = _first_break(last)
        if opening is None or any(flat in (FORCED, WIDE) for flat in head):
            return False
        start = "".join(f"{flat}, " for flat in head)
        if self.column + 1 + len(start) + opening > LINE_COLUMNS_MAX:
            return False
        self._write(group.opener + start)
        self._items(last, len(group.closer) + after)
        self._write(group.closer)
        return True


def _comment_gap(text: str) -> str:
    """The space before a token or comment at the end of a line."""
    return "  " if text.startswith("//") else " "


def _breaks(item: Item) -> int | None:
    """The columns that an item takes on the line where it starts, if the line can end in it; else None."""
    space = 1 if item.space else 0
    if isinstance(item, Atom):
        if item.break_after:
            return 0  # comments do not count
        return space + item.text.index("\n") if "\n" in item.text else None
    if item.empty:
        return None
    if item.flat() == FORCED or item.style in ("block", "arms"):
        return space + len(item.opener)
    return None


def _first_break(items: list[Item]) -> int | None:
    """The columns up to the first place where the line must or may well end, or None if there is none."""
    width = 0
    for at, item in enumerate(items):
        if at > 0 and item.break_before:
            return width
        breaks = _breaks(item)
        if breaks is not None:
            return width + breaks
        flat = item.text if isinstance(item, Atom) else item.flat()
        if flat == WIDE:
            return None
        width += len(flat) + (1 if item.space and at > 0 else 0)
    return None


def _suffix_widths(items: list[Item], after: int) -> list[int]:
    """For each item, the columns from it on to the next place where the line can end."""
    widths = [after] * (len(items) + 1)
    for at in range(len(items) - 1, -1, -1):
        item = items[at]
        breaks = _breaks(item)
        if at > 0 and item.break_before:
            widths[at] = 0
        elif breaks is not None:
            widths[at] = breaks
        elif isinstance(item, Group) and not item.empty and not item.small():
            widths[at] = (1 if item.space else 0) + len(item.opener)
        else:
            flat = item.text if isinstance(item, Atom) else item.flat()
            widths[at] = (1 if item.space else 0) + len(flat) + widths[at + 1]
    return widths
