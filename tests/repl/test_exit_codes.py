"""Every way a command ends has its exit code, and one clear message."""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path

import pytest
from rocksdict import Options, Rdict

from holdfast.repl import exits
from tests.repl.commandline import Running, holdfast
from tests.repl.terminal import command

GOOD = 'print("fine")\n'


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_program_ends(tmp_path: Path) -> None:
    """0: the program came to its end."""
    write(tmp_path, "a.hold", GOOD)
    done = holdfast(tmp_path, "run", "a.hold")
    assert (done.code, done.out, done.err) == (exits.OK, "fine\n", "")


def test_program_fails(tmp_path: Path) -> None:
    """1: an error is shown on stderr, behind all output, with kind, message, trace and lines of source."""
    write(tmp_path, "lib.hold", 'fn check(x) {\n  if x > 1 { throw ValueError("too \\u{1b}[31mmuch") }\n}\n')
    write(tmp_path, "a.hold", 'import "lib.hold" as lib\nprint("before")\nfn go(n) => lib.check(n)\ngo(5)\n')
    done = holdfast(tmp_path, "run", "a.hold")
    assert done.code == exits.FAILED
    assert done.out == "before\n"
    assert done.err == (
        "error: ValueError: too \\u{1b}[31mmuch\n"
        "  at lib.hold:2 in check\n"
        '     2 | if x > 1 { throw ValueError("too \\u{1b}[31mmuch") }\n'
        "  at a.hold:3 in go\n"
        "     3 | fn go(n) => lib.check(n)\n"
        "  at a.hold:4 in main\n"
        "     4 | go(5)\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "Missing argument 'FILE'"),
        (["nonsense"], "No such command 'nonsense'"),
        (["run", "--wrong", "a.hold"], "such option"),
        (["run", "missing.hold"], "cannot read missing.hold: there is no such file"),
        (["run", "."], "cannot read .: it is a folder"),
        (["run", "a.hold/b.hold"], "a part of the path is no folder"),
        (["check", "missing.hold"], "there is no such file"),
        (["fmt", "missing.hold"], "there is no such file"),
        (["test", "missing.hold"], "there is no such file"),
        (["run", "--memory", "lots", "a.hold"], "'lots' is no size of memory"),
        (["run", "--durability", "none", "a.hold"], "'none'"),
        (["run", "--grant", "x", "a.hold"], "'x' is no grant"),
        (["run", "--grant", "x=dir:missing:r", "a.hold"], "the folder missing cannot be opened"),
        (["repl", "--session", "no name"], "is no name for a session"),
        (["completion", "tcsh"], "'tcsh'"),
    ],
)
def test_wrong_command_lines(tmp_path: Path, arguments: list[str], message: str) -> None:
    """2: the command line is wrong."""
    write(tmp_path, "a.hold", GOOD)
    done = holdfast(tmp_path, *arguments)
    assert done.code == exits.USAGE
    assert message in done.err and done.err.startswith("error: ")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("let a = 1\na = 2\n", "E0102"),
        ("fn f( {\n", "E0011"),
        ("x = " + "[" * 10_000, "E0013"),
        ("print(1)\0", "E0003"),
        (b"print(1)\xff\n", "E0002"),
        (b"x" * (50 << 20), "E0001"),
        ('import "missing.hold" as m\n', "there is no module 'missing.hold'"),
        ('import "folder" as m\n', "the module 'folder' cannot be read: is a directory"),
        ('import "bad.hold" as m\n', "E0002"),
        ('import "a.hold" as m\n', "circle"),
        ('import "../a.hold" as m\n', "leads out"),
    ],
    ids=range(11),
)
def test_sources_that_do_not_compile(tmp_path: Path, source: str | bytes, message: str) -> None:
    """3: a source cannot be compiled; nothing of it has run."""
    write(tmp_path, "a.hold", source)
    write(tmp_path, "bad.hold", b"\xff")
    (tmp_path / "folder").mkdir()
    done = holdfast(tmp_path, "run", "a.hold")
    assert done.code == exits.COMPILE
    assert message in done.err
    assert len(done.err) < 20_000


def test_world_is_no_folder(tmp_path: Path) -> None:
    """4: a file stands where the world should be."""
    write(tmp_path, "a.hold", GOOD)
    write(tmp_path, "file", "")
    done = holdfast(tmp_path, "run", "--world", "file", "a.hold")
    assert done.code == exits.WORLD and "is not a folder" in done.err


def test_world_of_others(tmp_path: Path) -> None:
    """4: a folder with other files in it is no world, and is left alone."""
    write(tmp_path, "a.hold", GOOD)
    done = holdfast(tmp_path, "run", "--world", ".", "a.hold")
    assert done.code == exits.WORLD and "a world needs its own" in done.err
    assert sorted(os.listdir(tmp_path)) == ["a.hold"]


@pytest.mark.parametrize(
    "arguments", [["ps"], ["inspect", "root"], ["world", "check"], ["world", "gc"], ["world", "stat"]]
)
def test_world_is_missing(tmp_path: Path, arguments: list[str]) -> None:
    """4: what looks at a world makes none."""
    done = holdfast(tmp_path, *arguments)
    assert done.code == exits.WORLD and "there is no world at .holdfast" in done.err
    assert os.listdir(tmp_path) == []


def test_world_of_a_later_version(tmp_path: Path) -> None:
    """4: a world of a later version is not touched."""
    write(tmp_path, "a.hold", GOOD)
    assert holdfast(tmp_path, "run", "a.hold").code == exits.OK
    store = Rdict(str(tmp_path / ".holdfast"), Options(raw_mode=True))
    store[b"Mformat"] = b"99"
    store.close()
    done = holdfast(tmp_path, "run", "a.hold")
    assert done.code == exits.WORLD and "written by a later version" in done.err


@pytest.mark.parametrize("name", ["CURRENT", "MANIFEST", ".log"])
def test_world_is_damaged(tmp_path: Path, name: str) -> None:
    """4: a damaged file is told; where only the log's tail is cut, the world opens as of an earlier checkpoint."""
    write(tmp_path, "a.hold", 'root.n = (root.get("n") ?? 0) + 1\nprint(root.n)\n')
    for _ in range(3):
        assert holdfast(tmp_path, "run", "a.hold").code == exits.OK
    for path in sorted((tmp_path / ".holdfast").iterdir()):
        if name in path.name and path.stat().st_size:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    done = holdfast(tmp_path, "run", "a.hold")
    assert done.code == exits.OK if name == ".log" else done.code == exits.WORLD
    assert done.code == exits.OK or "damaged" in done.err


def test_world_is_read_only(tmp_path: Path) -> None:
    """4: a world that cannot be written."""
    if os.geteuid() == 0:
        pytest.skip("the superuser may write everything")
    write(tmp_path, "a.hold", GOOD)
    assert holdfast(tmp_path, "run", "a.hold").code == exits.OK
    (tmp_path / ".holdfast").chmod(0o500)
    done = holdfast(tmp_path, "run", "a.hold")
    (tmp_path / ".holdfast").chmod(0o700)
    assert done.code == exits.WORLD and "read-only" in done.err


def test_disk_is_full(tmp_path: Path) -> None:
    """4: when the world can grow no more, the program stops, and what was acknowledged is there."""
    text = 'root.n = 1\nprint("kept")\nwhile not ("go" in root) { sleep(0.01) }\nroot.big = "0123456789" * 1_000_000\n'
    write(tmp_path, "a.hold", text + "receive()")
    write(tmp_path, "go.hold", "root.go = true")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))

    with Running(tmp_path, "run", "a.hold", preexec_fn=limit) as running:
        assert running.line() == "kept"
        holdfast(tmp_path, "run", "go.hold")
        done = running.end()
    assert done.code == exits.WORLD and "no space is left" in done.err and done.out == "", done
    assert holdfast(tmp_path, "inspect", "root.n").out == "Int\n  value  1\n"


def test_output_cannot_be_written(tmp_path: Path) -> None:
    """1: the disk that takes the output is full."""
    write(tmp_path, "a.hold", 'for i in 0..100 { print("line {i}") }')
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command("run", "a.hold"), cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == exits.FAILED
    assert done.stderr == "error: the output cannot be written: No space left on device\n"


def test_reader_goes_away(tmp_path: Path) -> None:
    """141: nobody reads the output any more; nothing is said, and the world is consistent."""
    write(tmp_path, "a.hold", 'root.n = 0\nwhile true { print("line"); root.n += 1; sleep(0.001) }')
    with Running(tmp_path, "run", "a.hold") as running:
        assert running.line() == "line"
        assert running.process.stdout is not None
        running.process.stdout.close()
        assert running.process.wait(60) == exits.BROKEN_PIPE
        assert running.process.stderr is not None and running.process.stdin is not None
        with running.process.stderr as stderr, running.process.stdin:
            assert stderr.read() == b""
    assert holdfast(tmp_path, "world", "check").code == exits.OK


def test_record_is_damaged(tmp_path: Path) -> None:
    """4 or 1: a record that was edited by hand is named, by a look at it and by a program that meets it."""
    write(tmp_path, "a.hold", "class P { x }\nroot.p = P(1)")
    write(tmp_path, "b.hold", "print(root.p.x)")
    assert holdfast(tmp_path, "run", "a.hold").code == exits.OK
    store = Rdict(str(tmp_path / ".holdfast"), Options(raw_mode=True))
    (key,) = [key for key in list(store.keys()) if key[:1] == b"O" and int.from_bytes(key[1:], "big") >> 40 >= 256]
    record = store[key]
    store[key] = record[:-1] + bytes([record[-1] ^ 1])
    store.close()
    done = holdfast(tmp_path, "inspect", "root.p")
    assert done.code == exits.WORLD and "K-" in done.err and "checksum" in done.err
    done = holdfast(tmp_path, "run", "b.hold")
    assert done.code == exits.FAILED and "K-" in done.err
    done = holdfast(tmp_path, "world", "check")
    assert done.code == exits.FAILED and "K-" in done.out
