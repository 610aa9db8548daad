"""What stands behind a dot: fields, methods and keys of a value, without running any code of a program."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from types import FunctionType
from typing import Any

from holdfast.repl.paths import Module
from holdfast.vm import ids
from holdfast.vm.objects import KINDS, Obj, kind_name, live
from holdfast.vm.world import World

KEYS_MAX = 200
"""So many keys of a Map are looked at."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Member = tuple[str, str]
"""Name, and a word about it: field, method, key, function, class, constant."""


def members(world: World, value: Any) -> Iterator[Member]:
    """All that may stand behind ``value.``; the value's own names come first."""
    if isinstance(value, Module):
        unit = world.modules.load_stored(value.name)
        words = {"fn": "function", "const": "constant"}
        for name, export in (unit.unit.exports if unit is not None else {}).items():
            yield name, words.get(export.kind, export.kind)
        return
    if not isinstance(value, Obj):
        if type(value) is FunctionType:
            yield from (("name", "field"), ("doc", "field"))
        yield from ((name, "method") for name in world.helpers.methods.get(type(value), {}))
        return
    live(value)
    if value._k == ids.MAP:
        yield from ((key, "key") for key in text_keys(value) if _NAME.fullmatch(key))
    else:
        yield from ((slot[2:], "field") for slot in field_slots(value))
    yield from ((name, "method") for name in method_names(type(value)))


def text_keys(value: Any) -> list[str]:
    """The Text keys of a Map, if they are not too many the first ones."""
    return [key for key in islice(value.v, KEYS_MAX) if type(key) is str]


def field_slots(value: Obj) -> list[str]:
    """Slots of an object's fields, with what a newer version of its class has added."""
    return [*(s for s in type(value)._slots if s.startswith("f_")), *getattr(type(value), "_added", ())]


def method_names(cls: type) -> list[str]:
    """Names of a class's methods, those of its base classes too.  Nothing is compiled by asking."""
    found: dict[str, None] = {}
    for base in cls.__mro__:
        for name, item in vars(base).items():
            if name.startswith("m_") and not isinstance(item, property):
                found.setdefault(name[2:])
    return list(found)


def kind_classes(world: World) -> dict[str, Any]:
    """The built-in kinds that have methods, by name: a Python type, or a class of the world."""
    kinds: dict[str, Any] = {name: python for python, name in KINDS.items() if world.helpers.methods.get(python)}
    for name in ("List", "Map", "Set"):
        kinds[name] = getattr(world.collections, name)
    return kinds


def method_of(world: World, owner: Any, name: str) -> FunctionType | None:
    """The method of a value's kind, or of a class of Hold; a method of the prelude is compiled by asking."""
    cls = class_of(world, owner)
    table = world.helpers.methods.get(cls, {})
    found = table.get(name)
    if found is None and isinstance(cls, type) and issubclass(cls, Obj):
        for base in cls.__mro__:
            if "m_" + name in vars(base):
                found = vars(base)["m_" + name]
                break
    if type(found) is FunctionType:
        return found
    lazy = getattr(found, "function", None)  # a method of the prelude that was not used yet
    return lazy() if callable(lazy) else None


def class_of(world: World, value: Any) -> Any:
    """The Python class whose methods a value has; for a class of Hold, or the name of a kind, that of its instances."""
    if type(value) is FunctionType:
        cls = value.__dict__.get("__hold_class__")
        if cls is not None:
            return cls
        kinds, name = kind_classes(world), value.__name__
        if name in kinds and world.globals.get("b:" + name) is value:
            return kinds[name]
    return type(value)


__all__ = ["Member", "class_of", "field_slots", "kind_classes", "kind_name", "members", "method_names", "method_of"]
