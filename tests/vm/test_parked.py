"""Threads that wait for a message when their world is opened: ghosts, until somebody touches them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from holdfast.vm.ids import kid
from holdfast.vm.limits import CALL_DEPTH
from holdfast.vm.living import THREADS, header_name
from holdfast.vm.objects import is_ghost
from holdfast.vm.store import Store, StoreError, object_key
from holdfast.vm.world import World

MANY = 40
SETUP = """
fn hold(n) {
  let mine = "local {n}"
  while true {
    let message = receive()
    if message.value == "stop" { return "{mine} stopped" }
    if message.value == "fail" { throw ValueError(mine) }
    if message.value == "question" { message.reply("{mine} answers") }
  }
}
root.threads = []
for n in 0..40 { root.threads.push(spawn hold(n)) }
for t in root.threads { while t.state != "receiving" { sleep(0) } }
"""


def opened(path: Path, printed: list[str] | None = None) -> World:
    world = World.open(path, durability="process")
    if printed is not None:
        world.write = printed.append
    return world


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A world with threads that wait for messages."""
    with opened(tmp_path / "w") as world:
        world.run_source(SETUP, "setup.hold")
    return tmp_path / "w"


def parked(world: World) -> list[Any]:
    """The living threads that are ghosts."""
    return [thread for thread in world.scheduler.living if is_ghost(thread)]


def run(world: World, printed: list[str], text: str) -> list[str]:
    """What a program prints."""
    printed.clear()
    world.run_source(text, "look.hold")
    world.checkpoint()
    return "".join(printed).splitlines()


def test_opening_reads_none(path: Path) -> None:
    """They are there, in order, and in the statistics; and nothing of them is in memory."""
    with opened(path) as world:
        assert len(parked(world)) == MANY == len(world.scheduler.living)
        assert world.statistics()["threads"] == MANY
        assert world.statistics()["states"] == {"receiving": MANY}
        assert len(parked(world)) == MANY
        assert world.scheduler.awake() == []
        world.run_source("nil", "other.hold")
        assert len(parked(world)) == MANY
    with opened(path) as world:  # and not touching them has changed nothing
        assert len(parked(world)) == MANY


TOUCHES = {
    "send": ('t.send("stop")\nprint(t.join())', ["local 7 stopped"]),
    "ask": ('print(t.ask("question"))', ["local 7 answers"]),
    "fail": (
        't.send("fail")\ntry { t.join() } catch e { print(e.kind, e.message) }\n'
        "print(t.state, t.frames[0].locals.mine)",
        ["ValueError local 7", "failed local 7"],
    ),
    "kill": (
        "t.kill()\ntry { t.join() } catch e { print(e.kind) }\nprint(t.state)",
        ["ThreadError", "failed"],
    ),
    "suspend": (
        't.suspend()\nt.send("stop")\nsleep(0.01)\nprint(t.state)\nt.resume()\nprint(t.join())',
        ["suspended", "local 7 stopped"],
    ),
    "priority": ('t.set_priority("high")\nprint(t.priority, t.state)\nt.send("stop")\nprint(t.join())', None),
    "frames": (
        "print(t.frames[0].locals.mine, t.frames[0].locals.n, t.frames[0].function, t.state, t.name)",
        ["local 7 7 hold receiving hold"],
    ),
    "first": ('t.send("stop")\nprint(threads.wait(root.threads) is Thread)\nprint(t.join())', None),
    "all": ("print(len(threads.all()))", ["41"]),
    "key": ("let m = {(t): 1}\nprint(m[root.threads[7]], t == root.threads[7])", ["1 true"]),
    "copied": ("root.again = t\nprint(t in root.threads)", ["true"]),
}


@pytest.mark.parametrize("again", [False, True], ids=["once", "opened-again"])
@pytest.mark.parametrize("name", list(TOUCHES))
def test_touch(path: Path, name: str, again: bool) -> None:
    """Whatever a program does first with such a thread does what it does with one that has never left memory; and
    the same when the world was opened and closed in between."""
    text, expected = TOUCHES[name]
    if again:
        opened(path).close()
    printed: list[str] = []
    with opened(path, printed) as world:
        found = run(world, printed, f"let t = root.threads[7]\n{text}")
        assert not world.scheduler.damaged
    with opened(path.parent / "fresh", printed) as world:
        world.run_source(SETUP, "setup.hold")
        assert found == run(world, printed, f"let t = root.threads[7]\n{text}")
    assert expected is None or found == expected


def test_only_one_is_touched(path: Path) -> None:
    """The others stay what they are, and what was touched goes on from the next checkpoint when the world is opened."""
    printed: list[str] = []
    with opened(path, printed) as world:
        assert run(world, printed, 'print(root.threads[3].ask("question"))') == ["local 3 answers"]
        assert len(parked(world)) == MANY - 1
    with opened(path, printed) as world:
        assert len(parked(world)) == MANY
        assert run(world, printed, 'print(root.threads[3].ask("question"))') == ["local 3 answers"]


def damage(path: Path, which: list[str]) -> int:
    """Flip a bit in records of the thread at place 5; gives its id."""
    with opened(path) as world:
        oid: int = world.heap.root.v["threads"].v[5]._i
    store = Store(path)
    batch = store.batch()
    keys = {"object": object_key(oid), "header": b"S" + header_name(oid)}
    for key in (keys[name] for name in which):
        record = store.get(key)
        assert record is not None
        batch.put(key, record[:-1] + bytes((record[-1] ^ 1,)))
    store.write(batch)
    store.close()
    return oid


@pytest.mark.parametrize("which", ["object", "header", "both"])
def test_damage_is_met_by_who_touches(path: Path, which: str) -> None:
    """A damaged record makes its thread one that cannot go on, with the reason, when somebody touches it at the latest;
    the others go on."""
    oid = damage(path, ["object", "header"] if which == "both" else [which])
    printed: list[str] = []
    with opened(path, printed) as world:
        text = 'let t = root.threads[5]\ntry { t.send("stop") } catch e { print(e.kind) }\nprint(t.state)\n'
        text += (
            'try { t.join() } catch e { print(e.kind, "damaged" in e.message) }\nprint(root.threads[6].ask("question"))'
        )
        assert run(world, printed, text) == ["ThreadError", "failed", "ThreadError true", "local 6 answers"]
        assert [kid(thread._i) for thread in world.scheduler.damaged] == [kid(oid)]
        for _ in world.heap.sweep(0):
            pass
        assert run(world, printed, "print(root.threads[5].state)") == ["failed"]
    with opened(path) as world:  # its records stay, since they may be mended
        assert world.store.get(b"S" + header_name(oid)) is not None


@pytest.mark.parametrize("how", ["wait", "join", "ask"])
def test_who_waits_for_a_damaged_one_is_told(path: Path, how: str) -> None:
    """Its object's record is damaged, which nobody has read yet: who waits for it, or has waited, goes on."""
    waiting = {"wait": "threads.wait(root.threads) == t", "join": "t.join()", "ask": 't.ask("question")'}[how]
    text = f"let t = root.threads[5]\ntry {{ print({waiting}) }} catch e {{ print(e.kind) }}\n"
    damage(path, ["object"])
    printed: list[str] = []
    with opened(path, printed) as world:
        assert run(world, printed, text) == ["true" if how == "wait" else "ThreadError"]


def test_who_has_joined_a_damaged_one_is_told(path: Path) -> None:
    """The same for a thread that waits since before the world was closed."""
    with opened(path) as world:
        world.run_source(
            "fn wait() { try { root.threads[5].join() } catch e { root.told = e.kind } }\nroot.waiter = spawn wait()\n"
            'while root.waiter.state != "joining" { sleep(0) }',
            "wait.hold",
        )
    damage(path, ["object"])
    printed: list[str] = []
    with opened(path, printed) as world:
        assert run(world, printed, "root.waiter.join()\nprint(root.told)") == ["ThreadError"]


DEEP = """
fn down(d, t) { if d == 0 { return t.name }
 return down(d - 1, t) }
"""


@pytest.mark.parametrize("below", range(8, 44, 6))
def test_touched_where_the_stack_ends(path: Path, below: int) -> None:
    """Where there is no room to bring it back, nothing has happened to it."""
    printed: list[str] = []
    with opened(path, printed) as world:
        text = f"let t = root.threads[7]\ntry {{ down({CALL_DEPTH - below}, t) }} catch e {{ }}\n"
        text += 't.send("stop")\nprint(t.join())'
        assert run(world, printed, DEEP + text) == ["local 7 stopped"]


def test_touched_while_the_disk_fails(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that fails harms the thread for no longer."""
    printed: list[str] = []
    with opened(path, printed) as world:
        get, failing = world.store.get, [1]

        def unreadable(key: bytes) -> bytes | None:
            if key.startswith(b"S" + THREADS) and failing:
                failing.clear()
                raise StoreError("the disk cannot be read")
            return get(key)

        monkeypatch.setattr(world.store, "get", unreadable)
        text = 'try { root.threads[7].send("stop") } catch e { print(e.kind) }\nroot.threads[7].send("stop")\n'
        found = run(world, printed, text + "print(root.threads[7].join())")
        assert not failing
        assert found[-1] == "local 7 stopped"


def test_those_that_wait_for_more_are_none(tmp_path: Path) -> None:
    """With a message in the mailbox, a timeout, another priority, a budget, or suspended: those are brought back."""
    text = """
fn hold(timeout) { while true { receive(timeout) } }
fn other() { receive(); receive() }
root.threads = [
  spawn hold(100), spawn hold(nil), spawn hold(nil), spawn hold(nil) budget {cpu_ms: 5_000}, spawn hold(nil),
]
for t in root.threads { while t.state != "receiving" { sleep(0) } }
root.threads[1].suspend()
root.threads[2].set_priority("low")
root.threads[1].send("while suspended")
"""
    with opened(tmp_path / "w") as world:
        world.run_source(text, "setup.hold")
    with opened(tmp_path / "w") as world:
        threads = world.heap.root.v["threads"].v
        assert [is_ghost(thread) for thread in threads] == [False, False, False, False, True]
        assert len(list(world.store.scan(b"S" + THREADS))) == 5
