"""The process that the crash tests of threads kill: opens a world, starts the workload once, and drives it.

Arguments: folder of the world, seed, seconds.  What is printed goes to standard output, a number in front of each line.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from time import monotonic

from holdfast.vm.ticker import Ticker
from holdfast.vm.world import World

PROGRAM = Path(__file__).with_suffix(".hold").read_text()
"""Tellers, an auditor, sleepers, a server and who asks it, and one who spawns: each checks what it sees."""


def main(path: Path, seconds: float) -> None:
    """Drive the world for a time, unless killed before."""
    with World.open(path) as world:
        world.write = lambda text: os.write(1, text.encode()) and None
        world.run_source(PROGRAM)
        end = monotonic() + seconds
        with Ticker(world.globals):
            while monotonic() < end:
                delay = world.scheduler.turn()
                if delay != 0:
                    world.scheduler.event.wait(delay)
        for failure in world.scheduler.failures.values():
            os.write(
                1,
                f"FAILED {failure.name}: {failure.error.f_kind}: {failure.error.f_message} "
                f"{list(failure.error.f_trace.v)}\n".encode(),
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
