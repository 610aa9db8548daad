"""A world as a whole: what programs leave behind, changed files, and the durability of what is printed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from holdfast.vm import threads
from holdfast.vm.objects import Thrown
from holdfast.vm.outbox import SIZE_MAX
from holdfast.vm.ticker import Ticker
from holdfast.vm.world import World


def run(path: Path, *programs: tuple[str, str]) -> list[str]:
    """Run programs (text, name) one after another in one opening of a world; what they print, by line."""
    out: list[str] = []
    with World.open(path, durability="process", resume=False) as world:
        world.write = out.append
        for text, name in programs:
            world.run_source(text, name)
    return "".join(out).splitlines()


def test_everything_is_found_again(tmp_path: Path) -> None:
    """Instances, closures, classes as values, cycles and large numbers are the same in the next process."""
    text = """
class Account { owner; balance = 0
  fn deposit(n) { self.balance += n } }
fn make(k) { var c = 0; return fn() { c += k; return c } }
root.a = Account(owner: "Ada")
root.f = make(3)
root.f()
root.all = [root.a, 2 ** 100, 1..5, b"xy", Account, make, len, Set([1, 2]), KeyError("gone")]
root.me = root
"""
    assert run(tmp_path / "w", (text, "one.hold")) == []
    again = """
root.a.deposit(5)
print(root.a, root.f(), root.f(), root.me.a == root.a, root.all[0] == root.a)
print(root.all[1], root.all[2], root.all[3], root.all[4](owner: "Bob"), root.all[5](2)(), root.all[6]("abc"))
print(root.all[7], root.all[8].kind, root.all[8].message)
"""
    assert run(tmp_path / "w", (again, "two.hold")) == [
        'Account(owner: "Ada", balance: 5) 6 9 true true',
        '1267650600228229401496703205376 1..5 b"xy" Account(owner: "Bob", balance: 0) 2 3',
        "Set([1, 2]) KeyError gone",
    ]
    assert run(tmp_path / "w", (again, "two.hold"))[0] == 'Account(owner: "Ada", balance: 10) 12 15 true true'


OLD = 'class P { x; y = 1\n fn show() { return "old {self.x}" } }\nroot.p ??= P(x: 4)\nprint(root.p.show())'
NEW = """class P { x; z = 7
 fn show() { return "new {self.x} {self.z}" } }
root.p.z += 1
print(root.p.show(), P(x: 1).z)"""


@pytest.mark.parametrize("reopen", [False, True])
def test_changed_class_gives_instances_what_is_new(tmp_path: Path, reopen: bool) -> None:
    """A new version of a class gives existing instances its methods and the defaults of its new fields."""
    path = tmp_path / "w"
    first, second = (OLD, "p.hold"), (NEW, "p.hold")
    lines = [*run(path, first), *run(path, second)] if reopen else run(path, first, second)
    assert lines == ["old 4", "new 4 8 7"]
    assert run(path, ("print(root.p.z, root.p.x)", "other.hold")) == ["8 4"]


def test_running_code_keeps_its_version(tmp_path: Path) -> None:
    """A closure goes on with the code that it began with; calls by name find the newest version."""
    old = "fn step() => 1\nroot.f = fn() => [10, step()]\nprint(root.f())"
    new = "fn step() => 2\nprint(root.f())"
    assert run(tmp_path / "w", (old, "m.hold"), (new, "m.hold")) == ["[10, 1]", "[10, 2]"]


def test_failed_program_leaves_what_it_wrote(tmp_path: Path) -> None:
    """There is no transaction around a program: what it assigned before its error is kept."""
    with World.open(tmp_path / "w", durability="process") as world, pytest.raises(Thrown):
        world.run_source('root.x = 1\nthrow "no"')
    assert run(tmp_path / "w", ("print(root.x)", "m.hold")) == ["1"]


COUNTER = """
import sys
import threading
from holdfast.vm.world import World
world = World.open(sys.argv[1])
world.write = lambda text: (sys.stdout.write(text), sys.stdout.flush())
world.run_source('''
root.n ??= 0
root.log ??= []
while true {
  atomic { root.n += 1; root.log.push(root.n) }
  print(root.n)
}
''')
"""


@pytest.mark.slow
def test_nothing_printed_is_lost(tmp_path: Path) -> None:
    """Whenever the process is killed: what was printed is in the world, and the world is a state that has been."""
    seed = int(os.environ.get("HOLDFAST_SEED", "0")) or random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    for _ in range(20):
        child = subprocess.Popen(
            [sys.executable, "-c", COUNTER, str(tmp_path / "w")], stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert child.stdout is not None
        last = ""
        for _ in range(chance.randrange(1, 400)):
            last = child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().splitlines()
        child.wait()
        child.stdout.close()
        complete = [line for line in [last.strip(), *rest[:-1]] if line]
        found = run(tmp_path / "w", ("print(root.n, len(root.log), root.log[-1])", "look.hold"))
        n, length, newest = map(int, found[0].split())
        assert n == length == newest
        assert n >= int(complete[-1])


def test_new_objects_stay_within_the_memory(tmp_path: Path) -> None:
    """A program that fills a List keeps about as many objects in memory as it may, though the List is never clean."""
    fill = """
        class Point { x }
        root.points ??= []
        let points = root.points
        for i in 0..9_000 { points.push(Point(i)) }
    """
    with World.open(tmp_path / "world", durability="process", memory_limit=9_000_000) as world:
        for turn in range(10):
            world.run_source(fill)
            world.checkpoint()
            world.run_source("root.points.push(nil)")  # changed again, while the others are made ghosts
            while world.heap.over_limit or world.outbox.sweep is not None:
                world.outbox.evict()
            assert world.heap.memory_used <= 9_000_000
            assert len(world.heap.table) < 31_000, turn
        printed: list[str] = []
        world.write = printed.append
        world.run_source("print(root.points.reduce(fn(sum, p) => sum + (p?.x ?? 0), 0))")
        world.checkpoint()
        assert printed == [f"{10 * sum(range(9_000))}\n"]


def test_a_slow_flush_makes_who_prints_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the disk takes its time, no more text is kept than is stated, however fast a program prints."""
    with World.open(tmp_path / "world") as world:
        gate = threading.Event()
        flush = world.store._flush_raw
        monkeypatch.setattr(world.store, "_flush_raw", lambda: (gate.wait(60), flush()))
        printed: list[int] = []
        world.write = lambda text: printed.append(len(text))
        unit = world.modules.program('root.x = 1\nlet s = "x" * 99_999\nfor _ in 0..2_000 { print(s) }', "main.hold")
        thread = world.start_program(unit)
        with Ticker(world.globals):
            while thread.f_state != "sleeping":
                world.scheduler.turn()
                assert world.outbox.size <= SIZE_MAX + 100_000
        assert thread in world.outbox.waiting and not printed
        gate.set()
        world.run_thread(thread)
        world.checkpoint()
        assert sum(printed) == 2_000 * 100_000
        assert max(printed) <= SIZE_MAX + 100_000


def test_migrate(tmp_path: Path) -> None:
    """An instance of an older version of its class is what ``migrate`` makes of its fields, when it is next read."""
    old = 'class P { name }\nroot.p = P("Ada Lovelace")\nroot.q = P("x")'
    new = """
        class P {
            first
            last = "?"
            born = 1815
            fn migrate(old) {
                let parts = old.name.split(" ")
                if len(parts) < 2 { throw ValueError("no last name in {old.name}") }
                return {first: parts[0], last: parts[1]}
            }
        }
        print(root.p)
        try { print(root.q.first) } catch e { print(e.kind, e.message) }
        try { print(root.q.first) } catch e { print(e.kind) }
    """
    run(tmp_path / "w", (old.replace("{ name }", "{\nname\n}"), "p.hold"))
    shown = 'P(first: "Ada", last: "Lovelace", born: 1815)'
    assert run(tmp_path / "w", (new, "p.hold")) == [shown, "ValueError no last name in x", "ValueError"]
    assert run(tmp_path / "w", ("print(root.p)", "look.hold")) == [shown]


def test_migrate_has_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It must give a Map, and come to an end."""
    monkeypatch.setattr(threads, "ATOMIC_S", 0.5)
    old = "class P {\na\n}\nroot.p = P(1)"
    for body, error in (("5", "TypeError"), ("{while true {}}", "LimitError")):
        path = tmp_path / error
        run(path, (old, "p.hold"))
        arrow = "" if body.startswith("{") else "=>"
        new = f"class P {{\nb = 2\nfn migrate(old) {arrow} {body}\n}}\n"
        new += "try { print(root.p.b) } catch e { print(e.kind) }"
        assert run(path, (new, "p.hold")) == [error]


def test_an_object_gets_one_id(tmp_path: Path) -> None:
    """Who asks for the id of an object, while a checkpoint is about to give it one, gets that one."""
    with World.open(tmp_path / "w", durability="process") as world:
        world.run_source("class P { n }\nroot.p = P(7)", "a.hold")
        world.checkpoint()
        world.run_source("class P { n }\nroot.p = P(8)", "a.hold")
        if world.heap.open is None:
            world.outbox.begin()
        found = world.heap.root.v["p"]
        oid = world.give_id(found)
        assert [key for key in world.heap.table if world.heap.loaded(key) is found] == [oid]
        world.checkpoint()
        assert world.heap.root.v["p"]._i == oid
