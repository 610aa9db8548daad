"""Large collections in pieces: what both kinds share, and the keys of pieces.

A collection past ``PIECES_ABOVE`` is not one record but many, so that one change writes one of them.  In its slot
``v`` is then a :class:`~holdfast.vm.piecemap.PieceMap` or a :class:`~holdfast.vm.piecelist.PieceList`.  The
keys of its pieces are ``P``, the collection's id (8 bytes), a letter and

====== ==================================== =================================================================
letter rest of the key                      payload of the record
====== ==================================== =================================================================
``k``  key bytes of a Map's key             ``[sequence number, value]``
``q``  a sequence number, 8 bytes           ``[key, ...]``: the entries with that number and those after it, in
                                            order of insertion; a deleted one is ABSENT
``c``  a chunk number, 8 bytes              the elements of a List's chunk
``d``  a page number, 4 bytes               ``[chunk number, length, chunk number, length, ...]``: the order of chunks
====== ==================================== =================================================================

Key bytes of two keys agree exactly when the keys are ``==`` (1, 1.0 and true are one key; 0.0 and -0.0; instances by
id).  The object's own record has a header: count and next sequence number of a Map, for a List see there.

A container in pieces has three layers: what was changed since the last checkpoint began (``changes``), what an open
checkpoint has taken and is writing (``frozen``), and the store.  What the Python dict itself holds is a cache of all
three: any entry of it may be dropped at any time.  So a reader asks the cache, the changes, the frozen ones, the
store, in this order.  A change is undone (``atomic``) key by key.
"""

from __future__ import annotations

import struct
from hashlib import blake2b
from types import FunctionType
from typing import TYPE_CHECKING, Any

from holdfast.vm import ids
from holdfast.vm.objects import Obj

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.vm.batch import Batch
    from holdfast.vm.heap import Heap

PIECES_ABOVE = {ids.LIST: 16_384, ids.MAP: 4_096, ids.SET: 4_096}
"""Elements or entries from which on a collection is kept in pieces.  A piece of a Map costs a read 1.5 times and a
write 10 times what a raw dict costs; a record of 4,096 entries takes 0.3 ms to write again for each change."""
SMALL = 1 << 63
"""An Int that is smaller is short as a key."""
KEY_BYTES_MAX = 200
"""Longer key bytes are replaced by their hash."""
DECIMAL_BITS = 4_096
"""Up to here the bounds of a Range are written in decimal in its key bytes."""


pack_number = struct.Struct(">Q").pack


def piece_range(oid: int) -> tuple[bytes, bytes]:
    """Beginning and end of the keys of a collection's pieces."""
    return b"P" + pack_number(oid), b"P" + pack_number(oid + 1)


class Sink:
    """The batch that pieces are put into; its owner may change it for a new one between two entries."""

    __slots__ = ("batch",)

    def __init__(self, batch: Batch) -> None:
        self.batch = batch


class PieceChanges:
    """Changes that a checkpoint has taken from a container in pieces; nobody changes them any more."""

    __slots__ = ()

    @property
    def header(self) -> list[int]:
        """What the collection's own record says."""
        raise NotImplementedError

    def write(self, heap: Heap, sink: Sink) -> Iterator[None]:
        """Put the pieces into the sink; yields after each entry."""
        raise NotImplementedError

    def settle(self) -> None:
        """The checkpoint is written: the store has these changes now."""
        raise NotImplementedError


class PieceBase:
    """What the checkpoint and ``atomic`` ask of a container in pieces."""

    __slots__ = ()

    def freeze(self) -> PieceChanges:
        """Give the changes to the open checkpoint, and begin to collect anew."""
        raise NotImplementedError

    def begin_level(self) -> None:
        """From here on, keep what is needed to undo."""
        raise NotImplementedError

    def end_level(self, *, keep: bool, owned_by_outer: bool, moved: bool) -> None:
        """End the innermost level: undo it; or keep its changes, and let an outer level be able to undo them.

        ``moved``: the outer level had none of its own for this container and takes this one over as it is.
        """
        raise NotImplementedError

    def trim(self) -> None:
        """Drop from memory what can be read again."""
        raise NotImplementedError

    def size_in_memory(self) -> int:
        """Estimate in bytes."""
        raise NotImplementedError


# --------------------------------------------------------------------------- keys


def key_bytes(heap: Heap, key: Any) -> bytes:
    """The bytes that stand for a Map's key; an instance or function without an id gets one."""
    data = find_key_bytes(heap, key)
    if data is None:
        if isinstance(key, Obj) and key._k == ids.CAPABILITY:
            return key_bytes(heap, key.target)  # type: ignore[attr-defined]
        oid = heap.identify(key) if isinstance(key, Obj) else heap.function_ref(key)
        data = b"o" + pack_number(oid)
    return data


def find_key_bytes(heap: Heap, key: Any) -> bytes | None:
    """The bytes that stand for a Map's key; None for an instance or function without an id: it is in no store."""
    kind = type(key)
    if kind is int and -SMALL < key < SMALL:
        small: int = key
        return b"i" + small.to_bytes(small.bit_length() // 8 + 1, "big", signed=True)
    if kind is str:
        return _short(b"s" + key.encode())
    if kind is int or kind is bool or (kind is float and key.is_integer()):
        number = int(key)
        return _short(b"i" + number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))
    if kind is float:
        return b"f" + struct.pack(">d", key)
    if key is None:
        return b"n"
    if kind is bytes:
        return _short(b"b" + key)
    if kind is range:
        return _short(_range_bytes(key))
    if isinstance(key, Obj) and key._k:
        if key._k == ids.CAPABILITY:  # the same key as what it stands for
            return find_key_bytes(heap, key.target)  # type: ignore[attr-defined]
        return b"o" + pack_number(key._i) if key._i else None
    place = heap.machine.name_of(key)
    if place is not None:
        return _short(b"N" + place[0].encode() + b"\0" + place[1].encode())
    if isinstance(key, FunctionType):
        oid = heap.function_id(key)
        return b"o" + pack_number(oid) if oid else None
    raise TypeError(f"a value of the host's type {kind.__name__} cannot be a key")


def _short(data: bytes) -> bytes:
    return data if len(data) <= KEY_BYTES_MAX else b"#" + data[:1] + blake2b(data, digest_size=32).digest()


def _range_bytes(value: range) -> bytes:
    """Ranges are equal when they give the same numbers."""
    if not value:
        return b"r"
    first, last = value[0], value[-1]
    parts = first, last, 0 if first == last else value.step
    # Hexadecimal where decimal is slow, and at last refused by CPython.
    return b"r" + b"|".join(b"%d" % part if part.bit_length() <= DECIMAL_BITS else b"x%x" % part for part in parts)
