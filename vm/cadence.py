"""When checkpoints are made."""

from __future__ import annotations

INTERVAL_S = 0.05
COST_RATIO = 10
EARLY_DIRTY = 10_000


class Cadence:
    """When the next checkpoint that nobody forces is due.

    Every ``interval`` while something changes, but after one that cost ``c`` seconds not before ``ratio * c``: frames
    are roots, so a program's young objects would be written over and over.  At ``early`` overwritten objects at once,
    since they go into one batch.
    """

    def __init__(self, interval: float = INTERVAL_S, ratio: float = COST_RATIO, early: int = EARLY_DIRTY) -> None:
        self.interval = interval
        self.ratio = ratio
        self.early = early
        self._not_before = 0.0

    def finished(self, now: float, cost: float) -> None:
        """A checkpoint ended that took so many seconds of work."""
        self._not_before = now + max(self.interval, self.ratio * cost)

    def due(self, now: float, overwritten: int) -> bool:
        """Whether one should begin, given that something has changed."""
        return now >= self._not_before or overwritten >= self.early

    def wait(self, now: float) -> float:
        """Seconds until one is due."""
        return max(0.0, self._not_before - now)
