"""What can be done to the threads of an open world, from outside of it.

An order is begun by :func:`begin` and is over when :func:`settled` says so; whoever drives the world waits for that,
``ACT_S`` at most: a thread that is killed may take its time in its ``finally`` blocks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from time import monotonic
from typing import TYPE_CHECKING, Any

from holdfast.repl.exits import FAILED, Failure
from holdfast.repl.host import ENDED, Acted
from holdfast.repl.thread_table import gone
from holdfast.repl.thread_view import row_of
from holdfast.vm.waits import Ask, Join, Receive, Space

if TYPE_CHECKING:
    from holdfast.repl.awaited import Awaited
    from holdfast.repl.drive import Driver
    from holdfast.vm.consoles import Console
    from holdfast.vm.thread import Thread
    from holdfast.vm.world import World

ACT_S = 10.0
"""How long an order may take."""
RUNS = ("ready", "running")


# --------------------------------------------------------------------------- finding


def find(world: World, kid: str) -> Thread:
    """The thread with a KID, or at a path from the root, alive or not.

    Raises Failure.
    """
    from holdfast.repl.inspector import Inspector
    from holdfast.vm.helpers import a

    try:
        found = Inspector(world).find(kid)
    except Failure as failure:
        if failure.code == FAILED and kid.startswith("K-"):
            raise Failure(f"the world has no thread {kid}", FAILED) from None
        raise
    if not isinstance(found, world.thread_class):
        raise Failure(f"{kid} is no thread but {a(found)}", FAILED)
    thread: Thread = found
    return thread


def living(world: World, kid: str, found: Thread | None = None) -> Thread:
    """The same for one that has not ended; it may have been ``found`` before."""
    thread = found if found is not None else find(world, kid)
    if thread not in world.scheduler.living:
        how = f" ({thread.f_state})" if thread.f_state in ENDED else ""
        raise Failure(f"the thread {kid} has ended{how}", FAILED)
    return thread


# --------------------------------------------------------------------------- orders


def begin(world: World, thread: Thread, what: str) -> None:
    """Give a thread an order."""
    scheduler = world.scheduler
    if what == "kill":
        scheduler.interrupt(thread, "the thread was killed", kill=True)
    elif what == "suspend":
        scheduler.suspend(thread)
    elif what in ("resume", "step"):
        scheduler.fire_timers()  # a step must not stand where the time is over
        scheduler.unsuspend(thread, step=what == "step")
    else:
        raise Failure(f"a thread cannot be told to '{what}'")
    scheduler.event.set()


def settled(world: World, thread: Thread, what: str) -> bool:
    """Has it been carried out?"""
    if thread not in world.scheduler.living:
        return True
    if what == "step":
        return thread.suspended or thread.state not in RUNS
    return what != "kill"


async def carry_out(world: World, awaited: Awaited, kid: str, what: str) -> Acted:
    """Give an order, and wait until it is carried out, while the world goes on."""
    thread = living(world, kid)
    begin(world, thread, what)
    await awaited.until(lambda: settled(world, thread, what), ACT_S)
    return acted(world, thread, what)


def acted(world: World, thread: Thread, what: str) -> Acted:
    """What came of it."""
    done = settled(world, thread, what)
    if what == "step" and thread in world.scheduler.living:  # it waits, or computes in one long step
        thread.stepping = False
        world.scheduler.suspend(thread)
    return Acted(row_of(world, thread), done)


class Only(deque[Any]):
    """A queue of ready threads that keeps all but one of them apart."""

    def __init__(self, thread: Thread, ready: Iterable[Thread]) -> None:
        super().__init__()
        self.thread = thread
        self.others: list[Thread] = []
        self.extend(ready)

    def append(self, thread: Any) -> None:
        """A thread is ready."""
        if thread is self.thread:
            super().append(thread)
        else:
            self.others.append(thread)

    def extend(self, threads: Iterable[Any]) -> None:
        """Several are."""
        for thread in threads:
            self.append(thread)


def needs_others(thread: Thread) -> bool:
    """Does it wait for what only another thread can do?"""
    wait = thread.wait
    if thread.state in RUNS or wait is None:
        return False
    return isinstance(wait, Join | Ask | Space) or (isinstance(wait, Receive) and wait.deadline is None)


def drive_alone(driver: Driver, thread: Thread, until: Callable[[], bool]) -> None:
    """Let one thread run and no other, until that is so, a signal comes, or the time is over."""
    scheduler = driver.world.scheduler
    driver.deadline = deadline = monotonic() + ACT_S
    scheduler.ready = only = Only(thread, scheduler.ready)
    try:
        driver.drive(lambda: until() or needs_others(thread) or driver.asked or monotonic() > deadline, open_door=False)
    finally:
        driver.deadline = None
        scheduler.ready = deque([*only, *only.others])


def tell(world: World, kid: str, line: str, found: Thread | None = None) -> bool:
    """Send a thread a line that a person has typed, as a message without a sender; False while its mailbox is full.

    Raises Failure when it has ended.
    """
    thread, mail = living(world, kid, found), world.scheduler.mail
    if mail.full(thread):
        return False
    mail.put(thread, mail.notice(line, thread))
    world.scheduler.event.set()
    return True


# --------------------------------------------------------------------------- consoles


def console_of(thread: Thread) -> Console:
    """Where a thread prints to.

    Raises Failure.
    """
    from holdfast.vm.objects import live

    console = thread.f_output
    if console is None:
        raise Failure("this thread has no console: what it prints goes to the process that has the world open", FAILED)
    found: Console = live(console)
    return found


def from_number(world: World, console: Console, first: int) -> int:
    """The number of a line; below 0 it is counted from the end."""
    world.consoles.revive(console)
    return first if first >= 0 else max(0, console.shown + first)


def text_of(first: int, lines: list[str], numbers: bool) -> str:
    """Lines as they are written."""
    if numbers:
        return "".join(f"{number:>6}  {line}\n" for number, line in enumerate(lines, first))
    return "".join(line + "\n" for line in lines)


class Follower:
    """Somebody who reads a thread's console as lines become durable, no faster than they are written.

    The thread does not wait for that: who reads too slowly misses the lines that the console has let go of meanwhile,
    and is told so.
    """

    def __init__(self, world: World, thread: Thread, first: int, outlet: Any, note: Callable[[str], None]) -> None:
        self.world = world
        self.thread = thread
        self.outlet = outlet
        self.note = note
        self.console = console_of(thread)
        self.next = max(0, from_number(world, self.console, first))
        self.end: int | None = None
        """Number of the first line behind the thread's end."""

    def pull(self) -> None:
        """Write what can be written."""
        console = self.console
        if self.next < console.shown and not self.outlet.full:
            first, lines = self.world.consoles.lines(console, self.next)
            if first > self.next:
                self.note(gone(self.next, first))
            self.next = first + len(lines)
            self.outlet(text_of(first, lines, False))

    def over(self) -> bool:
        """Write what can be written; True when the thread has ended, and all that it has printed before is written."""
        self.pull()
        if self.end is None and self.thread not in self.world.scheduler.living:
            self.end = self.world.consoles.end(self.console)
        return self.end is not None and self.next >= self.end
