"""Law: a REPL sees the threads of its world, tells them what to do, and looks into their frames."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from holdfast.repl import exits
from holdfast.vm.store import Store, object_key
from tests.repl.commandline import holdfast
from tests.repl.terminal import Terminal, command
from tests.repl.test_threads import SETTLED, both, folder, good, rows, run

__all__ = ["folder"]


def entries(folder: Path, *lines: str) -> tuple[list[str], str]:
    """Lines of output and the errors of a session without a prompt."""
    done = holdfast(folder, "repl", stdin="".join(line + "\n" for line in lines))
    errors = "".join(line for line in done.err.splitlines(keepends=True) if not line.startswith("note: "))
    return done.out.splitlines(), errors


@both
def test_threads_and_orders(folder: Path, where: Any) -> None:
    """The same table as ps, and the same answers."""
    first, second = (row["id"] for row in rows(folder))
    with where(folder):
        out, errors = entries(
            folder,
            ":threads",
            f":suspend {first}",
            f":step {first}",
            f":resume {first}",
            f":kill {first}",
            f":kill {first}",
            f":log {first}",
            f":log {second} -1",
        )
    assert [line.split()[:3] for line in out[:3]] == [
        ["KID", "NAME", "STATE"],
        [first, "start", "receiving"],
        [second, "start", "receiving"],
    ]
    states = [line.split()[2] for line in out[3:7]]
    assert states == ["suspended", "suspended", "receiving", "failed"]
    assert out[7:] == ["begun", "finally 1", "finally 1"]
    assert errors == f"error: the thread {first} has ended (failed)\n"


@both
def test_frame(folder: Path, where: Any) -> None:
    """An expression sees the variables of the frame, self, and what the session has; it changes no variable."""
    first = rows(folder)[0]["id"]
    with where(folder):
        out, errors = entries(
            folder,
            "let own = 100",
            f":frame {first} 0 turns + k + own",
            "_ + 1",
            f":frame {first} 0 mine",
            f":frame {first} 0 self.names.len()",
            f':frame {first} 0 "self turns {{turns}} {{self.names[0]}}"',
            f":frame {first} 1 k",
            f":frame {first} 0 (fn() {{ var turns = 7; return turns }})()",
            f":frame {first} 0 turns",
            f":frame {first} 0 own",
        )
        assert out == ["102", "103", '[1, "x"]', "1", '"self turns 1 ada"', "1", "7", "1", "100"], errors
        assert errors == ""


@both
def test_frame_refused(folder: Path, where: Any) -> None:
    """What is no expression, no frame, no thread; and what the expression throws."""
    first = rows(folder)[0]["id"]
    with where(folder):
        out, errors = entries(
            folder,
            f":frame {first} 9 k",
            f":frame {first} 0 let k = 1",
            f":frame {first} 0 k +",
            f":frame {first} 0 nowhere",
            f":frame {first} 0 turns = 5",
            f":frame {first} 0",
            f":frame {first} x k",
            ":frame K-60000000fff 0 k",
            f":frame {first} 0 k / 0",
            ":kill",
            f":kill {first} {first}",
        )
    assert out == []
    for text in (
        f"error: the thread {first} has 2 frames: the innermost is 0\n",
        "error: write one expression\n",
        "'nowhere' is not defined",
        "error: the world has no thread K-60000000fff\n",
        "by zero",
        "error: write :frame T N X\n",
        "error: write :kill T\n",
    ):
        assert text in errors, errors
    assert good(folder, "ps").count("receiving") == 2


@both
def test_set(folder: Path, where: Any) -> None:
    """A variable of a suspended thread gets the value of an expression, of its own frame's variables as well."""
    first = rows(folder)[0]["id"]
    with where(folder):
        out, errors = entries(
            folder,
            "let own = 100",
            f":set {first} 0 turns 1",
            f":suspend {first}",
            f":set {first} 0 turns turns + own",
            f":frame {first} 0 turns",
            f":set {first} 0 mine nil",
            f":frame {first} 0 mine",
            f":set {first} 1 k 10 * (k + 1)",
            f":frame {first} 1 k",
            f":set {first} 0 k 7",
            f":resume {first}",
            f":kill {first}",
            f":log {first}",
        )
    assert "must be suspended before its variables can be changed" in errors, errors
    seen = [line for line in out if not line.startswith("K-")]
    assert seen == ["101", "101", "20", "20", "7", "begun", "finally 7"], out


@both
def test_set_refused(folder: Path, where: Any) -> None:
    """What is no variable, no frame, no expression, and self; what throws changes nothing."""
    first = rows(folder)[0]["id"]
    with where(folder):
        out, errors = entries(
            folder,
            f":suspend {first}",
            f":set {first} 9 k 1",
            f":set {first} 0 nowhere 1",
            f":set {first} 0 turn print(1)",
            f":set {first} 0 self 1",
            f":set {first} 0 turns 1 / 0",
            f":set {first} 0 turns let x = 1",
            f":set {first} 0 turns",
            f":set {first} x turns 1",
            f":frame {first} 0 turns",
            f":resume {first}",
            f":kill {first}",
            f":set {first} 0 turns 1",
        )
    assert [line for line in out if not line.startswith("K-")] == ["1"], out
    for text in (
        f"error: the thread {first} has 2 frames: the innermost is 0\n",
        "has no variable 'nowhere' that is set",
        "has no variable 'turn' that is set (did you mean 'turns'?)",
        "self stays what it is",
        "by zero",
        "error: write one expression\n",
        "error: write :set T N NAME X\n",
        "the thread has ended",
    ):
        assert text in errors, errors


@both
def test_threads_by_name(tmp_path: Path, where: Any) -> None:
    """What a name or path of the session stands for need not be looked up for its KID."""
    run(tmp_path, "root.names = [1]")
    with where(tmp_path):
        out, errors = entries(
            tmp_path,
            "let t = spawn (fn(own) { print(own); receive(); return own })(7)",
            "root.work = [t]",
            'root["a b"] = t',
            'root["an int"] = 1',
            ":suspend t",
            ":frame t 0 own + 1",
            ":log root.work[0]",
            ':resume root["a b"]',
            ':log root["a b"] 0',
            ':frame root["a b"] 0 own * 3 + 1',
            ":kill t",
            ":kill root.names",
            ':kill root["an int"]',
            ":kill none",
            ":kill t",
        )
    assert [line.split()[2] for line in out if line[:2] == "K-"] == ["suspended", "receiving", "failed"], out
    assert "8" in out and "7" in out and "22" in out
    assert 'root["an int"] is no thread but an Int' in errors
    assert "root.names is no thread but a List" in errors and "nothing under the name 'none'" in errors
    assert "has ended (failed)" in errors


def test_frame_of_a_failed_thread(tmp_path: Path) -> None:
    """Its frames are those in which it failed."""
    run(tmp_path, 'fn bad(n) { let half = n / 2; throw Error("no") }\nroot.t = spawn bad(5)\n' + SETTLED)
    out, errors = entries(tmp_path, "root.t.id")
    assert errors == ""
    kid = out[0].strip('"')
    assert entries(tmp_path, f":frame {kid} 0 half * 2")[0] == ["5.0"]


@pytest.mark.parametrize("number", range(2))
def test_at_a_prompt(folder: Path, number: int) -> None:
    """The commands work beside a prompt, whose terminal gets nothing that could drive it."""
    kid = rows(folder)[number]["id"]
    with Terminal(command("repl"), folder) as terminal:
        terminal.prompt()
        assert re.search(rf"{kid}\s+start\s+receiving", terminal.answer(":threads"))
        assert terminal.answer(f":kill {kid}").endswith(f"{kid}  start  failed")
        assert f"finally {number + 1}" in terminal.answer(f":log {kid}")
        terminal.enter(":quit")
        assert terminal.wait() == exits.OK


def test_damage_ends_no_session(tmp_path: Path) -> None:
    """A command that meets a damaged object says so, and the session goes on."""
    run(tmp_path, "class P { a }\nroot.p = P(a: 1)\nroot.t = spawn fn() { receive() }()\nroot.p.a = root.t\n" + SETTLED)
    kid = json.loads(holdfast(tmp_path, "inspect", "root.p", "--json").out)["id"]
    store = Store(tmp_path / ".holdfast")
    batch, key = store.batch(), object_key(int(kid[2:], 16))
    record = store.get(key)
    assert record is not None
    batch.put(key, record[:-1] + bytes((record[-1] ^ 1,)))
    store.write(batch)
    store.close()
    out, errors = entries(tmp_path, ":inspect root.p", ":suspend root.p.a", ":suspend root.t", "1 + 1")
    assert errors.count(f"the record of {kid} is damaged") == 2, errors
    assert out[-1] == "2" and "suspended" in out[0]


@both
def test_set_of_a_thread_that_goes_on(tmp_path: Path, where: Any) -> None:
    """A thread that has run while the expression did may stand elsewhere: nothing is changed."""
    run(tmp_path, "root.names = [1]")
    with where(tmp_path):
        out, errors = entries(
            tmp_path,
            "fn work() { var n = 0; while n < 1_000_000_000 { n += 1; sleep(0) } }",
            "let t = spawn work()",
            ":suspend t",
            ":set t 0 n -5",
            ":set t 0 n (fn() { t.resume(); while t.frames[0].locals.n < 0 { sleep(0) }; t.suspend(); return -9 })()",
            ":frame t 0 n >= 0",
            ":kill t",
        )
    assert "has gone on meanwhile, and nothing was changed" in errors, errors
    assert [line for line in out if not line.startswith("K-")] == ["-5", "true"], out
