"""The store: what can go wrong with a folder is said in words of ours, and nothing acknowledged is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from holdfast.vm.store import (
    FORMAT_KEY,
    DiskFull,
    Store,
    StoreError,
    WorldDamaged,
    WorldLocked,
    WorldMissing,
    WorldReadOnly,
    WorldVersion,
)
from tests.vm.worlds import POINT, World, canonical

HOLD_LOCK = """
import sys
from pathlib import Path
from holdfast.vm.store import Store
store = Store(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""


def no_space(*_: Any) -> None:
    """As RocksDB fails on a full disk."""
    raise Exception("IO error: No space left on device: While appending to file: 000004.log: No space left on device")


def test_locked(tmp_path: Path) -> None:
    """A world that another process has open is refused, and opens when that one has ended."""
    command = [sys.executable, "-c", HOLD_LOCK, str(tmp_path / "w")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(WorldLocked, match="is open in another process"):
            Store(tmp_path / "w")
        other.communicate("")
    Store(tmp_path / "w").close()


def test_locked_by_this_process(tmp_path: Path) -> None:
    """The same holds inside one process."""
    store = Store(tmp_path / "w")
    with pytest.raises(WorldLocked):
        Store(tmp_path / "w")
    store.close()


def test_later_format(tmp_path: Path) -> None:
    """A world of a later format is refused with both versions named, and is left as it is."""
    store = Store(tmp_path / "w")
    batch = store.batch()
    batch.put(FORMAT_KEY, b"2")
    store.write(batch)
    store.close()
    for _ in range(2):
        with pytest.raises(WorldVersion, match=r"has format 2.*formats up to 1"):
            Store(tmp_path / "w")


@pytest.mark.parametrize("text", [b"", b"x", b"-1", b"1" * 100, b"\xff"])
def test_unreadable_format(tmp_path: Path, text: bytes) -> None:
    """A format version that is no number means damage."""
    store = Store(tmp_path / "w")
    batch = store.batch()
    batch.put(FORMAT_KEY, text)
    store.write(batch)
    store.close()
    with pytest.raises(WorldDamaged):
        Store(tmp_path / "w")


def test_missing_and_foreign_places(tmp_path: Path) -> None:
    """A place without a world, a file, and a folder of somebody else are told apart from a damaged world."""
    with pytest.raises(WorldMissing, match="there is no world"):
        Store(tmp_path / "none", create=False)
    (tmp_path / "file").write_text("x")
    with pytest.raises(WorldMissing, match="is not a folder"):
        Store(tmp_path / "file")
    with pytest.raises(WorldMissing):
        Store(tmp_path / "file" / "below")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("x")
    with pytest.raises(WorldMissing, match=r"other files in it \('cat.jpg'\)"):
        Store(tmp_path / "photos")
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["cat.jpg"]


def test_without_current(tmp_path: Path) -> None:
    """A world that lost its CURRENT file is damaged, not empty."""
    Store(tmp_path / "w").close()
    (tmp_path / "w" / "CURRENT").unlink()
    with pytest.raises(WorldDamaged, match="CURRENT is missing"):
        Store(tmp_path / "w")


def mounted(folder: Path, options: str) -> bool:
    """Mount a small file system of memory there, if this user may."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "holdfast-test", str(folder)]
    return os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_read_only(tmp_path: Path) -> None:
    """A world that cannot be written is refused as such: on a read-only file system, or in such a folder."""
    folder = tmp_path / "m"
    if mounted(folder, "size=8m"):
        try:
            Store(folder / "w").close()
            subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
            with pytest.raises(WorldReadOnly, match="read-only"):
                Store(folder / "w")
            with pytest.raises(WorldReadOnly):
                Store(folder / "new")
        finally:
            subprocess.run(["umount", str(folder)], check=True)
    else:
        assert os.geteuid() != 0 or folder.is_dir()
        Store(tmp_path / "w").close()
        denied = mock.Mock(side_effect=PermissionError(13, "Permission denied"))
        with mock.patch.object(Path, "unlink", denied), pytest.raises(WorldReadOnly):
            Store(tmp_path / "w")


def test_messages_are_for_people(tmp_path: Path) -> None:
    """No message of the store shows a traceback, a line break or a control character."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError) as caught:
        Store(tmp_path / "file")
    assert str(caught.value).isprintable()
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def fill(world: World, count: int) -> None:
    """Put so many objects of 2 KB under the root, and save each of them."""
    for number in range(count):
        world.touch(world.heap.root).v[len(world.heap.root.v)] = world.new(POINT, number, os.urandom(2_000), None, None)
        world.save()


def test_full_disk(tmp_path: Path) -> None:
    """On a full disk nothing acknowledged is lost; when there is space again, what was begun is written."""
    folder = tmp_path / "m"
    real = mounted(folder, "size=64m")
    world = World(folder / "w", durability="power")
    ballast = folder / "ballast"
    try:
        fill(world, 20)
        if real:
            with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
                while file.write(bytes(1 << 12)):
                    pass
        else:
            world.store._write_raw = no_space  # type: ignore[method-assign]
        with pytest.raises(DiskFull, match="no space is left"):
            fill(world, 50_000)
        with pytest.raises(DiskFull):
            world.checkpoints.begin()
        expected = canonical(world.heap.root)
        if real:
            ballast.unlink()
        else:
            del world.store._write_raw
        world.checkpoints.recover()
        opened = world.heap.open
        if opened is not None:
            opened.run()
            world.checkpoints.wait(opened)
        world.close()
        world = World(folder / "w")
        assert canonical(world.heap.root) == expected
        fill(world, 3)
    finally:
        world.close()
        if real:
            subprocess.run(["umount", str(folder)], check=True)


def test_failed_flush(tmp_path: Path) -> None:
    """A failed flush acknowledges nothing; after recovery the same checkpoints are on disk, and acknowledged."""
    failures: list[StoreError] = []
    acknowledged: list[int] = []
    world = World(tmp_path / "w", durability="power")
    world.checkpoints.on_failed = failures.append
    world.save()
    world.store._flush_raw = no_space  # type: ignore[method-assign]
    world.touch(world.heap.root).v["a"] = world.new(POINT, 1, 2, 3, 4)
    checkpoint = world.checkpoints.begin(on_durable=lambda done: acknowledged.append(done.number))
    checkpoint.run()
    with pytest.raises(DiskFull):
        world.checkpoints.wait(checkpoint)
    assert failures and not acknowledged and checkpoint.done and not checkpoint.durable
    with pytest.raises(DiskFull):
        world.checkpoints.begin()
    del world.store._flush_raw
    world.checkpoints.recover()
    assert acknowledged == [checkpoint.number] and checkpoint.durable
    world.touch(world.heap.root).v["b"] = 1
    world.save()
    expected = canonical(world.heap.root)
    world.close()
    world = World(tmp_path / "w")
    assert canonical(world.heap.root) == expected
    world.close()


@pytest.mark.parametrize("failing", range(12))
def test_any_failed_write(tmp_path: Path, failing: int) -> None:
    """Whichever write of a checkpoint fails, going on after recovery completes that same checkpoint."""
    world = World(tmp_path / "w")
    world.save()
    heap = world.heap
    world.touch(heap.root).v["list"] = world.new("List", [world.new(POINT, n, 0, 0, 0) for n in range(15_000)])
    raw, count = world.store._write_raw, 0

    def write(batch: Any) -> None:
        nonlocal count
        count += 1
        if count == failing:
            no_space()
        raw(batch)

    world.store._write_raw = write  # type: ignore[method-assign]
    checkpoint = world.checkpoints.begin()
    expected = canonical(heap.root)
    try:
        checkpoint.run()
    except DiskFull:
        del world.store._write_raw
        world.touch(heap.root.v["list"]).v.clear()  # not part of it
        world.checkpoints.recover()
        checkpoint.run()
    assert checkpoint.durable
    world.close()
    world = World(tmp_path / "w")
    assert canonical(world.heap.root) == expected
    world.close()


def test_lock_of_a_failed_store(tmp_path: Path) -> None:
    """A store that could not be opened again lets go of its world when it is closed."""
    store = Store(tmp_path / "w")
    with mock.patch.object(Store, "_open", side_effect=DiskFull("full")), pytest.raises(DiskFull):
        store.reopen()
    with pytest.raises(WorldLocked):
        Store(tmp_path / "w")
    store.close()
    Store(tmp_path / "w").close()


def test_snapshot(tmp_path: Path) -> None:
    """A snapshot stays as it was, whatever is written, deleted and compacted; scans inside scans find their place."""
    store = Store(tmp_path / "w")
    batch = store.batch()
    for number in range(10):
        batch.put(b"O%d" % number, b"old %d" % number)
    store.write(batch)
    view = store.snapshot()
    batch = store.batch()
    batch.put(b"O3", b"new")
    batch.put(b"Ox", b"new")
    batch.delete(b"O4")
    batch.delete_range(b"O6", b"O8")
    store.write(batch)
    store.compact_log()
    store.compact()
    expected = [(b"O%d" % number, b"old %d" % number) for number in range(10)]
    assert list(view.scan(b"O")) == expected
    assert list(view.scan(b"O", b"O5")) == expected[5:]
    assert [view.get(key) for key in (b"O3", b"O4", b"O7", b"Ox")] == [b"old 3", b"old 4", b"old 7", None]
    found = []
    for row in view.scan(b"O"):
        found.append(row)
        assert list(view.scan(row[0])) == [row]
    assert found == expected
    assert dict(store.scan(b"O"))[b"O3"] == b"new"
    view.close()
    store.close()
