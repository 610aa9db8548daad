"""Methods of Set that call no guest function.  A Set keeps the order in which its members came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.vm import limits
from holdfast.vm.methods.arguments import keys_of, needs, table
from holdfast.vm.ops import check_key
from holdfast.vm.runtime import Runtime


@needs("r")
def len_(self: Any) -> int:
    """The number of members, as ``len(set)``.

    > Set([1, 1, 2]).len() == 2
    """
    return len(self.v)


@needs("r")
def is_empty(self: Any) -> bool:
    """Whether there is no member.

    > Set([]).is_empty() == true
    """
    return not len(self.v)


@needs("r")
def has(self: Any, value: Any) -> bool:
    """Whether the value is a member, as ``value in set``.

    > Set([1]).has(1) == true
    """
    check_key(value, "Set")
    return value in self.v


@needs("r")
def contains(self: Any, value: Any) -> bool:
    """Whether the value is a member, as ``value in set``.

    > Set([1]).contains(2) == false
    """
    check_key(value, "Set")
    return value in self.v


@needs("r")
def first(self: Any) -> Any:
    """The member that came first, nil if there is none.

    > Set([2, 1]).first() == 2
    """
    return next(iter(self.v), None)


@needs("r", other="r")
def is_subset(self: Any, other: Any) -> bool:
    """Whether all its members are in the other.

    > Set([1]).is_subset(Set([1, 2])) == true
    """
    theirs = keys_of("Set.is_subset", other)
    return len(self.v) <= len(theirs) and all(x in theirs for x in self.v)


@needs("r", other="r")
def is_superset(self: Any, other: Any) -> bool:
    """Whether all members of the other are in it.

    > Set([1, 2]).is_superset([1]) == true
    """
    theirs, own = keys_of("Set.is_superset", other), self.v
    return len(theirs) <= len(own) and all(x in own for x in theirs)


@needs("r", other="r")
def is_disjoint(self: Any, other: Any) -> bool:
    """Whether no member is in both.

    > Set([1]).is_disjoint([2]) == true
    """
    theirs = keys_of("Set.is_disjoint", other)
    return not any(x in theirs for x in self.v)


PURE = table(len_, is_empty, has, contains, first, is_subset, is_superset, is_disjoint)


def _writers(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    heap = runtime.heap

    @needs("rw")
    def add(self: Any, value: Any) -> bool:
        """Make the value a member; whether it was none before.

        > Set([1]).add(2) == true
        """
        check_key(value, "Set")
        if value in self.v:
            return False
        limits.check_items("Set", len(self.v) + 1)
        if self._t is not heap.token:
            heap.barrier(self)
        self.v[value] = None
        return True

    @needs("rw")
    def remove(self: Any, value: Any) -> bool:
        """Take a member out; whether it was one.

        > Set([1]).remove(1) == true
        """
        check_key(value, "Set")
        if value not in self.v:
            return False
        if self._t is not heap.token:
            heap.barrier(self)
        del self.v[value]
        return True

    @needs("w", other="r")
    def update(self: Any, other: Any) -> None:
        """Take over all members of another collection.

        > var s = Set([1])
        > s.update([2, 3])
        > s == Set([1, 2, 3])
        """
        new = dict(keys_of("Set.update", other))
        limits.check_items("Set", len(self.v) + len(new))
        if self._t is not heap.token:
            heap.barrier(self)
        self.v.update(new)

    @needs("w")
    def clear(self: Any) -> None:
        """Take out all members.

        > var s = Set([1])
        > s.clear()
        > s == Set([])
        """
        if self._t is not heap.token:
            heap.barrier(self)
        self.v.clear()

    return table(add, remove, update, clear)


def _results(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    new_list = runtime.new_list
    new_set = runtime.new_set

    @needs("r")
    def copy(self: Any) -> Any:
        """A new Set of the same members.

        > Set([1]).copy() == Set([1])
        """
        return new_set(dict(self.v))

    @needs("r")
    def list_(self: Any) -> Any:
        """The members as a List, in the order in which they came.

        > Set([2, 1]).list() == [2, 1]
        """
        return new_list(list(self.v))

    @needs("r", other="r")
    def union(self: Any, other: Any) -> Any:
        """The members of both.

        > Set([1]).union([2]) == Set([1, 2])
        """
        theirs = keys_of("Set.union", other)
        limits.check_items("Set", len(self.v) + len(theirs))
        result = dict(self.v)
        result.update(theirs)
        return new_set(result)

    @needs("r", other="r")
    def intersection(self: Any, other: Any) -> Any:
        """The members that are in both.

        > Set([1, 2]).intersection([2, 3]) == Set([2])
        """
        theirs = keys_of("Set.intersection", other)
        return new_set({x: None for x in self.v if x in theirs})

    @needs("r", other="r")
    def difference(self: Any, other: Any) -> Any:
        """Its members that are not in the other.

        > Set([1, 2]).difference([2]) == Set([1])
        """
        theirs = keys_of("Set.difference", other)
        return new_set({x: None for x in self.v if x not in theirs})

    @needs("r", other="r")
    def symmetric_difference(self: Any, other: Any) -> Any:
        """The members that are in one of the two only.

        > Set([1, 2]).symmetric_difference([2, 3]) == Set([1, 3])
        """
        theirs, own = keys_of("Set.symmetric_difference", other), self.v
        result = {x: None for x in own if x not in theirs}
        result.update({x: None for x in theirs if x not in own})
        return new_set(result)

    return table(copy, list_, union, intersection, difference, symmetric_difference)


def methods(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """All methods of Set in one world."""
    return PURE | _writers(runtime) | _results(runtime)
