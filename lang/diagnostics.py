"""Sources, diagnostics and the error that carries them.

Purpose
-------
Every stage of the compiler reports through :class:`Diagnostic`, so that all messages have one form::

    error[E0102]: assignment to 'pi', which was bound with let
      --> bank.hold:12:3
       |
    12 |   pi = 3
       |   ^^ bind it with var to assign again

Invariants
----------
* Every code that is ever used stands in :data:`CODES`; a diagnostic with another code cannot be made.
* What is rendered holds no control character, no bidirectional override and no surrogate: a source file is written
  by a stranger, and a message about it goes to a terminal and into logs.
* A rendered message is short, however long the line of the source is.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Iterable

from holdfast.lang.tree import Span

CODES: dict[str, str] = {
    # E00xx: lexical
    "E0001": "source too large",
    "E0002": "source is not valid UTF-8",
    "E0003": "forbidden character",
    "E0004": "unexpected character",
    "E0005": "text is not closed",
    "E0006": "comment is not closed",
    "E0007": "bad escape in a text",
    "E0008": "lone brace in a text",
    "E0009": "malformed number",
    "E0010": "number too large",
    "E0011": "bracket is not closed",
    "E0012": "closing bracket does not fit",
    "E0013": "brackets nest too deep",
    "E0014": "too many tokens",
    "E0015": "name with letters outside ASCII",
    "E0016": "operator of another language",
    "E0017": "empty interpolation",
    "E0018": "text in single quotes",
    "E0019": "character that Bytes cannot hold",
    # E01xx and E02xx: names (the resolver)
    "E0101": "name is not defined",
    "E0102": "assignment to a let",
    "E0103": "name is defined twice",
    "E0104": "assignment to a definition",
    "E0105": "break or continue outside a loop",
    "E0106": "return outside a function",
    "E0108": "super without a base class",
    "E0109": "class uses a variable of the program",
    "E0110": "module with state",
    "E0111": "class member defined twice",
    "E0112": "parameter without default after one with",
    "E0113": "module has no such name",
    "E0114": "name is used before it is set",
    "E0115": "module used as a value",
    "E0116": "no such class or kind",
    "E0117": "classes extend each other in a circle",
    "E0118": "super used as a value",
    "E0119": "definition inside a block",
    "E0120": "arguments in the wrong order",
    "E0121": "spawn without a call",
    "E0122": "assignment to an optional access",
    "E0123": "import cannot be read",
    "E0124": "import goes in a circle",
    "E0125": "test uses a variable of the program",
    "E0126": "class has too many base classes",
    # E03xx: syntax
    "E0301": "unexpected token",
    "E0302": "program nests too deep",
    "E0303": "cannot be assigned",
    "E0304": "comparisons do not chain",
    "E0305": "only at the top level of a file",
    "E0306": "statement ends at its brace",
    "E0307": "entry given twice",
    "E0308": "rest parameter is not the last",
    "E0309": "spawn needs a call",
    "E0310": "entry of with or budget needs a plain name",
    "E0311": "range pattern needs two Int literals",
    "E0312": "keyword used as a name",
    "E0313": "assignment used as a value",
    "E0314": "word of another language",
    "E0315": "incomplete at the end of the line",
    "E0316": "incomplete at the end of the file",
}
"""All diagnostic codes with their titles: E00xx lexical, E01xx and E02xx names, E03xx syntax."""

LINE_COLUMNS_MAX = 100
"""A source line is shown up to this many columns; longer ones are cut around the caret."""

MESSAGE_CHARACTERS_MAX = 1_000
"""Messages and hints are cut to this length."""

TAB_COLUMNS = 4
"""A tab in a shown source line becomes this many spaces."""


def visible(text: str) -> str:
    """``text`` with everything that could steer a terminal written as an escape.

    The threat is a source file whose name, identifiers or comments carry escape sequences, line separators or
    bidirectional overrides: shown as they are, they could hide or forge what the reader sees.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def quoted(text: str, characters_max: int = 40) -> str:
    """``text`` in single quotes, visible and cut, for use in a message."""
    if len(text) > characters_max:
        text = text[: characters_max - 1] + "…"
    return "'" + visible(text) + "'"


def _escape(character: str) -> str:
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}.get(character)
    return short if short is not None else f"\\u{{{ord(character):X}}}"


def _cut(text: str) -> str:
    text = visible(text)
    return text if len(text) <= MESSAGE_CHARACTERS_MAX else text[: MESSAGE_CHARACTERS_MAX - 1] + "…"


def _cells(text: str) -> int:
    """How many terminal columns ``text`` takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


class Source:
    """A source text with its name; knows lines and columns.

    Offsets count code points from 0.  Lines and columns count from 1; a line ends at ``\\n``.
    """

    __slots__ = ("_starts", "name", "text")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self._starts: list[int] | None = None

    def __repr__(self) -> str:
        return f"Source({self.name!r}, {len(self.text)} characters)"

    @property
    def line_starts(self) -> list[int]:
        """The offset at which each line starts; computed when first asked for."""
        if self._starts is None:
            starts = [0]
            find = self.text.find
            position = find("\n")
            while position >= 0:
                starts.append(position + 1)
                position = find("\n", position + 1)
            self._starts = starts
        return self._starts

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset; one beyond either end counts as that end."""
        offset = max(0, min(offset, len(self.text)))
        starts = self.line_starts
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    def line_span(self, line: int) -> Span:
        """Start and end offset of a line, without its newline."""
        starts = self.line_starts
        if not 1 <= line <= len(starts):
            raise ValueError(f"line {line} is outside 1..{len(starts)}")
        start = starts[line - 1]
        end = starts[line] - 1 if line < len(starts) else len(self.text)
        if end > start and self.text[end - 1] == "\r":
            end -= 1
        return start, end

    def line_text(self, line: int) -> str:
        """The text of a line, without its newline."""
        start, end = self.line_span(line)
        return self.text[start:end]


class Diagnostic:
    """One message about a place in a source."""

    __slots__ = ("code", "hint", "message", "source", "span")

    def __init__(self, code: str, message: str, span: Span, hint: str, source: Source) -> None:
        if code not in CODES:
            raise ValueError(f"diagnostic code {code!r} is not registered in CODES")
        self.code = code
        self.message = message
        self.span = span
        self.hint = hint
        self.source = source

    def __repr__(self) -> str:
        return f"Diagnostic({self.code!r}, {self.message!r}, {self.span!r})"

    def render(self) -> str:
        """The message in its full form, several lines without a newline at the end."""
        line, column = self.source.position(self.span[0])
        number = str(line)
        gutter = " " * len(number)
        shown, caret_at, caret_count = self._shown_line(line)
        caret_line = " " * caret_at + "^" * caret_count + (" " + _cut(self.hint) if self.hint else "")
        return "\n".join(
            (
                f"error[{self.code}]: {_cut(self.message)}",
                f"{gutter}--> {visible(self.source.name)}:{line}:{column}",
                f"{gutter} |",
                f"{number} | {shown}".rstrip(),
                f"{gutter} | {caret_line}",
            )
        )

    def _shown_line(self, line: int) -> tuple[str, int, int]:
        """The line as shown, the column where the carets start (from 0) and how many there are."""
        line_start, line_end = self.source.line_span(line)
        start = min(max(self.span[0], line_start), line_end)
        end = min(max(self.span[1], start), line_end)
        # Only a window around the caret is looked at, so that a line of megabytes costs nothing.
        left, right = line_start, line_end
        if line_end - line_start > LINE_COLUMNS_MAX:
            left = max(line_start, min(start - LINE_COLUMNS_MAX // 2, line_end - LINE_COLUMNS_MAX))
            right = min(line_end, left + LINE_COLUMNS_MAX)
            end = min(end, right)
        text = self.source.text
        before = ("…" if left > line_start else "") + _printable(text[left:start])
        under = _printable(text[start:end])
        after = _printable(text[end:right]) + ("…" if right < line_end else "")
        return before + under + after, _cells(before), max(1, _cells(under))


def _printable(text: str) -> str:
    return visible(text.replace("\t", " " * TAB_COLUMNS))


class CompileError(Exception):
    """A source that cannot be compiled: carries at least one diagnostic, in the order of their positions."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        ordered = sorted(diagnostics, key=lambda one: (one.source.name, one.span, one.code))
        if not ordered:
            raise ValueError("a CompileError needs at least one diagnostic")
        super().__init__(ordered[0].message)
        self.diagnostics: tuple[Diagnostic, ...] = tuple(ordered)

    def __str__(self) -> str:
        return "\n\n".join(diagnostic.render() for diagnostic in self.diagnostics)
