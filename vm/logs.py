"""A look at RocksDB's logs before RocksDB reads them.

Its write-ahead logs and its manifest are files of blocks with records, each with a checksum, a length and a kind.  Of
the kinds some are for a log whose file is used again, and such a record is taken for a remnant, whatever its checksum
says: as the first of a log it ends the log, and everything that was acknowledged is dropped without a word; further
behind RocksDB looks for the next one without end, and holds the interpreter's lock meanwhile.  Holdfast's files are
never used again.  So a record of such a kind is damage, one changed bit away from a good one.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

BLOCK = 32_768
RECYCLED = frozenset((5, 6, 7, 8, 11))
"""Kinds of records of a file that is used again."""
PLAIN = b"\x01"
_HEADER = struct.Struct("<IHB")
"""Checksum, length, kind."""
_LOG = re.compile(r"[0-9]+\.log\Z|MANIFEST-[0-9]+\Z")


def damaged(folder: Path) -> Iterator[tuple[Path, int]]:
    """The logs in the folder that have such records, and the places of their kinds.  Raises OSError."""
    for path in sorted(folder.iterdir()):
        if _LOG.match(path.name):
            for at in recycled(path):
                yield path, at


def recycled(path: Path) -> Iterator[int]:
    """Where the kinds of those records stand that are of a file used again.

    What else may be wrong with the file is RocksDB's to find: it looks at the checksums.
    """
    start = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            at, last = 0, len(block) - _HEADER.size
            while at <= last:
                _, length, kind = _HEADER.unpack_from(block, at)
                if kind in RECYCLED:
                    yield start + at + _HEADER.size - 1
                if not kind and not length:
                    break  # room that was reserved and not written
                at += _HEADER.size + length
            start += len(block)


def spoil(path: Path, at: int) -> None:
    """Make a record of such a kind one whose checksum RocksDB looks at: it is right if only the kind was wrong."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(PLAIN)
