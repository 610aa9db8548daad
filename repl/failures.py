"""Telling of threads that failed and that nobody joined.

A failure is told when nobody can join the thread any more, and at the latest when the program that started it ends, or
(in a session) while no entry runs.  Like all output it leaves when what it depends on is on disk, behind what was
printed before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.repl.problems import problem_of

if TYPE_CHECKING:
    from holdfast.repl.console import Console
    from holdfast.vm.thread import Failure
    from holdfast.vm.world import World


class Failures:
    """The failed threads of one world, for the terminals that started them."""

    def __init__(self, world: World, console: Console) -> None:
        self.world = world
        self.console = console
        """Who is told where the thread has no console, """
        self.loud = False
        """and also where that has no terminal."""
        self._counted = (0, 0)

    def attend(self) -> None:
        """Tell of those that nobody can join any more.  To be called often; does nothing inside ``atomic``."""
        lost = self.world.scheduler.lost
        while lost and not self.world.heap.levels:
            self.tell(lost.popleft())
        if self.loud and not self.world.heap.levels:
            self._orphans()

    def _orphans(self) -> None:
        """Tell of those whose parent has ended, and whose console has no terminal."""
        failures, living = self.world.scheduler.failures, self.world.scheduler.living
        if (len(failures), len(living)) == self._counted:
            return
        for reference, failure in list(failures.items()):
            thread, output = reference(), failure.output
            if thread is not None and thread.f_parent not in living and (output is None or output.outlet is None):
                self.tell(failure)
        self._counted = len(failures), len(living)

    def ended(self, terminal: Any) -> None:
        """Tell of all that a terminal has started: who could join them has had the time."""
        for failure in list(self.world.scheduler.failures.values()):
            if failure.output is not None and failure.output.outlet is terminal:
                self.tell(failure)
        self.attend()

    def tell(self, failure: Failure) -> None:
        """Tell of a failure, unless somebody has met it."""
        if failure.handled:
            return
        failure.handled = True
        problem = problem_of(self.world, failure.error)
        terminal: Any = failure.output
        if terminal is None or (self.loud and terminal.outlet is None):
            terminal = self.console
        self.world.outbox.print("", lambda _: terminal.failed(failure.name, problem))
        self.world.scheduler.event.set()
