"""Changes to a large Map or Set: what a checkpoint takes and writes, and what one level of ``atomic`` can undo.

Keys and formats are as :mod:`holdfast.vm.pieces` says; whose changes they are is a
:class:`~holdfast.vm.piecemap.PieceMap`.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from holdfast.vm.codec import ABSENT, DamagedRecord, key_name
from holdfast.vm.pieces import KEY_BYTES_MAX, SMALL, PieceChanges, key_bytes, pack_number, piece_range

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from holdfast.vm.heap import Heap
    from holdfast.vm.piecemap import PieceMap
    from holdfast.vm.pieces import Sink

SHORT = KEY_BYTES_MAX // 4
"""Characters of a text whose key bytes are short in any case."""
BULK_STRIDE = 8
"""Entries written between two looks at the clock."""
PAGE_KEYS = 64
"""Keys in one record of the order; so many are written again when one is deleted."""

GONE = -1
Entry = tuple[int, Any, int]
"""(sequence number or GONE, value, sequence number of the older entry to delete or GONE)."""


class MapChanges(PieceChanges):
    """Changes to a :class:`PieceMap`: entries by key, and the keys of new entries by sequence number."""

    __slots__ = ("_places", "base", "bulk", "cleared", "container", "count", "entries", "fresh", "next")

    container: PieceMap
    """Whose changes they are; set when a checkpoint takes them (before, it would make a cycle that lives on)."""

    def __init__(self, base: int, *, cleared: bool = False) -> None:
        self.base = base
        """Sequence numbers from here on are new in these changes."""
        self.entries: dict[Any, Entry] = {}
        self.fresh: dict[int, Any] = {}
        self.cleared = cleared
        """Everything older is deleted first."""
        self.bulk: dict[Any, Any] | None = None
        """The raw dict that the container was made of; its entries are numbered from 0, in order."""
        self._places: dict[Any, int] | None = None
        self.count = self.next = 0

    @property
    def header(self) -> list[int]:
        """See the base."""
        return [self.count, self.next]

    @property
    def complete(self) -> bool:
        """Is there nothing older than these changes?  What is in the store then is of a split that came to nothing."""
        return self.cleared or self.bulk is not None

    def find(self, key: Any) -> Entry | None:
        """What these changes say about the key; None when nothing."""
        entry = self.entries.get(key)
        if entry is None and self.bulk is not None and key in self.bulk:
            if self._places is None:
                self._places = {known: place for place, known in enumerate(self.bulk)}
            return self._places[key], self.bulk[key], GONE
        return entry

    def new_after(self, last: int) -> list[tuple[int, Any]]:
        """Sequence number and key of the new entries after the given number, in order."""
        bulk = [] if self.bulk is None else [pair for pair in enumerate(self.bulk) if pair[0] > last]
        return bulk + sorted((pair for pair in self.fresh.items() if pair[0] > last), key=itemgetter(0))

    def write(self, heap: Heap, sink: Sink) -> Iterator[None]:
        """See the base."""
        container, record = self.container, heap.codec.entry
        by_key = container.prefix + b"k"
        if self.cleared:
            sink.batch.delete_range(*piece_range(container.oid))
        if self.bulk is not None:
            yield from self._write_bulk(heap, sink, self.bulk)
        deleted: list[int] = []
        for key, (sequence, value, old) in self.entries.items():
            if old != GONE:
                deleted.append(old)
            place = by_key + key_bytes(heap, key)
            if sequence == GONE:
                sink.batch.delete(place)
            else:
                sink.batch.put(place, record(place, sequence, value))
            yield
        yield from self._delete_from_order(heap, sink, deleted)
        yield from self._put_order(heap, sink, sorted(self.fresh.items(), key=itemgetter(0)))

    def settle(self) -> None:
        """See the base."""
        container, bulk = self.container, self.bulk
        container.frozen = None
        if bulk is not None and not container.changes.cleared:
            for key, entry in container.changes.entries.items():
                if entry[0] == GONE:
                    bulk.pop(key, None)
                else:
                    bulk[key] = entry[1]
            container.adopt(bulk)
        else:
            container.consider()

    def _write_bulk(self, heap: Heap, sink: Sink, bulk: dict[Any, Any]) -> Iterator[None]:
        """What was a raw dict, which may be huge; and cache it again, since its raw entries are hot."""
        container, record = self.container, heap.codec.entry
        by_key = container.prefix + b"k"
        changes, put = container.changes, sink.batch.put
        for sequence, (key, value) in enumerate(bulk.items()):
            kind = type(key)
            if kind is str and len(key) < SHORT:  # as key_bytes does, which costs as much again as a record
                place = by_key + b"s" + key.encode()
            elif kind is int and -SMALL < key < SMALL:
                place = by_key + b"i" + key.to_bytes(key.bit_length() // 8 + 1, "big", signed=True)
            else:
                place = by_key + key_bytes(heap, key)
            put(place, record(place, sequence, value))
            if changes is not container.changes or changes.entries:
                container.keep_cached(key, value)
            else:
                container.keep(key, value)
            if not sequence % BULK_STRIDE:
                yield
                put = sink.batch.put
        yield from self._put_order(heap, sink, enumerate(bulk))

    def _put_order(self, heap: Heap, sink: Sink, entries: Iterable[tuple[int, Any]]) -> Iterator[None]:
        """Write the keys of new entries, which are in order, in pages."""
        start, page = 0, list[Any]()
        for sequence, key in entries:
            if page and sequence >= start + PAGE_KEYS:
                self._put_page(heap, sink, start, page)
                yield
                page = []
            if not page:
                start = sequence
            page.extend([ABSENT] * (sequence - start - len(page)))
            page.append(key)
        if page:
            self._put_page(heap, sink, start, page)
            yield

    def _put_page(self, heap: Heap, sink: Sink, start: int, page: list[Any]) -> None:
        place = self.container.prefix + b"q" + pack_number(start)
        sink.batch.put(place, heap.codec.record(place, page))

    def _delete_from_order(self, heap: Heap, sink: Sink, deleted: list[int]) -> Iterator[None]:
        """Take the numbers out of the pages in the store."""
        if self.cleared:
            return
        letter = self.container.prefix + b"q"
        start, page = 0, list[Any]()
        for sequence in sorted(deleted):
            if not page or sequence >= start + len(page):
                if page:
                    self._put_page(heap, sink, start, page)
                found = heap.store.last_before(letter, letter + pack_number(sequence))
                if found is None:
                    raise DamagedRecord(key_name(letter), "a page of its keys is missing")
                start, page = int.from_bytes(found[0][-8:], "big"), heap.codec.unpack(*found)
                if sequence >= start + len(page):
                    raise DamagedRecord(key_name(letter), "a page of its keys is too short")
                yield
            page[sequence - start] = ABSENT
        if page:
            self._put_page(heap, sink, start, page)


class MapLevel:
    """What one level of ``atomic`` needs to undo its changes to a :class:`PieceMap`."""

    __slots__ = ("count", "entries", "older", "whole")

    def __init__(self, count: int) -> None:
        self.count = count
        self.entries: dict[Any, Entry | None] = {}
        """The changes' own entry, or None, for each key that was written first in this level."""
        self.older: dict[Any, Any] = {}
        """For those that were written while all entries were in memory, what they had; ABSENT for new ones."""
        self.whole: MapChanges | None = None
        """The changes as a whole, which ``clear`` has replaced; ``entries`` belong to them."""
