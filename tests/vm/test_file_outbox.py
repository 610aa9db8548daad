"""Changes of host files: none before the checkpoint that it depends on is on disk, none lost, none doubled."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from holdfast.vm import file_outbox, folders, maintenance
from holdfast.vm.devices import open_dir
from holdfast.vm.importing import import_world
from holdfast.vm.objects import Thrown
from holdfast.vm.store import Store, StoreError
from holdfast.vm.transfer import export_world
from holdfast.vm.world import World
from tests.vm import write_child

TOP = Path(__file__).parent.parent.parent


class Job:
    """A world and a folder that its programs may write."""

    def __init__(self, top: Path) -> None:
        self.world = top / "world"
        self.files = top / "files"
        self.files.mkdir()
        self.skipped: dict[str, set[int]] = {}
        """File to the turns that a crash cut short before their line was ordered."""

    def run(self, text: str, rights: str = "rw", expected: list[str] | None = None) -> str:
        """What a program prints; ``expected`` is what the grant says of an earlier run."""
        printed: list[str] = []
        with World.open(self.world, durability="process", resume=False) as world:
            world.write = printed.append
            assert world.grant("out", open_dir(self.files, rights)) == (expected or [])
            world.run_source(text)
        return "".join(printed)

    def error(self, text: str, rights: str = "rw") -> str:
        """What a program throws."""
        with pytest.raises(Thrown) as caught:
            self.run(text, rights)
        return f"{caught.value.error.f_kind}: {caught.value.error.f_message}"

    def waiting(self) -> dict[bytes, int]:
        """What is on record."""
        store = Store(self.world, create=False)
        try:
            return file_outbox.waiting(store)
        finally:
            store.close()

    def killed(self, *moment: str) -> int:
        """Run the child, which kills itself; gives the last number that it acknowledged."""
        command = [sys.executable, "-m", "tests.vm.write_child", str(self.world), str(self.files), *moment]
        done = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, text=True, check=False)
        assert done.returncode == -signal.SIGKILL
        return max(map(int, done.stdout.split()), default=0)

    def compare(self, acknowledged: int) -> int:
        """Files are those of the world's last checkpoint, or of a step behind it; gives the world's number."""
        number = int(self.run('print(root.get("n", 0))'))
        assert number >= acknowledged
        assert self.waiting() == {}
        for name in ("last", "old"):
            file = self.files / name
            found = int(file.read_text()) if file.exists() else 0
            assert acknowledged <= found <= number
        for name in ("log", "both"):
            file = self.files / name
            lines = [int(line) for line in file.read_text().split() if line != "-"] if file.exists() else []
            assert lines == sorted(set(lines))  # none is doubled, nor cut
            known = self.skipped.setdefault(name, set())
            assert set(range(1, acknowledged + 1)) - set(lines) <= known
            known |= set(range(1, number + 1)) - set(lines)
            if name == "both" and lines:
                assert file.read_text() == "".join(f"{line}\n-\n" for line in lines)
        assert not [name for name in os.listdir(self.files) if folders.is_part(name)]
        return number


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


# --------------------------------------------------------------------------- what a program sees


def test_read_your_writes(job: Job) -> None:
    """What a change has made is there when the call returns."""
    text = """
        let d = caps.out
        d.write("a.txt", "hällo")
        d.append("a.txt", b"!")
        d.make_folder("x/y")
        d.make_folder("x/y")
        d.write("x/y/b", b"\\x00\\xff")
        print(d.read("a.txt"), d.read_bytes("x/y/b"), d.names(), d.names("x/y"))
        d.rename("x/y/b", "c")
        d.remove("x/y")
        d.write(content: "again", path: "a.txt")
        print(d.read("a.txt"), d.names(), d.names("x"))
    """
    assert job.run(text) == 'hällo! b"\\x00\\xff" ["a.txt", "x"] ["b"]\nagain ["a.txt", "c", "x"] []\n'
    assert job.waiting() == {}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ('write("sub", "")', "ValueError: 'sub' cannot be written: it is a folder"),
        ('write("no/x", "")', "ValueError: 'no/x' cannot be written: there is no such file or folder"),
        ('append("link", "")', "ValueError: 'link' cannot be appended to: it is a link"),
        ('remove("gone")', "ValueError: 'gone' cannot be removed: there is no such file or folder"),
        ('remove("sub")', "ValueError: 'sub' cannot be removed: the folder is not empty"),
        ('rename("f", "sub")', "ValueError: 'f' cannot be renamed to 'sub': it is a folder"),
        ('make_folder("f/x")', "ValueError: 'f/x' cannot be made: a part of it is no folder"),
        ('write("../x", "")', "CapabilityError: '../x' is no path inside the folder: it takes names separated by /"),
        ('rename("f", "/tmp/x")', "CapabilityError: '/tmp/x' is no path inside the folder: it takes names separated"),
        ('write("x", 1)', "TypeError: write needs a Text or Bytes as content, not Int"),
        ('write(1, "x")', "TypeError: write needs a Text as path, not Int"),
        ('write("x")', "TypeError: write needs 'content'"),
        ('write("x", "é" * 40_000_000)', "LimitError: 80_000_000 bytes are over the limit of 67_108_864 for one write"),
    ],
)
def test_errors(job: Job, call: str, said: str) -> None:
    """What the host refuses is thrown where the change was asked for, in words that name nothing of the host."""
    (job.files / "sub").mkdir()
    (job.files / "sub" / "inside").touch()
    (job.files / "f").touch()
    (job.files / "link").symlink_to(job.files / "f")
    found = job.error(f"caps.out.{call}")
    assert found.startswith(said)
    assert str(job.files) not in found
    assert job.waiting() == {}


def test_caught(job: Job) -> None:
    """An error of a change is caught like any other, and the program goes on."""
    assert job.run('try { caps.out.remove("x") } catch e is ValueError { print("no") }\nprint("on")') == "no\non\n"


def test_disk_full(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host without space is a limit."""

    def full(fd: int, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(folders, "_write_all", full)
    assert job.error('caps.out.write("x", "y")') == (
        "LimitError: 'x' cannot be written: there is no space left on the host's disk"
    )


CALLS = ['write("a", "")', 'append("a", "")', 'make_folder("a")', 'remove("a")', 'rename("a", "b")']


@pytest.mark.parametrize("call", CALLS)
def test_read_only(job: Job, call: str) -> None:
    """A folder that was granted with r can be read and no more."""
    (job.files / "a").write_text("old")
    name = call.partition("(")[0]
    said = f"CapabilityError: {name} is refused, as the folder was granted for reading: grant it with :rw"
    assert job.error(f"caps.out.{call}", rights="r") == said
    assert [(file.name, file.read_text()) for file in job.files.iterdir()] == [("a", "old")]


def test_stored_folder_is_dead(job: Job) -> None:
    """A folder kept under root gives nothing in the next run."""
    job.run("root.out = caps.out")
    assert "grant it again" in job.error('root.out.write("a", "")')
    assert not list(job.files.iterdir())


def test_no_world_inside(job: Job) -> None:
    """A folder that holds the world, or lies in it, cannot be granted for writing."""
    inside = job.world / "sub"
    with World.open(job.world) as world:
        inside.mkdir()
        for path in (job.world.parent, job.world, inside):
            with pytest.raises(ValueError, match="holds the world itself"):
                world.grant("out", open_dir(path, "rw"))
            world.grant("out", open_dir(path, "r"))
        inside.rmdir()


# --------------------------------------------------------------------------- atomic


def test_atomic(job: Job) -> None:
    """Changes of an ``atomic`` are done at its end, in order; those of an inner one that throws never are."""
    text = """
        let d = caps.out
        atomic {
            d.append("log", "1")
            try { atomic { d.append("log", "never"); d.write("never", ""); throw "no" } } catch e { print(e.message) }
            atomic { d.append("log", "2") }
            d.write("x", "4")
            d.rename("x", "y")
            d.append("log", "3")
            print("in")
        }
        print(d.names(), d.read("log"), d.read("y"))
        try { atomic { d.write("never", ""); throw "none of it" } } catch e { print(e.message) }
        print(d.names())
    """
    assert job.run(text) == 'no\nin\n["log", "y"] 123 4\nnone of it\n["log", "y"]\n'


def test_moved_in_atomic(job: Job) -> None:
    """How long a file is that was moved in the same ``atomic`` cannot be known: nothing is appended to it."""
    for call in ('rename("x", "a")', 'rename("a", "x")', 'remove("a")', 'rename("x", "sub")'):
        path = "sub/a" if "sub" in call else "a"
        text = f'atomic {{ caps.out.{call}; caps.out.append("{path}", "x") }}'
        assert job.error(text) == f"AtomicError: '{path}' cannot be appended to in the atomic block that moves it"


def test_failure_behind_atomic(job: Job) -> None:
    """What goes wrong with a change is thrown behind the ``atomic``, whose assignments stay; the others are done."""
    (job.files / "sub").mkdir()
    text = """
        try { atomic { root.n = 1; caps.out.write("sub", "x"); caps.out.write("b", "y") } } catch e { print(e.kind) }
        print(root.n, caps.out.read("b"))
    """
    assert job.run(text) == "ValueError\n1 y\n"


def test_reading_in_atomic(job: Job) -> None:
    """Behind a change in the same ``atomic`` nothing is read, since the change is not done yet; before it, it is."""
    for call in ('read("a")', 'read_bytes("a")', 'open("a")', "names()"):
        text = f'atomic {{ caps.out.names(); caps.out.write("a", "x"); caps.out.{call} }}'
        assert job.error(text).startswith("AtomicError: this atomic block has written to a file")
        assert not list(job.files.iterdir())


def test_atomic_bomb(job: Job) -> None:
    """An ``atomic`` can only order so much."""
    text = 'let s = "x" * 30_000_000\natomic { for i in 0..3 { caps.out.write("a{i}", s) } }'
    assert job.error(text).startswith("LimitError: an atomic block writes more than 67_108_864 bytes to files")
    assert not list(job.files.iterdir())
    assert job.run(text.replace("atomic", "if true")) == ""
    assert len(list(job.files.iterdir())) == 3


# --------------------------------------------------------------------------- threads


def test_threads(job: Job) -> None:
    """Threads that append to one file at the same time lose and double nothing, and others run meanwhile."""
    text = """
        fn work(k) { for i in 0..20 { caps.out.append("log", "{k}.{i}\\n") } }
        let all = (0..5).map(fn(k) => spawn work(k))
        for t in all { t.join() }
        let lines = caps.out.read("log").split()
        print(len(lines), len(Set(lines)))
        for k in 0..5 { assert lines.filter(fn(l) => l.starts_with("{k}.")) == (0..20).map(fn(i) => "{k}.{i}") }
    """
    assert job.run(text) == "100 100\n"


def test_interrupted(job: Job) -> None:
    """A thread that is interrupted while it waits ends; its change is done all the same."""
    with World.open(job.world) as world:
        world.grant("out", open_dir(job.files, "rw"))
        thread = world.start_program(world.modules.program('caps.out.write("a", "x")', "main.hold"))
        world.scheduler.turn(1)
        assert thread.f_state == "sleeping"
        world.scheduler.interrupt(thread, "stop", kill=True)
        with pytest.raises(Thrown):
            world.run_thread(thread)
    assert (job.files / "a").read_text() == "x"
    assert job.waiting() == {}


def test_closed_while_waiting(job: Job) -> None:
    """A world that is closed while a thread waits does what was ordered first."""
    with World.open(job.world) as world:
        world.grant("out", open_dir(job.files, "rw"))
        world.start_program(world.modules.program('caps.out.write("a", "x")', "main.hold"))
        world.scheduler.turn(1)
        assert not list(job.files.iterdir())
    assert (job.files / "a").read_text() == "x"
    assert job.waiting() == {}


# --------------------------------------------------------------------------- durability


def test_not_before_the_checkpoint(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the store cannot make the checkpoint durable, no file changes."""
    with World.open(job.world) as world:
        world.grant("out", open_dir(job.files, "rw"))
        world.checkpoint()
        broken = True

        def flush() -> None:
            if broken:
                raise OSError("a flush that fails")

        monkeypatch.setattr(world.store, "_flush_raw", flush)
        thread = world.start_program(world.modules.program('caps.out.write("a", "x")', "main.hold"))
        with pytest.raises(StoreError):
            world.run_thread(thread)
        assert not list(job.files.iterdir())
        broken = False
        world.run_thread(thread)
        assert (job.files / "a").read_text() == "x"


@pytest.mark.parametrize("moment", write_child.MOMENTS)
@pytest.mark.parametrize("count", ["1", "9"])
def test_killed(job: Job, moment: str, count: str) -> None:
    """Killed at any moment of a change, the next run with the folder does it; nothing is lost, doubled or cut."""
    for _ in range(2):
        acknowledged = job.killed(moment, count)
        job.compare(acknowledged)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_killed_anywhere(job: Job, seed: int) -> None:
    """The same, from outside, at random."""
    rng = random.Random(seed)
    command = [sys.executable, "-m", "tests.vm.write_child", str(job.world), str(job.files)]
    for _ in range(8):
        with subprocess.Popen(command, cwd=TOP, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            first = child.stdout.readline()
            timer = threading.Timer(rng.random() * 0.3, child.kill)
            timer.start()
            numbers = [int(line) for line in [first, *child.stdout] if line.endswith("\n")]
            timer.join()
        if job.compare(max(numbers, default=0)) == 200:
            break


def test_waits_for_its_folder(job: Job, tmp_path: Path) -> None:
    """A change that a crash cut short waits until its folder is granted for writing: another one of the same name, or
    the same one for reading, gets nothing of it."""
    job.killed("handed over", "2")
    before = job.waiting()
    assert before == {os.fsencode(job.files): 1}
    other = tmp_path / "other"
    other.mkdir()
    with World.open(job.world, resume=False) as world:
        world.grant("out", open_dir(other, "rw"))
        world.grant("in", open_dir(job.files, "r"))
        world.run_source('caps.out.write("mine", "1")')
    assert [file.name for file in other.iterdir()] == ["mine"]
    assert job.waiting() == before
    assert job.run('print(caps.out.read("log"))') == "1\n\n"
    assert job.waiting() == {}


def test_cannot_be_done_again(job: Job) -> None:
    """What cannot be done again is told once, and never overwrites what is newer."""
    job.killed("handed over", "1")
    (job.files / "last").mkdir()
    assert job.run("print(1)", expected=["'last' cannot be written: it is a folder"]) == "1\n"
    (job.files / "last").rmdir()
    job.run('caps.out.write("last", "new")')
    assert (job.files / "last").read_text() == "new"


def test_copies_do_nothing(job: Job, tmp_path: Path) -> None:
    """A backup and an export leave the waiting changes to the world itself; a text cannot bring any."""
    job.killed("handed over", "1")
    text, copies = tmp_path / "text", [tmp_path / "backup", tmp_path / "imported"]
    store = Store(job.world, create=False)
    try:
        maintenance.backup(store, copies[0])
        with text.open("w") as file:
            export_world(store, file)
        report = list(maintenance.check(store))[-1]
        assert report.problems == []
    finally:
        store.close()
    import_world(text, copies[1])
    for copy in copies:
        store = Store(copy, create=False)
        assert file_outbox.waiting(store) == {}
        store.close()
    assert len(job.waiting()) == 1
    lines = text.read_text().splitlines(keepends=True)
    lines.insert(2, '{"side":"d3JpdGU6AAAAAAAAAAE=","values":[]}\n')
    text.write_text("".join(lines))
    with pytest.raises(StoreError, match="a write to a file of the host"):
        import_world(text, tmp_path / "evil")


@pytest.mark.parametrize(
    "values",
    [
        [b"/f", "write", "../x", b"", folders.part_name()],
        [b"/f", "write", "x", b"", "../.holdfast-x.part"],
        [b"/f", "write", "x", b"", None],
        [b"/f", "append", "x", b"", -1],
        [b"/f", "rename", "x", b"", "/etc/x"],
        [b"/f", "chmod", "x", b"", None],
        [b"/f", "remove", "x", b""],
        ["/f", "remove", "x", b"", None],
    ],
)
def test_edited_record(values: list[Any]) -> None:
    """A record that was edited on disk leads nowhere else."""
    assert not file_outbox.well_formed(values)
    assert file_outbox.well_formed([b"/f", "append", "x", b"", 1])
