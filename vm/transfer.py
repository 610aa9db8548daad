"""Export and import: a world as text that people, diffs and other programs can read.

One JSON value a line (JSON Lines, UTF-8, keys sorted, no spaces), in this order::

    {"format":2,"holdfast":"world"}
    {"roots":{"root":1}}                                  names of the roots and the numbers of their objects
    {"side":"BASE64","values":[...]}                      and those with values: threads, timers, mailboxes
    {"class":2,"id":1,"items":[[KEY,VALUE],...]}          a Map; List and Set have plain elements
    {"more":1,"items":[...]}                              what goes on a line of its own, ``LINE_ITEMS`` at a time
    {"class":300,"fields":[...],"id":2,"schema":0}        an instance; "owner" and "extra" where there are any
    {"class":5,"captured":[...],"function":["HASH",0,"MODULE"],"id":3}
    {"meta":"NAME","bytes":"BASE64"}                      the machine's own records: sources, classes, by name

Objects are numbered in the order in which they are reached from the roots and side records, breadth first, so equal
graphs give equal texts; garbage is left out, and so are writes to files of the host that wait.  Values: nil, booleans,
texts and 64-bit integers are JSON's; a float is JSON's if it is finite, and then always has a point or an exponent;
everything else is an object of one entry: ``ref`` (a number), ``int`` (hexadecimal), ``float`` ("inf", "-inf", "nan"),
``bytes`` (BASE64), ``range`` (start, stop, step), ``name`` (module, name), ``unset``, ``absent``.  A module that a
restricted program has loaded is ``K-NUMBER!NAME``, with the number of its domain in hexadecimal digits: code without
its domain comes to nothing, so that is reached from its functions and classes.

An import makes a new world of it, with new ids, in one checkpoint; what is wrong with a line is said with its number.
"""

from __future__ import annotations

import json
from base64 import b64encode
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from holdfast.vm import ids
from holdfast.vm.codec import (
    ABSENT,
    DamagedRecord,
    Named,
    Reference,
    bare_codec,
    key_name,
    open_record,
    pairs,
)
from holdfast.vm.definitions import class_loaders, json_object, loader_id
from holdfast.vm.file_outbox import RECORDS as WRITES
from holdfast.vm.heap import COMMIT_KEY
from holdfast.vm.objects import UNSET
from holdfast.vm.pieces import find_key_bytes
from holdfast.vm.side import CODE, FRAMES, THREADS, commit_parts
from holdfast.vm.stock import STOCK
from holdfast.vm.store import FORMAT_KEY, Store, WorldDamaged, object_key

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from holdfast.vm.store import Snapshot

TEXT_FORMAT = 2
FORMATS = (1, 2)
"""What can be read: in the first, modules that restricted programs have loaded were not numbered, and are refused."""
LINE_ITEMS = 1_000
WORD = 1 << 63
GONE = "K-0!"
"""Stands in a name for the domain that loaded a module, and that does not come along: there is no such object."""


STAYS = (WRITES, b"S" + THREADS, b"S" + FRAMES, b"S" + STOCK)
"""Side records that no copy has: changes of host files that are under way, and threads, which live in one world."""


class _Exporter:
    def __init__(self, view: Snapshot) -> None:
        self.view = view
        self.numbers: dict[int, int] = {}
        self.queue: list[int] = []
        self.codec = bare_codec()
        self.loaders = class_loaders(view)

    def module(self, name: str, ask: bool = True) -> str | None:
        """A module's name: where that tells the domain that loaded it, with the number that this has here.

        None for a domain that does not come along; if it is asked for, it does.
        """
        domain = loader_id(name)
        if domain is None:
            return name
        if self.view.get(object_key(domain)) is None or (not ask and domain not in self.numbers):
            return None
        return f"{ids.kid(self.number(domain))}!{name.partition('!')[2]}"

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
            module, name = value.place
            if module == "c" and name in self.loaders and self.view.get(object_key(self.loaders[name])) is not None:
                self.number(self.loaders[name])  # the class is of no use without the domain that loaded it
            return {"name": [module, name]}
        if value is UNSET:
            return {"unset": True}
        if value is ABSENT:
            return {"absent": True}
        raise DamagedRecord(kind.__name__, "an array where a value of Hold must be")

    def lines(self) -> Iterator[dict[str, Any]]:
        record = self.view.get(COMMIT_KEY)
        if record is None:
            raise WorldDamaged("the world has no checkpoint to export")
        yield {"holdfast": "world", "format": TEXT_FORMAT}
        yield from _shaped(COMMIT_KEY, self.roots(record))
        for key, record in self.view.scan(b"S"):
            if key.startswith(STAYS):
                continue  # a copy must not do what the world itself does
            values = self.codec.unpack(key, record)
            yield {"side": b64encode(key[1:]).decode(), "values": [self.value(value) for value in values]}
        place = 0
        while place < len(self.queue):
            oid = self.queue[place]
            yield from _shaped(object_key(oid), self.object(place + 1, oid))
            self.queue[place] = 0
            place += 1
        found = [
            self.meta(key[1:].decode(), open_record(key, record))
            for key, record in self.view.scan(b"M")
            if key not in (COMMIT_KEY, FORMAT_KEY) and not key.startswith(b"M" + CODE)
        ]
        for name, text in sorted(meta for meta in found if meta is not None):
            yield {"meta": name, "bytes": b64encode(text).decode()}

    def meta(self, name: str, text: bytes) -> tuple[str, bytes] | None:
        """Name and text of a record of the machine, when all is numbered that it may name; None for one of code whose
        domain does not come along."""
        kind, _, rest = name.partition(":")
        if kind in ("module", "names"):
            module = self.module(rest, ask=False)
            if module is None:
                return None
            name = f"{kind}:{module}"
        elif kind == "class" and rest in self.loaders:
            row = json_object(name, text.decode())
            row["module"] = self.module(row["module"], ask=False) or GONE + row["module"].partition("!")[2]
            text = json.dumps(row).encode()
        return name, text

    def roots(self, record: bytes) -> Iterator[dict[str, Any]]:
        """The line of the commit record."""
        _, _, roots = commit_parts(self.codec, COMMIT_KEY, record)
        yield {"roots": {name: self.number(ref._i) for name, ref in sorted(roots.items())}}

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
            line["function"] = [source.hex(), index, self.module(module) or GONE + module.partition("!")[2]]
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
            for name in self.codec.unpack(key, record):
                if name is not ABSENT:
                    place = prefix + b"k" + key_bytes_of(name)
                    yield name, self.codec.unpack(place, self.view.get(place) or b"")[1]


def _shaped(key: bytes, lines: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The lines of a record; one that has not the shape of its kind is damaged."""
    try:
        yield from lines
    except (AttributeError, IndexError, TypeError, ValueError):
        raise DamagedRecord(key_name(key), "it has not the shape of its kind") from None


def key_bytes_of(key: Any) -> bytes:
    """As :func:`holdfast.vm.pieces.key_bytes`, for a key that was read without a heap."""
    if type(key) is Reference:
        return b"o" + key._i.to_bytes(8, "big")
    found = find_key_bytes(_NAMES, key)
    assert found is not None  # only objects without an id have none
    return found


class _Names:
    """What ``find_key_bytes`` asks of a heap."""

    class machine:
        @staticmethod
        def name_of(value: Any) -> tuple[str, str] | None:
            return value.place if type(value) is Named else None


_NAMES: Any = _Names()


def export_lines(store: Store) -> Generator[str, None, None]:
    """The last checkpoint of a world, which may be in use, as lines of text.

    The snapshot is taken before the first line is given.  Raises DamagedRecord, and StoreError.
    """
    view = store.snapshot()
    try:
        for line in _Exporter(view).lines():
            yield json.dumps(line, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"
    finally:
        view.close()


def export_world(store: Store, target: IO[str], progress: Callable[[int], None] | None = None) -> int:
    """Write those lines; gives their number."""
    count = 0
    for line in export_lines(store):
        target.write(line)
        count += 1
        if progress is not None and count % LINE_ITEMS == 0:
            progress(count)
    return count
