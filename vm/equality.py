"""Content equality, without recursion and without running guest code.

``==`` on Lists, Maps and Sets compares content, cyclic ones too; a recursive ``__eq__`` in C would end the process
at once on a cycle.  So the collections' ``__eq__`` is :func:`equal`, which keeps an explicit stack, and assumes of the
pairs that it has met that they are equal (the coinductive reading: two cyclic structures are equal when no difference
can be found).  A host function that works for a restricted domain sees as much as that
(:mod:`holdfast.vm.guarded_equality`).  What is assumed equal is joined in :class:`Classes`, so the work grows with the
number of objects and not with that of pairs (Adams and Dybvig, "Efficient nondestructive equality checking for trees
and graphs", 2008): two cycles of lengths m and n meet in m * n pairs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

LIST, MAP, SET, CAPABILITY = 1, 2, 3, 9
"""Class numbers of the collections and of capabilities (``holdfast.vm.ids``)."""

BIG_SCALAR = 4_096
"""Texts, Bytes and Ints (in bits) of this size are remembered by identity once they were found equal."""

_BIG_INT = 1 << BIG_SCALAR


class Classes:
    """Objects in classes of those that are taken for equal: union-find by identity."""

    __slots__ = ("_alive", "_parents")

    def __init__(self) -> None:
        self._parents: dict[int, int] = {}
        self._alive: list[Any] = []
        """What has an entry in the table: items of a collection in pieces may be dropped, and their ids used again."""

    def join(self, a: Any, b: Any) -> bool:
        """Put the two into one class; true when they were already."""
        parents = self._parents
        x, y = id(a), id(b)
        while (up := parents.get(x, x)) != x:
            parents[x] = x = parents.get(up, up)
        while (up := parents.get(y, y)) != y:
            parents[y] = y = parents.get(up, up)
        if x == y:
            return True
        parents[x] = y
        self._alive += (a, b)
        return False

    def clear(self) -> None:
        """Each by itself again."""
        self._parents.clear()
        self._alive.clear()


def equal(left: Any, right: Any) -> bool:
    """``left == right`` of Hold.  Immutables and collections by content, everything else by identity."""
    monitor = getattr(type(left), "_monitor", None) or getattr(type(right), "_monitor", None)
    if monitor is not None and monitor.acting is not None:
        found: bool = monitor.same(left, right)
        return found
    stack: list[tuple[Any, Any]] = [(left, right)]
    classes = Classes()
    while stack:
        a, b = stack.pop()
        kind = getattr(type(a), "_k", 0)
        if kind not in (LIST, MAP, SET) or kind != getattr(type(b), "_k", 0):
            other = getattr(type(b), "_k", 0)
            if kind == CAPABILITY or other == CAPABILITY:
                if not (a == b if kind == CAPABILITY else b == a):
                    return False
                continue
            if kind in (LIST, MAP, SET) or other in (LIST, MAP, SET):
                return False
            # Neither side's __eq__ can recurse now: scalars compare in C, objects by identity.
            if type(a) in (str, bytes, int) and classes.join(a, b):
                continue  # a bomb is two huge equal Texts, listed a million times
            if a != b:
                return False
            continue
        if a is b or classes.join(a, b):
            continue
        x, y = a.v, b.v
        if len(x) != len(y):
            return False
        pairs: Iterable[tuple[Any, Any]]
        if kind == LIST:
            pairs = zip(x, y, strict=True)
        else:  # keys are immutables or instances: no collection is a key, so `in` stays in C
            if not all(key in y for key in x):
                return False
            pairs = ((x[key], y[key]) for key in x) if kind == MAP else ()
        for p, q in pairs:
            if not small(p):
                stack.append((p, q))
            elif p != q:
                return False
    return True


def small(value: Any) -> bool:
    """A scalar whose comparison costs next to nothing."""
    kind = type(value)
    if kind is str or kind is bytes:
        return len(value) <= BIG_SCALAR
    if kind is int:
        return bool(-_BIG_INT < value < _BIG_INT)
    return kind is float or kind is bool or value is None
