"""Stacks in a world: a record for each frame, and for each function that has one its code.

Records (``S`` keys hold values of Hold, see :mod:`holdfast.vm.checkpoint`)::

    SF THREAD DEPTH   [code, n, result, value, …]: a frame; the outermost has depth 0
    Mcode:NUMBER      [module, hash, index, IR version, function in plain form]

``THREAD`` are the 8 bytes of the thread's id, ``DEPTH`` 4 bytes, big endian.  ``code`` is the number of the function,
``n`` the instruction at which the frame stands, ``result`` the local that takes what it gives (or nil).  The values are
those of the function's locals in their order: what is a value of Hold as itself, and as an array

* ``["a"]`` for a local without a value;
* ``["t", item, …]`` for a tuple of the host: rest parameters before they are a List, a turn of a loop of two variables;
* ``["p", turns]`` or ``["p", turns, keys]`` for the position of an iterator (:mod:`holdfast.vm.positions`).

The function is kept as it was compiled (:mod:`holdfast.lang.plain`), since the frame tells its instructions by number.
When the compiler makes something else of the source by now, the frame goes on in what was kept.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import ormsgpack

from holdfast.lang import ir
from holdfast.lang.plain import PlainError, from_plain, to_plain
from holdfast.lang.verify import VerifyError, verify_function
from holdfast.vm.code import Proto
from holdfast.vm.codec import ABSENT, DamagedRecord, bare_codec, encode_integer, key_name
from holdfast.vm.frames import Frame
from holdfast.vm.positions import Position
from holdfast.vm.side import CODE, FRAMES

if TYPE_CHECKING:
    from holdfast.vm.world import World

LOAD = 64
"""Frames that are read at a time."""
KEPT_MAX = 256
"""Functions that are kept without asking who needs them."""
_ABSENT = ["a"]
_INTEGER = 2
_key = struct.Struct(">1sQI").pack


def frame_name(oid: int, depth: int) -> bytes:
    """The name of a frame's record."""
    return _key(FRAMES, oid, depth)


class Stack:
    """The frames of a thread that are not on the host's stack.

    The outermost ``below`` are in the store only, until they are needed.
    """

    __slots__ = ("below", "frames", "load")

    def __init__(self, below: int = 0, load: Callable[[int, int], list[Frame]] | None = None) -> None:
        self.below = below
        self.load = load
        """Reads the frames from one depth up to another."""
        self.frames: list[Frame] = []
        """The others, the outermost first."""

    def __len__(self) -> int:
        return self.below + len(self.frames)

    def pop(self) -> Frame | None:
        """The innermost frame, taken off; None when there is none left.

        Raises DamagedRecord.
        """
        if not self.frames:
            if not self.below or self.load is None:
                return None
            self.frames = self.load(max(0, self.below - LOAD), self.below)
            self.below -= len(self.frames)
        return self.frames.pop()

    def bring(self, number: int) -> None:
        """Have so many of the innermost frames in memory, or all.  Raises DamagedRecord."""
        missing = min(number - len(self.frames), self.below)
        if missing > 0 and self.load is not None:
            self.frames[:0] = self.load(self.below - missing, self.below)
            self.below -= missing

    def __iter__(self) -> Iterator[Frame]:
        """From the innermost on.  Raises DamagedRecord."""
        yield from reversed(self.frames)
        below = self.below
        while below and self.load is not None:
            frames = self.load(max(0, below - LOAD), below)
            yield from reversed(frames)
            below -= len(frames)


class Codes:
    """The functions of one world that have frames on disk."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._numbers: dict[Proto, list[int]] = {}
        """Nearly always one; what another process has written has one of its own."""
        self._protos: dict[int, Proto] = {}
        self._last: int | None = None

    def number(self, proto: Proto) -> int:
        """The number of a function; the next checkpoint writes its code when it is a new one."""
        numbers = self._numbers.get(proto)
        if numbers is None:
            if self._last is None:
                start = b"M" + CODE
                names = (key[len(start) :] for key, _ in self.world.store.scan(start))
                self._last = max((int(name) for name in names if name.isdigit()), default=0)
            self._last = found = self._last + 1
            numbers = self._numbers[proto] = [found]
            self._protos[found] = proto
            unit = proto.unit
            parts = [unit.unit.module, unit.hash, proto.function.index, ir.IR_VERSION, to_plain(proto.function)]
            self.world.outbox.meta[CODE + b"%d" % found] = pack(parts)
        return numbers[0]

    def numbers(self) -> set[int]:
        """The numbers of all that are in memory."""
        return set(self._protos)

    def held(self, proto: Proto) -> int:
        """How often these tables refer to a function."""
        numbers = self._numbers.get(proto)
        return 1 + len(numbers) if numbers is not None else 0

    def remove(self, proto: Proto) -> None:
        """Nothing in memory needs a function any more: who needs its frames reads its code again."""
        for number in self._numbers.pop(proto, ()):
            del self._protos[number]

    def write(self, proto: Proto) -> None:
        """Have the open checkpoint write a function's code, if no earlier one has: it has a frame of it."""
        outbox = self.world.outbox
        key = CODE + b"%d" % self.number(proto)
        if key in outbox.meta:
            outbox.taken[key] = outbox.meta.pop(key)

    def proto(self, number: Any) -> Proto:
        """The function with a number.

        Raises DamagedRecord.
        """
        found: Proto | None = self._protos.get(number)
        if found is None:
            name = f"code {number!r}"[:40]
            text = self.world.outbox.side_record(CODE + b"%d" % number) if type(number) is int else None
            if text is None:
                raise DamagedRecord(name, "the world does not have this function")
            found = self._restore(name, number, text)
            self._protos[number] = found
            self._numbers.setdefault(found, []).append(number)
        return found

    def _restore(self, name: str, number: int, text: bytes) -> Proto:
        try:
            module, hash_, index, version, plain = unpack(text)
            if type(module) is not str or type(hash_) is not str:
                raise DamagedRecord(name, "it is not that of a function")
            function = from_plain(plain, version)
            verify_function(function)
        except (ValueError, TypeError, PlainError, VerifyError) as error:
            raise DamagedRecord(name, str(error)) from None
        modules = self.world.modules
        modules.load_stored(module)  # it calls what its module defines by name, in the newest version
        unit = modules.version(module, hash_)
        if index < 0:  # the constructor of a class
            proto = self.world.table.protos.get(f"{unit.key}:{index}")
        elif index < len(unit.protos):
            proto = unit.protos[index]
        else:
            raise DamagedRecord(name, "its source has no such function")
        if proto is None or to_plain(proto.function) != plain:  # another compiler, or version of a class, has made it
            proto = Proto(function, unit, self.world.table)
            proto.key += f"/{number}"  # others may have kept other versions of it
            self.world.table.protos[proto.key] = proto
        return proto

    def free(self) -> None:
        """Drop the functions that no frame refers to any more, where there are many.

        To be called at opening only, before any thread runs.
        """
        start = b"M" + CODE
        store = self.world.store
        kept = {int(key[len(start) :]) for key, _ in store.scan(start) if key[len(start) :].isdigit()}
        if len(kept) <= KEPT_MAX:
            return
        codec = bare_codec()
        for key, record in store.scan(b"S" + FRAMES):
            try:
                kept.discard(next(iter(codec.unpack(key, record)), None))
            except DamagedRecord:
                return  # it may be mended, and what it refers to is not known
        for number in kept:
            self.world.outbox.meta[CODE + b"%d" % number] = None

    # ------------------------------------------------------------------ frames

    def values(self, frame: Frame) -> list[Any]:
        """What the record of a frame holds."""
        get = frame.values.get
        fields = [get(name, ABSENT) for name in frame.proto.names]
        for place, value in enumerate(fields):
            kind = type(value)
            if value is ABSENT:
                fields[place] = _ABSENT
            elif kind is tuple:
                fields[place] = ["t", *value]
            elif kind is Position:
                fields[place] = ["p", value.turns] if value.keys is None else ["p", value.turns, value.keys]
        return [self.number(frame.proto), frame.n, frame.result, *fields]

    def frame(self, key: bytes, record: bytes | None) -> Frame:
        """A frame from its record.

        Raises DamagedRecord.
        """
        if record is None:
            raise DamagedRecord(key_name(key), "a frame is missing")
        parts = self.world.heap.codec.unpack(key, record)
        if len(parts) < 3:
            raise DamagedRecord(key_name(key), "it is not that of a frame")
        code, n, result, *fields = parts
        proto = self.proto(code)
        names = proto.names
        if len(fields) != len(names) or type(n) is not int or not 0 <= n < proto.function.size:
            raise DamagedRecord(key_name(key), "it is not that of a frame")
        values = {}
        for name, value in zip(names, fields, strict=True):
            if type(value) is list:
                value = _thawed(key, value)
            if value is not ABSENT:
                values[name] = value
        if result is not None and result not in names:
            raise DamagedRecord(key_name(key), "its result has no place")
        return Frame(proto, n, result, values)

    def load(self, oid: int, first: int, end: int) -> list[Frame]:
        """The frames of a thread from one depth up to another."""
        store = self.world.store
        keys = [b"S" + frame_name(oid, depth) for depth in range(first, end)]
        return [self.frame(key, store.get(key)) for key in keys]

    def again(self, frame: Frame) -> Frame:
        """A frame, through the bytes of a record: for torture."""
        heap, key = self.world.heap, b"SF"
        if heap.open is not None:  # it may be about to write a reference to what gets an id here
            self.world.outbox.finish(heap.open)
        found, heap.found = heap.found, {}
        try:
            record = heap.codec.record(key, self.values(frame))
        finally:
            new, heap.found = heap.found, found
        heap.dirty.update(new)  # type: ignore[arg-type]  # a checkpoint writes functions as well
        del frame
        return self.frame(key, record)


def _thawed(key: bytes, parts: list[Any]) -> Any:
    match parts:
        case ["a"]:
            return ABSENT
        case ["t", *items]:
            return tuple(items)
        case ["p", int(turns)] if turns >= 0:
            return Position(turns)
        case ["p", int(turns), keys] if turns >= 0:
            return Position(turns, keys)
    raise DamagedRecord(key_name(key), "a local that holds no value")


def pack(parts: list[Any]) -> bytes:
    """Plain lists, with integers of any size, as bytes."""

    def large(value: Any) -> Any:
        if type(value) is int:
            return ormsgpack.Ext(_INTEGER, encode_integer(value))
        raise TypeError(type(value).__name__)

    return ormsgpack.packb(parts, default=large, option=ormsgpack.OPT_PASSTHROUGH_BIG_INT)


def unpack(text: bytes) -> Any:
    """The lists again.

    Raises ValueError.
    """

    def hook(code: int, data: bytes) -> Any:
        if code != _INTEGER:
            raise ValueError(f"an extension with the unknown code {code}")
        return int.from_bytes(data, "big", signed=True)

    return ormsgpack.unpackb(text, ext_hook=hook)
