"""The one place where the benchmarks touch the machine.

Everything that the suites need of Holdfast goes through :class:`Session` (an open world) and :func:`load` (a measured
program in a world of its own).  If the machine's interface changes, only this module does.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any


@dataclass(slots=True, frozen=True)
class Counters:
    """What a world has done since it was opened."""

    checkpoints: int
    bytes: int
    """Bytes of the records and keys that its checkpoints wrote."""
    loaded: int
    """Objects that are in memory, ghosts included."""
    pauses: Sequence[float]
    """Seconds for which each of the last checkpoints stopped the guests, oldest first."""


class HoldError(Exception):
    """A Hold program failed; the text is its error."""


class Session:
    """An open world."""

    def __init__(self, path: Path) -> None:
        from holdfast.stdlib import library
        from holdfast.vm.world import World

        self.world: Any = World.open(str(path), library=library())

    def module(self, path: Path) -> Any:
        """Load a file of definitions."""
        return self.world.load_module(str(path))

    def call(self, module: Any, name: str, *arguments: Any) -> Any:
        """Call a function of the module in a new thread and give its result."""
        from holdfast.vm.objects import Thrown

        try:
            return self.world.call(module, name, *arguments)
        except Thrown as thrown:
            error: Any = thrown.error
            raise HoldError(f"{error.f_kind}: {error.f_message} ({error.f_at})") from None

    def commit(self) -> None:
        """Return when all that was done so far is on disk, with an fsync."""
        self.world.checkpoint()

    def counters(self) -> Counters:
        """The figures that the suites use."""
        figures = self.world.statistics()
        done = figures["checkpoints"]
        return Counters(
            checkpoints=int(done["count"]),
            bytes=int(done["bytes"]),
            loaded=int(figures["loaded"]),
            pauses=tuple(self.world.checkpointer.statistics.pauses),
        )

    def close(self) -> None:
        """A last checkpoint, then close."""
        self.world.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class Program:
    """A measured program, loaded into a new world; call it with the number of iterations."""

    def __init__(self, path: Path, under_root: bool, scratch: Path | None = None) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="holdfast-bench-", dir=scratch))
        self.entry = "benchmark_root" if under_root else "benchmark"
        try:
            self.session = Session(self.directory / "world")
            self.module = self.session.module(path)
        except BaseException:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise

    def __call__(self, inner: int) -> bool:
        return self.session.call(self.module, self.entry, inner) is True

    def counters(self) -> Counters:
        """What the world has written so far."""
        return self.session.counters()

    def close(self) -> None:
        """Close the world and remove it."""
        try:
            self.session.close()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)


def load(program_path: Path, under_root: bool, scratch: Path | None = None) -> Program:
    """The program of a ``.hold`` file as a callable; ``under_root`` chooses the entry that keeps its data there."""
    return Program(program_path, under_root, scratch)
