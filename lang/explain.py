"""What a syntax error says: from the token that does not fit to a message and a hint.

Purpose: the parser knows which kinds of tokens would have fitted; here that becomes words.  Slips that people make who
come from another language are recognised by a list of small rules, each of which looks at a few tokens around the place
and answers with a diagnosis or None; the first answer counts.

Invariant: a rule only reads tokens, and looks back no further than the innermost open bracket or statement start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from holdfast.lang.diagnostics import quoted
from holdfast.lang.foreign import FOREIGN_STATEMENTS
from holdfast.lang.lexer_core import Token
from holdfast.lang.tokens import (
    ASSIGNMENT_KINDS,
    BINARY_KINDS,
    COMPARISON_KINDS,
    END,
    EOF,
    KEYWORDS,
    SPELLING,
    describe_kind,
)
from holdfast.lang.tree import Span

Diagnosis = tuple[str, str, Span, str]
"""Code, message, span, hint."""

END_OF_FILE = "E0316"
"""The code for a source that ends too early."""

EXPECTED_SHOWN_MAX = 4
"""A message lists at most so many things that would have fitted."""

_OPENING = frozenset({"LPAR", "LBRACK", "QLBRACK", "LBRACE", "LMAP", "TEXT_HEAD"})
_CLOSING = frozenset({"RPAR", "RBRACK", "RBRACE", "TEXT_TAIL"})
_KEYWORD_KINDS = frozenset(KEYWORDS.values())
_VALUE_ENDS = frozenset({"NAME", "INT", "FLOAT", "TEXT", "BYTES", "NIL", "TRUE", "FALSE"}) | _CLOSING
_VALUE_STARTS = frozenset(
    {"NAME", "INT", "FLOAT", "TEXT", "BYTES", "TEXT_HEAD", "NIL", "TRUE", "FALSE", "LPAR", "LBRACK", "LMAP", "MINUS",
     "NOT", "SPAWN", "SUPER", "FN", "IF", "MATCH"}
)  # fmt: skip
_AFTER_VALUE = BINARY_KINDS | ASSIGNMENT_KINDS | {"DOT", "QDOT", "LPAR", "LBRACK", "QLBRACK", "NOT", "WITH", "BUDGET"}
_STATEMENT_WORDS = frozenset(
    {"WHILE", "FOR", "TRY", "ATOMIC", "ON_BEHALF", "CLASS", "TEST", "LET", "VAR", "ASSERT", "IMPORT"}
)
_JUMPS = frozenset({"RETURN", "BREAK", "CONTINUE", "THROW"})


@dataclass(slots=True)
class Place:
    """The token that does not fit, and what is around it."""

    tokens: list[Token]
    at: int
    expected: set[str]
    text: str

    def kind(self, offset: int = 0) -> str:
        """The kind of a token near the place."""
        index = self.at + offset
        return self.tokens[index][0] if 0 <= index < len(self.tokens) else EOF

    def word(self, offset: int = 0) -> str:
        """The name that a token near the place is, or nothing."""
        index = self.at + offset
        if not 0 <= index < len(self.tokens) or self.tokens[index][0] != "NAME":
            return ""
        return str(self.tokens[index][3])

    @property
    def span(self) -> Span:
        """Where the token stands; the end of the source counts as the end of its last token."""
        kind, start, end, _ = self.tokens[self.at]
        if kind == EOF:
            start = end = self.tokens[self.at - 1][2]
        return (start, end)

    @property
    def wants_value(self) -> bool:
        """Whether an expression could stand here."""
        return "SUPER" in self.expected

    @property
    def wants_pattern(self) -> bool:
        """Whether a pattern of a match could stand here."""
        return "MINUS" in self.expected and "LPAR" not in self.expected

    @property
    def after_value(self) -> bool:
        """Whether an expression ends here."""
        return not {"PLUS", "AND", "COALESCE"}.isdisjoint(self.expected)

    def opener(self) -> int:
        """The index of the innermost bracket that is open here, or 0."""
        depth = 0
        for index in range(self.at - 1, 0, -1):
            kind = self.tokens[index][0]
            if kind in _CLOSING:
                depth += 1
            elif kind in _OPENING:
                if depth == 0:
                    return index
                depth -= 1
        return 0

    def partner(self, index: int) -> int:
        """The index of the bracket that the closer at ``index`` closes."""
        depth = 0
        for at in range(index, 0, -1):
            kind = self.tokens[at][0]
            depth += (kind in _CLOSING) - (kind in _OPENING)
            if depth == 0:
                return at
        return 0

    def statement(self) -> list[str]:
        """The kinds of the tokens of this statement up to here, outside of brackets that are closed."""
        kinds: list[str] = []
        depth = 0
        for index in range(self.at - 1, 0, -1):
            kind = self.tokens[index][0]
            if kind in _CLOSING:
                depth += 1
            elif kind in _OPENING:
                if depth == 0:
                    break
                depth -= 1
                continue
            if depth == 0:
                if kind == END:
                    break
                kinds.append(kind)
        return kinds[::-1]


def explain(tokens: list[Token], at: int, expected: set[str], text: str) -> Diagnosis:
    """The diagnosis for token ``at``, which is none of the ``expected`` kinds."""
    place = Place(tokens, at, expected, text)
    for rule in _RULES:
        diagnosis = rule(place)
        if diagnosis:
            return diagnosis
    hint = _general_hint(place)
    if hint:
        return _unexpected(place, hint)
    found = _found_words(place).removeprefix("the ").removeprefix("a ")
    return _code(place), f"unexpected {found}", place.span, f"expected {_expected_words(place)}"


def _unexpected(place: Place, hint: str) -> Diagnosis:
    return _code(place), f"expected {_expected_words(place)}, found {_found_words(place)}", place.span, hint


def _code(place: Place) -> str:
    return {END: "E0315", EOF: END_OF_FILE}.get(place.kind(), "E0301")


def _found_words(place: Place) -> str:
    kind, start, end, value = place.tokens[place.at]
    if kind == "NAME":
        return f"the name {quoted(value)}"
    if kind in ("INT", "FLOAT"):
        return f"the number {quoted(place.text[start:end])[1:-1]}"
    if kind == END:
        return "';'" if place.text[start:end] == ";" else "the end of the line"
    if kind in _KEYWORD_KINDS:
        return f"the keyword '{SPELLING[kind]}'"
    return describe_kind(kind)


def _expected_words(place: Place) -> str:
    left = set(place.expected)
    words = []
    if "LET" in left:
        words.append("a statement")
        left &= {"RBRACE"}
    elif place.wants_value:
        words.append("an expression")
        left -= _VALUE_STARTS | _JUMPS | {"LBRACE"}
    elif "MINUS" in left and "NAME" in left and "PLUS" not in left:
        words.append("a pattern" if place.wants_pattern else "a key")
        left -= _VALUE_STARTS
    if place.after_value:
        left -= _AFTER_VALUE
        if left <= {END, EOF, "RBRACE"}:
            words.append("an operator or the end of the statement")
            left = set()
    if {END, EOF} & left:
        words.append("the end of the statement")
        left -= {END, EOF}
    if "NAME" in left and "FN" in left:
        words += ("a field", "a method")
        left -= {"NAME", "FN"}
    words += dict.fromkeys(describe_kind(kind) for kind in sorted(left, key=_rank))
    if len(words) > EXPECTED_SHOWN_MAX:
        words = [*words[: EXPECTED_SHOWN_MAX - 1], "something else"]
    return " or ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else "".join(words) or "nothing more"


def _rank(kind: str) -> tuple[int, str]:
    order = ("NAME", "TEXT", "COMMA", "COLON", "ARROW", "ASSIGN", "LBRACE", "RPAR", "RBRACK", "RBRACE", "TEXT_TAIL")
    return (order.index(kind) if kind in order else len(order), kind)


def _general_hint(place: Place) -> str:
    kind, expected = place.kind(), place.expected
    if kind == END and "LBRACE" in expected:
        return "put '{' on this line"
    if kind in _VALUE_STARTS and "COMMA" in expected and {"RPAR", "RBRACK", "RBRACE"} & expected:
        return "put ',' before it"
    if "LBRACE" in expected and place.kind(-1) == "RBRACE" and place.tokens[place.partner(place.at - 1)][0] == "LMAP":
        return "the braces before it were read as a Map; is a value missing before them?"
    if kind in _VALUE_STARTS and END in expected and place.kind(-1) in _VALUE_ENDS:
        return "begin a new line, or put an operator before it"
    if "RBRACE" in expected and kind == EOF:
        return "close it with '}'"
    return ""


def _rule_foreign_word(place: Place) -> Diagnosis | None:
    """``def f``, ``elif x``: two names in a row, the first of which is a keyword elsewhere."""
    for offset in (-1, 0):
        word = place.word(offset)
        if word not in FOREIGN_STATEMENTS or (offset == -1 and place.kind() in _AFTER_ANY_NAME):
            continue
        if word in _OWN_WORDS:
            return _unexpected(place, FOREIGN_STATEMENTS[word])
        _, start, end, _ = place.tokens[place.at + offset]
        return "E0314", f"Hold has no {quoted(word)}", (start, end), FOREIGN_STATEMENTS[word]
    return None


_AFTER_ANY_NAME = frozenset({END, EOF, "ASSIGN", "COMMA", "RPAR", "RBRACK", "RBRACE", "DOT"})
_OWN_WORDS = frozenset({"extends", "from", "print", "with"})


def _rule_chain(place: Place) -> Diagnosis | None:
    """``a < b < c``."""
    kind = place.kind()
    if not place.after_value or kind not in COMPARISON_KINDS | {"NOT", "DOTDOT", "DOTDOTEQ"}:
        return None
    operator = SPELLING[kind]
    if kind in ("DOTDOT", "DOTDOTEQ"):
        return "E0304", "ranges do not chain", place.span, "put one of them in parentheses"
    hint = "join two comparisons with and"
    return "E0304", f"comparisons do not chain: second operator '{operator}'", place.span, hint


def _rule_assign(place: Place) -> Diagnosis | None:
    """``=`` where it has no place."""
    kind = place.kind()
    if kind not in ASSIGNMENT_KINDS:
        return None
    operator = SPELLING[kind]
    statement = place.statement()
    opener = place.tokens[place.opener()][0]
    if kind == "ASSIGN" and opener == "LPAR" and place.kind(-2) in ("LPAR", "COMMA"):
        return "E0301", "'=' in the arguments of a call", place.span, "a named argument is written name: value"
    if kind == "ASSIGN" and opener == "LMAP":
        return "E0301", "'=' in a Map", place.span, "an entry is written key: value"
    if {"IF", "WHILE", "ASSERT"} & set(statement[:2]) and kind == "ASSIGN":
        return "E0313", "assignment used as a condition", place.span, "write == to compare"
    if "ARROW" in statement and (opener == "LBRACE" or opener == "LPAR"):
        return "E0313", "assignment used as a value", place.span, "put it in braces: => { name = value }"
    if ASSIGNMENT_KINDS & set(statement) or (opener != "LBRACE" and place.opener()):
        hint = "an assignment has no value: make it a statement of its own; == compares"
        return "E0313", "assignment used as a value", place.span, hint
    if place.after_value:
        hint = "names, fields (a.b) and elements (a[i]) can be assigned; == compares"
        return "E0303", f"what stands before '{operator}' cannot be assigned", place.span, hint
    return None


def _rule_arrow(place: Place) -> Diagnosis | None:
    """``x => …`` and ``(x) => …`` without fn, and an arrow function before which an operator stands."""
    if place.kind() != "ARROW":
        return None
    if place.kind(-1) == "RPAR":
        before = place.partner(place.at - 1) - 1
        if place.tokens[before][0] == "FN":
            return _unexpected(place, "put the function in parentheses, or write its body in braces")
        return _unexpected(place, "write fn(x) => … for a function")
    if place.kind(-1) == "NAME":
        return _unexpected(place, f"write fn({place.word(-1)}) => … for a function")
    return None


def _rule_colon(place: Place) -> Diagnosis | None:
    """``:`` as in Python's blocks, type annotations, a Map where a block stands."""
    if place.kind() != "COLON":
        return None
    opener = place.opener()
    statement = place.statement()
    if {"ASSIGN", END, "RBRACE"} <= place.expected and not place.after_value and statement[:1] != ["VAR"]:
        return _unexpected(place, "a field is written name = default, without a type")
    if place.tokens[opener][0] == "LBRACE" and opener:
        if place.tokens[opener - 1][0] == "ARROW":
            return _unexpected(place, "after => a brace opens a block; write => ({ … }) for a Map")
        if "ARROW" not in statement and place.after_value is False and "ARROW" in place.expected:
            return _unexpected(place, "an arm is written pattern => body")
    if place.tokens[opener][0] == "TEXT_HEAD":
        return _unexpected(place, "there are no format specifications; convert the value before")
    if statement[:1] in (["LET"], ["VAR"]) or "FN" in statement or place.tokens[opener - 1][0] in ("FN", "NAME"):
        if "IF" not in statement and "WHILE" not in statement:
            return _unexpected(place, "there are no type annotations; leave it out")
    return _unexpected(place, "a body stands in braces: { … }")


def _rule_keyword_as_name(place: Place) -> Diagnosis | None:
    """``let match = 1``."""
    kind = place.kind()
    if kind in _KEYWORD_KINDS and "NAME" in place.expected and not place.wants_value and "MINUS" not in place.expected:
        if place.kind(-1) == "IS" and kind in ("NIL", "TRUE", "FALSE"):
            return None
        word = SPELLING[kind]
        if "FN" in place.expected:  # a class body
            return _unexpected(place, _CLASS_HINTS.get(kind, f"'{word}' has no place in a class"))
        return "E0312", f"'{word}' is a keyword, not a name", place.span, "choose another name"
    return None


_CLASS_HINTS = {
    "LET": "a field is written without let: name = default",
    "VAR": "a field is written without var: name = default",
    "CLASS": "a class cannot stand in a class; is a '}' missing before it?",
    "IMPORT": "imports stand at the top; is a '}' missing before it?",
    "TEST": "tests stand at the top level; is a '}' missing before it?",
}


def _rule_after_keyword(place: Place) -> Diagnosis | None:
    """Slips right after a keyword, by keyword and token."""
    kind, previous = place.kind(), place.kind(-1)
    hint = _AFTER_KEYWORD.get((previous, kind))
    if hint is None and previous == "NOT" and place.kind(-2) == "IS" and kind in ("NIL", "TRUE", "FALSE"):
        hint = f"write != {SPELLING[kind]}"
    return _unexpected(place, hint) if hint else None


_BIND_ONE = "bind one name at a time"
_AFTER_KEYWORD = {
    ("IS", "NIL"): "write == nil",
    ("IS", "TRUE"): "write == true",
    ("IS", "FALSE"): "write == false",
    ("CATCH", "LPAR"): "write catch e { … }, or catch e is KeyError { … }",
    ("FOR", "LPAR"): "write for x in xs { … }",
    ("FOR", "LET"): "write for x in xs { … }",
    ("FOR", "VAR"): "write for x in xs { … }",
    ("LET", "LMAP"): _BIND_ONE,
    ("LET", "LBRACE"): _BIND_ONE,
    ("LET", "LBRACK"): _BIND_ONE,
    ("LET", "LPAR"): _BIND_ONE,
    ("VAR", "LBRACE"): _BIND_ONE,
    ("VAR", "LBRACK"): _BIND_ONE,
    ("VAR", "LPAR"): _BIND_ONE,
    ("IMPORT", "NAME"): 'write import "file.hold" as name',
    ("SPAWN", "LBRACE"): "spawn takes a call: spawn work(…)",
    ("SPAWN", "LMAP"): "spawn takes a call: spawn work(…)",
    ("ON_BEHALF", "LBRACE"): "write on_behalf(m) { … } with the message m",
    ("ON_BEHALF", "NAME"): "write on_behalf(m) { … } with the message m",
    ("ELSE", "END"): "put '{' on this line",
    ("SUPER", "LPAR"): "write super.init(…), or the name of another method",
    ("TRY", "END"): "put '{' on this line",
    ("MATCH", "LBRACE"): "write match value { pattern => body }",
    ("FN", "ARROW"): "write fn() => …",
    ("FN", "LBRACE"): "write fn() { … }",
}


def _rule_let(place: Place) -> Diagnosis | None:
    """``let x`` without a value, ``let a, b = …``."""
    if place.kind(-2) not in ("LET", "VAR") or place.kind(-1) != "NAME":
        return None
    if place.kind() == "COMMA":
        return _unexpected(place, _BIND_ONE)
    if place.kind() in (END, EOF, "RBRACE"):
        return _unexpected(place, "let needs a value; write var for a variable that gets one later")
    return None


def _rule_statement_as_value(place: Place) -> Diagnosis | None:
    """A statement where an expression belongs."""
    kind = place.kind()
    if not place.wants_value or "LET" in place.expected:
        return None
    word = SPELLING.get(kind, "")
    if kind in _STATEMENT_WORDS:
        return _unexpected(place, f"'{word}' begins a statement and has no value")
    if kind in _JUMPS:
        return _unexpected(place, f"'{word}' stands only as a statement or as the body of a match arm")
    if kind == "DOT" and place.kind(1) == "INT":
        return _unexpected(place, "a number has digits on both sides of its point, as in 0.5")
    if kind == "PLUS":
        return _unexpected(place, "there is no unary plus")
    if kind == "ELLIPSIS":
        return _unexpected(place, "... stands only before the last parameter of a function")
    return None


def _rule_stray_branch(place: Place) -> Diagnosis | None:
    """``else``, ``catch`` and ``finally`` that belong to nothing."""
    kind = place.kind()
    if kind not in ("ELSE", "CATCH", "FINALLY"):
        return None
    if kind == "ELSE" and place.wants_pattern:
        return _unexpected(place, "in a match, _ => … takes everything else")
    owner = "if" if kind == "ELSE" else "try"
    return _unexpected(place, f"it belongs after the block of {owner}")


def _rule_texts(place: Place) -> Diagnosis | None:
    """Two texts in a row, ``f"…"``, a text that ends an interpolation too early."""
    kind, previous = place.kind(), place.kind(-1)
    if kind not in ("TEXT", "TEXT_HEAD", "BYTES"):
        return None
    if previous in ("TEXT", "TEXT_TAIL", "BYTES"):
        return _unexpected(place, "join texts with +")
    touching = place.tokens[place.at - 1][2] == place.tokens[place.at][1]
    if previous == "NAME" and touching:
        return _unexpected(place, f"take {quoted(place.word(-1))} out; every text may hold {{expressions}}")
    return None


def _rule_places(place: Place) -> Diagnosis | None:
    """Slips in the heads of definitions, in spawn, in match."""
    kind, previous = place.kind(), place.kind(-1)
    if kind == "NAME" and place.word() in ("with", "budget") and previous in ("RPAR", "RBRACE"):
        return _unexpected(place, f"write spawn f() {place.word()} {{ name: value }}")
    if place.kind(-2) == "CLASS" and kind in ("LPAR", "COLON", "LT"):
        return _unexpected(place, "write class A extends B { … }")
    if kind == "NAME" and previous == "FN" and "LPAR" in place.expected:
        return _unexpected(place, "a function used as a value has no name: write fn(…)")
    if kind == "FOR" and place.after_value and place.tokens[place.opener()][0] in _OPENING:
        return _unexpected(place, "there are no comprehensions: write xs.map(fn(x) => …) or xs.filter(fn(x) => …)")
    if kind == "COMMA" and {"ASSIGN", END, "RBRACE"} <= place.expected:
        return _unexpected(place, "write one field a line")
    if kind == "COMMA" and place.expected == {"RPAR"}:
        return _unexpected(place, "several values make a List: [1, 2]")
    if kind == "IF" and "ARROW" in place.expected:
        return _unexpected(place, "a pattern has no condition; put an if into the body")
    if kind == "OR" and "ARROW" in place.expected:
        return _unexpected(place, "write one arm for each pattern")
    if kind == "TEXT_HEAD" and place.wants_pattern:
        return _unexpected(place, "a pattern is a plain text, without {expressions}")
    if kind in (END, EOF) and previous == "TEXT" and place.kind(-2) == "IMPORT":
        return _unexpected(place, 'write import "…" as name')
    if kind in ("COMMA", "RBRACE") and place.tokens[place.opener()][0] == "LMAP" and "COLON" in place.expected:
        return _unexpected(place, "an entry is written key: value")
    if kind in ("DOT", "QDOT", "QLBRACK", *BINARY_KINDS) and previous == "RBRACE" and not place.after_value:
        return _unexpected(place, "a statement that ends with '}' cannot go on; put it in parentheses")
    return None


_RULES: tuple[Callable[[Place], Diagnosis | None], ...] = (
    _rule_chain,
    _rule_after_keyword,
    _rule_let,
    _rule_places,
    _rule_assign,
    _rule_arrow,
    _rule_keyword_as_name,
    _rule_foreign_word,
    _rule_colon,
    _rule_texts,
    _rule_stray_branch,
    _rule_statement_as_value,
)
