"""The part of the scheduler by which one thread follows another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from greenlet import greenlet

from holdfast.vm.thread import CALM

if TYPE_CHECKING:
    from holdfast.vm.budgets import Budgets
    from holdfast.vm.thread import Thread
    from holdfast.vm.wakeup import Wakeup


class Switching:
    """Slices: how they end, and whose is next."""

    bounded: bool
    budgets: Budgets
    event: Wakeup
    globals: dict[str, Any]
    heap: Any
    lending: list[Thread]
    ranked: bool
    ready: deque[Thread]
    touched: dict[Thread, None]
    unread: dict[Thread, Any]
    enqueue: Callable[[Thread], None]
    lend: Callable[[], None]
    may_wait: Callable[[], None]
    pick: Callable[[], Thread]
    read_stack: Callable[[Thread], None]
    take_back: Callable[[Thread], None]
    throw_interrupt: Callable[[Thread], None]
    work: Callable[[], None]

    def __init__(self) -> None:
        super().__init__()
        self.current: Thread | None = None
        self.hub: Any = None
        self.pool: list[Any] = []
        """Greenlets without a thread."""
        self.switches = 0
        self.since = self.burst_end = 0.0
        """When the current slice began, and when the hub must have its turn: for a timer, too, and with 0 at once."""

    def enter(self, thread: Thread) -> Any:
        """Make a ready thread the current one; its greenlet, to switch to."""
        if self.unread and thread in self.unread:
            self.read_stack(thread)
        thread.state = "running"
        thread.runs += 1
        self.touched[thread] = None
        self.current = thread
        self.switches += 1
        if self.bounded or thread.domain is not None:
            self.budgets.begin_slice()
        if thread.orders is not CALM and thread.stepping:
            self.globals["_poll"] = True
        parked = thread.greenlet
        if parked is None:
            pool = self.pool
            parked = thread.greenlet = pool.pop() if pool else greenlet(self.work, self.hub)
        return parked

    def switch_out(self) -> None:
        """From the greenlet of the current thread to that of the next one; or to the hub, when none is ready, or
        something else is to be done first."""
        if self.lending:
            self.lend()
        now = monotonic()
        thread: Any = self.current
        thread.spent += now - self.since
        self.since = now
        if thread.domain is not None:
            self.budgets.spend(thread.domain)
        if self.ready and now < self.burst_end and not self.event.flag:
            thread = self.pick() if self.ranked else self.ready.popleft()
            parked = thread.greenlet
            if parked is None or self.unread or self.bounded or thread.domain is not None or thread.orders is not CALM:
                stopped = thread.domain is not None and self.budgets.halted(thread)
                parked = self.hub if stopped else self.enter(thread)
            else:  # as enter does it: a call less for nearly every switch
                thread.state = "running"
                thread.runs += 1
                self.touched[thread] = None
                self.current = thread
                self.switches += 1
        else:
            parked = self.hub
        thread = None  # what is parked here keeps no thread alive
        parked.switch()
        del parked
        thread = self.current
        if thread.lent is not None:
            self.take_back(thread)

    def give_way(self) -> None:
        """End the current thread's slice: all others that are ready have their turn first."""
        if self.heap.levels:
            self.may_wait()
        thread: Any = self.current
        thread.state = "ready"
        if thread.orders is CALM:
            self.ready.append(thread)
        elif not thread.suspended:
            self.enqueue(thread)
        self.switch_out()
        if thread.orders is not CALM and thread.interrupt is not None:
            self.throw_interrupt(thread)


__all__ = ["Switching"]
