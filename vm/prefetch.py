"""Decoding ahead: what was read ahead, in the order of its keys, becomes what somebody will ask for.

Where a record is decoded when it is wanted, in a scattered order, most of the time goes into the host's calls and into
memory that is not in its caches.  In a row it takes a third.  What is decoded here is only what somebody can reach
without reading anything else: ghosts that are in memory, and entries of large Maps that are.  It is decoded without
any effect but that: what would make a class, a function or a large Text known, or has anything special, is left as it
is, and so is what is damaged, to be met by who wants it.

One record in :data:`PROBES` is left in any case.  How many of those are wanted tells how well reading ahead pays
(:mod:`holdfast.vm.readahead`), which an object that is there does not tell.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

from holdfast.vm.codec import FORGED_TYPES
from holdfast.vm.ids import SERIAL_BITS, TEXT
from holdfast.vm.layouts import LOADED
from holdfast.vm.memory import RECORD_FACTOR
from holdfast.vm.objects import Obj
from holdfast.vm.piecemap import ENTRY_BYTES, PieceMap

if TYPE_CHECKING:
    from holdfast.vm.heap import Heap

PROBES = 16
INT = ord("i")
CROWDED = 0.5
"""From which share of its limit on a world takes no more memory for what nobody has asked for."""


class NotNow(Exception):
    """A reference leads to what takes more than a shell."""


class Prefetch:
    """Decodes for one heap."""

    def __init__(self, heap: Heap) -> None:
        self._heap = heap

    def take(self, chunk: dict[bytes, bytes], wanted: bytes) -> dict[bytes, bytes]:
        """Decode records of one class, or of one collection's entries; gives those that were left."""
        heap = self._heap
        limit = heap.memory_limit
        if limit is not None and heap.memory_used > limit * CROWDED:
            return chunk
        piece = wanted[:1] == b"P"
        if wanted not in chunk or not (self._is_entry(wanted) if piece else self._is_plain(wanted)):
            return chunk
        try:
            heap.codec.unpack(wanted, chunk[wanted])  # makes the classes known that it refers to: nearly always those
        except Exception:  # who wants it meets the same
            return chunk
        before, heap.hasty = heap.hasty, True
        # All that is made here lives on: the host's collector would look at it in vain.
        collecting = gc.isenabled()
        gc.disable()
        try:
            return self._entries(chunk, wanted) if piece else self._objects(chunk, wanted)
        finally:
            heap.hasty = before
            if collecting:
                gc.enable()

    def _is_plain(self, key: bytes) -> bool:
        """Is it the key of an instance of a class that is known?  Not of a function: those may capture each other in
        chains of any length."""
        number = int.from_bytes(key[1:9], "big") >> SERIAL_BITS
        layout = self._heap.layout_of(number)
        return layout is not None and layout.plain and number != TEXT

    def _is_entry(self, key: bytes) -> bool:
        """Is it the key of an entry of a Map or Set that is in memory, and of which nothing waits to be written?"""
        owner = self._heap.loaded(int.from_bytes(key[1:9], "big"))
        found = getattr(owner, "v", None) if isinstance(owner, Obj) and type(owner) is owner._live else None
        return key[9:10] == b"k" and isinstance(found, PieceMap) and found.settled

    def _objects(self, chunk: dict[bytes, bytes], wanted: bytes) -> dict[bytes, bytes]:
        heap = self._heap
        layout: Any = heap.layout_of(int.from_bytes(wanted[1:9], "big") >> SERIAL_BITS)
        unpack, fill, ghost, table = heap.codec.unpack, layout.fill, layout.cls._ghost, heap.table
        left, size = {}, 0
        for place, (key, record) in enumerate(chunk.items()):
            weak = table.get(int.from_bytes(key[1:9], "big"))
            obj: Any = weak() if weak is not None else None
            if obj is None or place % PROBES == 0 or key == wanted:
                left[key] = record
                continue
            if type(obj) is ghost:
                try:
                    filled = fill(obj, unpack(key, record))
                except Exception:  # damage, or NotNow, or no room on the stack: who wants it meets the same, or not
                    filled = False
                if filled:
                    obj._t = LOADED
                    size += len(record)
                else:
                    left[key] = record
        heap.memory_used += RECORD_FACTOR * size
        return left

    def _entries(self, chunk: dict[bytes, bytes], wanted: bytes) -> dict[bytes, bytes]:
        heap = self._heap
        found: PieceMap = heap.loaded(int.from_bytes(wanted[1:9], "big")).v
        left, count, written = {}, 0, found.changes.entries
        if found.all is not None:
            return chunk  # all entries are in memory, and older ones are asked for
        from_bytes = int.from_bytes
        open_entry, known, cache = heap.codec.open_entry, dict.__contains__, dict.__setitem__
        for place, (at, record) in enumerate(chunk.items()):
            key: Any = from_bytes(at[11:], "big", signed=True) if at[10] == INT else _key(at)
            if key is None or place % PROBES == 0 or at == wanted:
                left[at] = record
                continue
            if key in written or known(found, key):
                continue
            try:
                number, value = open_entry(at, record)
                if type(number) is not int or type(value) in FORGED_TYPES:
                    raise ValueError
            except Exception:  # likewise
                left[at] = record
            else:
                cache(found, key, value)
                count += 1
        heap.memory_used += ENTRY_BYTES * count
        found.consider()
        return left


def _key(place: bytes) -> str | None:
    """The key of an entry that is a Text; None where its bytes do not tell it."""
    if place[10:11] == b"s":
        try:
            return place[11:].decode()
        except UnicodeDecodeError:  # nothing that the machine writes
            return None
    return None
