"""Figures of the store alone: large Maps, opening large worlds, pauses of checkpoints.

* One entry of a Map and one field of an item are changed in a world of 1,000,000 of them and in one of 20,000 (both
  are kept in pieces): the bytes written must not depend on the size.  They are taken from the world's own figures and
  from the operating system's count of what the process wrote; the smallest of several changes counts.
* A world of 1,000,000 objects is opened in new processes: the time from the call to the open world, and to the
  first field that was read.
* While a program makes 100,000 new objects, and while it overwrites 100,000, the pauses of all checkpoints are kept.
"""

from __future__ import annotations

import shutil
import statistics
import time
from pathlib import Path
from typing import Any

from bench import report
from bench.report import PROGRAMS, RESULTS, Row
from bench.worker import Worker, quiet_gc

SUITE = "store"
LARGE = 1_000_000
SMALL = 20_000
PART = 50_000
CHANGES = 10
OPENINGS = 5
YOUNG = 100_000
PAUSE_ROUNDS = 5
WORK = 3_000_000
QUICK = 20

OPEN_LIMIT = 0.3
PAUSE_LIMIT = 20.0
GROWTH_LIMIT = 1.5
"""Bytes for one change in the large Map over those in the small one: a key is some bytes longer, no more."""


def written_by_process() -> int:
    """Bytes that this process has handed to the operating system so far; 0 where that is not told."""
    try:
        text = Path("/proc/self/io").read_text(encoding="ascii")
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("wchar"))


class HoldStore:
    """A world in a directory, measured in this process."""

    def __init__(self, world: str) -> None:
        from bench.hold_adapter import Session

        quiet_gc()
        start = time.perf_counter()
        self.session = Session(Path(world))
        self.opened = time.perf_counter() - start
        self.module = self.session.module(PROGRAMS / "items.hold")

    def fill(self, count: int) -> None:
        """A Map of ``count`` Ints and one of ``count`` items, made in parts."""
        for first in range(0, count, PART):
            last = min(first + PART, count)
            self.session.call(self.module, "fill_map", first, last)
            self.session.call(self.module, "fill_part", first, last)
            self.session.commit()

    def opening(self, key: int) -> dict[str, float]:
        """Seconds to open the world, and with one field changed, which loads what that takes."""
        start = time.perf_counter()
        self.session.call(self.module, "touch", key)
        return {"open": self.opened, "first": self.opened + time.perf_counter() - start}

    def change(self, key: int) -> dict[str, list[int]]:
        """Bytes that single changes of a Map's entry and of an item's field write."""
        figures: dict[str, list[int]] = {"entry": [], "entry_system": [], "field": [], "field_system": []}
        for turn in range(CHANGES):
            changes = (("entry", "touch_map", (key + turn, -turn)), ("field", "touch", (key + turn,)))
            for kind, name, arguments in changes:
                before, system = self.session.counters().bytes, written_by_process()
                self.session.call(self.module, name, *arguments)
                self.session.commit()
                figures[kind].append(self.session.counters().bytes - before)
                figures[kind + "_system"].append(written_by_process() - system)
        return figures

    def pauses(self, name: str, count: int, work: int) -> list[float]:
        """Seconds of the pauses of all checkpoints while the program runs."""
        before = self.session.counters().checkpoints
        self.session.call(self.module, name, count, work)
        self.session.commit()
        counters = self.session.counters()
        done = counters.checkpoints - before
        return list(counters.pauses[-done:]) if done else []

    def close(self) -> None:
        """Close the world."""
        self.session.close()


def measure_changes(count: int, world: Path) -> dict[str, int]:
    """Make a world of that size; the bytes that one change writes, by kind."""
    with Worker("bench.store:HoldStore", world=str(world)) as worker:
        worker.call("fill", count=count)
    with Worker("bench.store:HoldStore", world=str(world)) as worker:
        figures: dict[str, list[int]] = worker.call("change", key=count // 2)
    # The first changes also write what opening left to do; the system's count has the log's other business in it.
    return {kind: min(values) for kind, values in figures.items()}


def measure_opening(world: Path, key: int) -> dict[str, float]:
    """Medians over new processes that open the world."""
    figures: list[dict[str, float]] = []
    for _ in range(OPENINGS):
        with Worker("bench.store:HoldStore", world=str(world)) as worker:
            figures.append(worker.call("opening", key=key))
    return {kind: statistics.median(f[kind] for f in figures) for kind in ("open", "first")}


def measure_pauses(world: Path, count: int, work: int) -> dict[str, list[float]]:
    """Milliseconds of pauses with new and with overwritten objects."""
    pauses: dict[str, list[float]] = {"renew": [], "overwrite": []}
    with Worker("bench.store:HoldStore", world=str(world)) as worker:
        for _ in range(PAUSE_ROUNDS):
            for name, values in pauses.items():
                values.extend(1000 * p for p in worker.call("pauses", name=name, count=count, work=work))
    return pauses


def percentiles(values: list[float]) -> str:
    """The middle, the 99th percentile and the largest, as text."""
    figures = [report.percentile(values, share) for share in (0.5, 0.99, 1.0)]
    return f"p50 {figures[0]:.1f}, p99 {figures[1]:.1f}, max {figures[2]:.1f} ms of {len(values)}"


def run(quick: bool = False, scratch: str | None = None) -> list[Row]:
    """Measure, write ``store.json``; the rows for the final table."""
    place = Path(scratch or RESULTS) / "store-scratch"
    share = QUICK if quick else 1
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        small = measure_changes(SMALL, place / "small")
        large = measure_changes(LARGE // share, place / "large")
        opening = measure_opening(place / "large", LARGE // share // 3)
        pauses = measure_pauses(place / "pauses", YOUNG // share, WORK // share)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    rows = rows_of(small, large, opening, pauses)
    data: dict[str, Any] = {"small": small, "large": large, "opening": opening, "pauses_ms": pauses}
    report.write_json("store", data | {"quick": quick, "rows": report.rows_json(rows)})
    return rows


def rows_of(
    small: dict[str, int], large: dict[str, int], opening: dict[str, float], pauses: dict[str, list[float]]
) -> list[Row]:
    """The suite's lines of the final table."""
    rows = []
    for kind, label in (("entry", "one entry of a Map changed"), ("field", "one field of an item in a Map changed")):
        growth = large[kind] / max(small[kind], 1)
        rows.append(report.at_most(SUITE, f"{label}: bytes at 1,000,000 over 20,000", growth, GROWTH_LIMIT))
        system = f"{large[kind]} B; system {large[kind + '_system']} B, at 20,000 {small[kind + '_system']} B"
        rows.append(report.note(SUITE, f"{label}: bytes written", system, large[kind]))
    rows.append(report.at_most(SUITE, "opening a world of 1,000,000 objects", opening["open"], OPEN_LIMIT, " s"))
    rows.append(report.note(SUITE, "… with one field changed", f"{opening['first']:.2f} s", opening["first"]))
    new = report.percentile(pauses["renew"], 0.99)
    rows.append(report.at_most(SUITE, "checkpoint pause, 100,000 new objects, p99", new, PAUSE_LIMIT, " ms"))
    rows.append(report.note(SUITE, "… 100,000 new", percentiles(pauses["renew"]), new))
    old = report.percentile(pauses["overwrite"], 0.99)
    rows.append(report.note(SUITE, "… 100,000 overwritten", percentiles(pauses["overwrite"]), old))
    return rows
