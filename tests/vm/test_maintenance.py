"""The care of a world: what is reachable stays, what is not goes, and what is wrong is found."""

from __future__ import annotations

import gc
import random
import shutil
import struct
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.vm import checkpoint, graph, ids, maintenance
from holdfast.vm.codec import bare_codec, seal_record
from holdfast.vm.store import Store, WorldDamaged, WorldMissing, object_key
from tests.vm.worlds import LINK, POINT, World, canonical, closure


def last(reports: Any) -> Any:
    """The complete report."""
    for report in reports:
        found = report
    return found


@pytest.fixture
def world(tmp_path: Path) -> Any:
    """A world with some of everything in it."""
    made = World(tmp_path / "w")
    root = made.touch(made.heap.root)
    root.v["m"] = made.new("Map", {n: made.new(POINT, n, 0, 0, 0) for n in range(5_000)})
    root.v["l"] = made.new("List", [closure(n) for n in range(20)])
    made.save()
    yield made
    made.close()


def test_check_finds_nothing_wrong(world: World) -> None:
    """A world that is all right has no problems, and live objects are told from garbage."""
    report = last(maintenance.check(world.store))
    assert report.problems == []
    assert (report.objects, report.live, report.garbage) == (5_023, 5_023, 0)
    del world.touch(world.heap.root).v["m"]
    world.save()
    report = last(maintenance.check(world.store))
    assert (report.objects, report.live, report.garbage) == (5_023, 22, 5_001)
    assert report.problems == []


def test_a_world_without_a_checkpoint(tmp_path: Path) -> None:
    """A world that was killed before its first checkpoint is empty, and all right."""
    world = World(tmp_path / "w")
    for reports in (
        maintenance.check(world.store),
        maintenance.collect(world.heap),
        maintenance.statistics(world.store),
    ):
        report = last(reports)
        assert (report.objects, report.problems) == (0, [])
    world.close()


def test_progress_is_told(world: World) -> None:
    """Phases report what is done and how much there is."""
    seen: list[tuple[str, int, int]] = []
    last(maintenance.check(world.store, lambda *args: seen.append(args)))
    assert {phase for phase, _, _ in seen} >= {"listing objects", "marking", "checking objects"}
    assert all(done >= 0 and total >= 0 for _, done, total in seen)


def put(world: World, key: bytes, record: bytes | None) -> None:
    """Change the store behind the world's back."""
    batch = world.store.batch()
    if record is None:
        batch.delete(key)
    else:
        batch.put(key, record)
    world.store.write(batch)


def test_check_finds_each_kind_of_damage(world: World) -> None:
    """A missing object, a damaged record, another class, a missing piece: each is named by its KID."""
    root = world.heap.root
    points = [root.v["m"].v[n]._i for n in range(3)]
    table = root.v["m"]._i
    codec = bare_codec()
    put(world, object_key(points[0]), None)
    put(world, object_key(points[1]), b"\x01garbage garbage")
    payload = codec.pack([301, 0, None, None, 1, 2, 3, 4, 5])
    put(world, object_key(points[2]), seal_record(object_key(points[2]), payload))
    prefix = b"P" + struct.pack(">Q", table)
    put(world, next(key for key, _ in world.store.scan(prefix + b"q")), None)
    report = last(maintenance.check(world.store))
    found = {problem.name: problem.reason for problem in report.problems}
    assert "does not exist" in found[ids.kid(table) + " (a piece)"]
    assert ids.kid(points[1]) in found
    assert "class 300" in found[ids.kid(points[2])]
    assert "do not add up" in found[ids.kid(table)]
    assert report.problem_count == len(report.problems) == 4


def test_collect_deletes_garbage_and_its_pieces(world: World) -> None:
    """After a collection only what is live is on disk, pieces included, and the world is as before."""
    del world.touch(world.heap.root).v["m"]
    world.save()
    expected = canonical(world.heap.root)
    gc.collect()
    report = last(maintenance.collect(world.heap))
    assert (report.live, report.deleted) == (22, 5_001)
    assert not list(world.store.scan(b"P"))
    report = last(maintenance.check(world.store))
    assert (report.objects, report.garbage, report.problems) == (22, 0, [])
    world.close()
    world.__init__(world.path)  # type: ignore[misc]
    assert canonical(world.heap.root) == expected


def test_collect_keeps_what_somebody_holds(world: World) -> None:
    """Garbage with a shell in memory, and what that refers to on disk, survives and can be put back."""
    world.touch(world.heap.root).v["chain"] = world.new(LINK, world.new(LINK, 1, 2, 3, 4, None), 2, 3, 4, None)
    world.save()
    inner = world.heap.root.v["chain"].f_a._i
    held = world.heap.root.v["chain"]
    for _ in world.heap.sweep(0):
        pass
    del world.touch(world.heap.root).v["chain"]
    world.save()
    gc.collect()
    assert world.heap.loaded(inner) is None
    last(maintenance.collect(world.heap))
    world.touch(world.heap.root).v["back"] = held
    world.save()
    assert world.heap.root.v["back"].f_a.f_a == 1
    assert last(maintenance.check(world.store)).problems == []


def test_collect_and_look_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An id that is looked up during a collection is kept; once it is condemned there is none."""
    monkeypatch.setattr(graph, "STEP", 1)
    oids = [world.heap.root.v["m"].v[n]._i for n in range(2)]
    del world.touch(world.heap.root).v["m"]
    world.save()
    gc.collect()
    found: Any = None
    for report in maintenance.collect(world.heap):
        if found is None and report.objects:
            found = world.heap.find(oids[0])
        if report.deleted:
            assert world.heap.find(oids[1]) is None
    assert found.f_a == 0
    assert last(maintenance.check(world.store)).problems == []
    assert world.heap.find(oids[1]) is None


def test_nothing_is_deleted_where_something_cannot_be_read(world: World) -> None:
    """A collection over a damaged record deletes nothing, since what that refers to is not known."""
    put(world, object_key(world.heap.root.v["m"].v[0]._i), b"garbage")
    world.touch(world.heap.root).v.pop("l")
    world.save()
    gc.collect()
    report = last(maintenance.collect(world.heap))
    assert report.problem_count == 1
    assert report.deleted == 0


@given(st.integers(0, 2**32))
def test_collect_while_in_use(seed: int) -> None:
    """Whatever guests do between the slices, checkpoints and evictions included, no reference ends in nothing."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph, "STEP", 1)
        patch.setattr(maintenance, "DELETE_BATCH", 2)
        world = World(Path(folder) / "w")
        root = world.heap.root
        for name in range(8):
            points = [world.new(POINT, n, None, None, None) for n in range(4)]
            for point in points:
                point.f_b = rng.choice(points)
            world.touch(root).v[name] = points[0]
        world.save()
        held: list[Any] = []

        def act() -> None:
            what = rng.randint(0, 6)
            if what == 0 and root.v:
                held.append(root.v[rng.choice(list(root.v))])
            elif what == 1 and held:
                held.append(rng.choice(held).f_b or held[0])
            elif what == 2 and root.v:
                del world.touch(root).v[rng.choice(list(root.v))]
            elif what == 3 and held:
                world.touch(root).v[rng.randint(0, 20)] = held.pop(rng.randrange(len(held)))
            elif what == 4 and held:
                world.touch(rng.choice(held)).f_c = rng.choice(held)
            elif what == 5 and world.heap.open is None:
                world.checkpoints.begin().run()
            elif what == 6:
                for _ in world.heap.sweep(0):
                    pass

        for _ in range(10):
            act()
        world.save()
        for _ in range(3):
            for _ in maintenance.collect(world.heap):
                act()
            world.save()
            held.clear()
            assert last(maintenance.check(world.store)).problems == []
            expected = canonical(root)
            assert len(expected) > 0
        world.close()


def test_backup_and_restore(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of a world in use is its last checkpoint; restored, it is a world like any other."""
    monkeypatch.setattr(checkpoint, "SLICE_S", 0.0)
    expected = canonical(world.heap.root)
    number = world.heap.commit_number
    world.touch(world.heap.root).v["later"] = 1
    opened = world.checkpoints.begin()
    opened.step()
    maintenance.backup(world.store, tmp_path / "b")
    opened.run()
    assert maintenance.restore(tmp_path / "b", tmp_path / "r") == number
    restored = World(tmp_path / "r")
    assert canonical(restored.heap.root) == expected
    restored.close()
    with pytest.raises(WorldMissing, match="exists already"):
        maintenance.restore(tmp_path / "b", tmp_path / "r")
    with pytest.raises(WorldMissing, match="exists already"):
        maintenance.backup(world.store, tmp_path / "b")
    with pytest.raises(WorldMissing, match="not a backup"):
        maintenance.restore(tmp_path / "none", tmp_path / "r2")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "r", "w"]


def test_statistics(world: World) -> None:
    """Objects and bytes are counted by class."""
    report = last(maintenance.statistics(world.store))
    assert {number: entry[0] for number, entry in report.classes.items()} == {1: 1, 2: 2, 5: 20, 300: 5_000}
    assert report.pieces == 5_000 + 79
    assert world.store.statistics()["disk_bytes"] > 0


def test_repair_names_what_is_lost(tmp_path: Path) -> None:
    """A log that is damaged in the middle refuses the world; a repair goes back to the last whole checkpoint."""
    world = World(tmp_path / "w", durability="power")
    states = [canonical(world.heap.root)]
    for number in range(20):
        world.touch(world.heap.root).v[number] = "x" * 100
        world.save()
        states.append(canonical(world.heap.root))
    world.store._db.cancel_all_background(True)  # no file goes away while it is copied
    shutil.copytree(tmp_path / "w", tmp_path / "killed")
    world.close()
    log = max((tmp_path / "killed").glob("*.log"), key=lambda path: path.stat().st_size)
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 1
    log.write_bytes(data)
    with pytest.raises(WorldDamaged, match="world check --repair"):
        Store(tmp_path / "killed")
    repaired = maintenance.repair(tmp_path / "killed")
    assert 0 < repaired.kept < 20
    assert repaired.lost == range(repaired.kept + 1, 21)
    world = World(tmp_path / "killed")
    assert canonical(world.heap.root) == states[repaired.kept]
    world.close()


def test_of_two_collections_one_waits(world: World) -> None:
    """A collection that begins while another one runs goes on behind it: a budget may need one at any time."""
    del world.touch(world.heap.root).v["m"]
    world.save()
    gc.collect()
    first = maintenance.collect(world.heap)
    while world.heap.seen is None:
        next(first)
    second = maintenance.collect(world.heap)
    for _ in range(20):
        assert next(second).deleted == 0
    assert last(first).deleted == 5_001
    assert last(second).deleted == 0
    assert last(maintenance.check(world.store)).garbage == 0
