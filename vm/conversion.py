"""Values of Hold as Python's, and back, for programs that embed a world.

Scalars are themselves; Lists, Maps and Sets are copied, as deep as they go; anything else is what ``wrap`` makes of it.
Nothing recurses: a structure of any depth is copied with an explicit stack, and one that contains itself is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from holdfast.vm import ids, limits
from holdfast.vm.domains import Cap
from holdfast.vm.monitor import SCALARS
from holdfast.vm.objects import Obj, fail, live

if TYPE_CHECKING:
    from holdfast.vm.world import World

DEPTH_MAX = 10_000
"""Collections inside each other."""


def is_value(value: Any) -> bool:
    """Is it a scalar, which is the same on both sides?"""
    return type(value) in SCALARS


def to_python(world: World, value: Any, wrap: Callable[[Any], Any]) -> Any:
    """A value of Hold as Python has it."""
    out: list[Any] = [None]
    stack: list[tuple[Any, Callable[[Any], None], frozenset[int]]] = [
        (value, lambda made: out.__setitem__(0, made), frozenset())
    ]
    while stack:
        item, put, around = stack.pop()
        if type(item) in SCALARS:
            put(item)
            continue
        cap = item if isinstance(item, Cap) else None
        obj = world.monitor.reach(world.monitor.top, item, "r") if cap is not None else item
        kind = getattr(type(live(obj)), "_k", 0) if isinstance(obj, Obj) else 0
        if kind not in (ids.LIST, ids.MAP, ids.SET):
            put(wrap(item))
            continue
        if id(obj) in around or len(around) >= DEPTH_MAX:
            fail("ValueError", "a collection that contains itself, or is nested too deeply, has no copy")
        inside = around | {id(obj)}

        def through(part: Any, cap: Cap | None = cap) -> Any:
            return part if cap is None else world.monitor.through(world.monitor.top, cap, part)

        if kind == ids.LIST:
            items: list[Any] = [None] * len(obj.v)
            put(items)
            for place, part in enumerate(obj.v):
                stack.append((through(part), _setter(items, place), inside))
        elif kind == ids.MAP:
            table: dict[Any, Any] = {}
            put(table)
            for key, part in obj.v.items():
                name = key if type(key) in SCALARS else wrap(key)
                table[name] = None
                stack.append((through(part), _setter(table, name), inside))
        else:
            put({key if type(key) in SCALARS else wrap(key) for key in obj.v})
    return out[0]


def _setter(target: Any, key: Any) -> Callable[[Any], None]:
    return lambda made: target.__setitem__(key, made)


def from_python(world: World, value: Any, unwrap: Callable[[Any], Any] = lambda value: None) -> Any:
    """A Python value as Hold has it; ``unwrap`` gives the object of a reference, or None.

    Raises TypeError or ValueError for what no Hold value stands for.
    """
    return _made(world, value, unwrap, 0)


def _made(world: World, value: Any, unwrap: Callable[[Any], Any], depth: int) -> Any:
    kind = type(value)
    if kind in SCALARS:
        if kind is str:
            value.encode()  # a lone surrogate could never be stored: UnicodeEncodeError is a ValueError
            limits.check_text(len(value))
        elif kind is int:
            limits.check_int(value)
        return value
    found = unwrap(value)
    if found is not None:
        return found
    if depth > 100:
        raise ValueError("a value with more than 100 collections inside each other")
    if kind in (list, tuple):
        return world.new_list([_made(world, item, unwrap, depth + 1) for item in value])
    if kind is dict:
        pairs = {_key(world, key, unwrap): _made(world, item, unwrap, depth + 1) for key, item in value.items()}
        return world.new_map(pairs)
    if kind in (set, frozenset):
        return world.new_set(dict.fromkeys(_key(world, key, unwrap) for key in value))
    raise TypeError(f"no value of Hold stands for a {kind.__name__}")


def _key(world: World, key: Any, unwrap: Callable[[Any], Any]) -> Any:
    if type(key) in SCALARS and key == key:
        return _made(world, key, unwrap, 0)
    found = unwrap(key)
    if found is None or getattr(type(found), "_k", 0) in (ids.LIST, ids.MAP, ids.SET):
        raise TypeError(f"a {type(key).__name__} cannot be a key of a Map")
    return found
