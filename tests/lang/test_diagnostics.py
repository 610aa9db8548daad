"""Diagnostics: their form, and a snapshot of each in ``diagnostics/``.

Every ``NAME.hold`` there has a ``NAME.err`` with what its compilation says.  ``python -m tests.lang.test_diagnostics``
writes the ``.err`` files again; read the difference before it is committed.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.lang.diagnostics import CODES, LINE_COLUMNS_MAX, CompileError, Diagnostic, Source, quoted, visible
from holdfast.lang.foreign import FOREIGN_NAMES, FOREIGN_STATEMENTS
from holdfast.lang.lexer import Lexer, decode, is_complete
from holdfast.lang.parser import ERRORS_MAX, parse
from holdfast.lang.tree import Program
from tests.lang.programs import SEEDS, SOUPS, TOUR, Maker
from tests.pace import within

SNAPSHOTS = Path(__file__).with_name("diagnostics")
CASES = sorted(SNAPSHOTS.glob("*.hold"))
SECONDS_MAX = 10


def compile_errors(path: Path) -> str:
    """What the compiler says about a file."""
    try:
        parse(Source(path.name, decode(path.read_bytes(), path.name)))
    except CompileError as error:
        return str(error) + "\n"
    return ""


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_snapshot(path: Path) -> None:
    """Each file in diagnostics/ gives exactly the messages that stand beside it."""
    assert compile_errors(path) == path.with_suffix(".err").read_text(encoding="utf-8")


def test_snapshots_are_complete() -> None:
    """Every lexical and syntactic code has a snapshot, but for those of sources too large or too odd to keep."""
    shown = "".join(path.with_suffix(".err").read_text(encoding="utf-8") for path in CASES)
    missing = {code for code in CODES if code[:3] in ("E00", "E03") and f"error[{code}]" not in shown}
    assert missing == {"E0001", "E0002", "E0014"}
    assert len(CASES) >= 45
    assert {path.stem for path in SNAPSHOTS.glob("*.err")} == {path.stem for path in CASES}


def diagnostic(text: str, start: int, end: int, message: str = "message", hint: str = "hint") -> list[str]:
    """The lines of a rendered diagnostic."""
    return Diagnostic("E0301", message, (start, end), hint, Source("f.hold", text)).render().split("\n")


def test_form() -> None:
    """A diagnostic has the form that language.md shows."""
    text = "\n" * 11 + "  pi = 3\n"
    source = Source("bank.hold", text)
    one = Diagnostic(
        "E0102",
        "assignment to 'pi', which was bound with let",
        (13, 15),
        "bind it with var to assign again",
        source,
    )
    assert one.render() == (
        "error[E0102]: assignment to 'pi', which was bound with let\n"
        "  --> bank.hold:12:3\n"
        "   |\n"
        "12 |   pi = 3\n"
        "   |   ^^ bind it with var to assign again"
    )


def test_carets() -> None:
    """The carets stand under the span, cut at the end of its first line; an empty span has one."""
    assert diagnostic("abc def", 4, 7)[3:] == ["1 | abc def", "  |     ^^^ hint"]
    assert diagnostic("abc def", 7, 7)[3:] == ["1 | abc def", "  |        ^ hint"]
    assert diagnostic("abc\ndef", 1, 6)[3:] == ["1 | abc", "  |  ^^ hint"]
    assert diagnostic("", 0, 0)[3:] == ["1 |", "  | ^ hint"]
    assert diagnostic("abc", 0, 1, hint="")[4] == "  | ^"
    assert diagnostic("abc\r\ndef", 1, 3)[3:] == ["1 | abc", "  |  ^^ hint"]
    assert diagnostic("漢字 x", 3, 4)[3:] == ["1 | 漢字 x", "  |      ^ hint"]
    assert diagnostic("e\u0301 x", 3, 4)[3:] == ["1 | e\u0301 x", "  |   ^ hint"]
    assert diagnostic("\tx", 1, 2)[3:] == ["1 |     x", "  |     ^ hint"]
    assert diagnostic("abc", 50, 60)[1] == " --> f.hold:1:4"


def test_long_lines_are_cut() -> None:
    """Of a long line, only what is around the caret is shown."""
    for at in (0, 50, 5_000, 9_990, 10_000):
        lines = diagnostic("x" * at + "!" + "x" * (10_000 - at), at, at + 1)
        assert len(lines[3]) <= LINE_COLUMNS_MAX + 6
        assert lines[3][lines[4].index("^")] == "!"
    assert diagnostic("x" * 10_000, 100, 9_000)[4].count("^") <= LINE_COLUMNS_MAX


def test_nothing_steers_the_terminal() -> None:
    """Control characters, overrides and surrogates in a name, a line, a message or a hint come out escaped."""
    evil = "a\x1b[31m\u202e\ud800\u2028\x9b\x00b"
    source = Source(evil + "\n", evil)
    text = Diagnostic("E0301", evil + "\nnext", (0, len(evil)), evil, source).render()
    assert all(character.isprintable() or character == "\n" for character in text)
    assert text.count("\n") == 4
    assert "\\u{1B}[31m\\u{202E}\\u{D800}\\u{2028}\\u{9B}\\0b" in text
    assert visible("é\t\n\r") == "é\\t\\n\\r"
    assert quoted("x" * 100) == "'" + "x" * 39 + "…'"
    assert len(Diagnostic("E0301", "x" * 10_000, (0, 0), "y" * 10_000, source).render()) < 3_000


@given(st.text(max_size=300), st.integers(0, 310), st.integers(0, 310))
def test_any_span_of_any_text(text: str, start: int, end: int) -> None:
    """Rendering works for any text and span, in five lines that a terminal can show."""
    lines = diagnostic(text, start, end)
    assert len(lines) == 5
    assert all("\n" + line == "\n" + visible(line) for line in lines)
    assert "^ hint" in lines[4]


def test_positions() -> None:
    """Lines and columns count from 1 and are those of the code point."""
    source = Source("f", "ab\nc\r\n\né")
    assert [source.position(offset) for offset in (0, 1, 2, 3, 5, 6, 7, 8, 99)] == [
        (1, 1), (1, 2), (1, 3), (2, 1), (2, 3), (3, 1), (4, 1), (4, 2), (4, 2)
    ]  # fmt: skip
    assert [source.line_text(line) for line in (1, 2, 3, 4)] == ["ab", "c", "", "é"]
    with pytest.raises(ValueError, match="line 5"):
        source.line_text(5)
    with pytest.raises(ValueError, match="line 0"):
        source.line_text(0)


@given(st.text(alphabet="ab\n\ré", max_size=50))
def test_positions_agree_with_a_simple_count(text: str) -> None:
    """For any text, line and column are what counting newlines gives, and lines put together give the text."""
    source = Source("f", text)
    for offset in range(len(text) + 1):
        before = text[:offset]
        assert source.position(offset) == (before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
    lines = [source.line_text(line + 1) for line in range(text.count("\n") + 1)]
    assert lines == [line.removesuffix("\r") for line in text.split("\n")[:-1]] + [
        text.split("\n")[-1].removesuffix("\r")
    ]


def test_compile_error() -> None:
    """A CompileError holds at least one diagnostic, in the order of places; its text is all of them."""
    source = Source("f", "abc")
    late, early = (Diagnostic("E0301", f"at {at}", (at, at), "", source) for at in (2, 1))
    error = CompileError([late, early])
    assert error.diagnostics == (early, late)
    assert str(error) == early.render() + "\n\n" + late.render()
    with pytest.raises(ValueError, match="at least one"):
        CompileError([])


def test_codes_are_registered() -> None:
    """A diagnostic with a code that stands in no list cannot be made; every code has a title."""
    with pytest.raises(ValueError, match="E9999"):
        Diagnostic("E9999", "", (0, 0), "", Source("f", ""))
    assert all(len(code) == 5 and title for code, title in CODES.items())
    assert list(CODES) == sorted(CODES)


@pytest.mark.parametrize("word", FOREIGN_STATEMENTS)
def test_words_of_other_languages(word: str) -> None:
    """A word of another language before a name is answered with what Hold has instead."""
    with pytest.raises(CompileError) as caught:
        parse(Source("t", f"{word} x {{ }}"))
    assert caught.value.diagnostics[0].hint == FOREIGN_STATEMENTS[word] == FOREIGN_NAMES[word]


def only_compile_errors(text: str) -> Program | None:
    """Parse; let nothing but a CompileError pass, and look at its diagnostics."""
    began = time.process_time()
    try:
        return parse(Source("t", text))
    except CompileError as error:
        assert 0 < len(error.diagnostics) <= 100
        for one in error.diagnostics:
            assert 0 <= one.span[0] <= one.span[1] <= len(text)
            assert one.message
            assert one.code[:3] in ("E00", "E03")
        assert len(str(error).split("\n")) == 6 * len(error.diagnostics) - 1
        return None
    finally:
        assert within(time.process_time() - began, SECONDS_MAX)


@given(SOUPS)
def test_token_soups(text: str) -> None:
    """Whatever tokens stand in a row, the parser gives a tree or a CompileError, fast."""
    only_compile_errors(text)
    is_complete(text)


@given(st.text(max_size=100))
def test_any_text(text: str) -> None:
    """So for any text."""
    only_compile_errors(text)
    is_complete(text)


@given(SEEDS)
def test_mutated_programs(seed: int) -> None:
    """So for programs in which tokens are left out, doubled, swapped or replaced."""
    chance = random.Random(seed)
    text = TOUR if chance.random() < 0.3 else Maker(seed).program()
    spans = [(start, end) for _, start, end, _ in Lexer(Source("t", text)).run()[1:]]
    words = [text[start:end] for start, end in spans]
    for _ in range(chance.randrange(1, 6)):
        if not words:
            break
        at, other = chance.randrange(len(words)), chance.randrange(len(words))
        change = chance.randrange(4)
        if change == 0:
            del words[at]
        elif change == 1:
            words.insert(at, words[other])
        elif change == 2:
            words[at], words[other] = words[other], words[at]
        else:
            words[at] = words[other]
    only_compile_errors(" ".join(words))


@given(SEEDS)
def test_cut_off_programs(seed: int) -> None:
    """So for a program that ends anywhere."""
    chance = random.Random(seed)
    text = TOUR if chance.random() < 0.3 else Maker(seed).program()
    cut = text[: chance.randrange(len(text) + 1)]
    only_compile_errors(cut)
    is_complete(cut)


def test_errors_are_limited() -> None:
    """A source full of errors gives a few of them."""
    with pytest.raises(CompileError) as caught:
        parse(Source("t", "a b\n" * 10_000))
    assert len(caught.value.diagnostics) == ERRORS_MAX


if __name__ == "__main__":
    for case in CASES:
        case.with_suffix(".err").write_text(compile_errors(case), encoding="utf-8")
