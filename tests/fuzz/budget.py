"""How long the fuzzers run, and which inputs they try.

``HOLDFAST_FUZZ_SECONDS`` is the time of each fuzzer: 4 in the quick tests, 90 in the slow ones.  Input number n is
made from the seed n alone, so a failure names all that is needed to see it again: ``HOLDFAST_FUZZ_FROM=n``.  The slow
tests begin elsewhere than the quick ones.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from time import monotonic

QUICK_S = 4.0
SLOW_S = 90.0
SLOW_FROM = 1_000_000


def seeds(slow: bool = False) -> Iterator[int]:
    """Seeds, until the time is over; at least one."""
    seconds = float(os.environ.get("HOLDFAST_FUZZ_SECONDS", SLOW_S if slow else QUICK_S))
    seed = int(os.environ.get("HOLDFAST_FUZZ_FROM", SLOW_FROM if slow else 0))
    end = monotonic() + seconds
    while True:
        yield seed
        seed += 1
        if monotonic() > end:
            return
