"""The part of the scheduler by which one thread, or a person, acts on another thread."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, thread_time
from typing import TYPE_CHECKING, Any

from holdfast.vm.objects import Error, live, make_error

if TYPE_CHECKING:
    from collections import deque

    from holdfast.vm.budgets import Budgets
    from holdfast.vm.thread import Thread

KILL_S = 5.0
"""How long the ``finally`` blocks of a killed thread may take: then it is thrown out of them as well, """
KILL_RUN_S = 1.0
"""but not out of a computation before the world has had so much processor time, which is not the clock's on a busy
machine."""
SLOW = "the thread was killed, and its finally blocks took too long"


def killed(message: str) -> Error:
    """An error that no ``catch`` takes."""
    error = make_error("ThreadError", message)
    error._x = {"killed": True}
    return error


class Control:
    """Interrupts and suspensions."""

    budgets: Budgets
    current: Thread | None
    globals: dict[str, Any]
    living: dict[Thread, None]
    ready: deque[Thread]
    started: list[list[Thread]]
    touched: dict[Thread, None]
    enqueue: Callable[[Thread], None]
    give_way: Callable[[], None]
    make_ready: Callable[[Thread], None]
    may_wait: Callable[[], None]

    def interrupt(self, thread: Thread, message: str, kill: bool = False) -> None:
        """Throw an error into a thread at its next safepoint, or where it waits.

        With ``kill`` no ``catch`` takes it, and only ``finally`` runs.
        """
        if live(thread) not in self.living:
            return
        thread.interrupt = killed(message) if kill else make_error("ThreadError", message)
        self.budgets.stand(thread, None)  # it goes on, if only to its end: who joins it waits for that
        if kill and not thread.doomed:
            self.doom(thread)
        self.touched[thread] = None
        self.globals["_poll"] = True
        self.unsuspend(thread)
        self.make_ready(thread)

    def doom(self, thread: Thread) -> None:
        """Bound the time that a killed thread has from now on; one that comes back from the store has it once more."""
        thread.doomed = monotonic() + KILL_S
        thread.granted = thread_time() + KILL_RUN_S

    def overdue(self, thread: Thread) -> bool:
        """Has a killed thread that runs had its time?"""
        return bool(monotonic() > thread.doomed and thread_time() > thread.granted)

    def suspend(self, thread: Thread) -> None:
        """Let a thread not run until it is resumed."""
        if live(thread) not in self.living or thread.suspended:
            return
        thread.suspended = True
        self.touched[thread] = None
        if thread is self.current:
            self.may_wait()
            self.give_way()
        elif thread.state == "ready" and thread in self.ready:
            self.ready.remove(thread)

    def unsuspend(self, thread: Thread, step: bool = False) -> None:
        """Let a suspended thread run again; with ``step`` until its next safepoint."""
        if live(thread) not in self.living:
            return
        thread.stepping = step
        if not thread.suspended:
            return
        thread.suspended = False
        self.touched[thread] = None
        if thread.state == "ready" and not any(thread in level for level in self.started):
            self.enqueue(thread)
