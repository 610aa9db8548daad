"""Runs histories on the machine, in one of the ways, and says where it parts from the model.

A history is a program, in one of two forms: *written out* (`tests.security.render`), or as the data of the *driver*
(`tests.security.driver`).  In the way ``reopened`` the world is closed and opened again between two of the operations,
with all threads in the middle of what they do.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from holdfast.vm.thread import Thread
from holdfast.vm.world import World
from tests.security.driver import DRIVER, script
from tests.security.operations import History, run
from tests.security.render import numbered, render

EDITION = 100
"""So many histories are run by a driver.  Then it is compiled anew: the code that guesses has met enough that it does
not expect, and the one that no longer guesses is tried as well by then."""
BATCH = 100
"""So many histories are closed in the middle, and opened again, at once."""
MOMENTS = ((0.0, 0.5), (0.5, 0.95))
"""When that is done with a batch: a moment between these parts of its lines."""


class Runner:
    """A world in which histories are run in one of the ways: ``direct``, ``resumable``, ``torture``, ``reopened``."""

    def __init__(self, path: Path, way: str) -> None:
        self.path = path
        self.way = way
        self.torture = 0
        self.count = 0
        """Programs so far."""
        self.driven = 0
        self.inside = 0
        """How often the world was closed while programs ran."""
        self.printed = ""
        self.world = self.open()

    def open(self) -> World:
        """The world in a new process, as far as it can tell."""
        shape = "resumable" if self.way == "resumable" else "direct"
        self.world = World.open(self.path, durability="process", shape=shape)
        self.world.write = self.write
        self.set_torture(self.torture)
        return self.world

    def close(self) -> None:
        self.world.close()

    def write(self, text: str) -> None:
        self.printed += text

    def set_torture(self, every: int) -> None:
        """Replace stacks at every so many safepoints from now on; 0: never."""
        self.torture = self.world.scheduler.torture = every
        self.world.globals["_poll"] = every > 0

    def written_out(self, history: History, rng: random.Random) -> str:
        """Run a history as a program of its own; where machine and model part, in words, and nothing if they do not."""
        self.count += 1
        moment = round(len(history) * rng.uniform(0, 0.8))
        trouble = self.go(render(history), f"case{self.count}/main.hold", [[]], [moment])
        return difference(history, self.printed.split("\n")[:-1], trouble)

    def in_the_driver(self, histories: Sequence[History], rng: random.Random) -> list[str]:
        """Run histories as data, side by side; where each parts from the model."""
        name = f"driver{self.driven // EDITION}/main.hold"
        self.driven += len(histories)
        given = [[str(number), script(history)] for number, history in enumerate(histories)]
        lines = sum(map(len, histories))
        trouble = self.go(DRIVER, name, given, [round(lines * rng.uniform(*between)) for between in MOMENTS])
        printed: dict[str, list[str]] = {number: [] for number, _ in given}
        for line in self.printed.split("\n")[:-1]:
            number, _, rest = line.partition(" ")
            printed[number].append(rest)
        return [difference(history, printed[str(number)], trouble) for number, history in enumerate(histories)]

    def go(self, text: str, name: str, given: list[list[str]], moments: list[int]) -> str:
        """Run a program with each of these arguments.  If the way is that, the world is opened again each time when so
        many lines have come out.  The words of errors that nothing caught."""
        self.printed = ""
        unit = self.world.modules.program(text, name)
        threads = [self.world.start_program(unit, arguments) for arguments in given]
        for moment in moments if self.way == "reopened" else ():
            threads = self.reopen_at(moment, threads)
        self.world.scheduler.run_until(lambda: ended(threads))
        self.world.checkpoint()
        errors = [thread.f_error for thread in threads if thread.f_state == "failed"]
        return "; ".join(f"{error._name}: {error.f_message}" for error in errors)

    def reopen_at(self, moment: int, threads: list[Thread]) -> list[Thread]:
        """Close the world when so many lines have come out, and open it again; the programs that have not ended."""
        self.world.scheduler.run_until(lambda: self.printed.count("\n") >= moment or ended(threads))
        self.inside += not ended(threads)
        self.world.close()
        self.open()
        return [thread for thread in self.world.scheduler.living if thread.parent is None]


def ended(threads: list[Thread]) -> bool:
    """Have all ended?"""
    return all(thread.f_state in ("done", "failed") for thread in threads)


def difference(history: History, printed: list[str], trouble: str) -> str:
    """Where the lines that a history has printed are not the model's, in words; nothing if they are."""
    wanted = numbered(run(history))
    for line, right in zip(printed, wanted, strict=False):
        if line != right:
            return f"{line!r} in place of {right!r}: {history[int(right.split()[0])]}"
    if trouble or len(printed) != len(wanted):
        return f"{len(printed)} of {len(wanted)} lines; {trouble}"
    return ""
