"""Progress of long work, on a terminal only."""

from __future__ import annotations

import sys
from time import monotonic
from types import TracebackType
from typing import Any

DELAY_S = 0.5
"""What is done sooner shows no bar."""
UPDATE_S = 0.05


class Progress:
    """A bar on stderr while something takes long; nothing when stderr is no terminal."""

    def __init__(self) -> None:
        self.wanted = sys.stderr.isatty()
        self.next = monotonic() + DELAY_S
        self.bar: Any = None
        self.tasks: dict[str, Any] = {}

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.bar is not None:
            self.bar.stop()

    def __call__(self, phase: str, done: int, total: int = 0) -> None:
        """Show how far a phase is; ``total`` 0 where that is not known."""
        if not self.wanted or monotonic() < self.next:
            return
        self.next = monotonic() + UPDATE_S
        if self.bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self.bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self.bar.start()
        if phase not in self.tasks:
            for task in self.bar.tasks:  # they are over
                self.bar.update(task.id, total=task.completed)
            self.tasks[phase] = self.bar.add_task(phase, total=total or None)
        self.bar.update(self.tasks[phase], completed=min(done, total) if total else done, total=total or None)

    def count(self, phase: str) -> Any:
        """For work that only counts: a function of the number."""
        return lambda done: self(phase, done)
