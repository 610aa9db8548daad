"""A large Map or Set in pieces: one record for each entry, and the order of the keys in pages.

Keys and formats are as :mod:`holdfast.vm.pieces` says.  The header in the collection's own record is ``[count, next
sequence number]``.  A change of an entry writes one record; a new entry one more, with the keys that were new in the
same checkpoint; a deletion writes one page of keys again.
"""

from __future__ import annotations

from collections.abc import ItemsView, KeysView, ValuesView
from typing import TYPE_CHECKING, Any

from holdfast.vm import ids
from holdfast.vm.codec import ABSENT, FORGED_TYPES, DamagedRecord, check_values, key_name
from holdfast.vm.mapchanges import GONE, Entry, MapChanges, MapLevel
from holdfast.vm.objects import MapBase
from holdfast.vm.pieces import (
    SMALL,
    PieceBase,
    find_key_bytes,
    pack_number,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from holdfast.vm.heap import Heap

CHUNK_SCAN = 512
"""Entries read from the store at a time by an iteration."""
ENTRY_BYTES = 250
"""Estimate of what one cached entry keeps in memory."""
ADOPTED_MAX = 1 << 17
"""Entries of a Map that are copied to an exact dict when the last one has been read: 5 ms for so many."""

_cached, _cache = dict.__len__, dict.__setitem__


class PieceMap(PieceBase, dict[Any, Any]):
    """The contents of a large Map or Set (there with nil for values).  Iteration is in order of insertion.

    The cache is this dict itself, which is asked first, and fetches what it lacks.  Of a Map of which all entries are
    in memory it is an exact dict, :attr:`all`, from which programs read (slot ``e`` of the Map): nothing is missing in
    it, and this one is empty.
    """

    __slots__ = ("all", "changes", "count", "frozen", "heap", "int_prefix", "levels", "next", "oid", "prefix")
    __hash__ = None

    def __init__(self, heap: Heap, oid: int, count: int = 0, following: int = 0) -> None:
        super().__init__()
        self.heap = heap
        self.oid = oid
        self.all: dict[Any, Any] | None = None
        """All entries, in any order; None while some are not in memory."""
        self.prefix = b"P" + pack_number(oid)
        self.int_prefix = self.prefix + b"ki"
        self.count = count
        self.next = following
        self.changes = MapChanges(following)
        self.frozen: MapChanges | None = None
        self.levels: list[MapLevel] = []

    @classmethod
    def from_header(cls, heap: Heap, oid: int, header: list[Any]) -> PieceMap:
        """The container that a collection's record tells of; reads nothing."""
        if [type(part) for part in header] != [int, int] or not 0 <= header[0] <= header[1]:
            raise DamagedRecord(ids.kid(oid), "a header of pieces that cannot be")
        return cls(heap, oid, *header)

    @classmethod
    def from_raw(cls, heap: Heap, oid: int, raw: dict[Any, Any]) -> PieceMap:
        """Take over a raw dict, which nobody else holds, in no time; its entries are read from it until written."""
        made = cls(heap, oid, len(raw))
        made.changes.bulk = raw
        made.next = len(raw)
        return made

    # ------------------------------------------------------------------ reading

    @property
    def whole(self) -> bool:
        """True when all entries are cached: what is not in the cache is nowhere."""
        return self.all is not None or _cached(self) == self.count

    @property
    def settled(self) -> bool:
        """Does the store have all entries but those that the changes name?"""
        return self.frozen is None and not self.changes.complete

    def is_cached(self, key: Any) -> bool:
        """Is the key's entry in memory?"""
        return dict.__contains__(self, key) if self.all is None else key in self.all

    def keep(self, key: Any, value: Any) -> None:
        """Cache an entry."""
        if self.all is None:
            _cache(self, key, value)
        else:
            self.all[key] = value

    def drop(self, key: Any) -> None:
        """Forget what is cached of a key that is no longer there."""
        if self.all is None:
            dict.pop(self, key, None)
        else:
            self.all.pop(key, None)

    def adopt(self, entries: dict[Any, Any] | None = None) -> None:
        """All entries are in memory: these, which nobody else holds, or the cached ones."""
        obj = self._map()
        if obj is not None:
            if entries is None:
                entries = dict(dict.items(self))
            self.all = obj.e = entries
            dict.clear(self)

    def consider(self) -> None:
        """Entries have been read: perhaps that is all now."""
        if self.all is None and _cached(self) == self.count <= ADOPTED_MAX:
            self.adopt()

    def _forget(self) -> None:
        """Let go of what is cached."""
        obj = self._map()
        if obj is not None:
            obj.e = self
        self.all = None
        dict.clear(self)

    def _map(self) -> Any:
        """The Map whose contents these are, if it is in memory; None for a Set."""
        obj = self.heap.loaded(self.oid)
        return obj if isinstance(obj, MapBase) and type(obj) is obj._live and obj.v is self else None

    def _older(self, key: Any) -> Sequence[Any] | None:
        """Sequence number and value of a key that the current changes say nothing of."""
        if self.changes.complete:
            return None
        frozen = self.frozen
        if frozen is not None:
            entry = frozen.find(key)
            if entry is not None:
                return None if entry[0] == GONE else entry[:2]
            if frozen.complete:
                return None
        heap = self.heap
        if type(key) is int and -SMALL < key < SMALL:  # as find_key_bytes does
            place = self.int_prefix + key.to_bytes(key.bit_length() // 8 + 1, "big", signed=True)
        else:
            data = find_key_bytes(heap, key)
            if data is None:
                return None
            place = self.prefix + b"k" + data
        record = heap.store.read(place)
        if record is None:
            return None
        values = heap.codec.open_entry(place, record)
        if len(values) != 2 or type(values[0]) is not int:
            raise DamagedRecord(key_name(place), "it is not that of an entry")
        if type(values[1]) in FORGED_TYPES:
            check_values(place, values)
        return values

    def __missing__(self, key: Any) -> Any:
        """A key that is not cached."""
        if self.all is not None:
            return self.all[key]
        changes = self.changes
        entry: Any = changes.find(key) if changes.entries or changes.bulk is not None else None
        if entry is None and _cached(self) != self.count:  # not whole
            entry = self._older(key)
        if entry is None or entry[0] == GONE:
            raise KeyError(key)
        _cache(self, key, entry[1])
        self.heap.memory_used += ENTRY_BYTES
        if _cached(self) == self.count:
            self.consider()
        return entry[1]

    def __contains__(self, key: object) -> bool:
        if self.is_cached(key):
            return True
        try:
            self.__missing__(key)
        except KeyError:
            return False
        return True

    def get(self, key: Any, default: Any = None) -> Any:
        """As a dict's."""
        try:
            return self[key]
        except KeyError:
            return default

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Any]:
        last = -1
        while chunk := self._stored_after(last):
            for last, key in chunk:
                if self._is_current(last, key):
                    yield key
        while newer := self._new_after(last):
            for last, key in newer:
                if self._is_current(last, key):
                    yield key

    def _stored_after(self, last: int) -> list[tuple[int, Any]]:
        frozen = self.frozen
        if self.changes.complete or (frozen is not None and frozen.complete):
            return []
        found: list[tuple[int, Any]] = []
        letter = self.prefix + b"q"
        for place, record in self.heap.store.scan(letter, letter + pack_number(last + 1)):
            values = self.heap.codec.unpack(place, record)
            check_values(place, values)
            start = int.from_bytes(place[len(letter) :], "big")
            found.extend(pair for pair in enumerate(values, start) if pair[1] is not ABSENT)
            if len(found) >= CHUNK_SCAN:
                break
        return found

    def _new_after(self, last: int) -> list[tuple[int, Any]]:
        """Entries of both changes that are new in them; an entry of the frozen ones may be in the store meanwhile."""
        older = self.frozen.new_after(last) if self.frozen is not None and not self.changes.complete else []
        return older + self.changes.new_after(last)

    def _is_current(self, sequence: int, key: Any) -> bool:
        """Whether an entry that was met in an older layer is still what the key stands for."""
        for layer in (self.changes, self.frozen):
            if layer is None:
                continue
            entry = layer.entries.get(key)
            if entry is not None:
                return entry[0] == sequence
            if layer.cleared and sequence < layer.base:
                return False
        return True

    def keys(self) -> KeysView[Any]:  # type: ignore[override]
        """As a dict's; in order of insertion."""
        return KeysView(self)

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        """As a dict's; in order of insertion."""
        return ValuesView(self)

    def items(self) -> ItemsView[Any, Any]:  # type: ignore[override]
        """As a dict's; in order of insertion."""
        return ItemsView(self)

    def copy(self) -> dict[Any, Any]:
        """As a dict's; in order of insertion."""
        return dict(self.items())

    def __reversed__(self) -> Iterator[Any]:
        return iter(list(self)[::-1])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, dict) or len(other) != len(self):
            return False
        return all(key in other and other[key] == value for key, value in self.items())

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __repr__(self) -> str:
        return f"<{self.count} entries in pieces>"

    # ------------------------------------------------------------------ writing

    def _log(self, key: Any, entry: Entry | None) -> None:
        if self.levels:
            level = self.levels[-1]
            if level.whole is None and key not in level.entries:
                if entry is not None:
                    key = self.changes.fresh.get(entry[0], key)  # as the Map has it: 1, where this is 1.0 or true
                level.entries[key] = entry
                if self.all is not None:
                    level.older[key] = self.all.get(key, ABSENT)

    def _number(self, key: Any) -> int:
        """The sequence number of a new entry."""
        sequence = self.next
        self.next = sequence + 1
        self.count += 1
        self.changes.fresh[sequence] = key
        return sequence

    def __setitem__(self, key: Any, value: Any) -> None:
        changes = self.changes
        entry = changes.find(key)
        if self.levels:
            self._log(key, entry)
        if entry is None:
            self.heap.piece_changes += 1
            # A key that is new to a Map that is cached as a whole, as one that grows is, needs no look into the store.
            older = None if self.whole and not self.is_cached(key) else self._older(key)
            entry = (self._number(key) if older is None else older[0], value, GONE)
        elif entry[0] == GONE:
            entry = (self._number(key), value, entry[2])
        else:
            entry = (entry[0], value, entry[2])
        changes.entries[key] = entry
        self.keep(key, value)

    def __delitem__(self, key: Any) -> None:
        changes = self.changes
        entry = changes.find(key)
        older = self._older(key) if entry is None else None
        if (entry is None and older is None) or (entry is not None and entry[0] == GONE):
            raise KeyError(key)
        self._log(key, entry)
        self.heap.piece_changes += 1
        if entry is None:
            assert older is not None  # tested above
            changes.entries[key] = (GONE, None, older[0])
        elif changes.fresh.pop(entry[0], None) is None and entry[0] < changes.base:
            changes.entries[key] = (GONE, None, entry[0])
        elif entry[2] != GONE:
            changes.entries[key] = (GONE, None, entry[2])
        else:
            del changes.entries[key]
        self.count -= 1
        self.drop(key)

    def clear(self) -> None:
        """Delete everything; what is on disk goes with the next checkpoint."""
        if self.levels and self.levels[-1].whole is None:
            self.levels[-1].whole = self.changes
        self.changes = MapChanges(self.next, cleared=True)
        self.count = 0
        self._forget()

    def pop(self, key: Any, *default: Any) -> Any:
        """As a dict's."""
        try:
            value = self[key]
        except KeyError:
            if default:
                return default[0]
            raise
        del self[key]
        return value

    def popitem(self) -> tuple[Any, Any]:
        """As a dict's; reads all keys."""
        if not self.count:
            raise KeyError("the collection is empty")
        key = list(self)[-1]
        return key, self.pop(key)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """As a dict's."""
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, other: Any = (), /, **more: Any) -> None:
        """As a dict's."""
        for key, value in other.items() if hasattr(other, "items") else other:
            self[key] = value
        for key, value in more.items():
            self[key] = value

    def __ior__(self, other: Any) -> PieceMap:
        self.update(other)
        return self

    def __or__(self, other: Any) -> dict[Any, Any]:
        return self.copy() | dict(other.items())

    # ------------------------------------------------------------------ checkpoints, atomic, memory

    def freeze(self) -> MapChanges:
        """See the base."""
        taken = self.changes
        taken.count, taken.next = self.count, self.next
        taken.container = self
        self.frozen = taken
        self.changes = MapChanges(self.next)
        return taken

    def keep_cached(self, key: Any, value: Any) -> None:
        """Cache an entry of the frozen changes, if nothing newer is known of it."""
        if key not in self.changes.entries and not self.changes.cleared and not self.is_cached(key):
            self.keep(key, value)

    def begin_level(self) -> None:
        """See the base."""
        self.levels.append(MapLevel(self.count))

    def end_level(self, *, keep: bool, owned_by_outer: bool, moved: bool) -> None:
        """See the base."""
        if keep and owned_by_outer and moved:
            return
        level = self.levels.pop()
        if not keep:
            self._undo(level)
        elif owned_by_outer and self.levels[-1].whole is None:
            outer = self.levels[-1]
            for key, entry in level.entries.items():
                if key not in outer.entries:
                    outer.entries[key] = entry
                    if key in level.older:
                        outer.older[key] = level.older[key]
            outer.whole = level.whole

    def _undo(self, level: MapLevel) -> None:
        self.count = level.count
        if level.whole is not None:
            self.changes = level.whole
            self._forget()
        changes = self.changes
        for key, entry in level.entries.items():
            written = changes.entries.pop(key, None)
            if written is not None:
                changes.fresh.pop(written[0], None)
            dict.pop(self, key, None)
            if entry is not None:
                changes.entries[key] = entry
                if entry[0] >= changes.base:
                    changes.fresh[entry[0]] = key
        if self.all is not None:
            self._take_back(level)

    def _take_back(self, level: MapLevel) -> None:
        """What was changed in a level is cached again as it was before."""
        for key in level.entries:
            if key not in level.older:  # they were not all in memory then: who asks looks it up
                self._forget()
                return
            value = level.older[key]
            if value is ABSENT:
                self.drop(key)
            else:
                self.keep(key, value)

    def trim(self) -> None:
        """See the base."""
        self._forget()

    def size_in_memory(self) -> int:
        """See the base."""
        cached = _cached(self) if self.all is None else len(self.all)
        return ENTRY_BYTES * (cached + len(self.changes.entries))
