"""``did you mean``: the nearest of the names that would have fitted."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

CANDIDATES_MAX = 2000
"""Names looked at; a guest could otherwise make an error message cost quadratic time."""
NAME_MAX = 64


def suggest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate nearest to the name, or None when nothing is near."""
    if len(name) > NAME_MAX:
        return None
    pool = [c for _, c in zip(range(CANDIDATES_MAX), candidates, strict=False) if len(c) <= NAME_MAX]
    folded = {c.lower(): c for c in pool}
    if name.lower() in folded:
        return folded[name.lower()]
    found = get_close_matches(name, pool, n=1, cutoff=0.7)
    return found[0] if found else None


def hint(name: str, candidates: Iterable[str]) -> str:
    """`` (did you mean 'push'?)`` or nothing."""
    near = suggest(name, candidates)
    return f" (did you mean '{near}'?)" if near else ""
