"""The order of values: ``<`` on Lists, sorting, least and greatest.

Numbers (Bool, Int, Float) are ordered among themselves, Texts by code points, Bytes by bytes, Lists item by item;
anything else is a TypeError that names both kinds.  No guest code runs here, nothing recurses, and no work grows
with more than the memory that the values take: a List may hold one huge Text a million times over, and two huge
equal Texts compare in milliseconds, so equal *objects* are merged before they are sorted (:func:`_ranks`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from functools import cmp_to_key
from typing import Any

from holdfast.vm import limits
from holdfast.vm.equality import BIG_SCALAR, Classes, equal
from holdfast.vm.objects import ListBase, fail, kind_name

NUMBERS = frozenset((int, float, bool))

TUPLE_ITEMS = 16
"""Lists of up to so many scalars are sorted as tuples."""


class Comparison:
    """The order of two values, with a bound on the items looked at by all comparisons together.

    Pairs that were found equal, or are being compared further out (cyclic Lists), are joined, so that shared and
    cyclic structure is walked once.
    """

    __slots__ = ("_classes", "_steps")

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._classes = Classes()

    def same(self, left: Any, right: Any) -> bool:
        """Neither is before the other."""
        return self.lists(left, right) == 0

    def lists(self, left: Any, right: Any) -> int | None:
        """-1, 0 or 1; None when a NaN decides, which is neither less nor greater."""
        self._classes.clear()  # a pair that was assumed equal may have turned out different
        self._classes.join(left, right)
        # Each entry: the pairs of items still to look at, and the difference in length that decides after them.
        stack = [(zip(left.v, right.v, strict=False), len(left.v) - len(right.v))]
        while stack:
            pairs, longer = stack[-1]
            for a, b in pairs:
                self._steps -= 1
                if self._steps < 0:
                    limits.over(
                        "the number of items compared in Lists", limits.COMPARE_STEPS, "sort by a key that is smaller"
                    )
                if isinstance(a, ListBase) and isinstance(b, ListBase):
                    if a is b or self._classes.join(a, b):
                        continue
                    stack.append((zip(a.v, b.v, strict=False), len(a.v) - len(b.v)))
                    break
                order = self._scalars(a, b)
                if order != 0:
                    return order
            else:
                if longer:
                    return -1 if longer < 0 else 1
                stack.pop()
        return 0

    def _scalars(self, a: Any, b: Any) -> int | None:
        """The order of two items that are not both Lists."""
        kind, other = type(a), type(b)
        if kind in NUMBERS and other in NUMBERS:
            if kind is int and other is int and a.bit_length() > BIG_SCALAR and self._classes.join(a, b):
                return 0
        elif kind is not other or (kind is not str and kind is not bytes):
            if equal(a, b):
                return 0
            unordered(a, b)
        elif len(a) == len(b) > BIG_SCALAR and self._classes.join(a, b):
            return 0
        if a == b:
            return 0
        if a < b:
            return -1
        return 1 if a > b else None


def compare_lists(left: Any, right: Any) -> int | None:
    """The order of two Lists: -1, 0, 1, or None when a NaN decides."""
    return Comparison(len(left.v) + limits.COMPARE_STEPS).lists(left, right)


def unordered(a: Any, b: Any) -> Any:
    """Throw the TypeError of two values that have no order."""
    fail("TypeError", f"cannot order {kind_name(a)} and {kind_name(b)}: order numbers, Texts, Bytes or Lists by {KEY}")


KEY = "themselves, anything else by a key, as in xs.sorted(fn(x) => x.name)"


def family(raw: Iterable[Any]) -> str:
    """``"number"``, ``"Text"``, ``"Bytes"`` or ``"List"``: what all the items are; ``""`` if there is none.

    A TypeError names two kinds that do not go together.
    """
    kinds = set(map(type, raw))
    if not kinds or kinds <= NUMBERS:
        return "number" if kinds else ""
    if kinds == {str}:
        return "Text"
    if kinds == {bytes}:
        return "Bytes"
    if all(issubclass(kind, ListBase) for kind in kinds):
        return "List"
    return _mixed(raw)


def _mixed(raw: Iterable[Any]) -> str:
    """Throw the TypeError for the first item that has no order with the first one."""
    first: Any = None
    known = None
    for item in raw:
        kind = type(item)
        group = "number" if kind in NUMBERS else "List" if isinstance(item, ListBase) else kind
        if known is None:
            first, known = item, group
            if group not in ("number", "List", str, bytes):
                unordered(item, item)
        elif group != known:
            unordered(first, item)
    return unordered(first, first)  # type: ignore[no-any-return]  # not reached


def sort(raw: list[Any], *, reverse: bool = False) -> None:
    """Sort a raw list in place; stable, NaN last (first when reversed)."""
    keys = ranking(raw)
    if keys is raw:
        raw.sort(reverse=reverse)
    else:
        places = sorted(range(len(raw)), key=keys.__getitem__, reverse=reverse)
        raw[:] = [raw[place] for place in places]


def _weight(raw: list[Any], kind: str) -> int:
    """What one pass over the items compares at most: a bomb is one huge Text, listed a million times."""
    if kind != "number":
        return sum(map(len, raw))
    try:
        return sum(map(int.bit_length, raw)) >> 5
    except TypeError:  # a Float among them
        return sum([x.bit_length() for x in raw if type(x) is int]) >> 5


def _ranks(raw: list[Any], kind: str) -> dict[int, int]:
    """The place of each distinct object among the others, equal ones sharing it; keyed by ``id``."""
    objects = list({id(item): item for item in raw}.values())
    same: Callable[[Any, Any], bool] = operator.eq
    if kind == "List":
        comparison = Comparison(limits.COMPARE_STEPS)
        same = comparison.same
        objects.sort(key=cmp_to_key(lambda a, b: comparison.lists(a, b) or 0))
    else:
        objects.sort()
    ranks: dict[int, int] = {}
    rank = 0
    for previous, item in zip([None, *objects], objects, strict=False):
        rank += previous is not None and not same(previous, item)
        ranks[id(item)] = rank
    return ranks


def ranking(keys: list[Any]) -> list[Any]:
    """For each key something that Python sorts as Hold sorts the keys: the key itself, or its place."""
    if len(keys) > limits.SORT_ITEMS:
        limits.over(f"sorting {limits.count(len(keys))} items in one step", limits.SORT_ITEMS, "use xs.sorted()")
    kind = family(keys)
    if kind == "number" and any(map(operator.ne, keys, keys)):  # NaN: the only number that is not itself
        return [(x != x, 0 if x != x else x) for x in keys]
    if kind == "List":
        return _tuples(keys) or _places(keys, kind)
    if kind and _weight(keys, kind) > limits.SORT_WEIGHT:
        return _places(keys, kind)
    return keys


def _places(keys: list[Any], kind: str) -> list[Any]:
    ranks = _ranks(keys, kind)
    return [ranks[id(key)] for key in keys]


def _tuples(keys: list[Any]) -> list[Any] | None:
    """Lists of a few scalars as tuples, which C compares; None if there are others, or kinds without an order.

    Each column is of one kind, so C finds no two items that it could not order in Hold's way.
    """
    rows = [tuple(key.v) if len(key.v) <= TUPLE_ITEMS else (None,) for key in keys]
    for n in range(max(map(len, rows))):
        column = [row[n] for row in rows if len(row) > n]
        kinds = set(map(type, column))
        if not (kinds <= NUMBERS or kinds == {str} or kinds == {bytes}):
            return None
        if any(map(operator.ne, column, column)):
            return None
        if _weight(column, "number" if kinds <= NUMBERS else "Text") > limits.SORT_WEIGHT:
            return None
    return rows


def place(raw: Any, value: Any, *, after: bool) -> int:
    """Where the value fits into a raw list that is in order."""
    low, high = 0, len(raw)
    while low < high:
        middle = (low + high) // 2
        if not before(value, raw[middle]) if after else before(raw[middle], value):
            low = middle + 1
        else:
            high = middle
    return low


def before(a: Any, b: Any) -> bool:
    """Does ``a`` come before ``b`` in a sorted List?"""
    kind, other = type(a), type(b)
    if kind in NUMBERS and other in NUMBERS:
        return bool(a < b) or (b != b and a == a)
    if kind is other and (kind is str or kind is bytes):
        return bool(a < b)
    if isinstance(a, ListBase) and isinstance(b, ListBase):
        return compare_lists(a, b) == -1
    unordered(a, b)
    return False


def extreme(raw: list[Any], *, greatest: bool) -> Any:
    """The first least or greatest item of a non-empty raw list; NaN only if there is nothing else."""
    kind = family(raw)
    if kind == "number" or kind == "List" or _weight(raw, kind) > limits.SORT_WEIGHT:
        items = [x for x in raw if x == x] if kind == "number" else list(raw)
        if not items:
            return raw[0]
        if kind == "List" or _weight(items, kind) > limits.SORT_WEIGHT:
            ranks = _ranks(items, kind)
            return (max if greatest else min)(items, key=lambda item: ranks[id(item)])
        return (max if greatest else min)(items)
    return (max if greatest else min)(raw)


def total(raw: list[Any]) -> Any:
    """The sum of a raw list of numbers, from left to right as a loop gives it."""
    kinds = set(map(type, raw))
    if not kinds <= NUMBERS:
        bad = next(x for x in raw if type(x) not in NUMBERS)
        hint = ", or join" if type(bad) is str else ""
        fail("TypeError", f"cannot sum {kind_name(bad)}: numbers are needed{hint}")
    # A million times one Int of a million bits takes minutes to add: bounded by what it would cost.
    ints = raw if float not in kinds else [x for x in raw if type(x) is not float]
    widest = max(map(int.bit_length, ints), default=0)
    if widest * len(ints) > limits.SUM_BITS:
        limits.over("the sum of Ints: items times bits", limits.SUM_BITS, "add them in slices")
    if float not in kinds:
        return limits.check_int(sum(raw))
    result: Any = 0
    try:
        for item in raw:  # not sum(): since 3.12 it compensates, so worlds would differ
            result += item
    except OverflowError:
        result = None
    if result is None:
        fail("ArithmeticError", "the sum is too large for a Float: use Int, or smaller numbers")
    return result
