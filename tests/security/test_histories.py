"""The machine does what the reference model says: random histories of domains, each run as a program.

``HOLDFAST_HISTORIES=5000`` tries more histories than usual, ``HOLDFAST_SEED=x`` others.  A failure names the seed of
the history, to be made again by ``generate(seed, profile=…, peeks=False)``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.vm.world import World
from tests.conformance.cases import Bench, Outcome
from tests.security.histories import PROFILES, generate
from tests.security.operations import History, run
from tests.security.render import numbered, render

HISTORIES = int(os.environ.get("HOLDFAST_HISTORIES", "56"))
SLOW_HISTORIES = int(os.environ.get("HOLDFAST_HISTORIES", "10000"))
SEED = os.environ.get("HOLDFAST_SEED", "0")
WAYS = {"direct": 6, "resumable": 4, "torture": 1, "reopened": 3}
"""How histories are run, and the share of each."""
STEPS = 50


class Halves(Bench):
    """Runs the first half of a program, and the second one in another process, as far as it can tell."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(path, "direct")

    def run(self, text: str, files: dict[str, str] | None = None) -> Outcome:
        """The world is closed between two of the operations."""
        assert not files
        self.count += 1
        self.written.clear()
        world = self.world
        thread = world.start_program(world.modules.program(text, f"case{self.count}/main.hold"))
        lines = text.count("print(") // 2
        world.scheduler.run_until(lambda: thread.f_state in ("done", "failed") or len(self.written) >= lines)
        ended = thread.f_state in ("done", "failed")
        world.close()
        self.world = world = World.open(self.path, durability="process")
        world.write = self.written.append
        if not ended:
            thread = next(thread for thread in world.scheduler.living if thread.parent is None)
            world.scheduler.run_until(lambda: thread.f_state in ("done", "failed"))
        error = (thread.f_error._name, thread.f_error.f_message, 0) if thread.f_state == "failed" else None
        return Outcome("".join(self.written).split("\n")[:-1], error, [])


def open_bench(folder: Path, way: str) -> Bench:
    """A world in which histories are run in this way."""
    return Halves(folder / "w") if way == "reopened" else Bench(folder / "w", way)


def difference(bench: Bench, history: History) -> str:
    """Where machine and model part, in words; nothing if they do not."""
    outcome, wanted = bench.run(render(history)), numbered(run(history))
    for printed, line in zip(outcome.output, wanted, strict=False):
        if printed != line:
            return f"{printed!r} in place of {line!r}: {history[int(line.split()[0])]}"
    if outcome.error is not None or outcome.diagnostics or len(outcome.output) != len(wanted):
        return f"{len(outcome.output)} of {len(wanted)} lines, {outcome.error}, {outcome.diagnostics[:3]}"
    return ""


def compare(folder: Path, way: str, profile: str, count: int) -> None:
    """Run so many histories of a kind."""
    print(f"seed {SEED!r}, {count} histories")
    bench = open_bench(folder, way)
    try:
        for number in range(count):
            seed = f"{SEED}/{way}/{number}"
            if way == "torture":
                bench.world.scheduler.torture = 1 + number % 7
            found = difference(bench, generate(seed, STEPS, profile=profile, peeks=False))
            assert not found, f"{seed}, {profile}, {way}: {found}"
    finally:
        bench.close()


def volumes(total: int) -> list[tuple[str, str, int]]:
    """Way, kind of histories, and how many: so many in all."""
    each = {way: max(1, total * share // sum(WAYS.values()) // len(PROFILES)) for way, share in WAYS.items()}
    return [(way, profile, count) for way, count in each.items() for profile in PROFILES]


@pytest.mark.parametrize(("way", "profile", "count"), volumes(HISTORIES), ids=str)
def test_the_machine_does_what_the_model_does(way: str, profile: str, count: int, tmp_path: Path) -> None:
    """Each operation of a history has the model's outcome, in every shape, under torture and over a restart."""
    compare(tmp_path, way, profile, count)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
@pytest.mark.parametrize(("way", "profile", "count"), volumes(SLOW_HISTORIES), ids=str)
def test_the_machine_does_what_the_model_does_in_many(
    way: str, profile: str, count: int, part: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for many histories."""
    monkeypatch.setitem(globals(), "SEED", f"{SEED}/{part}")
    compare(tmp_path, way, profile, max(1, count // 10))


def test_sets_are_shed_in_programs(tmp_path: Path) -> None:
    """`caps.drop` and `caps.limit` are methods in a domain, with the errors of methods."""
    bench = Bench(tmp_path / "w", "direct")
    program = """
fn child() {
  caps.limit("a", "r")
  print(rights(caps.a))
  try { caps.limit("a") } catch e { print(e) }
  try { caps.lend("a") } catch e { print(e) }
  caps.drop("a")
  print(caps.names())
}
let t = spawn child() with {a: [1], console: 1}
t.join()
"""
    assert bench.run(program).output == [
        "r",
        "TypeError: limit needs 'rights'",
        "NameError: caps has no method 'lend'",
        '["console"]',
    ]
    bench.close()


def test_a_capability_for_a_function_is_called(tmp_path: Path) -> None:
    """Unrestricted code calls a capability for a function, if it has x, from a field and as an argument too."""
    bench = Bench(tmp_path / "w", "direct")
    program = """
class Box { f = nil }
let n = 3
let f = fn(a) => a + n
let g = only(f, "x")
print(g(1), [1, 2].map(g), Box(g).f(1), ({f: g}).f(2), g(a: 5))
let h = only(f, "rw")
try { h(1) } catch e { print(e.kind) }
try { Box(h).f(1) } catch e { print(e.kind) }
let t = spawn g(4)
print(t.join())
"""
    assert bench.run(program).output == ["4 [4, 5] 4 5 8", "CapabilityError", "CapabilityError", "7"]
    bench.close()
