"""Ctrl-C and SIGTERM at any moment: a clear end, a consistent world, nothing lost that was acknowledged."""

from __future__ import annotations

import signal
from pathlib import Path
from random import Random

import pytest

from tests.repl.commandline import Running, holdfast
from tests.repl.terminal import CTRL_C, Terminal, command, wait_until_busy

BUSY = {
    "loop": "while true { root.n += 1 }",
    "catcher": "while true { try { while true { root.n += 1 } } catch e { print(e) } }",
    "finally": "try { while true { root.n += 1 } } finally { root.last = true }",
    "atomic": "atomic { while true { root.n += 1 } }",
    "sleep": "sleep(1000)",
    "join": "fn other() { sleep(1000) }\nlet t = spawn other()\nt.join()",
    "deep": "fn down(k) { if k == 0 { while true { root.n += 1 } }; return down(k - 1) }\ndown(5000)",
    "methods": "while true { [3, 1, 2].map(fn(x) => x + 1).sorted() }",
    "printing": 'while true { print("x"); sleep(0.0001) }',
}


@pytest.mark.parametrize("name", BUSY)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_program_is_ended(tmp_path: Path, name: str, number: int, code: int) -> None:
    """The program ends at its next safepoint; its finally runs on Ctrl-C, no catch takes it; what it wrote is kept."""
    (tmp_path / "a.hold").write_text(f'root.n = 0\nprint("going")\nsleep(0.3)\n{BUSY[name]}\n')
    with Running(tmp_path, "run", "a.hold") as running:
        assert running.line() == "going"
        if name not in ("sleep", "join", "printing"):
            wait_until_busy(running.process)
        running.send(number)
        done = running.end()
    assert done.code == code, done
    assert "the world is at checkpoint " in done.err
    if number == signal.SIGINT:
        assert "interrupted at a.hold:" in done.err
    assert holdfast(tmp_path, "world", "check").code == 0
    if name == "finally":
        shown = holdfast(tmp_path, "inspect", "root").out
        assert ("last" in shown) == (number == signal.SIGINT)
    if name == "atomic":
        assert holdfast(tmp_path, "inspect", "root.n").out == "Int\n  value  0\n"


def test_ctrl_c_inside_finally(tmp_path: Path) -> None:
    """A finally that does not end is ended by the next Ctrl-C."""
    text = 'print("going")\ntry { while true { } } finally { print("last"); while true { sleep(0.01) } }\n'
    (tmp_path / "a.hold").write_text(text)
    with Running(tmp_path, "run", "a.hold") as running:
        assert running.line() == "going"
        running.send(signal.SIGINT)
        assert running.line() == "last"
        running.send(signal.SIGINT)
        assert running.end().code == 130


def test_ctrl_c_at_a_terminal(tmp_path: Path) -> None:
    """The key does what the signal does."""
    (tmp_path / "a.hold").write_text('print("going")\nwhile true { }\n')
    with Terminal(command("run", "a.hold"), tmp_path) as terminal:
        terminal.expect("going")
        terminal.type(CTRL_C)
        terminal.expect("interrupted at a.hold:2 in main; the world is at checkpoint")
        assert terminal.wait() == 130


def test_signals_at_random_moments(tmp_path: Path) -> None:
    """Whenever a signal comes, the world is consistent afterwards, and what was printed is kept."""
    random = Random(7)
    (tmp_path / "a.hold").write_text(
        'root.n ??= 0\nroot.rows ??= []\nprint("from", root.n)\n'
        "while true { root.n += 1; root.rows.push({n: root.n}); print(root.n); sleep(0.0001) }\n"
    )
    last = 0
    for _ in range(8):
        with Running(tmp_path, "run", "a.hold") as running:
            assert int(running.line().removeprefix("from ")) >= last
            for _ in range(random.randrange(100)):
                last = int(running.line())
            number = random.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
            running.send(number)
            done = running.end()
            assert done.code == (128 + number if number != signal.SIGKILL else -number), done
            last = max([last, *map(int, done.out.split("\n")[:-1])])
        shown = holdfast(tmp_path, "inspect", "root.n").out
        assert int(shown.split()[-1]) >= last
    assert holdfast(tmp_path, "world", "check").code == 0


def test_ignored_signals_stay_ignored(tmp_path: Path) -> None:
    """Under nohup a closed terminal does not end a program."""
    (tmp_path / "a.hold").write_text('print("going")\nsleep(0.2)\nprint("done")\n')
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    with Running(tmp_path, "run", "a.hold", preexec_fn=ignore) as running:
        assert running.line() == "going"
        running.send(signal.SIGHUP)
        assert running.line() == "done"
        assert running.end().code == 0


def test_ctrl_c_in_tests(tmp_path: Path) -> None:
    """holdfast test tells what it has counted so far."""
    (tmp_path / "a.hold").write_text('test "one" { assert 1 == 2 }\ntest "two" { while true { } }\n')
    with Terminal(command("test", "a.hold"), tmp_path) as terminal:
        terminal.expect("FAILED a.hold: one")
        terminal.type(CTRL_C)
        terminal.expect("0 passed, 1 failed")
        assert terminal.wait() == 130
