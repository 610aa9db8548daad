"""What restricted code costs: the programs of the speed suite, run by a thread of the whole world and by one of a
domain of its own, in one world, in turns.  The figure is the ratio of the medians of processor time.

Then what a granted object costs: the first read of a field through a capability, and the following ones.
"""

from __future__ import annotations

import gc
import math
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import report
from bench.awfy import PROGRAM_LIST, Program
from bench.report import PROGRAMS, Row

SUITE = "guarded"
MEAN_LIMIT = 1.3
FIRST_US = 20.0
NEXT_US = 0.6
TOUCHED = 2_000
REPEATS = 500

TOUCH = """
class Item { n = 1 }
fn make(count) {
  let items = []
  for i in 0..count { items.push(Item()) }
  return items
}
fn first(items) {
  var total = 0
  for item in items { total += item.n }
  return total
}
fn again(item, count) {
  var total = 0
  for i in 0..count { total += item.n }
  return total
}
"""


class Pair:
    """A world in which a function runs both ways."""

    def __init__(self, scratch: str | None) -> None:
        from holdfast.stdlib import library
        from holdfast.vm.world import World

        self.directory = tempfile.mkdtemp(prefix="holdfast-bench-", dir=scratch)
        self.world: Any = World.open(f"{self.directory}/w", durability="process", library=library())
        self.domain = self.world.authority.domain("restricted", {})

    def run(self, function: Any, args: tuple[Any, ...], restricted: bool) -> tuple[Any, float]:
        """The result of a function, and the seconds that it computed."""
        gc.collect()
        gc.disable()
        start = time.process_time()
        thread = self.world.scheduler.start(function, args, name="bench")
        if restricted:
            thread.domain = self.domain
        result = self.world.run_thread(thread)
        seconds = time.process_time() - start
        gc.enable()
        return result, seconds

    def close(self) -> None:
        """Close the world and remove it."""
        self.world.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def compare(program: Program, rounds: int, quick: bool, scratch: str | None) -> float:
    """Restricted against unrestricted, for one program."""
    pair = Pair(scratch)
    try:
        module = pair.world.load_module(str(PROGRAMS / f"{program.name}.hold"))
        function = pair.world.globals[f"{module}:benchmark"]
        inner = program.quick if quick else program.inner
        times: dict[bool, list[float]] = {False: [], True: []}
        for number in range(rounds + 2):
            for restricted in (False, True):
                result, seconds = pair.run(function, (inner,), restricted)
                if result is not True:
                    raise RuntimeError(f"{program.name} gave a wrong result")
                if number > 1:  # the first two compile, and learn
                    times[restricted].append(seconds)
        # Of pairs that ran one behind the other: the machine is not equally busy all the time.
        return statistics.median(guarded / plain for plain, guarded in zip(times[False], times[True], strict=True))
    finally:
        pair.close()


def touches(scratch: str | None) -> tuple[float, float]:
    """Microseconds of a read of a field: the first of each granted object, and the following ones."""
    pair = Pair(scratch)
    try:
        path = Path(pair.directory) / "touch.hold"
        path.write_text(TOUCH)
        world, monitor = pair.world, pair.world.monitor
        module = world.load_module(str(path))
        items = world.call(module, "make", TOUCHED)
        granted = monitor.granted(monitor.top, pair.domain, items)
        first, again = (world.globals[f"{module}:{name}"] for name in ("first", "again"))
        item = monitor.through(pair.domain, granted, items.v[0])
        pair.run(first, (granted,), True)
        pair.run(again, (item, 10), True)
        _, once = pair.run(first, (granted,), True)
        _, many = pair.run(again, (item, TOUCHED * REPEATS), True)
        return once / TOUCHED * 1e6, many / (TOUCHED * REPEATS) * 1e6
    finally:
        pair.close()


def run(rounds: int, quick: bool, scratch: str | None) -> list[Row]:
    """The suite's rows."""
    ratios = {program.name: compare(program, rounds, quick, scratch) for program in PROGRAM_LIST}
    mean = math.exp(sum(map(math.log, ratios.values())) / len(ratios))
    first, following = touches(scratch)
    slowest = max(ratios, key=lambda name: ratios[name])
    report.write_json(SUITE, {"quick": quick, "ratios": ratios, "first_us": first, "next_us": following})
    return [
        Row(
            SUITE,
            "restricted / unrestricted, geometric mean",
            f"<= {MEAN_LIMIT}",
            f"{mean:.2f}",
            mean,
            mean <= MEAN_LIMIT,
        ),
        Row(SUITE, f"the slowest of them ({slowest})", "-", f"{ratios[slowest]:.2f}", ratios[slowest], None),
        Row(
            SUITE, "first touch of a granted object", f"<= {FIRST_US:g} us", f"{first:.1f} us", first, first <= FIRST_US
        ),
        Row(SUITE, "the following ones", f"<= {NEXT_US:g} us", f"{following:.2f} us", following, following <= NEXT_US),
    ]
