"""Law: a world that is open in one process is used from others as if it were theirs, and none of them can harm it."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from holdfast.repl import exits, remote_door, remote_wire
from holdfast.repl.exits import Failure
from tests.repl.commandline import holdfast

ENV = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
HOST = """
import "std/time" as time
print("open")
root.stop = false
while not root.stop { sleep(0.01) }
print("closed")
"""
STOP = "root.stop = true"


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Begin a command in the folder; its world is there too."""
    return subprocess.Popen(
        [sys.executable, "-m", "holdfast.repl.cli", *arguments],
        cwd=folder,
        env=ENV | {"HOLDFAST_WORLD": str(folder / "world")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def program(folder: Path, name: str, text: str) -> subprocess.Popen[str]:
    """Begin a program."""
    (folder / name).write_text(text)
    return start(folder, "run", name)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, output, errors."""
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def ran(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """The same for a command that nothing is done to while it runs."""
    done = holdfast(folder, *arguments, env={"HOLDFAST_WORLD": str(folder / "world")})
    return done.code, done.out, done.err


def ran_program(folder: Path, name: str, text: str) -> tuple[int, str, str]:
    """The same for a program."""
    (folder / name).write_text(text)
    return ran(folder, "run", name)


def line(process: subprocess.Popen[str]) -> str:
    """The next line of output."""
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], 60)[0], "nothing was printed"
    return process.stdout.readline()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has the world open until ``STOP`` runs."""
    process = program(tmp_path, "host.hold", HOST.replace('import "std/time" as time\n', ""))
    assert line(process) == "open\n"
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def stop(folder: Path, host: subprocess.Popen[str]) -> None:
    """End the host in order."""
    assert ran_program(folder, "stop.hold", STOP)[0] == 0
    code, out, err = ended(host)
    assert (code, out) == (0, "closed\n"), err
    assert "mistake" not in err
    assert not (folder / "world" / remote_door.SOCKET).exists()


def test_program_runs_there_and_prints_here(tmp_path: Path, opened: subprocess.Popen[str]) -> None:
    """Arguments, modules, output in order, exit code: all as in a world of one's own."""
    (tmp_path / "m.hold").write_text('import "n.hold" as n\nfn two() { return n.one() + 1 }')
    (tmp_path / "n.hold").write_text("fn one() { return 1 }")
    text = (
        'import "m.hold" as m\nfor i in 0..3 { print("{i} {m.two()} {args}") }\nspawn (() => print("child"))().join()\n'
    )
    (tmp_path / "p.hold").write_text(
        text.replace('spawn (() => print("child"))().join()\n', 'fn c() { print("child") }\n(spawn c()).join()\n')
    )
    code, out, err = ran(tmp_path, "run", "p.hold", "x", "y")
    given = '["x", "y"]'
    assert (code, err) == (0, "")
    assert out == "".join(f"{i} 2 {given}\n" for i in range(3)) + "child\n"
    stop(tmp_path, opened)


def test_errors_come_back(tmp_path: Path, opened: subprocess.Popen[str]) -> None:
    """An error has its trace, a refused program its diagnostics, a missing module its reason."""
    code, _, err = ran_program(tmp_path, "e.hold", 'fn f() { throw Error("oh") }\nf()')
    assert code == exits.FAILED and "Error: oh" in err and "e.hold:1 in f" in err and 'throw Error("oh")' in err
    code, _, err = ran_program(tmp_path, "c.hold", "let = 3")
    assert code == exits.COMPILE and "c.hold" in err
    code, _, err = ran_program(tmp_path, "i.hold", 'import "nix.hold" as n')
    assert code == exits.COMPILE and "no module 'nix.hold'" in err
    (tmp_path / "folder.hold").mkdir()
    code, _, err = ran_program(tmp_path, "d.hold", 'import "folder.hold" as n')
    assert code == exits.COMPILE and "cannot be read: is a directory" in err
    code, _, err = ran(tmp_path, "run", "--grant", "d=dir:.:r", "stop.hold")
    assert code == exits.USAGE
    stop(tmp_path, opened)


def test_ten_at_once(tmp_path: Path, opened: subprocess.Popen[str]) -> None:
    """Ten programs run together, and each terminal has its own output, whole and in order."""
    text = 'for i in 0..200 { print("NUMBER {i}")\nif i % 20 == 0 { sleep(0.001) } }\nroot["kNUMBER"] = NUMBER'
    runs = [program(tmp_path, f"r{n}.hold", text.replace("NUMBER", str(n))) for n in range(10)]
    for number, run in enumerate(runs):
        code, out, err = ended(run)
        assert (code, err) == (0, "")
        assert out == "".join(f"{number} {i}\n" for i in range(200))
    found = ran_program(tmp_path, "sum.hold", 'var s = 0\nfor i in 0..10 { s += root["k{i}"] }\nprint(s)')
    assert found == (0, "45\n", "")
    stop(tmp_path, opened)


def test_host_stays_for_others(tmp_path: Path, opened: subprocess.Popen[str]) -> None:
    """The process that has the world open ends after those that are attached to it."""
    guest = program(tmp_path, "g.hold", 'print("here")\nroot.stop = true\nsleep(0.3)\nprint("done")')
    assert line(guest) == "here\n"
    assert ended(guest) == (0, "done\n", "")
    code, out, err = ended(opened)
    assert (code, out) == (0, "closed\n")
    assert "another terminal uses this world" in err


def test_ctrl_c_goes_to_the_program(tmp_path: Path, opened: subprocess.Popen[str]) -> None:
    """Ctrl-C in a terminal ends the program of that terminal, with its place, and nothing else."""
    guest = program(tmp_path, "g.hold", 'print("here")\nwhile true { }')
    assert line(guest) == "here\n"
    guest.send_signal(signal.SIGINT)
    code, _, err = ended(guest)
    assert code == exits.INTERRUPTED and "interrupted at g.hold:2 in main" in err
    stop(tmp_path, opened)


def test_client_killed(tmp_path: Path, opened: subprocess.Popen[str]) -> None:
    """The program of a terminal that vanishes is interrupted: its finally runs, and the world goes on."""
    guest = program(
        tmp_path, "g.hold", 'try { print("here")\nwhile true { sleep(0.01) } } finally { root.gone = true }'
    )
    assert line(guest) == "here\n"
    guest.kill()
    guest.communicate()
    waiting = 'while not ("gone" in root) { sleep(0.01) }\nprint("gone")'
    assert ran_program(tmp_path, "w.hold", waiting) == (0, "gone\n", "")
    stop(tmp_path, opened)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_host_killed(tmp_path: Path, opened: subprocess.Popen[str], number: signal.Signals) -> None:
    """Who is attached is told, with exit code 4, and everything that it saw printed is in the world."""
    guest = program(tmp_path, "g.hold", 'root.x = 7\nprint("here")\nwhile true { sleep(0.01) }')
    assert line(guest) == "here\n"
    opened.send_signal(number)
    code, _, err = ended(guest)
    assert code == exits.WORLD and "the process that had the world open" in err
    assert ended(opened)[0] == (-9 if number == signal.SIGKILL else exits.SIGNAL + 15)
    code, out, err = ran_program(tmp_path, "x.hold", "print(root.x)")
    assert (code, out) == (0, "7\n") and err.startswith("note: 2 threads pause with the world")


def test_slow_reader(tmp_path: Path, opened: subprocess.Popen[str]) -> None:
    """A terminal that reads nothing makes its program wait: neither process keeps what it prints."""
    guest = program(tmp_path, "g.hold", 'let s = "x" * 100_000\nfor i in 0..3000 { print(s) }')
    parked: list[object] = []
    while not parked:
        rows = json.loads(ran(tmp_path, "ps", "--json")[1])
        parked = [row for row in rows if row["state"] == "sleeping" and row["at"].startswith("g.hold")]
    code, out, err = ended(guest)
    assert (code, err) == (0, "")
    assert len(out) == 3000 * 100_001
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{opened.pid}/status").read_text())
    assert peak is not None and int(peak[1]) < 120_000
    stop(tmp_path, opened)


def entries(folder: Path, session: str, text: str) -> tuple[int, str, str]:
    """Entries of a session, from a pipe."""
    process = start(folder, "repl", "--session", session)
    out, err = process.communicate(text, timeout=120)
    return process.returncode, out, err


def test_sessions(tmp_path: Path, opened: subprocess.Popen[str]) -> None:
    """A session over the socket keeps its variables, shows values and errors, and answers the commands."""
    (tmp_path / "m.hold").write_text("/// Two.\nfn two() { return 2 }")
    text = 'let a = 20\nimport "m.hold" as m\nfn f(x) { return x + m.two() }\nf(a)\nprint("out")\n'
    assert entries(tmp_path, "one", text) == (0, "22\nout\n", "")
    code, out, err = entries(tmp_path, "one", "a + 1\n_\n:source f\n:checkpoint\n:session two\n")
    assert (code, err) == (0, "")
    assert out.startswith("21\n21\nfn f(x)") and "is on disk" in out and "session two" in out
    code, out, err = entries(tmp_path, "one", "?print\n:threads\n:inspect root\nnix\nthrow Error(1)\n")
    assert "print" in out and "host.hold" in out and "Map" in out
    assert "nix" in err and "Error: 1" in err and code != 0
    stop(tmp_path, opened)


def test_ten_sessions_and_runs(tmp_path: Path, opened: subprocess.Popen[str]) -> None:
    """Five sessions and five programs at once do not see each other's variables and output."""
    sessions = [start(tmp_path, "repl", "--session", f"s{n}") for n in range(5)]
    runs = [program(tmp_path, f"q{n}.hold", f'for i in 0..50 {{ print("{n}")\nsleep(0.001) }}') for n in range(5)]
    for number, session in enumerate(sessions):
        assert session.stdin is not None
        session.stdin.write(f"var n = {number}\n" + "n += 10\nprint(n)\n" * 10)
        session.stdin.flush()
    for number, session in enumerate(sessions):
        out, err = session.communicate(timeout=120)
        assert (session.returncode, err) == (0, "")
        assert out == "".join(f"{number + 10 * i}\n" for i in range(1, 11))
    for number, run in enumerate(runs):
        assert ended(run) == (0, f"{number}\n" * 50, "")
    stop(tmp_path, opened)


def test_hostile_bytes(tmp_path: Path, opened: subprocess.Popen[str]) -> None:
    """Garbage, huge lengths, half messages, endless silence: the world goes on, and memory stays bounded."""
    random = Random(25)
    messages = [b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, struct.pack("<II", 0, 0xFFFFFFFF) + bytes(64)]
    messages += [struct.pack("<II", 511, 1) + bytes(64), struct.pack("<II", 0, (4 << 20) - 1) + bytes(64)]
    for _ in range(300):
        words = random.randrange(1, 20)
        body = bytes(random.choice([0, 0, 0, 1, 2, 3, 4, random.randrange(256)]) for _ in range(8 * words))
        messages.append(struct.pack("<II", 0, words) + body)
    kept = []
    for number, message in enumerate(messages):
        connection = remote_door.connect(str(tmp_path / "world"))
        assert connection is not None
        try:
            connection.sendall(message)
        except OSError:
            pass  # it was closed at the first bytes
        if number % 10 == 0:
            kept.append(connection)
        else:
            connection.close()
    assert ran_program(tmp_path, "x.hold", "print(1)") == (0, "1\n", "")
    for connection in kept:
        connection.close()
    stop(tmp_path, opened)


def test_other_users_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither side talks to a process of another user, and the socket is its owner's alone."""
    listening = remote_door.bind(str(tmp_path))
    assert os.stat(tmp_path / remote_door.SOCKET).st_mode & 0o777 == 0o600
    monkeypatch.setattr(remote_door, "peer_uid", lambda connection: os.getuid() + 1)
    with pytest.raises(Failure, match="another user"):
        remote_door.connect(str(tmp_path))
    listening.close()


def test_stale_socket(tmp_path: Path) -> None:
    """A socket that a killed process left is replaced; one that is answered is not."""
    remote_door.bind(str(tmp_path)).close()
    listening = remote_door.bind(str(tmp_path))
    with pytest.raises(OSError, match="in use"):
        remote_door.bind(str(tmp_path))
    listening.close()


def test_imports_are_collected(tmp_path: Path) -> None:
    """What is sent along is everything that is imported, with the reason for what cannot be read."""
    files: dict[str, str | OSError] = {
        "a/b.hold": 'import "../c.hold" as c\nimport "std/json" as j',
        "c.hold": 'import "d.hold" as d\nimport "a/b.hold" as b',
        "d.hold": OSError(13, "Permission denied"),
    }

    def load(name: str) -> str | None:
        found = files.get(name)
        if isinstance(found, OSError):
            raise found
        return found

    assert remote_wire.imported('import "a/b.hold" as b\nimport "gone.hold" as g', "p.hold", load) == files


def test_too_large(tmp_path: Path) -> None:
    """A program that does not fit into a message is refused in words."""
    with pytest.raises(Failure, match="at most"):
        remote_wire.within_limit([{"content": bytes(remote_wire.SOURCES_BYTES_MAX + 1)}])


def test_wrong_credentials_are_closed(tmp_path: Path) -> None:
    """The kernel's word about this process itself is its own user."""
    here, there = socket.socketpair(socket.AF_UNIX)
    with here, there:
        assert remote_door.peer_uid(here) == os.getuid()
