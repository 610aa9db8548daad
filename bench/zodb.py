"""Hold against ZODB (FileStorage, IOBTree): committing, updating, loading and reading 100,000 objects.

Both sides make the same items of four fields (a number, a text, a float, a reference to an owner) in a container
that is keyed by integers, and end each phase with a commit that is on disk.  They run in turns, each round in new
directories; the figure is ZODB's median divided by Hold's.

ZODB and BTrees are needed for this suite only (``pip install ZODB``); without them it is left out.
"""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bench import report
from bench.report import PROGRAMS, RESULTS, Row
from bench.worker import Worker, quiet_gc

SUITE = "ZODB"
OBJECTS = 100_000
PASSES = 1_000
"""How often a field of each of a thousand hot objects is read."""

SINGLES = 200
QUICK = 20

#: Phase, what the final table calls it, and how many times faster than ZODB it is to be.
ASKED = (
    ("fill", "commit of 100,000 new objects", 3.0),
    ("update", "update of 100,000 objects", 4.0),
    ("cold", "cold load of 100,000 in random order", 2.5),
    ("hot", "hot field read, from the root on", 5.0),
    ("single", "durable commit of one object", 1.0),
)

COMMITTING = ("fill", "update")
COMMIT_ALONE = ", the commit alone"

#: What is only printed.  In the narrower forms of the hot read, CPython itself, on plain objects in a plain dict, is no
#: more than 3 times as fast as ZODB (and 4 to 5 times on the way from the root).
PRINTED = (
    ("fill" + COMMIT_ALONE, "commit of 100,000 new objects" + COMMIT_ALONE),
    ("update" + COMMIT_ALONE, "update of 100,000 objects" + COMMIT_ALONE),
    ("hot_items", "hot field read, through a container"),
    ("hot_field", "hot field read, of one object"),
)


def timed(action: Callable[[], Any], clean: bool = True) -> float:
    """The seconds that the action takes; without ``clean`` it begins where the last one ended."""
    if clean:
        quiet_gc()
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


class StoreSide:
    """The phases of a round; the two sides differ in what each does."""

    def __init__(self, directory: str) -> None:
        self.directory = Path(directory)
        self.place = self.directory
        self.round = 0

    def start(self, count: int) -> None:
        """A new, empty store for the next round."""
        self.close()
        shutil.rmtree(self.place, ignore_errors=True)
        self.round += 1
        self.place = self.directory / f"round{self.round}"
        self.place.mkdir(parents=True)
        self.count = count
        self.open()

    def phase(self, name: str, count: int) -> dict[str, float]:
        """Seconds of one phase by name; of ``single`` the middle of all, of those that commit also that part."""
        if name == "cold":
            self.close()
            self.open()
        if name == "single":
            quiet_gc()
            return {
                name: statistics.median(timed(partial(self.single, number), clean=False) for number in range(count))
            }
        seconds = {name: timed(lambda: getattr(self, name)(count))}
        if name in COMMITTING:
            tail = name + COMMIT_ALONE
            seconds[tail] = timed(self.save, clean=False)
            seconds[name] += seconds[tail]
        return seconds

    def open(self) -> None:
        """Open the store of this round."""
        raise NotImplementedError

    def close(self) -> None:
        """Close it."""
        raise NotImplementedError

    def save(self) -> None:
        """Commit: return when all is on disk."""
        raise NotImplementedError

    def single(self, number: int) -> None:
        """Change one object and commit."""
        raise NotImplementedError


class HoldSide(StoreSide):
    """The phases as Hold programs."""

    session: Any = None

    def open(self) -> None:
        from bench.hold_adapter import Session

        self.session = Session(self.place / "world")
        self.module = self.session.module(PROGRAMS / "items.hold")

    def close(self) -> None:
        if self.session is not None:
            self.session.close()
            self.session = None

    def save(self) -> None:
        self.session.commit()

    def fill(self, count: int) -> None:
        """Make the objects."""
        self.session.call(self.module, "fill", count)

    def update(self, count: int) -> None:
        """Change a field of each."""
        self.session.call(self.module, "update", count)

    def cold(self, count: int) -> None:
        """Read a field of each after the store was opened anew."""
        self.session.call(self.module, "scattered", count)

    def hot(self, passes: int) -> None:
        """Read a field of loaded objects, from the root on."""
        self.session.call(self.module, "hot", passes)

    def hot_items(self, passes: int) -> None:
        """Read a field of loaded objects, through their container."""
        self.session.call(self.module, "hot_items", passes)

    def hot_field(self, passes: int) -> None:
        """Read a field of one loaded object."""
        self.session.call(self.module, "hot_field", passes)

    def single(self, number: int) -> None:
        self.session.call(self.module, "touch", number)
        self.session.commit()


class ZodbSide(StoreSide):
    """The same phases on ZODB."""

    db: Any = None

    def open(self) -> None:
        import ZODB.DB  # type: ignore[import-untyped]
        import ZODB.FileStorage  # type: ignore[import-untyped]

        storage = ZODB.FileStorage.FileStorage(str(self.place / "data.fs"))
        self.db = ZODB.DB(storage, cache_size=4 * OBJECTS)
        self.connection = self.db.open()
        self.root = self.connection.root()

    def close(self) -> None:
        if self.db is not None:
            self.connection.close()
            self.db.close()
            self.db = None

    def save(self) -> None:
        import transaction  # type: ignore[import-untyped]

        transaction.commit()

    def fill(self, count: int) -> None:
        """Make the objects."""
        from BTrees.IOBTree import IOBTree  # type: ignore[import-untyped]

        from bench.zodb_items import Item, Owner

        owner = Owner("Ada")
        items = self.root["items"] = IOBTree()
        for i in range(count):
            items[i] = Item(i, f"item {i}", i * 0.5, owner)

    def update(self, count: int) -> None:
        """Change a field of each."""
        items = self.root["items"]
        for i in range(count):
            items[i].balance += 1.0

    def cold(self, count: int) -> float:
        """Read a field of each after the store was opened anew."""
        items = self.root["items"]
        place = 1
        seen = 0
        total = 0.0
        while seen < count:
            place = (place * 69069 + 1) % 131072
            if place < count:
                total += items[place].balance
                seen += 1
        return total

    def hot(self, passes: int) -> float:
        """Read a field of loaded objects, from the root on."""
        root = self.root
        total = 0.0
        for _ in range(passes):
            for key in range(1000):
                total += root["items"][key].balance
        return total

    def hot_items(self, passes: int) -> float:
        """Read a field of loaded objects, through their container."""
        items = self.root["items"]
        total = 0.0
        for _ in range(passes):
            for key in range(1000):
                total += items[key].balance
        return total

    def hot_field(self, passes: int) -> float:
        """Read a field of one loaded object."""
        item = self.root["items"][7]
        total = 0.0
        for _ in range(passes):
            for _ in range(1000):
                total += item.balance
        return total

    def single(self, number: int) -> None:
        self.root["items"][number].balance += 1.0
        self.save()


def available() -> bool:
    """True when ZODB can be imported."""
    try:
        import BTrees.IOBTree  # type: ignore[import-untyped]
        import ZODB.FileStorage
    except ImportError:
        return False
    return bool(BTrees.IOBTree and ZODB.FileStorage)


def measure(rounds: int, objects: int, passes: int, scratch: Path) -> dict[str, dict[str, list[float]]]:
    """Seconds of each phase and side, in the order of the rounds."""
    phases = {"fill": objects, "update": objects, "cold": objects}
    phases |= {"hot": passes, "hot_items": passes, "hot_field": passes, "single": SINGLES}
    seconds: dict[str, dict[str, list[float]]] = {}
    with (
        Worker("bench.zodb:ZodbSide", directory=str(scratch / "zodb")) as zodb,
        Worker("bench.zodb:HoldSide", directory=str(scratch / "hold")) as hold,
    ):
        sides = [("ZODB", zodb), ("Hold", hold)]
        for _ in range(rounds):
            for _, worker in sides:
                worker.call("start", count=objects)
            for name, count in phases.items():
                for side, worker in sides:
                    for part, value in worker.call("phase", name=name, count=count).items():
                        seconds.setdefault(part, {"ZODB": [], "Hold": []})[side].append(value)
            sides.reverse()
    return seconds


def run(rounds: int = 5, quick: bool = False, scratch: str | None = None) -> list[Row]:
    """Measure, print the table, write ``zodb.json``; the rows for the final table."""
    if not available():
        return [report.note(SUITE, "left out: ZODB is not installed", "", 0.0)]
    place = Path(scratch or RESULTS) / "zodb-scratch"
    share = QUICK if quick else 1
    try:
        seconds = measure(rounds, OBJECTS // share, PASSES // share, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    medians = {name: {side: statistics.median(s) for side, s in sides.items()} for name, sides in seconds.items()}
    ratios = {name: m["ZODB"] / m["Hold"] for name, m in medians.items()}
    rows = [report.at_least(SUITE, label, ratios[name], limit) for name, label, limit in ASKED]
    rows += [report.note(SUITE, label, f"{ratios[name]:.2f}×", ratios[name]) for name, label in PRINTED]
    show(seconds, ratios)
    report.write_json("zodb", {"seconds": seconds, "ratios": ratios, "rows": report.rows_json(rows)})
    return rows


def show(seconds: dict[str, dict[str, list[float]]], ratios: dict[str, float]) -> None:
    """Print one line for each phase."""
    limits = {name: limit for name, _, limit in ASKED}
    labels = {name: label for name, label, _ in ASKED} | dict(PRINTED)
    lines = []
    for name, sides in seconds.items():
        rounds = sorted(theirs / ours for theirs, ours in zip(sides["ZODB"], sides["Hold"], strict=True))
        asked = f"≥ {limits[name]:g}×" if name in limits else ""
        lines.append((labels[name], f"{ratios[name]:.2f}×", f"{rounds[0]:.2f}–{rounds[-1]:.2f}", asked))
    report.show_table("Hold against ZODB: how many times faster", ("phase", "ratio", "rounds", "asked"), lines)
