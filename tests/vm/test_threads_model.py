"""Threads and messages against a dumb model: what each thread has done, what waits in its mailbox, what it waits for.

Random threads send, receive, ask, answer, join, wait, spawn, fail and end at the command of a random driver, who also
kills, suspends and resumes them, closes the world or has its process die.  After each step, when nothing moves any
more, the machine is compared with the model, whose threads are generators that yield what they wait for.  Only one
thread at a time has something to do of its own accord, so there is one right answer.  A thread that another one calls
runs on its stack (:mod:`holdfast.vm.lending`), which must make no difference.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from holdfast.stdlib import library
from holdfast.vm import living, messages
from holdfast.vm.ticker import Ticker
from holdfast.vm.world import World
from tests.vm.dying import die

SEED = os.environ.get("HOLDFAST_SEED")
FULL = 4
"""Messages that a mailbox holds."""
STEPS = 60
NAMES = "abcdefghijkl"
SETUP = """
import "std/tasks" as tasks
fn odd(v) => v is Int and v % 2 == 1
fn number(v) => v is Int
fn say(log, m) { log.push(if m == nil { "nil" } else { "got {m.value}" }) }
fn step(what, c, log) {
  let to = if len(c) > 2 and c[2] is Text { root.actors.get(c[2]) } else { nil }
  match what {
    "send" => to.send(c[3])
    "press" => to.send(c[3], wait: true)
    "receive" => say(log, receive())
    "odd" => say(log, tasks.receive_where(odd))
    "poll" => say(log, receive(0))
    "later" => say(log, receive(0.002))
    "sleep" => sleep(0.002)
    "ask" => log.push("told {to.ask(c[3])}")
    "answer" => {
      let m = tasks.receive_where(number)
      for i in 0..c[2] { m.reply(m.value * 2) }
    }
    "refuse" => tasks.receive_where(number).fail(KeyError("no"))
    "join" => log.push("joined {to.join()}")
    "first" => log.push("first {threads.wait([to, root.actors[c[3]]]).name}")
    "spawn" => {
      root.logs[c[2]] = []
      root.actors[c[2]] = start(c[2])
    }
    "call" => {
      root.logs[c[2]] = []
      let t = start(c[2])
      root.actors[c[2]] = t
      log.push("joined {t.join()}")
    }
    "both" => {
      atomic {
        to.send(c[3])
        to.send(c[3] + 1)
        if c[3] % 3 == 0 { throw IndexError("undone") }
      }
    }
  }
  log.push(what)
}
fn actor(name) {
  let log = root.logs[name]
  try {
    while true {
      let c = tasks.receive_where(fn(v) => v is List).value
      if c[1] == "return" { return c[2] }
      if c[1] == "throw" { throw ValueError("thrown") }
      try { step(c[1], c, log) } catch e { log.push(e.kind) }
    }
  } finally { log.push("finally") }
}
fn start(name) => spawn actor(name)
root.logs = {a: [], b: [], c: []}
root.actors = {}
for name in ["a", "b", "c"] { root.actors[name] = start(name) }
"""

Waiting = Iterator[tuple[str, Callable[[], bool]]]


class Fault(Exception):
    """An error of Hold; its kind."""


class Killed(BaseException):
    """What no ``catch`` takes."""


@dataclass
class Letter:
    """A message."""

    value: Any
    asker: Actor | None = None
    answer: tuple[str, Any] | None = None


@dataclass(eq=False)
class Actor:
    """A thread of the model."""

    model: Model
    name: str
    box: list[Letter] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    state: str = ""
    until: Callable[[], bool] = lambda: True
    target: Actor | None = None
    suspended: bool = False
    idle: bool = False
    """It waits for a command."""
    senders: list[Actor] = field(default_factory=list)
    outcome: tuple[str, Any] | None = None
    body: Waiting = field(init=False)

    def __post_init__(self) -> None:
        self.body = self.run()
        self.advance(lambda: next(self.body))

    def advance(self, move: Callable[[], tuple[str, Callable[[], bool]]]) -> None:
        """Go on to the next wait, or to the end."""
        try:
            self.state, self.until = move()
        except StopIteration as end:
            self.outcome = "done", end.value
        except Fault as fault:
            self.outcome = "failed", str(fault)
        except Killed:
            self.outcome = "failed", "ThreadError"
        if self.outcome:
            self.state, self.senders = self.outcome[0], []

    def run(self) -> Waiting:
        """What it does, from command to command."""
        try:
            while True:
                self.idle = True
                letter = yield from self.take(lambda v: isinstance(v, list))
                self.idle = False
                _, what, *rest = letter.value
                if what == "return":
                    return rest[0]
                if what == "throw":
                    raise Fault("ValueError")
                try:
                    yield from getattr(self, "do_" + what)(*rest)
                    self.log.append(what)
                except Fault as fault:
                    self.log.append(str(fault))
        finally:
            self.log.append("finally")

    def take(self, good: Callable[[Any], bool]) -> Any:
        """Wait for a message."""

        def found() -> bool:
            return any(good(letter.value) for letter in self.box)

        if not found():
            yield "receiving", found
        letter = next(letter for letter in self.box if good(letter.value))
        self.box.remove(letter)
        return letter

    def alive(self, name: str) -> Actor:
        """Who is to get a message."""
        other = self.model.actors[name]
        if other.outcome:
            raise Fault("ThreadError")
        return other

    def refuse_circle(self, other: Actor) -> None:
        """Throw when the other one waits for this."""
        link: Actor | None = other
        while link is not None:
            if link is self:
                raise Fault("ThreadError")
            link = link.target if not link.outcome else None

    def do_send(self, name: str, value: int, asker: Actor | None = None) -> Any:
        other = self.alive(name)
        if len(other.box) >= FULL:
            raise Fault("LimitError")
        letter = Letter(value, asker)
        other.box.append(letter)
        yield from ()
        return letter

    def do_press(self, name: str, value: int) -> Any:
        other = self.alive(name)
        if len(other.box) >= FULL:
            other.senders.append(self)
            self.target = other
            try:
                yield "sleeping", lambda: bool(other.outcome) or (len(other.box) < FULL and other.senders[0] is self)
            finally:
                self.target = None
                if self in other.senders:
                    other.senders.remove(self)
        yield from self.do_send(name, value)

    def do_receive(self) -> Any:
        letter = yield from self.take(lambda _: True)
        self.log.append(f"got {letter.value}")

    def do_odd(self) -> Any:
        letter = yield from self.take(lambda v: isinstance(v, int) and v % 2 == 1)
        self.log.append(f"got {letter.value}")

    def do_poll(self) -> Any:
        yield from ()
        self.log.append(f"got {self.box.pop(0).value}" if self.box else "nil")

    def do_later(self) -> Any:
        if not self.box:
            yield "receiving", lambda: True
        yield from self.do_poll()

    def do_sleep(self) -> Any:
        yield "sleeping", lambda: True

    def do_ask(self, name: str, value: int) -> Any:
        other = self.model.actors[name]
        self.refuse_circle(other)
        letter = yield from self.do_send(name, value, self)
        self.target = other
        try:
            yield "joining", lambda: letter.answer is not None or other.outcome is not None
        finally:
            self.target = None
        if letter.answer is None:
            raise Fault("ThreadError")
        if letter.answer[0] == "fail":
            raise Fault(letter.answer[1])
        self.log.append(f"told {letter.answer[1]}")

    def answer(self, letter: Letter, how: str, value: Any) -> None:
        """Answer a message, if somebody has asked."""
        if letter.asker is not None:
            if letter.answer is not None:
                raise Fault("ThreadError")
            letter.answer = how, value
            letter.asker.target = None

    def do_answer(self, times: int) -> Any:
        letter = yield from self.take(lambda v: isinstance(v, int))
        for _ in range(times):
            self.answer(letter, "reply", letter.value * 2)

    def do_refuse(self) -> Any:
        letter = yield from self.take(lambda v: isinstance(v, int))
        self.answer(letter, "fail", "KeyError")

    def do_join(self, name: str) -> Any:
        other = self.model.actors[name]
        if not other.outcome:
            self.refuse_circle(other)
            self.target = other
            try:
                yield "joining", lambda: other.outcome is not None
            finally:
                self.target = None
        assert other.outcome is not None
        how, value = other.outcome
        if how == "failed":
            raise Fault(value)
        self.log.append(f"joined {value}")

    def do_first(self, *names: str) -> Any:
        others = [self.model.actors[name] for name in names]
        if not any(other.outcome for other in others):
            if others == [self, self]:
                return  # never chosen
            yield "joining", lambda: any(other.outcome for other in others)
        self.log.append("first actor")

    def do_spawn(self, name: str) -> Any:
        self.model.actors[name] = Actor(self.model, name)
        yield from ()

    def do_call(self, name: str) -> Any:
        yield from self.do_spawn(name)
        yield from self.do_join(name)

    def do_both(self, name: str, value: int) -> Any:
        other = self.alive(name)
        yield from ()
        if len(other.box) >= FULL:
            raise Fault("LimitError")
        if value % 3 == 0:
            raise Fault("IndexError")
        other.box += [Letter(value), Letter(value + 1)]


class Model:
    """All of them."""

    def __init__(self) -> None:
        self.actors: dict[str, Actor] = {}
        for name in "abc":
            self.actors[name] = Actor(self, name)

    def settle(self) -> None:
        """Until nobody can go on."""
        moved = True
        while moved:
            moved = False
            for actor in list(self.actors.values()):
                if not actor.outcome and not actor.suspended and actor.until():
                    actor.advance(lambda body=actor.body: next(body))  # type: ignore[misc]
                    moved = True

    def kill(self, name: str) -> None:
        actor = self.actors[name]
        if not actor.outcome:
            actor.suspended = False
            actor.advance(lambda: actor.body.throw(Killed()))  # type: ignore[attr-defined]


class Pair:
    """A world and its model."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self.chance = random.Random(seed)
        self.model = Model()
        self.world = self.open()
        self.world.run_source(SETUP, "setup.hold")

    def open(self) -> World:
        world = World.open(self.path, durability="process", library=library())
        world.scheduler.torture = self.chance.choice([0, 0, 1, 3])
        world.globals["_poll"] = True
        return world

    def thread(self, name: str) -> Any:
        return self.world.run_source(f'root.actors["{name}"]', "look.hold")

    def settle(self) -> None:
        """Until nothing moves: no thread is ready, and no timer runs."""
        self.model.settle()
        scheduler = self.world.scheduler
        with Ticker(self.world.globals):
            while True:
                delay = scheduler.turn()
                if scheduler.ready or delay == 0:
                    continue
                if not any(thread.wake == number for _, number, thread in scheduler.timers):
                    return
                scheduler.event.wait(delay)

    def command(self, name: str, *words: Any) -> None:
        """Have a thread do something.  The command itself finds room in every mailbox."""
        value = self.world.run_source(f"{['do', *words]}".replace("'", '"'), "command.hold")
        thread = self.thread(name)
        self.world.scheduler.mail.put(thread, self.world.scheduler.mail.notice(value, thread))
        self.model.actors[name].box.append(Letter(["do", *words]))

    def control(self, name: str, what: str) -> None:
        """Act on a thread from outside."""
        self.world.run_source(f'root.actors["{name}"].{what}()', "control.hold")
        actor = self.model.actors[name]
        if what == "kill":
            self.model.kill(name)
        elif not actor.outcome:
            actor.suspended = what == "suspend"

    def reopen(self) -> None:
        """Close the world, or have its process die behind a checkpoint."""
        if self.chance.random() < 0.5:
            self.world.close()
        else:
            self.world.checkpoint()
            die(self.world)
        self.world = self.open()

    def step(self) -> str:
        """Something; gives what it was."""
        chance, actors = self.chance, self.model.actors
        alive = [name for name, actor in actors.items() if not actor.outcome] if chance.random() < 0.8 else []
        name = chance.choice(alive or list(actors))
        actor = actors[name]
        kind = chance.random()
        if kind < 0.06:
            self.reopen()
            return "reopen"
        if kind < 0.25:
            what = chance.choice(["kill", "suspend", "resume", "resume", "resume"])
            if what == "suspend" and any(actor in other.senders for other in actors.values()):
                return "nothing"  # who has its place when there is room is not said
            self.control(name, what)
            return f"{what} {name}"
        if actor.outcome or not actor.idle or any(isinstance(letter.value, list) for letter in actor.box):
            return "nothing"
        words = self.words(actor)
        self.command(name, *words)
        return f"{name} {words}"

    def words(self, actor: Actor) -> list[Any]:
        """A command."""
        chance, names = self.chance, list(self.model.actors)
        other, number = chance.choice(names), chance.randrange(100)
        free = [name for name in NAMES if name not in names]
        what = chance.choice(
            "send send send press press receive receive odd poll later sleep ask ask ask answer answer answer refuse "
            "join first spawn call call call call call call call both both return throw".split()
        )
        match what:
            case "send" | "press" | "ask" | "both":
                if what == "press" and other == actor.name:
                    return ["poll"]
                return [what, other, number]
            case "answer":
                return [what, chance.choice([1, 1, 2])]
            case "join":
                return [what, other]
            case "first":
                one, two = chance.sample(names, 2)
                return [what, one, two]
            case "spawn" | "call":
                return [what, free[0]] if free else ["poll"]
            case "return":
                return [what, number]
        return [what]

    def compare(self, done: list[str]) -> None:
        """The machine is where the model is."""
        for name, actor in self.model.actors.items():
            thread = self.thread(name)
            state = "suspended" if actor.suspended and not actor.outcome else actor.state
            log = list(self.world.run_source(f'root.logs["{name}"]', "look.hold").v)
            box = [plain(message.value) for message in thread.mailbox or ()] if not actor.outcome else []
            expected = [letter.value for letter in actor.box] if not actor.outcome else []
            assert (name, thread.f_state, log, box) == (name, state, actor.log, expected), done


def plain(value: Any) -> Any:
    """A value of a message."""
    return [plain(item) for item in value.v] if hasattr(value, "v") else value


def history(path: Path, seed: int) -> None:
    """One history, whole."""
    print(f"HOLDFAST_SEED={seed}")
    pair = Pair(path, seed)
    done: list[str] = []
    try:
        for _ in range(STEPS):
            done.append(pair.step())
            pair.settle()
            pair.compare(done)
    finally:
        pair.world.close()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mailboxes that are soon full, and stacks that are soon dropped."""
    monkeypatch.setattr(messages, "MAILBOX_MAX", FULL)
    monkeypatch.setattr(messages, "SHARE_MAX", FULL)
    monkeypatch.setattr(living, "STACKS_MAX", 1)


@pytest.mark.parametrize("seed", [int(SEED)] if SEED else range(12))
def test_threads(tmp_path: Path, seed: int) -> None:
    """Random histories."""
    history(tmp_path / "w", seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1_000, 1_200))
def test_threads_long(tmp_path: Path, seed: int) -> None:
    """More of them."""
    history(tmp_path / "w", seed)
