"""Reading ahead: records next to one that was wanted, fetched along with it.

A look-up in the store takes about as long as seven steps of a scan, and programs that load one object often load its
neighbours: objects made together have ids in a row, entries of a Map lie together.

Ids and Ints have neighbours by number: keys that differ in the last nine bits are a *block*.  A block is scanned when
:data:`MISSES` of it were looked up (what that took is about what the scan takes: the rule of the ski rental, of
competitive analysis), or at the first of them while there is *credit*.  Credit is earned by what was read ahead and
then asked for, and a scan is paid for with it.  So a program that touches single objects of a large world reads
nothing else, and one that touches all of them soon has them read in order, whatever the order in which it asks.  A
block that is too large is read in parts, each behind the last: none of it is read twice for that.

Other keys have no blocks.  From one of them a scan goes on for some records, when there is credit for that; each
look-up earns a little.

What is read is decoded at once where that can be of use (``decode``, :mod:`holdfast.vm.prefetch`); so hits are counted
among what is left, and stand for as many more as there were records for each that was left.

Invariant: what is kept here is what the store holds.  Every write takes out the keys that it changes.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MISSES = 32
LATER = 8
"""So many more of objects: an entry is looked up before the object that it leads to, and when its block is read, there
are ghosts of all objects that it leads to.  Only of those can what is read be decoded."""
PIECE = ord("P")
MISS_CREDIT = 4
HIT_CREDIT = 7
DECODED = 3
"""What it costs to decode a record, in steps of a scan."""
CREDIT_MAX = 20_000
"""What has proved good once need not for long."""
BLOCK = 512
BETWEEN = 64
"""Keys of other lengths that may lie in a block."""
ROW = 256
"""Records that are read from a key on that has no block."""
FIRST_CHUNK = 2
"""Records read first by a scan, then twice as many each time: one may be large, which is not known before."""
SCAN_BYTES_MAX = 1 << 18
"""Where a scan ends, since records may be large: so that none takes longer than about a millisecond."""
STEP_BYTES = 256
"""Bytes that cost as much as a record."""
BYTES_MAX = 64 << 20
"""Bytes of records kept unless a world has a limit of its own; beyond it the oldest half goes."""
RECORD_BYTES = 200
"""What keeping a record costs besides its bytes."""
BLOCKS_MAX = 10_000
"""Blocks of which it is known how often they were missed."""

Decoder: TypeAlias = "Callable[[dict[bytes, bytes], bytes], dict[bytes, bytes]]"
"""Decodes records; gives those that were left, the one that is wanted among them."""


class ReadAhead:
    """Records that were read ahead, each given out once.

    ``items`` gives keys and records from one key up to another, in order.  It may end early, at damage or at the end
    of all: what it does not bring is looked up alone when it is wanted, which words what is wrong.
    """

    __slots__ = (
        "_credit",
        "_items",
        "_kept",
        "_left",
        "_look_up",
        "_misses",
        "_parts",
        "_price",
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
        items: Callable[[bytes, bytes], Iterator[tuple[bytes, bytes]]],
    ) -> None:
        self._look_up = look_up
        self._items = items
        self._records: dict[bytes, bytes] = {}
        self._kept = 0
        """Of them, those there were at the last look: what has gone since was given out."""
        self._size = 0
        """Their bytes, and those of what was given out since they were last counted."""
        self._credit = 0.0
        self._price = BLOCK * (1 + DECODED)
        """What the last scan has cost."""
        self._misses: dict[bytes, int] = {}
        """First key of a block to how many of it were looked up."""
        self._parts: dict[bytes, bytes] = {}
        """First key of a block that has been read in part to where the next part begins."""
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
        if hits:
            self._credit = min(self._credit + HIT_CREDIT * hits * self._scanned / self._left, CREDIT_MAX)
        if key[:1] == b"O" or (key[10:11] == b"i" and len(key) > 12):
            first = key[:-2] + bytes((key[-2] & 0xFE, 0))
            count = self._misses.get(first, 0) + 1
            self._misses[first] = count
            if count < (MISSES if key[0] == PIECE else MISSES + LATER) and self._credit < self._price:
                if len(self._misses) > BLOCKS_MAX:
                    self._misses.clear()
                return self._look_up(key)
            self._misses.pop(first, None)
            self._read(self._parts.pop(first, first), first[:-2] + bytes((first[-2] | 1, 0xFF, 0)), key, first)
        else:
            self._credit += MISS_CREDIT
            if self._credit < self._price:
                return self._look_up(key)
            prefix = key[:4] if key[:1] == b"O" else key[:10]
            self._read(key, prefix + b"\xff" * 256, key, None)
        found = self._records.pop(key, None)
        self._kept = len(self._records)
        return self._look_up(key) if found is None else found

    def _read(self, start: bytes, end: bytes, key: bytes, block: bytes | None) -> None:
        """Scan from one key up to another, for one that is wanted; of a block it is known whether it was all."""
        if self._size > self.bytes_max:
            self._make_room()
        count = BLOCK + BETWEEN if block is not None else ROW
        found: dict[bytes, bytes] = {}
        items = self._items(start, end)
        size, part = 0, FIRST_CHUNK
        while size < SCAN_BYTES_MAX and len(found) < count:
            chunk = dict(islice(items, min(part, count - len(found))))
            if not chunk:
                break
            found |= chunk
            size += sum(map(len, chunk.values()))
            part *= 2
        else:
            if block is not None:
                *_, last = found
                if len(self._parts) > BLOCKS_MAX:
                    self._parts.clear()
                self._parts[block] = last + b"\0"
        del items  # it keeps the store open, and what follows may be kept by an error
        left = self.decode(found, key)
        self._records.update(left)
        self._size += size + RECORD_BYTES * len(left)
        self._price = max(ROW, len(found) + size // STEP_BYTES + DECODED * (len(found) - len(left)))
        self._credit = max(0.0, self._credit - self._price)
        self._scanned, self._left = self._scanned // 2 + len(found), max(1, self._left // 2 + len(left))

    def _make_room(self) -> None:
        """Count anew, and forget the oldest half if there is much."""
        records = self._records
        if self._count() > self.bytes_max * 3 // 4:
            for key in list(records)[: len(records) // 2 + 1]:
                del records[key]
            self._count()
            self._credit = 0.0  # that was read in vain

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
        for known in (self._records, self._misses, self._parts):
            known.clear()
        self._kept = self._size = 0
