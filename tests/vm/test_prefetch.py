"""Decoding ahead is not to be seen: neither in what is read, nor in what is loaded for it, nor in who meets damage."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from holdfast.vm import ids, prefetch, readahead
from holdfast.vm import world as machine
from holdfast.vm.codec import INLINE_MAX, DamagedRecord
from holdfast.vm.domains import Domain
from holdfast.vm.objects import Obj, is_ghost
from holdfast.vm.piecemap import PieceMap
from holdfast.vm.store import object_key
from tests.vm.worlds import POINT, World, closure

COUNT = 6_000


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world with points in a large Map, just opened; every look-up reads ahead."""
    made = World(tmp_path / "w")
    root = made.touch(made.heap.root)
    root.v["m"] = made.new("Map", {n: made.new(POINT, n, str(n), n / 2, None) for n in range(COUNT)})
    root.v["t"] = made.new("Map", {f"key {n}": n for n in range(COUNT)})
    made.save()
    monkeypatch.setattr(readahead, "MISSES", 1)
    monkeypatch.setattr(readahead, "LATER", 0)
    monkeypatch.setattr(readahead, "MISS_CREDIT", 10_000)
    made = again(made)
    yield made
    made.close()


def again(world: World) -> World:
    """The same world, opened again."""
    world.close()
    return World(world.path)


def cached(found: Any) -> int:
    """The number of entries of a Map that are in memory."""
    assert isinstance(found, PieceMap)
    return dict.__len__(found)


def neighbours(world: World, place: int) -> list[Any]:
    """The points whose entries are in memory once the one at a place was asked for and read."""
    found = world.heap.root.v["m"].v
    assert found[place].f_a == place
    return [point for key, point in dict.items(found) if key != place]


@pytest.mark.parametrize("seed", range(6))
def test_what_is_read(world: World, seed: int) -> None:
    """In any order, between any changes and checkpoints, each entry and field is what it was made, or changed to."""
    print("seed", seed)
    rng = random.Random(seed)
    found = world.touch(world.heap.root.v["m"]).v
    texts = world.touch(world.heap.root.v["t"]).v
    expected: dict[int, int] = {n: n for n in range(COUNT)}
    numbers: dict[str, int] = {f"key {n}": n for n in range(COUNT)}
    opened: Any = None
    for _ in range(1_500):
        key = rng.randrange(COUNT)
        match rng.randrange(12):
            case 0 if key in expected:
                world.touch(found[key]).f_a = expected[key] = -key
            case 1 if key in expected:
                world.touch(world.heap.root.v["m"])
                del found[key], expected[key]
            case 2:
                world.touch(world.heap.root.v["m"])
                found[key] = world.new(POINT, key + 1, "", 0, None)
                expected[key] = key + 1
            case 3:
                world.touch(world.heap.root.v["t"])
                texts[f"key {key}"] = numbers[f"key {key}"] = -key
            case 4 if opened is None:
                opened = world.checkpoints.begin()
            case 5 | 6 if opened is not None:
                opened = opened if opened.step() else None
            case _:
                assert texts.get(f"key {key}") == numbers.get(f"key {key}")
                assert (found[key].f_a if key in found else None) == expected.get(key)
    if opened is not None:
        opened.run()
    world.save()
    fresh = again(world)
    found = fresh.heap.root.v["m"].v
    assert {key: point.f_a for key, point in found.items()} == expected
    assert dict(fresh.heap.root.v["t"].v.items()) == numbers
    fresh.close()
    world.__init__(world.path)  # type: ignore[misc]  # the fixture closes it


def test_neighbours_are_there(world: World) -> None:
    """The block of what was asked for is decoded; some of it is left, to tell how much of it is asked for."""
    others = neighbours(world, 700)
    assert len(others) > 450
    ghosts = [point for point in others if is_ghost(point)]
    assert 0 < len(ghosts) < 200
    assert {point.f_b for point in others} == {str(point.f_a) for point in others}


def test_damage_is_met_by_who_wants_it(world: World) -> None:
    """A damaged neighbour harms nobody, until it is asked for."""
    found = world.heap.root.v["m"].v
    hurt, lost = found[701]._i, found.int_prefix + (703).to_bytes(2, "big")
    fresh = again(world)
    batch = fresh.store.batch()
    for key in (object_key(hurt), lost):
        record = fresh.store.get(key)
        assert record is not None
        batch.put(key, record[:-1] + bytes((record[-1] ^ 1,)))
    fresh.store.write(batch)
    assert len(neighbours(fresh, 700)) > 450
    found = fresh.heap.root.v["m"].v
    with pytest.raises(DamagedRecord, match=ids.kid(hurt)):
        found[701].f_a  # noqa: B018
    with pytest.raises(DamagedRecord, match="a piece"):
        found[703]
    assert found[702].f_a == 702
    fresh.close()
    world.__init__(world.path)  # type: ignore[misc]


def test_nothing_heavy_is_loaded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a function nor a large Text is made for a neighbour that refers to it."""
    found = world.touch(world.heap.root.v["m"]).v
    world.touch(found[701]).f_d = closure(5)
    world.touch(found[702]).f_d = "x" * (INLINE_MAX + 1)
    world.touch(found[703]).f_d = world.new("List", [1])
    world.touch(world.heap.root.v["m"])
    found[704] = closure(6)
    world.save()
    fresh = again(world)
    made: list[Any] = []
    monkeypatch.setattr(fresh.heap.machine, "make_function", lambda parts: made.append(parts) or closure(parts))
    monkeypatch.setattr(fresh.heap.large, "load", lambda oid: made.append(oid) or "x")
    others = {point._i: point for point in neighbours(fresh, 700)}
    found = fresh.heap.root.v["m"].v
    assert made == []
    assert not dict.__contains__(found, 704)
    assert all(is_ghost(others[found[key]._i]) for key in (701, 702))
    assert is_ghost(found[703].f_d)
    assert isinstance(found[701].f_d, FunctionType) and found[702].f_d == "x" and isinstance(found[704], FunctionType)
    assert len(made) == 3
    fresh.close()
    world.__init__(world.path)  # type: ignore[misc]


def test_what_is_special_is_left(world: World) -> None:
    """What is owned, or has fields of its own, is loaded when it is asked for, with them."""
    owner = Domain()
    owner._t, owner._i = world.heap.token, 0
    for name in Domain._slots:
        setattr(owner, name, None)
    found = world.heap.root.v["m"].v
    world.touch(found[701])._o = owner
    world.touch(found[702])._x = {"more": 7}
    world.save()
    fresh = again(world)
    neighbours(fresh, 700)
    found = fresh.heap.root.v["m"].v
    assert is_ghost(found[701]) and is_ghost(found[702])
    assert (found[701].f_a, found[702].f_a, found[702]._x) == (701, 702, {"more": 7})
    assert isinstance(found[701]._o, Obj)
    fresh.close()
    world.__init__(world.path)  # type: ignore[misc]


def test_no_memory_for_what_nobody_wants(world: World) -> None:
    """A world that has used up much of its memory decodes nothing ahead."""
    world.heap.memory_limit = 1 << 30
    world.heap.memory_used = int(prefetch.CROWDED * (1 << 30)) + 1
    assert neighbours(world, 700) == []
    world.heap.memory_used = 0
    assert len(neighbours(world, 1700)) > 450


def test_single_looks_load_nothing_else(tmp_path: Path) -> None:
    """Who touches few objects of many has those few in memory."""
    world = World(tmp_path / "w")
    root = world.touch(world.heap.root)
    root.v["m"] = world.new("Map", {n: world.new(POINT, n, "", 0, None) for n in range(50_000)})
    world.save()
    world = again(world)
    found = world.heap.root.v["m"].v
    for key in range(0, 50_000, 2_000):
        assert found[key].f_a == key
    assert cached(found) == 25
    assert len(world.heap.table) < 40
    world.close()


def test_no_class_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A neighbour that holds a class does not have its module loaded, nor can that fail for who reads another one."""
    path = tmp_path / "w"
    made = "class P { a\n b }\nroot.p = P(a: 1, b: nil)\nroot.items = []\n"
    made += "for i in 0..600 { root.items.push(P(a: i, b: nil)) }"
    deep = (
        "let l = root.items\nfn deep(n) { if n == 0 { return l[300].a }\n return deep(n - 1) + 0 }\nroot.n = deep(%d)"
    )
    for text, name in ((made, "a.hold"), ('import "lib.hold" as lib\nroot.items[5].b = lib.Foo', "b.hold")):
        with machine.World.open(path, durability="process") as world:
            world.modules.loader = {"lib.hold": "class Foo { x = 1 }"}.get
            world.run_source(text, name)
    monkeypatch.setattr(readahead, "MISSES", 1)
    monkeypatch.setattr(readahead, "LATER", 0)
    for depth in (1, 109_850):
        with machine.World.open(path, durability="process") as world:
            world.run_source(deep % depth, "use.hold")
            assert world.heap.root.v["n"] == 300
            assert "lib.hold" not in world.modules.newest
