"""Driving a world in this process: time slices, signals, a terminal that goes away.

Signal handlers only set flags and wake the scheduler.  The flags are looked at between time slices, and (by the hook
``on_event``) at safepoints, since an ``atomic`` block does not come back here before its end.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from holdfast.repl import exits
from holdfast.repl.console import Console
from holdfast.repl.failures import Failures

if TYPE_CHECKING:
    from holdfast.repl.remote_door import Door
    from holdfast.vm.thread import Thread
    from holdfast.vm.world import World

PATIENCE = 3
"""So many Ctrl-C that were not answered end the process at once: it may be inside one long step of the host."""
INTERRUPTED = "interrupted from the keyboard"


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

    def over(self, thread: Thread) -> bool:
        """Is there nothing more to wait for?"""
        return thread.f_state in ("done", "failed") or self.console.broken is not None

    def run(self, thread: Thread, limit: Callable[[], bool] | None = None) -> bool:
        """Drive the world until the thread has ended; False when a signal or a broken output came first.

        ``limit`` is asked at each turn; when it says True, the thread is interrupted.
        """
        from holdfast.vm.ticker import Ticker

        scheduler = self.world.scheduler
        self.target = thread
        self.interrupted = False
        try:
            with Ticker(self.world.globals):
                while thread.f_state not in ("done", "failed"):
                    if self.ended_by or self.console.broken is not None:
                        return False
                    self.attend()
                    if limit is not None and limit():
                        limit = None
                        scheduler.interrupt(thread, INTERRUPTED, kill=True)
                    if self.door is not None and self.door.knocked:
                        self.door.receive(lambda: self.over(thread))
                        continue
                    delay = scheduler.turn()
                    if delay != 0 and not self.over(thread) and not (self.door and self.door.knocked):
                        scheduler.event.wait(delay)
        finally:
            self.target = None
        return not self.ended_by
