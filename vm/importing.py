"""Import: a world from the text that :mod:`holdfast.vm.transfer` describes."""

from __future__ import annotations

import json
import shutil
from base64 import b64decode
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.vm import ids
from holdfast.vm.codec import (
    ABSENT,
    DamagedRecord,
    Named,
    Pieces,
    Reference,
    UnstorableValue,
    bare_codec,
    seal_record,
)
from holdfast.vm.definitions import json_object, loader_id
from holdfast.vm.heap import COMMIT_KEY
from holdfast.vm.mapchanges import PAGE_KEYS
from holdfast.vm.objects import UNSET
from holdfast.vm.piecelist import CHUNK, PAGE_CHUNKS
from holdfast.vm.pieces import PIECES_ABOVE
from holdfast.vm.side import bounded
from holdfast.vm.stock import write_again
from holdfast.vm.store import FORMAT_KEY, Store, StoreError, object_key, refuse_existing
from holdfast.vm.transfer import FORMATS, LINE_ITEMS, STAYS, TEXT_FORMAT, WORD, key_bytes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from holdfast.vm.batch import Batch

LINE_BYTES_MAX = 1 << 30
BATCH_RECORDS = 2_000


class BadText(StoreError):
    """A text that is no export of a world; says in which line and why."""


def _parse(line: str) -> dict[str, Any]:
    bounded(line)
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
            name, text = self.meta(str(line["meta"]), _bytes(line["bytes"]))
            key = b"M" + name.encode()
            if key in (COMMIT_KEY, FORMAT_KEY):
                raise ValueError("a name that only the store itself uses")
            self.last.put(key, seal_record(key, text))
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
            head += [bytes.fromhex(source), index, self.module(module), captured]
        elif class_number <= ids.SET:
            self.open = _Collection(self, line["id"], oid, head)
            self.open.add(_array(line["items"]))
            return
        else:
            head += [self.value(value) for value in _array(line["fields"])]
        self.put_ahead(object_key(oid), head)

    def module(self, name: str) -> str:
        """A module's name in the new world: a number in it becomes the id of that object, which must be a domain."""
        domain = loader_id(name)
        if domain is None or domain == 0:
            return name
        oid = self.oid(domain)
        if ids.class_of(oid) != ids.DOMAIN:
            raise ValueError(f"code loaded by object {domain}, which is no domain")
        return f"{ids.kid(oid)}!{name.partition('!')[2]}"

    def meta(self, name: str, text: bytes) -> tuple[str, bytes]:
        """Name and text of a record of the machine."""
        kind, _, rest = name.partition(":")
        if kind in ("module", "names"):
            return f"{kind}:{self.module(rest)}", text
        if kind == "class" and b"!" in text:
            row = json_object(name, text.decode())
            row["module"] = self.module(str(row.get("module")))
            return name, json.dumps(row).encode()
        return name, text

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
            data = key_bytes_of(name)
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
                if number == 1 and (line.get("holdfast") != "world" or line.get("format") not in FORMATS):
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
    except (ValueError, KeyError, TypeError, UnstorableValue, DamagedRecord) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        if isinstance(error, DamagedRecord):
            reason = f"{error.name}: {error.reason}"
        raise BadText(f"{place}: this line is not of an exported world: {reason}") from None
