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
graphs give equal texts; garbage is left out, and so are writes to files of the host that wait.  Values: nil, booleans,
texts and 64-bit integers are JSON's; a float is JSON's if it is finite, and then always has a point or an exponent;
everything else is an object of one entry: ``ref`` (a number), ``int`` (hexadecimal), ``float`` ("inf", "-inf", "nan"),
``bytes`` (BASE64), ``range`` (start, stop, step), ``name`` (module, name), ``unset``, ``absent``.

An import makes a new world of it, with new ids, in one checkpoint; what is wrong with a line is said with its number.
"""

from __future__ import annotations

import json
import re
import shutil
from base64 import b64decode, b64encode
from itertools import chain, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from holdfast.vm import ids
from holdfast.vm.codec import (
    ABSENT,
    DamagedRecord,
    Named,
    Pieces,
    Reference,
    UnstorableValue,
    bare_codec,
    key_name,
    open_record,
    pairs,
    seal_record,
)
from holdfast.vm.file_outbox import RECORDS as WRITES
from holdfast.vm.heap import COMMIT_KEY
from holdfast.vm.mapchanges import PAGE_KEYS
from holdfast.vm.objects import UNSET
from holdfast.vm.piecelist import CHUNK, PAGE_CHUNKS
from holdfast.vm.pieces import PIECES_ABOVE, find_key_bytes
from holdfast.vm.side import CODE, FRAMES, THREADS, commit_parts
from holdfast.vm.stock import STOCK, write_again
from holdfast.vm.store import FORMAT_KEY, Store, StoreError, WorldDamaged, object_key, refuse_existing

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from holdfast.vm.batch import Batch
    from holdfast.vm.store import Snapshot

TEXT_FORMAT = 1
LINE_ITEMS = 1_000
LINE_BYTES_MAX = 1 << 30
BATCH_RECORDS = 2_000
WORD = 1 << 63


STAYS = (WRITES, b"S" + THREADS, b"S" + FRAMES, b"S" + STOCK)
"""Side records that no copy has: changes of host files that are under way, and threads, which live in one world."""


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
        yield {"holdfast": "world", "format": TEXT_FORMAT}
        yield from _shaped(COMMIT_KEY, self.roots(record))
        for key, record in self.view.scan(b"M"):
            if key not in (COMMIT_KEY, FORMAT_KEY) and not key.startswith(b"M" + CODE):
                yield {"meta": key[1:].decode(), "bytes": b64encode(open_record(key, record)).decode()}
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
            for name in self.codec.unpack(key, record):
                if name is not ABSENT:
                    place = prefix + b"k" + _key_bytes(name)
                    yield name, self.codec.unpack(place, self.view.get(place) or b"")[1]


def _shaped(key: bytes, lines: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The lines of a record; one that has not the shape of its kind is damaged."""
    try:
        yield from lines
    except (AttributeError, IndexError, TypeError, ValueError):
        raise DamagedRecord(key_name(key), "it has not the shape of its kind") from None


def _key_bytes(key: Any) -> bytes:
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


# --------------------------------------------------------------------------- import


_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_BRACKET = re.compile(r"[\[\]{}]")
DEPTH_MAX = 8
"""No line of an export nests deeper; the host's parser recurses, so a deeper one is refused before it."""


def _parse(line: str) -> dict[str, Any]:
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", line)):
        depth += 1 if bracket in "[{" else -1
        if depth > DEPTH_MAX:
            raise ValueError("it nests too deeply")
    found = json.loads(line, parse_constant=_no_constant)
    if type(found) is not dict:
        raise ValueError("it is no object")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


class _Importer:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.codec = bare_codec()
        self.classes: list[int] = []
        """Class number of each object, by its number less one."""
        self.roots: dict[str, Any] = {}
        self.batch = store.batch()
        self.last = store.batch()
        self.open: _Collection | None = None

    # ------------------------------------------------------------------ first reading: which object is of which class

    def note(self, line: dict[str, Any]) -> None:
        if "id" not in line:
            return
        number = line.get("class")
        if line["id"] != len(self.classes) + 1:
            raise ValueError(f"object {line['id']!r} where {len(self.classes) + 1} comes next")
        if type(number) is not int or not 0 < number <= ids.CLASS_MAX:
            raise ValueError(f"{number!r} is no class number")
        self.classes.append(number)

    # ------------------------------------------------------------------ second reading

    def add(self, line: dict[str, Any]) -> None:
        if self.open is not None and "more" not in line:
            self.finish_collection()
        if "id" in line:
            self.add_object(line)
        elif "more" in line:
            if self.open is None or line["more"] != self.open.number:
                raise ValueError("more of an object that is not the one before it")
            self.open.add(_array(line["items"]))
        elif "roots" in line:
            self.roots = {name: self.value({"ref": number}) for name, number in dict(line["roots"]).items()}
        elif "meta" in line:
            key = b"M" + str(line["meta"]).encode()
            if key in (COMMIT_KEY, FORMAT_KEY):
                raise ValueError("a name that only the store itself uses")
            self.last.put(key, seal_record(key, _bytes(line["bytes"])))
        elif "side" in line:
            key = b"S" + _bytes(line["side"])
            if key.startswith(STAYS):
                raise ValueError("a write to a file of the host or a living thread, which no export has")
            self.put(self.last, key, [self.value(value) for value in _array(line["values"])])
        elif "holdfast" not in line:
            raise ValueError("a line of no known kind")

    def add_object(self, line: dict[str, Any]) -> None:
        class_number, schema = line["class"], line.get("schema", 0)
        if type(schema) is not int:
            raise ValueError("a schema that is no number")
        extra = line.get("extra")
        head = [class_number, schema, self.value(line.get("owner")), None]
        if extra is not None:
            head[3] = [part for name, value in extra for part in (str(name), self.value(value))]
        oid = self.oid(line["id"])
        if class_number == ids.FUNCTION:
            source, index, module = line["function"]
            if type(index) is not int or type(module) is not str:
                raise ValueError("a function that is none")
            captured = [self.value(value) for value in _array(line["captured"])]
            head += [bytes.fromhex(source), index, module, captured]
        elif class_number <= ids.SET:
            self.open = _Collection(self, line["id"], oid, head)
            self.open.add(_array(line["items"]))
            return
        else:
            head += [self.value(value) for value in _array(line["fields"])]
        self.put_ahead(object_key(oid), head)

    def oid(self, number: Any) -> int:
        if type(number) is not int or not 0 < number <= len(self.classes):
            raise ValueError(f"a reference to object {number!r}, which does not exist")
        return ids.make_id(self.classes[number - 1], number)

    def value(self, value: Any) -> Any:
        """A value from what JSON has for it."""
        kind = type(value)
        if value is None or kind in (bool, str, float):
            return value
        if kind is int:
            if not -WORD <= value < WORD:
                raise ValueError('an integer past 64 bits must be written as {"int": "0x..."}')
            return value
        if kind is not dict or len(value) != 1:
            raise ValueError(f"{str(value)[:40]} is no value")
        ((name, data),) = value.items()
        if name == "ref":
            return Reference(self.oid(data))
        if name == "int":
            return int(data, 16)
        if name == "float":
            if data not in ("inf", "-inf", "nan"):
                raise ValueError(f"{str(data)[:40]} is no such float")
            return float(data)
        if name == "bytes":
            return _bytes(data)
        if name == "range":
            return range(*[int(self.value(part)) for part in data])
        if name == "name":
            module, own = data
            return Named(str(module), str(own))
        if name in ("unset", "absent"):
            return UNSET if name == "unset" else ABSENT
        raise ValueError(f"{name[:40]!r} is no kind of value")

    def key(self, value: Any) -> Any:
        """A value that can be the key of a Map."""
        found = self.value(value)
        if type(found) is Reference and ids.class_of(found._i) <= ids.SET:
            raise ValueError("a collection cannot be a key")
        return found

    # ------------------------------------------------------------------ writing

    def put(self, batch: Batch, key: bytes, values: list[Any]) -> None:
        batch.put(key, seal_record(key, self.codec.pack(values)))

    def put_ahead(self, key: bytes, values: list[Any]) -> None:
        self.put(self.batch, key, values)
        if len(self.batch) >= BATCH_RECORDS:
            self.store.write(self.batch)
            self.batch = self.store.batch()

    def finish_collection(self) -> None:
        if self.open is not None:
            self.put_ahead(object_key(self.open.oid), [*self.open.head, self.open.contents()])
            self.open = None

    def finish(self) -> int:
        """Write what is left, and the commit record."""
        self.finish_collection()
        if "root" not in self.roots:
            raise ValueError("no root object is named")
        if self.batch:
            self.store.write(self.batch)
        write_again(self.store, len(self.classes))
        commit = [1, len(self.classes), *chain.from_iterable(self.roots.items())]
        self.put(self.last, COMMIT_KEY, commit)
        self.store.write(self.last)
        self.store.flush()
        return len(self.classes)


class _Collection:
    """A List, Map or Set on its way in: kept whole while it is small, written in pieces when it is not."""

    def __init__(self, owner: _Importer, number: int, oid: int, head: list[Any]) -> None:
        self.owner = owner
        self.number = number
        self.oid = oid
        self.head = head
        self.prefix = b"P" + object_key(oid)[1:]
        self.kind = head[0]
        self.items: list[Any] = []
        self.keys: set[bytes] = set()
        self.written = 0
        self.chunks: list[int] = []
        """Lengths of the chunks written, in order; chunk numbers begin with 1."""

    def add(self, items: list[Any]) -> None:
        owner = self.owner
        for item in items:
            if self.kind == ids.MAP:
                name, value = item
                self.items.append((owner.key(name), owner.value(value)))
            else:
                self.items.append(owner.value(item) if self.kind == ids.LIST else (owner.key(item), None))
        if len(self.items) + self.written > PIECES_ABOVE[self.kind]:
            self.write_pieces()

    def write_pieces(self) -> None:
        put = self.owner.put_ahead
        if self.kind == ids.LIST:
            for start in range(0, len(self.items), CHUNK):
                part = self.items[start : start + CHUNK]
                self.chunks.append(len(part))
                put(self.prefix + b"c" + len(self.chunks).to_bytes(8, "big"), [part])
        for sequence, (name, value) in enumerate(self.items if self.kind != ids.LIST else (), self.written):
            data = _key_bytes(name)
            if data in self.keys:
                raise ValueError("a key that is there twice")
            self.keys.add(data)
            put(self.prefix + b"k" + data, [sequence, value])
        if self.kind != ids.LIST:
            for start in range(0, len(self.items), PAGE_KEYS):
                page = [name for name, _ in self.items[start : start + PAGE_KEYS]]
                put(self.prefix + b"q" + (self.written + start).to_bytes(8, "big"), page)
        self.written += len(self.items)
        self.items = []

    def contents(self) -> Any:
        """What the collection's own record has in its one field."""
        if not self.written:
            if self.kind == ids.LIST:
                return self.items
            made = dict(self.items)
            if len(made) != len(self.items):
                raise ValueError("a key that is there twice")
            return list(made) if self.kind == ids.SET else list(chain.from_iterable(self.items))
        if self.items:
            self.write_pieces()
        if self.kind != ids.LIST:
            return Pieces([self.written, self.written])
        order = list(enumerate(self.chunks, 1))
        for page, start in enumerate(range(0, len(order), PAGE_CHUNKS)):
            flat = list(chain.from_iterable(order[start : start + PAGE_CHUNKS]))
            self.owner.put_ahead(self.prefix + b"d" + page.to_bytes(4, "big"), flat)
        return Pieces([self.written, len(order) + 1, len(order)])


def _bytes(text: Any) -> bytes:
    if type(text) is not str:
        raise ValueError("bytes that are no text of BASE64")
    return b64decode(text, validate=True)


def _array(value: Any) -> list[Any]:
    if type(value) is not list:
        raise ValueError("something else where an array must be")
    return value


def _lines(source: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and content of each line.

    Raises BadText.
    """
    try:
        file = source.open("r", encoding="utf-8", newline="\n")
    except OSError as error:
        raise BadText(f"{source} cannot be read: {error.strerror}") from None
    with file:
        count = 0
        while True:
            count += 1
            try:
                line = file.readline(LINE_BYTES_MAX)
                if not line:
                    return
                if len(line) == LINE_BYTES_MAX:
                    raise ValueError("it is too long")
                yield count, _parse(line)
            except ValueError as error:
                raise BadText(f"{source}:{count}: this line is not of an exported world: {error}") from None


def import_world(source: str | Path, target: str | Path, progress: Callable[[int], None] | None = None) -> int:
    """Make a world, at a place that does not exist yet, from a text; gives the number of objects.

    Raises BadText and StoreError; then nothing is left at the place.
    """
    source, target = Path(source), Path(target)
    refuse_existing(target)
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    store = Store(partial)
    try:
        importer = _Importer(store)
        count = 0
        for step in (importer.note, importer.add):
            for number, line in _lines(source):
                if number == 1 and (line.get("holdfast") != "world" or line.get("format") != TEXT_FORMAT):
                    raise BadText(f"{source}: this is no export of a world in format {TEXT_FORMAT}")
                _step(step, line, f"{source}:{number}")
                count += 1
                if progress is not None and count % LINE_ITEMS == 0:
                    progress(count)
        if not count:
            raise BadText(f"{source} is empty")
        made = importer.classes
        _step(lambda _: importer.finish(), {}, str(source))
    except BaseException:
        store.close()
        shutil.rmtree(partial, ignore_errors=True)
        raise
    store.close()
    partial.rename(target)
    return len(made)


def _step(step: Callable[[dict[str, Any]], object], line: dict[str, Any], place: str) -> None:
    try:
        step(line)
    except (ValueError, KeyError, TypeError, UnstorableValue) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise BadText(f"{place}: this line is not of an exported world: {reason}") from None
