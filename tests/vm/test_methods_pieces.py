"""Methods of collections that are kept in pieces: the same as those of small ones."""

from __future__ import annotations

import pytest

from holdfast.vm.methods import methods
from holdfast.vm.world import World

CALLS = {
    "List": [
        ("get", 5), ("contains", 39_999), ("index", "x"), ("index", 39_999), ("count", 5), ("join", "-"), ("total",),
        ("least",), ("greatest",), ("bisect", 777), ("copy",), ("slice", 3, -5), ("take", 5), ("drop", 39_990),
        ("reversed",), ("pick", [1, 39_999]), ("sorted_by_keys", None), ("unique",), ("flatten",), ("zip", range(5)),
        ("chunks", 1_000), ("indexed",), ("push", 1), ("extend", range(4)), ("insert", 5, "a"), ("pop",), ("pop", 0),
        ("remove", "a"), ("remove_at", 5), ("swap", 0, -1), ("reverse",), ("fill", 3), ("replace_with", [1, 2]),
        ("clear",),
    ],
    "Map": [
        ("get", 5), ("has", -5), ("keys",), ("values",), ("items",), ("copy",), ("len",), ("setdefault", 5, 1),
        ("setdefault", -5, 1), ("remove", 5), ("update", {"z": 1}), ("clear",),
    ],
    "Set": [
        ("has", 5), ("first",), ("copy",), ("list",), ("union", [1, -1]), ("intersection", [1, -1]),
        ("difference", [1, -1]), ("symmetric_difference", [1, -1]), ("is_subset", range(7_000)), ("is_superset", [1]),
        ("is_disjoint", [-1]), ("add", -3), ("remove", -3), ("update", [-9]), ("clear",),
    ],
}  # fmt: skip

PROGRAM = """
root.List = List(0..40_000)
root.Map = {}
for i in 0..6_000 { root.Map[i] = i * 2 }
root.Set = Set(0..6_000)
"""


def content(bench, value):
    """A value as plain Python, with the order of its keys."""
    number = getattr(type(value), "_k", 0)
    return list(value.v) if number == 3 else list(value.v.items()) if number == 2 else bench.plain(value)


@pytest.mark.parametrize("kind", list(CALLS))
def test_pieces_are_like_small_ones(bench, tmp_path, kind):
    """Each method gives the same, and leaves the same, on a large stored collection as on a raw container."""
    with World.open(tmp_path / "world") as world:
        world.run_source(PROGRAM)
        world.checkpoint()
        stored = world.heap.root.v[kind]
        assert type(stored.v) not in (list, dict)
        new = {"List": world.new_list, "Map": world.new_map, "Set": world.new_set}[kind]
        table = methods(world)[kind]
        for name, *arguments in CALLS[kind]:
            raw = content(bench, stored)
            small = new(raw if kind == "List" else dict(raw) if kind == "Map" else dict.fromkeys(raw))
            results = [table[name](obj, *map(bench.value, arguments)) for obj in (stored, small)]
            assert content(bench, results[0]) == content(bench, results[1]), name
            assert content(bench, stored) == content(bench, small), name
