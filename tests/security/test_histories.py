"""The machine does what the reference model says: random histories of domains, each run as a program.

``HOLDFAST_HISTORIES=5000`` tries more histories than usual, ``HOLDFAST_SEED=x`` others.  A failure names the seed of
the history, to be made again by ``generate(seed, peeks=False)``; those before it have run in the same world.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.conformance.cases import Bench
from tests.security.histories import generate
from tests.security.operations import History
from tests.security.running import BATCH, MOMENTS, Runner

HISTORIES = int(os.environ.get("HOLDFAST_HISTORIES", "90"))
SLOW_HISTORIES = int(os.environ.get("HOLDFAST_HISTORIES", "10000"))
SEED = os.environ.get("HOLDFAST_SEED", "0")
WAYS = {"direct": 5, "resumable": 3, "torture": 3, "reopened": 4}
"""How histories are run, and the share of each; every other batch of those reopened is tortured as well."""
WRITTEN_OUT = {"direct": 10, "resumable": 10, "torture": 20, "reopened": 20}
"""One in so many is a program of its own: each of its operations has a place of its own, and is compiled for that
alone.  The others are data of a program that does one after another."""
STEPS = 50
PARTS = 10


def compare(folder: Path, way: str, count: int, seed: str) -> None:
    """Run so many histories in a way."""
    print(f"seed {seed!r}, {count} histories")
    runner = Runner(folder / "w", way)
    try:
        names = [f"{seed}/{way}/{number}" for number in range(count)]
        written_out = names[:: WRITTEN_OUT[way]]
        compare_written_out(runner, written_out)
        compare_driven(runner, [name for name in names if name not in written_out])
    finally:
        runner.close()


def history_of(name: str) -> History:
    """The history of a seed."""
    return generate(name, STEPS, peeks=False)


def compare_written_out(runner: Runner, names: list[str]) -> None:
    """Run histories each as a program of its own."""
    for number, name in enumerate(names):
        runner.set_torture(torture(runner.way, number))
        found = runner.written_out(history_of(name), random.Random(name))
        assert not found, f"{name}, {runner.way}, written out: {found}"
    if runner.way == "reopened":
        assert runner.inside >= len(names) // 2, "most programs had ended before their world was closed"


def compare_driven(runner: Runner, names: list[str]) -> None:
    """Run histories as data, those that are reopened many at a time."""
    count = -(-len(names) // BATCH) if runner.way == "reopened" else len(names)
    runner.inside = 0
    for number in range(count):
        batch = names[number::count]
        runner.set_torture(torture(runner.way, number))
        found = runner.in_the_driver([history_of(name) for name in batch], random.Random(batch[0]))
        wrong = [f"{name}: {words}" for name, words in zip(batch, found, strict=True) if words]
        assert not wrong, f"{runner.way}, in the driver: {wrong}"
    if runner.way == "reopened" and len(names) >= 20:  # so many do not end at once
        assert runner.inside == count * len(MOMENTS), "all programs had ended before their world was closed"


def torture(way: str, number: int) -> int:
    """At every how many safepoints the stacks are replaced."""
    return 1 + number % 7 if way == "torture" or (way == "reopened" and number % 2) else 0


def volumes(total: int, parts: int = 1) -> list[tuple[str, int]]:
    """Way and how many histories, in each of so many parts: so many in all."""
    return [(way, -(-total * share // sum(WAYS.values()) // parts)) for way, share in WAYS.items()]


@pytest.mark.parametrize(("way", "count"), volumes(HISTORIES), ids=str)
def test_the_machine_does_what_the_model_does(way: str, count: int, tmp_path: Path) -> None:
    """Each operation of a history has the model's outcome, in every shape, under torture and over a restart."""
    compare(tmp_path, way, count, SEED)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(("way", "count"), volumes(SLOW_HISTORIES, PARTS), ids=str)
def test_the_machine_does_what_the_model_does_in_many(way: str, count: int, part: int, tmp_path: Path) -> None:
    """The same for many histories."""
    compare(tmp_path, way, count, f"{SEED}/{part}")


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
