"""Stock: what the objects of each domain take in the store, counted as they are written and deleted.

For each domain that owns something, one side record::

    SQ DOMAIN   [objects, bytes]

``DOMAIN`` are the 8 bytes of the domain's id; ``bytes`` are those of records and pieces.  The counts are exact: they
change in the batch that commits the records, so that no crash parts them (``world check`` compares), and what is
overwritten is looked at for whom it belonged to and how long it was.  Garbage counts until it is collected.

Objects of the domain of the whole world, which have no owner, cost nothing here.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from holdfast.vm import ids
from holdfast.vm.codec import DamagedRecord, Pieces, bare_codec, owner_in
from holdfast.vm.pieces import Sink
from holdfast.vm.store import object_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.vm.batch import Batch
    from holdfast.vm.codec import Codec
    from holdfast.vm.domains import Domain
    from holdfast.vm.store import Snapshot, Store

STOCK = b"Q"
"""How the names of these side records begin."""
STEP = 500
"""Records between two yields of :func:`recount`."""
_key = struct.Struct(">1sQ").pack
Counts = dict[int, list[int]]
"""By the id of a domain: objects and bytes."""


def add(counts: Counts, owner: int, objects: int, size: int) -> None:
    """Add to what a domain has."""
    entry = counts.get(owner)
    if entry is None:
        counts[owner] = [objects, size]
    else:
        entry[0] += objects
        entry[1] += size


class Stock:
    """The counts of one world."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.counts: Counts = {}
        """As of the last checkpoint that is written."""
        self.open: Counts = {}
        """What the checkpoint that is being written adds."""

    def read(self, codec: Codec) -> None:
        """Read all counts; called when the store is opened."""
        self.counts = {owner: [objects, size] for owner, objects, size in stored(self.store, codec)}

    def of(self, owner: int) -> tuple[int, int]:
        """Objects and bytes of a domain, with what is being written."""
        objects, size = self.counts.get(owner, (0, 0))
        more, longer = self.open.get(owner, (0, 0))
        return objects + more, size + longer

    def owners(self) -> set[int]:
        """Ids of the domains that have something."""
        return self.counts.keys() | self.open.keys()

    # ------------------------------------------------------------------ what a checkpoint writes

    def put(self, owner: Domain, key: bytes, record: bytes, known: bool) -> None:
        """An object's record is about to be put; ``known``: the store may have an older one, perhaps without an
        owner.  What has one never loses it."""
        old = self.store.get(key) if known else None
        if old is not None:
            former = owner_in(old)
            if former:
                add(self.open, former, -1, -len(old))
        add(self.open, owner._i, 1, len(record))

    def metered(self, owner: Domain, sink: Sink, known: bool) -> Sink:
        """A sink for the pieces of a collection; ``known``: the store may have older ones."""
        return Metered(self, owner, sink, known)

    def records(self, codec: Codec) -> Iterator[tuple[bytes, bytes | None]]:
        """Keys and records of what the open checkpoint changes; None for one that goes."""
        for owner in self.open:
            yield self._record(codec, owner, self.of(owner))

    def settle(self) -> None:
        """The checkpoint is written."""
        opened, self.open = self.open, {}
        self.take(opened)

    # ------------------------------------------------------------------ what a collection deletes

    def measured(self, view: Snapshot, key: bytes) -> tuple[int, int]:
        """Whose a record and its pieces are, and how long; 0 for nobody's."""
        record = view.get(key)
        owner = owner_in(record) if record is not None else 0
        if not owner or record is None:
            return 0, 0
        pieces = view.scan(b"P" + key[1:]) if ids.class_of(int.from_bytes(key[1:9], "big")) <= ids.SET else ()
        return owner, len(record) + sum(len(piece) for _, piece in pieces)

    def without(self, codec: Codec, gone: Counts) -> Iterator[tuple[bytes, bytes | None]]:
        """Keys and records as they are when so much is deleted; an open checkpoint writes its own later."""
        for owner, (objects, size) in gone.items():
            have = self.counts.get(owner, (0, 0))
            yield self._record(codec, owner, (have[0] - objects, have[1] - size))

    def deleted(self, gone: Counts) -> None:
        """It is deleted."""
        self.take({owner: [-objects, -size] for owner, (objects, size) in gone.items()})

    # ------------------------------------------------------------------ both

    def take(self, changes: Counts) -> None:
        """Take changes that are in the store."""
        for owner, (objects, size) in changes.items():
            add(self.counts, owner, objects, size)
            if self.counts[owner] == [0, 0]:
                del self.counts[owner]

    @staticmethod
    def _record(codec: Codec, owner: int, count: tuple[int, int]) -> tuple[bytes, bytes | None]:
        key = b"S" + _key(STOCK, owner)
        return key, codec.record(key, list(count)) if count != (0, 0) else None


class Metered(Sink):
    """Counts the pieces that go through it, which are those of one collection."""

    __slots__ = ("known", "owner", "sink", "stock")

    def __init__(self, stock: Stock, owner: Domain, sink: Sink, known: bool) -> None:
        self.stock = stock
        self.owner = owner
        self.sink = sink
        self.known = known

    @property
    def batch(self) -> Batch:  # type: ignore[override]  # the other sink's batch may be changed for a new one
        """Itself, as far as pieces need a batch."""
        return self  # type: ignore[return-value]

    def put(self, key: bytes, record: bytes) -> None:
        """Put a piece."""
        self._count(len(record) - self._length(key))
        self.sink.batch.put(key, record)

    def delete(self, key: bytes) -> None:
        """Delete a piece."""
        self._count(-self._length(key))
        self.sink.batch.delete(key)

    def delete_range(self, begin: bytes, end: bytes) -> None:
        """Delete all pieces; then there are no older ones."""
        if self.known:
            self._count(-sum(len(record) for _, record in self.stock.store.scan(begin[:9], begin)))
            self.known = False
        self.sink.batch.delete_range(begin, end)

    def _length(self, key: bytes) -> int:
        record = self.stock.store.get(key) if self.known else None
        return len(record) if record is not None else 0

    def _count(self, change: int) -> None:
        add(self.stock.open, self.owner._i, 0, change)


# --------------------------------------------------------------------------- check


def stored(source: Store | Snapshot, codec: Codec) -> Iterator[tuple[int, int, int]]:
    """Domain, objects and bytes of each side record.

    Raises DamagedRecord.
    """
    for key, record in source.scan(b"S" + STOCK):
        values = codec.unpack(key, record)
        if len(key) != 10 or len(values) != 2 or any(type(part) is not int for part in values):
            raise DamagedRecord("the count of a domain's objects", "it is not that of a count")
        yield int.from_bytes(key[2:], "big"), values[0], values[1]


def recount(view: Snapshot, serial: int, counts: Counts) -> Iterator[None]:
    """Count again what there is, up to a serial number, into ``counts``; yields now and then."""
    codec = bare_codec()
    split: dict[int, int] = {}
    for count, (key, record) in enumerate(view.scan(b"O")):
        oid = int.from_bytes(key[1:9], "big")
        owner = owner_in(record)
        if owner and ids.serial_of(oid) <= serial:
            add(counts, owner, 1, len(record))
            if ids.class_of(oid) <= ids.SET and type(codec.unpack(key, record)[-1]) is Pieces:
                split[oid] = owner
        if count % STEP == 0:
            yield
    for oid, owner in split.items():
        for _, record in view.scan(b"P" + object_key(oid)[1:]):
            add(counts, owner, 0, len(record))
        yield


def write_again(store: Store, serial: int) -> None:
    """Write the counts of a world whose records were written by something else than checkpoints."""
    counts: Counts = {}
    view = store.snapshot()
    try:
        for _ in recount(view, serial, counts):
            pass
    finally:
        view.close()
    batch = store.batch()
    codec = bare_codec()
    for owner, (objects, size) in counts.items():
        key = b"S" + _key(STOCK, owner)
        batch.put(key, codec.record(key, [objects, size]))
    if batch:
        store.write(batch)
