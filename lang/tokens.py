"""The kinds of tokens: their names, their spelling and how messages call them.

A kind is the name of a terminal of ``grammar.lark``.  The tables here are all that the lexer and the parser's messages
know about the vocabulary, so a new operator or keyword is added here and in the grammar.
"""

from __future__ import annotations

KEYWORDS: dict[str, str] = {
    word: word.upper()
    for word in (
        "and", "assert", "atomic", "break", "catch", "class", "continue", "else", "false", "finally", "fn", "for",
        "if", "import", "in", "is", "let", "match", "nil", "not", "on_behalf", "or", "return", "spawn", "super",
        "throw", "true", "try", "var", "while",
    )
}  # fmt: skip
"""Reserved words and their kinds."""

CONTEXTUAL: dict[str, str] = {word: word.upper() for word in ("as", "budget", "extends", "from", "test", "was", "with")}
"""Words that are keywords in one place only, and names everywhere else."""

BINARY_OPERATORS: dict[str, str] = {
    "+": "PLUS", "-": "MINUS", "*": "STAR", "/": "SLASH", "~/": "FLOORDIV", "%": "PERCENT", "**": "POWER",
    "==": "EQ", "!=": "NE", "<": "LT", "<=": "LE", ">": "GT", ">=": "GE", "..": "DOTDOT", "..=": "DOTDOTEQ",
    "??": "COALESCE",
}  # fmt: skip
"""Binary operators that are no words."""

ASSIGNMENTS: dict[str, str] = {
    "=": "ASSIGN", "+=": "PLUS_ASSIGN", "-=": "MINUS_ASSIGN", "*=": "STAR_ASSIGN", "/=": "SLASH_ASSIGN",
    "~/=": "FLOORDIV_ASSIGN", "%=": "PERCENT_ASSIGN", "**=": "POWER_ASSIGN", "??=": "COALESCE_ASSIGN",
}  # fmt: skip
"""``=`` and the operators that combine with it."""

PUNCTUATION: dict[str, str] = {",": "COMMA", ":": "COLON", "=>": "ARROW", ".": "DOT", "?.": "QDOT", "...": "ELLIPSIS"}
"""What is neither operator nor bracket."""

OPERATORS: dict[str, str] = {**BINARY_OPERATORS, **ASSIGNMENTS, **PUNCTUATION}
"""Everything of fixed spelling but brackets and ``;``."""

OPENERS: dict[str, str] = {"(": "LPAR", "[": "LBRACK", "?[": "QLBRACK"}
"""Opening brackets; ``{`` is LBRACE for a block and LMAP for a Map, which the lexer decides."""

CLOSERS: dict[str, str] = {")": "RPAR", "]": "RBRACK", "}": "RBRACE"}
"""Closing brackets."""

SPELLING: dict[str, str] = {
    **{kind: text for text, kind in {**OPERATORS, **OPENERS, **CLOSERS, **KEYWORDS, **CONTEXTUAL}.items()},
    "LBRACE": "{",
    "LMAP": "{",
}
"""Kind to text, for kinds that are always spelled the same."""

END = "END"
"""Kind of a statement end: a newline that counts, or ``;``."""

EOF = "$END"
"""Kind of the end of the source; the name is lark's."""

BINARY_KINDS = frozenset(BINARY_OPERATORS.values()) | {"AND", "OR", "IS", "IN"}
"""Kinds of all binary operators, words included."""

ASSIGNMENT_KINDS = frozenset(ASSIGNMENTS.values())
"""Kinds of ``=`` and its relatives."""

COMPARISON_KINDS = frozenset({"EQ", "NE", "LT", "LE", "GT", "GE", "IS", "IN"})
"""Kinds of the operators that do not chain."""

CONTINUES_AFTER = BINARY_KINDS | ASSIGNMENT_KINDS | {"NOT", "COMMA", "ARROW", "COLON", "DOT", "QDOT"}
"""After a token of these kinds a newline does not end the statement."""

CONTINUES_BEFORE = frozenset({"DOT", "QDOT", "DOTDOT", "DOTDOTEQ", "ELSE", "CATCH", "FINALLY"})
"""Before a token of these kinds a newline does not end the statement."""

MAP_AFTER = BINARY_KINDS | ASSIGNMENT_KINDS | {
    "NOT", "LPAR", "LBRACK", "QLBRACK", "COMMA", "COLON", "RETURN", "THROW", "WITH", "BUDGET", "ASSERT",
    "IMPORT", "TEXT_HEAD", "TEXT_MID", "LBRACE", END,
}  # fmt: skip
"""After a token of these kinds, and at the start of the source, ``{`` opens a Map; elsewhere a block."""

WORDS: dict[str, str] = {
    "NAME": "a name",
    "INT": "a number",
    "FLOAT": "a number",
    "TEXT": "a text",
    "BYTES": "bytes",
    "TEXT_HEAD": "a text",
    "TEXT_MID": "'}'",
    "TEXT_TAIL": "'}'",
    END: "the end of the line",
    EOF: "the end of the file",
}
"""How messages call the kinds that have no fixed spelling."""


def describe_kind(kind: str) -> str:
    """What a message calls a kind."""
    word = WORDS.get(kind)
    return word if word is not None else f"'{SPELLING[kind]}'"


STYLES = ("keyword", "name", "number", "text", "comment", "operator", "bracket", "error")
"""What :func:`style` answers, for whoever assigns colours."""


def style(kind: str) -> str:
    """The style class of a kind, for colouring: one of :data:`STYLES`."""
    fixed = _STYLE_OF.get(kind)
    return fixed if fixed is not None else "operator"


_STYLE_OF: dict[str, str] = {
    **dict.fromkeys(KEYWORDS.values(), "keyword"),
    **dict.fromkeys(CONTEXTUAL.values(), "keyword"),
    **dict.fromkeys((*OPENERS.values(), *CLOSERS.values(), "LBRACE", "LMAP"), "bracket"),
    **dict.fromkeys(("TEXT", "BYTES", "TEXT_HEAD", "TEXT_MID", "TEXT_TAIL"), "text"),
    "NAME": "name",
    "INT": "number",
    "FLOAT": "number",
    "COMMENT": "comment",
    "DOC": "comment",
    "ERROR": "error",
}
