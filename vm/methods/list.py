"""Methods of List that call no guest function.

Those that write run the heap's barrier first (:class:`holdfast.vm.runtime.Heap`), then change the raw list in
place; those that give a new List never share a raw list.  A raw list may be a plain ``list`` or a large one in
pieces, so only the plain list protocol is used on it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

from holdfast.vm import limits, order
from holdfast.vm.methods.arguments import (
    cut,
    is_list,
    items_of,
    key_table,
    need_count,
    need_int,
    need_text,
    needs,
    table,
)
from holdfast.vm.methods.text import joined
from holdfast.vm.objects import fail, kind_name
from holdfast.vm.ops import COLLECTIONS, bounds, outside, position, positions, truthy
from holdfast.vm.runtime import Runtime

# --------------------------------------------------------------------------- questions


@needs("r")
def len_(self: Any) -> int:
    """The number of items, as ``len(list)``.

    > [1, 2].len() == 2
    """
    return len(self.v)


@needs("r")
def is_empty(self: Any) -> bool:
    """Whether there is no item.

    > [].is_empty() == true
    """
    return not len(self.v)


@needs("r")
def get(self: Any, index: Any, default: Any = None) -> Any:
    """The item at an index; ``default`` where there is none.

    > [1, 2].get(5, 0) == 0
    """
    at, raw = need_int("List.get", index), self.v
    return raw[at] if -len(raw) <= at < len(raw) else default


@needs("r")
def first(self: Any) -> Any:
    """The first item, nil if there is none.

    > [1, 2].first() == 1
    """
    return self.v[0] if len(self.v) else None


@needs("r")
def last(self: Any) -> Any:
    """The last item, nil if there is none.

    > [1, 2].last() == 2
    """
    return self.v[-1] if len(self.v) else None


@needs("r")
def contains(self: Any, value: Any) -> bool:
    """Whether an item equals ``value``, as ``value in list``.

    > [1, [2]].contains([2]) == true
    """
    return position(self.v, value) is not None


@needs("r")
def index(self: Any, value: Any, default: Any = None) -> Any:
    """Where the first item that equals ``value`` is; ``default`` if nowhere.

    > ["a", "b"].index("b") == 1
    > ["a", "b"].index("c") == nil
    """
    at = position(self.v, value)
    return default if at is None else at


@needs("r")
def count(self: Any, value: Any) -> int:
    """How many items equal ``value``.

    > [1, 2, 1].count(1) == 2
    """
    return sum(1 for _ in positions(self.v, value))


@needs("r")
def join(self: Any, sep: Any = "") -> str:
    """The items as one Text, with ``sep`` between them; what is no Text is converted.

    > [1, 2].join("-") == "1-2"
    """
    return joined(need_text("List.join", sep), self.v.copy())


@needs("r")
def total(self: Any) -> Any:
    """The sum of the numbers; 0 if there is none.  ``sum`` without a function gives the same.

    > [1, 2, 3].total() == 6
    """
    return order.total(self.v.copy())


@needs("r")
def least(self: Any) -> Any:
    """The first least item, nil if there is none.  ``min`` without a function gives the same.

    > [3, 1, 2].least() == 1
    """
    return order.extreme(self.v.copy(), greatest=False) if len(self.v) else None


@needs("r")
def greatest(self: Any) -> Any:
    """The first greatest item, nil if there is none.  ``max`` without a function gives the same.

    > ["a", "c", "b"].greatest() == "c"
    """
    return order.extreme(self.v.copy(), greatest=True) if len(self.v) else None


@needs("r", value="r")
def bisect(self: Any, value: Any, after: Any = False) -> int:
    """The index where ``value`` fits into a List that is in order: before items that equal it, or after them.

    > [1, 3, 3, 5].bisect(3) == 1
    > [1, 3, 3, 5].bisect(3, after: true) == 3
    """
    return order.place(self.v, value, after=truthy(after))


PURE = table(len_, is_empty, get, first, last, contains, index, count, join, total, least, greatest, bisect)


# --------------------------------------------------------------------------- writers


def _writers(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """Methods that add items."""
    heap = runtime.heap

    @needs("w")
    def push(self: Any, value: Any) -> None:
        """Add an item at the end.

        > var xs = [1]
        > xs.push(2)
        > xs == [1, 2]
        """
        if self._t is not heap.token:
            heap.barrier(self)
        raw = self.v
        if len(raw) >= limits.LIST_LENGTH:
            limits.check_items("List", len(raw) + 1)
        raw.append(value)

    @needs("w", items="r")
    def extend(self: Any, items: Any) -> None:
        """Add the items of another collection at the end.

        > var xs = [1]
        > xs.extend([2, 3])
        > xs == [1, 2, 3]
        """
        new = items_of("List.extend", items)
        limits.check_items("List", len(self.v) + len(new))
        if self._t is not heap.token:
            heap.barrier(self)
        self.v.extend(new)

    @needs("rw")
    def insert(self: Any, index: Any, value: Any) -> None:
        """Put an item before the one at ``index``.

        > var xs = [1, 3]
        > xs.insert(1, 2)
        > xs == [1, 2, 3]
        """
        at, length = need_int("List.insert", index), len(self.v)
        limits.check_items("List", length + 1)
        if not -length <= at <= length:
            outside(self, at)
        if self._t is not heap.token:
            heap.barrier(self)
        self.v.insert(at, value)

    @needs("w", items="r")
    def replace_with(self: Any, items: Any) -> None:
        """Have the items of another collection instead of its own.

        > var xs = [1, 2]
        > xs.replace_with([3])
        > xs == [3]
        """
        new = items_of("List.replace_with", items)
        if self._t is not heap.token:
            heap.barrier(self)
        self.v[:] = new

    return table(push, extend, insert, replace_with)


def _removers(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """Methods that take items out."""
    heap = runtime.heap

    @needs("rw")
    def pop(self: Any, index: Any = -1) -> Any:
        """Take out the last item, or the one at ``index``, and give it.

        > [1, 2].pop() == 2
        > [1, 2].pop(0) == 1
        """
        at, length = need_int("List.pop", index), len(self.v)
        if not -length <= at < length:
            if not length:
                fail("IndexError", "cannot pop from an empty List: test is_empty() first")
            outside(self, at)
        if self._t is not heap.token:
            heap.barrier(self)
        return self.v.pop(at)

    @needs("rw")
    def remove(self: Any, value: Any) -> bool:
        """Take out the first item that equals ``value``; whether there was one.

        > var xs = [1, 2, 1]
        > xs.remove(1) == true
        > xs == [2, 1]
        """
        at = position(self.v, value)
        if at is None:
            return False
        if self._t is not heap.token:
            heap.barrier(self)
        del self.v[at]
        return True

    @needs("rw")
    def remove_at(self: Any, index: Any) -> Any:
        """Take out the item at ``index`` and give it.

        > ["a", "b"].remove_at(0) == "a"
        """
        at, length = need_int("List.remove_at", index), len(self.v)
        if not -length <= at < length:
            outside(self, at)
        if self._t is not heap.token:
            heap.barrier(self)
        return self.v.pop(at)

    @needs("w")
    def clear(self: Any) -> None:
        """Take out all items.

        > var xs = [1]
        > xs.clear()
        > xs == []
        """
        if self._t is not heap.token:
            heap.barrier(self)
        self.v.clear()

    return table(pop, remove, remove_at, clear)


def _movers(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """Methods that change which item is where."""
    heap = runtime.heap

    @needs("rw")
    def swap(self: Any, i: Any, j: Any) -> None:
        """Exchange two items.

        > var xs = [1, 2, 3]
        > xs.swap(0, -1)
        > xs == [3, 2, 1]
        """
        i, j, length = need_int("List.swap", i), need_int("List.swap", j), len(self.v)
        for at in (i, j):
            if not -length <= at < length:
                outside(self, at)
        if self._t is not heap.token:
            heap.barrier(self)
        raw = self.v
        raw[i], raw[j] = raw[j], raw[i]

    @needs("w")
    def fill(self: Any, value: Any) -> None:
        """Have the same value at every index.

        > var xs = [1, 2]
        > xs.fill(0)
        > xs == [0, 0]
        """
        if self._t is not heap.token:
            heap.barrier(self)
        self.v[:] = [value] * len(self.v)

    @needs("rw")
    def reverse(self: Any) -> None:
        """Turn the order around, in place.

        > var xs = [1, 2]
        > xs.reverse()
        > xs == [2, 1]
        """
        if self._t is not heap.token:
            heap.barrier(self)
        self.v[:] = self.v.copy()[::-1]

    return table(swap, fill, reverse)


# --------------------------------------------------------------------------- new Lists


def _parts(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """Methods that give a List of some of the items, or of all."""
    new_list = runtime.new_list

    @needs("r")
    def copy(self: Any) -> Any:
        """A new List of the same items.

        > [1, [2]].copy() == [1, [2]]
        """
        return new_list(self.v.copy())

    @needs("r")
    def slice(self: Any, start: Any = 0, end: Any = None) -> Any:
        """The items from ``start`` to before ``end``; negative ones count from the end, those outside are cut.

        > [1, 2, 3, 4].slice(1, -1) == [2, 3]
        """
        low, high = bounds(start, end, closed=False)
        return new_list(self.v[low:high])

    @needs("r")
    def take(self: Any, count: Any) -> Any:
        """The first items, at most so many.

        > [1, 2, 3].take(2) == [1, 2]
        """
        return new_list(self.v[: need_count("List.take", count)])

    @needs("r")
    def drop(self: Any, count: Any) -> Any:
        """All but the first items, so many.

        > [1, 2, 3].drop(2) == [3]
        """
        return new_list(self.v[need_count("List.drop", count) :])

    @needs("r")
    def reversed_(self: Any) -> Any:
        """A new List in the reverse order.

        > [1, 2, 3].reversed() == [3, 2, 1]
        """
        return new_list(self.v.copy()[::-1])

    return table(copy, slice, take, drop, reversed_)


def _orders(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """Methods that ``sorted`` is made of, each a bounded step."""
    new_list = runtime.new_list

    @needs("r", places="r")
    def pick(self: Any, places: Any) -> Any:
        """The items at the given indices.

        > ["a", "b", "c"].pick([2, 0]) == ["c", "a"]
        """
        return new_list(_pick(self, places))

    @needs("r", keys="r")
    def sorted_by_keys(self: Any, keys: Any, reverse: Any = False) -> Any:
        """A new List in the order of ``keys``, one for each item, nil for the items themselves; stable.

        > ["b", "a", "c"].sorted_by_keys([2, 1, 3]) == ["a", "b", "c"]
        """
        return new_list(_sorted(self.v.copy(), keys, reverse=truthy(reverse)))

    return table(pick, sorted_by_keys)


def _pick(values: Any, places: Any) -> list[Any]:
    """The items of a List at the indices."""
    raw = values.v if type(values.v) is list else values.v.copy()
    length = len(raw)
    chosen = items_of("List.pick", places)
    if not set(map(type, chosen)) <= {int} or (chosen and not -length <= min(chosen) <= max(chosen) < length):
        for at in chosen:
            if not -length <= need_int("List.pick", at) < length:
                outside(values, at)
    return list(map(raw.__getitem__, chosen))


def _sorted(items: list[Any], keys: Any, *, reverse: bool) -> list[Any]:
    """The items in the order of their keys; nil: in their own."""
    if keys is None:
        order.sort(items, reverse=reverse)
        return items
    if not is_list(keys):
        fail("TypeError", f"List.sorted_by_keys needs a List of keys, not {kind_name(keys)}")
    given = keys.v.copy()
    if len(given) != len(items):
        fail("ValueError", f"List.sorted_by_keys needs {len(items)} keys, not {len(given)}")
    ranks = order.ranking(given)
    places = sorted(range(len(items)), key=ranks.__getitem__, reverse=reverse)
    return [items[place] for place in places]


def _shapes(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """Methods that give a List of another shape."""
    new_list = runtime.new_list

    @needs("r")
    def unique(self: Any) -> Any:
        """Each value once, at its first place.

        > [3, 1, 3, 1].unique() == [3, 1]
        """
        return new_list(_unique(self.v.copy()))

    @needs("r")
    def flatten(self: Any) -> Any:
        """The items of the Lists in it, one level deep; other items as they are.

        > [[1, 2], [3, [4]], 5].flatten() == [1, 2, 3, [4], 5]
        """
        raw = self.v.copy()
        # A List that holds one long List many times is a bomb: the length is known before anything is copied.
        limits.check_items("List", sum([len(x.v) if is_list(x) else 1 for x in raw]))
        return new_list(list(chain.from_iterable([x.v if is_list(x) else (x,) for x in raw])))

    @needs("r", other="r")
    def zip_(self: Any, other: Any) -> Any:
        """Pairs of the items at the same index, as long as both have one.

        > [1, 2].zip(["a", "b", "c"]) == [[1, "a"], [2, "b"]]
        """
        others = items_of("List.zip", other)
        limits.check_objects("the pairs of a List", min(len(self.v), len(others)))
        return new_list([new_list([a, b]) for a, b in zip(self.v, others, strict=False)])

    @needs("r")
    def chunks(self: Any, size: Any) -> Any:
        """Lists of ``size`` items each, the last one of what is left.

        > [1, 2, 3].chunks(2) == [[1, 2], [3]]
        """
        step = cut(need_count("List.chunks", size))
        if not step:
            fail("ValueError", "List.chunks needs a size of at least 1")
        raw = self.v.copy()
        limits.check_objects("the chunks of a List", len(raw) // step)
        return new_list([new_list(raw[n : n + step]) for n in range(0, len(raw), step)])

    @needs("r")
    def indexed(self: Any) -> Any:
        """Pairs of index and item.

        > ["a", "b"].indexed() == [[0, "a"], [1, "b"]]
        """
        limits.check_objects("the pairs of a List", len(self.v))
        return new_list([new_list([n, item]) for n, item in enumerate(self.v)])

    return table(unique, flatten, zip_, chunks, indexed)


def _unique(raw: list[Any]) -> list[Any]:
    """Each value once; what cannot be a key is compared with each other such value."""
    if not any(issubclass(kind, COLLECTIONS) or kind is float for kind in set(map(type, raw))):
        return list(key_table("List.unique", raw))
    plain = [x for x in raw if x == x and not isinstance(x, COLLECTIONS)]
    seen: dict[Any, None] = dict.fromkeys(key_table("List.unique", plain))
    out: list[Any] = []
    found: list[Any] = []
    known: set[int] = set()
    for item in raw:
        if isinstance(item, COLLECTIONS):
            if id(item) in known:
                continue
            known.add(id(item))
            if position(found, item) is None:
                found.append(item)
                out.append(item)
                if len(found) > limits.UNIQUE_COLLECTIONS:
                    limits.over("the number of different Lists, Maps and Sets in unique", limits.UNIQUE_COLLECTIONS,
                                "make a Set of a key of each")  # fmt: skip
        elif item != item:
            out.append(item)
        elif item in seen:
            del seen[item]
            out.append(item)
    return out


def methods(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """All methods of List in one world."""
    made = _writers(runtime) | _removers(runtime) | _movers(runtime)
    return PURE | made | _parts(runtime) | _orders(runtime) | _shapes(runtime)
