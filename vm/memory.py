"""Memory: which loaded objects are made ghosts again, so that what a world keeps in memory stays below a limit.

Only what is clean is evicted, never while a checkpoint is open (what that has encoded is not on disk before its last
batch), never what an ``atomic`` may have to restore, and never an object whose raw container a frame holds.  A ghost
that nobody refers to goes away by itself, so evicting an object frees what only it referred to.
"""

from __future__ import annotations

from sys import getrefcount, getsizeof
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

from holdfast.vm import ids
from holdfast.vm.objects import Obj
from holdfast.vm.piecelist import PieceList
from holdfast.vm.piecemap import PieceMap
from holdfast.vm.pieces import PieceBase
from holdfast.vm.waits import DAMAGED, ENDED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.vm.heap import Heap

SHELL_BYTES = 240
"""What a ghost costs: the object, its id, its weak reference and their entry in the table."""
LIVE_BYTES = 48
ENTRY_BYTES = 50
"""What an element of a raw container refers to, about."""
EVICT_TO = 0.75
"""How far below the limit an eviction goes, as a share of it: so that the next one is some way off."""
RECORD_FACTOR = 3
"""How much larger an object is in memory than its record, about."""
HOLDERS = 4
"""References to a raw container that nobody else holds, in :func:`split`: the slot, the caller's variable, the
parameter, the argument of ``getrefcount``; a Map has a second slot."""
KEPT = frozenset(("__weakref__", "_i", "_t"))
"""The slots that a ghost has."""
SWEEP_STEP = 500
"""Objects looked at between two yields of a sweep: about 0.5 ms."""


def sweep(heap: Heap, target: int | None = None) -> Iterator[None]:
    """Forget the dead, measure the living and, where they are above the target (by default a part of the limit), make
    ghosts of clean objects, the longest in memory first.  Runs in steps, between which guests may run."""
    if target is None:
        target = int((heap.memory_limit or 0) * EVICT_TO)
    yield from measure(heap)
    if heap.memory_used <= target:
        return
    for place, oid in enumerate(list(heap.table)):
        if heap.memory_used <= target:
            break
        if place % SWEEP_STEP == SWEEP_STEP - 1:
            yield
        obj = heap.loaded(oid)
        if isinstance(obj, Obj):
            evict(heap, obj)
        del obj
    yield from measure(heap)  # ghosts that only an evicted object referred to have died meanwhile
    # Where nothing more can be evicted, do not try again at once.
    heap.sweep_above = int(heap.memory_used / EVICT_TO)


def measure(heap: Heap) -> Iterator[None]:
    """Set the estimate of the memory used to what lives now, in steps; takes what has died out of the table."""
    used, before = 0, heap.memory_used
    for place, oid in enumerate(list(heap.table)):
        if place % SWEEP_STEP == SWEEP_STEP - 1:
            yield
        obj = heap.loaded(oid)
        if obj is None:
            heap.table.pop(oid, None)
        else:
            used += size_of(heap, obj)
        del obj
    heap.memory_used = used + max(0, heap.memory_used - before)  # and what has come meanwhile


def forget_dead(heap: Heap) -> Iterator[None]:
    """Take what has died out of the table, in steps."""
    for place, oid in enumerate(list(heap.table)):
        if heap.loaded(oid) is None:
            heap.table.pop(oid, None)
        if place % (SWEEP_STEP * 10) == 0:
            yield


def evict(heap: Heap, obj: Obj) -> bool:
    """Make a ghost of a clean object; says whether that could be done."""
    cls = type(obj)
    oid = obj._i
    if cls is cls._ghost or not oid:
        return False
    if cls._k == ids.TEXT:  # they are forgotten by age
        return False
    if cls._k == ids.THREAD:
        thread = cast(Any, obj)
        if thread.state not in ENDED or getattr(thread, "stored", 0) == DAMAGED:
            return False  # it is alive, or what it is is in no record
    if oid in heap.dirty:
        if heap.layouts[cls].collection:
            trim(heap, cast(Any, obj).v)
        return False
    if heap.open is not None:  # what it has encoded is not on disk before its last batch
        return False
    if any(id(obj) in level for level in heap.levels):
        return False
    size = size_of(heap, obj)
    layout = heap.layouts[cls]
    if layout.collection:
        container = cast(Any, obj).v
        # The slot (a Map has two), this variable, the call: else a frame holds it.
        if getrefcount(container) > 3 + (getattr(obj, "e", None) is container and cls._k == ids.MAP):
            trim(heap, container)
            return False
        del container
    obj.__class__ = cls._ghost
    obj._t = heap
    for name in (*layout.names, "e") if cls._k == ids.MAP else layout.names:
        obj_slot = cls.__dict__.get(name) or getattr(cls, name)
        try:
            obj_slot.__delete__(obj)
        except AttributeError:
            continue  # the slot held nothing
    try:
        del obj._x
    except AttributeError:
        pass
    heap.memory_used -= size - SHELL_BYTES
    heap.evicted += 1
    return True


def unload(heap: Heap, obj: Obj) -> None:
    """Make a ghost of an object again that could not be made live."""
    obj.__class__ = type(obj)._ghost
    obj._t = heap
    for cls in type(obj).__mro__:
        for name in cls.__dict__.get("__slots__", ()):
            if name not in KEPT:
                try:
                    cls.__dict__[name].__delete__(obj)
                except AttributeError:
                    continue  # the slot held nothing


def trim(heap: Heap, container: Any) -> None:
    """Drop from a large collection that must stay what can be read again: one that a program fills is never clean."""
    if isinstance(container, PieceBase):
        size = container.size_in_memory()
        container.trim()
        heap.memory_used -= size - container.size_in_memory()


def split(heap: Heap, obj: Any, raw: Any) -> Any:
    """Put a container in pieces in place of the object's raw one; the raw one where somebody else holds that."""
    if getrefcount(raw) > HOLDERS + (obj._k == ids.MAP):
        return raw
    if obj._k == ids.LIST:
        obj.v = PieceList.from_raw(heap, obj._i, raw)
    else:
        obj.v = PieceMap.from_raw(heap, obj._i, raw)
        if obj._k == ids.MAP:
            obj.e = obj.v
    return obj.v


def size_of(heap: Heap, obj: Any) -> int:
    """Estimate of the bytes that an object of the table keeps in memory."""
    cls = type(obj)
    if cls is FunctionType or cls is cls._ghost:
        return SHELL_BYTES
    layout = heap.layouts[cls]
    size = SHELL_BYTES + LIVE_BYTES
    if layout.collection:
        container = obj.v
        if isinstance(container, PieceBase):
            return size + container.size_in_memory()
        return size + getsizeof(container) + ENTRY_BYTES * len(container)
    for value in heap.state(obj, layout)[4:]:
        size += 8 if isinstance(value, Obj) else getsizeof(value)
    return size
