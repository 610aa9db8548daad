"""Checkpoints and the heap: the laws that random runs seldom meet."""

from __future__ import annotations

import gc
import struct
import threading
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from holdfast.vm import checkpoint as module
from holdfast.vm import ids
from holdfast.vm.cadence import Cadence
from holdfast.vm.codec import DamagedRecord, UnstorableValue, bare_codec, seal_record
from holdfast.vm.domains import Domain
from holdfast.vm.heap import Heap
from holdfast.vm.hooks import BareMachine
from holdfast.vm.objects import Error, is_ghost, make_class, make_error
from holdfast.vm.store import WorldDamaged, object_key
from tests.vm.worlds import POINT, Machine, World, canonical, closure


@pytest.fixture
def world(tmp_path: Path) -> Any:
    """A new world, saved once."""
    made = World(tmp_path / "w")
    made.save()
    yield made
    made.close()


def reopened(world: World) -> World:
    """The world as a new process finds it."""
    world.close()
    world.__init__(world.path)  # type: ignore[misc]
    return world


def stored(world: World) -> Any:
    """The graph as another heap reads it from the store now."""
    return canonical(Heap(world.store, Machine()).root)


def test_an_encoded_object_lives_until_it_is_written(world: World) -> None:
    """An object that was encoded and let go of is not read again, in an older state, before its record is written."""
    root = world.touch(world.heap.root)
    root.v["p"] = world.new(POINT, 1, 2, 3, 4)
    root.v["q"] = world.new(POINT, root.v["p"], 0, 0, 0)
    world.save()
    point = world.heap.root.v["p"]
    del world.touch(world.heap.root).v["p"]
    world.touch(point).f_a = "new"
    del point
    for _ in world.heap.sweep(0):
        pass
    with mock.patch.object(module, "SLICE_S", 0.0):
        opened = world.checkpoints.begin()
        for _ in range(2):
            opened.step()
        assert world.heap.open is opened
        assert world.heap.root.v["q"].f_a.f_a == "new"
        opened.run()


def test_pre_image_of_a_new_object(world: World) -> None:
    """What is written into a new object after the beginning is not in the checkpoint, and is in the next one."""
    point = world.new(POINT, "before", None, None, None)
    world.touch(world.heap.root).v["p"] = point
    opened = world.checkpoints.begin()
    late = world.new(POINT, "late", None, None, None)
    world.touch(point).f_a = late
    opened.run()
    assert Heap(world.store, Machine()).root.v["p"].f_a == "before"
    assert late._i == 0
    world.save()
    assert Heap(world.store, Machine()).root.v["p"].f_a.f_a == "late"


def test_a_checkpoint_waits_for_atomic(world: World) -> None:
    """No checkpoint begins inside an atomic block, and none is due."""
    world.heap.begin_atomic()
    assert not world.checkpoints.due(1e9)
    with pytest.raises(RuntimeError):
        world.checkpoints.begin()
    world.heap.abort_atomic()
    assert world.checkpoints.due(1e9)


@pytest.mark.parametrize("large", [False, True])
def test_nested_atomic(world: World, large: bool) -> None:
    """What an inner block kept is undone with the outer one, also where the inner one wrote first, or cleared."""
    count = 5_000 if large else 5
    root = world.touch(world.heap.root)
    root.v["m"] = world.new("Map", {n: n for n in range(count)})
    root.v["l"] = world.new("List", list(range(count * 4)))
    world.save()
    expected = canonical(world.heap.root)
    heap = world.heap
    for clear in (False, True):
        heap.begin_atomic()
        world.touch(root.v["m"]).v[1] = "outer"
        heap.begin_atomic()
        world.touch(root.v["m"]).v[2] = "inner"
        world.touch(root.v["m"]).v[1] = "inner"
        del world.touch(root.v["m"]).v[3]
        world.touch(root.v["l"]).v[0] = "inner"
        if clear:
            root.v["m"].v.clear()
            root.v["m"].v["x"] = 1
            root.v["l"].v.clear()
        heap.commit_atomic()
        world.touch(root.v["m"]).v[4] = "outer"
        world.touch(root.v["l"]).v.append("outer")
        heap.abort_atomic()
        assert canonical(heap.root) == expected
    world.save()
    assert stored(world) == expected


def test_undo_in_place(world: World) -> None:
    """An undone container is the same object of the host: a frame may iterate over it."""
    root = world.touch(world.heap.root)
    root.v["l"] = world.new("List", [1, 2, 3])
    raw = root.v["l"].v
    world.heap.begin_atomic()
    world.touch(root.v["l"]).v.append(4)
    world.heap.abort_atomic()
    assert root.v["l"].v is raw
    assert raw == [1, 2, 3]


def test_undo_of_slots_that_held_nothing(world: World) -> None:
    """A slot and an extra field that were set first inside an undone block hold nothing again."""
    point = POINT()
    point._t, point._i = world.heap.token, 0
    point.f_a = 1
    world.touch(world.heap.root).v["p"] = point
    world.save()
    world.heap.begin_atomic()
    world.touch(point).f_b = 2
    point._x = {"more": 1}
    world.heap.abort_atomic()
    assert not hasattr(point, "f_b")
    assert not point._x
    world.save()
    reopened(world)
    again = world.heap.root.v["p"]
    assert again.f_a == 1
    assert not hasattr(again, "f_b")


def test_ahead_of_the_commit(world: World) -> None:
    """Records that were written ahead of a commit that never came are ignored, and deleted at the next opening."""
    root = world.touch(world.heap.root)
    root.v["m"] = world.new("Map", {n: world.new(POINT, n, 0, 0, 0) for n in range(9_000)})
    expected = stored(world)
    opened = world.checkpoints.begin()
    while not opened.records:
        opened.step()
    serial = world.heap.serial
    world.close()
    world.__init__(world.path)  # type: ignore[misc]
    assert world.heap.serial < serial
    keys = [key for letter in (b"O", b"P") for key, _ in world.store.scan(letter)]
    assert all(ids.serial_of(int.from_bytes(key[1:9], "big")) <= world.heap.serial for key in keys)
    assert canonical(world.heap.root) == expected


def test_functions_of_any_depth(world: World) -> None:
    """A chain of 20,000 closures is read again without recursion, and shared functions stay shared."""
    function = closure()
    for _ in range(20_000):
        function = closure(function, function)
    world.touch(world.heap.root).v["f"] = function
    world.touch(world.heap.root).v["g"] = function
    world.save()
    del function
    reopened(world)
    found = world.heap.root.v["f"]
    assert world.heap.root.v["g"] is found
    depth = 0
    while found.__defaults__:
        assert found.__defaults__[0] is found.__defaults__[1]
        found = found.__defaults__[0]
        depth += 1
    assert depth == 20_000


def test_functions_that_capture_each_other(world: World) -> None:
    """Forged records of functions in a circle are refused."""
    oids = [ids.make_id(ids.FUNCTION, 1_000), ids.make_id(ids.FUNCTION, 1_001)]
    batch = world.store.batch()
    codec = bare_codec()
    for own, other in (oids, oids[::-1]):
        captured = codec._refer(other)
        key = object_key(own)
        batch.put(key, seal_record(key, codec.pack([5, 0, None, None, b"x", 0, "m", [captured]])))
    world.store.write(batch)
    with pytest.raises(DamagedRecord, match="captured each other"):
        world.heap.ref(oids[0])
    assert world.heap._wanted is None


def forge(world: World, oid: int, values: list[Any]) -> Any:
    """Write a record with a right checksum, as somebody with an editor would; gives the ghost."""
    key = object_key(oid)
    batch = world.store.batch()
    batch.put(key, seal_record(key, bare_codec().pack(values)))
    world.store.write(batch)
    return world.heap.ref(oid)


POINT_ID = ids.make_id(300, 900)


@pytest.mark.parametrize(
    ("oid", "values"),
    [
        (POINT_ID, []),
        (POINT_ID, [300, 0, None]),
        (POINT_ID, [301, 0, None, None, 1, 2, 3, 4]),
        (POINT_ID, [300, 0, None, None, 1, 2, 3]),
        (POINT_ID, [300, 0, None, None, 1, 2, 3, 4, 5]),
        (POINT_ID, [300, 9, None, None, 1, 2, 3, 4]),
        (POINT_ID, [300, "x", None, None, 1, 2, 3, 4]),
        (POINT_ID, [300, 0, None, None, 1, 2, 3, [4]]),
        (POINT_ID, [300, 0, None, None, 1, 2, 3, {"a": 4}]),
        (POINT_ID, [300, 0, None, {"a": 1}, 1, 2, 3, 4]),
        (POINT_ID, [300, 0, None, ["a"], 1, 2, 3, 4]),
        (POINT_ID, [300, 0, None, [1, 2], 1, 2, 3, 4]),
        (ids.make_id(ids.MAP, 900), [2, 0, None, None, [1, 2, 3]]),
        (ids.make_id(ids.MAP, 900), [2, 0, None, None, [1, 2, 1.0, 3]]),
        (ids.make_id(ids.MAP, 900), [2, 0, None, None, [[], 2]]),
        (ids.make_id(ids.MAP, 900), [2, 0, None, None, 5]),
        (ids.make_id(ids.MAP, 900), [2, 0, None, None]),
        (ids.make_id(ids.SET, 900), [3, 0, None, None, [1, True]]),
        (ids.make_id(ids.LIST, 900), [1, 0, None, None, [[1]]]),
    ],
)
def test_forged_records(world: World, oid: int, values: list[Any]) -> None:
    """A forged record is refused with the KID, the object stays a ghost, and the world goes on."""
    ghost = forge(world, oid, values)
    for _ in range(2):
        with pytest.raises(DamagedRecord, match=ids.kid(oid)):
            world.heap.load(ghost)
        assert is_ghost(ghost)
    assert world.heap.root.v == {}


def test_a_reference_to_no_class(world: World) -> None:
    """A reference to a class that the world does not have is damage, and so is an id without a record."""
    ghost = forge(world, POINT_ID, [300, 0, None, None, bare_codec()._refer(ids.make_id(999, 1)), 2, 3, 4])
    with pytest.raises(DamagedRecord, match="class 999"):
        world.heap.load(ghost)
    with pytest.raises(DamagedRecord, match="there is none"):
        _ = world.heap.ref(ids.make_id(300, 901)).f_a


def test_a_store_into_a_ghost(world: World) -> None:
    """The barrier loads a ghost before it is written, so that nothing is lost."""
    world.touch(world.heap.root).v["p"] = world.new(POINT, 1, 2, 3, 4)
    world.save()
    reopened(world)
    point = world.heap.root.v["p"]
    assert is_ghost(point)
    world.touch(point).f_a = "new"
    world.save()
    reopened(world)
    point = world.heap.root.v["p"]
    assert [point.f_a, point.f_b, point.f_c, point.f_d] == ["new", 2, 3, 4]


def test_tokens_are_never_reused(world: World) -> None:
    """Every epoch has a token of its own, a loaded object's is older than all of them, and globals follow."""
    tokens = [world.heap.new_epoch() for _ in range(100)]
    assert len({id(token) for token in tokens}) == 100
    assert [token.n for token in tokens] == sorted({token.n for token in tokens})
    assert world.heap.globals["_T"] is world.heap.token is tokens[-1]


def test_owner_and_extra_fields(world: World) -> None:
    """An owner, and fields without a slot, come back; and so does an error made by the host."""
    root = world.touch(world.heap.root)
    owner = Domain()
    owner._t, owner._i, owner.parent, owner.name, owner.grants = world.heap.token, 0, None, "d", None
    owner.unlimited()
    point = world.new(POINT, 1, 2, 3, 4)
    point._o, point._x = owner, {"age": 5, "friend": owner}
    root.v["p"], root.v["o"] = point, owner
    root.v["e"] = make_error("KeyError", "no such key")
    world.save()
    reopened(world)
    root = world.heap.root
    assert root.v["p"].f_a == 1
    assert root.v["p"]._o is root.v["o"]
    assert root.v["p"]._x == {"age": 5, "friend": root.v["o"]}
    assert isinstance(root.v["e"], Error)
    assert (root.v["e"].f_kind, root.v["e"].f_message) == ("KeyError", "no such key")


def test_another_schema(tmp_path: Path) -> None:
    """A record of an older layout goes through the machine's upgrade, which gives the slots; that of an older version
    is written again."""

    class Older(Machine):
        def upgrade(self, cls: Any, schema: int, fields: list[Any], extra: Any) -> tuple[dict[str, Any], bool]:
            assert (schema, extra) == (0, {"age": 7})
            return dict(zip(("f_a", "f_b", "f_c", "f_d"), fields, strict=True)) | {"f_age": extra["age"]}, older

        def find_class(self, number: int) -> Any:
            return newer

    world = World(tmp_path / "w")
    point = world.new(POINT, 1, 2, 3, 4)
    point._x = {"age": 7}
    world.touch(world.heap.root).v["p"] = point
    world.save()
    newer: Any = make_class("Point", 300, POINT.__mro__[1], ["a", "b", "c", "d", "age"])
    newer._schema = newer._ghost._schema = 1
    for older in (False, True):
        heap = Heap(world.store, Older())
        found = heap.root.v["p"]
        assert (found.f_a, found.f_age) == (1, 7)
        assert type(found) is newer
        assert (found._i in heap.dirty) == older
    world.close()


def test_side_records(world: World) -> None:
    """The machine's own records are written with the checkpoint, and what they refer to is written too."""
    point = world.new(POINT, 1, 2, 3, 4)
    world.checkpoints.force(side={b"t1": [point, "x"], b"t2": [1]}, meta={b"source": b"text"})
    assert point._i
    world.checkpoints.force(side={b"t2": None}, meta={b"source": None})
    assert [key for key, _ in world.store.scan(b"S")] == [b"St1"]
    assert world.store.get(b"Msource") is None
    record = world.store.get(b"St1")
    assert record is not None
    assert world.heap.codec.unpack(b"St1", record) == [point, "x"]


def test_unstorable_values_are_the_machines_error(world: World) -> None:
    """A host object in a field is reported by the encoder, not written."""
    world.touch(world.heap.root).v["x"] = object()
    with pytest.raises(UnstorableValue):
        world.checkpoints.begin().run()
    world.heap.open = None


def test_nothing_gets_an_id_outside_a_checkpoint(world: World) -> None:
    """Ids are given while a checkpoint encodes, and at no other time."""
    with pytest.raises(UnstorableValue):
        world.heap.identify(world.new(POINT, 1, 2, 3, 4))
    with pytest.raises(UnstorableValue):
        world.heap.function_ref(closure())


def test_on_durable_comes_after_the_flush(tmp_path: Path) -> None:
    """A checkpoint is acknowledged by a flush that began after its write returned, in the helper thread."""
    world = World(tmp_path / "w", durability="power")
    events: list[Any] = []
    flush = world.store._flush_raw

    def logged() -> None:
        events.append("flush")
        flush()

    world.store._flush_raw = logged  # type: ignore[method-assign]
    for number in range(3):
        checkpoint = world.checkpoints.begin(
            on_durable=lambda done: events.append((done.number, threading.get_ident()))
        )
        assert not checkpoint.durable
        checkpoint.run()
        world.checkpoints.wait(checkpoint)
        assert events[-2:][0] == "flush"
        assert events[-1] == (number + 1, mock.ANY)
        assert events[-1][1] != threading.get_ident()
    assert world.checkpoints.statistics.summary()["count"] == 3
    world.close()


def test_each_checkpoint_is_acknowledged_once(tmp_path: Path) -> None:
    """Whoever flushes, the helper or who waits: every checkpoint becomes durable once, in order, with one flush."""
    world = World(tmp_path / "w", durability="power")
    world.save()
    store, told, flushes = world.store, list[int](), 0
    begun, go_on = threading.Event(), threading.Event()
    real = store._flush_raw

    def flush() -> None:
        nonlocal flushes
        flushes += 1
        begun.set()
        assert go_on.wait(60)
        real()

    with mock.patch.object(store, "_flush_raw", flush):
        world.touch(world.heap.root).v["a"] = 1
        first = world.checkpoints.begin(on_durable=lambda c: told.append(c.number))
        first.run()
        assert begun.wait(60)  # the helper has begun with it
        world.touch(world.heap.root).v["a"] = 2
        releaser = threading.Timer(0.05, go_on.set)
        releaser.start()
        second = world.checkpoints.force()
        releaser.join()
    assert first.durable and second.durable and told == [first.number] and flushes == 2
    assert world.checkpoints.statistics.count == second.number
    world.close()


def test_cadence() -> None:
    """Every 50 ms, but after a dear checkpoint not before ten times its cost, and at once at 10,000 overwritten."""
    cadence = Cadence()
    assert cadence.due(0.0, 1)
    cadence.finished(100.0, 0.001)
    assert not cadence.due(100.049, 1)
    assert cadence.due(100.051, 1)
    assert not cadence.due(100.499, 0)
    assert cadence.due(100.501, 0)
    cadence.finished(200.0, 0.5)
    assert not cadence.due(209.9, 9_999)
    assert cadence.wait(209.0, 1) == cadence.wait(209.0, 0) == 1.0
    assert cadence.due(209.9, 10_000)
    assert cadence.due(210.0, 1)


def test_memory_limit(tmp_path: Path) -> None:
    """Reading a world larger than the limit keeps the estimate near it, and what is dirty is kept."""
    world = World(tmp_path / "w")
    world.touch(world.heap.root).v["l"] = world.new(
        "List", [world.new(POINT, n, "x" * 50, 0, 0) for n in range(20_000)]
    )
    world.save()
    world.close()
    limit = 2_000_000
    world = World(tmp_path / "w", memory_limit=limit)
    heap = world.heap
    most = 0
    first = world.touch(heap.root.v["l"].v[0])
    first.f_a = "dirty"
    for number in range(1, 20_000):
        assert heap.root.v["l"].v[number].f_a == number
        most = max(most, heap.memory_used)
        if heap.over_limit:
            for _ in heap.sweep():
                pass
            assert not heap.over_limit
    assert most < limit * 1.1  # a chunk of references is read at once
    assert first.f_a == "dirty"
    world.close()


def test_evicted_objects_leave_the_memory(world: World) -> None:
    """What only an evicted object referred to is freed, and its entry in the table goes with the next sweep."""
    root = world.touch(world.heap.root)
    root.v["l"] = world.new("List", [world.new(POINT, n, 0, 0, 0) for n in range(1_000)])
    world.save()
    gc.collect()
    for _ in range(2):
        for _ in world.heap.sweep(0):
            pass
    assert len(world.heap.table) < 10
    assert world.heap.root.v["l"].v[999].f_a == 999


def test_a_world_without_a_root(world: World) -> None:
    """A commit record that cannot be used refuses the world, with a clear message."""
    key = b"Mcommit"
    for values in ([1], [1, 2, "root", 5], [1, 2, "other", bare_codec()._refer(POINT_ID)], ["x", "y"], [1, 2, "root"]):
        batch = world.store.batch()
        batch.put(key, seal_record(key, bare_codec().pack(values)))
        world.store.write(batch)
        with pytest.raises(WorldDamaged, match="restore a backup"):
            Heap(world.store, BareMachine())


def test_find_by_id(world: World) -> None:
    """An id that somebody typed is looked up without harm, whatever it is."""
    point = world.new(POINT, 1, 2, 3, 4)
    world.touch(world.heap.root).v["p"] = point
    world.save()
    assert world.heap.find(point._i) is point
    for oid in (0, -1, 1, point._i + 1, 1 << 62, 1 << 63, 1 << 100, struct.unpack(">Q", b"\xff" * 8)[0]):
        assert world.heap.find(oid) is None
