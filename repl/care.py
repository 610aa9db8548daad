"""The care of a world, open or not: what ``world check``, ``gc``, ``stat``, ``export`` and ``backup`` do.

If another process has the world open, the work is done over there, between time slices of its programs
(:mod:`holdfast.repl.remote_care`); else in this one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from holdfast.repl import exits
from holdfast.repl.exits import Failure
from holdfast.repl.remote_door import connect
from holdfast.repl.remote_open import Patience
from holdfast.vm.store import WorldLocked

if TYPE_CHECKING:
    from holdfast.repl.signals import Signals
    from holdfast.vm.maintenance import Progress, Report
    from holdfast.vm.store import Store

T = TypeVar("T")


class Findings(NamedTuple):
    """What a check found, a collection did, or a measurement counted."""

    checkpoint: int
    objects: int
    live: int
    garbage: int
    deleted: int
    sources: int
    """Old versions of files that a collection deleted."""
    pieces: int
    side: int
    bytes: int
    problem_count: int
    problems: list[tuple[str, str]]
    """Name and reason of the first of them."""
    classes: list[tuple[str, int, int]]
    """Name, objects and bytes of each class (of a measurement)."""
    disk_bytes: int
    """Size of the world's files."""
    waiting: list[tuple[str, int]]
    """Folders of the host, and how many changes to their files wait for each to be granted again (of a measurement)."""
    running: dict[str, Any] | None = None
    """Numbers of the process that has the world open (of a measurement)."""


def findings(store: Store, report: Report) -> Findings:
    """A complete report as plain data."""
    from holdfast.vm import file_outbox

    names = class_names(store) if report.classes else {}
    return Findings(
        report.checkpoint,
        report.objects,
        report.live,
        report.garbage,
        report.deleted,
        report.sources,
        report.pieces,
        report.side,
        report.bytes,
        report.problem_count,
        [(problem.name, problem.reason) for problem in report.problems],
        [(names.get(k, f"class {k}"), n, b) for k, (n, b) in report.classes.items()],
        store.statistics()["disk_bytes"],
        [(printable(folder), number) for folder, number in file_outbox.waiting(store).items()]
        if report.classes
        else [],
    )


def printable(path: bytes) -> str:
    """A path of the host as a text that can be encoded."""
    return path.decode("utf-8", "backslashreplace")


def class_names(store: Store) -> dict[int, str]:
    """The names of classes by number, those of the world and the built-in ones."""
    from holdfast.vm import ids
    from holdfast.vm.objects import ERRORS
    from holdfast.vm.side import class_row, text_of

    found = {ids.LIST: "List", ids.MAP: "Map", ids.SET: "Set", ids.BOX: "variable", ids.FUNCTION: "Function"}
    found |= {
        ids.THREAD: "Thread",
        ids.MESSAGE: "Message",
        ids.TEXT: "large Text",
        ids.CONSOLE: "Console",
        ids.CAPABILITY: "Capability",
        ids.DOMAIN: "Domain",
        ids.REVOKER: "Condition",
        ids.REVOCABLE: "Revocable",
        ids.DEVICE_DIR: "Dir",
        ids.DEVICE_READER: "Reader",
        ids.DEVICE_CLOCK: "Clock",
        ids.DEVICE_RANDOM: "Random",
        ids.DEVICE_ENV: "Env",
        ids.DEVICE_CONSOLE: "Terminal",
        ids.SESSION: "Session",
    } | {cls._k: name for name, cls in ERRORS.items()}
    prefix = b"Mclass:"
    for key, record in store.scan(prefix):
        number, row = class_row(key[len(prefix) :].decode(errors="replace"), text_of(key, record))
        found[number] = f"{row['module']}:{row['name']}"
    return found


class Care(Protocol):
    """What can be done for a world."""

    def check(self, progress: Progress) -> Findings:
        """Verify it."""

    def collect(self, progress: Progress) -> Findings:
        """Delete garbage, and give its space back."""

    def measure(self, progress: Progress) -> Findings:
        """Count and measure."""

    def export(self, write: Callable[[str], object], progress: Progress) -> int:
        """Write it as text; gives the number of lines."""

    def backup(self, target: str) -> int:
        """Copy it to an absolute path; gives the number of the checkpoint that was copied."""


def care_for(path: str, signals: Signals, work: Callable[[Care], T]) -> T:
    """Do something for a world, in the process that has it open if there is one.

    Raises StoreError or Failure.
    """
    patience = Patience()
    while True:
        connection = connect(path)
        if connection is not None:
            from holdfast.repl.remote_care import RemoteCare
            from holdfast.repl.remote_line import Line

            patience.met(connection)
            try:
                line = Line(connection)
            except Failure as failure:
                if failure.code != exits.WORLD or patience.over:
                    raise
                continue  # it was just about to end
            try:
                return work(RemoteCare(line))
            finally:
                line.close()
        try:
            return work(LocalCare(path, signals))
        except WorldLocked:  # it is raised before anything was done
            if patience.over:
                raise
            patience.pause()


class LocalCare:
    """A world that nobody has open."""

    def __init__(self, path: str, signals: Signals) -> None:
        self.path = path
        self.signals = signals

    def check(self, progress: Progress) -> Findings:
        """Verify it."""
        from holdfast.vm import maintenance

        return self._report(lambda store: maintenance.check(store, progress))

    def measure(self, progress: Progress) -> Findings:
        """Count and measure."""
        from holdfast.vm import maintenance

        return self._report(lambda store: maintenance.statistics(store, progress))

    def _report(self, steps: Callable[[Store], Iterator[Report]]) -> Findings:
        store = opened(self.path)
        try:
            return findings(store, last(steps(store)))
        finally:
            store.close()

    def collect(self, progress: Progress) -> Findings:
        """Delete garbage, and give its space back."""
        from holdfast.repl.console import Console
        from holdfast.repl.local import LocalHost, Options
        from holdfast.vm import maintenance

        with LocalHost(Options(self.path, create=False), Console(), self.signals) as local:
            local.world.checkpoint()
            report = last(maintenance.collect(local.world.heap, progress))
            local.world.store.flush()
            local.world.store.compact()
            return findings(local.world.store, report)

    def export(self, write: Callable[[str], object], progress: Progress) -> int:
        """Write it as text; gives the number of lines."""
        from holdfast.vm.transfer import export_lines

        store = opened(self.path)
        count = 0
        try:
            for line in export_lines(store):
                write(line)
                count += 1
                progress("writing lines", count, 0)
        finally:
            store.close()
        return count

    def backup(self, target: str) -> int:
        """Copy it; gives the number of the checkpoint that was copied."""
        from holdfast.vm import maintenance

        store = opened(self.path)
        try:
            return maintenance.backup(store, target)
        finally:
            store.close()


def opened(path: str) -> Store:
    """The store of a world that must exist."""
    from holdfast.vm.store import Store

    return Store(path, create=False)


def last(reports: Iterator[Report]) -> Report:
    """The complete report."""
    return deque(reports, maxlen=1).pop()
