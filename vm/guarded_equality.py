"""Content equality as one domain sees it.

A collection that the domain may read is compared by content; anything else is compared by identity, and so tells
nothing.  A capability is what it stands for.  As in :mod:`holdfast.vm.equality` nothing recurses, and pairs that were
met are taken for equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.vm.domains import Cap, Domain
from holdfast.vm.equality import LIST, MAP, SET, Classes, small
from holdfast.vm.objects import live

if TYPE_CHECKING:
    from holdfast.vm.monitor import Monitor

COLLECTIONS = (LIST, MAP, SET)


def opened(monitor: Monitor, domain: Domain, value: Any) -> tuple[Any, Cap | None, bool]:
    """What a value stands for, the capability that it was reached through, and whether it is a collection that the
    domain may read."""
    cap = value if isinstance(value, Cap) else None
    target = cap.target if cap is not None else value
    kind = getattr(type(target), "_k", 0)
    return target, cap, kind in COLLECTIONS and "r" in monitor.rights(domain, value)


def equal(monitor: Monitor, domain: Domain, left: Any, right: Any) -> bool:
    """``left == right`` in a domain."""
    stack: list[tuple[Any, Any]] = [(left, right)]
    classes = Classes()
    while stack:
        p, q = stack.pop()
        a, via_a, read_a = opened(monitor, domain, p)
        b, via_b, read_b = opened(monitor, domain, q)
        kind = getattr(type(a), "_k", 0)
        if a is b and type(a) is not float:
            continue
        if not (read_a and read_b) or kind != getattr(type(b), "_k", 0):
            if kind or getattr(type(b), "_k", 0):
                return False  # two objects, or an object and a scalar
            if type(a) in (str, bytes, int) and classes.join(a, b):
                continue
            if a != b:
                return False
            continue
        if classes.join(a, b):
            continue
        x, y = live(a).v, live(b).v
        if len(x) != len(y):
            return False
        if kind != LIST and not all(key in y for key in x):
            return False
        pairs = zip(x, y, strict=True) if kind == LIST else ((x[k], y[k]) for k in x) if kind == MAP else ()
        for one, other in pairs:
            if small(one):
                if one != other:
                    return False
                continue
            if via_a is not None:
                one = monitor.through(domain, via_a, one)
            if via_b is not None:
                other = monitor.through(domain, via_b, other)
            stack.append((one, other))
    return True
