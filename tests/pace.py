"""How slow the machine is at the moment: bounds on work are ratios to what it does in the same minute."""

from __future__ import annotations

import time

REFERENCE_S = 0.13
"""What :func:`slowness` measures takes so long on a machine that does nothing else: where the bounds were set."""
ALLOWANCE = 5
"""How much longer it may take: a process that has run thousands of tests has to clear away after them at any time.
What a bound is there to find out takes a hundred times as long, or for ever."""
_TEXT = "\u0390" * (1 << 22)


def slowness() -> float:
    """How many times longer work takes than where the bounds were set; 1 where it takes no longer.

    Measured with a Text that grows, since others who use the memory slow that down most.
    """
    slowest = 0.0
    for _ in range(2):
        began = time.process_time()
        _TEXT.upper()
        slowest = max(slowest, time.process_time() - began)
    return ALLOWANCE * max(1.0, slowest / REFERENCE_S)
