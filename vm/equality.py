"""Content equality, without recursion and without running guest code.

``==`` on Lists, Maps and Sets compares content, cyclic ones too; a recursive ``__eq__`` in C would end the process
at once on a cycle.  So the collections' ``__eq__`` is :func:`equal`, which keeps an explicit stack and a table of
the pairs that are assumed equal (the coinductive reading: two cyclic structures are equal when no difference can
be found).
"""

from __future__ import annotations

from typing import Any

LIST, MAP, SET = 1, 2, 3
"""Class numbers of the collections (``holdfast.vm.ids``)."""


def equal(left: Any, right: Any) -> bool:
    """``left == right`` of Hold.  Immutables and collections by content, everything else by identity."""
    stack: list[tuple[Any, Any]] = [(left, right)]
    assumed: dict[tuple[int, int], tuple[Any, Any]] = {}  # with the objects: an id may be reused when one dies
    while stack:
        a, b = stack.pop()
        kind = getattr(type(a), "_k", 0)
        if kind not in (LIST, MAP, SET) or kind != getattr(type(b), "_k", 0):
            # Neither side's __eq__ can recurse now: scalars compare in C, objects by identity.
            if kind in (LIST, MAP, SET) or getattr(type(b), "_k", 0) in (LIST, MAP, SET):
                return False
            if a != b:
                return False
            continue
        if a is b or (id(a), id(b)) in assumed:
            continue
        x, y = a.v, b.v
        if len(x) != len(y):
            return False
        assumed[id(a), id(b)] = (a, b)
        if kind == LIST:
            stack.extend(zip(x, y, strict=True))
            continue
        for key in x:  # keys are immutables or instances: no collection is a key, so `in` stays in C
            if key not in y:
                return False
            if kind == MAP:
                stack.append((x[key], y[key]))
    return True
