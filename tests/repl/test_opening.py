"""Law: however many processes begin at the same moment on one world, one opens it and the others attach."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from holdfast.repl import exits, remote_line, remote_open
from holdfast.repl.exits import Failure
from holdfast.repl.local import Options
from holdfast.repl.remote_door import peer_pid
from holdfast.vm.store import WorldLocked
from tests.repl.test_attach import ended, start

PROGRAM = 'root["k{args[0]}"] = 1\nprint(args[0])'
PROCESSES = 10


@contextmanager
def begin_together(folder: Path, name: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Ten programs on one world; none of them is left behind when one has failed."""
    begun: list[subprocess.Popen[str]] = []
    try:
        for number in range(PROCESSES):
            begun.append(start(folder, "run", "--world", name, "p.hold", str(number)))
        yield begun
    finally:
        for process in begun:
            if process.poll() is None:
                process.kill()
            process.communicate()


def rounds(folder: Path, count: int) -> None:
    """In each round ten processes make a world together, and ten more open it again."""
    (folder / "p.hold").write_text(PROGRAM)
    (folder / "sum.hold").write_text("print(len(root))")
    for number in range(count):
        name = f"w{number}"
        for _ in range(2):
            with begin_together(folder, name) as begun:
                for index, process in enumerate(begun):
                    code, out, err = ended(process)
                    errors = [line for line in err.splitlines() if not line.startswith("note: ")]
                    assert (code, out, errors) == (0, f"{index}\n", []), errors
        assert ended(start(folder, "run", "--world", name, "sum.hold")) == (0, f"{PROCESSES}\n", "")


def test_ten_begin_together(tmp_path: Path) -> None:
    """All succeed, on a world that is not there yet and on one that is."""
    rounds(tmp_path, 1)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_begin_together_many_times(tmp_path: Path) -> None:
    """The same, often enough to meet what is rare."""
    rounds(tmp_path, 20)


class Crowd:
    """A world that is always somebody else's, until the last of these processes has left; each look takes a second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, holders: Iterator[int]) -> None:
        self.now = 0.0
        self.holders = holders
        self.holder = 0
        monkeypatch.setattr(remote_open, "monotonic", lambda: self.now)
        monkeypatch.setattr(remote_open, "RETRY_S", 0)
        monkeypatch.setattr(remote_open, "connect", self.connect)
        monkeypatch.setattr(remote_open, "peer_pid", lambda connection: self.holder)
        monkeypatch.setattr(remote_line, "Line", self.line)
        monkeypatch.setattr(remote_open, "LocalHost", self.opened)

    def connect(self, path: str) -> object | None:
        """Whoever has the world, if it answers."""
        self.now += 1
        self.holder = next(self.holders, 0)
        return object() if self.holder else None

    def line(self, connection: object) -> None:
        """It has gone before it has said a word."""
        raise Failure(remote_line.LOST, exits.WORLD)

    def opened(self, *options: Any) -> str:
        """The next one has it already, as long as there is one."""
        if next(self.holders, None) is None:
            return "opened"
        raise WorldLocked("another process")

    def open(self) -> Any:
        """What becomes of one who waits."""
        anything: Any = None
        return remote_open.open_host(Options("w"), anything, anything)


def test_turns_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who meets one process after the other goes on waiting, however long they take together."""
    turns = (number // 10 for number in range(10, 5_000))
    crowd = Crowd(monkeypatch, turns)
    assert crowd.open() == "opened"
    assert crowd.now > 20 * remote_open.DEADLINE_S


@pytest.mark.parametrize("holder", [0, 1])
def test_one_that_lets_nobody_in(holder: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One and the same process is waited for until the deadline, whether it answers or not."""
    with pytest.raises((WorldLocked, Failure)):
        Crowd(monkeypatch, iter(lambda: holder, None)).open()


def test_peer() -> None:
    """The process at the other end is known by its number."""
    here, there = socket.socketpair()
    with here, there:
        assert peer_pid(here) == os.getpid()
