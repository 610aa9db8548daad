"""Layouts: what reading and writing the instances of one class needs, worked out once."""

from __future__ import annotations

from gc import get_referents
from operator import attrgetter
from types import FunctionType
from typing import TYPE_CHECKING, Any

from holdfast.lang.assemble import make_filler
from holdfast.vm import ids
from holdfast.vm.codec import ABSENT, FORGED_TYPES
from holdfast.vm.objects import NEW, Obj

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.vm.heap import Heap


class Token:
    """An epoch token; ``n`` grows, so that an older one can be told from a newer."""

    __slots__ = ("n",)

    def __init__(self, n: int) -> None:
        self.n = n


SPECIAL_TYPES = FORGED_TYPES | {type(ABSENT)}
"""What a record without anything special does not hold among its fields."""

LOADED = Token(0)
"""The token of an object that was loaded and not written since: older than every epoch."""


class Layout:
    """What reading and writing the instances of one class needs, worked out once."""

    __slots__ = (
        "checked",
        "cls",
        "collection",
        "fill",
        "get",
        "head",
        "names",
        "number",
        "plain",
        "referents",
        "schema",
    )

    def __init__(self, cls: type[Obj]) -> None:
        self.names = cls._slots
        self.number = cls._k
        self.schema = cls._schema
        self.head = [cls._k, cls._schema, None, None]
        self.checked: Callable[[list[Any]], bool] | None = getattr(cls, "_checked", None)
        """For what threads may do, a test of what a record says: somebody may have edited it (threat 24)."""
        self.collection = cls._k in (ids.LIST, ids.MAP, ids.SET)
        getter = attrgetter(*cls._slots) if cls._slots else lambda obj: ()
        self.get: Any = (lambda obj: (getter(obj),)) if len(cls._slots) == 1 else getter
        self.cls = cls
        self.fill: Callable[[Obj, list[Any]], bool] = _refuse
        """Makes an object live, with the fields of a record that has nothing special.  False, and nothing done, when
        there is something: an owner, extra fields, an older schema, a container, damage."""
        self.plain = not self.collection and self.checked is None and cls._k != ids.THREAD
        """Can a record of it be filled in without a look at what its class is?"""
        if self.plain:
            known = {"__builtins__": {}, "cls": cls, "special": SPECIAL_TYPES, "type": type, "len": len}
            self.fill = FunctionType(make_filler(self.head, cls._slots), known)
        self.referents = _count_referents(cls)
        """How many references the host sees in an instance with neither owner nor extra fields.  Counting them takes
        0.1 µs, where asking for a slot that is not set takes 0.3."""


def _refuse(obj: Obj, values: list[Any]) -> bool:
    return False


def _count_referents(cls: type[Obj]) -> int:
    probe = cls()
    probe._t, probe._i = LOADED, NEW
    for name in (*cls._slots, "e") if cls._k == ids.MAP else cls._slots:
        setattr(probe, name, None)
    return len(get_referents(probe))


class Layouts(dict[type, Layout]):
    """Layouts by class.  A class that was not registered yet is, when its first object is met."""

    def __init__(self, heap: Heap) -> None:
        super().__init__()
        self._heap = heap

    def __missing__(self, cls: type[Obj]) -> Layout:
        self._heap.register_class(cls)
        return self[cls]
