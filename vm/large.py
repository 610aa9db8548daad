"""Large Texts and Bytes: in records they are objects of their own, which every use of them refers to.

A value that is shared in memory must be shared on disk: a List may hold one huge Text a million times over, and its
record must not hold a million copies.  Programs see nothing of these objects.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from holdfast.vm import ids
from holdfast.vm.codec import DamagedRecord
from holdfast.vm.objects import NEW, Obj, seal
from holdfast.vm.store import object_key

if TYPE_CHECKING:
    from holdfast.vm.domains import Domain
    from holdfast.vm.heap import Heap

KEPT = 8 << 20
"""Length of all the large values that are known again when they are met."""


@seal
class Large(Obj):
    """Stands for a large value in records."""

    __slots__ = ("value",)
    _k = ids.TEXT
    _slots = ("value",)
    _name = "Text"
    value: Any


class LargeTexts:
    """The large values of one heap that were met last."""

    def __init__(self, heap: Heap) -> None:
        self._heap = heap
        self.owner: Domain | None = None
        """Whose object is being written: a large value in it that is met for the first time becomes that domain's."""
        self._known: dict[int, Large] = {}
        """By the host's ``id`` of the value, which no other one can have while it is held here."""
        self._length = 0

    def outline(self, value: Any) -> Large:
        """The object that stands for a value: the same one, as long as it is remembered."""
        found = self._known.get(id(value))
        if found is None:
            found = Large()
            found._t, found._i, found.value = self._heap.token, NEW, value
            if self.owner is not None:
                found._o = self.owner
            self._remember(found)
        return found

    def load(self, oid: int) -> Any:
        """The value from its record.

        Raises DamagedRecord.
        """
        heap, key = self._heap, object_key(oid)
        record = heap.store.read(key)
        if record is None:
            raise DamagedRecord(ids.kid(oid), "there is none")
        values = heap.codec.unpack(key, record)
        if len(values) != 5 or values[0] != ids.TEXT or type(values[4]) not in (str, bytes):
            raise DamagedRecord(ids.kid(oid), "it is not that of a Text")
        made = Large()
        made._t, made._i, made.value = heap.token, oid, values[4]
        heap.table[oid] = weakref.ref(made)
        self._remember(made)
        return made.value

    def _remember(self, large: Large) -> None:
        """The oldest ones are forgotten: they cost one more record if they are met again."""
        known = self._known
        known[id(large.value)] = large
        self._length += len(large.value)
        while self._length > KEPT and len(known) > 1:
            self._length -= len(known.pop(next(iter(known))).value)
