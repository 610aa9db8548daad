"""Records: how values and objects are written as bytes.

A **record** is what the store keeps under a key::

    version   1 byte   RECORD_VERSION
    length    4 bytes  big endian, of the payload
    checksum  4 bytes  big endian, crc32 over key and payload
    payload            one MessagePack array

The checksum covers the key, so a record that was moved to another key is found out as surely as one with a flipped
bit.  The payload of an object's record is ``[class number, schema, owner, extra, field, ...]``: the fields in the
order of the class's ``_slots``; ``schema`` tells which layout of the class that is; ``owner`` is nil for the
whole-world domain; ``extra`` is nil or a flat array of name, value, name, value for the fields without a slot.
A List has one field, the array of its elements; a Map a flat array of keys and values in order, a Set an array of its
elements; a large collection has the extension PIECES there instead, and its contents in records of their own
(:mod:`holdfast.vm.pieces`).  A function's record is ``[5, 0, nil, nil, source hash, function index, module name,
[captured value, ...]]``.

Values are MessagePack's own nil, boolean, 64-bit integers, float 64, string and binary, and these extensions:

====== ============ ==========================================================================
code   name         data
====== ============ ==========================================================================
1      REFERENCE    8 bytes, big endian: the id of an object or function
2      INTEGER      an integer past 64 bits, two's complement, big endian, shortest form
3      RANGE        a MessagePack array: start, stop, step
4      NAMED        a MessagePack array: module name, name (a class, a top-level function, ``caps``)
5      UNSET        empty: a variable before its initialisation
6      ABSENT       empty: a slot that holds nothing
7      PIECES       a MessagePack array that the collection's class understands
====== ============ ==========================================================================

A Text or Bytes of more than ``INLINE_MAX`` is the one field of an object of class 15, and a REFERENCE elsewhere: so
what shares it in memory shares it on disk, and no record grows beyond what its elements take.

No array of the host is ever a value of Hold, so decoded *values* that are arrays or maps mean a forged record.
Decoding never recurses: MessagePack nesting is limited by the library (1,024), and a reference to a function, which
has no ghost, is resolved by the heap with a worklist.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NoReturn
from zlib import crc32

import ormsgpack

from holdfast.vm import ids
from holdfast.vm.ids import kid
from holdfast.vm.objects import UNSET, Obj

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import FunctionType

RECORD_VERSION = 1
HEAD_BYTES = 9
INTEGER_BITS_MAX = 1 << 32
"""Beyond every Int that can come to exist: products and powers end at ``limits.INT_BITS``, and from there on sums grow
by one bit an addition, which would take years to get here."""

INLINE_MAX = 1 << 16
"""Length from which on a Text or Bytes is written once, as an object of its own, and referred to."""
FEW = 8
"""A record of so many values, the head of an object's among them, is looked through only when it has become large."""
BULKY = frozenset((str, bytes, list))
TEXT_PREFIX = b"O" + (ids.TEXT << 40).to_bytes(8, "big")[:3]
"""How the keys of such objects begin."""

REFERENCE, INTEGER, RANGE, NAMED, UNSET_EXT, ABSENT_EXT, PIECES = 1, 2, 3, 4, 5, 6, 7

ABSENT = type("Absent", (), {"__slots__": (), "__repr__": lambda self: "<absent>"})()
"""Stands in an image or a record for a slot that holds nothing."""

_pack_head = struct.Struct(">BII").pack
_read_head = struct.Struct(">BII").unpack_from
_pack_id = struct.Struct(">Q").pack
_ENTRIES = {0xCD: struct.Struct(">BBHBBQ"), 0xCE: struct.Struct(">BBIBBQ")}
"""The payloads ``[sequence number, reference]`` by how MessagePack marks an unsigned integer of 2 and of 4 bytes."""
_pack_entry_2, _pack_entry_4 = (layout.pack for layout in _ENTRIES.values())
_ENTRY_READERS = {
    HEAD_BYTES + layout.size: (mark, struct.Struct(">BII" + layout.format[1:]).unpack)
    for mark, layout in _ENTRIES.items()
}
_Ext = ormsgpack.Ext
_packb = ormsgpack.packb
_unpackb = ormsgpack.unpackb
_OPTIONS = (
    ormsgpack.OPT_PASSTHROUGH_BIG_INT  # they come to the hook
    # and so does every host type that MessagePack libraries like to help with: the hook refuses it
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_UUID
)


class DamagedRecord(Exception):
    """A record that cannot be trusted; says which and why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"the record of {name} is damaged: {reason}")
        self.name = name
        """The KID of the object, or what the record is for."""
        self.reason = reason


class UnstorableValue(Exception):
    """A value that no record can hold: an error of the machine, since such a value must not come to exist."""


def key_name(key: bytes) -> str:
    """What a store key is called in messages: the KID for an object's."""
    if key[:1] in b"OP" and len(key) >= 9:
        piece = "" if key[:1] == b"O" else " (a piece)"
        return kid(int.from_bytes(key[1:9], "big")) + piece
    return repr(key[:40])[2:-1]


def seal_record(key: bytes, payload: bytes) -> bytes:
    """The record for a payload that is to be stored under the key."""
    return _pack_head(RECORD_VERSION, len(payload), crc32(payload, crc32(key))) + payload


def open_record(key: bytes, record: bytes) -> bytes:
    """The payload of a record.

    Raises DamagedRecord when anything is wrong with it.
    """
    if len(record) < HEAD_BYTES:
        raise DamagedRecord(key_name(key), f"{len(record)} bytes are too short for a record")
    version, length, checksum = _read_head(record)
    payload = record[HEAD_BYTES:]
    if version != RECORD_VERSION:
        raise DamagedRecord(key_name(key), f"record version {version}, and this program knows {RECORD_VERSION}")
    if length != len(payload):
        raise DamagedRecord(key_name(key), f"{len(payload)} bytes where {length} were written")
    if checksum != crc32(payload, crc32(key)):
        raise DamagedRecord(key_name(key), "the checksum does not fit")
    return payload


def encode_integer(value: int) -> bytes:
    """Two's complement, big endian, as short as it goes."""
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


class Codec:
    """Values to bytes and back, for one heap.

    ``identify`` gives the id of an object that has none yet (and notes that it must be written), ``function_id`` does
    the same for a function; ``name_of`` tells the module and name of what is stored by name.  ``refer`` gives the
    object or function of an id, ``named`` what a module and name stand for.
    """

    def __init__(
        self,
        identify: Callable[[Obj], int],
        function_id: Callable[[FunctionType], int],
        name_of: Callable[[Any], tuple[str, str] | None],
        refer: Callable[[int], Any],
        named: Callable[[str, str], Any],
    ) -> None:
        self._identify = identify
        self._function_id = function_id
        self._name_of = name_of
        self._refer = refer
        self._named = named
        self._trouble: Exception | None = None
        self.outline: Callable[[Any], Any] = lambda value: value
        """What is written in place of a large Text or Bytes: an object that holds it."""
        self.default = self._make_default()
        self.ext_hook = self._make_ext_hook()
        self.record = self._make_record()
        """Key and values to the record, as :func:`seal_record` of :meth:`pack`, in one call."""
        self.unpack = self._make_unpack()
        """Key and record to the values in it.  Raises DamagedRecord when it cannot be trusted."""
        self.entry = self._make_entry()
        """Key, number and value to the record, as :attr:`record` of both; made for many references."""
        self.open_entry = self._make_open_entry()
        """As :attr:`unpack`, made for such records."""

    # ------------------------------------------------------------------ writing

    def pack(self, values: list[Any]) -> bytes:
        """The payload for the values.

        Raises UnstorableValue when one is no value of Hold, and what ``identify`` and its like raise.
        """
        try:
            return _packb(values, default=self.default, option=_OPTIONS)
        except TypeError as error:
            self._raise(error, UnstorableValue(f"no record can hold this: {error}"))

    def _make_record(self) -> Callable[[bytes, list[Any]], bytes]:
        default, pack = self.default, self.pack

        def record(key: bytes, values: list[Any]) -> bytes:
            if len(values) > FEW or not values or values[-1].__class__ is list:
                values = self._outlined(key, values)
            try:
                payload = _packb(values, default=default, option=_OPTIONS)
            except TypeError as error:
                self._raise(error, UnstorableValue(f"no record can hold this: {error}"))
            if len(payload) > INLINE_MAX and len(values) <= FEW:
                # A few values cannot be too large to be written once in vain, and are nearly always small.
                less = self._outlined(key, values)
                if less is not values:
                    payload = pack(less)
            return _pack_head(RECORD_VERSION, len(payload), crc32(payload, crc32(key))) + payload

        return record

    def _outlined(self, key: bytes, values: list[Any]) -> list[Any]:
        """The same with what is large by reference: a List may hold one huge Text a million times over."""
        if key[:4] == TEXT_PREFIX:
            return values
        made: list[Any] | None = None
        for place, value in enumerate(values):
            cls = type(value)
            if cls is list:
                # A set of types first: a List of numbers is through with that.
                other = self._outlined(key, value) if not BULKY.isdisjoint(set(map(type, value))) else value
            elif (cls is str or cls is bytes) and len(value) > INLINE_MAX:
                other = self.outline(value)
            else:
                continue
            if other is not value:
                if made is None:
                    made = values.copy()
                made[place] = other
        return values if made is None else made

    def _make_default(self) -> Callable[[Any], Any]:
        identify = self._identify
        slow = self._encode_rare

        def default(value: Any) -> Any:
            try:
                return _Ext(REFERENCE, _pack_id(value._i or identify(value)))
            except Exception:  # no object, or no id to be had: the slow way tells which
                return slow(value)

        return default

    def _encode_rare(self, value: Any) -> Any:
        """The encoder's hook for what is no object; ormsgpack swallows what a hook raises, so it is kept aside."""
        try:
            return self._rare(value)
        except Exception as error:
            self._trouble = self._trouble or error
            raise

    def _rare(self, value: Any) -> Any:
        cls = type(value)
        if isinstance(value, Obj) and value._k:  # a failing ``identify`` leads here: once more, to keep its error
            return _Ext(REFERENCE, _pack_id(value._i or self._identify(value)))
        if cls is int:
            if value.bit_length() > INTEGER_BITS_MAX:
                raise UnstorableValue(f"an integer of {value.bit_length()} bits is past the {INTEGER_BITS_MAX} allowed")
            return _Ext(INTEGER, encode_integer(value))
        if cls is range:
            return _Ext(RANGE, _packb([value.start, value.stop, value.step], default=self.default, option=_OPTIONS))
        if value is UNSET:
            return _Ext(UNSET_EXT, b"")
        if value is ABSENT:
            return _Ext(ABSENT_EXT, b"")
        if cls is Pieces:
            return _Ext(PIECES, _packb(value.header))
        place = self._name_of(value)
        if place is not None:
            return _Ext(NAMED, _packb(list(place)))
        if cls.__name__ == "function":
            return _Ext(REFERENCE, _pack_id(self._function_id(value)))
        raise UnstorableValue(f"no record can hold a value of the host's type {cls.__name__}")

    # ------------------------------------------------------------------ reading

    def _make_unpack(self) -> Callable[[bytes, bytes], list[Any]]:
        ext_hook = self.ext_hook

        def unpack(key: bytes, record: bytes) -> list[Any]:
            # As open_record, which words what is wrong; each call counts where a hundred thousand objects are read.
            payload = record[HEAD_BYTES:]
            if record[:HEAD_BYTES] != _pack_head(RECORD_VERSION, len(payload), crc32(payload, crc32(key))):
                payload = open_record(key, record)
            try:
                values = _unpackb(payload, ext_hook=ext_hook)
            except ValueError as error:
                self._refuse(key, error)
            if type(values) is not list:
                raise DamagedRecord(key_name(key), "the payload is no array")
            return values

        return unpack

    def _make_entry(self) -> Callable[[bytes, int, Any], bytes]:
        record, identify = self.record, self._identify

        def entry(key: bytes, number: int, value: Any) -> bytes:
            if not isinstance(value, Obj) or not 0xFF < number < 1 << 32:
                return record(key, [number, value])
            try:
                oid = value._i or identify(value)
            except Exception:  # what it is comes out on the other way
                return record(key, [number, value])
            if number < 1 << 16:
                payload = _pack_entry_2(0x92, 0xCD, number, 0xD7, REFERENCE, oid)
            else:
                payload = _pack_entry_4(0x92, 0xCE, number, 0xD7, REFERENCE, oid)
            return _pack_head(RECORD_VERSION, len(payload), crc32(payload, crc32(key))) + payload

        return entry

    def _make_open_entry(self) -> Callable[[bytes, bytes], Sequence[Any]]:
        unpack, refer = self.unpack, self._refer

        def open_entry(key: bytes, record: bytes) -> Sequence[Any]:
            size = len(record)
            reader = _ENTRY_READERS.get(size)
            if reader is None:
                return unpack(key, record)
            version, length, checksum, array, mark, number, extension, code, oid = reader[1](record)
            if (
                (array, mark, extension, code) != (0x92, reader[0], 0xD7, REFERENCE)
                or (version, length) != (RECORD_VERSION, size - HEAD_BYTES)
                or checksum != crc32(record[HEAD_BYTES:], crc32(key))
            ):
                return unpack(key, record)
            try:
                return number, refer(oid)
            except ValueError as error:
                self._refuse(key, error)

        return open_entry

    def _refuse(self, key: bytes, error: ValueError) -> NoReturn:
        trouble, self._trouble = self._trouble, None
        if isinstance(trouble, DamagedRecord) or (trouble is not None and not isinstance(trouble, ValueError)):
            try:
                raise trouble from None
            finally:
                del trouble  # else it would keep this frame, and that one it, and all that called until they are found
        raise DamagedRecord(key_name(key), str(trouble or error)) from None

    def _make_ext_hook(self) -> Callable[[int, bytes], Any]:
        refer = self._refer
        from_bytes = int.from_bytes
        slow = self._decode_rare

        def ext_hook(code: int, data: bytes) -> Any:
            if code == REFERENCE and len(data) == 8:
                try:
                    return refer(from_bytes(data, "big"))
                except Exception as error:
                    self._trouble = self._trouble or error
                    raise
            return slow(code, data)

        return ext_hook

    def _decode_rare(self, code: int, data: bytes) -> Any:
        try:
            return self._other(code, data)
        except Exception as error:
            self._trouble = self._trouble or error
            raise

    def _other(self, code: int, data: bytes) -> Any:
        if code == INTEGER:
            value = int.from_bytes(data, "big", signed=True)
            if len(data) > INTEGER_BITS_MAX // 8 + 1 or encode_integer(value) != data:
                raise ValueError("an integer that is not in its shortest form, or too large")
            return value
        if code == RANGE:
            parts = _unpackb(data, ext_hook=self.ext_hook)
            if type(parts) is not list or [type(part) for part in parts] != [int, int, int]:
                raise ValueError("a range of something else than three integers")
            return range(*parts)
        if code == NAMED:
            parts = _unpackb(data)
            if type(parts) is not list or [type(part) for part in parts] != [str, str]:
                raise ValueError("a name of something else than two texts")
            return self._named(*parts)
        if code == UNSET_EXT:
            return UNSET
        if code == ABSENT_EXT:
            return ABSENT
        if code == PIECES:
            header = _unpackb(data)
            if type(header) is not list:
                raise ValueError("a header of pieces that is no array")
            return Pieces(header)
        raise ValueError(f"an extension with the unknown code {code}")

    def _raise(self, error: Exception, default: Exception) -> NoReturn:
        trouble, self._trouble = self._trouble, None
        if trouble is not None:
            raise trouble from None
        raise default from error


class Pieces:
    """In place of a collection's contents: they are in records of their own; ``header`` is for the collection."""

    __slots__ = ("header",)

    def __init__(self, header: list[int]) -> None:
        self.header = header


FORGED_TYPES = frozenset((list, dict, Pieces))


def check_values(key: bytes, values: Iterable[Any]) -> None:
    """Refuse host containers among decoded values: no encoder writes them, and no guest may meet one.

    Raises DamagedRecord.
    """
    if not FORGED_TYPES.isdisjoint(map(type, values)):
        raise DamagedRecord(key_name(key), "an array where a value of Hold must be")


def pairs(flat: Sequence[Any]) -> Iterable[tuple[Any, Any]]:
    """The pairs of a flat array of keys and values."""
    items = iter(flat)
    return zip(items, items, strict=True)


class Reference:
    """A reference in a record that is read without a heap: an id, and nothing behind it."""

    __slots__ = ("_i",)

    def __init__(self, oid: int) -> None:
        self._i = oid

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and other._i == self._i

    def __hash__(self) -> int:
        return hash(self._i)

    def __repr__(self) -> str:
        return kid(self._i)


class Named:
    """A value that is stored by name, in a record that is read without a heap."""

    __slots__ = ("place",)

    def __init__(self, module: str, name: str) -> None:
        self.place = (module, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named) and other.place == self.place

    def __hash__(self) -> int:
        return hash(self.place)


_LENGTHS = {0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9, 0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9}
"""Bytes of MessagePack's integers by their first one; the others are one byte."""
_ARRAYS = {0xDC: 3, 0xDD: 5}
_REFERENCE_HEAD = bytes((0xD7, REFERENCE))


def owner_in(record: bytes) -> int:
    """The id of the owner that an object's record names, without decoding the rest; 0 for none, and for no record."""
    try:
        at = HEAD_BYTES + _ARRAYS.get(record[HEAD_BYTES], 1)
        for _ in ("class number", "schema"):
            at += _LENGTHS.get(record[at], 1)
    except IndexError:
        return 0
    owner = record[at : at + 10]
    return int.from_bytes(owner[2:], "big") if owner[:2] == _REFERENCE_HEAD and len(owner) == 10 else 0


def bare_codec(refer: Callable[[int], Any] = Reference, named: Callable[[str, str], Any] = Named) -> Codec:
    """A codec for tools: references and names stay what they are in the record."""

    def refuse(value: Any) -> NoReturn:
        raise UnstorableValue(f"no record can hold a value of the host's type {type(value).__name__} here")

    return Codec(refuse, refuse, lambda value: value.place if type(value) is Named else None, refer, named)
