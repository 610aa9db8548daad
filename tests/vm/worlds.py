"""Small worlds for the tests of the store: a machine without a compiler, and a model of the object graph."""

from __future__ import annotations

import json
from types import FunctionType
from typing import Any

from holdfast.vm import ids
from holdfast.vm.cadence import Cadence
from holdfast.vm.checkpoint import Checkpointer
from holdfast.vm.codec import DamagedRecord, seal_record
from holdfast.vm.heap import BareMachine, FunctionParts, Heap
from holdfast.vm.objects import Obj, live, make_class
from holdfast.vm.store import Store

POINT = make_class("Point", 300, Obj, ["a", "b", "c", "d"])
LINK = make_class("Link", 301, POINT, ["next"])
SOURCE = b"\x01" * 32
RECORDS = {
    "class:300": {"module": "main", "name": "Point", "schemas": [["a", "b", "c", "d"]]},
    "class:301": {"module": "main", "name": "Link", "schemas": [["a", "b", "c", "d", "next"]]},
    "names:main": {"Point": ["class", SOURCE.hex()], "Link": ["class", SOURCE.hex()]},
    f"source:{SOURCE.hex()}": ["", "main", "module"],
}
"""What the machine would keep of the definitions."""


class Machine(BareMachine):
    """Functions are made of one template; what they captured is in their defaults."""

    def find_class(self, number: int) -> type[Obj] | None:
        return {300: POINT, 301: LINK}.get(number)

    def name_of(self, value: Any) -> tuple[str, str] | None:
        return ("main", value._name) if isinstance(value, type) and issubclass(value, Obj) else None

    def named(self, module: str, name: str) -> Any:
        for cls in (POINT, LINK):
            if (module, name) == ("main", cls._name):
                return cls
        raise DamagedRecord(f"{module}.{name}", "nothing has this name")

    def function_parts(self, function: FunctionType) -> FunctionParts:
        return FunctionParts(SOURCE, 0, "main", list(function.__defaults__ or ()))

    def make_function(self, parts: FunctionParts) -> FunctionType:
        return closure(*parts.captured)


def closure(*captured: Any) -> FunctionType:
    """A function that captured the values."""

    def template(*args: Any) -> Any:
        return args

    made = FunctionType(template.__code__, {}, "closure")
    made.__defaults__ = captured
    return made


class World:
    """A store, its heap and its checkpoints."""

    def __init__(self, path: Any, **options: Any) -> None:
        self.path = path
        self.store = Store(path, durability=options.pop("durability", "process"))
        try:
            self.heap = Heap(self.store, Machine(), **options)
        except BaseException:
            self.store.close()
            raise
        self.checkpoints = Checkpointer(self.heap, cadence=Cadence())
        batch = self.store.batch()
        for name, value in RECORDS.items():
            key = b"M" + name.encode()
            batch.put(key, seal_record(key, json.dumps(value).encode()))
        self.store.write(batch)

    def new(self, kind: Any, *values: Any) -> Any:
        """A new object as generated code makes it: an instance, or a collection of one raw container."""
        heap = self.heap
        if kind in ("List", "Map", "Set"):
            obj = getattr(heap.collections, kind)()
            obj._t, obj._i = heap.token, 0
            obj.v = values[0] if values else [] if kind == "List" else {}
            if kind == "Map":
                obj.e = obj.v
            return obj
        obj = kind()
        obj._t, obj._i = heap.token, 0
        for name, value in zip(kind._slots, values, strict=True):
            setattr(obj, name, value)
        return obj

    def touch(self, obj: Any) -> Any:
        """The barrier, as generated code has it before each write."""
        if obj._t is not self.heap.token:
            self.heap.barrier(obj)
        return obj

    def save(self) -> Any:
        """A whole checkpoint."""
        return self.checkpoints.force()

    def close(self) -> None:
        """As a process ends that was told to."""
        self.checkpoints.close()
        self.store.close()


def plain(value: Any) -> Any:
    """A value of the host that tells 1, 1.0 and true apart, and 0.0 from -0.0."""
    return type(value).__name__, repr(value)


def canonical(root: Any) -> list[Any]:
    """The graph below an object, loaded, as one comparable value: objects are numbered in the order they are met."""
    numbers: dict[int, int] = {}
    queue: list[Any] = []

    def mark(value: Any) -> Any:
        if isinstance(value, Obj | FunctionType):
            if id(value) not in numbers:
                numbers[id(value)] = len(queue)
                queue.append(value)
            return ("ref", numbers[id(value)])
        return plain(value)

    mark(root)
    found: list[Any] = []
    place = 0
    while place < len(queue):
        obj = queue[place]
        place += 1
        if isinstance(obj, FunctionType):
            found.append(("function", [mark(value) for value in obj.__defaults__ or ()]))
            continue
        live(obj)
        if obj._k == ids.LIST:
            found.append(("List", [mark(value) for value in obj.v]))
        elif obj._k == ids.MAP:
            found.append(("Map", [(mark(key), mark(obj.v[key])) for key in obj.v]))
        elif obj._k == ids.SET:
            found.append(("Set", [mark(key) for key in obj.v]))
        else:
            found.append((obj._name, [mark(getattr(obj, name, None)) for name in obj._slots]))
    return found
