"""Law: the error of a thread that nobody joins is told, once, to whoever started it; the exit code is main's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.repl.test_attach import ended, line, program, ran_program, start
from tests.repl.test_attach import opened as opened  # a fixture

FAILS = 'fn work(n) { throw KeyError("gone {n}") }\n'
FAILED = 'while t.state != "failed" { sleep(0.001) }\n'
BEGIN = "fn begin() { spawn work(1)\nreturn nil }\n"
TOLD = "note: the thread 'work' failed, and nobody joined it\nerror: KeyError: gone 1\n  at p.hold:1 in work\n"


@pytest.fixture(params=["alone", "attached"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder whose world is nobody's yet, or open in another process."""
    if request.param == "attached":
        request.getfixturevalue("opened")
    return tmp_path


def test_held_to_the_end(folder: Path) -> None:
    """A thread that somebody could have joined is told of at the end, with its trace, on stderr."""
    code, out, err = ran_program(folder, "p.hold", FAILS + "let t = spawn work(1)\n" + FAILED + "print(t.state)")
    assert (code, out) == (0, "failed\n")
    assert err.startswith(TOLD) and err.count("note:") == 1


def test_dropped(folder: Path) -> None:
    """One that nobody can join is told of while the program goes on."""
    process = program(
        folder, "p.hold", FAILS + BEGIN + 'begin()\nwhile not ("go" in root) { sleep(0.01) }\nprint("end")'
    )
    assert process.stderr is not None
    assert process.stderr.readline() + process.stderr.readline() + process.stderr.readline() == TOLD
    assert ran_program(folder, "go.hold", "root.go = true")[0] == 0
    code, out, err = ended(process)
    assert (code, out) == (0, "end\n") and "note: the thread" not in err


@pytest.mark.parametrize(
    "meets",
    [
        "try { t.join() } catch e { print(e.message) }",
        FAILED + "try { t.join() } catch e { print(e.message) }",
        FAILED + "print(t.error.message)",
    ],
)
def test_met(folder: Path, meets: str) -> None:
    """Who joins a thread, or reads its error, is told by that."""
    assert ran_program(folder, "p.hold", FAILS + "let t = spawn work(1)\n" + meets) == (0, "gone 1\n", "")


def test_never_was(folder: Path) -> None:
    """A thread of an atomic that was undone never failed, and one error is not told twice."""
    text = FAILS + 'try { atomic { spawn work(1)\nthrow "no" } } catch e { print(e.message) }\n'
    assert ran_program(folder, "p.hold", text) == (0, "no\n", "")
    code, _, err = ran_program(folder, "p.hold", FAILS + "(spawn work(1)).join()")
    assert code == 1 and err.count("gone 1") == 1 and "nobody" not in err


def test_each_terminal_has_its_own(tmp_path: Path, opened: subprocess.Popen[str]) -> None:
    """The failure goes to the terminal that started the thread, in a session also when an entry has ended."""
    session = start(tmp_path, "repl")
    assert session.stdin is not None and session.stderr is not None
    session.stdin.write(FAILS + 'fn later() { sleep(0.05)\nwork(2) }\nlet t = spawn later()\nprint("next")\n')
    session.stdin.flush()
    assert line(session) == "next\n"
    assert session.stderr.readline() == "note: the thread 'later' failed, and nobody joined it\n"
    assert session.stderr.readline() == "error: KeyError: gone 2\n"
    session.communicate()
    assert ran_program(tmp_path, "stop.hold", "root.stop = true")[2] == ""
    assert "failed" not in ended(opened)[2]


def test_session_of_its_own(tmp_path: Path) -> None:
    """The same where the session has the world open itself."""
    session = start(tmp_path, "repl")
    assert session.stdin is not None and session.stderr is not None
    session.stdin.write(FAILS + 'fn later() { sleep(0.05)\nwork(2) }\nlet t = spawn later()\nprint("next")\n')
    session.stdin.flush()
    assert line(session) == "next\n"
    assert session.stderr.readline() == "note: the thread 'later' failed, and nobody joined it\n"
    assert session.communicate()[1].startswith("error: KeyError: gone 2\n") or session.returncode == 0
