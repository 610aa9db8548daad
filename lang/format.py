"""The formatter behind ``holdfast fmt``: one layout for all Hold programs.

Purpose: :func:`format_source` keeps every token, comment and up to one blank line of the author's, and decides the rest:
four columns a level, one statement a line, one blank line around definitions of several lines, spaces around operators,
lines of at most 110 columns where brackets allow it, one element a line with a comma after the last.  What stands inside
a text is left alone, and so are the author's line breaks at operators and before ``.``.

Invariants
----------
* The result parses to the same tree, doc comments included.  This is checked at each call: a formatter that breaks a
  program is worse than none.
* Formatting the result gives the result.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from holdfast.lang import tree
from holdfast.lang.diagnostics import Source
from holdfast.lang.layout import Atom, Entry, Group, Printer
from holdfast.lang.lexer import Lexer
from holdfast.lang.parser import parse
from holdfast.lang.tokens import ASSIGNMENT_KINDS, BINARY_KINDS, END

BRACKET_DEPTH_MAX = 60
"""Brackets that nest deeper are left as they are: printing recurses."""

_OPENING = frozenset({"LPAR", "LBRACK", "QLBRACK", "LBRACE", "LMAP"})
_CLOSING = frozenset({"RPAR", "RBRACK", "RBRACE"})
_VALUE_ENDS = frozenset({"NAME", "INT", "FLOAT", "TEXT", "BYTES", "NIL", "TRUE", "FALSE"}) | _CLOSING
_TIGHT_AFTER = frozenset({"DOT", "QDOT", "ELLIPSIS", "DOTDOT", "DOTDOTEQ", "UNARY"})
_TIGHT_BEFORE = frozenset({"COMMA", "COLON", "DOT", "QDOT", "DOTDOT", "DOTDOTEQ", "QLBRACK"})
_BREAK_AFTER = BINARY_KINDS | ASSIGNMENT_KINDS | {"ARROW"}
_BREAK_BEFORE = BINARY_KINDS | {"DOT", "QDOT"}
_LINKS = frozenset({"ELSE", "CATCH", "FINALLY"})

Piece = tuple[str, int, int]
"""Kind, start, end of a token or comment; a text with interpolations is one piece."""


class FormatError(Exception):
    """The formatted program is not the same program.  This should never happen."""


def format_source(text: str, name: str) -> str:
    """The program in its canonical layout; raises CompileError if it does not parse."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    program = parse(Source(name, text))
    printer = Printer()
    printer.entries(_Builder(text, program).build(), 0, "", spread=True)
    formatted = printer.text()
    if not same_tree(program, parse(Source(name, formatted))):
        raise FormatError(f"formatting would change {name}; it was left as it is")
    return formatted


def same_tree(one: tree.Node, other: tree.Node) -> bool:
    """Whether two trees, as the parser made them, are equal but for the places where their nodes stand."""
    pending: list[tuple[Any, Any]] = [(one, other)]
    while pending:
        left, right = pending.pop()
        if type(left) is not type(right):
            return False
        if isinstance(left, tree.Node):
            pending += [(getattr(left, name), getattr(right, name)) for name in _field_names(type(left))]
        elif isinstance(left, list):
            if len(left) != len(right):
                return False
            pending += zip(left, right, strict=True)
        elif isinstance(left, tuple):
            if left and isinstance(left[0], str) and isinstance(left[-1], tuple):
                pending.append((left[0], right[0]))  # a name and its span
            else:
                pending += zip(left, right, strict=True)
        elif left != right:
            return False
    return True


class _Shape:
    """What the tree tells about the tokens: where entries begin, and what the braces are."""

    def __init__(self, program: tree.Program) -> None:
        self.starts: set[int] = set()  # of statements, members and arms
        self.match_ends: set[int] = set()  # where the closing brace of a match stands
        self.class_ends: set[int] = set()
        pending: list[Any] = [program]
        while pending:
            node = pending.pop()
            if isinstance(node, list | tuple):
                pending += node
            elif isinstance(node, tree.Node):
                self._note(node)
                pending += [getattr(node, name) for name in _field_names(type(node))]

    def _note(self, node: tree.Node) -> None:
        entries: list[Any] = []
        if isinstance(node, tree.Program | tree.Block):
            entries = node.statements
        elif isinstance(node, tree.ClassDef):
            entries = [*node.fields, *node.methods]
            self.class_ends.add(node.span[1] - 1)
        elif isinstance(node, tree.Match):
            entries = node.arms
            self.match_ends.add(node.span[1] - 1)
        self.starts.update(entry.span[0] for entry in entries)


@cache
def _field_names(node_type: type) -> tuple[str, ...]:
    """The fields of a node that hold something of the program."""
    return tuple(each.name for each in fields(node_type) if not each.name.endswith("span"))


@dataclass(slots=True)
class _Level:
    """What is being read between two brackets, or in the file."""

    group: Group | None
    style: str
    entries: list[Entry] = field(default_factory=list)
    current: Entry | None = None
    fresh: bool = False
    """Whether ``current`` holds only a comment that belongs to what comes next."""
    blocks: int = 0
    link: bool = False


class _Builder:
    """Turns the tokens and comments of a source into entries for the printer."""

    def __init__(self, text: str, program: tree.Program) -> None:
        self.text = text
        self.shape = _Shape(program)
        lexer = Lexer(Source("", text))
        self.pieces = _pieces(lexer.run()[1:], lexer.comments)
        self.partners = _partners(self.pieces)
        self.levels = [_Level(None, "block")]
        self.previous = ""  # the kind of the token before
        self.end = 0  # where the piece before ends

    def build(self) -> list[Entry]:
        """The entries of the file."""
        at = 0
        while at < len(self.pieces):
            kind, start, end = self.pieces[at]
            if kind in ("COMMENT", "DOC"):
                self._comment(at)
            elif kind in _OPENING and len(self.levels) > BRACKET_DEPTH_MAX:
                at = self.partners[at]
                end = self.pieces[at][2]
                self._token(kind, start, end)
                self.previous = self.pieces[at][0]
            elif kind in _OPENING:
                self._open(at)
            elif kind in _CLOSING:
                self._close(kind, start)
            elif kind == "COMMA" and self.levels[-1].style in ("list", "arms"):
                self.levels[-1].current = None
                self.previous = kind
            else:
                self._token(kind, start, end)
            self.end = end
            at += 1
        return self.levels[0].entries

    # ------------------------------------------------------------------ tokens

    def _gap(self, start: int) -> int:
        """How many newlines stand between the piece before and this one."""
        return self.text.count("\n", self.end, start)

    def _begins_entry(self, start: int) -> bool:
        level = self.levels[-1]
        if level.current is None:
            return True
        return level.style in ("block", "arms") and start in self.shape.starts and not level.fresh

    def _entry(self, start: int) -> Entry:
        """The entry that a piece at ``start`` belongs to: a new one if one begins here."""
        level = self.levels[-1]
        level.note_newline(self._gap(start))
        if level.current is None or self._begins_entry(start):
            level.current = Entry(blank_before=self._gap(start) > 1)
            level.entries.append(level.current)
            level.link = False
        level.fresh = False
        return level.current

    def _space(self, kind: str, begins: bool) -> bool:
        """Whether a space goes between the token before and this one."""
        previous = self.previous
        if previous in _TIGHT_AFTER or kind in _TIGHT_BEFORE:
            return previous == "UNARY" and kind == "UNARY"
        if kind in ("LPAR", "LBRACK") and not begins:
            return previous not in _VALUE_ENDS and not (kind == "LPAR" and previous in ("FN", "ON_BEHALF"))
        return True

    def _breaks(self, kind: str, start: int) -> bool:
        """Whether the author's line break before this token is kept."""
        return self._gap(start) > 0 and (self.previous in _BREAK_AFTER or kind in _BREAK_BEFORE)

    def _token(self, kind: str, start: int, end: int) -> None:
        begins = self._begins_entry(start)
        fresh = begins or self.levels[-1].fresh  # whether only a comment may stand before it in its entry
        if kind == "MINUS" and (fresh or self.previous not in _VALUE_ENDS):
            kind = "UNARY"
        atom = Atom(self.text[start:end], self._space(kind, fresh) or self.after_comment)
        atom.dedent = kind in _LINKS
        atom.break_before = not fresh and self._breaks(kind, start)
        entry = self._entry(start)
        entry.items.append(atom)
        if (fresh and kind in ("CLASS", "TEST")) or (len(entry.items) == 2 and self.previous == "FN" and kind == "NAME"):
            entry.definition = True
        if kind in _LINKS:
            self.levels[-1].link = True
        self.previous = kind
        self.after_comment = False

    # ------------------------------------------------------------------ brackets

    def _style(self, at: int, begins: bool) -> str:
        """What stands between these brackets."""
        kind = self.pieces[at][0]
        if kind == "LBRACE":
            return "arms" if self.pieces[self.partners[at]][1] in self.shape.match_ends else "block"
        if kind == "LMAP":
            return "list"
        after_value = self.previous in _VALUE_ENDS and not begins
        if kind == "LPAR":
            return "list" if after_value or self.previous == "FN" else "plain"
        return "plain" if after_value or kind == "QLBRACK" else "list"

    def _open(self, at: int) -> None:
        kind, start, end = self.pieces[at]
        begins = self._begins_entry(start) or self.levels[-1].fresh
        style = self._style(at, begins)
        group = Group(self.text[start:end], self.text[self.pieces[self.partners[at]][1]], style)
        group.space = self._space(kind, begins) or self.after_comment
        group.break_before = not begins and self._breaks(kind, start)
        group.padded = kind == "LBRACE" or (kind == "LMAP" and self.previous in ("WITH", "BUDGET", "IMPORT"))
        group.spread = kind == "LBRACE" and self.pieces[self.partners[at]][1] in self.shape.class_ends
        entry = self._entry(start)
        level = self.levels[-1]
        if kind == "LBRACE":
            group.linked, level.link = level.link, False
        entry.items.append(group)
        self.levels.append(_Level(group, style, group.entries))
        self.previous = kind
        self.after_comment = False

    def _close(self, kind: str, start: int) -> None:
        level = self.levels.pop()
        if level.group is not None and not level.entries:
            level.group.flagged = False
        self.previous = kind
        self.after_comment = False

    # ------------------------------------------------------------------ comments

    def _comment(self, at: int) -> None:
        """Put a comment where it belongs: on a line of its own, at the end of a line, or between two tokens."""
        kind, start, end = self.pieces[at]
        level = self.levels[-1]
        text = "\n".join(line.rstrip() for line in self.text[start:end].split("\n"))
        alone = self._gap(start) > 0 or self.end == 0
        following, ends_line = self._after_comment_at(at)
        to_line_end = text.startswith("//") or ends_line
        done = level.current is None or self._ends_entry(following)
        if not done or level.fresh:
            self._inline(text, start, alone and not level.fresh, to_line_end)
        elif alone:
            level.note_newline(1)
            level.entries.append(Entry([Atom(text, comment=True)], [], self._gap(start) > 1, comment=True))
            level.current = None
        elif to_line_end and level.entries:
            level.entries[-1].trailing.append(text)
        elif to_line_end and level.group is not None and not level.group.open_comment:
            level.group.open_comment = text
        elif following in _CLOSING and level.entries:
            level.entries[-1].trailing.append(text)
        else:  # a comment before the next entry, on its line
            level.current = None
            self._inline(text, start, alone, to_line_end)
            level.fresh = True

    def _inline(self, text: str, start: int, alone: bool, to_line_end: bool) -> None:
        begins = self.levels[-1].current is None
        entry = self._entry(start)
        atom = Atom(text, True, alone and not begins, to_line_end, comment=True)
        entry.items.append(atom)
        self.after_comment = True
