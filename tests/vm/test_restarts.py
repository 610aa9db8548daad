"""Law: a program does not notice that its world's process is killed, whenever that happens, and started again.

The programs of the conformance suite are run in worlds that lose their process at random moments: without a last
checkpoint, so that everything behind the one before is lost and done again.  What was printed stays printed, so all
that was printed by all processes together is what the program prints.

Programs whose threads race by the clock are not here: how long the process was away decides them.  What must hold of
timers is in ``test_living`` and ``test_threads_crash``.
"""

from __future__ import annotations

import os
import random
import re
from pathlib import Path
from typing import Any

import pytest

from holdfast.vm.ticker import Ticker
from holdfast.vm.world import World
from tests.conformance.cases import Case, Outcome, check
from tests.conformance.test_conformance import CASES, DEEP, name_of
from tests.vm.dying import die

RACE = re.compile(r"\bsleep\((?!0\))|timeout")
PROGRAMS = [
    case for case in CASES if not (case.files or case.diagnostics or DEEP.search(case.name) or RACE.search(case.text))
]
SHARE = 12
"""One program of so many is run in the quick tests."""
NAME = "main.hold"
DEATHS_MAX = 40
"""From then on a program may run to its end."""


class Mortal:
    """A world whose process dies again and again."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self.chance = random.Random(seed)
        self.written: list[str] = []
        self.deaths = 0
        self.world = self.open()

    def open(self) -> World:
        """Open it, after the first time with all that was alive."""
        world = World.open(self.path, durability="process")
        world.write = self.written.append
        # So the hub has its turn at every safepoint, and death can come at any of them.
        world.scheduler.torture = self.chance.choice([1, 1, 2, 7]) if self.deaths < DEATHS_MAX else 0
        world.globals["_poll"] = True
        return world

    def die(self) -> None:
        """As the end of its process does it."""
        die(self.world)
        self.deaths += 1
        self.world = self.open()

    def main(self) -> Any:
        """The main thread."""
        return next((thread for thread in self.world.scheduler.living if thread.parent is None), None)

    def run(self, text: str) -> Outcome:
        """Run a program to its end, over all deaths."""
        thread = self.world.start_program(self.world.modules.program(text, NAME))
        self.world.outbox.force()
        while thread.f_state not in ("done", "failed"):
            with Ticker(self.world.globals):
                for _ in range(self.chance.choice([1, 3, 10, 40])):
                    delay = self.world.scheduler.turn(1)
                    if thread.f_state in ("done", "failed"):
                        break
                    if delay != 0:
                        self.world.scheduler.event.wait(delay)
            if self.chance.random() < 0.5:
                self.world.outbox.force()  # else the last one may be long ago
            last = thread.f_state in ("done", "failed")
            if self.deaths < DEATHS_MAX and (not last or self.chance.random() < 0.5):
                self.die()
                found = self.main()
                if found is None:  # its end was in the last checkpoint
                    assert last
                    break
                thread = found
        error: Any = None
        place = ""
        if thread.f_state == "failed":
            e = thread.f_error
            place = e.f_at or ""
            error = (e._name, e.f_message, int(place.rpartition(":")[2] or 0))
        self.world.checkpoint()
        return Outcome("".join(self.written).split("\n")[:-1], error, [], place, [])

    def close(self) -> None:
        """The end."""
        self.world.close()


def over_deaths(case: Case, folder: Path, seed: int) -> int:
    """Run a program over deaths, and compare; gives how often it died."""
    print(f"HOLDFAST_SEED={seed}")
    mortal = Mortal(folder / "w", seed)
    try:
        check(case, mortal.run(case.text))
        return mortal.deaths
    finally:
        mortal.close()


@pytest.mark.parametrize("case", PROGRAMS[::SHARE], ids=name_of)
def test_a_program_over_deaths(case: Case, tmp_path: Path) -> None:
    """Some programs."""
    over_deaths(case, tmp_path, int(os.environ.get("HOLDFAST_SEED", random.randrange(1 << 30))))


@pytest.mark.slow
@pytest.mark.parametrize("case", PROGRAMS, ids=name_of)
def test_every_program_over_deaths(case: Case, tmp_path: Path) -> None:
    """All programs, with three seeds each."""
    for seed in range(3):
        (tmp_path / str(seed)).mkdir()
        over_deaths(case, tmp_path / str(seed), seed)
