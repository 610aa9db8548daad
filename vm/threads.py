"""Threads of Hold, and the scheduler that runs them.

A thread is a greenlet from a pool.  All run in one OS thread, one at a time; a slice ends when the thread waits, or
at the first safepoint after the timer has set ``_poll``.  Between slices the scheduler does the world's background
work: steps of the open checkpoint, release of durable output, timers.

What a thread waits for is data (:mod:`holdfast.vm.waits`), and so is a stack (:mod:`holdfast.vm.frames`): a thread that
waits needs no greenlet, and none that had one when the process ended is lost (:mod:`holdfast.vm.living`).

:meth:`Scheduler.turn` does one round and says when it wants to be called again, so that a plain loop and an asyncio
loop can both drive it.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, thread_time
from typing import TYPE_CHECKING, Any

from greenlet import greenlet

from holdfast.vm import limits
from holdfast.vm.codec import DamagedRecord
from holdfast.vm.control import SLOW, Control, killed
from holdfast.vm.joining import Joining
from holdfast.vm.lending import Lending
from holdfast.vm.lifetimes import Lifetimes
from holdfast.vm.limits import CALL_DEPTH
from holdfast.vm.objects import Error, Thrown, fail, is_ghost, live
from holdfast.vm.priorities import Priorities
from holdfast.vm.replacing import Replacing
from holdfast.vm.switching import Switching
from holdfast.vm.thread import CALM, Thread
from holdfast.vm.ticker import SLICE_S, Ticker
from holdfast.vm.waits import AGAIN, Buffer, Deadline, Outlet, Redo, Room, Sleep, Wait
from holdfast.vm.wakeup import Wakeup

if TYPE_CHECKING:
    from types import FrameType

    from holdfast.vm.budgets import Budgets
    from holdfast.vm.frames import Frame, Known
    from holdfast.vm.messages import Mail
    from holdfast.vm.stacks import Stack

ATOMIC_S = 5.0
"""How long an ``atomic`` may compute while it holds the world: on a busy machine its time is not the clock's."""
BURSTS_PER_TURN = 64
BURST_S = 0.002
"""How long threads that wait soon after each other may take turns before the world's own work has one."""
POOL_MAX = 64


class Deadlock(Exception):
    """Nothing can run, and something waits."""


class Scheduler(Lifetimes, Switching, Joining, Priorities, Control, Lending, Replacing):
    """The threads of one world."""

    def __init__(
        self,
        thread_class: type[Thread],
        globals_: dict[str, Any],
        heap: Any,
        convert: Callable[[BaseException], Error],
    ) -> None:
        super().__init__()
        self.thread_class = thread_class
        self.globals = globals_
        self.heap = heap
        self.convert = convert
        self.ready: deque[Thread] = deque()
        self.timers: list[tuple[float, int, Thread]] = []
        self.sequence = 0
        self.held = 0
        """Guest code that must not be preempted runs (see :meth:`unpreempted`), """
        self.held_since = 0.0
        """and since when, in processor time."""
        self.living: dict[Thread, None] = {}
        """Threads that have not ended, the oldest first."""
        self.touched: dict[Thread, None] = {}
        """Threads whose records differ from what they are, for a checkpoint has begun since they ran last, or never."""
        self.unread: dict[Thread, Any] = {}
        """Threads whose stacks the open checkpoint has yet to read, and what it has taken of them; """
        self.read_stack: Callable[[Thread], None]
        """does so: before one of them runs."""
        self.damaged: dict[Thread, str] = {}
        """Threads that cannot go on since their records are damaged, and why: these stay as they are."""
        self.background: Callable[[], float | None] = lambda: None
        """Does a slice of the world's work; returns when it wants to be called again (0: at once, None: no need)."""
        self.wants_slice: Callable[[], bool] = lambda: False
        """Has the background something to do at the next safepoint?"""
        self.check_memory: Callable[[], None] = lambda: None
        """Throws when the process takes too much memory."""
        self.warned: tuple[Thread | None, float] = (None, 0.0)
        """The thread that was told so last, and when."""
        self.arrivals: deque[Thread] = deque()
        """Threads whose calls outside have ended; other OS threads append."""
        self.capture: Callable[[FrameType | None, Known | None], tuple[int, list[Frame]]] = lambda top, known: (0, [])
        self.new_stack: Callable[[], Stack]
        self.through_bytes: Callable[[Frame], Frame] = lambda frame: frame
        self.go_on: Callable[..., Any] = lambda *_: None
        """All of :mod:`holdfast.vm.frames` and :mod:`holdfast.vm.stacks`, for the code of this world."""
        self.mail: Mail
        self.budgets: Budgets
        self.bounded = False
        """Has any domain a budget?  Then it may be charged whoever runs."""
        self.monitor: Any = None
        """The monitor of the world (:mod:`holdfast.vm.monitor`)."""
        self.post_mortem: Callable[[BaseException], Any] = lambda exception: None
        """What is kept of the frames of a thread that fails."""
        self.atomic_since = 0.0
        self.event = Wakeup()
        """Set from other OS threads and signal handlers when something has happened that the scheduler waits for."""
        self.on_event: Callable[[], None] = lambda: None
        """Called at a safepoint while the event is set: an ``atomic`` does not come back to who drives the world."""

    @property
    def alive(self) -> int:
        """Number of threads that have not ended."""
        return len(self.living)

    def lives(self, thread: Thread) -> bool:
        """Has the thread not ended?  One that is a ghost may be found to have, when it is loaded."""
        return live(thread) in self.living

    def awake(self) -> list[Thread]:
        """The living threads but those that have waited for a message since the world was opened: these are ghosts, and
        belong to the whole world."""
        return [thread for thread in self.living if not is_ghost(thread)]

    # ------------------------------------------------------------------ threads

    # ------------------------------------------------------------------ running a thread

    def work(self) -> None:
        """The body of a pooled greenlet: one thread after another."""
        while True:
            thread = self.current
            assert thread is not None
            try:
                begin, thread.begin = thread.begin, None
                if begin is None:
                    result = self.resume(thread)
                else:
                    if thread.orders is not CALM and thread.interrupt is not None:
                        self.throw_interrupt(thread)
                    if thread.domain is None:
                        result = begin[0](*begin[1], **begin[2]) if begin[2] else begin[0](*begin[1])
                    else:
                        result = self.entry(thread, begin)
            except Exception as exception:
                begin = None
                self.failed(thread, exception)
            else:
                begin = None
                self.end(thread, result)
            # This greenlet would keep them alive while it waits for its next thread.
            thread = result = None
            if len(self.pool) >= POOL_MAX:
                return
            self.pool.append(greenlet.getcurrent())
            self.switch_out()

    def resume(self, thread: Thread) -> Any:
        """Go on with a thread that has no stack of the host: what it has waited for is the result of the instruction
        at which it stands."""
        error = result = None
        again = type(thread.wait) is Redo
        try:
            if thread.interrupt is not None:
                self.throw_interrupt(thread)
            if again:
                thread.wait = None
                if not thread.stack:  # the thread was spawned with this call alone
                    fail("ThreadError", "the world was opened again before this call had done anything: make it again")
            elif thread.wait is not None:
                result = self.outcome(thread.wait)
        except Exception as exception:
            error = self.convert(exception)
        stack = thread.stack
        if error is None and stack is not None and len(stack) > CALL_DEPTH:
            error = limits.too_deep()  # the host's own limit does not know of frames that are data
        try:
            return self.go_on(stack if stack is not None else self.new_stack(), error, result, again)
        except DamagedRecord as damage:  # a frame's: those of objects have become errors of the program
            self.damaged[thread] = str(damage)
            fail("ThreadError", f"this thread cannot go on: {damage}")

    def throw_interrupt(self, thread: Thread) -> None:
        """Throw what waits to be thrown into the thread."""
        error, thread.interrupt, thread.wait = thread.interrupt, None, None
        assert error is not None
        raise Thrown(error)

    def make_ready(self, thread: Thread) -> None:
        """Let a waiting thread run again."""
        if thread.state in ("ready", "running") or thread not in self.living:
            return
        thread.state = "ready"
        thread.wake = 0
        if thread.wait is not None:
            thread.wait.cancel(self, thread)
        self.touched[thread] = None
        if not thread.suspended:
            self.enqueue(thread)

    # ------------------------------------------------------------------ called by threads

    def safepoint(self) -> None:
        """At a safepoint when ``_poll`` is set."""
        self.globals["_poll"] = self.torture > 0
        thread = self.current
        if thread is None:
            return
        if self.held:
            if thread_time() - self.held_since > ATOMIC_S:
                fail("LimitError", f"a default or migrate ran longer than {ATOMIC_S:g} s: do less in it")
            return
        if self.event.is_set():
            self.on_event()
        if thread.interrupt is not None:
            self.throw_interrupt(thread)
        if thread.doomed and self.overdue(thread):
            raise Thrown(killed(SLOW))
        self.refuse_memory(thread)
        if self.in_atomic():
            if thread_time() - self.atomic_since > ATOMIC_S:
                fail("AtomicError", f"an atomic block ran longer than {ATOMIC_S:g} s: do less in it")
            return
        if thread.stepping:
            thread.stepping, thread.suspended = False, True
            self.give_way()
        elif (
            (self.torture and self.tortures(thread))
            or self.ready
            or self.timers
            or self.event.is_set()
            or self.wants_slice()
        ):
            self.give_way()

    def refuse_memory(self, thread: Thread) -> None:
        """Tell the thread when there is no memory left, and every other one that runs meanwhile.

        It has a slice's time to let go of something before it is told again.
        """
        last, when = self.warned
        if last is thread and monotonic() - when < SLICE_S:
            return
        try:
            self.check_memory()
        except Thrown:
            self.warned = thread, monotonic()
            self.globals["_poll"] = True
            raise

    def in_atomic(self) -> bool:
        """Does the current thread hold the world?"""
        return bool(self.heap.levels)

    def may_wait(self) -> None:
        """Throw inside ``atomic``, where no thread can wait."""
        if self.heap.levels:
            fail("AtomicError", "a thread cannot wait inside atomic: wait before it, or behind it")

    def wait(self, wait: Wait) -> Any:
        """Have the current thread wait; gives the outcome.

        A host function that calls this does nothing behind it but return what it gives: the thread may come back in
        another process.
        """
        thread: Any = self.current
        monitor = self.monitor
        while True:
            acting, monitor.acting = monitor.acting, None  # what others do is not done for its domain
            thread.wait = wait
            thread.state = wait.state
            wait.begin(self, thread)
            if self.torture and not self.held:
                self.tortures(thread)
            if thread.orders is not CALM:
                self.bound_wait(thread)
            self.switch_out()
            monitor.acting = acting
            if thread.orders is not CALM and thread.interrupt is not None:
                self.throw_interrupt(thread)
            thread.wait = None
            result = wait.outcome(self)
            if result is not AGAIN:
                return result

    def outcome(self, wait: Wait) -> Any:
        """The outcome of a wait that may be over."""
        thread = self.current
        assert thread is not None
        thread.wait = None
        result = wait.outcome(self)
        return self.wait(wait) if result is AGAIN else result

    def bound_wait(self, thread: Thread) -> None:
        """Wake a killed thread that waits when it must have ended."""
        if thread.doomed and not thread.wake and thread.state != "ready":
            self.set_timer(thread.doomed, thread)

    def set_timer(self, at: float, thread: Thread) -> None:
        """Wake a thread at a time of the monotonic clock, and a killed one when it must have ended."""
        if thread.doomed and at > thread.doomed:
            at = thread.doomed
        self.sequence += 1
        thread.wake = self.sequence
        heapq.heappush(self.timers, (at, self.sequence, thread))
        if at < self.burst_end:
            self.burst_end = at

    def sleep(self, seconds: float) -> None:
        """Wait for a time; for none, only let all others that are ready have their turn."""
        if seconds > 0:
            self.may_wait()
            self.wait(Sleep(Deadline(seconds)))
        else:
            self.give_way()

    def wait_for(self, buffer: Buffer) -> None:
        """Wait until there is room for more output.  In the words of programs such a thread is sleeping."""
        if buffer.full:
            self.wait(Room(buffer))

    def emptied(self, buffer: Buffer) -> None:
        """There is room again: wake who waits for it."""
        waiting, buffer.waiting = buffer.waiting, []
        for thread in waiting:
            self.make_ready(thread)
        self.event.set()

    # ------------------------------------------------------------------ slices

    @contextmanager
    def unpreempted(self) -> Iterator[None]:
        """Run a short piece of guest code from host code: no thread is switched, and no checkpoint begins, in it."""
        if not self.held:
            self.held_since = thread_time()
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1

    # ------------------------------------------------------------------ driving

    def turn(self, bursts: int = BURSTS_PER_TURN) -> float | None:
        """Run ready threads for some bursts of slices, and the background between them.

        Returns the time in seconds until it should be called again: 0 at once, None when only an outside event
        (a flush that ends, a command) can give it work.
        """
        self.hub = greenlet.getcurrent()
        self.event.clear()
        delay = self.background()
        for _ in range(bursts):
            self.since = monotonic()
            if self.timers:
                self.fire_timers()
            self.burst_end = self.since + BURST_S
            if self.timers and self.timers[0][0] < self.burst_end:
                self.burst_end = self.timers[0][0]
            while self.arrivals:
                self.make_ready(self.arrivals.popleft())
            if not self.ready:
                break
            picked = self.pick()
            if picked.domain is not None and self.budgets.halted(picked):
                continue
            try:
                self.enter(picked).switch()
            finally:
                self.current = None
                self.lending.clear()
                self.forget_callee()
            self.replace_some()
            delay = self.background()
            if delay == 0 or self.event.flag:
                break
        if self.ready:
            return 0
        if self.timers:
            wait = max(0.0, self.timers[0][0] - monotonic())
            return wait if delay is None else min(wait, delay)
        return delay

    def fire_timers(self) -> None:
        """Wake the threads whose time has come."""
        now = monotonic()
        while self.timers and self.timers[0][0] <= now:
            at, number, thread = heapq.heappop(self.timers)
            if thread.wake == number:
                if at == thread.doomed:
                    thread.interrupt = killed(SLOW)
                self.make_ready(thread)

    def run_until(self, done: Callable[[], bool]) -> None:
        """Drive the world until ``done()``; raises Deadlock when nothing can happen any more."""
        with Ticker(self.globals):
            while not done():
                delay = self.turn()
                if delay == 0 or done():
                    continue
                if not self.event.wait(delay) and delay is None:
                    raise Deadlock


__all__ = ["Deadlock", "Outlet", "Scheduler", "Thread", "Ticker"]
