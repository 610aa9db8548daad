"""Threads of Hold, and the scheduler that runs them.

A thread is a greenlet from a pool.  All run in one OS thread, one at a time; a slice ends when the thread waits, or
at the first safepoint after the timer has set ``_poll``.  Between slices the scheduler does the world's background
work: steps of the open checkpoint, release of durable output, timers.

:meth:`Scheduler.turn` does one round and says when it wants to be called again, so that a plain loop and an asyncio
loop can both drive it.
"""

from __future__ import annotations

import heapq
import signal
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, thread_time
from typing import Any, NoReturn, Protocol

from greenlet import greenlet

from holdfast.vm import ids, limits
from holdfast.vm.limits import CALL_DEPTH
from holdfast.vm.objects import Error, Obj, Thrown, fail, make_error, read_only, seal
from holdfast.vm.wakeup import Wakeup

SLICE_S = 0.01
"""Length of a time slice."""
ATOMIC_S = 5.0
"""How long an ``atomic`` may compute while it holds the world: on a busy machine its time is not the clock's."""
THREADS_MAX = 100_000
"""Threads that may be alive: each takes some kilobytes."""
SLICES_PER_TURN = 64
POOL_MAX = 64
LOST_MAX = 1_000
"""More failures than this, between two turns of who tells of them, push out the oldest."""


class Failure:
    """How a thread failed, kept until somebody has met it: joined the thread, or read its error."""

    __slots__ = ("error", "handled", "name", "output")

    def __init__(self, thread: Thread) -> None:
        self.name: str = thread.name
        self.error: Error = thread.error
        self.output = thread.output
        self.handled = False


def _read_error(thread: Any) -> Any:
    failure = getattr(thread, "failure", None)
    if failure is not None:
        failure.handled = True
    return thread.error


@seal
class Thread(Obj):
    """A thread as programs see it."""

    __slots__ = (
        "error",
        "failure",
        "frames",
        "greenlet",
        "interrupt",
        "name",
        "output",
        "result",
        "state",
        "waiters",
        "waits_for",
        "wake",
    )
    _k = ids.THREAD
    _slots = ("name", "state", "result", "error")
    _name = "Thread"
    f_name, f_state, f_result = map(read_only, _slots[:3])
    f_error = property(_read_error)
    name: Any
    state: Any
    result: Any
    error: Any
    frames: list[Any]
    """Its outer frames that are not on a stack, the outermost first (:class:`holdfast.vm.frames.Frame`)."""
    failure: Failure | None
    greenlet: Any
    wake: int
    """Number of the timer that may wake it; another timer of the same thread is stale."""
    output: Outlet | None
    """Where its output goes, and that of the threads that it starts; None: where the world's output goes."""
    interrupt: Any
    waiters: list[Any]
    waits_for: Thread | None
    """The thread that it joins."""


class Buffer(Protocol):
    """What can be full."""

    waiting: list[Thread]
    """Threads that wait until it is not full any more; whoever empties it makes them ready."""

    @property
    def full(self) -> bool:
        """Must a thread that prints wait?"""


class Outlet(Buffer, Protocol):
    """A place for output other than the world's."""

    def __call__(self, text: str) -> None:
        """Take a text that is durable."""


class Deadlock(Exception):
    """Nothing can run, and something waits."""


def throw(error: Error) -> NoReturn:
    """The body of a thread that was interrupted before it began."""
    raise Thrown(error)


class Scheduler:
    """The threads of one world."""

    def __init__(
        self,
        thread_class: type[Thread],
        globals_: dict[str, Any],
        token: Callable[[], object],
        convert: Callable[[BaseException], Error],
    ) -> None:
        self.thread_class = thread_class
        self.globals = globals_
        self.token = token
        self.convert = convert
        self.ready: deque[Thread] = deque()
        self.timers: list[tuple[float, int, Thread]] = []
        self.sequence = 0
        self.started: list[list[Thread]] = []
        """For each level of ``atomic``, the threads that it started."""
        self.current: Thread | None = None
        self.hub: Any = None
        self.pool: list[Any] = []
        self.switches = 0
        self.held = 0
        """Guest code that must not be preempted runs (see :meth:`unpreempted`)."""
        self.living: dict[Thread, None] = {}
        """Threads that have not ended, the oldest first."""
        self.failures: dict[weakref.ref[Thread], Failure] = {}
        """Threads that failed, as long as somebody may join them."""
        self.lost: deque[Failure] = deque(maxlen=LOST_MAX)
        """Failures of threads that nobody can join any more."""
        self.background: Callable[[], float | None] = lambda: None
        """Does a slice of the world's work; returns when it wants to be called again (0: at once, None: no need)."""
        self.wants_slice: Callable[[], bool] = lambda: False
        """Has the background something to do at the next safepoint?"""
        self.in_atomic: Callable[[], bool] = lambda: False
        self.check_memory: Callable[[], None] = lambda: None
        """Throws when the process takes too much memory."""
        self.warned: tuple[Thread | None, float] = (None, 0.0)
        """The thread that was told so last, and when."""
        self.torture = 0
        """At every so many safepoints a thread's stack is replaced by what was captured of it; 0: never."""
        self.countdown = 0
        self.victim: Thread | None = None
        self.capture: Callable[[Any], list[Any]] = lambda parked: []
        self.go_on: Callable[..., Any] = throw
        """Both of :mod:`holdfast.vm.frames`, for the code of this world."""
        self.atomic_since = 0.0
        self.event = Wakeup()
        """Set from other OS threads and signal handlers when something has happened that the scheduler waits for."""
        self.on_event: Callable[[], None] = lambda: None
        """Called at a safepoint while the event is set: an ``atomic`` does not come back to who drives the world."""

    @property
    def alive(self) -> int:
        """Number of threads that have not ended."""
        return len(self.living)

    # ------------------------------------------------------------------ threads

    def new(self, name: str) -> Thread:
        """A thread object, not started."""
        thread = self.thread_class()
        thread._t = self.token()
        thread._i = 0
        thread.name = name
        thread.state = "ready"
        thread.result = None
        thread.error = None
        thread.failure = None
        thread.frames = []
        thread.greenlet = None
        thread.wake = 0
        thread.interrupt = None
        thread.output = self.current.output if self.current is not None else None
        thread.waiters = []
        thread.waits_for = None
        return thread

    def start(self, name: str, function: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Thread:
        """A new thread that calls the function."""
        if len(self.living) >= THREADS_MAX:
            fail("LimitError", f"{THREADS_MAX:_} threads are alive, and no more can be: let some of them end first")
        thread = self.new(name)
        thread.greenlet = self.pool.pop() if self.pool else greenlet(self.work, self.hub)
        thread.interrupt = (function, args, named)
        self.living[thread] = None
        if self.started:
            self.started[-1].append(thread)
        else:
            self.ready.append(thread)
        return thread

    # ------------------------------------------------------------------ atomic

    def begin_atomic(self) -> None:
        """Threads that start from now on begin to run when the level ends."""
        self.started.append([])

    def commit_atomic(self) -> None:
        """A level ends: its threads go to the next one, or begin."""
        level = self.started.pop()
        (self.started[-1] if self.started else self.ready).extend(level)

    def abort_atomic(self) -> None:
        """A level is undone: its threads never were."""
        for thread in self.started.pop():
            thread.interrupt = None
            thread.state = "failed"
            thread.error = make_error("ThreadError", "the atomic block that started this thread was undone")
            self.ended(thread)

    def work(self) -> None:
        """The body of a pooled greenlet: one thread after another."""
        while True:
            thread = self.current
            assert thread is not None
            function, args, named = thread.interrupt
            thread.interrupt = None
            try:
                thread.result = function(*args, **named)
                thread.state = "done"
            except Exception as exception:
                thread.error = self.convert(exception)
                thread.state = "failed"
                self.note_failure(thread)
            function = args = named = None
            self.ended(thread)
            thread = None  # which this greenlet would keep alive while it waits for its next one
            if len(self.pool) >= POOL_MAX:
                return
            self.pool.append(greenlet.getcurrent())
            self.switch_out()

    def note_failure(self, thread: Thread) -> None:
        """Keep how a thread failed for who joins it, or else for who tells people; a killed one was killed by them."""
        more = getattr(thread.error, "_x", None)
        if thread.waiters or (more and "killed" in more):
            return
        failure = thread.failure = Failure(thread)
        self.failures[weakref.ref(thread, self.lose)] = failure

    def lose(self, reference: weakref.ref[Thread]) -> None:
        """A failed thread has gone.  Called wherever the last reference to it is dropped."""
        failure = self.failures.pop(reference)
        if not failure.handled:
            self.lost.append(failure)
            self.event.set()

    def ended(self, thread: Thread) -> None:
        """Wake who waits for the thread."""
        self.living.pop(thread, None)
        thread.greenlet = None
        for waiter in thread.waiters:
            self.make_ready(waiter)
        thread.waiters = []

    def make_ready(self, thread: Thread) -> None:
        """Let a waiting thread run again."""
        thread.state = "ready"
        thread.wake += 1
        self.ready.append(thread)

    def switch_out(self) -> None:
        """Back to the hub, from whichever greenlet runs."""
        self.hub.switch()

    # ------------------------------------------------------------------ called by threads

    def safepoint(self) -> None:
        """At a safepoint when ``_poll`` is set."""
        self.globals["_poll"] = self.torture > 0
        thread = self.current
        if thread is None or self.held:
            return
        if self.event.is_set():
            self.on_event()
        if thread.interrupt is not None:
            error, thread.interrupt = thread.interrupt, None
            raise Thrown(error)
        self.refuse_memory(thread)
        if self.in_atomic():
            if thread_time() - self.atomic_since > ATOMIC_S:
                fail("AtomicError", f"an atomic block ran longer than {ATOMIC_S:g} s: do less in it")
            return
        if self.torture:
            self.countdown -= 1
            if self.countdown <= 0:
                self.countdown = self.torture
                self.victim = thread
                self.give_way()
                return
        if self.ready or self.timers or self.event.is_set() or self.wants_slice():
            self.give_way()

    def replace_stack(self, thread: Thread) -> None:
        """Capture a parked thread, throw its stack away, and have it go on from what was captured."""
        parked = thread.greenlet
        thread.frames.extend(self.capture(parked))
        thread.greenlet = greenlet(self.work, self.hub)
        error = thread.interrupt
        if error is None and len(thread.frames) > CALL_DEPTH:  # the host's own limit does not know of them
            error = limits.too_deep()
        thread.interrupt = (self.go_on, (thread.frames, error), {})
        parked.throw()  # GreenletExit, which generated code does not catch: no guest code runs

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

    def park(self, state: str) -> None:
        """Wait until somebody makes the current thread ready."""
        thread = self.current
        assert thread is not None
        thread.state = state
        self.switch_out()
        if thread.interrupt is not None:
            error, thread.interrupt = thread.interrupt, None
            raise Thrown(error)

    def may_wait(self) -> None:
        """Throw inside ``atomic``, where no thread can wait."""
        if self.in_atomic():
            fail("AtomicError", "a thread cannot wait inside atomic: wait before it, or behind it")

    def sleep(self, seconds: float) -> None:
        """Park for a time."""
        self.may_wait()
        thread = self.current
        assert thread is not None
        self.sequence += 1
        thread.wake = self.sequence
        heapq.heappush(self.timers, (monotonic() + seconds, self.sequence, thread))
        self.park("sleeping")

    def wait_for(self, buffer: Buffer) -> None:
        """Park until there is room for more output.  In the words of programs such a thread is sleeping."""
        thread = self.current
        assert thread is not None
        while buffer.full:
            buffer.waiting.append(thread)
            try:
                self.park("sleeping")
            except Thrown:
                if thread in buffer.waiting:
                    buffer.waiting.remove(thread)
                raise

    def emptied(self, buffer: Buffer) -> None:
        """There is room again: wake who waits for it."""
        waiting, buffer.waiting = buffer.waiting, []
        for thread in waiting:
            if thread.f_state == "sleeping":
                self.make_ready(thread)
        self.event.set()

    def join(self, thread: Thread) -> Any:
        """Wait for a thread's end; its result, or its error."""
        if thread is self.current:
            fail("ThreadError", "a thread cannot join itself")
        current = self.current
        assert current is not None
        if thread.state not in ("done", "failed"):
            self.may_wait()
        while thread.state not in ("done", "failed"):
            self.refuse_circle(current, thread)
            thread.waiters.append(current)
            current.waits_for = thread
            try:
                self.park("joining")
            finally:
                current.waits_for = None
        if thread.state == "failed":
            raise Thrown(thread.f_error)
        return thread.result

    def refuse_circle(self, current: Thread, thread: Thread) -> None:
        """Throw when the thread waits, over others perhaps, for the current one."""
        names = [current.name, thread.name]
        link = thread.waits_for
        while link is not None:
            names.append(link.f_name)
            if link is current:
                fail("ThreadError", f"threads would wait for each other for ever: {' → '.join(names)}")
            link = link.waits_for

    def give_way(self) -> None:
        """End the current thread's slice."""
        thread = self.current
        assert thread is not None
        thread.state = "ready"
        self.ready.append(thread)
        self.switch_out()

    @contextmanager
    def unpreempted(self) -> Iterator[None]:
        """Run a short piece of guest code from host code: no thread is switched, and no checkpoint begins, in it."""
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1

    # ------------------------------------------------------------------ driving

    def turn(self, slices: int = SLICES_PER_TURN) -> float | None:
        """Run ready threads for some slices, and the background between them.

        Returns the time in seconds until it should be called again: 0 at once, None when only an outside event
        (a flush that ends, a command) can give it work.
        """
        self.hub = greenlet.getcurrent()
        self.event.clear()
        delay = self.background()
        for _ in range(slices):
            self.fire_timers()
            if not self.ready:
                break
            thread = self.ready.popleft()
            thread.state = "running"
            self.current = thread
            self.switches += 1
            try:
                thread.greenlet.switch()
            finally:
                self.current = None
            if self.victim is not None:
                victim, self.victim = self.victim, None
                self.replace_stack(victim)
            delay = self.background()
            if delay == 0 or self.event.is_set():
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
            _, number, thread = heapq.heappop(self.timers)
            if thread.wake == number and thread.state == "sleeping":
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

    def interrupt(self, thread: Thread, message: str, kill: bool = False) -> None:
        """Throw an error into a thread at its next safepoint, or where it waits.

        With ``kill`` no ``catch`` takes it, and only ``finally`` runs.
        """
        error = make_error("ThreadError", message)
        if kill:
            error._x = {"killed": True}
        if type(thread.interrupt) is not tuple:
            thread.interrupt = error
        elif thread.frames:  # it has no stack, and keeps there how it goes on
            thread.interrupt = (self.go_on, (thread.frames, error), {})
        else:  # it has not begun, and keeps there what it is to call
            thread.interrupt = (throw, (error,), {})
        self.globals["_poll"] = True
        if thread.state in ("sleeping", "joining"):
            self.make_ready(thread)


def thread_methods(scheduler: Scheduler) -> dict[str, Callable[..., Any]]:
    """The methods of threads in one world."""

    def join(self: Any) -> Any:
        """Wait for the thread's end: its result, or throws what it threw."""
        return scheduler.join(self)

    return {"join": join}


class Ticker:
    """Sets ``_poll`` every ``SLICE_S``: by SIGALRM in the main OS thread, else by a helper thread."""

    def __init__(self, globals_: dict[str, Any]) -> None:
        self.globals = globals_
        self.old: Any = None
        self.stop: threading.Event | None = None

    def __enter__(self) -> Ticker:
        if threading.current_thread() is threading.main_thread():
            self.old = signal.signal(signal.SIGALRM, self.tick)
            signal.setitimer(signal.ITIMER_REAL, SLICE_S, SLICE_S)
        else:
            self.stop = threading.Event()
            threading.Thread(target=self.beat, args=(self.stop,), daemon=True).start()
        return self

    def tick(self, number: int, frame: object) -> None:
        """The signal handler: one assignment."""
        self.globals["_poll"] = True

    def beat(self, stop: threading.Event) -> None:
        """The helper thread."""
        while not stop.wait(SLICE_S):
            self.globals["_poll"] = True

    def __exit__(self, *_: object) -> None:
        if self.stop is not None:
            self.stop.set()
        else:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self.old)


__all__ = ["Deadlock", "Scheduler", "Thread", "Ticker"]
