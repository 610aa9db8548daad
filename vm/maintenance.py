"""The care of a world: check, garbage collection, backup and restore, repair, statistics.

All of it works on records, not on loaded objects, and on a snapshot, so that the world can be in use meanwhile.  What
takes long is a generator; each turn is a slice of a few milliseconds.

**Collection.**  ``collect`` marks what the roots of one checkpoint reach: the roots of the commit record and every
reference in a side record.  Guests go on meanwhile, so whatever had a shell in memory at any time since the snapshot
counts as a root as well (``Heap.seen``): a reference can be written only by somebody who holds its shell.  Hence an
object that is not marked at the end can be reached neither from memory nor from any state that was or will be written
since the snapshot.  Deletions are written in batches between slices; a crash keeps a prefix of them, and leaves no
reference to a deleted object in anything that lives.  Behind them, old versions of files go that no function and no
frame which is left comes from; what the process has compiled stays, since it may come to be referred to again.
"""

from __future__ import annotations

import shutil
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from holdfast.vm import ids, memory
from holdfast.vm.codec import (
    ABSENT,
    DamagedRecord,
    Pieces,
    bare_codec,
    check_values,
    key_name,
    open_record,
)
from holdfast.vm.definitions import Definitions
from holdfast.vm.file_outbox import drop_all
from holdfast.vm.graph import STEP, Graph
from holdfast.vm.heap import COMMIT_KEY
from holdfast.vm.side import CODE, commit_parts
from holdfast.vm.stock import Counts, add, recount, stored
from holdfast.vm.store import Store, WorldDamaged, WorldMissing, object_key, refuse_existing, refuse_open

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from holdfast.vm.batch import Batch
    from holdfast.vm.heap import Heap

DELETE_BATCH = 2_000
PROBLEMS_MAX = 1_000
"""More problems than this are counted, not listed."""


class Problem(NamedTuple):
    """One thing that is wrong with a world."""

    name: str
    """KID of the object, or what the record is for."""
    reason: str


class Report:
    """What a check found, or a collection did."""

    def __init__(self) -> None:
        self.checkpoint = 0
        """Number of the checkpoint that was looked at."""
        self.objects = self.live = self.garbage = self.deleted = 0
        self.pieces = self.side = self.bytes = 0
        self.sources = 0
        """Old versions of files that a collection deleted."""
        self.classes: dict[int, list[int]] = {}
        """Class number to count and bytes (statistics only)."""
        self.problems: list[Problem] = []
        self.problem_count = 0

    def add(self, name: str, reason: str) -> None:
        """Note a problem."""
        self.problem_count += 1
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(Problem(name, reason))


Progress: TypeAlias = "Callable[[str, int, int], None]"
"""Called with what is done now, how much of it is done, and how much there is (0 if unknown)."""


def _silent(phase: str, done: int, total: int) -> None:
    """No progress is wanted."""


# --------------------------------------------------------------------------- check


def check(store: Store, progress: Progress = _silent) -> Generator[Report, None, None]:
    """Check a world: every record decodes, every reference of what lives resolves, pieces add up, and the source of
    every class and function is there.

    Gives the report, growing, once a slice; the last one is complete.
    """
    report = Report()
    view = store.snapshot()
    try:
        graph = Graph(view)
        report.checkpoint = graph.number
        for _ in graph.list_ids(progress):
            yield report
        report.objects = len(graph.oids)
        try:
            grey = graph.start(report)
        except DamagedRecord as error:
            report.add(error.name, error.reason)
            grey = array("Q")
        for _ in graph.mark(grey, Report(), progress):  # its problems are found once more below
            yield report
        report.live = sum(graph.marks)
        report.garbage = report.objects - report.live
        yield from _check_records(graph, report, progress)
        yield from _check_pieces(graph, report, progress)
        yield from _check_stock(graph, report)
    finally:
        view.close()
    yield report


def _check_records(graph: Graph, report: Report, progress: Progress) -> Iterator[Report]:
    definitions = None
    try:
        definitions = Definitions(graph.view)
    except DamagedRecord as error:  # then what classes there are is not known
        report.add(error.name, error.reason)
    for key, record in graph.view.scan(b"M" + CODE):
        try:
            open_record(key, record)
        except DamagedRecord as error:
            report.add(error.name, error.reason)
    for count, oid in enumerate(graph.oids):
        key = object_key(oid)
        record = graph.view.get(key) or b""
        report.bytes += len(record)
        try:
            values, refs = graph.unpack(key, record)
            _check_object(key, oid, values)
            lost = graph.lost
            if definitions is not None and graph.marks[count]:  # what garbage came from may have gone before it
                definitions.check(values[0], values[1], values[4:], ids.kid(oid))
        except DamagedRecord as error:
            report.add(error.name, error.reason)
            continue
        if graph.marks[count]:
            for ref in refs:
                if graph.place(ref) < 0:
                    report.add(ids.kid(oid), f"it refers to {ids.kid(ref)}, which does not exist")
            for domain in lost:
                report.add(ids.kid(oid), f"the domain that loaded its code, {ids.kid(domain)}, does not exist")
        if count % STEP == 0:
            progress("checking objects", count, len(graph.oids))
            yield report


def _check_object(key: bytes, oid: int, values: list[Any]) -> None:
    name = ids.kid(oid)
    number = ids.class_of(oid)
    if len(values) < 4 or values[0] != number:
        raise DamagedRecord(name, f"it is not of class {number}, as its id says")
    fields = values[4:]
    if number == ids.FUNCTION:
        if [type(value) for value in fields] != [bytes, int, str, list]:
            raise DamagedRecord(name, "it is not that of a function")
        check_values(key, fields[3])
    elif number > ids.SET:
        check_values(key, fields)
    elif len(fields) != 1 or type(fields[0]) not in (list, Pieces):
        raise DamagedRecord(name, "a collection without contents")
    elif type(fields[0]) is list:
        check_values(key, fields[0])
        if number == ids.MAP and len(fields[0]) % 2:
            raise DamagedRecord(name, "a key without a value")


def _check_pieces(graph: Graph, report: Report, progress: Progress) -> Iterator[Report]:
    """Each piece belongs to an object that is in pieces, and the pieces of each are as many as its header says."""
    for place, oid in enumerate(graph.oids):
        if ids.class_of(oid) > ids.SET:
            break
        key = object_key(oid)
        try:
            values, _ = graph.unpack(key, graph.view.get(key) or b"")
            header = values[4].header if len(values) == 5 and type(values[4]) is Pieces else None
            for _ in _count_pieces(graph, oid, header, bool(graph.marks[place]), report):
                progress("checking pieces", report.pieces, 0)
                yield report
        except DamagedRecord as error:
            report.add(error.name, error.reason)
        except (IndexError, TypeError):
            report.add(ids.kid(oid), "a piece of it has not the shape of its kind")


def _check_stock(graph: Graph, report: Report) -> Iterator[Report]:
    """What domains own on disk is what the counts say."""
    counts: Counts = {}
    try:
        for _ in recount(graph.view, graph.serial, counts):
            yield report
        for owner, objects, size in stored(graph.view, graph.codec):
            found = counts.pop(owner, [0, 0])
            if found != [objects, size]:
                text = f"its objects are counted as {objects} of {size} bytes, and are {found[0]} of {found[1]}"
                report.add(ids.kid(owner), text)
    except DamagedRecord as error:
        report.add(error.name, error.reason)
    else:
        for owner in counts:
            report.add(ids.kid(owner), "its objects are not counted")


def _count_pieces(graph: Graph, oid: int, header: list[Any] | None, live: bool, report: Report) -> Iterator[None]:
    counts = {b"k": 0, b"q": 0, b"c": 0, b"d": 0}
    elements = 0
    for key, record in graph.view.scan(b"P" + object_key(oid)[1:]):
        values, refs = graph.unpack(key, record)
        letter = key[9:10]
        report.pieces += 1
        report.bytes += len(record)
        if letter not in counts:
            raise DamagedRecord(key_name(key), "a piece of no known kind")
        counts[letter] += sum(value is not ABSENT for value in values) if letter == b"q" else 1
        if letter == b"c":
            elements += len(values[0])
        for ref in refs if live and header is not None else ():
            if graph.place(ref) < 0:
                report.add(key_name(key), f"it refers to {ids.kid(ref)}, which does not exist")
        if report.pieces % STEP == 0:
            yield
    if header is None:
        return  # left by a checkpoint that was not committed; nobody looks at them
    if ids.class_of(oid) == ids.LIST:
        found, expected = elements, header[0]
    else:
        found, expected = counts[b"k"], header[0]
        if counts[b"q"] != found:
            found = -1
    if found != expected:
        raise DamagedRecord(ids.kid(oid), f"its pieces do not add up to its length of {expected}")


# --------------------------------------------------------------------------- collection


def collect(heap: Heap, progress: Progress = _silent, sources: bool = True) -> Generator[Report, None, None]:
    """Delete what cannot be reached, while the world is in use; a turn is a slice, and gives the report so far.

    ``sources`` is whether old versions of files go as well, which takes a pause of some milliseconds.

    Run its slices in the thread that runs guests, checkpoints between them as they come, and close the generator if it
    is not run to its end.  One collection at a time.
    """
    report = Report()
    if sources:
        heap.machine.retire_code()
    for _ in memory.forget_dead(heap):
        yield report
    # The snapshot must be of a world that is on disk as it is in memory; and of two collections one waits.
    while heap.open is not None or heap.seen is not None:
        yield report
    heap.seen = seen = list(heap.table)
    view = heap.store.snapshot()
    try:
        graph = Graph(view)
        report.checkpoint = graph.number
        for _ in graph.list_ids(progress):
            yield report
        report.objects = len(graph.oids)
        try:
            grey = graph.start(report)
            for _ in graph.mark(grey, report, progress):
                yield report
            while seen:  # what had a shell meanwhile, until nothing new is found within one slice
                place = graph.place(seen.pop())
                if place >= 0 and not graph.marks[place]:
                    graph.marks[place] = 1
                    grey.append(place)
                    for _ in graph.mark(grey, report, progress):
                        yield report
        except DamagedRecord as error:
            report.add(error.name, error.reason)
        report.live = sum(graph.marks)
        report.garbage = report.objects - report.live
        if not report.problem_count:  # where something cannot be read, what it refers to is not known
            heap.condemned = graph.condemns
            yield from _delete(heap, graph, report, progress)
            if sources:
                _delete_sources(heap, graph, report)
    finally:
        heap.seen = None
        heap.condemned = None
        view.close()
    yield report


def _delete(heap: Heap, graph: Graph, report: Report, progress: Progress) -> Iterator[Report]:
    batch = heap.store.batch()
    gone: Counts = {}
    for place, oid in enumerate(graph.oids):
        if graph.marks[place]:
            continue
        batch.delete(object_key(oid))
        if heap.stock.counts:
            owner, size = heap.stock.measured(graph.view, object_key(oid))
            if owner:
                add(gone, owner, 1, size)
        if ids.class_of(oid) <= ids.SET:
            batch.delete_range(b"P" + object_key(oid)[1:], b"P" + object_key(oid + 1)[1:])
        report.deleted += 1
        if len(batch) >= DELETE_BATCH:
            _write_deleted(heap, batch, gone)
            batch, gone = heap.store.batch(), {}
            progress("deleting", report.deleted, report.garbage)
            yield report
    if batch:
        _write_deleted(heap, batch, gone)


def _delete_sources(heap: Heap, graph: Graph, report: Report) -> None:
    """Delete what no function and no frame needs any more of the code.  In one step: while it is done, nothing is
    compiled, and nothing is written."""
    sources, codes, modules = heap.machine.code_in_memory()
    view = heap.store.snapshot()
    try:
        gone = Definitions(view).unneeded(graph.sources | sources, graph.codes | codes, modules, graph.lacks)
    except DamagedRecord as error:
        report.add(error.name, error.reason)
        return
    finally:
        view.close()
    batch = heap.store.batch()
    for key in gone:
        batch.delete(key)
    if batch:
        heap.store.write(batch)
    report.sources = sum(not key.startswith(b"M" + CODE) for key in gone)


def _write_deleted(heap: Heap, batch: Batch, gone: Counts) -> None:
    """Delete, and count what is gone."""
    for key, record in heap.stock.without(heap.codec, gone):
        if record is None:
            batch.delete(key)
        else:
            batch.put(key, record)
    heap.store.write(batch)
    heap.stock.deleted(gone)


# --------------------------------------------------------------------------- backup, restore, repair, statistics


def backup(store: Store, target: str | Path) -> int:
    """Copy a world, which may be in use, to a folder that does not exist yet; gives the number of the checkpoint that
    was its last one.  May be called in any thread.

    Writes to files of the host that wait are left out: the world itself will do them.
    """
    store.copy_to(target)
    copied = Store(target, create=False)
    try:
        drop_all(copied)
        return commit_number(copied)
    finally:
        copied.close()


def _number_in(folder: str | Path) -> int:
    store = Store(folder, create=False)
    try:
        return commit_number(store)
    finally:
        store.close()


def restore(source: str | Path, target: str | Path) -> int:
    """Make a world from a backup at a place that does not exist yet; gives the number of its last checkpoint."""
    source, target = Path(source), Path(target)
    refuse_existing(target)
    if not (source / "CURRENT").is_file():
        raise WorldMissing(f"{source} is not a backup of a world")
    refuse_open(source)
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source, partial, ignore=shutil.ignore_patterns("LOCK", "LOG*", "holdfast.*"))
    number = _number_in(partial)
    partial.rename(target)
    return number


def commit_number(store: Store) -> int:
    """The number of the last checkpoint of a world; 0 when there was none."""
    record = store.get(COMMIT_KEY)
    if record is None:
        return 0
    try:
        return commit_parts(bare_codec(), COMMIT_KEY, record)[0]
    except DamagedRecord:
        raise WorldDamaged(f"the world {store.path} has no readable commit record; restore a backup") from None


class Repaired(NamedTuple):
    """What a repair did."""

    kept: int
    """Number of the checkpoint that the world is at now."""
    lost: range
    """Numbers of the checkpoints that are gone."""


def repair(path: str | Path) -> Repaired:
    """Open a world whose log is damaged in the middle, and give up what follows the damage.

    Raises StoreError when something else is damaged: then only a backup helps.
    """
    path = Path(path)
    last = max((number for log in path.glob("*.log") for number in _commits(log)), default=0)
    store = Store(path, create=False, recovery="cut")
    try:
        kept = commit_number(store)
        store.compact_log()
    finally:
        store.close()
    return Repaired(kept, range(kept + 1, last + 1))


def _commits(log: Path) -> Iterator[int]:
    """Numbers of the commit records that can be found in a log file, whatever is around them: a key, the length of
    the record as a variable-length integer, the record."""
    data = log.read_bytes()
    place = data.find(COMMIT_KEY)
    while place >= 0:
        start, length, shift = place + len(COMMIT_KEY), 0, 0
        for byte in data[start : start + 5]:
            start += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        try:
            yield int(bare_codec().unpack(COMMIT_KEY, data[start : start + length])[0])
        except (DamagedRecord, IndexError, TypeError, ValueError):
            pass  # this one is part of the damage, or lies across two blocks of the log
        place = data.find(COMMIT_KEY, place + 1)


def statistics(store: Store, progress: Progress = _silent) -> Generator[Report, None, None]:
    """Count objects and bytes by class, pieces and side records; the last report is complete."""
    report = Report()
    view = store.snapshot()
    try:
        report.checkpoint = Graph(view).number
        for count, (key, record) in enumerate(view.scan(b"")):
            kind = key[:1]
            report.bytes += len(record)
            if kind == b"O":
                report.objects += 1
                entry = report.classes.setdefault(int.from_bytes(key[1:9], "big") >> ids.SERIAL_BITS, [0, 0])
                entry[0] += 1
                entry[1] += len(record)
            elif kind == b"P":
                report.pieces += 1
            elif kind == b"S":
                report.side += 1
            if count % STEP == 0:
                progress("counting", count, 0)
                yield report
    finally:
        view.close()
    yield report
