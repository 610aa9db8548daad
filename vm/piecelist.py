"""A large List in pieces: chunks of elements, and pages that tell the chunks' order.

The header in the List's record is ``[length, next chunk number, number of chunks]``; chunks and pages are as
:mod:`holdfast.vm.pieces` says.  A page lists ``PAGE_CHUNKS`` chunks, the last one the rest.  A push writes one chunk
and one page; an insertion in the middle writes one chunk and its page, and, once in ``CHUNK`` insertions, when the
chunk is split, the pages after it as well.

Chunks are copied on the first write after a checkpoint began or an ``atomic`` level was opened (``stamp``), so both
keep the elements as they were by holding on to the older ``list``, which nobody changes any more.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, MutableSequence
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any, overload

from holdfast.vm import ids
from holdfast.vm.codec import DamagedRecord, check_values
from holdfast.vm.pieces import PieceBase, PieceChanges, pack_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from holdfast.vm.heap import Heap
    from holdfast.vm.pieces import Sink

CHUNK = 512
"""Elements of a chunk when a list is put in pieces; one that grows to twice as many is split."""
PAGE_CHUNKS = 256
ELEMENT_BYTES = 40
"""Estimate of what one element in memory costs."""

_pack_page = struct.Struct(">I").pack


class Chunk:
    """Some elements in a row.  ``items`` is None when they are only in the store."""

    __slots__ = ("items", "length", "number", "stamp")

    def __init__(self, number: int, length: int, items: list[Any] | None, stamp: object) -> None:
        self.number = number
        self.length = length
        self.items = items
        self.stamp = stamp
        """The list's stamp when ``items`` was made: with the current one it may be changed in place."""


class ListChanges(PieceChanges):
    """Changes to a :class:`PieceList`."""

    __slots__ = ("chunks", "container", "dropped", "first_page", "order", "pages_before", "parts")

    def __init__(self, container: PieceList) -> None:
        self.container = container
        self.parts: list[int] = [container.size, container.next, len(container.chunks)]
        self.chunks = {chunk.number: chunk.items for chunk in container.dirty.values()}
        self.dropped = container.dropped
        self.first_page = container.first_page
        self.pages_before = container.pages_stored
        self.order = [(chunk.number, chunk.length) for chunk in container.chunks[self.first_page * PAGE_CHUNKS :]]

    @property
    def header(self) -> list[int]:
        """See the base."""
        return self.parts

    def write(self, heap: Heap, sink: Sink) -> Iterator[None]:
        """See the base."""
        prefix = self.container.prefix
        record = heap.codec.record
        for number, items in self.chunks.items():
            place = prefix + b"c" + pack_number(number)
            sink.batch.put(place, record(place, [items]))
            yield
        for number in self.dropped:
            sink.batch.delete(prefix + b"c" + pack_number(number))
        page = self.first_page
        for start in range(0, len(self.order), PAGE_CHUNKS):
            place = prefix + b"d" + _pack_page(page)
            flat = list(chain.from_iterable(self.order[start : start + PAGE_CHUNKS]))
            sink.batch.put(place, record(place, flat))
            page += 1
            yield
        for old in range(page, self.pages_before):
            sink.batch.delete(prefix + b"d" + _pack_page(old))

    def settle(self) -> None:
        """See the base."""
        self.container.frozen = None


class ListLevel:
    """What one level of ``atomic`` needs to undo its changes to a :class:`PieceList`."""

    __slots__ = ("chunks", "dirty", "dropped", "first_page", "items", "size")

    def __init__(self, owner: PieceList) -> None:
        self.size = owner.size
        self.chunks = owner.chunks.copy()
        self.dirty = owner.dirty.copy()
        self.dropped = owner.dropped.copy()
        self.first_page = owner.first_page
        self.items: dict[int, tuple[list[Any], int]] = {}
        """By chunk number: the elements before the first write."""


class PieceList(PieceBase, MutableSequence[Any]):
    """The contents of a large List; does what a ``list`` does, by the same names."""

    __slots__ = (
        "__weakref__", "_starts", "chunks", "dirty", "dropped", "first_page", "frozen", "heap", "levels", "next", "oid",
        "pages_stored", "prefix", "size", "stamp",
    )  # fmt: skip
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, heap: Heap, oid: int) -> None:
        self.heap = heap
        self.oid = oid
        self.prefix = b"P" + pack_number(oid)
        self.chunks: list[Chunk] = []
        self.size = 0
        self.next = 1
        self.stamp = object()
        self.dirty: dict[int, Chunk] = {}
        self.dropped: set[int] = set()
        """Numbers of chunks in the store (or frozen) that are no longer part of the list."""
        self.first_page = 0
        """Pages from this one on have changed."""
        self.pages_stored = 0
        self.frozen: ListChanges | None = None
        self.levels: list[ListLevel] = []
        self._starts: list[int] | None = None

    @classmethod
    def from_raw(cls, heap: Heap, oid: int, raw: list[Any]) -> PieceList:
        """Take over the elements of a raw list."""
        made = cls(heap, oid)
        made._append_chunks(raw)
        return made

    @classmethod
    def from_header(cls, heap: Heap, oid: int, header: list[Any]) -> PieceList:
        """The container that a List's record tells of; reads its pages, and no chunk."""
        if [type(part) for part in header] != [int, int, int]:
            raise DamagedRecord(ids.kid(oid), "a header of pieces that cannot be")
        made = cls(heap, oid)
        made.size, made.next, expected = header
        made.pages_stored = -(-expected // PAGE_CHUNKS)
        for page in range(made.pages_stored):
            place = made.prefix + b"d" + _pack_page(page)
            record = heap.store.read(place)
            flat = heap.codec.unpack(place, record) if record is not None else [0]
            if len(flat) % 2 or any(type(part) is not int or part < 1 for part in flat):
                raise DamagedRecord(ids.kid(oid), f"page {page} of its pieces is not one")
            made.chunks.extend(Chunk(n, length, None, None) for n, length in zip(flat[::2], flat[1::2], strict=True))
        if len(made.chunks) != expected or sum(chunk.length for chunk in made.chunks) != made.size:
            raise DamagedRecord(ids.kid(oid), "its pieces do not add up")
        made.first_page = made.pages_stored
        return made

    # ------------------------------------------------------------------ chunks

    def _read(self, chunk: Chunk) -> list[Any]:
        """The elements of a chunk, which the caller must not change."""
        if chunk.items is not None:
            return chunk.items
        place = self.prefix + b"c" + pack_number(chunk.number)
        record = self.heap.store.read(place)
        values = self.heap.codec.unpack(place, record) if record is not None else []
        if len(values) != 1 or type(values[0]) is not list or len(values[0]) != chunk.length:
            raise DamagedRecord(ids.kid(self.oid), f"its piece {chunk.number} is not what it should be")
        check_values(place, values[0])
        chunk.items = items = values[0]
        self.heap.memory_used += ELEMENT_BYTES * len(items)
        return items

    def _write(self, chunk: Chunk) -> list[Any]:
        """The elements of a chunk, which the caller is about to change in place."""
        items = self._read(chunk)
        if chunk.stamp is not self.stamp:
            if self.levels:
                self.levels[-1].items.setdefault(chunk.number, (items, chunk.length))
            chunk.items = items = items.copy()
            chunk.stamp = self.stamp
            self.dirty[chunk.number] = chunk
            self.heap.piece_changes += 1
        return items

    def _find(self, index: int) -> tuple[int, int]:
        """Place of the chunk that holds the element, and the element's place in it."""
        starts = self._starts
        if starts is None:
            starts = self._starts = [0, *accumulate(chunk.length for chunk in self.chunks)][:-1]
        place = bisect_right(starts, index) - 1
        return place, index - starts[place]

    def _order_changed(self, place: int) -> None:
        """The chunk at the place, or its length, is another than the stored page says."""
        page = place // PAGE_CHUNKS
        if page < self.first_page:
            self.first_page = page

    def _append_chunks(self, items: list[Any], at: int | None = None) -> None:
        """Insert elements as chunks of their own before the place, or at the end."""
        place = len(self.chunks) if at is None else at
        made = []
        for start in range(0, len(items), CHUNK):
            part = items[start : start + CHUNK]
            chunk = Chunk(self.next, len(part), part, self.stamp)
            self.next += 1
            self.dirty[chunk.number] = chunk
            made.append(chunk)
        self.chunks[place:place] = made
        self.size += len(items)
        self._order_changed(place)
        self._starts = None

    def _drop(self, first: int, last: int) -> None:
        """Remove whole chunks."""
        for chunk in self.chunks[first:last]:
            self.size -= chunk.length
            self.dirty.pop(chunk.number, None)
            self.dropped.add(chunk.number)
        del self.chunks[first:last]
        self._order_changed(first)
        self._starts = None

    def _resized(self, place: int, chunk: Chunk, items: list[Any]) -> None:
        """The elements of a chunk became more or fewer: split it or drop it if need be."""
        self.size += len(items) - chunk.length
        chunk.length = len(items)
        self._order_changed(place)
        if not items:
            self._drop(place, place + 1)
        elif len(items) >= 2 * CHUNK:
            rest = items[CHUNK:]
            del items[CHUNK:]
            chunk.length = CHUNK
            self.size -= len(rest)
            self._append_chunks(rest, place + 1)
        elif place < len(self.chunks) - 1:
            self._starts = None

    # ------------------------------------------------------------------ reading

    def __len__(self) -> int:
        return self.size

    def _checked(self, index: int) -> int:
        if index < 0:
            index += self.size
        if not 0 <= index < self.size:
            raise IndexError("list index out of range")
        return index

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._slice(*index.indices(self.size))
        place, inner = self._find(self._checked(index))
        return self._read(self.chunks[place])[inner]

    def _slice(self, start: int, stop: int, step: int) -> list[Any]:
        if step != 1:
            return [self[index] for index in range(start, stop, step)]
        found: list[Any] = []
        while start < stop:
            place, inner = self._find(start)
            part = self._read(self.chunks[place])[inner : inner + stop - start]
            found.extend(part)
            start += len(part)
        return found

    def __iter__(self) -> ListIterator:
        return ListIterator(self)

    def __reversed__(self) -> Iterator[Any]:
        return (self[index] for index in range(self.size - 1, -1, -1))

    def copy(self) -> list[Any]:
        """The elements as a raw list."""
        return self._slice(0, self.size, 1)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (list, PieceList)) or len(other) != len(self):
            return False
        return all(left == right for left, right in zip(self, other, strict=True))

    def __add__(self, other: Iterable[Any]) -> list[Any]:
        return [*self, *other]

    def __mul__(self, count: int) -> list[Any]:
        return self.copy() * count

    def __repr__(self) -> str:
        return f"<{self.size} elements in pieces>"

    # ------------------------------------------------------------------ writing

    @overload
    def __setitem__(self, index: int, value: Any) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[Any]) -> None: ...
    def __setitem__(self, index: int | slice, value: Any) -> None:
        if isinstance(index, int):
            place, inner = self._find(self._checked(index))
            self._write(self.chunks[place])[inner] = value
            return
        start, stop, step = index.indices(self.size)
        if step != 1:
            values, places = list(value), range(start, stop, step)
            if len(values) != len(places):
                raise ValueError(f"{len(values)} elements for {len(places)} places")
            for at, element in zip(places, values, strict=True):
                self[at] = element
            return
        values = list(value)
        del self[start : max(start, stop)]
        self._insert_many(start, values)

    def __delitem__(self, index: int | slice) -> None:
        if isinstance(index, int):
            index = self._checked(index)
            index = slice(index, index + 1)
        start, stop, step = index.indices(self.size)
        if step != 1:
            for at in sorted(range(start, stop, step), reverse=True):
                del self[at]
            return
        while start < stop:
            place, inner = self._find(start)
            chunk = self.chunks[place]
            if inner == 0 and chunk.length <= stop - start:
                last = place + 1
                removed = chunk.length
                while last < len(self.chunks) and self.chunks[last].length <= stop - start - removed:
                    removed += self.chunks[last].length
                    last += 1
                self._drop(place, last)
            else:
                items = self._write(chunk)
                removed = min(stop - start, chunk.length - inner)
                del items[inner : inner + removed]
                self._resized(place, chunk, items)
            stop -= removed

    def insert(self, index: int, value: Any) -> None:
        """Insert before the index, as ``list.insert`` does."""
        if index < 0:
            index = max(0, index + self.size)
        if index >= self.size:
            self.append(value)
            return
        place, inner = self._find(index)
        chunk = self.chunks[place]
        items = self._write(chunk)
        items.insert(inner, value)
        self._resized(place, chunk, items)

    def append(self, value: Any) -> None:
        """Add an element at the end."""
        if not self.chunks or self.chunks[-1].length >= CHUNK:
            self._append_chunks([value])
            return
        chunk = self.chunks[-1]
        self._write(chunk).append(value)
        chunk.length += 1
        self.size += 1
        self._order_changed(len(self.chunks) - 1)

    def extend(self, values: Iterable[Any]) -> None:
        """Add elements at the end."""
        self._insert_many(self.size, list(values))

    def __iadd__(self, values: Iterable[Any]) -> PieceList:
        self.extend(values)
        return self

    def _insert_many(self, start: int, values: list[Any]) -> None:
        if not values:
            return
        if len(values) < CHUNK:
            for offset, value in enumerate(values):
                self.insert(start + offset, value)
            return
        if start >= self.size:
            self._append_chunks(values)
            return
        place, inner = self._find(start)
        if inner:
            chunk = self.chunks[place]
            items = self._write(chunk)
            rest = items[inner:]
            del items[inner:]
            self._resized(place, chunk, items)
            place += 1
            self._append_chunks(rest, place)
        self._append_chunks(values, place)

    def clear(self) -> None:
        """Remove all elements."""
        self._drop(0, len(self.chunks))

    def reverse(self) -> None:
        """Reverse the order of the elements."""
        self[:] = self.copy()[::-1]

    def sort(self, *, key: Callable[[Any], Any] | None = None, reverse: bool = False) -> None:
        """Sort as ``list.sort`` does."""
        self[:] = sorted(self, key=key, reverse=reverse)

    # ------------------------------------------------------------------ checkpoints, atomic, memory

    def freeze(self) -> ListChanges:
        """See the base."""
        self.frozen = taken = ListChanges(self)
        self.dirty = {}
        self.dropped = set()
        self.pages_stored = -(-len(self.chunks) // PAGE_CHUNKS)
        self.first_page = self.pages_stored
        self.stamp = object()
        return taken

    def begin_level(self) -> None:
        """See the base."""
        self.levels.append(ListLevel(self))
        self.stamp = object()

    def end_level(self, *, keep: bool, owned_by_outer: bool, moved: bool) -> None:
        """See the base."""
        self.stamp = object()
        if keep and owned_by_outer and moved:
            return
        level = self.levels.pop()
        if keep:
            if owned_by_outer:
                for number, before in level.items.items():
                    self.levels[-1].items.setdefault(number, before)
            return
        self.chunks[:] = level.chunks
        self.size, self.first_page = level.size, level.first_page
        self.dirty, self.dropped = level.dirty, level.dropped
        for chunk in self.chunks:
            earlier = level.items.get(chunk.number)
            if earlier is not None:
                chunk.items, chunk.length = earlier
        self._starts = None

    def trim(self) -> None:
        """See the base."""
        frozen = self.frozen.chunks if self.frozen is not None else {}
        if self.levels:
            return
        for chunk in self.chunks:
            if chunk.number not in self.dirty and chunk.number not in frozen:
                chunk.items = None

    def size_in_memory(self) -> int:
        """See the base."""
        held = sum(chunk.length for chunk in self.chunks if chunk.items is not None)
        return ELEMENT_BYTES * held + 120 * len(self.chunks)


class ListIterator:
    """Iterates by index, so that what is appended meanwhile is met; its place can be read as a list iterator's."""

    __slots__ = ("_index", "_list")

    def __init__(self, source: PieceList, index: int = 0) -> None:
        self._list: PieceList | None = source
        self._index = index

    def __iter__(self) -> ListIterator:
        return self

    def __next__(self) -> Any:
        source = self._list
        if source is None or self._index >= source.size:
            self._list = None
            raise StopIteration
        value = source[self._index]
        self._index += 1
        return value

    def __setstate__(self, index: int) -> None:
        self._index = index

    def __reduce__(self) -> tuple[Any, ...]:
        """As that of a list's iterator: ``iter``, its argument, the index."""
        if self._list is None:
            return iter, ((),)
        return iter, (self._list,), self._index
