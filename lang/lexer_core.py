"""What the lexer stands on: its state, the stack of open brackets, and texts.

Purpose: :class:`LexerCore` keeps the tokens and frames of one run, reports errors, puts in closers that are missing,
and reads texts, raw texts, bytes and numbers.  :class:`holdfast.lang.lexer.Lexer` adds the loop and everything else.

Invariants
----------
* ``frames`` holds one entry for each open bracket and interpolation: the kind of the frame, and for a bracket its
  offset, for a text the index of its TEXT_HEAD in ``tokens``.
* A frame that is popped has put its closing token into ``tokens``.
"""

from __future__ import annotations

import re
from typing import Any

from holdfast.lang.diagnostics import Diagnostic, Source, quoted
from holdfast.lang.literals import LiteralError, escape_value, number_value
from holdfast.lang.tokens import CONTINUES_AFTER, CONTINUES_BEFORE, END

Token = tuple[str, int, int, Any]
"""Kind, start, end, value."""

BRACKET_DEPTH_MAX = 200
"""How deep brackets (interpolations included) may nest."""

TOKENS_MAX = 1_000_000
"""How many tokens a source may have: the tree of one with more would not fit a sensible memory."""

ERRORS_MAX = 40
"""After this many errors the lexer gives up: what follows is noise."""

START = "START"
"""Kind of the token that stands before the first one; the parser skips it."""

STATEMENT_FRAMES = frozenset({"LBRACE", "CLASS"})
"""Frames in which a newline may end a statement."""

TEXT_FRAMES = frozenset({"TEXT1", "TEXT3"})
"""Frames of an interpolation: in a text on one line, in one between triple quotes."""

CLOSER_OF = {
    "LPAR": "RPAR", "LBRACK": "RBRACK", "QLBRACK": "RBRACK", "LBRACE": "RBRACE", "LMAP": "RBRACE", "CLASS": "RBRACE",
}  # fmt: skip
"""Frame to the kind of token that closes it."""

_NO_END_AFTER = CONTINUES_AFTER | {START, END, "LBRACE", "TEXT_HEAD", "TEXT_MID"}
_NO_END_BEFORE = CONTINUES_BEFORE | {"RBRACE"}
_TEXT_PIECE = re.compile(r'[^"\\{}\n]+')
_TRIPLE_PIECE = re.compile(r'(?:[^"\\{}]|"(?!""))+')
_RAW_END = re.compile(r'["\n]')
_BYTES_PIECE = re.compile(r'[^"\\\n\x7f-\U0010ffff]+')
_EMPTY_INTERPOLATION = re.compile(r"[ \t]*\}")
_CONTINUES_NUMBER = re.compile(r"\.(?:\.|[A-Za-z_])")


class GaveUp(Exception):
    """Raised inside the lexer after an error that makes going on pointless; never leaves it."""


class LexerCore:
    """State, brackets and texts of one run over one source."""

    __slots__ = (
        "_class_head", "_doc_lines", "_newline_at", "_open_texts", "_statements", "comments", "cut_off", "docs",
        "errors", "file_doc", "frames", "gave_up", "position", "source", "text", "tokens", "unfinished",
    )  # fmt: skip

    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = source.text
        self.position = 0
        self.tokens: list[Token] = [(START, 0, 0, None)]
        self.comments: list[tuple[str, int, int]] = []
        self.docs: dict[int, str] = {}
        self.file_doc: str | None = None
        self.errors: list[Diagnostic] = []
        self.frames: list[tuple[str, int]] = []
        self.cut_off = False  # whether something was still open at the end of the source
        self.unfinished = False  # whether more lines could mend that
        self.gave_up = False
        self._statements = True  # whether newlines count in the innermost frame
        self._newline_at = -1  # a newline that may become an END before the next token
        self._open_texts: list[str] = []  # the frames of texts among ``frames``
        self._class_head = False  # between ``class`` and its ``{``
        self._doc_lines: list[str] = []

    # ------------------------------------------------------------------ errors

    def _report(self, code: str, message: str, start: int, end: int, hint: str) -> None:
        self.errors.append(Diagnostic(code, message, (start, end), hint, self.source))
        if len(self.errors) >= ERRORS_MAX:
            raise GaveUp

    def _give_up(self, code: str, message: str, start: int, end: int, hint: str) -> None:
        self._report(code, message, start, end, hint)
        raise GaveUp

    # ------------------------------------------------------------------ statement ends and brackets

    def _end_statement(self, kind: str) -> None:
        """A newline was met before a token of this kind: end the statement, if it ends one."""
        at = self._newline_at
        self._newline_at = -1
        if kind not in _NO_END_BEFORE and self.tokens[-1][0] not in _NO_END_AFTER:
            self.tokens.append((END, at, at + 1, None))

    def _drop_end(self) -> None:
        """Before a closer and before the end of the source there is no statement end."""
        self._newline_at = -1
        if self.tokens[-1][0] == END:
            self.tokens.pop()

    def _push(self, frame: str, start: int) -> None:
        if len(self.frames) >= BRACKET_DEPTH_MAX:
            hint = "name parts of it with let, or move them into functions"
            self._give_up("E0013", f"brackets nest deeper than {BRACKET_DEPTH_MAX}", start, start + 1, hint)
        self.frames.append((frame, start))
        if frame in TEXT_FRAMES:
            self._open_texts.append(frame)
        self._statements = frame in STATEMENT_FRAMES

    def _pop(self) -> tuple[str, int]:
        frame = self.frames.pop()
        if frame[0] in TEXT_FRAMES:
            self._open_texts.pop()
        self._statements = not self.frames or self.frames[-1][0] in STATEMENT_FRAMES
        return frame

    def _close_missing(self, at: int, hint: str, *, report: bool = True) -> None:
        """Close the innermost frame although its closer is missing."""
        frame, opened = self._pop()
        self._drop_end()
        if frame in TEXT_FRAMES:
            self._fill_interpolation(at)
            self.tokens.append(("TEXT_TAIL", at, at, ""))
            return
        if report:
            self._report("E0011", f"'{self.text[opened]}' is never closed", opened, opened + 1, hint)
        self.tokens.append((CLOSER_OF[frame], at, at, None))

    def _fill_interpolation(self, at: int) -> None:
        """An empty interpolation was reported: put something into it."""
        if self.tokens[-1][0] in ("TEXT_HEAD", "TEXT_MID"):
            self.tokens.append(("NIL", at, at, None))

    def _finish(self) -> None:
        """The end of the source: nothing may be open."""
        end = len(self.text)
        self._drop_end()
        report = True
        if self.frames:
            self.cut_off = True
            self.unfinished = "TEXT1" not in self._open_texts
        while self.frames:
            frame, opened = self.frames[-1]
            if frame in TEXT_FRAMES:
                start, width = self.tokens[opened][1], 3 if frame == "TEXT3" else 1
                if report:
                    hint = "the {…} inside it is still open"
                    self._report("E0005", "text is not closed", start, start + width, hint)
                self._close_missing(end, "")
            else:
                self._close_missing(end, "the source ends before its partner", report=report)
            report = False  # the innermost one tells enough
        self.position = end

    # ------------------------------------------------------------------ texts

    def _quote(self, start: int, end: int) -> tuple[str, Any]:
        """A text that is not simple: escapes, interpolation, several lines, raw, bytes."""
        prefix = self.text[start]
        triple = end - start >= 3
        if prefix == '"':
            return self._text_piece(start, end, "TEXT3" if triple else "TEXT1", head=True)
        if prefix == "r":
            return "TEXT", self._raw_text(start, end, triple=end - start == 4)
        return "BYTES", self._bytes(start, start + 2)

    def _unclosed(self, start: int, end: int, stop: int, hint: str, *, outer: int = 0) -> None:
        """Report a text that is not closed, unless the text around it ends with the same line.

        ``outer`` is 1 if the text itself is the innermost that is open.
        """
        self.position = stop
        around = self._open_texts[: len(self._open_texts) - outer]
        if stop == len(self.text) or not around or around[-1] == "TEXT3":
            self._report("E0005", "text is not closed", start, end, hint)

    def _raw_text(self, start: int, end: int, *, triple: bool) -> str:
        text = self.text
        if triple:
            close = text.find('"""', end)
            if close < 0:
                self.unfinished = True
                self._unclosed(start, end, len(text), 'end it with """')
                return text[end:]
            self.position = close + 3
            return text[end:close].replace("\r\n", "\n")
        match = _RAW_END.search(text, end)
        stop = match.start() if match else len(text)
        if match is None or match[0] == "\n":
            self._unclosed(start, end, stop, 'end it with " on the same line')
        else:
            self.position = match.end()
        return text[end:stop]

    def _bytes(self, start: int, position: int) -> bytes:
        text, parts = self.text, []
        while True:
            match = _BYTES_PIECE.match(text, position)
            if match:
                parts.append(match[0])
                position = match.end()
            character = text[position : position + 1]
            if character == '"':
                self.position = position + 1
                return "".join(parts).encode("latin-1")
            if character in ("", "\n"):
                self._unclosed(start, start + 2, position, 'end it with " on the same line')
                return b""
            if character == "\\":
                value, position = self._escape(position, in_bytes=True)
                parts.append(value)
                continue
            hint = "bytes are written in ASCII; write others as \\x00 to \\xff"
            self._report("E0019", f"{quoted(character)} in bytes", position, position + 1, hint)
            position += 1

    def _escape(self, position: int, *, in_bytes: bool) -> tuple[str, int]:
        try:
            return escape_value(self.text, position, in_bytes=in_bytes)
        except LiteralError as error:
            self._report(error.code, error.message, error.start, error.end, error.hint)
            # A line end after the backslash still ends the line.
            return "", error.end - 1 if self.text[error.end - 1] == "\n" else error.end

    def _text_piece(self, start: int, position: int, frame: str, *, head: bool) -> tuple[str, Any]:
        """A piece of a text from ``position`` on, up to its end or to an interpolation."""
        text, parts = self.text, []
        plain = (_TRIPLE_PIECE if frame == "TEXT3" else _TEXT_PIECE).match
        while True:
            match = plain(text, position)
            if match:
                parts.append(match[0])
                position = match.end()
            character = text[position : position + 1]
            if character == '"':
                self.position = position + (3 if frame == "TEXT3" else 1)
                return "TEXT" if head else "TEXT_TAIL", _joined(parts, frame)
            if character == "\\":
                value, position = self._escape(position, in_bytes=False)
                parts.append(value)
            elif character == "{" and text[position + 1 : position + 2] != "{":
                return self._interpolate(start, position, frame, head), _joined(parts, frame)
            elif character in ("{", "}") and text[position + 1 : position + 2] == character:
                parts.append(character)
                position += 2
            elif character == "}":
                self._report("E0008", "lone '}' in a text", position, position + 1, "write }} for a brace")
                position += 1
            else:  # a newline in a one-line text, or the end of the source
                self._text_cut_off(start, position, frame, head)
                return "TEXT" if head else "TEXT_TAIL", _joined(parts, frame)

    def _interpolate(self, start: int, position: int, frame: str, head: bool) -> str:
        self.position = position + 1
        close = _EMPTY_INTERPOLATION.match(self.text, position + 1)
        if close:
            self._report("E0017", "empty interpolation", position, close.end(), "write {{}} for two braces")
        if head:
            self._push(frame, start)
        return "TEXT_HEAD" if head else "TEXT_MID"

    def _text_cut_off(self, start: int, position: int, frame: str, head: bool) -> None:
        opened = start if head else self.tokens[self.frames[-1][1]][1]
        if frame == "TEXT3":
            self.unfinished = True
            self._unclosed(opened, opened + 3, position, 'end it with """', outer=0)
        else:
            hint = 'end it with " on the same line, or write """ for several lines'
            self._unclosed(opened, opened + 1, position, hint, outer=0 if head else 1)

    def _resume_text(self, start: int) -> None:
        """The ``}`` that ends an interpolation: go on with the text."""
        self._newline_at = -1
        self._fill_interpolation(start)
        kind, value = self._text_piece(start, start + 1, self.frames[-1][0], head=False)
        if kind == "TEXT_TAIL":
            self._pop()
        self.tokens.append((kind, start, self.position, value))

    def _unclosed_line_text(self, at: int) -> None:
        """A line ends inside an interpolation of a one-line text: that text ends here."""
        while self.frames[-1][0] != "TEXT1":
            self._close_missing(at, "it is not closed before the line ends")
        start = self.tokens[self.frames[-1][1]][1]
        hint = 'end it with }" on the same line, or write """ for several lines'
        self._report("E0005", "text is not closed", start, start + 1, hint)
        self._close_missing(at, "")

    # ------------------------------------------------------------------ numbers

    def _number(self, start: int, end: int) -> tuple[str, Any]:
        text = self.text
        value: int | float = 0
        try:
            value = number_value(text[start:end])
        except LiteralError as error:
            self._report(error.code, error.message, start + error.start, start + error.end, error.hint)
        if text[end : end + 1] == "." and not _CONTINUES_NUMBER.match(text, end):
            self._report("E0009", "malformed number", start, end + 1, f"write {text[start:end][:20]}.0")
            self.position = end + 1
        return ("FLOAT" if type(value) is float else "INT"), value


def _joined(parts: list[str], frame: str) -> str:
    value = "".join(parts)
    return value.replace("\r\n", "\n") if frame == "TEXT3" else value
