"""Driving a world in this process: time slices, signals, a terminal that goes away.

Signal handlers only set flags and wake the scheduler.  The flags are looked at between time slices, and (by the hook
``on_event``) at safepoints, since an ``atomic`` block does not come back here before its end.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from holdfast.repl import exits
from holdfast.repl.console import Console
from holdfast.repl.failures import Failures
from holdfast.repl.host import ENDED

if TYPE_CHECKING:
    from holdfast.repl.remote_door import Door
    from holdfast.vm.thread import Thread
    from holdfast.vm.world import World

PATIENCE = 3
"""So many Ctrl-C that were not answered end the process at once: it may be inside one long step of the host."""
INTERRUPTED = "interrupted from the keyboard"
UNHEARD = "nobody reads the output any more"
UNHEARD_S = 10.0
"""How long a program may take for its ``finally`` blocks when nobody reads its output any more."""


class Driver:
    """Runs the threads of one world, and ends one of them when a person says so."""

    def __init__(self, world: World, console: Console) -> None:
        self.world = world
        self.console = console
        self.target: Thread | None = None
        """What Ctrl-C ends."""
        self.interrupted = False
        """It was ended."""
        self.ended_by = 0
        """Number of the signal that ends the process, 0 for none."""
        self._asked = 0
        self.deadline: float | None = None
        """When what the world is driven for must be over, on the monotonic clock."""
        self.door: Door | None = None
        """Who is let into the world while it is driven."""
        self.failures = Failures(world, console)
        world.scheduler.on_event = self.attend

    # ------------------------------------------------------------------ signals

    def signal(self, number: int) -> None:
        """The listener for signals."""
        if number == signal.SIGINT:
            self._asked += 1
            if self._asked >= PATIENCE:
                os.write(2, b"\nstopped at once; the world is as of its last checkpoint\n")
                os._exit(exits.INTERRUPTED)
        else:
            self.ended_by = number
        self.world.globals["_poll"] = True
        self.world.scheduler.event.set()
        self.console.signalled()

    def take_interrupt(self) -> bool:
        """Was Ctrl-C pressed since the last call?"""
        asked, self._asked = self._asked, 0
        return asked > 0

    def attend(self) -> None:
        """Answer Ctrl-C, let those go on that wait for the terminal, tell of threads that failed."""
        if self.console.waiting and not self.console.full:
            self.world.scheduler.emptied(self.console)
        self.failures.attend()
        thread = self.target
        if self._asked and thread is not None and thread.f_state not in ("done", "failed"):
            self._asked = 0
            self.interrupted = True
            self.world.scheduler.interrupt(thread, INTERRUPTED, kill=True)

    # ------------------------------------------------------------------ running

    @property
    def asked(self) -> bool:
        """Was Ctrl-C pressed, and not answered?"""
        return self._asked > 0

    def bounded(self, delay: float | None) -> float | None:
        """How long to wait for an event, where something is to be over at a time."""
        if self.deadline is None:
            return delay
        left = max(0.0, self.deadline - monotonic())
        return left if delay is None else min(delay, left)

    def run(self, thread: Thread, limit: Callable[[], bool] | None = None) -> bool:
        """Drive the world until the thread has ended; False when a signal came first.

        ``limit`` is asked at each turn; when it says True, the thread is interrupted.  When nobody reads the output any
        more the thread is killed: else it would go on when the world is opened again.
        """
        self.target = thread
        self.interrupted = False

        def over() -> bool:
            nonlocal limit
            if thread.f_state in ENDED:
                return True
            if thread.f_over is not None and thread.f_parent is None:  # nobody could give it more
                self.world.authority.finish(thread, thread.f_over)
                return True
            if self.console.broken is not None and self.deadline is None:
                self.deadline = monotonic() + UNHEARD_S
                self.world.scheduler.interrupt(thread, UNHEARD, kill=True)
            if limit is not None and limit():
                limit = None
                self.world.scheduler.interrupt(thread, INTERRUPTED, kill=True)
            return self.deadline is not None and monotonic() > self.deadline

        try:
            self.drive(over)
        finally:
            self.target = self.deadline = None
        return not self.ended_by and thread.f_state in ENDED

    def drive(self, until: Callable[[], bool], *, open_door: bool = True) -> None:
        """Drive the world until that is so, or a signal ends the process."""
        from holdfast.vm.ticker import Ticker

        scheduler, door = self.world.scheduler, self.door if open_door else None
        with Ticker(self.world.globals):
            while not self.ended_by and not until():
                self.attend()
                if door is not None and door.knocked:
                    door.receive(until)
                    continue
                delay = scheduler.turn()
                if delay != 0 and not self.ended_by and not until() and not (door is not None and door.knocked):
                    scheduler.event.wait(self.bounded(delay))
