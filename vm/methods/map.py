"""Methods of Map that call no guest function.

A Map's own methods win over functions stored under the same key (``m.f(…)``), so there are few.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.vm import limits
from holdfast.vm.methods.arguments import check_hashes, need_map, needs, table
from holdfast.vm.ops import check_key
from holdfast.vm.runtime import Runtime


@needs("r")
def len_(self: Any) -> int:
    """The number of keys, as ``len(map)``.

    > {"a": 1}.len() == 1
    """
    return len(self.v)


@needs("r")
def is_empty(self: Any) -> bool:
    """Whether there is no key.

    > {}.is_empty() == true
    """
    return not len(self.v)


@needs("r")
def get(self: Any, key: Any, default: Any = None) -> Any:
    """The value of a key; ``default`` where it is missing.

    > {"a": 1}.get("b", 0) == 0
    """
    if type(key) is not str:
        check_key(key)
    return self.v.get(key, default)


@needs("r")
def has(self: Any, key: Any) -> bool:
    """Whether there is such a key, as ``key in map``.

    > {"a": 1}.has("a") == true
    """
    check_key(key)
    return key in self.v


PURE = table(len_, is_empty, get, has)


def _writers(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    heap = runtime.heap

    @needs("rw")
    def remove(self: Any, key: Any, default: Any = None) -> Any:
        """Take out a key and give its value; ``default`` where it is missing.

        > {"a": 1}.remove("a") == 1
        """
        check_key(key)
        if key not in self.v:
            return default
        if self._t is not heap.token:
            heap.barrier(self)
        return self.v.pop(key)

    @needs("rw")
    def setdefault(self: Any, key: Any, value: Any = None) -> Any:
        """The value of a key, which is ``value`` from now on where it is missing.

        > var m = {}
        > m.setdefault("a", []).push(1)
        > m == {"a": [1]}
        """
        check_key(key)
        raw = self.v
        if key in raw:
            return raw[key]
        limits.check_items("Map", len(raw) + 1)
        if self._t is not heap.token:
            heap.barrier(self)
        self.v[key] = value
        return value

    @needs("w", other="r")
    def update(self: Any, other: Any) -> None:
        """Take over all keys and values of another Map.

        > var m = {"a": 1, "b": 2}
        > m.update({"b": 3})
        > m == {"a": 1, "b": 3}
        """
        new = dict(need_map("Map.update", other).v)
        check_hashes("Map.update", new)
        limits.check_items("Map", len(self.v) + len(new))
        if self._t is not heap.token:
            heap.barrier(self)
        self.v.update(new)

    @needs("w")
    def clear(self: Any) -> None:
        """Take out all keys.

        > var m = {"a": 1}
        > m.clear()
        > m == {}
        """
        if self._t is not heap.token:
            heap.barrier(self)
        self.v.clear()

    return table(remove, setdefault, update, clear)


def _views(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    new_list = runtime.new_list
    new_map = runtime.new_map

    @needs("r")
    def keys(self: Any) -> Any:
        """A List of the keys, in the order in which they came.

        > {"a": 1, "b": 2}.keys() == ["a", "b"]
        """
        return new_list(list(self.v))

    @needs("r")
    def values(self: Any) -> Any:
        """A List of the values, in the order of their keys.

        > {"a": 1, "b": 2}.values() == [1, 2]
        """
        return new_list(list(self.v.values()))

    @needs("r")
    def items(self: Any) -> Any:
        """A List of pairs of key and value.

        > {"a": 1}.items() == [["a", 1]]
        """
        limits.check_objects("the pairs of a Map", len(self.v))
        return new_list([new_list([key, value]) for key, value in self.v.items()])

    @needs("r")
    def copy(self: Any) -> Any:
        """A new Map with the same keys and values.

        > {"a": 1}.copy() == {"a": 1}
        """
        return new_map(dict(self.v))

    return table(keys, values, items, copy)


def methods(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """All methods of Map in one world."""
    return PURE | _writers(runtime) | _views(runtime)
