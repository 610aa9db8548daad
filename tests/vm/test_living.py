"""Threads in worlds that are closed and opened again: what each kind of thread finds, and what damage does."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from holdfast.vm import control, ids, stacks, threads, waits
from holdfast.vm.codec import DamagedRecord, seal_record
from holdfast.vm.maintenance import check
from holdfast.vm.positions import Position, iterator_at
from holdfast.vm.session import Session
from holdfast.vm.store import Store
from holdfast.vm.world import World

RECEIVING = 'while root.t.state != "receiving" { sleep(0) }\n'
"""Until the thread has come so far: it may be preempted before."""


def start(path: Path, text: str) -> None:
    """Run a program whose main thread ends, and close the world."""
    with World.open(path, durability="process") as world:
        world.run_source(text)


def go_on(path: Path, text: str) -> list[str]:
    """What another program prints in the world, opened again."""
    out: list[str] = []
    with World.open(path, durability="process") as world:
        world.write = out.append
        world.run_source(text, "look.hold")
    return "".join(out).splitlines()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "world"


def test_deep_recursion(path: Path) -> None:
    """A stack of 100,000 frames is saved and returned through, and only what is needed of it is read."""
    start(
        path,
        """
        fn down(n) {
            if n == 0 { return receive().value }
            return 1 + down(n - 1)
        }
        root.t = spawn down(100_000)
        while root.t.state != "receiving" { sleep(0) }
        """,
    )
    with World.open(path, durability="process") as world:
        (thread,) = world.scheduler.living
        assert thread.stored == 100_001
        first = [frame.n for frame, _ in zip(world.looking.frames(thread), range(3), strict=False)]
        assert len(first) == 3
        assert thread.stack is not None and not thread.stack.frames
    assert go_on(path, "root.t.send(7)\nprint(root.t.join())") == ["100007"]


def test_what_only_a_stack_has(path: Path) -> None:
    """Objects, closures and captured variables that only a frame refers to, shared as they were."""
    start(
        path,
        """
        class Point { x }
        fn work() {
            let p = Point([1])
            let same = p
            var n = 0
            let add = fn(k) {
                n += k
                return p
            }
            let m = receive()
            add(m.value)
            p.x.push(n)
            return [p.x, same == p, add(1) == p, n]
        }
        root.t = spawn work()
        while root.t.state != "receiving" { sleep(0) }
        """,
    )
    assert go_on(path, "root.t.send(5)\nprint(root.t.join())") == ["[[1, 5], true, true, 6]"]


def test_constructors(path: Path) -> None:
    """A thread that is saved while a class makes an instance, also when the class has changed since."""
    text = """
        class Base {
            x = receive().value
        }
        class P extends Base {
            y
            fn init(y) { self.y = [y, receive().value] }
        }
    """
    start(path, text + "fn make() => P(1)\nroot.t = spawn make()\n" + RECEIVING)
    start(path, text.replace("y\n", "y\nz = 5\n", 1))
    assert go_on(path, "root.t.send(2)\nroot.t.send(3)\nlet p = root.t.join()\nprint(p.x, p.y)") == ["2 [1, 3]"]


def test_errors_in_flight(path: Path) -> None:
    """A finally that waits throws on what it was throwing; a catch that waits knows its error."""
    start(
        path,
        """
        fn final() {
            try { throw KeyError("k") } finally { receive() }
        }
        fn caught() {
            try { throw ValueError("v") } catch e {
                receive()
                return e.message
            }
        }
        fn leaving() {
            for x in [1, 2] {
                try { return x } finally { receive() }
            }
        }
        root.ts = [spawn final(), spawn caught(), spawn leaving()]
        while root.ts.any(fn(t) => t.state != "receiving") { sleep(0) }
        """,
    )
    look = """
        for t in root.ts { t.send(1) }
        try { root.ts[0].join() } catch e { print(e) }
        print(root.ts[1].join(), root.ts[2].join())
    """
    assert go_on(path, look) == ["KeyError: k", "v 1"]


def test_sleep_never_grows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of a sleep is at most how long it was, whatever became of the clock."""
    naps = "fn nap(n) { sleep(n) }\nroot.a = spawn nap(1000)\nroot.b = spawn nap(0.5)\n"
    start(path, naps + 'while root.b.state != "sleeping" { sleep(0) }')
    now = waits.time()
    for clock, least, most in ((now + 10_000, -10_000, 0), (now - 10_000, 1000, 1000), (now + 100, 850, 901)):
        monkeypatch.setattr(waits, "time", lambda clock=clock: clock)
        with World.open(path, durability="process") as world:
            long = next(thread for thread in world.scheduler.living if thread.wait.deadline.seconds == 1000)
            assert least - 1 <= long.wait.deadline.at - waits.monotonic() <= most
    monkeypatch.undo()
    assert go_on(path, "root.b.join()\nprint(root.a.state)") == ["sleeping"]


def test_not_begun_suspended_and_killed(path: Path) -> None:
    """A thread that has not begun begins, one that is suspended stays so, one that is to be killed is killed."""
    with World.open(path, durability="process") as world:
        world.run_source(
            """
            fn say(a, b = 2) => [a, b]
            fn forever() { try { while true { sleep(1000) } } finally { root.done = true } }
            root.ts = [spawn say(1, b: 5), spawn forever(), spawn forever()]
            root.ts[0].suspend()
            root.ts[2].suspend()
            while root.ts[1].state != "sleeping" { sleep(0) }
            root.ts[1].kill()
            root.ts[1].suspend()
            """
        )
    look = """
        print(root.ts.map(fn(t) => t.state))
        for t in root.ts { t.resume() }
        print(root.ts[0].join())
        try { root.ts[1].join() } catch e { print(e.message, root.done) }
        while root.ts[2].state != "sleeping" { sleep(0) }
        print("sleeping")
    """
    expected = ['["suspended", "suspended", "suspended"]', "[1, 5]", "the thread was killed true", "sleeping"]
    assert go_on(path, look) == expected


def test_running_code_keeps_its_version(path: Path) -> None:
    """A frame goes on in the code that it began with; what it calls is the newest version."""
    text = 'fn step() => "old"\nfn work() {\n let m = receive()\n return "VERSION {step()}"\n}\n'
    start(path, text.replace("VERSION", "first") + "root.t = spawn work()\n" + RECEIVING)
    start(path, text.replace("VERSION", "second").replace('"old"', '"new"'))
    assert go_on(path, "root.t.send(1)\nprint(root.t.join())") == ["first new"]


def test_messages_survive(path: Path) -> None:
    """Mailboxes, questions that wait, and who asked."""
    start(
        path,
        """
        fn server() {
            let m = receive()
            m.reply([m.value, m.sender == root.asker])
            return receive().value
        }
        fn ask(t) => t.ask("q")
        root.server = spawn server()
        root.server.suspend()
        root.asker = spawn ask(root.server)
        while root.asker.state != "joining" { sleep(0) }
        root.server.send({a: 1})
        """,
    )
    look = "root.server.resume()\nprint(root.asker.join(), root.server.join())"
    with World.open(path, durability="process") as world:
        assert [thread.f_state for thread in world.scheduler.living] == ["suspended", "joining"]
    assert go_on(path, look) == ['["q", true] {"a": 1}']


def damage(path: Path, prefix: bytes, change: Any) -> None:
    """Change the payload of the first record whose key begins so."""
    store = Store(path, create=False)
    try:
        key, record = next(iter(store.scan(prefix)))
        batch = store.batch()
        batch.put(key, change(key, record))
        store.write(batch)
    finally:
        store.close()


@pytest.mark.parametrize("prefix", [b"ST", b"SF", b"Mcode:"])
@pytest.mark.parametrize("how", ["flipped", "nonsense"])
def test_damage_stops_one_thread(path: Path, prefix: bytes, how: str) -> None:
    """A damaged record of a thread stops that thread alone, with its reason; its records stay."""
    start(
        path,
        "fn wait() => receive().value\nfn other() => receive().value\n"
        "root.a = spawn wait()\nroot.b = spawn other()\n"
        + RECEIVING.replace("t.s", "a.s")
        + RECEIVING.replace("t.s", "b.s"),
    )
    flip = lambda key, record: record[:-1] + bytes([record[-1] ^ 1])  # noqa: E731
    nonsense = lambda key, record: seal_record(key, b"\x91\x01")  # noqa: E731
    damage(path, prefix, flip if how == "flipped" else nonsense)
    look = """
        try { root.a.send(1) } catch e { }
        try { print(root.a.join()) } catch e { print(e.kind, "damaged" in e.message) }
        root.b.send(2)
        print(root.b.join())
    """
    assert go_on(path, look) == ["ThreadError true", "2"]
    store = Store(path, create=False)
    try:
        *_, report = check(store)
        assert report.problems or how == "nonsense"
    finally:
        store.close()


def test_a_thread_fails_beside_damage(path: Path) -> None:
    """A failing frame's variables are kept but for one whose record is damaged, which it has not looked at."""
    text = """
fn work(seen) {
  var n = 1
  root.f = fn() => n
  n += 1
  receive()
  throw "no"
}
root.t = spawn work(7)
"""
    start(path, text + RECEIVING)
    flip = lambda key, record: record[:-1] + bytes([record[-1] ^ 1])  # noqa: E731
    damage(path, b"O" + (ids.BOX << ids.SERIAL_BITS).to_bytes(8, "big")[:3], flip)
    use = "root.t.send(1)\ntry { root.t.join() } catch e { print(e.message) }\nprint(root.t.frames[0].locals)"
    assert go_on(path, use) == ["no", '{"seen": 7}']


def test_a_world_of_waiting_threads(path: Path) -> None:
    """Threads that wait are records: past a number of them none has a stack, and each goes on when it is told."""
    count = 2_500
    with World.open(path, durability="process") as world:
        world.run_source(
            f"""
            fn actor(k) {{
                let m = receive()
                return m.value + k
            }}
            root.ts = []
            for i in 0..{count} {{ root.ts.push(spawn actor(i)) }}
            sleep(0)
            """
        )
        world.checkpoint()
        while world.living.drop_some():
            continue
        assert sum(thread.greenlet is not None for thread in world.scheduler.living) <= 1_000
        world.run_source("for t in root.ts { if t.id.len() > 0 { t.send(1) } }", "look.hold")
        total = world.run_source("root.ts.reduce(fn(sum, t) => sum + t.join(), 0)", "sum.hold")
        assert total == sum(range(1, count + 1))


def test_old_code_is_freed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions that no frame refers to any more are dropped at an opening; those of living threads stay."""
    monkeypatch.setattr(stacks, "KEPT_MAX", 3)
    start(path, "fn wait() => receive().value\nroot.t = spawn wait()\n" + RECEIVING)
    for turn in range(6):
        start(path, f"fn other{turn}() => receive()\nlet t = spawn other{turn}()\nprint({turn})\nsleep(0)\nt.kill()")
    assert go_on(path, "print(threads.all().map(fn(t) => t.name))") == ['["wait", "main"]']
    store = Store(path, create=False)
    try:
        assert len(list(store.scan(b"Mcode:"))) <= 5
    finally:
        store.close()
    assert go_on(path, "root.t.send(3)\nprint(root.t.join())") == ["3"]


@pytest.mark.parametrize(
    "body", ["while true {}", "sleep(1000)", "receive()", "try { while true {} } finally { sleep(9) }"]
)
def test_kill_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """The finally blocks of a killed thread run, and when that takes too long it ends all the same."""
    monkeypatch.setattr(control, "KILL_S", 0.05)
    monkeypatch.setattr(control, "KILL_RUN_S", 0.05)
    text = f"""
        fn work() {{
            try {{ sleep(1000) }} finally {{
                root.begun = true
                {body}
            }}
        }}
        let t = spawn work()
        while t.state != "sleeping" {{ sleep(0) }}
        t.kill()
        try {{ t.join() }} catch e {{ print(e.message, root.begun) }}
        print(t.state)
    """
    assert go_on(path, text) == ["the thread was killed, and its finally blocks took too long true", "failed"]


@pytest.mark.parametrize("body", ["while true {}", "sleep(1000)", "receive()", "while true { sleep(0) }"])
@pytest.mark.parametrize("budget", ["", "budget { cpu_ms: 50 }"])
def test_kill_is_bounded_over_restarts(path: Path, monkeypatch: pytest.MonkeyPatch, body: str, budget: str) -> None:
    """A killed thread that comes back in its finally blocks still ends, and stands still at no budget."""
    ending = f"try {{ sleep(1000) }} finally {{ {body} }}"
    start(
        path,
        f"""
        fn work() {{ {ending} }}
        root.t = spawn work() {budget}
        while root.t.state != "sleeping" {{ sleep(0) }}
        root.t.kill()
        for i in 0..3 {{ sleep(0) }}
        """,
    )
    monkeypatch.setattr(control, "KILL_S", 0.05)
    monkeypatch.setattr(control, "KILL_RUN_S", 0.05)
    text = "try { root.t.join() } catch e { print(e.kind) }\nprint(root.t.state)"
    out = go_on(path, text)
    assert out[1] == "failed"
    assert out[0] in ("ThreadError", "BudgetError")


KILLED = """
    fn work() {
        try { sleep(1000) } finally {
            BODY
            print("complete")
        }
    }
    let t = spawn work()
    while t.state != "sleeping" { sleep(0) }
    t.kill()
    try { t.join() } catch e { print(e.message) }
"""


@pytest.mark.parametrize("body", ["sleep(0.01)", "receive(0.01)", "(spawn sleep(0.01)).join()"])
def test_a_killed_thread_may_wait(path: Path, body: str) -> None:
    """In its finally blocks, for what comes in time."""
    assert go_on(path, KILLED.replace("BODY", body)) == ["complete", "the thread was killed"]


@pytest.mark.parametrize("body", ["for i in 0..100_000 { root.i = i }", "sleep(0.01)"])
def test_a_busy_machine_cuts_no_finally(path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """What has had no processor time has not taken too long, whatever the clock says."""
    ahead = [0.0]
    for module in (control, threads, waits):
        monkeypatch.setattr(module, "monotonic", lambda: monotonic() + ahead[0])
    doom = control.Control.interrupt

    def interrupt(self: Any, thread: Any, message: str, kill: bool = False) -> None:
        doom(self, thread, message, kill)
        if body.startswith("for"):
            ahead[0] = 100.0  # it does not run before this

    monkeypatch.setattr(control.Control, "interrupt", interrupt)
    begin = waits.Sleep.begin

    def stalled(self: waits.Sleep, scheduler: Any, thread: Any) -> None:
        begin(self, scheduler, thread)
        if thread.doomed:
            ahead[0] = 100.0  # nor while it sleeps

    monkeypatch.setattr(waits.Sleep, "begin", stalled)
    assert go_on(path, KILLED.replace("BODY", body)) == ["complete", "the thread was killed"]
    assert ahead[0] == 100.0


def test_an_entry_has_its_turn_at_once(path: Path) -> None:
    """Beside many threads that spin, an entry of a session is the next to run."""
    with World.open(path, durability="process") as world:
        world.run_source("fn spin() { while true {} }\nroot.ts = []\nfor i in 0..100 { root.ts.push(spawn spin()) }")
        entry = Session(world, "s").start("1 + 1")
        switches = world.scheduler.switches
        world.run_thread(entry.thread)
        assert entry.thread.f_result == 2
        assert world.scheduler.switches - switches <= 20
        for thread in list(world.scheduler.living):
            world.scheduler.interrupt(thread, "enough", kill=True)


def test_a_call_that_has_done_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made again by the frame that stands there; a thread that is nothing but the call says so."""
    monkeypatch.setattr(waits.Sleep, "record", lambda wait: waits.Redo().record())
    naps = "fn nap() {\nsleep(0.01)\nreturn 1\n}\nroot.a = spawn nap()\nroot.b = spawn sleep(0.01)\n"
    start(path, naps + 'while root.b.state != "sleeping" or root.a.state != "sleeping" { sleep(0) }')
    monkeypatch.undo()
    look = "print(root.a.join())\ntry { root.b.join() } catch e { print(e.kind, e.message) }"
    error = "ThreadError the world was opened again before this call had done anything: make it again"
    assert go_on(path, look) == ["1", error]


def test_a_position_that_fits_nothing() -> None:
    """A loop over what a damaged frame says cannot be walked over is told as damage."""
    for source in (None, 5, True):
        with pytest.raises(DamagedRecord):
            iterator_at(source, 1, Position(0), None)


def test_timers_that_passed_meanwhile(path: Path) -> None:
    """Threads whose time has come while the world was closed wake in the order of their times."""
    start(
        path,
        """
        root.woken = []
        fn nap(n) {
            sleep(n)
            root.woken.push(n)
        }
        root.ts = [0.03, 0.01, 0.02, 0.001].map(fn(n) => spawn nap(n))
        while not root.ts.all(fn(t) => t.state == "sleeping") { sleep(0) }
        """,
    )
    with World.open(path, durability="process") as world:
        ends = sorted(world.scheduler.timers)
        assert [thread.wait.deadline.seconds for _, _, thread in ends] == [0.001, 0.01, 0.02, 0.03]
