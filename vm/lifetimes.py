"""The part of the scheduler by which threads begin and end."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

from holdfast.vm.helpers import check_call
from holdfast.vm.objects import Error, fail, make_error
from holdfast.vm.thread import CALM, Failure, Thread

if TYPE_CHECKING:
    from holdfast.vm.budgets import Budgets
    from holdfast.vm.domains import Domain
    from holdfast.vm.wakeup import Wakeup

THREADS_MAX = 1_000_000
"""Threads that may be alive."""
LOST_MAX = 1_000
"""More failures than this, between two turns of who tells of them, push out the oldest."""
NOBODY: Any = object()
"""Stands for no function: no program can spawn it, as it can spawn nil."""
NO_NAMES: dict[str, Any] = {}
"""No arguments by name; never written."""


class Lifetimes:
    """Beginnings and ends."""

    budgets: Budgets
    current: Thread | None
    damaged: dict[Thread, str]
    event: Wakeup
    heap: Any
    living: dict[Thread, None]
    ready: deque[Thread]
    thread_class: type[Thread]
    touched: dict[Thread, None]
    convert: Callable[[BaseException], Error]
    make_ready: Callable[[Thread], None]
    out: Callable[[Domain, Any], Any]
    """A result as others may see it."""
    own: Callable[[Error, Domain], None]
    """Note whose an error is."""
    post_mortem: Callable[[BaseException], Any]
    """What is kept of the frames of a thread that fails."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[list[Thread]] = []
        """For each level of ``atomic``, the threads that it started."""
        self.failures: dict[weakref.ref[Thread], Failure] = {}
        """Threads that failed, as long as somebody may join them."""
        self.lost: deque[Failure] = deque(maxlen=LOST_MAX)
        """Failures of threads that nobody can join any more."""
        self.spawn_other: Callable[[Any, tuple[Any, ...]], Thread]
        """Spawns what is no function: a capability, or what cannot be called."""
        self._callee: Any = NOBODY
        self._taken = 0
        self._called = ""
        """The function that was spawned last, how many arguments it was found to take, and its name: programs spawn
        the same one again and again."""

    def revive(self, thread: Thread) -> None:
        """Give a thread what it needs while it is alive."""
        thread.begin = thread.stack = thread.known = thread.failure = thread.greenlet = thread.wait = None
        thread.lent = thread.lender = thread.mailbox = thread.shares = thread.senders = thread.waiters = None
        thread.orders = CALM
        thread.stored = -1
        thread.wake = thread.runs = 0
        thread.spent = 0.0

    def start(
        self, function: Any, args: tuple[Any, ...], named: dict[str, Any] = NO_NAMES, name: str | None = None
    ) -> Thread:
        """A new thread that calls the function.

        Without a name it is that of the function, and nobody has looked yet whether it can be called so: generated code
        calls this for ``spawn f(x)``.
        """
        if name is None:
            if function is not self._callee or len(args) != self._taken:
                if type(function) is not FunctionType:
                    return self.spawn_other(function, args)
                self._meet(function, args)
            name = self._called
        living = self.living
        if len(living) >= THREADS_MAX:
            fail("LimitError", f"{THREADS_MAX:_} threads are alive, and no more can be: let some of them end first")
        thread_class = self.thread_class
        thread = thread_class()
        thread._t = self.heap.token
        thread._i = 0
        thread.name = name
        thread.state = "ready"
        # As revive does it: a call less for each thread.
        thread.stack = thread.known = thread.failure = thread.greenlet = thread.wait = thread.lent = thread.lender = (
            None
        )
        thread.mailbox = thread.shares = thread.senders = thread.waiters = None
        thread.result = thread.error = thread.post = thread.domain = thread.over = None
        thread.orders = CALM
        thread.stored = -1
        thread.wake = thread.runs = 0
        thread.spent = 0.0
        current = thread.parent = self.current
        thread.output = current.output if current is not None else None
        thread.begin = function, args, named
        living[thread] = self.touched[thread] = None
        if self.started:
            self.started[-1].append(thread)
        else:
            self.ready.append(thread)
        return thread

    def _meet(self, function: FunctionType, args: tuple[Any, ...]) -> None:
        """Throw unless a function takes so many arguments; remember one that does, if nothing is alive through it but
        itself: the functions of modules."""
        if function.__code__.co_argcount != len(args):
            check_call(function, len(args), ())
        self._called = function.__name__
        self._callee = NOBODY if function.__closure__ or function.__defaults__ else function
        self._taken = len(args)

    def forget_callee(self) -> None:
        """A burst is over: a version of a function goes when nobody needs it, not when another one is spawned."""
        self._callee = NOBODY

    def begin_atomic(self) -> None:
        """Threads that start from now on begin to run when the level ends."""
        self.started.append([])

    def commit_atomic(self) -> None:
        """A level ends: its threads go to the next one, or begin."""
        level = self.started.pop()
        if self.started:
            self.started[-1].extend(level)
        else:
            self.ready.extend(thread for thread in level if not thread.suspended)

    def abort_atomic(self) -> None:
        """A level is undone: its threads never were."""
        for thread in self.started.pop():
            thread.begin = None
            error = make_error("ThreadError", "the atomic block that started this thread was undone")
            self.end(thread, error=error, told=True)

    def failed(self, thread: Thread, exception: Exception) -> None:
        """The thread ends by an exception."""
        error = self.convert(exception)
        thread.post = self.post_mortem(exception)
        self.end(thread, error=error)

    def end(self, thread: Thread, result: Any = None, error: Error | None = None, told: bool = False) -> None:
        """The thread has ended: wake who waits for it.  Nobody needs to be ``told`` of an error that says what they
        did."""
        heap = self.heap
        if thread._t is not heap.token:
            heap.barrier(thread)
        if thread.domain is not None:
            result = self.out(thread.domain, result)
            if error is not None:
                self.own(error, thread.domain)
        thread.result, thread.error = result, error
        thread.state = "done" if error is None else "failed"
        self.living.pop(thread, None)
        if thread.stored < 0 or thread in self.damaged:
            self.touched.pop(thread, None)  # the store has never heard of it, or keeps what it has
        else:
            self.touched[thread] = None
        thread.greenlet = thread.known = thread.stack = thread.mailbox = thread.wait = None
        if thread.domain is not None:
            self.budgets.ended(thread)
        if error is not None and not told:
            self.note_failure(thread)
        waiters, senders = thread.waiters, thread.senders
        if waiters is not None:
            thread.waiters = None
            for waiter in waiters:
                self.make_ready(waiter)
        if senders is not None:
            thread.senders = None
            for waiter in senders:
                self.make_ready(waiter)

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
