"""The lexer: source text to tokens.

Purpose
-------
One pass with one compiled expression and a stack of open brackets.  It decides what only the brackets can tell: whether
a newline ends a statement, whether ``{`` opens a Map or a block, where the expression inside a text ends.  The parser,
the formatter and the REPL's colouring share it.

Formats
-------
A token is a tuple ``(kind, start, end, value)``.  Kinds are those of :mod:`holdfast.lang.tokens`; ``value`` is the name
of a NAME, the value of a literal, the decoded piece of an interpolated text, else None.  ``"a {x} b"`` becomes
``TEXT_HEAD NAME TEXT_TAIL``; a further piece in between is ``TEXT_MID``.

Invariants
----------
* Statement ends (``END``) stand only between two things: never at the start of a source or block, never before ``}`` or
  the end, never twice in a row.
* Brackets always balance in what comes out: a missing closer is reported and put in, a closer without an opener is
  reported and left out.  So one slip costs one message, and the parser can rely on it.
* Errors are collected, not raised, but for a source that is too large; after a limit the lexer gives up.
* Time is linear in the length of the source.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from holdfast.lang.diagnostics import CompileError, Diagnostic, Source, quoted
from holdfast.lang.lexer_core import CLOSER_OF, START, TEXT_FRAMES, TOKENS_MAX, GaveUp, LexerCore, Token
from holdfast.lang.tokens import CLOSERS, CONTEXTUAL, CONTINUES_AFTER, END, KEYWORDS, MAP_AFTER, OPENERS, OPERATORS

SOURCE_BYTES_MAX = 4 * 1024 * 1024
"""The largest source, in bytes when it comes as bytes, else in characters."""

COMMENT_DEPTH_MAX = 200
"""How deep ``/* /* */ */`` may nest."""

FORBIDDEN_SHOWN_MAX = 10
"""So many forbidden characters are reported one by one."""

# Groups of _MASTER, by number.
_NAME, _NEWLINE, _OPERATOR, _TEXT, _OPEN, _CLOSE, _INT, _COMMENT, _SEMICOLON = range(1, 10)
_MISTAKE, _BLOCK_COMMENT, _NUMBER, _QUOTE = range(10, 14)

_MASTER = re.compile(
    r"""[ \t\r]*+(?:
    ((?![rb]")[A-Za-z_][A-Za-z0-9_]*)
    |(\n(?:[ \t\r]*\n)*)
    |((?!===|!==|\+\+|--[ \t\r]*(?:[\n;)}\]]|//|\Z)|->|:=|<>|//|/\*)
      (?:\.\.\.|\.\.=|\.\.|\*\*=|~/=|\?\?=|==|!=|<=|>=|=>|\+=|-=|\*=|/=|%=|\*\*|~/|\?\?|\?\.|[-+*/%<>=,:.]))
    |("(?!"")[^"\\{}\n]*")
    |([(\[{]|\?\[)
    |([)\]}])
    |((?:0|[1-9][0-9]{0,17})(?![0-9A-Za-z_.]))
    |(//[^\n]*)
    |(;)
    |(===|!==|&&|\|\||\+\+|--|->|:=|<>|!|'[^'\n]*'?)
    |(/\*)
    |(0[xXbBoO][0-9A-Za-z_]*|[0-9][0-9_]*(?:\.[0-9][0-9_]*)?(?:[eE][+-]?[0-9_]+)?[0-9A-Za-z_]*)
    |([rb]?"(?:"")?)
    )""",
    re.VERBOSE,
)

# Control characters hide text from a reader, NUL ends it for C code, bidirectional overrides show a program other than
# the one that runs ("Trojan Source"), other line separators make editors and us count lines differently, and surrogates
# cannot be stored.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]|\r(?!\n)"
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_COLON_NEXT = re.compile(r"[ \t\r\n]*:")
_BRACE_NEXT = re.compile(r"[ \t\r\n]*\{")
_TEXT_NEXT = re.compile(r'[ \t]*r?"')
_FIELD_NEXT = re.compile(r"[ \t\r]*(?:=(?![=>])|[;}\n]|//|/\*|\Z)")
_ESCAPED_TEXT = re.compile(r'\\"([^"\\\n]*)\\"')
_WORD_TAIL = re.compile(r"[\w\u0300-\u036f]+")

_WORDS = {**KEYWORDS, **CONTEXTUAL}
_LITERAL_WORDS = frozenset({"nil", "true", "false"})
_STATEMENT_START = frozenset({START, END, "LBRACE", "RBRACE"})
_MAP_AFTER = MAP_AFTER | {START}
_MISTAKES: dict[str, tuple[str | None, str]] = {
    "===": ("EQ", "write =="),
    "!==": ("NE", "write !="),
    "&&": ("AND", "write and"),
    "||": ("OR", "write or"),
    "!": ("NOT", "write not"),
    "<>": ("NE", "write !="),
    "->": ("ARROW", "write =>"),
    ":=": ("ASSIGN", "write let name = value"),
    "++": (None, "write += 1"),
    "--": (None, "write -= 1"),
}
_CHARACTER_HINTS = {
    "?": "write if … { … } else { … } for a choice; ?? and ?. and ?[ deal with nil",
    "&": "write and; there are no operators on bits",
    "|": "write or; there are no operators on bits",
    "^": "write ** for a power; there are no operators on bits",
    "~": "write ~/ for division that rounds down; there are no operators on bits",
    "@": "there are no decorators",
    "#": "a comment begins with //",
    "`": "a text stands in double quotes and may hold {expressions}",
    "$": "write {name} inside a text",
    "\\": "a line goes on after an operator or a comma, and inside brackets; no \\ is needed",
    "“": 'write the straight quote "',
    "”": 'write the straight quote "',
    "„": 'write the straight quote "',
    "‘": 'write the straight quote "',
    "’": 'write the straight quote "',
    "–": "write the ASCII minus -",
    "−": "write the ASCII minus -",
    "×": "write *",
    "÷": "write /",
    "≤": "write <=",
    "≥": "write >=",
    "≠": "write !=",
    "→": "write =>",
    "…": "write ... or ..",
    "\u00a0": "this is a no-break space; write an ordinary one",
}


def decode(data: bytes, name: str = "<source>") -> str:
    """The text of a source file: UTF-8, with or without a byte order mark."""
    if len(data) > SOURCE_BYTES_MAX:
        raise _source_too_large(Source(name, ""), len(data))
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = len(data[: error.start].decode("utf-8"))
        source = Source(name, data.decode("utf-8", "replace"))
        message = f"byte 0x{data[error.start]:02x} is no valid UTF-8"
        diagnostic = Diagnostic("E0002", message, (before, before + 1), "save the file as UTF-8", source)
    raise CompileError([diagnostic])


def _source_too_large(source: Source, size: int) -> CompileError:
    message = f"source of {size:,} bytes is larger than {SOURCE_BYTES_MAX:,}"
    return CompileError([Diagnostic("E0001", message, (0, 0), "split it into modules", source)])


class Lexer(LexerCore):
    """One run over one source.

    After :meth:`run`, ``tokens`` holds the tokens (the first has the kind START), ``comments`` the comments that were
    passed over, ``docs`` the doc text by the offset of the token after it, ``file_doc`` the doc comment at the top that
    belongs to no definition, ``errors`` the diagnostics, and ``unfinished`` whether the source just ends too early.
    """

    __slots__ = ()

    def run(self) -> list[Token]:
        """Read the whole source."""
        if len(self.text) > SOURCE_BYTES_MAX:
            raise _source_too_large(self.source, len(self.text))
        try:
            self._refuse_forbidden()
            self._loop()
            if self._doc_lines:
                self._detach_doc()
            self._finish()
        except GaveUp:
            self.gave_up = True
        return self.tokens

    def _refuse_forbidden(self) -> None:
        text = self.text
        if text.startswith("\ufeff"):
            self.position = 1  # a byte order mark
        for count, match in enumerate(_FORBIDDEN.finditer(text, self.position)):
            if count == FORBIDDEN_SHOWN_MAX:
                raise GaveUp  # this is no text
            character = match[0]
            hint = f"take it out; in a text write \\u{{{ord(character):X}}}"
            if "\ud800" <= character <= "\udfff":
                hint = "take it out; a surrogate is half a character"
            elif character == "\r":
                hint = "end lines with a newline, or with carriage return and newline"
            name = unicodedata.name(character, "").lower()
            what = name or f"control character U+{ord(character):04X}"
            self._report("E0003", f"forbidden character: {what}", match.start(), match.end(), hint)

    def _loop(self) -> None:
        text, tokens, scan = self.text, self.tokens, _MASTER.match
        words, operators, frames = _WORDS, OPERATORS, self.frames
        while True:
            match = scan(text, self.position)
            if match is None:
                if self._skip_unknown():
                    continue
                return
            group = match.lastindex or 0
            start, end = match.span(group)
            self.position = end
            value: Any = None
            if group == _NAME:
                value = match[group]
                kind = "NAME"
                if value in words:
                    kind = self._word(value, end)
                    if kind != "NAME":
                        value = None
            elif group == _OPERATOR:
                kind = operators[match[group]]
            elif group == _NEWLINE:
                self._newline(start, end)
                continue
            elif group == _TEXT:
                kind, value = "TEXT", text[start + 1 : end - 1]
            elif group == _INT:
                kind, value = "INT", int(match[group])
            elif group == _OPEN:
                kind = self._open(match[group], start)
            elif group == _CLOSE:
                self._close(match[group], start)
                continue
            else:
                found = self._rare(group, start, end)
                if found is None:
                    continue
                kind, value = found
            if self._newline_at >= 0:
                self._end_statement(kind)
            if self._doc_lines:
                self._attach_doc(start)
            tokens.append((kind, start, self.position, value))
            if len(tokens) > TOKENS_MAX:
                hint = "split it into modules"
                self._give_up("E0014", f"source has more than {TOKENS_MAX:,} tokens", start, end, hint)
            if kind == "TEXT_HEAD":
                frames[-1] = (frames[-1][0], len(tokens) - 1)

    def _rare(self, group: int, start: int, end: int) -> tuple[str, Any] | None:
        """The less common tokens; None if there is nothing to hand on."""
        if group == _COMMENT:
            self._line_comment(start, end)
            return None
        if group == _SEMICOLON:
            self._newline_at = -1
            if self.tokens[-1][0] not in _NOTHING_BEFORE:
                self.tokens.append((END, start, end, None))
            return None
        if group == _MISTAKE:
            return self._mistake(start, end)
        if group == _BLOCK_COMMENT:
            self._block_comment(start)
            return None
        if group == _NUMBER:
            return self._number(start, end)
        return self._quote(start, end)

    def _newline(self, start: int, end: int) -> None:
        if self._open_texts and self._open_texts[-1] == "TEXT1":
            self._unclosed_line_text(start)
        if self._doc_lines and "\n" in self.text[start + 1 : end]:
            self._detach_doc()
        if self._statements and self._newline_at < 0:
            self._newline_at = start

    # ------------------------------------------------------------------ words

    def _word(self, word: str, end: int) -> str:
        """The kind of a word that is a keyword somewhere: the place decides."""
        previous = self.tokens[-1][0]
        if previous in ("DOT", "QDOT"):
            return "NAME"
        if word in CONTEXTUAL:
            return self._contextual(word, end, previous)
        frame = self.frames[-1][0] if self.frames else ""
        if frame in ("LPAR", "LMAP") and previous in ("LPAR", "LMAP", "COMMA") and _COLON_NEXT.match(self.text, end):
            # As Map keys nil, true and false are the values, since that is how a Map with such keys is printed.
            if frame == "LPAR" or word not in _LITERAL_WORDS:
                return "NAME"
        if frame == "CLASS" and self._member_name(word, end, previous):
            return "NAME"
        if word == "class":
            self._class_head = True
        return KEYWORDS[word]

    def _member_name(self, word: str, end: int, previous: str) -> bool:
        if previous == "FN" and self._newline_at < 0:
            return True
        at_start = self._newline_at >= 0 or previous in ("LBRACE", "RBRACE", END)
        return at_start and word != "fn" and _FIELD_NEXT.match(self.text, end) is not None

    def _contextual(self, word: str, end: int, previous: str) -> str:
        text = self.text
        if word == "test":
            at_start = self._newline_at >= 0 or previous in _STATEMENT_START
            keyword = at_start and _TEXT_NEXT.match(text, end) is not None
        elif self._newline_at >= 0:
            keyword = False
        elif word == "as":
            keyword = previous == "TEXT"
        elif word == "from":
            keyword = previous == "RBRACE" and _TEXT_NEXT.match(text, end) is not None
        elif word == "with":
            keyword = previous == "RPAR" and _BRACE_NEXT.match(text, end) is not None
        elif word == "budget":
            keyword = previous in ("RPAR", "RBRACE") and _BRACE_NEXT.match(text, end) is not None
        else:  # extends, was
            keyword = self._class_head and previous == "NAME"
        return CONTEXTUAL[word] if keyword else "NAME"

    # ------------------------------------------------------------------ brackets

    def _open(self, bracket: str, start: int) -> str:
        if bracket == "{":
            if self._newline_at >= 0:
                self._end_statement("LMAP")
            kind = "LMAP" if self.tokens[-1][0] in _MAP_AFTER else "LBRACE"
            frame = "CLASS" if self._class_head and kind == "LBRACE" else kind
            self._class_head = False
        else:
            kind = frame = OPENERS[bracket]
        self._push(frame, start)
        return kind

    def _close(self, bracket: str, start: int) -> None:
        """A closing bracket: closes the innermost one, or is put right."""
        kind = CLOSERS[bracket]
        depth = len(self.frames)
        while depth and CLOSER_OF.get(self.frames[depth - 1][0]) != kind:
            if self.frames[depth - 1][0] in TEXT_FRAMES:
                # Never look for a partner outside the text; but a brace ends the interpolation.
                depth = depth if bracket == "}" else 0
                break
            depth -= 1
        if not depth:
            hint = "take it out, or put the opening one before it"
            self._report("E0012", f"'{bracket}' closes nothing", start, start + 1, hint)
            return
        while len(self.frames) > depth:
            line, _ = self.source.position(start)
            self._close_missing(start, f"it is not closed before the '{bracket}' in line {line}")
        self._doc_lines.clear()
        if self.frames[-1][0] in TEXT_FRAMES:
            self._resume_text(start)
            return
        self._drop_end()
        self._pop()
        self.tokens.append((kind, start, start + 1, None))

    # ------------------------------------------------------------------ comments

    def _line_comment(self, start: int, end: int) -> None:
        text = self.text
        if text[end - 1] == "\r":
            end -= 1
        alone = not text[text.rfind("\n", 0, start) + 1 : start].strip(" \t\ufeff")
        if alone and text.startswith("///", start) and text[start + 3 : start + 4] != "/":
            self.comments.append(("DOC", start, end))
            line = text[start + 3 : end].rstrip()
            self._doc_lines.append(line[1:] if line.startswith(" ") else line)
        else:
            self.comments.append(("COMMENT", start, end))

    def _attach_doc(self, start: int) -> None:
        self.docs[start] = "\n".join(self._doc_lines)
        self._doc_lines.clear()

    def _detach_doc(self) -> None:
        """A doc comment with a blank line after it: it belongs to the file if it stands at the top."""
        if len(self.tokens) == 1 and self.file_doc is None:
            self.file_doc = "\n".join(self._doc_lines)
        self._doc_lines.clear()

    def _block_comment(self, start: int) -> None:
        text, depth, position = self.text, 1, start + 2
        while depth:
            match = _COMMENT_EDGE.search(text, position)
            if match is None:
                self.unfinished = True
                self._report("E0006", "comment is not closed", start, start + 2, "end it with */")
                position = len(text)
                break
            depth += 1 if match[0] == "/*" else -1
            position = match.end()
            if depth > COMMENT_DEPTH_MAX:
                self._give_up("E0013", "comments nest too deep", match.start(), position, "end some with */")
        self.comments.append(("COMMENT", start, position))
        self.position = position
        newline = text.find("\n", start, position)
        if newline >= 0:
            self._newline(newline, newline + 1)

    # ------------------------------------------------------------------ what is not Hold

    def _mistake(self, start: int, end: int) -> tuple[str, Any] | None:
        """An operator of another language: report it, and go on with what was meant."""
        text = self.text[start:end]
        if text[0] == "'":
            self._report("E0018", "text in single quotes", start, end, 'write it in double quotes: "…"')
            return "TEXT", text.strip("'")
        kind, hint = _MISTAKES[text]
        self._report("E0016", f"Hold has no operator '{text}'", start, end, hint)
        return None if kind is None else (kind, None)

    def _skip_unknown(self) -> bool:
        """No token matches here: the end of the source (False), or a character that is none of ours."""
        text = self.text
        position = self.position
        while text[position : position + 1] in (" ", "\t", "\r"):
            position += 1
        self.position = position
        if position >= len(text):
            return False
        character = text[position]
        self.position += 1
        if _FORBIDDEN.match(character):
            return True  # reported before
        if character.isalnum() or unicodedata.category(character) in ("Mn", "Mc"):
            self._foreign_name(position)
            return True
        hint = _CHARACTER_HINTS.get(character, "it stands for nothing here; take it out")
        if character == "\\" and self._open_texts:
            hint = "between the braces of a text quotes need no backslash"
            escaped = _ESCAPED_TEXT.match(text, position)
            if escaped:
                self.tokens.append(("TEXT", position, escaped.end(), escaped[1]))
                self.position = escaped.end()
        self._report("E0004", f"unexpected character {quoted(character)}", position, position + 1, hint)
        return True

    def _foreign_name(self, position: int) -> None:
        """Names are ASCII: letters that look or normalise alike would make two names of one, or one of two."""
        tail = _WORD_TAIL.match(self.text, position)
        end = max(position + 1, tail.end() if tail else 0)
        start = position
        if self.tokens[-1][0] == "NAME" and self.tokens[-1][2] == position:
            start = self.tokens.pop()[1]
        name = self.text[start:end]
        plain = unicodedata.normalize("NFKC", name[:100])
        hint = f"write '{plain}'" if plain.isascii() and plain.isidentifier() else "names are made of A-Z a-z 0-9 _"
        self._report("E0015", f"name {quoted(name)} has letters outside ASCII", start, end, hint)
        self.position = end
        if self._newline_at >= 0:
            self._end_statement("NAME")
        self.tokens.append(("NAME", start, end, "_"))


_NOTHING_BEFORE = frozenset({START, END, "LBRACE"})
_LINE_CONTINUES = CONTINUES_AFTER | {"SPAWN", "TRY", "CATCH", "FINALLY", "ELSE"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of source for colouring: a token, a comment (COMMENT, DOC) or what is neither (ERROR)."""

    kind: str
    start: int
    end: int
    text: str


def tokens(text: str) -> Iterator[Piece]:
    """All that ``text`` consists of but spaces, in order; never fails, whatever the text is."""
    lexer = Lexer(Source("<text>", text))
    try:
        lexer.run()
    except CompileError:
        yield Piece("ERROR", 0, len(text), text)
        return
    found = [(start, end, kind) for kind, start, end, _ in lexer.tokens if end > start]
    found += [(start, end, kind) for kind, start, end in lexer.comments]
    found.sort()
    position = 0
    for start, end, kind in found:
        yield from _gap(text, position, start)
        yield Piece(kind, start, end, text[start:end])
        position = max(position, end)
    yield from _gap(text, position, len(text))


def _gap(text: str, start: int, end: int) -> Iterator[Piece]:
    for match in re.compile(r"[^\s\ufeff;]+").finditer(text, start, end):
        yield Piece("ERROR", match.start(), match.end(), match[0])


def is_complete(text: str) -> bool:
    """Whether the REPL should run ``text`` rather than ask for another line.

    It asks for more while a bracket, a ``\"\"\"`` text or a comment is open, after an operator or comma, and after a
    ``try`` block that has neither catch nor finally yet.  What another line cannot mend counts as complete, so that
    its error is shown at once.
    """
    lexer = Lexer(Source("<text>", text))
    try:
        found = lexer.run()
    except CompileError:
        return True
    if lexer.gave_up:
        return True
    if lexer.unfinished:
        return False
    return found[-1][0] not in _LINE_CONTINUES and not _open_try(found)


def _open_try(found: list[Token]) -> bool:
    """Whether the last statement is a ``try`` still without ``catch`` or ``finally``."""
    depth = 0
    waiting = False
    for kind, _, _, _ in found:
        if kind in ("LPAR", "LBRACK", "QLBRACK", "LBRACE", "LMAP", "TEXT_HEAD"):
            depth += 1
        elif kind in ("RPAR", "RBRACK", "RBRACE", "TEXT_TAIL"):
            depth -= 1
        elif depth == 0:
            waiting = kind == "TRY" or (waiting and kind not in ("CATCH", "FINALLY", END))
    return waiting
