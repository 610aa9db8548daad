"""The lexer: literals, brackets, statement ends, what it refuses, its limits, and its use for colouring."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.lang import lexer as lexing
from holdfast.lang.diagnostics import CompileError, Source
from holdfast.lang.lexer import SOURCE_BYTES_MAX, Lexer, decode, is_complete, tokens
from holdfast.lang.lexer_core import BRACKET_DEPTH_MAX, ERRORS_MAX, TOKENS_MAX
from holdfast.lang.literals import INT_BITS_MAX, INT_DIGITS_MAX
from holdfast.lang.tokens import CONTEXTUAL, KEYWORDS, OPERATORS, STYLES, style
from tests.lang.programs import SOUPS, TOUR
from tests.pace import within

SECONDS_MAX = 10
"""Anything that is refused is refused within this, on a busy machine too."""


def lex(text: str) -> Lexer:
    """A lexer that has run."""
    lexer = Lexer(Source("t", text))
    lexer.run()
    return lexer


def kinds(text: str) -> str:
    """The kinds of the tokens of a text that has no errors."""
    lexer = lex(text)
    assert lexer.errors == []
    return " ".join(kind for kind, _, _, _ in lexer.tokens[1:])


def value(text: str) -> Any:
    """The value of the one token of a text."""
    lexer = lex(text)
    assert lexer.errors == []
    (_, start, end, found) = lexer.tokens[1]
    assert len(lexer.tokens) == 2
    assert (start, end) == (0, len(text))
    return found


def errors(text: str) -> list[tuple[str, str]]:
    """Code and text under the caret of each error."""
    return [(one.code, text[one.span[0] : one.span[1]]) for one in lex(text).errors]


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "0": 0,
        "42": 42,
        "1_000": 1000,
        "1_0_0": 100,
        "123456789012345678901234567890": 123456789012345678901234567890,
        "0xff": 255,
        "0XFF_ff": 65535,
        "0b1_01": 5,
        "0B11": 3,
        "2.5": 2.5,
        "1_0.0_1": 10.01,
        "1e-9": 1e-9,
        "1E+3": 1000.0,
        "2.5e3": 2500.0,
        "0.0": 0.0,
        "1e-999": 0.0,
        "9" * 5_000: int("9" * 4_000) * 10**1_000 + int("9" * 1_000),
        "1" + "0" * 100_000: 10**100_000,
        "0x" + "f" * (INT_BITS_MAX // 4): 2**INT_BITS_MAX - 1,
        "0b" + "1" * 100: 2**100 - 1,
    }.items(),
    ids=lambda found: str(found)[:20] if isinstance(found, str) else "",
)
def test_numbers(text: str, expected: int | float) -> None:
    """A number has its value and its type, however long it is."""
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "code"),
    {
        "012": "E0009",
        "00": "E0009",
        "0o17": "E0009",
        "0x": "E0009",
        "0xg": "E0009",
        "0b12": "E0009",
        "1_": "E0009",
        "1__0": "E0009",
        "1_.5": "E0009",
        "1e": "E0009",
        "1e_5": "E0009",
        "12abc": "E0009",
        "1.5x": "E0009",
        "1e999": "E0010",
        "9" * (INT_DIGITS_MAX + 1): "E0010",
        "9" * INT_DIGITS_MAX: "E0010",
        "0x1" + "0" * (INT_BITS_MAX // 4): "E0010",
        "0b" + "1" * (INT_BITS_MAX + 1): "E0010",
        "1" * 3_000_000: "E0010",
    }.items(),
    ids=lambda found: found[:20],
)
def test_malformed_numbers(text: str, code: str) -> None:
    """A number that is malformed or too large is one error that covers all of it, found fast."""
    began = time.process_time()
    assert errors(text) == [(code, text)]
    assert within(time.process_time() - began, SECONDS_MAX)


def test_digits_limit_of_the_host() -> None:
    """A long Int needs no change to CPython's limit on digits, and makes none."""
    before = sys.get_int_max_str_digits()
    assert value("7" * 50_000) % 10 == 7
    assert sys.get_int_max_str_digits() == before


def test_points() -> None:
    """A point belongs to a number between two digits only."""
    assert kinds("1..2") == "INT DOTDOT INT"
    assert kinds("1.5..2.5") == "FLOAT DOTDOT FLOAT"
    assert kinds("1..=2") == "INT DOTDOTEQ INT"
    assert kinds("1.times") == "INT DOT NAME"
    assert kinds("1.e5") == "INT DOT NAME"
    assert kinds("0xff.a") == "INT DOT NAME"
    assert kinds("f(...a)") == "NAME LPAR ELLIPSIS NAME RPAR"
    assert errors("5.") == [("E0009", "5.")]
    assert errors("[5., 1]") == [("E0009", "5.")]


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        '""': "",
        '"a"': "a",
        '"é😀"': "é😀",
        r'"\n\t\r\"\\"': '\n\t\r"\\',
        r'"\u{1F600}\u{41}\u{0}"': "😀A\0",
        '"{{a}}"': "{a}",
        '"""a"""': "a",
        '""""""': "",
        '"""a\n"b" ""c"""': 'a\n"b" ""c',
        '"""a\r\nb"""': "a\nb",
        '"""\\n{{"""': "\n{",
        'r"\\n{x}"': "\\n{x}",
        'r""': "",
        'r"""a\n"b"\\"""': 'a\n"b"\\',
        'b""': b"",
        'b"a\\x00\\xff\\n\\"\\\\{x}"': b'a\x00\xff\n"\\{x}',
    }.items(),
)
def test_texts(text: str, expected: str | bytes) -> None:
    """Texts and bytes have their values."""
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "found"),
    {
        r'"\q"': [("E0007", "\\q")],
        r'"\x41 \u0041 \{"': [("E0007", "\\x41"), ("E0007", "\\u"), ("E0007", "\\{")],
        r'"\u{} \u{110000} \u{1234567} \u{x" b': [
            ("E0007", "\\u{}"),
            ("E0007", "\\u{110000}"),
            ("E0007", "\\u{1234567}"),
            ("E0007", "\\u{x"),
        ],
        r'"\u{D800} \u{dfff}"': [("E0007", "\\u{D800}"), ("E0007", "\\u{dfff}")],
        '"a}b"': [("E0008", "}")],
        '"{}"': [("E0017", "{}")],
        '"{ }"': [("E0017", "{ }")],
        '"abc': [("E0005", '"')],
        '"abc\nd': [("E0005", '"')],
        '"""abc': [("E0005", '"""')],
        'r"abc': [("E0005", 'r"')],
        'r"""abc': [("E0005", 'r"""')],
        'b"abc\n': [("E0005", 'b"')],
        'b"é\\u{41}"': [("E0019", "é"), ("E0007", "\\u{41}")],
        "'abc'": [("E0018", "'abc'")],
        "'abc": [("E0018", "'abc")],
        '"abc\\': [("E0007", "\\"), ("E0005", '"')],
        '"abc\\\nd"': [("E0007", "\\\n"), ("E0005", '"'), ("E0005", '"')],
        '"{a\nb': [("E0005", '"')],
        '"{f(a\nb': [("E0011", "("), ("E0005", '"')],
        '"""{a': [("E0005", '"""')],
    }.items(),
)
def test_malformed_texts(text: str, found: list[tuple[str, str]]) -> None:
    """What is wrong in a text is reported where it is, and the lexer goes on."""
    assert [code for code, _ in errors(text)] == [code for code, _ in found]
    for (_, under), (_, expected) in zip(errors(text), found, strict=True):
        assert under == expected


def test_interpolation() -> None:
    """A text with expressions is a head, perhaps middles, and a tail, with tokens in between."""
    lexer = lex('"a\\n{b}{{{"c{d}"}e"')
    assert [(kind, found) for kind, _, _, found in lexer.tokens[1:]] == [
        ("TEXT_HEAD", "a\n"),
        ("NAME", "b"),
        ("TEXT_MID", "{"),
        ("TEXT_HEAD", "c"),
        ("NAME", "d"),
        ("TEXT_TAIL", ""),
        ("TEXT_TAIL", "e"),
    ]


def test_comments() -> None:
    """Comments are no tokens; block comments nest, and count as a newline if they hold one."""
    assert kinds("a // b\nc") == "NAME END NAME"
    assert kinds("a /* b */ c") == "NAME NAME"
    assert kinds("a /* /* b */ // */ c") == "NAME NAME"
    assert kinds("a /* b\n */ c") == "NAME END NAME"
    assert kinds("/* a */ // b") == ""
    assert errors("a /* b") == [("E0006", "/*")]
    assert errors("/* /* */") == [("E0006", "/*")]
    assert [kind for kind, _, _ in lex("/// a\n//// b\n// c\n/* d */ /// e").comments] == [
        "DOC", "COMMENT", "COMMENT", "COMMENT", "COMMENT"
    ]  # fmt: skip


def test_words() -> None:
    """Keywords have kinds of their own, and so has every operator; case matters."""
    for word, kind in KEYWORDS.items():
        assert kinds(word) == kind
        assert kinds(word.capitalize()) == "NAME"
        assert kinds(word + "_") == "NAME"
    for word in CONTEXTUAL:
        assert kinds(word) == "NAME"
    for text, kind in OPERATORS.items():
        assert [found for found, _, _, _ in lex("a" + text + " b").tokens][2] == kind


@pytest.mark.parametrize(
    "text", ["a === b", "a !== b", "a && b", "a || b", "!a", "a <> b", "a -> b", "a := b", "a++", "a--"]
)
def test_operators_of_other_languages(text: str) -> None:
    """They are reported with what to write instead, once."""
    assert [code for code, _ in errors(text)] == ["E0016"]


def test_double_minus() -> None:
    """``--`` is two minus signs where an operand follows."""
    assert kinds("a--b") == "NAME MINUS MINUS NAME"
    assert kinds("--a") == "MINUS MINUS NAME"
    assert errors("f(a--)") == [("E0016", "--")]


def test_statement_ends() -> None:
    """An END stands only between two things: never at an edge, never twice, never before a closing brace."""
    assert kinds("\n;\na\n\n;b;;\n") == "NAME END NAME"
    assert kinds("{ \n }") == "LMAP RBRACE"
    assert kinds("fn() {\n\na\n;\n}") == "FN LPAR RPAR LBRACE NAME RBRACE"
    assert kinds("(\na\n)") == "LPAR NAME RPAR"
    assert kinds("a\n") == "NAME"


@pytest.mark.parametrize(
    ("text", "code", "under"),
    [
        ("(", "E0011", "("),
        ("f(\n[a}", "E0011", "["),
        (")", "E0012", ")"),
        ("a]", "E0012", "]"),
        ("(a]", "E0012", "]"),
        ("[(a]", "E0011", "("),
        ('"{a)}"', "E0012", ")"),
        ('"{(a}"', "E0011", "("),
        ("fn f() { (", "E0011", "("),
    ],
)
def test_unbalanced_brackets(text: str, code: str, under: str) -> None:
    """A bracket without partner is an error, and what comes out is balanced all the same."""
    assert (code, under) in errors(text)
    pairs = {"LPAR": "RPAR", "LBRACK": "RBRACK", "QLBRACK": "RBRACK", "LBRACE": "RBRACE", "LMAP": "RBRACE"}
    pairs["TEXT_HEAD"] = "TEXT_TAIL"
    opened = []
    for kind, _, _, _ in lex(text).tokens:
        if kind in pairs:
            opened.append(pairs[kind])
        elif kind in pairs.values():
            assert opened.pop() == kind
    assert opened == []


@pytest.mark.parametrize(
    "character",
    [
        "\0",
        "\x1b",
        "\x07",
        "\x7f",
        "\x85",
        "\x9b",
        "\u2028",
        "\u2029",
        "\u202e",
        "\u2066",
        "\ufeff",
        "\ud800",
        "\udfff",
        "\r",
    ],
)
@pytest.mark.parametrize("around", ["a {} b", '"{}"', "// {}\n", '"""{}"""', 'r"{}"', "/* {} */"])
def test_forbidden_characters(character: str, around: str) -> None:
    """Characters that hide or forge text, end it, or cannot be stored are refused wherever they stand."""
    text = around.replace("{}", character + " ")
    found = lex(text).errors
    assert found[0].code == "E0003"
    assert text[found[0].span[0]] == character


def test_allowed_characters() -> None:
    """Tabs, newlines, CRLF, a byte order mark at the start, and what is printable in texts and comments are fine."""
    assert kinds("\ufeffa\t\r\nb // é 漢字 😀\n") == "NAME END NAME"
    assert value('"é 漢字 😀 \u0301"') == "é 漢字 😀 \u0301"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("naïve", "names are made of A-Z a-z 0-9 _"),
        ("ｎａｍｅ", "write 'name'"),
        ("ﬁle", "write 'file'"),
        ("а", "names are made of A-Z a-z 0-9 _"),
        ("x²", "write 'x2'"),
        ("a\u0301b", "names are made of A-Z a-z 0-9 _"),
    ],
)
def test_names_are_ascii(text: str, hint: str) -> None:
    """A letter outside ASCII makes one error for the whole name: look-alikes and ligatures cannot pass for others."""
    (error,) = lex(text).errors
    assert (error.code, error.span, error.hint) == ("E0015", (0, len(text)), hint)
    assert [kind for kind, _, _, _ in lex(text).tokens[1:]] == ["NAME"]


def test_unknown_characters() -> None:
    """A character that stands for nothing is reported with what was perhaps meant."""
    for text in "?&|^~@#`$\\“”‘’×÷≤≥≠→…\u00a0§€😀":
        assert errors("a " + text + " b") == [("E0004", text)], text


def test_several_errors() -> None:
    """One run finds all errors of a file, up to a limit."""
    assert [code for code, _ in errors("012 @ 'x' \"\\q\"\nnaïve ===\n)")] == [
        "E0009", "E0004", "E0018", "E0007", "E0015", "E0016", "E0012"
    ]  # fmt: skip
    assert len(lex("@ " * 1_000).errors) == ERRORS_MAX


def test_decode() -> None:
    """A file is UTF-8, perhaps with a byte order mark; the place of what is not is told."""
    assert decode("é".encode()) == "é"
    assert decode(b"\xef\xbb\xbfa") == "a"
    with pytest.raises(CompileError) as caught:
        decode("é\nab".encode() + b"\xff", "f.hold")
    (error,) = caught.value.diagnostics
    assert error.code == "E0002"
    assert error.source.position(error.span[0]) == (2, 3)
    with pytest.raises(CompileError) as caught:
        decode(b"\xed\xa0\x80")
    assert caught.value.diagnostics[0].code == "E0002"
    with pytest.raises(CompileError) as caught:
        decode(b"x" * (SOURCE_BYTES_MAX + 1))
    assert caught.value.diagnostics[0].code == "E0001"


def test_one_line_of_50_megabytes() -> None:
    """A source that is too large is refused before anything looks at it."""
    began = time.process_time()
    with pytest.raises(CompileError) as caught:
        lex("x" * 50_000_000)
    assert caught.value.diagnostics[0].code == "E0001"
    assert len(str(caught.value)) < 500
    assert within(time.process_time() - began, 1)


@pytest.mark.parametrize("bracket", ["(", "[", "{", "f(", "a[", "a?[", "fn() {", '"{', "{a: ", "[("])
def test_ten_thousand_brackets(bracket: str) -> None:
    """Nesting has a limit, met at once and reported once."""
    lexer = lex(bracket * 10_000)
    assert [error.code for error in lexer.errors] == ["E0013"]
    assert lexer.errors[0].span[0] <= (BRACKET_DEPTH_MAX + 1) * len(bracket)
    assert [error.code for error in lex("/*" * 10_000).errors] == ["E0013"]


def test_token_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of tokens is bounded, whatever they are."""
    for text, limit in (("a;", TOKENS_MAX), ("1+", 10_000), ("a,", 10_000), ("()", 10_000)):
        monkeypatch.setattr(lexing, "TOKENS_MAX", limit)
        lexer = lex(text * (limit // len(text) * 2))
        assert [error.code for error in lexer.errors] == ["E0014"]


@pytest.mark.parametrize(
    "piece",
    [
        "a", " ", "\n", '"', "\\", "9", "{", "#", "/*", "é ", '"{', "//\n", "/// x\n", "\r", "1e", "1_", "'a' ",
        "\x01", "--", '""" ', "x\n.", "- ", "a b\n", "(]", '"a', "{{", "\\n", "0x", ".", "1.", "?", "/", "\ud800",
        "fn ", "class A { ", "test ", "nil : ", "(nil ", 'b"', 'r"', "/ ",
    ],
)  # fmt: skip
def test_time_is_linear(piece: str) -> None:
    """No text keeps the lexer busy: a quarter of a megabyte of anything is done in moments."""
    began = time.process_time()
    lex(piece * (250_000 // len(piece)))
    lex('"' + piece * (250_000 // len(piece)) + '"')
    lex("fn() {" * 150 + piece * (250_000 // len(piece)))
    assert within(time.process_time() - began, SECONDS_MAX)


@given(SOUPS | st.text(max_size=200))
def test_pieces_for_colouring(text: str) -> None:
    """tokens() gives every character of any text but spaces and ``;``, once and in order; each piece has a style."""
    position = 0
    for piece in tokens(text):
        gap = text[position : piece.start]
        assert piece.start >= position
        assert not "".join(gap.split()).strip(";\ufeff"), (gap, text)
        assert piece.text == text[piece.start : piece.end]
        assert style(piece.kind) in STYLES
        position = piece.end
    assert not "".join(text[position:].split()).strip(";\ufeff")


def test_pieces() -> None:
    """Comments, keywords, names and texts have their kinds, also in input that is not finished."""
    found = [(piece.kind, piece.text) for piece in tokens('let a = "x {b} # // c\nfn f(@')]
    assert found == [
        ("LET", "let"),
        ("NAME", "a"),
        ("ASSIGN", "="),
        ("TEXT_HEAD", '"x {'),
        ("NAME", "b"),
        ("TEXT_TAIL", "} # // c"),
        ("END", "\n"),
        ("FN", "fn"),
        ("NAME", "f"),
        ("LPAR", "("),
        ("ERROR", "@"),
    ]
    assert [style(piece.kind) for piece in tokens("if a // b")] == ["keyword", "name", "comment"]
    assert [piece.kind for piece in tokens("x" * (SOURCE_BYTES_MAX + 1))] == ["ERROR"]
    assert "".join(piece.text for piece in tokens(TOUR)).replace("\n", "") != ""


COMPLETE = {
    "": True,
    "a": True,
    "a +": False,
    "a and": False,
    "a,": False,
    "a =": False,
    "a.": False,
    "let f = fn() =>": False,
    "f(": False,
    "f(a)": True,
    "[1,": False,
    "{a: 1": False,
    "fn f() {": False,
    "fn f() {\n}": True,
    "if a { } else": False,
    "if a { }": True,
    'print("""a': False,
    'print("""a""")': True,
    '"""{a': False,
    'r"""a': False,
    "/* a": False,
    "/* a */": True,
    "// a": True,
    '"abc': True,
    '"{abc': True,
    "try { a }": False,
    "try { a } catch { b }": True,
    "try { a }\nfinally { b }": True,
    "spawn": False,
    "a)": True,
    "a @": True,
    "not": False,
    "()" * 10: True,
    "(" * 10_000: True,
    "return": True,
    "f({": False,
    "x" * (SOURCE_BYTES_MAX + 1): True,
}


@pytest.mark.parametrize(("text", "complete"), COMPLETE.items(), ids=lambda found: str(found)[:20])
def test_is_complete(text: str, complete: bool) -> None:
    """The REPL asks for another line while one could mend the entry, and runs or refuses it else."""
    assert is_complete(text) is complete
