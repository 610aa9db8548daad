"""Law: tables that are drawn again and again show the world as it is, and the keys do what they say."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from holdfast.repl import exits
from holdfast.repl.host import ThreadRow
from holdfast.repl.thread_table import SORTS, as_tree, listing, shares_of, sorted_rows
from tests.repl.commandline import Running, holdfast
from tests.repl.terminal import CTRL_C, Terminal, command
from tests.repl.test_threads import folder, good, rows, serving

__all__ = ["folder"]

ROWS = [
    ThreadRow("K-61", "main", "ready", "a.hold:9 in main", 500, 0),
    ThreadRow("K-62", "child", "receiving", "a.hold:1 in child", 40, 7, "K-61", objects=3),
    ThreadRow("K-63", "lost", "sleeping", "a.hold:2 in lost", 900, 1, "K-60"),
    ThreadRow("K-64", "grandchild", "ready", "a.hold:3 in g", 0, 0, "K-62"),
]


def test_sorting() -> None:
    """Numbers begin with the largest, texts with the first; CPU is the share since the last look."""
    later = [row._replace(cpu_ms=row.cpu_ms + (250 if row.id == "K-62" else 0)) for row in ROWS]
    shares = shares_of(ROWS, later, 0.5)
    assert shares == {"K-62": 50.0}
    order = {sort: [row.id[2:] for row in sorted_rows(later, shares, sort, False)] for sort in SORTS}
    assert order == {
        "cpu": ["62", "63", "61", "64"],
        "objects": ["62", "61", "63", "64"],
        "mailbox": ["62", "63", "61", "64"],
        "state": ["61", "64", "62", "63"],
        "name": ["62", "64", "63", "61"],
        "where": ["62", "63", "64", "61"],
    }
    assert [row.id for row in sorted_rows(later, shares, "name", True)] == ["K-61", "K-63", "K-64", "K-62"]
    assert shares_of([], ROWS, 1.0) == {}


def test_tree() -> None:
    """Each below its parent; who has none that is alive is a root, and circles lose nobody but themselves."""
    assert [(row.id, depth) for row, depth in as_tree(ROWS)] == [("K-61", 0), ("K-62", 1), ("K-64", 2), ("K-63", 0)]
    assert listing(ROWS, tree=True)[3].split()[:2] == ["K-64", "grandchild"]
    assert as_tree([ROWS[0]._replace(parent="K-61")]) == [(ROWS[0]._replace(parent="K-61"), 0)]


def test_watch(folder: Path) -> None:
    """ps --watch follows the world from a closed one to an open one and back, until Ctrl-C."""
    first, second = (row["id"] for row in rows(folder))
    with Terminal(command("ps", "--watch", "--tree"), folder) as terminal:
        terminal.expect("2 threads; nobody has the world open")
        terminal.expect(second)
        with serving(folder):
            terminal.expect("2 threads")
            good(folder, "kill", first)
            terminal.expect("1 thread")
            terminal.expect(second)
        terminal.expect("1 thread; nobody has the world open")
        terminal.type(CTRL_C)
        assert terminal.wait() == exits.INTERRUPTED
    for arguments in (["ps", "--watch"], ["ps", "--watch", "--json"], ["top"]):
        done = holdfast(folder, *arguments)
        assert done.code == exits.USAGE and "for a terminal" in done.err


def test_top(folder: Path) -> None:
    """Keys sort, q ends; it shows a world that nobody has open too."""
    first, second = (row["id"] for row in rows(folder))
    with Terminal(command("top"), folder) as terminal:
        terminal.expect("2 threads; nobody has the world open, so none of them runs, by cpu")
        terminal.expect("CPU %")
        terminal.expect(first)
        with serving(folder):
            terminal.type("n")
            terminal.expect("name")
            terminal.type("r")
            terminal.expect("turned round")
            (folder / "m.hold").write_text("receive()")
            terminal.expect(good(folder, "run", "--detach", "m.hold").strip())
            terminal.type("q")
            assert terminal.wait() == exits.OK
    assert {first, second} < {row["id"] for row in rows(folder)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_top_is_ended(folder: Path, number: int) -> None:
    """A signal ends it, and the terminal is left in order."""
    with Terminal(command("top", "--sort", "where"), folder) as terminal:
        terminal.expect("by where")
        terminal.process.send_signal(number)
        assert terminal.wait() == exits.SIGNAL + number
        assert b"\x1b[?1049l" in terminal.raw


def test_who_looks_keeps_no_world_open(tmp_path: Path) -> None:
    """A program ends when it is done, though somebody watches the threads."""
    (tmp_path / "a.hold").write_text('print("begun")\nroot.t = threads.self()\nreceive()\nprint("over")')
    with Running(tmp_path, "run", "a.hold") as running:
        assert running.line() == "begun"
        with Terminal(command("ps", "--watch"), tmp_path) as terminal:
            terminal.expect("receiving")
            (tmp_path / "b.hold").write_text("root.t.send(1)\nroot.t.join()")
            assert holdfast(tmp_path, "run", "b.hold").code == exits.OK
            done = running.end()
            assert (done.code, done.out) == (exits.OK, "over\n")
            terminal.expect("0 threads; nobody has the world open")
