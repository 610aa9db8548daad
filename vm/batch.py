"""A batch: what one atomic write to the store puts and deletes."""

from __future__ import annotations

from typing import Any


class UpTo:
    """In a batch: all keys from the one given up to, but not including, ``end`` are deleted."""

    __slots__ = ("end",)

    def __init__(self, end: bytes) -> None:
        self.end = end


class Batch:
    """What one atomic write puts and deletes, in order; kept until the write is durable, to be written again.

    Made by :meth:`Store.batch`.  RocksDB's own batch is filled along with it, so that the write itself, which cannot
    be interrupted, is short; a write uses that one up.
    """

    __slots__ = ("keys", "put", "raw", "records")

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        self.keys: list[bytes] = []
        self.records: list[bytes | UpTo | None] = []
        """For each key its record, None for a deletion, or the end of a range of deletions.  Two lists rather than
        pairs: a million of these would keep the host's garbage collector busy."""
        raw_put, note_key, note_record = raw.put, self.keys.append, self.records.append

        def put(key: bytes, record: bytes) -> None:
            raw_put(key, record)
            note_key(key)
            note_record(record)

        self.put = put
        """Store the record under the key (not a method, since each of a million calls counts)."""

    def delete(self, key: bytes) -> None:
        """Delete the key."""
        self.raw.delete(key)
        self.keys.append(key)
        self.records.append(None)

    def delete_range(self, begin: bytes, end: bytes) -> None:
        """Delete all keys from ``begin`` up to but not including ``end``."""
        self.raw.delete_range(begin, end)
        self.keys.append(begin)
        self.records.append(UpTo(end))

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def has_range(self) -> bool:
        """Does it delete a range of keys?"""
        return UpTo in map(type, self.records)

    @property
    def bytes(self) -> int:
        """Size of what is to be written; 0 once it was."""
        return 0 if self.raw is None else int(self.raw.size_in_bytes())

    def repeat(self, other: Batch) -> None:
        """Add the changes of another batch."""
        for key, record in zip(other.keys, other.records, strict=True):
            if record is None:
                self.delete(key)
            elif type(record) is UpTo:
                self.delete_range(key, record.end)
            else:
                self.put(key, record)  # type: ignore[arg-type]  # mypy does not narrow by exact type
