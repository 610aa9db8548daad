"""A disk that fails at any moment: nothing that depends on what failed is let out, nothing acknowledged is lost, and
programs go on as if nothing had been.

The store below fails by a plan: which of its writes and flushes fail, how, and in the middle of which of them the
process dies.  A failed write may have been written all the same, as with a real disk.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import pytest

from holdfast.vm import maintenance
from holdfast.vm.objects import Thrown
from holdfast.vm.store import DiskFull, Store, StoreError, WorldDamaged
from holdfast.vm.world import World

FULL = "IO error: No space left on device: While appending to file: 000004.log: No space left on device"
BROKEN = "IO error: While fsync: 000004.log: Input/output error"


class FailingStore(Store):
    """A store whose writes and flushes fail as planned."""

    plan: random.Random | None = None
    chance = 0.0
    failures = 0
    down = 0
    """So many times opening it again fails too."""

    def attempt(self, real: Any, *args: Any) -> None:
        """Do it, or fail before or behind it."""
        plan = self.plan
        if plan is None or plan.random() >= self.chance:
            real(*args)
            return
        self.failures += 1
        self.down = plan.choice([0, 0, 0, 1])
        if plan.random() < 0.3:
            real(*args)
        raise Exception(plan.choice([FULL, BROKEN]))

    def _write_raw(self, raw: Any) -> None:
        self.attempt(super()._write_raw, raw)

    def _flush_raw(self) -> None:
        self.attempt(super()._flush_raw)

    def die(self) -> None:
        """As the end of its process does it: nothing is written any more, and the lock is free."""
        self._close_quietly()
        self._unlock()

    def reopen(self) -> None:
        if self.down:
            self.down -= 1
            raise DiskFull("no space is left")
        super().reopen()


COUNTER = """
root.n ??= 0
root.log ??= []
fn other() {
  for i in 0..20 { root.log.push("other {i}"); sleep(0.0001) }
}
let t = spawn other()
let seen = []
for i in 0..60 {
  atomic { root.n += 1; root.log.push(root.n) }
  try { atomic { root.n = "wrong"; throw "undo" } } catch e { seen.push(e.message) }
  print(root.n)
}
t.join()
print(len(seen), Set(seen))
"""


class Outside:
    """Somebody who reads what is printed, and looks into a copy of the disk whenever a line comes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.lines: list[str] = []

    def __call__(self, text: str) -> None:
        assert self.world.store.broken is None, "output left while the store was broken"
        self.lines += text.splitlines()


def drive(world: World, text: str) -> None:
    """Run a program; an error of the store that could not be mended comes up here, and driving goes on after it."""
    thread = world.start_program(world.modules.program(text, "c.hold"))
    for _ in range(1000):
        try:
            world.run_thread(thread)
            world.checkpoint()
            return
        except StoreError:
            continue
    raise AssertionError("the store never came back")


def faulty(folder: Path, seed: int, chance: float) -> tuple[World, FailingStore]:
    """A world on a failing store."""
    store = FailingStore(folder, durability="power")
    world = World(store)
    store.plan, store.chance = random.Random(seed), chance
    return world, store


def look(folder: Path) -> dict[str, Any]:
    """What a new process finds."""
    with World.open(folder, create=False) as world:
        report = list(maintenance.check(world.store))[-1]
        assert report.problems == []
        root = world.heap.root.v
        return {"n": root["n"], "log": list(root["log"].v)} if "n" in root else {"n": 0, "log": []}


def check(seed: int, chance: float, crash: bool) -> int:
    """One program over a failing disk; ``crash`` ends without a last checkpoint.  How often the disk failed."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name) / "w"
        world, store = faulty(folder, seed, chance)
        world.write = outside = Outside(world)
        drive(world, COUNTER)
        store.plan = None
        expected = [*map(str, range(1, 61)), '60 Set(["undo"])']
        assert outside.lines == expected, "every line once, in order"
        if crash:
            world.checkpointer.close()
            store.die()
        else:
            world.close()
        found = look(folder)
        assert found["n"] == 60
        assert [x for x in found["log"] if type(x) is int] == list(range(1, 61))
        assert [x for x in found["log"] if type(x) is str] == [f"other {i}" for i in range(20)]
        return store.failures


@pytest.mark.parametrize("chance", [0.2, 0.6])
def test_programs_see_nothing(chance: float) -> None:
    """Through any number of failures a program gives the same output and the same world."""
    assert sum(check(seed, chance, crash=seed % 2 == 0) for seed in range(3)) > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 50))
def test_programs_see_nothing_long(seed: int) -> None:
    """The same, for many plans."""
    check(seed, [0.05, 0.3, 0.6][seed % 3], crash=seed % 2 == 0)


@pytest.mark.parametrize("seed", range(10))
def test_killed_while_the_disk_fails(seed: int) -> None:
    """A process that dies at any moment of a failing disk leaves a state that has been, with all that was let out."""
    after = random.Random(seed).randrange(1, 40)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name) / "w"
        world, store = faulty(folder, seed, 0.3)
        world.write = outside = Outside(world)
        thread = world.start_program(world.modules.program(COUNTER, "c.hold"))
        for _ in range(after):
            try:
                world.scheduler.turn(1)
            except StoreError:
                pass  # whoever drives the world tries again
        store.plan = None
        world.checkpointer.close()
        store.die()  # no last checkpoint, no more output
        world.scheduler.event.close()
        assert thread.f_error is None
        printed = [int(line) for line in outside.lines if line.isdigit()]
        found = look(folder)
        assert printed == list(range(1, len(printed) + 1))
        assert found["n"] >= len(printed)
        assert [x for x in found["log"] if type(x) is int] == list(range(1, found["n"] + 1))


@pytest.mark.parametrize("error", [FULL, BROKEN])
@pytest.mark.parametrize("what", ["_write_raw", "_flush_raw"])
def test_a_disk_that_stays_broken(tmp_path: Path, what: str, error: str) -> None:
    """While the disk stays broken nothing is let out and nobody runs on; then all goes on where it was."""
    store = FailingStore(tmp_path / "w", durability="power")
    world = World(store)
    outside = Outside(world)
    world.write = outside
    world.run_source("root.n = 0")
    world.checkpoint()

    def fail(*_: Any) -> None:
        raise Exception(error)

    setattr(store, what, fail)
    thread = world.start_program(world.modules.program("root.n = 1\nprint(root.n)\nroot.n = 2\nprint(2)", "p.hold"))
    for _ in range(5):
        with pytest.raises((DiskFull, WorldDamaged)) as caught:
            for _ in range(1000):
                if world.scheduler.turn() != 0:
                    world.scheduler.event.wait(10)
        assert str(caught.value).isprintable()
        assert outside.lines == []
    delattr(store, what)
    world.run_thread(thread)
    world.checkpoint()
    assert outside.lines == ["1", "2"]
    world.close()
    with World.open(tmp_path / "w") as again:
        assert again.heap.root.v["n"] == 2


def test_a_read_that_fails(tmp_path: Path) -> None:
    """A read that the disk refuses is an error of the program in words of ours, and nothing else is lost."""
    with World.open(tmp_path / "w") as world:
        world.run_source("class P { x }\nroot.p = P(1)\nroot.q = P(2)")
    with World.open(tmp_path / "w") as world:
        real = world.store._get

        def fail(key: bytes) -> Any:
            raise Exception(BROKEN)

        assert world.heap.root.v["p"] is not None  # the root is in memory
        program = world.modules.program("root.p.x", "r.hold")
        world.store._get = fail
        with pytest.raises(Thrown) as caught:
            world.run_thread(world.start_program(program))
        assert caught.value.error.f_message.startswith("the disk of the world cannot be read")
        assert str(tmp_path) in caught.value.error._x["internal"]  # for the operator, who is shown it
        world.store._get = real
        written: list[str] = []
        world.write = written.append
        world.run_source("print(root.p.x, root.q.x)", "r.hold")
        world.checkpoint()
        assert written == ["1 2\n"]
