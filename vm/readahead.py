"""Reading ahead: records next to one that was wanted, fetched along with it.

A look-up in the store takes about as long as seven steps of a scan, and programs that load one object often load its
neighbours: objects made together have ids in a row, entries of a Map lie together.  How much to read ahead is
decided by what it has brought so far, with *credit* (the idea of competitive analysis: what is wasted stays a share
of what is spent).  Each look-up that finds nothing read ahead earns a few records, each that does earns more; once
there is enough for a scan, the next look-up is one, which is paid for by what it reads.  So a program that touches
single objects of a large world pays a fifth more, and one that touches all of them soon has them read in order,
whatever the order in which it asks.

What is read is decoded at once where that can be of use (``decode``, :mod:`holdfast.vm.prefetch`); so hits are counted
among what is left, and stand for as many more as there were records for each that was left.

A scan reads the whole *block* of keys that the wanted one is in (those that differ in the last nine bits), so that
scans of one region do not leave gaps between them, and nothing is read twice; and more, where blocks hold little.

Invariant: what is kept here is what the store holds.  Every write takes out the keys that it changes.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MISS_CREDIT = 4
HIT_CREDIT = 24
SCAN_MIN = 256
BLOCK = 512
BETWEEN = 8
"""Keys of other lengths that may lie in a block."""
FIRST_CHUNK = 2
"""Records read first by a scan, then twice as many each time: one may be large, which is not known before."""
SCAN_BYTES_MAX = 1 << 18
"""Where a scan ends, since records may be large: so that none takes longer than about a millisecond."""
BYTES_MAX = 64 << 20
"""Bytes of records kept unless a world has a limit of its own; beyond it the oldest half goes."""
RECORD_BYTES = 200
"""What keeping a record costs besides its bytes."""


Decoder: TypeAlias = "Callable[[dict[bytes, bytes], bytes], dict[bytes, bytes]]"
"""Decodes records; gives those that were left, the one that is wanted among them."""


class ReadAhead:
    """Records that were read ahead, each given out once.

    ``items`` gives keys and records from a key on, in order.  It may end early, at damage or at the end of all: what
    it does not bring is looked up alone when it is wanted, which words what is wrong.
    """

    __slots__ = (
        "_credit",
        "_items",
        "_kept",
        "_left",
        "_look_up",
        "_records",
        "_scanned",
        "_size",
        "bytes_max",
        "decode",
        "get",
    )

    def __init__(
        self,
        look_up: Callable[[bytes], bytes | None],
        items: Callable[[bytes], Iterator[tuple[bytes, bytes]]],
    ) -> None:
        self._look_up = look_up
        self._items = items
        self._records: dict[bytes, bytes] = {}
        self._kept = 0
        """Of them, those there were at the last look: what has gone since was given out."""
        self._size = 0
        """Their bytes, and those of what was given out since they were last counted."""
        self._credit = 0.0
        self._scanned = self._left = 1
        """Records that were scanned lately, and how many of them were left to be given out."""
        self.decode: Decoder = lambda records, wanted: records
        self.bytes_max = BYTES_MAX
        take, missed = self._records.pop, self._missed

        def get(key: bytes) -> bytes | None:
            """The record under the key of an object or piece, or None."""
            return take(key, None) or missed(key)  # no record is empty

        self.get = get

    def _missed(self, key: bytes) -> bytes | None:
        hits = self._kept - len(self._records)
        self._kept -= hits
        self._credit = credit = self._credit + MISS_CREDIT + HIT_CREDIT * hits * self._scanned / self._left
        if credit < SCAN_MIN:
            return self._look_up(key)
        if self._size > self.bytes_max:
            self._make_room()
        self._read(key)
        found = self._records.pop(key, None)
        self._kept = len(self._records)
        return self._look_up(key) if found is None else found

    def _read(self, key: bytes) -> None:
        """Scan the key's block, and what follows inside its class or collection until there are enough."""
        records = self._records
        prefix = key[:4] if key[:1] == b"O" else key[:10]
        first, end = _block(key, prefix)
        found: dict[bytes, bytes] = {}
        items = self._items(first)
        size, part = 0, FIRST_CHUNK
        while size < SCAN_BYTES_MAX and len(found) < BLOCK + BETWEEN:
            chunk = dict(islice(items, min(part, BLOCK - len(found) if len(found) < BLOCK else BETWEEN)))
            if not chunk:
                break
            *_, last = chunk
            if len(last) != len(key) and first != key and last < key:
                break  # Ints of other lengths lie between, and are too many
            inside = last.startswith(prefix)
            if not inside:
                chunk = {at: record for at, record in chunk.items() if at.startswith(prefix)}
            found |= chunk
            size += sum(map(len, chunk.values())) + RECORD_BYTES * len(chunk)
            if not inside or (last >= end and (last in records or len(found) >= SCAN_MIN)):
                break
            part *= 2
        del items  # it keeps the store open, and what follows may be kept by an error
        left = self.decode(found, key)
        records.update(left)
        self._size += size
        self._credit -= max(len(found), SCAN_MIN)
        self._scanned, self._left = self._scanned // 2 + len(found), max(1, self._left // 2 + len(left))

    def _make_room(self) -> None:
        """Count anew, and forget the oldest half if there is much.  What was read in vain is a debt, which must be
        earned before the next scan."""
        records = self._records
        if self._count() > self.bytes_max * 3 // 4:
            for key in list(records)[: len(records) // 2 + 1]:
                del records[key]
                self._credit -= 1
            self._count()

    def _count(self) -> int:
        self._size = sum(map(len, self._records.values())) + RECORD_BYTES * len(self._records)
        return self._size

    def written(self, keys: Iterable[bytes]) -> None:
        """These keys are written now."""
        records = self._records
        if records:
            for key in keys:
                if key in records:
                    del records[key]
                    self._kept -= 1

    def clear(self) -> None:
        """Forget everything."""
        self._records.clear()
        self._kept = self._size = 0


def _block(key: bytes, prefix: bytes) -> tuple[bytes, bytes]:
    """The first and last key of the block of ids or Ints that a key is in; other keys have no neighbours by number, and
    a block from each on."""
    if key[:1] != b"O" and key[10:11] != b"i":
        return key, key
    start = int.from_bytes(key[-2:], "big") // BLOCK * BLOCK
    first = max(key[:-2] + start.to_bytes(2, "big"), prefix)
    return first, key[:-2] + (start + BLOCK - 1).to_bytes(2, "big")
