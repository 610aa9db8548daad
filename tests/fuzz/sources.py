"""Sources that nobody would write: programs cut up and put together again."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from random import Random

from tests.conformance.cases import read_cases
from tests.lang.programs import TOUR, Maker

TOP = Path(__file__).parent.parent.parent

PIECES = re.compile(r"\w+|[ \t]+|\n|.", re.DOTALL)
ODD = [
    "\0", "\x7f", "\ufeff", "\u202e", "\r", "\u2028", "\ud800", "é", "\U0001f600", "{", "}", "(", ")", "[", "]",
    "?[", '"',
    '"""', 'r"', 'b"', "\\",
    "\\u{", "//", "/*", "*/", "///", ";", "\n", "..", "..=", "...", "=>", "=", "??=", "**",
    "~/", "?.", ".", ",", ":", "-", "not", "in", "is", "1e999", "0x", "0b2", "1_", "1__0", "9" * 400, "1.",
    ".5", "{{", "}}",
    "fn", "class", "if", "else", "match", "for", "while", "try", "catch", "finally", "atomic", "spawn", "with",
    "budget",
    "let", "var", "return", "throw", "break", "continue", "import", "from", "extends", "was", "super", "self", "test",
    "assert", "on_behalf", "nil", "_", "root", "caps", "__class__", "v_x", "t1", "f_x",
]  # fmt: skip


@cache
def corpus() -> tuple[str, ...]:
    """What is there: the conformance cases, the tour, the library."""
    cases = [case.text for path in sorted((TOP / "tests/conformance").glob("*.hold")) for case in read_cases(path)]
    library = [path.read_text() for path in sorted((TOP / "stdlib").glob("*.hold"))]
    return (TOUR, *cases, *library)


@cache
def pieces() -> tuple[str, ...]:
    """Every token and every space in it."""
    return tuple(sorted({piece for text in corpus() for piece in PIECES.findall(text)}))


def lines(rng: Random) -> list[str]:
    """Some lines in a row of one of the programs."""
    found = rng.choice(corpus()).split("\n")
    start = rng.randrange(len(found))
    return found[start : start + rng.randrange(1, 40)]


def mutated(rng: Random, text: str) -> str:
    """The text with some of its pieces dropped, doubled, moved or replaced."""
    found = PIECES.findall(text) or [""]
    for _ in range(rng.choice([1, 1, 1, 2, 3, 8, 30])):
        at, other = rng.randrange(len(found)), rng.randrange(len(found))
        match rng.randrange(7):
            case 0:
                found[at] = ""
            case 1:
                found[at] *= rng.choice([2, 2, 3, 50])
            case 2:
                found[at], found[other] = found[other], found[at]
            case 3:
                found[at] = rng.choice(pieces())
            case 4:
                found[at] += rng.choice(ODD)
            case 5:
                low, high = sorted((at, other))
                found[low:high] = [] if rng.random() < 0.5 else found[low:high] * 2
                found = found[:20_000] or [""]
            case 6:
                found.insert(at, " " + rng.choice(ODD) + " ")
    return "".join(found)


LITERALS = [
    "0", "1", "-1", "2 ** 70", "2.5", "nil", "true", "false", '"a"', '""', 'b"ab"', "[]", "[1, 2, 3]", "({})",
    "({a: 1})",
    "Set([1])", "(0..3)", "(fn(x) => x)", "Error", 'KeyError("k")', "root", '"{1}"', "1e308", "2 ** 64 - 1",
    "len", "self",
]  # fmt: skip
LITERAL = re.compile(r'(?:\d[\d_.]*|"[^"{}\\\n]*"|nil|true|false)\Z')
OPERATOR = re.compile(r"(?:==|!=|<=|>=|\*\*|~/|\?\?|[-+*/%<>]|and|or|in)\Z")
OPERATORS = ["+", "-", "*", "/", "~/", "%", "**", "==", "!=", "<", ">=", "and", "or", "??", "in", "..", "is"]
TOKENS = re.compile(r'"[^"{}\\\n]*"|\w+|==|!=|<=|>=|\*\*|~/|\?\?|=>|[ \t]+|\n|.', re.DOTALL)
WORD = re.compile(r"[A-Za-z_]\w*\Z")


def exchanged(rng: Random, text: str) -> str:
    """The text with some names, literals and operators replaced by others: most of what comes out compiles."""
    found = TOKENS.findall(text) or [""]
    names = [word for word in found if WORD.match(word) and word not in ODD]
    for _ in range(rng.choice([1, 1, 2, 4, 10])):
        at = rng.randrange(len(found))
        for place in range(at, min(at + 30, len(found))):
            if LITERAL.match(found[place]):
                found[place] = rng.choice([*LITERALS, rng.choice(names or ["x"])])
                break
            if OPERATOR.match(found[place]):
                found[place] = rng.choice(OPERATORS)
                break
            if WORD.match(found[place]) and found[place] in names and rng.random() < 0.3:
                found[place] = rng.choice(names if rng.random() < 0.7 else LITERALS)
                break
    return "".join(found)


def source(seed: int) -> str:
    """The source of a seed."""
    rng = Random(seed)
    kind = rng.randrange(20)
    if kind >= 10:
        return exchanged(rng, rng.choice(corpus()))
    if kind == 0:
        return "".join(rng.choice(ODD) + rng.choice(["", " "]) for _ in range(rng.randrange(1, 60)))
    if kind == 1:
        return "".join(rng.choice(pieces()) for _ in range(rng.randrange(1, 200)))
    if kind == 2:
        return mutated(rng, Maker(seed).program())
    if kind == 3:
        return rng.choice(ODD) * rng.choice([10, 300, 3000]) + rng.choice(ODD) * rng.choice([1, 300])
    if kind == 4:
        return mutated(rng, "\n".join(lines(rng) + lines(rng) + lines(rng)))
    return mutated(rng, "\n".join(lines(rng)) if kind < 7 else rng.choice(corpus()))
