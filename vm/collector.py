"""Garbage of the store is collected for those who have used up what they may have.

What a domain has let go of counts until it is collected (:mod:`holdfast.vm.stock`).  So before a thread is stopped for
it, it waits for a collection, which runs in slices beside the other threads.  Collections have long pauses between
them: what a thread does that lives at its limit may not slow down everybody else.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from holdfast.vm import maintenance
from holdfast.vm.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Generator

    from holdfast.vm.heap import Heap
    from holdfast.vm.maintenance import Report
    from holdfast.vm.outbox import Outbox
    from holdfast.vm.thread import Thread
    from holdfast.vm.threads import Scheduler

SLICE_S = 0.002
PAUSE_FACTOR = 10
"""How many times longer than a collection the pause behind it is."""
OTHERS_S = 0.01
"""When to look again whether a collection that somebody else has begun is over."""


class Collector:
    """Runs collections that threads wait for."""

    def __init__(self, heap: Heap, scheduler: Scheduler, outbox: Outbox) -> None:
        self.heap = heap
        self.scheduler = scheduler
        self.outbox = outbox
        self.waiting: list[Thread] = []
        self.steps: Generator[Report, None, None] | None = None
        self.took = 0.0
        self.resting = 0.0
        """Until when none begins."""
        self.count = 0

    def slice(self) -> float | None:
        """Go on a little; when to be called again in seconds, None when nobody waits."""
        if not self.waiting:
            return None
        started = monotonic()
        if self.steps is None or self.steps not in self.outbox.jobs:  # closed, as the store was opened again
            if started < self.resting:
                return self.resting - started
            if self.heap.seen is not None:
                return OTHERS_S
            if self.heap.open is not None:
                return 0
            self.steps, self.took = maintenance.collect(self.heap, sources=False), 0.0
            self.outbox.jobs.append(self.steps)
        try:
            for _ in self.steps:
                if monotonic() - started > SLICE_S:
                    return 0
        except StoreError:
            self.outbox.recover()
            return 0
        finally:
            self.took += monotonic() - started
        self._finish()
        return 0

    def _finish(self) -> None:
        self.outbox.jobs.remove(self.steps)  # type: ignore[arg-type]  # it is there
        self.steps = None
        self.count += 1
        self.resting = monotonic() + self.took * PAUSE_FACTOR
        for thread in list(self.waiting):
            self.scheduler.make_ready(thread)
