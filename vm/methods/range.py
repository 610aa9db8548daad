"""Methods of Range: Ints from a start to before an end, never stored.

Answers come from the two bounds; nothing walks the Range, which may be longer than any computation (threat 23).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.vm import limits
from holdfast.vm.methods.arguments import need_count, table
from holdfast.vm.objects import fail
from holdfast.vm.ops import bounds, in_range, length
from holdfast.vm.runtime import Runtime


def start(self: range) -> int:
    """The first bound.

    > (2..5).start() == 2
    """
    return self.start


def end(self: range) -> int:
    """The bound that is just outside.

    > (2..5).end() == 5
    > (2..=5).end() == 6
    """
    return self.stop


def len_(self: range) -> int:
    """The number of Ints in it, as ``len(range)``.

    > (2..5).len() == 3
    """
    return length(self)


def is_empty(self: range) -> bool:
    """Whether there is no Int in it.

    > (5..2).is_empty() == true
    """
    return self.stop <= self.start


def first(self: range) -> int | None:
    """The first Int, nil if it is empty.

    > (2..5).first() == 2
    """
    return self.start if self.start < self.stop else None


def last(self: range) -> int | None:
    """The last Int, nil if it is empty.

    > (2..5).last() == 4
    """
    return self.stop - 1 if self.start < self.stop else None


def contains(self: range, value: Any) -> bool:
    """Whether the number is in it, as ``value in range``.

    > (2..5).contains(4) == true
    """
    return in_range(value, self)


def index(self: range, value: Any, default: Any = None) -> Any:
    """Where the number is in it; ``default`` if nowhere.

    > (2..5).index(4) == 2
    """
    return int(value) - self.start if in_range(value, self) else default


def slice(self: range, start: Any = 0, end: Any = None) -> range:
    """The part from ``start`` to before ``end``, as a Range.

    > (10..20).slice(1, 3) == 11..13
    """
    low, high = bounds(start, end, closed=False)
    return self[low:high]


def sum_(self: range) -> int:
    """The sum of its Ints.

    > (1..=100).sum() == 5050
    """
    many = length(self)
    if many.bit_length() + self.stop.bit_length() > limits.INT_BITS:
        limits.int_too_large(many.bit_length() + self.stop.bit_length())
    return limits.check_int(many * (self.start + self.stop - 1) // 2) if many else 0


PURE = table(start, end, len_, is_empty, first, last, contains, index, slice, sum_)


def methods(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """All methods of Range in one world."""
    new_list = runtime.new_list

    def list_(self: range) -> Any:
        """Its Ints as a List.

        > (0..3).list() == [0, 1, 2]
        """
        limits.check_bulk("a Range", length(self))
        return new_list(list(self))

    def reversed_(self: range) -> Any:
        """Its Ints from the last to the first, as a List.

        > (0..3).reversed() == [2, 1, 0]
        """
        limits.check_bulk("a Range", length(self))
        return new_list(list(self[::-1]))

    def step(self: range, by: Any) -> Any:
        """Every so-manieth of its Ints, from the first on, as a List.

        > (0..10).step(4) == [0, 4, 8]
        """
        every = need_count("Range.step", by)
        if not every:
            fail("ValueError", "Range.step needs a step of at least 1")
        limits.check_bulk("a Range", -(-length(self) // every))
        return new_list(list(self[::every]))

    return PURE | table(list_, reversed_, step)
