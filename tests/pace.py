"""How slow the machine is at the moment: bounds on work are ratios to what it does in the same minute."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

REFERENCE_S = 0.13
"""What :func:`slowness` measures takes so long on a machine that does nothing else: where the bounds were set."""
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
    return max(1.0, slowest / REFERENCE_S)


def within(took_s: float, bound_s: float) -> bool:
    """Is what was taken within the bound, on a machine as slow as this one is now?  That is measured, which takes
    longer than most of what is bounded, only where it matters."""
    return took_s < bound_s or took_s < bound_s * slowness()


def best_of_three(call: Callable[[], Any], bound_s: float) -> tuple[Any, float]:
    """The result of a call, and the processor time of this thread that it took: made again, up to three times, while
    that is above the bound.  What a process does besides (to collect the garbage of other tests) only adds to it."""
    took = result = None
    for _ in range(3):
        gc.disable()
        try:
            began = time.thread_time()
            result = call()
            spent = time.thread_time() - began
        finally:
            gc.enable()
        took = spent if took is None else min(took, spent)
        if took < bound_s:
            break
    assert took is not None
    return result, took
