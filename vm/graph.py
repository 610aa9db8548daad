"""The objects of a snapshot of a world, and what refers to what: for a check and for a collection."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from holdfast.vm import ids
from holdfast.vm.codec import DamagedRecord, Named, Pieces, Reference, bare_codec, key_name
from holdfast.vm.definitions import class_loaders, loader_id, module_of_code
from holdfast.vm.heap import COMMIT_KEY, ROOT
from holdfast.vm.side import FRAMES, commit_parts
from holdfast.vm.store import WorldDamaged, object_key

if TYPE_CHECKING:
    from holdfast.vm.maintenance import Progress, Report
    from holdfast.vm.store import Snapshot

STEP = 500
"""Records between two yields."""


class Graph:
    """The objects of a snapshot as a graph: ids in order, one mark for each, and the references of a record."""

    def __init__(self, view: Snapshot) -> None:
        self.view = view
        self.oids = array("Q")
        self.marks = bytearray()
        self.refs: list[int] = []
        self.sources: set[str] = set()
        """Hashes of those that the functions come from which were marked, """
        self.codes: set[int] = set()
        """and numbers of the functions that have frames."""
        self.codec = bare_codec(self._refer, self._name)
        self.lost: list[int] = []
        """Domains that the last record needs, and that are not there."""
        self._loaders: dict[str, int] | None = None
        self.number = self.serial = 0
        self.roots: dict[str, int] = {}
        record = view.get(COMMIT_KEY)
        if record is None:  # killed before its first checkpoint: an empty world
            return
        try:
            self.number, self.serial, roots = commit_parts(self.codec, COMMIT_KEY, record)
        except DamagedRecord as error:
            raise WorldDamaged(f"{error}; restore a backup") from None
        self.roots = {name: ref._i for name, ref in roots.items() if isinstance(ref, Reference)}
        if self.roots.keys() != roots.keys():
            raise WorldDamaged("the commit record has a root that is no object; restore a backup")

    def _refer(self, oid: int) -> Reference:
        self.refs.append(oid)
        return Reference(oid)

    def _name(self, module: str, name: str) -> Named:
        if module == "c":  # a class
            if self._loaders is None:
                self._loaders = {}  # where one is damaged, that is said once
                self._loaders = class_loaders(self.view)
            self._loaded(self._loaders.get(name))
        return Named(module, name)

    def _loaded(self, domain: int | None) -> None:
        """Code that a restricted program has loaded cannot run without its domain, which its name tells."""
        if domain is None:
            return
        if self.place(domain) >= 0:
            self.refs.append(domain)
        else:  # worlds of earlier versions have lost some, and must be collected all the same
            self.lost.append(domain)

    def unpack(self, key: bytes, record: bytes) -> tuple[list[Any], list[int]]:
        """Values and references of a record."""
        refs: list[int] = []
        self.refs, self.lost = refs, []
        values = self.codec.unpack(key, record)
        if len(values) > 6 and values[0] == ids.FUNCTION and type(values[6]) is str:
            self._loaded(loader_id(values[6]))
        return values, refs

    def list_ids(self, progress: Progress) -> Iterator[None]:
        """Read which objects there are; ids above the high-water mark do not count."""
        for count, (key, _) in enumerate(self.view.scan(b"O")):
            if len(key) == 9:
                oid = int.from_bytes(key[1:], "big")
                if ids.serial_of(oid) <= self.serial:
                    self.oids.append(oid)
            if count % STEP == 0:
                progress("listing objects", count, 0)
                yield
        self.marks = bytearray(len(self.oids))

    def condemns(self, oid: int) -> bool:
        """Whether the object is about to be deleted."""
        place = self.place(oid)
        return place >= 0 and not self.marks[place]

    def lacks(self, oid: int) -> bool:
        """Whether there is no such object, or it is about to be deleted; an id that was given later may be one."""
        return ids.serial_of(oid) <= self.serial and (self.place(oid) < 0 or self.condemns(oid))

    def place(self, oid: int) -> int:
        """Index of an id, -1 if there is no such object."""
        place = bisect_left(self.oids, oid)
        return place if place < len(self.oids) and self.oids[place] == oid else -1

    def side_refs(self) -> Iterator[tuple[bytes, list[int]]]:
        """Key and references of each side record."""
        for key, record in self.view.scan(b"S"):
            values, refs = self.unpack(key, record)
            if key[1:2] == FRAMES and values and type(values[0]) is int:
                if values[0] not in self.codes:
                    self.codes.add(values[0])
                    self._loaded(loader_id(module_of_code(self.view, values[0])))
            yield key, refs

    def mark(self, grey: array[int], report: Report, progress: Progress) -> Iterator[None]:
        """Mark what the objects at the indices reach (they are marked already)."""
        steps = 0
        while grey:
            oid = self.oids[grey.pop()]
            for refs in self._edges(oid, report):
                for ref in refs:
                    place = self.place(ref)
                    if place < 0:
                        report.add(ids.kid(oid), f"it refers to {ids.kid(ref)}, which does not exist")
                    elif not self.marks[place]:
                        self.marks[place] = 1
                        grey.append(place)
                steps += 1
                if steps % STEP == 0:
                    progress("marking", steps, len(self.oids))
                    yield

    def _edges(self, oid: int, report: Report) -> Iterator[list[int]]:
        """References of an object and its pieces, a record at a time."""
        key = object_key(oid)
        try:
            record = self.view.get(key)
            values, refs = self.unpack(key, record or b"")
            if ids.class_of(oid) == ids.FUNCTION and len(values) > 4 and type(values[4]) is bytes:
                self.sources.add(values[4].hex())
            yield refs
            if any(type(value) is Pieces for value in values):
                for piece_key, piece in self.view.scan(b"P" + key[1:]):
                    yield self.unpack(piece_key, piece)[1]
        except DamagedRecord as error:
            report.add(error.name, error.reason)

    def start(self, report: Report) -> array[int]:
        """Mark the roots; gives their indices."""
        grey = array("Q")
        sources = [(f"the root {name!r}", [oid]) for name, oid in self.roots.items()]
        sources += [(key_name(key), refs) for key, refs in self.side_refs()]
        for name, refs in sources:
            for oid in refs:
                place = self.place(oid)
                if place < 0:
                    report.add(name, f"it refers to {ids.kid(oid)}, which does not exist")
                elif not self.marks[place]:
                    self.marks[place] = 1
                    grey.append(place)
        if ROOT not in self.roots and self.number:
            report.add("the commit record", "it names no root object")
        return grey
