"""A thread that runs on the stack of who joins it does what it would do on its own, and so does the other one."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest

from holdfast.vm import control
from holdfast.vm.lending import Lending
from holdfast.vm.world import World
from tests.vm.dying import die

PROGRAMS = {
    "in order": """
        fn say(x) { print(x) }
        let a = spawn say("a")
        let b = spawn say("b")
        a.join()
        print("main")
        b.join()
    """,
    "in order behind a wait": """
        fn child(x) {
          sleep(0)
          print(x)
        }
        fn lender() {
          let a = spawn child("a")
          let b = spawn child("b")
          a.join()
          print("l")
          b.join()
        }
        (spawn lender()).join()
    """,
    "by priority": """
        fn high() { print("high") }
        fn work(h) {
          h.resume()
          print("borrower")
        }
        fn low(h) {
          (spawn work(h)).join()
          print("low")
        }
        let h = spawn high()
        h.suspend()
        h.set_priority("high")
        let x = spawn low(h)
        x.set_priority("low")
        x.join()
        h.join()
    """,
    "killed, and rights given up": """
        fn b(l) {
          l.kill()
          caps.drop("root")
          receive(0.02)
        }
        fn lender() { try { (spawn b(threads.self())).join() } finally { print("finally") } }
        let l = spawn lender()
        try { l.join() } catch e { print(e.message) }
        print(l.state)
    """,
    "killed by one that gives way": """
        fn b(l) {
          l.kill()
          for i in 0..3 { sleep(0) }
        }
        fn lender() { try { (spawn b(threads.self())).join() } finally { print("finally") } }
        let l = spawn lender()
        try { l.join() } catch e { print(e.message) }
        print(l.state)
    """,
    "killed and suspended": """
        fn b(l) {
          l.kill()
          l.suspend()
        }
        fn lender() { try { (spawn b(threads.self())).join() } finally { print("finally") } }
        let l = spawn lender()
        while l.state != "suspended" and l.state != "failed" { sleep(0) }
        print(l.state)
        l.resume()
        try { l.join() } catch e { print(e.message) }
    """,
    "suspended and stepped": """
        fn b(l) {
          l.suspend()
          l.step()
        }
        fn lender() {
          (spawn b(threads.self())).join()
          for i in 0..10 { root.n = i }
        }
        root.n = -1
        let l = spawn lender()
        while l.state != "suspended" and l.state != "done" { sleep(0) }
        print(l.state, root.n < 9)
        l.kill()
    """,
    "doomed, for one that waits": """
        fn forever() { receive() }
        fn lender() { try { sleep(100) } finally { (spawn forever()).join() } }
        let l = spawn lender()
        while l.state != "sleeping" { sleep(0) }
        l.kill()
        try { l.join() } catch e { print(e.message) }
        print(l.state)
    """,
    "doomed, for one that spins": """
        fn forever() { while true { } }
        fn lender() { try { receive() } finally { (spawn forever()).join() } }
        let l = spawn lender()
        while l.state != "receiving" { sleep(0) }
        l.kill()
        try { l.join() } catch e { print(e.message) }
        print(l.state)
        for t in threads.all() { if t != threads.self() { t.kill() } }
    """,
}


def outcome(path: Path, text: str, torture: int) -> list[str]:
    """What a program prints, or what the machine says when nothing can happen any more."""
    out: list[str] = []
    with World.open(path, durability="process") as world:
        world.write = out.append
        world.scheduler.torture = torture
        world.globals["_poll"] = True
        world.run_source(text)
    return "".join(out).splitlines()


@pytest.mark.parametrize("torture", [0, 1])
@pytest.mark.parametrize("name", PROGRAMS)
def test_it_makes_no_difference(name: str, torture: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same is printed where no stack is ever lent."""
    monkeypatch.setattr(control, "KILL_S", 0.1)
    monkeypatch.setattr(control, "KILL_RUN_S", 0.1)
    lent = outcome(tmp_path / "a", PROGRAMS[name], torture)
    monkeypatch.setattr(Lending, "run_here", lambda scheduler, thread: None)
    assert lent == outcome(tmp_path / "b", PROGRAMS[name], torture)


BEGUN = """
    root.n = 0
    fn f() {
      root.n += 1
      receive()
    }
    fn lender() {
      let t = spawn f()
      root.t = t
      print("x")
      var k = 0
      for i in 0..300_000 { k += 1 }   // some slices; a checkpoint is written in between
      t.join()
    }
    root.l = spawn lender()
    root.l.set_priority("high")
    while not ("t" in root) or root.t.state != "receiving" { sleep(0.001) }
"""


def test_none_begins_twice(tmp_path: Path) -> None:
    """A thread that a checkpoint has seen before it began, and that was lent a stack then, has begun in the next."""
    world = World.open(tmp_path / "w", durability="process")
    world.run_source(BEGUN)
    world.checkpoint()
    die(world)
    out: list[str] = []
    with World.open(tmp_path / "w", durability="process") as world:
        world.write = out.append
        world.run_source("sleep(0.05)\nprint(root.n, root.t.state)", "look.hold")
    assert "".join(out) == "1 receiving\n"


LOST = """
    fn b(l) {
      atomic {   // so that the next checkpoint takes more than one slice
        for x in root.big { x.push(1) }
        print("x")
        l.kill()
      }
      for i in 0..3 { sleep(0) }
      return receive().value
    }
    fn lender() {
      let t = spawn b(threads.self())
      root.b = t
      t.join()
    }
    root.big = (0..20_000).map(fn(i) => [i])
    print("y")
    sleep(1)
    root.b = nil
    root.l = spawn lender()
    sleep(1)
    while root.b == nil or root.b.state != "receiving" or root.l.state != "failed" { sleep(0.01) }
"""


def test_a_killed_lender_takes_no_frames_along(tmp_path: Path) -> None:
    """Its borrower's stack is read while the greenlet of both runs: the checkpoint that is open has it."""
    world = World.open(tmp_path / "w", durability="process")
    living: Any = world.outbox.living
    written = living.written
    empty: list[str] = []

    def look() -> None:
        written()
        for thread in world.scheduler.living:
            if thread.name == "b" and thread.stored == 0 and thread.begin is None:
                empty.append("a thread that has begun has no frames on disk")

    living.written = look
    world.run_source(LOST)
    world.checkpoint()
    die(world)
    assert not empty
    out: list[str] = []
    with World.open(tmp_path / "w", durability="process") as world:
        world.write = out.append
        world.run_source("print(root.b.state, root.l.state)\nroot.b.send(5)\nprint(root.b.join())", "look.hold")
    assert "".join(out) == "receiving failed\n5\n"


def test_failed_ones_are_let_go(tmp_path: Path) -> None:
    """A thread that has failed on a borrowed stack is no garbage that only the host's collector frees."""
    with World.open(tmp_path / "w", durability="process") as world:
        gc.collect()
        gc.disable()
        try:
            world.run_source(
                "fn bad() { throw ValueError() }\nfor i in 0..100 { try { (spawn bad()).join() } catch e { } }"
            )
            assert len(world.scheduler.failures) <= 2
        finally:
            gc.enable()
