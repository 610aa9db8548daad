"""Law: a world that is open elsewhere is checked, cleaned, measured, exported and copied while its programs run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.repl import exits
from tests.repl.test_attach import ENV, ended, line, program, ran, ran_program, start

BUSY = """
class Node { n; next = nil }
fn begin() {
    root.keep = {}
    for i in 0..3000 { root.keep[i] = Node(i) }
    root.waste = (0..3000).map(fn(i) => Node(i))
    return nil
}
begin()
root.beats = 0
root.old = []
print("open")
while not ("stop" in root) {
    root.beats += 1
    root.old.push(Node(root.beats))
    if len(root.old) > 50 { root.old = [] }
    atomic { root.a = root.beats; root.b = [root.beats] }
    sleep(0.001)
}
print("closed", len(root.keep), root.keep[2999].n)
"""


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A program that changes its world all the time."""
    process = program(tmp_path, "busy.hold", BUSY)
    assert line(process) == "open\n"
    yield process
    process.kill()
    process.communicate()


def world(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """A command of the care of worlds."""
    return ran(folder, "world", *arguments)


def beats(folder: Path) -> int:
    """How far the program is."""
    return int(ran_program(folder, "beats.hold", "print(root.beats)")[1])


def stop(folder: Path, process: subprocess.Popen[str]) -> None:
    """End the program in order; what it had at the beginning is there."""
    assert ran_program(folder, "stop.hold", "root.stop = true")[0] == 0
    code, out, err = ended(process)
    assert (code, out) == (0, "closed 3000 2999\n"), err
    code, out, err = world(folder, "check")
    assert code == 0, out + err


def test_check_and_stat(tmp_path: Path, busy: subprocess.Popen[str]) -> None:
    """Both speak of a moment of the world that is going on."""
    before = beats(tmp_path)
    code, out, err = world(tmp_path, "check", "--json")
    found = json.loads(out)
    assert (code, err, found["problems"]) == (0, "", [])
    assert found["objects"] >= 6000 and found["checkpoint"] > 0
    code, out, err = world(tmp_path, "stat", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["classes"]["busy.hold:Node"]["objects"] >= 6000 and found["disk_bytes"] > 0
    assert "busy.hold:Node" in world(tmp_path, "stat")[1]
    assert beats(tmp_path) > before
    stop(tmp_path, busy)


def test_gc(tmp_path: Path, busy: subprocess.Popen[str]) -> None:
    """What was dropped is deleted from under the program that goes on, what it uses is not, again and again."""
    assert ran_program(tmp_path, "drop.hold", "root.waste = nil")[0] == 0
    deleted = 0
    for _ in range(3):
        before = beats(tmp_path)
        code, out, err = world(tmp_path, "gc", "--json")
        assert (code, err) == (0, ""), out
        deleted += json.loads(out)["deleted"]
        assert beats(tmp_path) > before
    assert deleted >= 3001
    assert json.loads(world(tmp_path, "stat", "--json")[1])["classes"]["busy.hold:Node"]["objects"] < 6000
    stop(tmp_path, busy)


def test_two_collections(tmp_path: Path, busy: subprocess.Popen[str]) -> None:
    """Of two at once the second is refused, or comes after the first; the world is all right."""
    for code, out, err in map(ended, [start(tmp_path, "world", "gc") for _ in range(3)]):
        assert (code == 0 and "deleted" in out) or (code == exits.FAILED and "is being collected already" in err)
    stop(tmp_path, busy)


def test_export(tmp_path: Path, busy: subprocess.Popen[str]) -> None:
    """The text is of one moment, and makes the same world again."""
    before = beats(tmp_path)
    code, _, err = world(tmp_path, "export", "a.jsonl")
    assert code == 0 and "lines written" in err
    assert world(tmp_path, "export", "a.jsonl")[0] == exits.USAGE
    code, out, err = world(tmp_path, "export", "-")
    assert code == 0 and json.loads(out.partition("\n")[0]) == {"format": 2, "holdfast": "world"}
    assert world(tmp_path, "import", "a.jsonl", "--world", "again")[0] == 0
    text = "print(root.beats >= args[0].Int(), root.a == root.b[0], len(root.keep))"
    (tmp_path / "look.hold").write_text(text.replace("args[0].Int()", "Int(args[0])"))
    found = ran(tmp_path, "run", "--world", "again", "look.hold", str(before))
    assert found == (0, "true true 3000\n", "")
    stop(tmp_path, busy)


def test_export_to_a_full_disk(tmp_path: Path, busy: subprocess.Popen[str]) -> None:
    """A text that cannot be written is a clear error here, and nothing over there."""
    code, _, err = world(tmp_path, "export", "/dev/full/x")
    assert code == exits.FAILED and err.startswith("error: cannot write /dev/full/x: ") and err.count("\n") == 1
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "holdfast.repl.cli", "world", "export", "-"],
            cwd=tmp_path,
            env=ENV | {"HOLDFAST_WORLD": str(tmp_path / "world")},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode != 0 and "Traceback" not in done.stderr
    stop(tmp_path, busy)


def test_backup(tmp_path: Path, busy: subprocess.Popen[str]) -> None:
    """A copy of the live world opens, is of one moment, and a relative path is the asker's."""
    before = beats(tmp_path)
    code, _, err = world(tmp_path, "backup", "copy")
    assert code == 0 and "is copied to copy" in err
    assert world(tmp_path, "backup", "copy")[0] == exits.WORLD
    code, _, err = world(tmp_path, "backup", "nowhere/copy")
    assert code == exits.WORLD and "there is no folder" in err
    assert world(tmp_path, "check", "--world", "copy")[0] == 0
    (tmp_path / "look.hold").write_text("print(root.beats >= Int(args[0]), root.a == root.b[0], len(root.keep))")
    found = ran(tmp_path, "run", "--world", "copy", "look.hold", str(before))
    assert found[:2] == (0, "true true 3000\n") and found[2].startswith("note: 1 thread pauses with the world")
    stop(tmp_path, busy)


def test_restore_and_import_want_a_place_of_their_own(tmp_path: Path, busy: subprocess.Popen[str]) -> None:
    """Neither makes a world where one is open, and an open world is no backup."""
    assert world(tmp_path, "backup", "copy")[0] == world(tmp_path, "export", "a.jsonl")[0] == 0
    for arguments in (["restore", "copy"], ["import", "a.jsonl"]):
        code, _, err = world(tmp_path, *arguments)
        assert code == exits.WORLD and "another process has that world open" in err
    code, _, err = world(tmp_path, "restore", "world", "--world", "other")
    assert code == exits.WORLD and "is open in another process" in err
    code, _, err = world(tmp_path, "check", "--repair")
    assert code == exits.WORLD and "is open in another process" in err
    stop(tmp_path, busy)


def test_asker_killed(tmp_path: Path, busy: subprocess.Popen[str]) -> None:
    """Who asks and goes away leaves the world as it is, open to the next."""
    for command in (["check"], ["gc"], ["export", "-"]):
        asker = start(tmp_path, "world", *command)
        if command[0] == "export":
            line(asker)
        asker.kill()
        asker.communicate()
    code, _, err = world(tmp_path, "gc")
    assert (code, err) == (0, "")
    stop(tmp_path, busy)
