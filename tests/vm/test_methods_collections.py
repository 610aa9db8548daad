"""Methods of List, Map and Set: against Python's, with the barrier before every write, and no bombs."""

from __future__ import annotations

import inspect
import math
import time
from bisect import bisect_left, bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.vm import limits
from holdfast.vm.objects import Thrown
from tests.pace import within

NAN = math.nan
ITEMS = st.lists(st.integers(0, 5), max_size=8)
PLACES = st.integers(-9, 9)
KEYS = st.one_of(st.integers(0, 4), st.sampled_from(["a", "b", None, True, 1.0]))
MAPS = st.dictionaries(KEYS, st.integers(), max_size=5)


def changed(bench, kind, name, plain, *arguments):
    """What a method gives, and its object afterwards."""
    obj = bench.value(plain)
    bench.heap.written.clear()
    result = bench.outcome(lambda *rest: bench.methods[kind][name](obj, *rest), *arguments)
    if bench.plain(obj) != plain:
        assert bench.heap.written == [obj]
    return result, bench.plain(obj)


# --------------------------------------------------------------------------- List


@given(ITEMS, st.integers(0, 5), PLACES)
def test_list_writers(bench, items, value, at):
    """Each writer leaves what Python's counterpart leaves; an index outside is an error that changes nothing."""
    inside = -len(items) <= at < len(items)
    model = list(items)
    assert changed(bench, "List", "push", items, value) == (None, [*items, value])
    assert changed(bench, "List", "extend", items, range(3)) == (None, [*items, 0, 1, 2])
    assert changed(bench, "List", "clear", items) == (None, [])
    assert changed(bench, "List", "fill", items, value) == (None, [value] * len(items))
    assert changed(bench, "List", "reverse", items) == (None, items[::-1])
    assert changed(bench, "List", "replace_with", items, [7]) == (None, [7])
    for name in ("pop", "remove_at"):
        result, after = changed(bench, "List", name, items, at)
        if inside:
            model = list(items)
            assert (result, after) == (model.pop(at), model)
        else:
            assert result.startswith("IndexError: ") and after == items
    result, after = changed(bench, "List", "insert", items, at, value)
    if -len(items) <= at <= len(items):
        model = list(items)
        model.insert(at, value)
        assert after == model
    else:
        assert result.startswith("IndexError: ") and after == items
    result, after = changed(bench, "List", "remove", items, value)
    model = list(items)
    if value in model:
        model.remove(value)
    assert (result, after) == (value in items, model)


@given(ITEMS, PLACES, PLACES)
def test_swap(bench, items, i, j):
    """Two items change places, or nothing happens."""
    result, after = changed(bench, "List", "swap", items, i, j)
    if all(-len(items) <= at < len(items) for at in (i, j)):
        items[i], items[j] = items[j], items[i]
        assert after == items
    else:
        assert result.startswith("IndexError: ") and after == items


@given(ITEMS, st.integers(0, 5), PLACES, st.none() | PLACES, st.integers(1, 4))
def test_list_readers(bench, items, value, low, high, size):
    """Each reader gives what Python would."""
    call = lambda name, *arguments: bench.call("List", name, items, *arguments)  # noqa: E731
    assert call("index", value) == (items.index(value) if value in items else None)
    assert call("index", value, -1) == (items.index(value) if value in items else -1)
    assert call("contains", value) is (value in items)
    assert call("count", value) == items.count(value)
    assert call("slice", low, high) == items[low:high]
    assert call("take", size) == items[:size] and call("drop", size) == items[size:]
    assert call("reversed") == items[::-1] and call("copy") == items
    assert call("unique") == list(dict.fromkeys(items))
    assert call("chunks", size) == [items[n : n + size] for n in range(0, len(items), size)]
    assert call("indexed") == [[n, x] for n, x in enumerate(items)]
    assert call("zip", "abc") == [[a, b] for a, b in zip(items, "abc", strict=False)]
    assert call("join", "-") == "-".join(map(str, items))
    assert call("total") == sum(items)
    assert call("least") == min(items, default=None) and call("greatest") == max(items, default=None)
    assert call("first") == (items[0] if items else None) and call("last") == (items[-1] if items else None)
    assert call("get", low, "no") == (items[low] if -len(items) <= low < len(items) else "no")
    assert call("len") == len(items) and call("is_empty") is (not items)
    assert call("sorted_by_keys", [-x for x in items]) == sorted(items, reverse=True)


@given(st.lists(st.tuples(st.integers(0, 2) | st.sampled_from([0.0, 1.5]), st.integers())), st.booleans())
def test_sorting_by_keys_is_stable(bench, pairs, reverse):
    """Items with equal keys stay in their order, reversed too."""
    items, keys = [list(p) for p in pairs], [p[0] for p in pairs]
    expected = sorted(items, key=lambda p: p[0], reverse=reverse)
    assert bench.call("List", "sorted_by_keys", items, keys, reverse) == expected


def test_sorting_by_keys_that_are_lists_or_nan(bench):
    """Keys may be Lists; NaN sorts last."""
    assert bench.call("List", "sorted_by_keys", ["a", "b", "c"], [[2], [1, 5], [1]]) == ["c", "b", "a"]
    assert bench.call("List", "sorted_by_keys", ["a", "b", "c"], [NAN, 2, 1.5]) == ["c", "b", "a"]
    assert bench.call("List", "sorted_by_keys", ["a"], [1, 2]) == "ValueError: List.sorted_by_keys needs 1 keys, not 2"
    assert bench.call("List", "sorted_by_keys", ["a"], "x").startswith("TypeError: ")


@given(st.lists(st.integers(0, 3), min_size=1), st.data())
def test_places(bench, items, data):
    """The items at indices; and the index where a value fits into a List that is in order."""
    places = data.draw(st.lists(st.integers(0, len(items) - 1)))
    assert bench.call("List", "pick", items, places) == [items[at] for at in places]
    assert bench.call("List", "pick", items, [len(items)]).startswith("IndexError: ")
    assert bench.call("List", "pick", items, ["a"]).startswith("TypeError: ")
    value = data.draw(st.integers(-1, 4))
    assert bench.call("List", "bisect", sorted(items), value) == bisect_left(sorted(items), value)
    assert bench.call("List", "bisect", sorted(items), value, True) == bisect_right(sorted(items), value)


def test_bisect_knows_the_order_of_all_kinds(bench):
    """NaN goes last; kinds without an order are an error."""
    assert bench.call("List", "bisect", [1, NAN, NAN], NAN) == 1
    assert bench.call("List", "bisect", [1, NAN], 2) == 1
    assert bench.call("List", "bisect", [[1], [2]], [1, 5]) == 1
    assert bench.call("List", "bisect", [1], "a").startswith("TypeError: cannot order ")


def test_flatten(bench):
    """One level only."""
    assert bench.call("List", "flatten", [[1, [2]], 3, [], "ab"]) == [1, [2], 3, "ab"]


def test_values_of_any_kind(bench):
    """Equality is Hold's: 1 == 1.0 == true, collections by content, NaN equal to nothing."""
    items = [1, [1], {"a": [1]}, NAN, "a", b"a", None]
    assert [bench.call("List", "index", items, x) for x in items] == [0, 1, 2, None, 4, 5, 6]
    assert bench.call("List", "count", [1, True, 1.0, [1], [1.0]], [True]) == 2
    unique = bench.call("List", "unique", [[1], 1, True, [1.0], {1}, {1}, NAN, NAN, 2.0, 2])
    assert unique[:4] == [[1], 1, {1}, unique[3]] and len(unique) == 6 and unique[5] == 2.0


LIST_ERRORS = [
    ("pop", ([],), "IndexError: cannot pop from an empty List: test is_empty() first"),
    ("pop", ([1], 4), "IndexError: index 4 is outside a List of 1"),
    ("pop", ([1], "a"), "TypeError: List.pop needs an Int, not Text: convert with Int(x)"),
    ("pop", ([1], 10**30), f"IndexError: index {10**30} is outside a List of 1"),
    ("chunks", ([1], 0), "ValueError: List.chunks needs a size of at least 1"),
    ("take", ([1], -1), "ValueError: List.take needs a number of at least 0, not -1"),
    ("take", ([1], 10**30), [1]),
    ("extend", ([1], 5), "TypeError: List.extend needs a List, Set, Map, Range, Text or Bytes, not Int"),
    ("join", ([1], 5), "TypeError: List.join needs a Text, not Int: convert with Text(x)"),
    ("total", (["a"],), "TypeError: cannot sum Text: numbers are needed, or join"),
    ("least", ([1, "a"],), "TypeError: cannot order Int and Text: "),
]


@pytest.mark.parametrize(("name", "arguments", "expected"), LIST_ERRORS)
def test_list_errors(bench, name, arguments, expected):
    """Errors name method, value and way out."""
    result = bench.call("List", name, *arguments)
    assert result.startswith(expected) if str(expected).endswith(": ") else result == expected


def test_a_list_may_extend_itself(bench):
    """The items are taken before the first is added."""
    xs = bench.value([1, 2])
    bench.methods["List"]["extend"](xs, xs)
    assert xs.v == [1, 2, 1, 2]


# --------------------------------------------------------------------------- Map


@given(MAPS, KEYS, st.integers(), MAPS)
def test_maps(bench, entries, key, value, other):
    """Methods of Map against dict."""
    call = lambda name, *arguments: bench.call("Map", name, entries, *arguments)  # noqa: E731
    assert call("get", key) == entries.get(key) and call("get", key, 7) == entries.get(key, 7)
    assert call("has", key) is (key in entries)
    assert call("keys") == list(entries) and call("values") == list(entries.values())
    assert call("items") == [[k, v] for k, v in entries.items()]
    assert call("copy") == entries and call("len") == len(entries) and call("is_empty") is (not entries)
    assert changed(bench, "Map", "update", entries, other) == (None, entries | other)
    assert changed(bench, "Map", "clear", entries) == (None, {})
    model = dict(entries)
    assert changed(bench, "Map", "remove", entries, key, -1) == (model.pop(key, -1), model)
    model = dict(entries)
    assert changed(bench, "Map", "setdefault", entries, key, value) == (model.setdefault(key, value), model)


@pytest.mark.parametrize("name", ["get", "has", "remove", "setdefault"])
def test_keys_of_maps(bench, name):
    """What can change is no key, and NaN neither."""
    assert bench.call("Map", name, {}, [1]).startswith("TypeError: a List cannot be a key of a Map: ")
    assert bench.call("Map", name, {}, NAN).startswith("ValueError: nan cannot be a key of a Map: ")
    assert bench.call("Map", "update", {}, [1]) == "TypeError: Map.update needs a Map, not List"


# --------------------------------------------------------------------------- Set


@given(st.sets(KEYS), KEYS, st.sets(KEYS), st.booleans())
def test_sets(bench, members, key, other, as_list):
    """Methods of Set against set; the other side may be any collection."""
    given_ = list(other) if as_list else other
    call = lambda name, *arguments: bench.call("Set", name, members, *arguments)  # noqa: E731
    assert call("has", key) is call("contains", key) is (key in members)
    assert call("union", given_) == members | other
    assert call("intersection", given_) == members & other
    assert call("difference", given_) == members - other
    assert call("symmetric_difference", given_) == members ^ other
    assert call("is_subset", given_) is (members <= other)
    assert call("is_superset", given_) is (members >= other)
    assert call("is_disjoint", given_) is members.isdisjoint(other)
    assert call("copy") == members and set(call("list")) == members and call("len") == len(members)
    assert call("is_empty") is (not members) and (call("first") in members or not members)
    assert changed(bench, "Set", "add", members, key) == (key not in members, members | {key})
    assert changed(bench, "Set", "remove", members, key) == (key in members, members - {key})
    assert changed(bench, "Set", "update", members, given_) == (None, members | other)
    assert changed(bench, "Set", "clear", members) == (None, set())


@pytest.mark.parametrize("name", ["has", "contains", "add", "remove"])
def test_members_of_sets(bench, name):
    """What can change is no member, and NaN neither."""
    assert bench.call("Set", name, set(), [1]).startswith("TypeError: a List cannot be a key of a Set: ")
    assert bench.call("Set", name, set(), NAN).startswith("ValueError: nan cannot be a key of a Set: ")


def test_order_of_members(bench):
    """Members and keys stay in the order in which they came."""
    s = bench.new_set({3: None, 1: None})
    assert bench.methods["Set"]["list"](bench.methods["Set"]["union"](s, bench.value([2, 1]))).v == [3, 1, 2]


# --------------------------------------------------------------------------- barrier and rights

CALLS = {
    "List": {
        "push": [9], "extend": [[9]], "insert": [0, 9], "replace_with": [[9]], "pop": [], "remove": [2],
        "remove_at": [0], "clear": [], "swap": [0, 1], "fill": [9], "reverse": [], "get": [0], "contains": [1],
        "index": [1], "count": [1], "slice": [1], "take": [1], "drop": [1], "sorted_by_keys": [None], "zip": [[1]],
        "chunks": [1], "pick": [[0]], "bisect": [2],
    },
    "Map": {"get": ["a"], "has": ["a"], "remove": ["a"], "setdefault": ["z", 1], "update": [{"z": 1}]},
    "Set": {
        "has": [1], "contains": [1], "add": [9], "remove": [2], "update": [[9]], "union": [[9]], "intersection": [[1]],
        "difference": [[1]], "symmetric_difference": [[1]], "is_subset": [[1]], "is_superset": [[1]],
        "is_disjoint": [[1]],
    },
}  # fmt: skip
OBJECTS = {"List": [1, 2, 3], "Map": {"a": 1}, "Set": {1, 2}}


@pytest.mark.parametrize("kind", list(OBJECTS))
def test_a_method_writes_exactly_if_it_says_so(bench, kind):
    """A method that declares w passes the barrier, with a stale token, before the change; no other one writes."""
    for name, function in bench.methods[kind].items():
        obj = bench.value(OBJECTS[kind])
        seen = []
        obj._t = None
        before = bench.plain(obj)
        barrier = bench.heap.barrier
        bench.heap.barrier = lambda o, seen=seen, b=barrier: (seen.append(bench.plain(o)), b(o))
        try:
            function(obj, *map(bench.value, CALLS[kind].get(name, [])))
        except Thrown as thrown:
            raise AssertionError(name + thrown.error.f_message) from None
        finally:
            del bench.heap.barrier
        writes = "w" in function.__hold_rights__["self"]
        assert seen == ([before] if writes else []), name
        assert (bench.plain(obj) != before) is writes, name


def test_rights_are_declared(bench):
    """Every method declares the rights that it needs of each of its parameters; those of collections read or write."""
    for kind, methods in bench.methods.items():
        for name, function in methods.items():
            rights = function.__hold_rights__
            assert list(rights) == list(inspect.signature(function).parameters), (kind, name)
            assert set(rights.values()) <= {"", "r", "w", "rw"}
            assert rights["self"] or kind not in OBJECTS, (kind, name)
    for name, function in bench.builtins.items():
        assert list(function.__hold_rights__) == list(inspect.signature(function).parameters), name


# --------------------------------------------------------------------------- bombs


def full(bench):
    """A List at its limit, without the memory."""

    class Long(list):
        def __len__(self):
            return limits.LIST_LENGTH

    return bench.new_list(Long([1]))


def shared(bench, times):
    """A List of many references to one long List."""
    return bench.new_list([bench.new_list([1] * 10_000)] * times)


BOMBS = [
    ("push onto a full List", lambda b: b.methods["List"]["push"](full(b), 1)),
    ("extend a full List", lambda b: b.methods["List"]["extend"](full(b), b.new_list([1]))),
    ("insert into a full List", lambda b: b.methods["List"]["insert"](full(b), 0, 1)),
    ("flatten", lambda b: b.methods["List"]["flatten"](shared(b, 10_000))),
    ("indexed", lambda b: b.methods["List"]["indexed"](b.new_list([1] * 2_000_000))),
    ("chunks", lambda b: b.methods["List"]["chunks"](b.new_list([1] * 2_000_000), 1)),
    ("zip", lambda b: b.methods["List"]["zip"](b.new_list([1] * 2_000_000), range(2_000_000))),
    ("zip with a Range", lambda b: b.methods["List"]["zip"](b.new_list([1]), range(10**18))),
    ("sort", lambda b: b.methods["List"]["sorted_by_keys"](b.new_list([1] * 600_000), None)),
    ("unique Lists", lambda b: b.methods["List"]["unique"](b.new_list([b.new_list([n]) for n in range(5_000)]))),
    ("unique collisions", lambda b: b.methods["List"]["unique"](b.new_list([n * (2**61 - 1) for n in range(100_000)]))),
    (
        "union of collisions",
        lambda b: b.methods["Set"]["union"](b.new_set({}), b.new_list([n * (2**61 - 1) for n in range(100_000)])),
    ),
    ("sum", lambda b: b.methods["List"]["total"](b.new_list([1 << 999_999] * 1_000_000))),
    ("join", lambda b: b.methods["List"]["join"](b.new_list(["a" * 1_000_000] * 1_000), "")),
    (
        "sort of shared Lists",
        lambda b: b.methods["List"]["sorted_by_keys"](
            b.new_list([b.new_list([b.new_list([0] * 100_000), n]) for n in range(1_000)]), None
        ),
    ),
]


@pytest.mark.parametrize("bomb", [row[1] for row in BOMBS], ids=[row[0] for row in BOMBS])
def test_bombs(bench, bomb):
    """Threat 23: what would be too large, or take too long, is a LimitError, and soon."""
    began = time.process_time()
    result = bench.outcome(lambda: bomb(bench))
    assert isinstance(result, str) and result.startswith("LimitError: ") and " is over the limit of " in result
    assert within(time.process_time() - began, 5)


@pytest.mark.parametrize("name", ["sorted_by_keys", "unique", "contains", "count", "greatest", "index"])
def test_equal_huge_values_many_times(bench, name):
    """Many references to two equal huge Ints are sorted and searched without comparing them as often."""
    raw = [(1 << 900_000) + 1, (1 << 900_000) + 1, (1 << 900_000) + 3] * 80_000
    arguments = {"sorted_by_keys": [None], "unique": [], "greatest": []}.get(name, [(1 << 900_000) + 5])
    began = time.process_time()
    bench.methods["List"][name](bench.new_list(raw), *arguments)
    assert within(time.process_time() - began, 5)
