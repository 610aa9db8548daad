"""Progress of long work."""

from __future__ import annotations

from holdfast.repl.progress import Progress


def test_phases() -> None:
    """A phase is complete when the next one begins, and none is more than complete."""
    with Progress() as progress:
        progress.wanted = True
        for phase, done, total in (("listing", 5, 0), ("listing", 7, 0), ("marking", 3, 10), ("marking", 12, 10)):
            progress.next = 0.0
            progress(phase, done, total)
        listing, marking = progress.bar.tasks
        assert (listing.completed, listing.total, listing.finished) == (7, 7, True)
        assert (marking.completed, marking.total) == (10, 10)


def test_quick_work_shows_nothing() -> None:
    """What is done soon, and what nobody looks at, has no bar."""
    with Progress() as progress:
        progress.wanted = True
        progress("listing", 1, 2)
        assert progress.bar is None
        progress.wanted, progress.next = False, 0.0
        progress("listing", 1, 2)
        assert progress.bar is None
