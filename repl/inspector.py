"""Objects taken apart for ``inspect`` and ``:inspect``: no code of a program runs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from types import FunctionType
from typing import Any

from holdfast.repl.excerpts import definition
from holdfast.repl.exits import FAILED, Failure
from holdfast.repl.host import Description
from holdfast.repl.paths import MISSING, Lookup, Module, follow, parse_path
from holdfast.vm import ids
from holdfast.vm.objects import UNSET, Error, Obj, kind_name, live
from holdfast.vm.show import pieces, quote, scalar
from holdfast.vm.world import World

ITEMS = 30
"""Elements of a collection that are shown."""
VALUE_ITEMS, VALUE_DEPTH, VALUE_CHARACTERS = 8, 2, 200
"""How much of each value is shown."""


class Inspector:
    """Looks at the objects of one world."""

    def __init__(self, world: World, lookup: Lookup | None = None) -> None:
        self.world = world
        self.lookup = lookup or self.built_in

    # ------------------------------------------------------------------ finding

    def built_in(self, name: str) -> Any:
        """``root`` and the other names that every program has."""
        key = self.world.builtin_names.get(name)
        return self.world.globals.get(key, MISSING) if key is not None else MISSING

    def find(self, what: str) -> Any:
        """What a KID or a path stands for.

        Raises Failure.
        """
        if what.startswith("K-"):
            return self.by_kid(what)
        path = parse_path(what)
        if path is None:
            raise Failure(f"{quote(what)} is neither a KID nor a path: write K-1f3a, or root.name[0]")
        name, steps = path
        head = self.lookup(name)
        if head is MISSING or head is UNSET:
            raise Failure(f"there is nothing under the name '{name}'", FAILED)
        return follow(self.world, head, steps)

    def by_kid(self, text: str) -> Any:
        """The object with a KID."""
        from holdfast.vm.store import object_key

        try:
            oid = ids.parse_kid(text)
        except ValueError:
            raise Failure(f"{text} is no KID: it looks like K-1f3a") from None
        if not 0 < oid <= ids.make_id(ids.CLASS_MAX, ids.SERIAL_MASK):
            raise Failure(f"{text} is no KID: the number is too large")
        if self.world.heap.loaded(oid) is None and self.world.store.get(object_key(oid)) is None:
            raise Failure(f"the world has no object {text}", FAILED)
        return live(self.world.heap.ref(oid))

    # ------------------------------------------------------------------ describing

    def describe(self, what: str, width: int) -> Description:
        """What a KID or a path stands for, in rows.

        Raises Failure, and DamagedRecord when the object cannot be read.
        """
        return self.describe_value(self.find(what), width)

    def describe_value(self, value: Any, width: int) -> Description:
        """The same for a value."""
        if isinstance(value, self.world.thread_class):
            from holdfast.repl.thread_view import describe_thread

            return describe_thread(self, live(value), width)
        room = max(40, width - 24)
        parts = list(self.parts(value))
        data: dict[str, Any] = {"kind": "Module" if isinstance(value, Module) else kind_name(value)}
        if isinstance(value, Obj | FunctionType):
            number = self.identity(value)
            data["id"] = ids.kid(number) if number else None
        elif not isinstance(value, Module):
            data["value"] = plain(value)
        data["parts"] = {name: plain(item) for name, item in parts}
        return Description(self.title(value), [(name, brief(item, room)) for name, item in parts], data)

    def title(self, value: Any) -> str:
        """Kind, KID, and a word about where it comes from."""
        if isinstance(value, Module):
            return f"module {value.name}"
        words = [kind_name(value)]
        number = self.identity(value)
        if number:
            words.append(ids.kid(number))
        if isinstance(value, Obj):
            info = self.world.linker.by_number.get(value._k)
            if info is not None:
                words.append(f"class of {info.module}")
            owner = self.world.monitor.owner(value)
            if owner is not self.world.monitor.top:
                words.append(f"owner {owner.name} {ids.kid(owner._i)}" if owner._i else f"owner {owner.name}")
            if value._k in (ids.LIST, ids.MAP, ids.SET):
                words.append(f"length {len(live(value).v):_}")
        elif type(value) is FunctionType:
            where = self.definition(value)
            words.append(where if where else "built in")
        elif type(value) in (str, bytes, range):
            words.append(f"length {len(value):_}")
        return "  ".join(words)

    def identity(self, value: Any) -> int:
        """The id of an object or function; 0 when it has none."""
        if isinstance(value, Obj):
            return value._i
        return self.world.heap.function_id(value) if type(value) is FunctionType else 0

    def definition(self, function: FunctionType) -> str:
        """Where a function was written."""
        proto = self.world.table.proto_of(function.__code__)
        if proto is None:
            return ""
        span = min(proto.function.spans.values(), default=(0, 0))
        found = definition(proto.unit.source, span, proto.function.name)
        line, _ = proto.unit.source.position(span[0] if found is None else found.span[0])
        return f"{proto.unit.source.name}:{line}"

    def parts(self, value: Any) -> Iterator[tuple[str, Any]]:
        """Names and values of what an object is made of."""
        if isinstance(value, Module):
            unit = self.world.modules.load_stored(value.name)
            for name, export in (unit.unit.exports if unit is not None else {}).items():
                yield name, self.world.globals.get(export.global_name)
        elif type(value) is FunctionType:
            yield from self.captured(value)
        elif isinstance(value, Obj):
            yield from self.fields(live(value))
        elif type(value) not in (str, bytes, range):
            yield "value", value

    def captured(self, function: FunctionType) -> Iterator[tuple[str, Any]]:
        """The variables that a function has captured."""
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
            value = cell.cell_contents
            box = isinstance(value, Obj) and value._k == ids.BOX
            yield variable_name(name), live(value).v if box else value

    def fields(self, obj: Any) -> Iterator[tuple[str, Any]]:
        """Fields of an instance, elements of a collection (the first ones)."""
        if obj._k in (ids.LIST, ids.SET):
            for number, item in enumerate(islice(obj.v, ITEMS)):
                yield f"[{number}]" if obj._k == ids.LIST else "·", item
        elif obj._k == ids.MAP:
            for key, item in islice(obj.v.items(), ITEMS):
                yield f"[{brief(key, 40)}]", item
        else:
            for slot in obj._slots:
                found = getattr(obj, slot, UNSET)
                if found is not UNSET:
                    yield slot.removeprefix("f_"), found
            for name, item in (getattr(obj, "_x", None) or {}).items():
                if not isinstance(obj, Error):
                    yield name, item


def variable_name(python: str) -> str:
    """The name of a captured variable, from that of its local."""
    return "owner" if python == "d2" else python.removeprefix("b").removeprefix("k").removeprefix("v_")


def brief(value: Any, room: int) -> str:
    """A value on one line."""
    if value is UNSET:
        return "(not set yet)"
    if isinstance(value, Module):
        return f"module {value.name}"
    text = "".join(
        piece for _, piece in pieces(value, items=VALUE_ITEMS, depth=VALUE_DEPTH, characters=VALUE_CHARACTERS)
    )
    return text if len(text) <= room else text[: room - 1] + "…"


def plain(value: Any) -> Any:
    """A value for JSON: scalars as they are, an object by its KID and class."""
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if value - value == 0 else str(value)
    if isinstance(value, Obj):
        return {"kind": kind_name(value), "id": ids.kid(value._i) if value._i else None}
    if value is UNSET:
        return None
    return scalar(value)
