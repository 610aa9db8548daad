"""The part of the scheduler by which a thread runs on the stack of the one that waits for it.

``(spawn f()).join()`` would cost two switches and a stack of the host.  A thread that is the next to run anyway, and
that the current one is about to wait for, is called by that one instead, as a plain call: the *lender* lends its stack
to the *borrower*.  (Goldstein, Schauser and Culler, "Lazy threads: implementing a fast parallel call", 1996.)  What can
be seen is the same: the order in which threads run, the lender's state, and its frames.  (The lender goes on at once
only where nobody else is ready.)

Whoever is parked while it borrows stays there, above the frames of its lender, until it ends.  The lender can go on
only when that is over, save when it is killed: then the borrower's frames become data, as those of a thread whose
stack is dropped do, and are thrown away.

Invariants: ``lending`` holds the lenders on the running greenlet whose borrowers have not been parked yet.  A lender
whose borrower has, has in ``lent`` the frame of :meth:`Lending.run_here` that stands on its own frames, and the
borrower, and that has the lender in ``lender``.  Where the borrower has another greenlet, or none, what stands above
that frame is rubbish.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from sys import getrecursionlimit, setrecursionlimit
from typing import TYPE_CHECKING, Any

from greenlet import GreenletExit, getcurrent

from holdfast.vm.limits import LEND_DEPTH
from holdfast.vm.thread import CALM
from holdfast.vm.waits import Join

if TYPE_CHECKING:
    from types import CodeType, FrameType

    from holdfast.vm.frames import Frame, Known
    from holdfast.vm.stacks import Stack
    from holdfast.vm.thread import Thread


class Returned(GreenletExit):
    """A lender goes on before its borrower has ended; no generated code catches it."""


def ordered(thread: Thread, caller: Thread) -> bool:
    """Does somebody watch the steps of one of them, or gives it a time in which to end, or another's turn?"""
    more = thread.interrupt is not None or thread.priority < 0 or thread.stepping
    return bool(more or caller.stepping or caller.doomed)


class Lending:
    """Stacks that are lent."""

    bounded: bool
    current: Thread | None
    heap: Any
    held: int
    living: dict[Thread, None]
    monitor: Any
    ready: deque[Thread]
    read_stack: Callable[[Thread], None]
    touched: dict[Thread, None]
    unread: dict[Thread, Any]
    capture: Callable[[FrameType | None, Known | None], tuple[int, list[Frame]]]
    end: Callable[..., None]
    failed: Callable[[Thread, Exception], None]
    new_stack: Callable[[], Stack]

    def __init__(self) -> None:
        super().__init__()
        self.lending: list[Thread] = []

    def run_here(self, thread: Thread) -> bool | None:
        """Run a thread that the current one waits for, that has not begun, and that is the first of those that are
        ready.  False when this one goes on before it has ended; None when it must not run on this one's stack: both
        must have room for their calls.
        """
        caller: Any = self.current
        domains = thread.domain is not None or caller.domain is not None or self.bounded or self.held
        if domains or ((thread.orders is not CALM or caller.orders is not CALM) and ordered(thread, caller)):
            return None
        limit = getrecursionlimit()
        try:
            setrecursionlimit(LEND_DEPTH)  # CPython refuses a limit below the depth that has been reached
        except RecursionError:
            return None
        setrecursionlimit(limit)
        monitor = self.monitor
        acting, monitor.acting = monitor.acting, None
        self.ready.popleft()
        caller.state = "joining"
        thread.state, thread.greenlet = "running", caller.greenlet
        thread.runs += 1
        self.touched[thread] = None
        function, args, named = thread.begin  # type: ignore[misc]  # it has not begun
        thread.begin = None
        lending = self.lending
        lending.append(caller)
        self.current = thread
        result = failure = None
        try:
            result = function(*args, **named) if args or named else function()
        except Exception as exception:
            failure = exception
        except Returned:
            if self.current is not caller:  # it is one still further out that goes on
                raise
            monitor.acting, caller.wait, caller.lent = acting, None, None
            return False
        if lending and lending[-1] is caller:
            lending.pop()
        else:  # others have run meanwhile, as in any other wait
            if caller in self.unread:
                self.read_stack(caller)
            caller.lent = thread.lender = None
            caller.runs += 1
            self.touched[caller] = None
            if thread.waiters is not None:
                thread.waiters.pop(caller, None)
        if failure is not None:
            self.failed(thread, failure)
            failure = None  # it refers to this frame, which would live until the host's collector comes
        elif thread.waiters is None and thread.senders is None and thread.stored < 0 and thread._t is self.heap.token:
            # As end does it for a thread that nobody knows but who has spawned it: a call less for nearly each.
            thread.result, thread.state = result, "done"
            self.living.pop(thread, None)
            self.touched.pop(thread, None)
            thread.greenlet = thread.known = thread.stack = thread.mailbox = thread.wait = None
        else:
            self.end(thread, result)
        if caller.state != "joining" and not caller.suspended:  # the thread has killed it, or somebody else has
            self.ready.remove(caller)
        self.current, monitor.acting = caller, acting
        caller.state, caller.wait = "running", None
        return True

    def lend(self) -> None:
        """The current thread is to be parked for the first time, or somebody looks at what its lenders wait for: note
        that, and where their frames end."""
        frame: Any = sys._getframe(1)
        guest: Any = self.current
        while self.lending:
            caller = self.lending.pop()
            while frame.f_code is not BOUNDARY:
                frame = frame.f_back
            caller.lent, guest.lender = (frame, guest), caller
            if caller.state == "joining":  # else it was killed: it goes on as soon as it can
                caller.wait = Join([guest], False)
                caller.wait.begin(self, caller)  # type: ignore[arg-type]
            frame, guest = frame.f_back, caller

    def take_back(self, lender: Thread) -> None:
        """The current thread has been switched to and finds a borrower above its own frames: away with that."""
        self.unload(lender, getcurrent(), sys._getframe(1))
        raise Returned

    def unload(self, lender: Thread, parked: Any, top: FrameType | None) -> None:
        """Make data of the frames of all that run on a thread's stack, of which ``top`` is the innermost one."""
        lent = lender.lent
        while lent is not None and lent[1].greenlet is parked:
            guest = lent[1]
            if guest in self.unread:
                self.read_stack(guest)
            lent = guest.lent
            _, frames = self.capture(lent[0].f_back if lent is not None else top, None)
            if guest.stack is None:
                guest.stack = self.new_stack()
            guest.stack.frames.extend(frames)
            guest.greenlet = guest.known = guest.lent = guest.lender = None

    def top_of(self, thread: Thread) -> FrameType | None:
        """The innermost frame of a thread that is parked, or has lent its stack; None when the host's has none."""
        if thread.greenlet is None or thread.begin is not None:
            return None
        if self.lending:  # it may be one of them, and its frames stand below those of who asks
            self.lend()
        top: FrameType | None = thread.greenlet.gr_frame  # also makes the frames of the greenlet readable
        if thread.lent is not None:
            return thread.lent[0].f_back  # type: ignore[no-any-return]
        return sys._getframe(1) if thread.greenlet is getcurrent() else top  # its lender has been switched to

    def lends(self, thread: Thread) -> bool:
        """Does somebody run on the stack of a thread?"""
        return thread.lent is not None and thread.lent[1].greenlet is thread.greenlet

    def lender_of(self, thread: Thread) -> Thread | None:
        """On whose stack a thread runs."""
        lender = thread.lender
        return lender if lender is not None and lender.greenlet is thread.greenlet else None

    def drop_stack(self, thread: Thread) -> None:
        """Throw away a parked thread's frames on the host's stack, which no more is run of."""
        if thread in self.unread:
            self.read_stack(thread)
        parked, lender = thread.greenlet, self.lender_of(thread)
        if parked is None:
            return
        if thread.lent is not None:
            self.unload(thread, parked, parked.gr_frame)
        thread.greenlet = thread.known = thread.lent = thread.lender = None
        if lender is None:
            parked.throw()  # GreenletExit, which generated code does not catch: no guest code runs


BOUNDARY: CodeType = Lending.run_here.__code__
"""Frames of this code stand between those of a lender and those of its borrower."""


__all__ = ["BOUNDARY", "Lending", "Returned"]
