"""Export and import: a world as text that people, diffs and other programs can read.

One JSON value a line (JSON Lines, UTF-8, keys sorted, no spaces), in this order::

    {"format":1,"holdfast":"world"}
    {"roots":{"root":1}}                                  names of the roots and the numbers of their objects
    {"meta":"NAME","bytes":"BASE64"}                      the machine's own records: sources, classes
    {"side":"BASE64","values":[...]}                      and those with values: threads, timers, mailboxes
    {"class":2,"id":1,"items":[[KEY,VALUE],...]}          a Map; List and Set have plain elements
    {"more":1,"items":[...]}                              what goes on a line of its own, ``LINE_ITEMS`` at a time
    {"class":300,"fields":[...],"id":2,"schema":0}        an instance; "owner" and "extra" where there are any
    {"class":5,"captured":[...],"function":["HASH",0,"MODULE"],"id":3}

Objects are numbered in the order in which they are reached from the roots and side records, breadth first, so equal
graphs give equal texts; garbage is left out.  Values: nil, booleans, texts and 64-bit integers are JSON's; a float is
JSON's if it is finite, and then always has a point or an exponent; everything else is an object of one entry:
``ref`` (a number), ``int`` (hexadecimal), ``float`` ("inf", "-inf", "nan"), ``bytes`` (BASE64), ``range`` (start,
stop, step), ``name`` (module, name), ``unset``, ``absent``.

An import makes a new world of it, with new ids, in one checkpoint; what is wrong with a line is said with its number.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from itertools import chain, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from holdfast.vm import ids
from holdfast.vm.codec import ABSENT, DamagedRecord, Named, Pieces, Reference, bare_codec, pairs, seal_record
from holdfast.vm.heap import COMMIT_KEY
from holdfast.vm.objects import UNSET
from holdfast.vm.piecelist import CHUNK, PAGE_CHUNKS
from holdfast.vm.pieces import PIECES_ABOVE, find_key_bytes
from holdfast.vm.store import FORMAT_KEY, Store, StoreError, WorldDamaged, WorldMissing, object_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from holdfast.vm.store import Batch, Snapshot

TEXT_FORMAT = 1
LINE_ITEMS = 1_000
LINE_BYTES_MAX = 1 << 30
BATCH_RECORDS = 2_000
WORD = 1 << 63


class BadText(StoreError):
    """A text that is no export of a world; says in which line and why."""


# --------------------------------------------------------------------------- export


class _Exporter:
    def __init__(self, view: Snapshot) -> None:
        self.view = view
        self.numbers: dict[int, int] = {}
        self.queue: list[int] = []
        self.codec = bare_codec()

    def number(self, oid: int) -> int:
        found = self.numbers.get(oid)
        if found is None:
            found = self.numbers[oid] = len(self.numbers) + 1
            self.queue.append(oid)
        return found

    def value(self, value: Any) -> Any:
        """A value as JSON has it."""
        kind = type(value)
        if value is None or kind in (bool, str):
            return value
        if kind is int:
            return value if -WORD <= value < WORD else {"int": hex(value)}
        if kind is float:
            return value if value - value == 0 else {"float": repr(value)}
        if kind is bytes:
            return {"bytes": b64encode(value).decode()}
        if kind is range:
            return {"range": [self.value(part) for part in (value.start, value.stop, value.step)]}
        if kind is Reference:
            return {"ref": self.number(value._i)}
        if kind is Named:
            return {"name": list(value.place)}
        if value is UNSET:
            return {"unset": True}
        if value is ABSENT:
            return {"absent": True}
        raise DamagedRecord(kind.__name__, "an array where a value of Hold must be")

    def lines(self) -> Iterator[dict[str, Any]]:
        record = self.view.get(COMMIT_KEY)
        if record is None:
            raise WorldDamaged("the world has no checkpoint to export")
        _, _, *flat = self.codec.unpack(COMMIT_KEY, record)
        yield {"holdfast": "world", "format": TEXT_FORMAT}
        yield {"roots": {name: self.number(ref._i) for name, ref in sorted(pairs(flat))}}
        for key, record in self.view.scan(b"M"):
            if key not in (COMMIT_KEY, FORMAT_KEY):
                yield {"meta": key[1:].decode(), "bytes": b64encode(_payload(key, record)).decode()}
        for key, record in self.view.scan(b"S"):
            values = self.codec.unpack(key, record)
            yield {"side": b64encode(key[1:]).decode(), "values": [self.value(value) for value in values]}
        place = 0
        while place < len(self.queue):
            yield from self.object(place + 1, self.queue[place])
            self.queue[place] = 0
            place += 1

    def object(self, number: int, oid: int) -> Iterator[dict[str, Any]]:
        key = object_key(oid)
        record = self.view.get(key)
        if record is None:
            raise DamagedRecord(ids.kid(oid), "there is none")
        class_number, schema, owner, extra, *fields = self.codec.unpack(key, record)
        line: dict[str, Any] = {"id": number, "class": class_number}
        if schema:
            line["schema"] = schema
        if owner is not None:
            line["owner"] = self.value(owner)
        if extra is not None:
            line["extra"] = [[name, self.value(value)] for name, value in pairs(extra)]
        if class_number == ids.FUNCTION:
            source, index, module, captured = fields
            line["function"] = [source.hex(), index, module]
            line["captured"] = [self.value(value) for value in captured]
        elif class_number <= ids.SET:
            items = self.items(class_number, oid, fields[0])
            line["items"] = list(islice(items, LINE_ITEMS))
            yield line
            while part := list(islice(items, LINE_ITEMS)):
                yield {"more": number, "items": part}
            return
        else:
            line["fields"] = [self.value(value) for value in fields]
        yield line

    def items(self, class_number: int, oid: int, contents: Any) -> Iterator[Any]:
        if type(contents) is list:
            source: Iterable[Any] = pairs(contents) if class_number == ids.MAP else contents
        elif class_number == ids.LIST:
            source = self.list_pieces(oid)
        else:
            entries = self.map_pieces(oid)
            source = entries if class_number == ids.MAP else (key for key, _ in entries)
        for item in source:
            if class_number == ids.MAP:
                yield [self.value(item[0]), self.value(item[1])]
            else:
                yield self.value(item)

    def list_pieces(self, oid: int) -> Iterator[Any]:
        prefix = b"P" + object_key(oid)[1:]
        for key, record in self.view.scan(prefix + b"d"):
            for number in self.codec.unpack(key, record)[::2]:
                place = prefix + b"c" + number.to_bytes(8, "big")
                yield from self.codec.unpack(place, self.view.get(place) or b"")[0]

    def map_pieces(self, oid: int) -> Iterator[tuple[Any, Any]]:
        prefix = b"P" + object_key(oid)[1:]
        for key, record in self.view.scan(prefix + b"q"):
            name = self.codec.unpack(key, record)[0]
            place = prefix + b"k" + _key_bytes(name)
            yield name, self.codec.unpack(place, self.view.get(place) or b"")[1]


def _payload(key: bytes, record: bytes) -> bytes:
    from holdfast.vm.codec import open_record

    return open_record(key, record)


def _key_bytes(key: Any) -> bytes:
    """As :func:`holdfast.vm.pieces.key_bytes`, for a key that was read without a heap."""
    if type(key) is Reference:
        return b"o" + key._i.to_bytes(8, "big")
    found = find_key_bytes(_NAMES, key)
    assert found is not None  # only objects without an id have none
    return found


class _Names:
    """What ``find_key_bytes`` asks of a heap."""

    class machine:  # noqa: N801
        @staticmethod
        def name_of(value: Any) -> tuple[str, str] | None:
            return value.place if type(value) is Named else None


_NAMES: Any = _Names()


def export_world(store: Store, target: IO[str], progress: Callable[[int], None] | None = None) -> int:
    """Write the last checkpoint of a world, which may be in use, as text; gives the number of lines.

    Raises DamagedRecord, and StoreError.
    """
    view = store.snapshot()
    count = 0
    try:
        for line in _Exporter(view).lines():
            target.write(json.dumps(line, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n")
            count += 1
            if progress is not None and count % LINE_ITEMS == 0:
                progress(count)
    finally:
        view.close()
    return count
