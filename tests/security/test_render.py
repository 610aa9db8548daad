"""Histories as programs: they compile, and without restrictions they do on the machine what the model says."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest

from holdfast.lang.compile import compile_source
from tests.conformance.cases import Bench
from tests.security.histories import PROFILES, Generator, generate
from tests.security.operations import Birth, Run, run
from tests.security.render import numbered, render

EVERYBODY = frozenset(["plain counts", "store", "send", "return", "throw", "definer", "neither"])
"""The clauses without which all domains may do everything."""
OPEN = 'fn rights(x) => "rwx"\n'
"""What a program has in place of the machine's guard then."""


class OpenGenerator(Generator):
    """Histories without capabilities."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng, peeks=False)
        self.run = Run(EVERYBODY)
        kept = {"new": 6, "birth": 4, "make": 10, "call": 20, "push": 6, "send": 20, "get": 20, "set": 20, "equal": 10}
        self.weights = tuple(kept.get(draw, 0) for draw in self.draws)

    def birth(self, dom: int) -> None:
        names = self.references(dom)
        if len(self.run.actors) <= self.domains:
            args = [self.pick(dom, names) for _ in range(self.rng.randint(0, 2))] if names else []
            self.do(Birth(dom, len(self.run.actors), (), tuple(args)))

    def body(self, dom: int, things: list[str], functions: list[str]) -> tuple[str, str]:
        return self.rng.choice(("give", "get", "throw", "new")), self.rng.choice(things)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A world."""
    made = Bench(tmp_path_factory.mktemp("bench") / "w", "direct")
    yield made
    made.close()


@pytest.mark.parametrize("profile", PROFILES)
def test_programs_compile(profile: str, bench: Bench) -> None:
    """Every history is a program."""
    names = dict.fromkeys(["only", "rights", "revocable"], bench.world.builtin_names["len"])
    for number in range(6):
        text = render(generate(f"render/{number}", profile=profile, peeks=False))
        compile_source(text, "main.hold", "main.hold", "program", names | bench.world.builtin_names, lambda *_: None)


@pytest.mark.parametrize("seed", range(8))
def test_programs_do_what_the_model_does(seed: int, bench: Bench) -> None:
    """Where everybody may do everything, a program prints the model's outcomes."""
    history = OpenGenerator(random.Random(f"open/{seed}")).make(60)
    text = re.sub(r" with \{[^}]*\}", "", render(history))
    outcome = bench.run(OPEN + text)
    assert (outcome.error, outcome.diagnostics) == (None, [])
    assert outcome.output == numbered(run(history, EVERYBODY))


def test_threads_are_asked_in_order(bench: Bench) -> None:
    """A program prints a line for each operation, and ends its threads."""
    history = OpenGenerator(random.Random("order")).make(40)
    text = re.sub(r" with \{[^}]*\}", "", render(history))
    end = "print(threads.all().len())\n"
    assert bench.run(OPEN + text + end).output[-1] == "1"
