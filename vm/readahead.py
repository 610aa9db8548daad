"""Reading ahead: records next to one that was wanted, fetched along with it.

A look-up in the store takes about as long as seven steps of a scan, and programs that load one object often load its
neighbours: objects made together have ids in a row, entries of a Map lie together.  How much to read ahead is
decided by what it has brought so far, with *credit* (the idea of competitive analysis: what is wasted stays a share
of what is spent).  Each look-up that finds nothing read ahead earns a few records, each that does earns more; once
there is enough for a scan, the next look-up is one.  So a program that touches single objects of a large world pays a
fifth more, and one that touches all of them soon has them read in order, whatever the order in which it asks.

Invariant: what is kept here is what the store holds.  Every write takes out the keys that it changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MISS_CREDIT = 4
HIT_CREDIT = 8
SCAN_MIN = 256
SCAN_MAX = 1024
SCAN_BYTES_MAX = 1 << 18
"""Where a scan ends, since records may be large: so that none takes longer than about a millisecond."""
BYTES_MAX = 64 << 20
"""Bytes of records kept unless a world has a limit of its own; beyond it the oldest half goes."""
RECORD_BYTES = 200
"""What keeping a record costs besides its bytes."""


class ReadAhead:
    """Records that were read ahead, each given out once."""

    __slots__ = ("_credit", "_look_up", "_records", "_scan", "_size", "bytes_max")

    def __init__(
        self,
        look_up: Callable[[bytes], bytes | None],
        scan: Callable[[bytes, bytes], Iterable[tuple[bytes, bytes]]],
    ) -> None:
        self._look_up = look_up
        self._scan = scan
        """(prefix, first key) to keys and records in order."""
        self._records: dict[bytes, bytes] = {}
        self._size = 0
        self._credit = 0
        self.bytes_max = BYTES_MAX

    def get(self, key: bytes) -> bytes | None:
        """The record under the key of an object or piece, or None."""
        record = self._records.pop(key, None)
        if record is not None:
            self._credit += HIT_CREDIT
            self._size -= len(record) + RECORD_BYTES
            return record
        self._credit = credit = self._credit + MISS_CREDIT
        if credit < SCAN_MIN:
            return self._look_up(key)
        return self._read(key, min(credit, SCAN_MAX))

    def _read(self, key: bytes, count: int) -> bytes | None:
        """Scan from the key on, inside its class or collection."""
        self._credit = 0
        records = self._records
        if self._size > self.bytes_max:
            self._forget_half()
        prefix = key[:4] if key[:1] == b"O" else key[:10]
        found: bytes | None = None
        size = 0
        for at, record in self._scan(prefix, key):
            if at == key:
                found = record
                continue
            if at in records or count <= 0 or size > SCAN_BYTES_MAX:
                break  # what follows was read ahead before, or would be too much
            records[at] = record
            size += len(record) + RECORD_BYTES
            count -= 1
        self._size += size
        return found

    def _forget_half(self) -> None:
        """Make room.  What was read in vain is a debt, which must be earned before the next scan."""
        for key in list(self._records)[: len(self._records) // 2 + 1]:
            self._size -= len(self._records.pop(key)) + RECORD_BYTES
            self._credit -= 1

    def written(self, keys: Iterable[bytes]) -> None:
        """These keys are written now."""
        if self._records:
            for key in keys:
                record = self._records.pop(key, None)
                if record is not None:
                    self._size -= len(record) + RECORD_BYTES

    def clear(self) -> None:
        """Forget everything."""
        self._records.clear()
        self._size = 0
