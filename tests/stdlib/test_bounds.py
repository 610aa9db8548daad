"""One call of a host function does a bounded amount of work (threat 23): what is too large is refused at once."""

from __future__ import annotations

import pytest

from tests.pace import best_of_three
from tests.stdlib.conftest import Library

STEP_S = 1.0
"""Far more than a call may take on a busy machine, far less than the bombs would."""

BOMBS = {
    "factorial": ('import "std/math" as m\nfn f(x) => m.factorial(x)', 10**9),
    "binomial": ('import "std/math" as m\nfn f(x) => m.binomial(x, x ~/ 2)', 10**9),
    "power": ('import "std/math" as m\nfn f(x) => m.power_mod(x, x, x + 1)', 1 << 900_000),
    "marks": ('import "std/text" as t\nfn f(x) => t.normalize(x)', "a" + "\u0301\u0327" * 100_000),
    "marks that go": ('import "std/text" as t\nfn f(x) => t.without_marks(x)', "a" + "\u0301\u0327" * 100_000),
    "ligatures": ('import "std/text" as t\nfn f(x) => t.normalize(x, "NFKD")', "\ufdfa" * 3_000_000),
    "width": ('import "std/text" as t\nfn f(x) => t.width(x)', "é" * 10_000_000),
    "escapes": ('import "std/encoding" as e\nfn f(x) => e.html(x)', "<" * 20_000_000),
    "hash": ('import "std/encoding" as e\nfn f(x) => e.digest(x)', b"x" * 60_000_000),
    "program": ('import "std/regex" as r\nfn f(x) => r.compile(x)', "(?:(?:a{1000}){1000}){1000}"),
    "pattern": ('import "std/regex" as r\nfn f(x) => r.compile(x)', "a" * 20_000_000),
    "row": ('import "std/csv" as c\nfn f(x) => c.parse(x)', ('"' + "x" * 1000 + '","') * 10_000),
    "subsets": ('import "std/set" as s\nfn f(x) => s.subsets(0..x)', 60),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(hold: Library, name: str) -> None:
    """The bomb is refused with the limit, at once."""
    program, argument = BOMBS[name]
    found, took = best_of_three(lambda: hold.call(program + "\n", argument), STEP_S)
    assert took < STEP_S
    assert isinstance(found, str) and found.startswith(("LimitError: ", "ValueError: CSV, line 1: a ")), found
