"""Looking at what a domain has: its live objects, and the bytes that they take.

What is in the store is counted there (:mod:`holdfast.vm.stock`).  What is new, and in memory alone, is found by looking
at all that the host's collector knows of, and at the stacks of the domain's threads, which is charged as processor time
to whoever made it necessary.  So an allocation costs one subtraction, and nothing has to be done when something dies.

Nothing here reads an object from the store, since another world of the same process may have been closed.
"""

from __future__ import annotations

import gc
import sys
from sys import getsizeof
from typing import TYPE_CHECKING, Any

from holdfast.vm import ids
from holdfast.vm.objects import Obj
from holdfast.vm.pieces import PieceBase

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.vm.budgets import Budgets
    from holdfast.vm.domains import Domain
    from holdfast.vm.heap import Heap
    from holdfast.vm.thread import Thread

SHARED_ABOVE = 1_000
"""A value that takes more bytes than this is counted once, however often it is referred to."""


class Scales:
    """Weighs the objects of one world."""

    def __init__(self, heap: Heap, budgets: Budgets) -> None:
        self.heap = heap
        self.budgets = budgets

    def look(self, account: Domain, kind: str) -> int:
        """How many ``objects`` there are, or how many ``bytes`` they take, of all domains whose limit that is."""
        count = self._stored(account, kind)
        known: dict[int, tuple[Any, bool]] = {}
        seen: set[int] = set()
        for one in gc.get_objects():
            cls = type(one)
            if not issubclass(cls, Obj) or cls is cls._ghost or getattr(one, "_i", True):
                continue
            owner = getattr(one, "_o", None)
            if owner is None:
                continue
            entry = known.get(id(owner))
            if entry is None:
                entry = known[id(owner)] = owner, self._counts(owner, account, kind)
            if entry[1]:
                count += 1 if kind == "objects" else weight(one, seen)
        if kind == "bytes":
            for thread in self.budgets.world.scheduler.awake():
                if thread.domain is not None and self.budgets.account(thread.domain, kind) is account:
                    count += self._stack(thread, seen)
        return count

    def _stack(self, thread: Thread, seen: set[int]) -> int:
        """The bytes of what the variables of a thread's frames hold, as far as these are in memory."""
        scheduler, proto_of = self.budgets.world.scheduler, self.budgets.world.table.proto_of
        total = 0
        frame = sys._getframe() if thread is scheduler.current else scheduler.top_of(thread)
        while frame is not None:
            if proto_of(frame.f_code) is not None:
                total += weights(frame.f_locals.values(), seen)
            frame = frame.f_back
        for data in thread.stack.frames if thread.stack is not None else ():
            total += weights(data.values.values(), seen)
        return total

    def _stored(self, account: Domain, kind: str) -> int:
        total = 0
        stock, at = self.heap.stock, 0 if kind == "objects" else 1
        for oid in stock.owners():
            owner = self.heap.find(oid)
            if owner is not None and self.budgets.account(owner, kind) is account:
                total += stock.of(oid)[at]
        return total

    def _counts(self, owner: Any, account: Domain, kind: str) -> bool:
        """Is it the limit of this owner?  Not for a domain of another world."""
        domain = owner
        while domain is not account:
            if type(domain) is type(domain)._ghost and domain._t is not self.heap:
                return False
            if domain.parent is None:
                return False
            domain = domain.parent
        return self.budgets.account(owner, kind) is account


def weight(obj: Any, seen: set[int]) -> int:
    """About how many bytes of memory an object takes that is not in the store, with the Texts and numbers in it."""
    size = getsizeof(obj)
    if not ids.LIST <= obj._k <= ids.SET:
        return size + weights(gc.get_referents(obj), seen)
    contents = obj.v
    if isinstance(contents, PieceBase):
        return size + contents.size_in_memory()
    size += getsizeof(contents) + weights(contents, seen)
    return size + weights(contents.values(), seen) if obj._k == ids.MAP else size


def weights(values: Iterable[Any], seen: set[int]) -> int:
    """The same of values; of objects only what a reference takes."""
    total = 0
    for value in values:
        if isinstance(value, Obj | type):
            total += 8
            continue
        size = getsizeof(value)
        if size > SHARED_ABOVE:
            if id(value) in seen:
                continue
            seen.add(id(value))
        total += size
    return total


def written(values: Iterable[Any]) -> int:
    """How many bytes values take that are put into an object of somebody else."""
    total, seen = 0, set[int]()
    for value in values:
        collection = isinstance(value, Obj) and type(value) is not type(value)._ghost and 0 < value._k <= ids.SET
        total += weight(value, seen) if collection else weights((value,), seen)
    return total
