"""The formatter behind ``holdfast fmt``: one layout for all Hold programs.

Purpose: :func:`format_source` keeps every token, every comment and up to one blank line of the author's, and decides
the rest: four columns a level, one statement a line, one blank line around definitions of several lines, spaces around
operators, lines of at most 110 columns where brackets allow it, one element a line with a comma after the last.  What
stands inside a text is left alone, and so are the author's line breaks at operators and before ``.``.

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
from holdfast.lang.lexer_core import Token
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
_COMMENTS = frozenset({"COMMENT", "DOC"})
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
    printer.entries(_Builder(text, program).build(), 0, "block", spread=True)
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
            pending += [(getattr(left, name), getattr(right, name)) for name in _FIELDS[type(left)]]
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
                pending += [getattr(node, name) for name in _FIELDS[type(node)]]

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


_FIELDS: dict[type, tuple[str, ...]] = {
    node_type: tuple(each.name for each in fields(node_type) if not each.name.endswith("span"))
    for node_type in vars(tree).values()
    if isinstance(node_type, type) and issubclass(node_type, tree.Node)
}
"""The fields of each kind of node that hold something of the program."""


def _pieces(tokens: list[Token], comments: list[tuple[str, int, int]]) -> list[Piece]:
    """Tokens and comments in order, without statement ends; a text with what it interpolates is one piece."""
    found: list[Piece] = []
    texts: list[int] = []  # starts of the texts that are open
    for kind, start, end, _ in tokens:
        if kind == "TEXT_HEAD":
            texts.append(start)
        elif kind == "TEXT_TAIL":
            begin = texts.pop()
            if not texts:
                found.append(("TEXT", begin, end))
        elif not texts and kind != END:
            found.append((kind, start, end))
    found += comments
    found.sort(key=lambda piece: piece[1])
    pieces: list[Piece] = []
    for piece in found:
        if not pieces or piece[1] >= pieces[-1][2]:  # else a comment inside a text
            pieces.append(piece)
    return pieces


def _partners(pieces: list[Piece]) -> dict[int, int]:
    """The index of the closing bracket for that of each opening one."""
    partners: dict[int, int] = {}
    opened: list[int] = []
    for at, (kind, _, _) in enumerate(pieces):
        if kind in _OPENING:
            opened.append(at)
        elif kind in _CLOSING:
            partners[opened.pop()] = at
    return partners


@dataclass(slots=True)
class _Level:
    """What is being read between two brackets, or in the file."""

    group: Group | None
    style: str
    entries: list[Entry] = field(default_factory=list)
    current: Entry | None = None
    fresh: bool = False
    """Whether ``current`` holds only a comment that belongs to what comes next on its line."""
    link: bool = False
    """Whether ``else`` or the like came last."""


class _Builder:
    """Turns the tokens and comments of a source into entries for the printer."""

    def __init__(self, text: str, program: tree.Program) -> None:
        self.text = text
        self.shape = _Shape(program)
        lexer = Lexer(Source("", text))
        self.pieces = _pieces(lexer.run()[1:], lexer.comments)
        self.partners = _partners(self.pieces)
        self.following: dict[int, Piece | None] = {}  # for each comment, the token after it
        following = None
        for at in range(len(self.pieces) - 1, -1, -1):
            if self.pieces[at][0] in _COMMENTS:
                self.following[at] = following
            else:
                following = self.pieces[at]
        self.levels = [_Level(None, "block")]
        self.previous = ""  # the kind of the token before
        self.after_comment = False
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
                self.levels.pop()
                self.previous, self.after_comment = kind, False
            elif kind == "COMMA" and self.levels[-1].style in ("list", "arms"):
                self.levels[-1].current = None
                self.previous, self.after_comment = kind, False
            else:
                self._token(kind, start, end)
            self.end = end
            at += 1
        return self.levels[0].entries

    # ------------------------------------------------------------------ entries

    def _gap(self, start: int) -> int:
        """How many newlines stand between the piece before and this one."""
        return self.text.count("\n", self.end, start)

    def _begins(self, start: int) -> bool:
        """Whether the token at ``start`` begins an entry (perhaps after a comment on its line)."""
        level = self.levels[-1]
        if level.current is None or level.fresh:
            return True
        return level.style in ("block", "arms") and start in self.shape.starts

    def _note_newline(self, start: int) -> None:
        """For the first piece between brackets: note whether the author began a new line with it."""
        level = self.levels[-1]
        if level.group is not None and not level.entries and not level.group.open_comment:
            level.group.flagged = self._gap(start) > 0

    def _add(self, item: Atom | Group, start: int, *, begins: bool) -> Entry:
        """Put an item into its entry."""
        level = self.levels[-1]
        self._note_newline(start)
        entry = level.current
        if entry is None or (begins and not level.fresh):
            entry = level.current = Entry(blank_before=self._gap(start) > 1)
            level.entries.append(entry)
            level.link = False
        level.fresh = False
        entry.items.append(item)
        return entry

    # ------------------------------------------------------------------ tokens

    def _space(self, kind: str, *, begins: bool) -> bool:
        """Whether a space goes between the token before and this one."""
        previous = self.previous
        if self.after_comment:
            return True
        if previous in _TIGHT_AFTER or kind in _TIGHT_BEFORE:
            return previous == "UNARY" and kind == "UNARY"
        if kind in ("LPAR", "LBRACK") and not begins:
            return previous not in _VALUE_ENDS and not (kind == "LPAR" and previous in ("FN", "ON_BEHALF"))
        return True

    def _breaks(self, kind: str, start: int) -> bool:
        """Whether the author's line break before this token is kept."""
        return self._gap(start) > 0 and (self.previous in _BREAK_AFTER or kind in _BREAK_BEFORE)

    def _token(self, kind: str, start: int, end: int) -> None:
        begins = self._begins(start)
        if kind == "MINUS" and (begins or self.previous not in _VALUE_ENDS):
            kind = "UNARY"
        atom = Atom(self.text[start:end], self._space(kind, begins=begins), dedent=kind in _LINKS)
        atom.break_before = not begins and self._breaks(kind, start)
        entry = self._add(atom, start, begins=begins)
        named_function = self.previous == "FN" and kind == "NAME" and len(entry.items) == 2
        if named_function or (begins and kind in ("CLASS", "TEST")):
            entry.definition = True
        if kind in _LINKS:
            self.levels[-1].link = True
        self.previous = kind
        self.after_comment = False

    # ------------------------------------------------------------------ brackets

    def _style(self, at: int, *, begins: bool) -> str:
        """What stands between these brackets."""
        kind = self.pieces[at][0]
        if kind == "LBRACE":
            return "arms" if self._closer_at(at) in self.shape.match_ends else "block"
        if kind == "LMAP":
            return "list"
        after_value = self.previous in _VALUE_ENDS and not begins
        if kind == "LPAR":
            return "list" if after_value or self.previous == "FN" else "plain"
        return "plain" if after_value or kind == "QLBRACK" else "list"

    def _closer_at(self, at: int) -> int:
        return self.pieces[self.partners[at]][1]

    def _open(self, at: int) -> None:
        kind, start, end = self.pieces[at]
        begins = self._begins(start)
        closer = self.text[self._closer_at(at)]
        group = Group(self.text[start:end], closer, self._style(at, begins=begins))
        group.space = self._space(kind, begins=begins)
        group.break_before = not begins and self._breaks(kind, start)
        group.padded = kind == "LBRACE" or (kind == "LMAP" and self.previous in ("WITH", "BUDGET", "IMPORT"))
        self._add(group, start, begins=begins)
        level = self.levels[-1]
        if kind == "LBRACE":
            group.spread = self._closer_at(at) in self.shape.class_ends
            group.linked, level.link = level.link, False
        self.levels.append(_Level(group, group.style, group.entries))
        self.previous = kind
        self.after_comment = False

    # ------------------------------------------------------------------ comments

    def _comment(self, at: int) -> None:
        """Put a comment where it belongs: a line of its own, the end of a line, or between two tokens."""
        kind, start, end = self.pieces[at]
        level = self.levels[-1]
        text = "\n".join(line.rstrip() for line in self.text[start:end].split("\n"))
        if kind == "COMMENT" and text.startswith("///") and not text.startswith("////"):
            text = text[1:]  # it is no doc comment where it stands, and must not become one elsewhere
        alone = self._gap(start) > 0 or self.end == 0
        following = self.following[at]
        to_line_end = following is None or "\n" in self.text[end : following[1]] or text.startswith("//")
        comma = following is not None and following[0] == "COMMA" and level.style in ("list", "arms")
        last = following is None or following[0] in _CLOSING or comma
        ended = last or level.current is None or (following is not None and self._begins(following[1]))
        links = following is not None and following[0] in _LINKS
        if level.fresh or not ended or (level.current is not None and last and not to_line_end and not alone):
            self._inline(text, start, alone and not level.fresh, to_line_end, dedent=links)
        elif not to_line_end and not last:  # it belongs to what follows on its line
            level.current = None
            self._inline(text, start, False, False, dedent=False)
            level.fresh = True
        elif not alone and level.entries and not level.entries[-1].ends_line():
            level.entries[-1].trailing.append(text)
            level.current = None
        elif not alone and to_line_end and level.group is not None and not level.group.open_comment:
            level.group.open_comment = text
        else:
            self._own_line(text, start)
        self.after_comment = True

    def _own_line(self, text: str, start: int) -> None:
        level = self.levels[-1]
        self._note_newline(start)
        level.entries.append(Entry([Atom(text)], blank_before=self._gap(start) > 1, comment=True))
        level.current = None

    def _inline(self, text: str, start: int, alone: bool, to_line_end: bool, *, dedent: bool) -> None:
        begins = self.levels[-1].current is None
        atom = Atom(text, space=True, break_before=alone and not begins, break_after=to_line_end, dedent=dedent)
        self._add(atom, start, begins=begins)
