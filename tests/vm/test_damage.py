"""A world with one byte changed anywhere, or a file cut short, is one of its states, or is refused with a clear error:
never a crash, never wrong data."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.vm import logs, maintenance
from holdfast.vm.codec import DamagedRecord
from holdfast.vm.store import StoreError
from tests.vm.worlds import POINT, World, canonical


class Victim:
    """A world that was killed, with tables, a log and a manifest with several edits; and all its states, by number."""

    def __init__(self, parent: Path) -> None:
        self.folder = parent / "killed"
        self.states: dict[int, Any] = {}
        path = parent / "w"
        world = World(path, durability="power")
        self.states[0] = canonical(world.heap.root)
        for number in range(1, 61):
            world.touch(world.heap.root).v[f"p{number % 9}"] = world.new(POINT, number, "t" * 40, number**9, None)
            world.save()
            self.states[number] = canonical(world.heap.root)
            if number in (20, 30, 45):
                world.store.compact_log()
            if number == 40:
                world.close()
                world = World(path, durability="power")
        world.store._db.cancel_all_background(True)  # no file goes away while it is copied
        shutil.copytree(path, self.folder)
        world.close()

    def files(self, *ends: str) -> list[Path]:
        """Files that are not empty, whose names begin or end so; all, if nothing is said."""
        found = [path for path in sorted(self.folder.iterdir()) if path.stat().st_size]
        return [path for path in found if path.name.startswith(ends) or path.name.endswith(ends)] if ends else found


@pytest.fixture(scope="module")
def victim() -> Any:
    """One for all tests of a process."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Victim(Path(folder))


def open_changed(victim: Victim, path: Path, data: bytes) -> str:
    """Open a copy with one file's contents replaced; says how that went, and checks what was found."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / "w"
        shutil.copytree(victim.folder, copy)
        (copy / path.name).write_bytes(data)
        try:
            world = World(copy)
        except StoreError as error:
            assert str(error).isprintable() and len(str(error)) < 600
            return "refused"
        try:
            found = canonical(world.heap.root)
            assert found == victim.states[world.heap.commit_number]
            return f"state {world.heap.commit_number}"
        except (StoreError, DamagedRecord) as error:
            assert str(error).isprintable()
            return "refused while reading"
        finally:
            world.close()


def flipped(path: Path, at: int, mask: int) -> bytes:
    """The file with one byte changed."""
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= mask
    return bytes(data)


@given(st.sampled_from(["MANIFEST", ".log", ".sst", ""]), st.integers(0, 2**20), st.integers(1, 255))
def test_one_changed_byte(victim: Victim, kind: str, at: int, mask: int) -> None:
    """The law of the module for one byte."""
    files = victim.files(kind) if kind else victim.files()
    path = files[at % len(files)]
    outcome = open_changed(victim, path, flipped(path, at // len(files), mask))
    if kind == ".log":  # the log knows what is damage and what is the end of an interrupted write
        assert outcome == "refused"


@given(st.sampled_from(["MANIFEST", ".log", ".sst", "CURRENT"]), st.floats(0, 1))
def test_cut_short(victim: Victim, kind: str, share: float) -> None:
    """The law of the module for a file that was cut; a cut log is a crash, and opens."""
    path = victim.files(kind)[-1]
    data = path.read_bytes()
    outcome = open_changed(victim, path, data[: int(len(data) * share)])
    if kind == ".log":
        assert outcome.startswith("state")


@pytest.mark.parametrize("kind", ["MANIFEST", ".log", ".sst", "CURRENT", "OPTIONS"])
def test_a_file_is_missing(victim: Victim, tmp_path: Path, kind: str) -> None:
    """The law of the module for a file that is gone."""
    shutil.copytree(victim.folder, tmp_path / "w")
    (tmp_path / "w" / victim.files(kind)[-1].name).unlink()
    try:
        world = World(tmp_path / "w")
    except StoreError as error:
        assert str(error).isprintable()
        return
    assert kind in (".log", "OPTIONS")
    assert canonical(world.heap.root) == victim.states[world.heap.commit_number]
    world.close()


def kinds(path: Path) -> list[int]:
    """Where the kinds of the records stand, in a log of less than one block."""
    data, at, found = path.read_bytes(), 0, []
    assert len(data) < logs.BLOCK
    while at + 7 <= len(data):
        found.append(at + 6)
        at += 7 + int.from_bytes(data[at + 4 : at + 6], "little")
    return found


OPEN_ALONE = """
import sys
from holdfast.vm.store import Store, StoreError
try:
    Store(sys.argv[1])
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize("record", [0, -1])
@pytest.mark.parametrize("kind", ["MANIFEST", ".log"])
def test_a_record_of_a_file_used_again(victim: Victim, tmp_path: Path, kind: str, record: int) -> None:
    """RocksDB never ends, or drops all that follows, where a bit makes a record a remnant.  In a process of its own:
    it holds the interpreter's lock."""
    path = victim.files(kind)[-1]
    at = kinds(path)[record]
    for number in sorted(logs.RECYCLED):
        copy = tmp_path / str(number)
        shutil.copytree(victim.folder, copy)
        (copy / path.name).write_bytes(flipped(path, at, path.read_bytes()[at] ^ number))
        command = [sys.executable, "-c", OPEN_ALONE, str(copy)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        assert f"a record of {path.name} is of a kind that is never written" in done.stdout


def test_repair_of_such_records(victim: Victim, tmp_path: Path) -> None:
    """A kind that was changed is found out by the checksum, and nothing is lost; of a damaged record, what follows."""
    path = victim.files(".log")[-1]
    places = kinds(path)
    for spoilt in (False, True):
        copy = tmp_path / str(spoilt)
        shutil.copytree(victim.folder, copy)
        data = bytearray(path.read_bytes())
        for at in (places[3], places[-2]):
            data[at] ^= 4
        data[places[3] + 1] ^= spoilt
        (copy / path.name).write_bytes(data)
        repaired = maintenance.repair(copy)
        assert bool(repaired.lost) == spoilt
        world = World(copy)
        assert canonical(world.heap.root) == victim.states[repaired.kept]
        assert (repaired.kept == max(victim.states)) != spoilt
        world.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["MANIFEST", ".log", ".sst"])
def test_every_byte(victim: Victim, kind: str) -> None:
    """The law of the module for every byte of the manifest, and thousands of the others."""
    rng = random.Random(5)
    for path in victim.files(kind):
        size = path.stat().st_size
        for at in range(size) if size < 1_500 else sorted(rng.sample(range(size), 1_500)):
            open_changed(victim, path, flipped(path, at, 1 << rng.randrange(8)))
