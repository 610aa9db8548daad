"""The formatter: what it decides, what it keeps, and its two laws."""

from __future__ import annotations

from pathlib import Path
from random import Random
from textwrap import dedent
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.lang import format as formatter
from holdfast.lang.diagnostics import CompileError, Source
from holdfast.lang.format import FormatError, format_source, same_tree
from holdfast.lang.layout import LINE_COLUMNS_MAX
from holdfast.lang.lexer import Lexer
from holdfast.lang.parser import parse
from tests.lang.programs import SEEDS, TOUR, Maker

TOP = Path(__file__).parent.parent.parent


def check_laws(text: str) -> str:
    """Format a program; the result has the same tree and formats to itself."""
    formatted = format_source(text, "t")
    assert same_tree(parse(Source("t", text.replace("\r\n", "\n"))), parse(Source("t", formatted)))
    assert format_source(formatted, "t") == formatted
    return formatted


CASES = {
    "spaces": (
        "let  x=1+2*-y ** 2;f( a,b :1 )\nx+=[1,2 ,]  [0]\nif(a){b}\nx = fn( a,b=1,...c )=>a . b\ny=0 .. 3",
        """
        let x = 1 + 2 * -y ** 2
        f(a, b: 1)
        x += [1, 2][0]
        if (a) { b }
        x = fn(a, b = 1, ...c) => a.b
        y = 0..3
        """,
    ),
    "blocks keep to one line if the author's did and they fit": (
        "if a {b} else {c}\nfn f() {\nreturn 1 }\nwhile a { }\nfor x in y { a; b }",
        """
        if a { b } else { c }

        fn f() {
            return 1
        }

        while a {}
        for x in y {
            a
            b
        }
        """,
    ),
    "blocks of one statement go together": (
        "if a { b }\nelse if c {\nd }\nelse { e }",
        """
        if a {
            b
        } else if c {
            d
        } else {
            e
        }
        """,
    ),
    "blank lines": (
        "\n\na\n\n\n\nb\nfn f() {\n\n a\n\n\n b\n\n}\nc\nfn g() => 1\nfn h() => 2\n\n\nd\n\n\n",
        """
        a

        b

        fn f() {
            a

            b
        }

        c
        fn g() => 1
        fn h() => 2

        d
        """,
    ),
    "definitions stand apart, with the comments above them": (
        "class A { a\n// about f\n/// Doc.\nfn f() {\n1 }\nfn g() { 1 }\n// about h\nfn h() {\n1 } }\n// end\nb",
        """
        class A {
            a

            // about f
            /// Doc.
            fn f() {
                1
            }

            fn g() { 1 }

            // about h
            fn h() {
                1
            }
        }

        // end
        b
        """,
    ),
    "comments": (
        "a// one\n/* two */b/* three */\n// four\nf(/* five */a,// six\nb)\n"
        "if a { // seven\nb } // eight\n// nine\nelse { c }",
        """
        a  // one
        /* two */ b /* three */
        // four
        f(
            /* five */ a,  // six
            b,
        )
        if a {  // seven
            b
        }  // eight
        // nine
        else {
            c
        }
        """,
    ),
    "a new line after a bracket keeps it open": (
        "f(\na, b)\nlet m = {\na: 1}\nlet l = [1,\n2]\nlet n = [\n]",
        """
        f(
            a,
            b,
        )
        let m = {
            a: 1,
        }
        let l = [1, 2]
        let n = []
        """,
    ),
    "the last argument may go over lines alone": (
        "xs.each(1, fn(x) {\nx })\nf({\na: 1})\nf(g([\n1]))",
        """
        xs.each(1, fn(x) {
            x
        })
        f({
            a: 1,
        })
        f(g([
            1,
        ]))
        """,
    ),
    "line breaks at operators and dots stay": (
        "let a = b +\nc\nxs\n.map(f)\n\n.filter(g)\nlet d =\ne\nif (\na\nor b\n) { c }",
        """
        let a = b +
            c
        xs
            .map(f)
            .filter(g)
        let d =
            e
        if (
            a
            or b
        ) { c }
        """,
    ),
    "arms": (
        "match v { 1=>a,2=>b }\nmatch v {\n1=>a,\n\n_=>{b} }\nmatch v { }",
        """
        match v { 1 => a, 2 => b }
        match v {
            1 => a

            _ => { b }
        }
        match v {}
        """,
    ),
    "braces of with, budget and import have spaces inside": (
        'import {a,b} from "p"\nspawn f() with {a:1} budget {b:2}\nspawn f() with {}\nlet m = { a: 1 }',
        """
        import { a, b } from "p"
        spawn f() with { a: 1 } budget { b: 2 }
        spawn f() with {}
        let m = {a: 1}
        """,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_layout(name: str) -> None:
    """The formatter decides as its documentation says."""
    text, expected = CASES[name]
    assert check_laws(text) == dedent(expected).lstrip("\n")


def test_texts_are_left_alone() -> None:
    """What stands inside a text is not touched, whatever lines it has."""
    assert check_laws('let a = "{ x+1 }"+r"\\"') == 'let a = "{ x+1 }" + r"\\"\n'
    assert check_laws('let b = """\n  {[1,\n2]}  \n"""') == 'let b = """\n  {[1,\n2]}  \n"""\n'
    assert check_laws('f("""a\nb""",1)') == 'f(\n    """a\nb""",\n    1,\n)\n'


def test_long_lines_break_at_brackets() -> None:
    """A line that is too long is broken at its last bracket that matters, one element a line with trailing comma."""
    word = "abcdefghij" * 3
    assert check_laws(f"let x = {word}(0)[1].{word}({word}, {word})") == (
        f"let x = {word}(0)[1].{word}(\n    {word},\n    {word},\n)\n"
    )
    assert check_laws(f"if {word}({word}) {{ {word}({word}) }} else {{ {word} }}") == (
        f"if {word}({word}) {{\n    {word}({word})\n}} else {{\n    {word}\n}}\n"
    )
    assert check_laws(f"f({word}, {word}, fn(x) {{ return {word} + {word} }})") == (
        f"f({word}, {word}, fn(x) {{\n    return {word} + {word}\n}})\n"
    )
    assert check_laws(f"let x = ({word} + {word} + {word} + {word})") == (
        f"let x = (\n    {word} + {word} + {word} + {word}\n)\n"
    )
    assert check_laws(f"fn f({word}, {word}, {word}, {word} = 1) => 1").count("\n") == 6


def test_short_lines() -> None:
    """Where a bracket allows it, no line is longer than the limit."""
    for text in (TOUR, "f(" + "a + 1, " * 200 + ")", "x = [" + "{a: [1, 2, 3], b: f(1)}, " * 30 + "]"):
        for line in check_laws(text).split("\n"):
            assert len(line.partition("  //")[0]) <= LINE_COLUMNS_MAX, line


def test_line_ends_and_byte_order_mark() -> None:
    """The result has Unix line ends, one at the end, and no byte order mark; an empty file stays empty."""
    assert check_laws("\ufeffa\r\n\r\n\r\nb") == "a\n\nb\n"
    assert check_laws("") == ""
    assert check_laws("\n\n// c") == "// c\n"


def test_deep_brackets_are_left_as_they_are() -> None:
    """Brackets nested as deep as the parser allows do not exhaust the host's stack."""
    for text in ("[" * 200 + "1,2" + "]" * 200, "f(fn() { " * 99 + "1;  2" + " })" * 99):
        check_laws(text)


def test_a_program_that_does_not_parse() -> None:
    """A program with errors is refused with its diagnostics."""
    with pytest.raises(CompileError):
        format_source("let = 1", "t")


def test_a_changed_program_is_refused() -> None:
    """If formatting changed the program, nothing would come out."""
    with mock.patch.object(formatter.Printer, "text", return_value="other\n"), pytest.raises(FormatError):
        format_source("a", "t")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a + b", "(a\n+ b)", True),
        ("a + b", "a - b", False),
        ("f(1)", "f(1.0)", False),
        ("f(1)", "f(true)", False),
        ("f(1)", "f(1, 2)", False),
        ("for a in b { }", "for c in b { }", False),
        ("spawn f() with {a: 1}", "spawn f() with {b: 1}", False),
        ("/// x\nlet a = 1", "let a = 1", False),
        ("x = 0xff", "x = 255", True),
    ],
)
def test_same_tree(one: str, other: str, same: bool) -> None:
    """Trees are equal if their programs differ in layout only."""
    assert same_tree(parse(Source("t", one)), parse(Source("t", other))) == same


def test_tour() -> None:
    """The laws hold for a program with every production."""
    check_laws(TOUR)


@pytest.mark.parametrize(
    "path",
    [path for folder in ("bench", "stdlib", "vm", "docs") for path in sorted((TOP / folder).rglob("*.hold"))],
    ids=str,
)
def test_real_programs(path: Path) -> None:
    """The laws hold for every Hold file of the project."""
    check_laws(path.read_text(encoding="utf-8"))


@given(SEEDS)
def test_generated_programs(seed: int) -> None:
    """The laws hold for generated programs."""
    check_laws(Maker(seed).program())


TRIVIA = [
    "",
    " ",
    "\n",
    "\n\n\n",
    " // c\n",
    "\n// own\n",
    "/* b */",
    " /* b\n */ ",
    "\n/* o */ ",
    " /* x */ // y\n",
    "/// d\n",
]


@given(SEEDS, st.floats(0, 0.5))
@settings(max_examples=settings().max_examples // 3)  # each parses a program at every place once more
def test_scattered_comments_and_newlines(seed: int, density: float) -> None:
    """The laws hold wherever comments and newlines are put between the tokens, as long as the program still parses."""
    random = Random(seed)
    text = TOUR if random.random() < 0.05 else Maker(seed).program()
    pieces: list[str] = []
    position = 0
    for kind, start, end, _ in Lexer(Source("t", text)).run()[1:]:
        gap = text[position:start]
        if kind not in ("TEXT_MID", "TEXT_TAIL") and random.random() < density:
            extra = random.choice(TRIVIA)
            try:
                parse(Source("t", "".join(pieces) + gap + extra + text[start:]))
                gap += extra
            except CompileError:
                gap += " "
        pieces.append(gap + text[start:end])
        position = end
    check_laws("".join(pieces) + text[position:])
