"""What the domains' objects take is counted exactly, and what they have is seen wherever it is.

The law: after any checkpoint, collection, death or copy, the counts are those of the records (``world check`` compares
them).  And a budget holds for what is in the store as for what is in memory alone.
"""

from __future__ import annotations

import gc
import random
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from holdfast.vm import budgets, ids, maintenance, pieces
from holdfast.vm.codec import bare_codec, owner_in
from holdfast.vm.importing import import_world
from holdfast.vm.objects import live
from holdfast.vm.transfer import export_lines
from holdfast.vm.world import World
from tests.vm.dying import die

SMALL = mock.patch.dict(pieces.PIECES_ABOVE, {ids.LIST: 12, ids.MAP: 10, ids.SET: 10})
SETUP = """
root.box = {}
root.mine = {}
"""
STEPS = """
class Leaf { n = 0; s = nil }
fn work(box, seed, kind, n) {
  let key = Text(seed % 7)
  if kind == 0 { box[key] = [] }
  if kind == 1 { box[key] = {} }
  if kind == 2 { box.remove(key) }
  if key not in box { return nil }
  let x = box[key]
  for i in 0..n {
    let value = [seed, Leaf(i, "s" * (seed * i % 300)), "t" * 70_000, [i]][(seed + i) % 4]
    if x is List {
      if kind == 3 { x.push(value) }
      if kind == 4 and len(x) > 0 { x.pop() }
      if kind == 5 and len(x) > 0 { x[i % len(x)] = value }
      if kind == 6 { x.clear() }
    } else {
      if kind == 6 { x.clear() }
      if kind in [3, 5] { x[i] = value }
      if kind == 4 { x.remove(i) }
    }
  }
}
"""


def problems(world: World) -> list[Any]:
    """What a check of the store finds."""
    report = None
    for report in maintenance.check(world.store):  # noqa: B007  # the last one is complete
        pass
    assert report is not None
    return report.problems


def collect(world: World) -> None:
    """Delete all garbage."""
    gc.collect()
    for _ in maintenance.collect(world.heap):
        if world.heap.open is not None:
            world.heap.open.step()


@pytest.mark.parametrize("seed", [0, 1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 40))])
def test_counts_are_those_of_the_records(seed: int, tmp_path: Path) -> None:
    """Random domains write, overwrite, split, empty and drop what they own; worlds die, collect, and are copied."""
    print(f"seed {seed}")
    chance = random.Random(seed)
    with SMALL:
        world = World.open(tmp_path / "w", durability="process")
        world.run_source(SETUP, "setup.hold")
        for step in range(30):
            given = f"{step}, {chance.randrange(7)}, {chance.choice([1, 3, 30])}"
            who = chance.choice(['(spawn work(only(root.box, "rwx"), {}) with {{}}).join()', "work(root.mine, {})"])
            world.run_source(STEPS + who.format(given), "steps.hold")
            chosen = chance.random()
            if chosen < 0.5:
                world.checkpoint()
                assert problems(world) == []
            if chosen < 0.15:
                die(world)
                world = World.open(tmp_path / "w", durability="process")
                assert problems(world) == []
            elif chosen > 0.85:
                collect(world)
                assert problems(world) == []
        world.checkpoint()
        copy = tmp_path / "text"
        copy.write_text("".join(export_lines(world.store)))
        counted = sum(objects for objects, _ in world.heap.stock.counts.values())
        world.close()
        import_world(copy, tmp_path / "copy")
        world = World.open(tmp_path / "copy", durability="process")
        assert problems(world) == []
        assert sum(objects for objects, _ in world.heap.stock.counts.values()) <= counted  # it has no garbage
        world.run_source("root.box = nil", "end.hold")
        world.checkpoint()
        collect(world)
        assert problems(world) == []
        world.close()


def test_a_wrong_count_is_a_problem(tmp_path: Path) -> None:
    """A check says of which domain the count is wrong."""
    world = World.open(tmp_path / "w", durability="process")
    world.run_source(SETUP + STEPS + '(spawn work(only(root.box, "rwx"), 1, 0, 1) with {}).join()', "a.hold")
    world.checkpoint()
    assert problems(world) == []
    counts = world.heap.stock.counts
    owner, count = next((oid, count) for oid, count in counts.items() if live(world.heap.ref(oid)).name == "work")
    count[0] += 1
    world.heap.stock.open[owner] = [0, 0]
    world.run_source("root.more = 1", "b.hold")
    world.checkpoint()
    ((name, reason),) = problems(world)
    assert name == ids.kid(owner)
    assert reason.startswith(f"its objects are counted as {count[0]}")
    world.close()


def test_the_owner_is_found_in_a_record() -> None:
    """What is read of a record's head is what the whole of it says."""
    from holdfast.vm.codec import Reference, seal_record

    codec = bare_codec()
    for number in (1, 127, 128, 300, 70_000, 8_388_607):
        for schema in (0, 200, 1 << 20, 1 << 40):
            for owner in (None, Reference(ids.make_id(ids.DOMAIN, 77))):
                for fields in ([], [1] * 20, [1] * 70_000):
                    record = seal_record(b"O", codec.pack([number, schema, owner, None, *fields]))
                    assert owner_in(record) == (owner._i if owner is not None else 0)
    assert owner_in(b"") == owner_in(b"\x01" * 9) == owner_in(b"\x01" * 10) == 0


def test_objects_of_another_world_do_not_matter(tmp_path: Path) -> None:
    """Two worlds of one process, the other one closed with objects of its domains still in memory."""
    program = """
fn work() {
  let xs = []
  for i in 0..50 { xs.push([i]) }
  return receive()
}
root.t = spawn work() budget { objects: 100 }
"""
    other = World.open(tmp_path / "other", durability="process")
    other.run_source(program, "a.hold")
    other.checkpoint()
    other.run_source("root.t.send(1)", "b.hold")
    kept = gc.get_objects()
    die(other)
    world = World.open(tmp_path / "w", durability="process")
    world.run_source(program.replace("receive()", "len(xs)") + "print(root.t.join())", "a.hold")
    budgets = world.authority.budgets
    assert budgets.scales.look(world.heap.root.v["t"].domain, "bytes") >= 0
    world.close()
    assert kept


def test_why_a_thread_stands_still_outlives_the_process(tmp_path: Path) -> None:
    """A thread that was in the store already is stopped by its budget, and the world dies: it says why as before."""
    world = World.open(tmp_path / "w", durability="process")
    world.run_source("fn work() { receive(); while true {} }\nroot.t = spawn work() budget { cpu_ms: 20 }", "a.hold")
    world.checkpoint()
    world.run_source("root.t.send(1)\nwhile root.t.over == nil { sleep(0.001) }", "b.hold")
    world.checkpoint()
    die(world)
    world = World.open(tmp_path / "w", durability="process")
    written: list[str] = []
    world.write = written.append
    world.run_source("print(root.t.state, root.t.over.kind)\nroot.t.refill({cpu_ms: 20})", "c.hold")
    world.checkpoint()
    assert written == ["suspended BudgetError\n"]
    die(world)
    world = World.open(tmp_path / "w", durability="process")
    world.write = written.append
    world.run_source("print(root.t.over)\nroot.t.kill()", "d.hold")
    world.checkpoint()
    assert written[-1] == "nil\n" or written[-1].startswith("BudgetError: the budget")  # used up again already
    world.close()


@pytest.mark.parametrize("factor", [budgets.LOOK_FACTOR, 1e9])
def test_what_waiting_threads_hold_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    """Texts in the variables of threads that wait are bytes of their domain; who takes much is looked at soon."""
    monkeypatch.setattr(budgets, "LOOK_FACTOR", factor)
    text = """
    fn hold(n) {
      let text = "x" * 100_000 + Text(n)
      receive()
      return text
    }
    fn hoard() {
      var n = 0
      while true {
        spawn hold(n)
        n += 1
        for i in 0..5_000 {}
        sleep(0)
      }
    }
    let t = spawn hoard() budget { bytes: 5_000_000 }
    try { t.join() } catch e { print(e.message.split(";")[0]) }
    """
    out: list[str] = []
    with World.open(tmp_path / "w", durability="process") as world:
        world.write = out.append
        world.run_source(text)
        holding = sum(thread.f_name == "hold" for thread in world.scheduler.living)
        assert holding >= 20  # each has two such Texts, one in a temporary
    assert out == ["the budget of 'hoard' is used up: bytes 5_000_000\n"]
