"""What the commands do, as processes."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.repl import exits
from holdfast.vm.codec import bare_codec
from holdfast.vm.folders import part_name
from holdfast.vm.store import Store
from tests.repl.commandline import holdfast
from tests.repl.terminal import Terminal, command

BANK = """\
/// Money.
class Account {
  owner
  balance = 0

  /// Pays in.
  fn deposit(amount) {
    if amount <= 0 { throw "amount must be positive" }
    self.balance += amount
  }
}

test "adds" {
  let a = Account(owner: "x")
  a.deposit(5)
  assert a.balance == 5
  root.left = 1
}
test "starts empty" { assert root.get("left") == nil }
test "refuses" {
  print("trying")
  Account(owner: "x").deposit(-5)
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a module."""
    (tmp_path / "bank.hold").write_text(BANK)
    return tmp_path


# --------------------------------------------------------------------------- run


def test_arguments(folder: Path) -> None:
    """A program finds its arguments in args, functions of it too; a module does not, and may define its own."""
    (folder / "own.hold").write_text("fn f(args) => args\n")
    (folder / "a.hold").write_text('import { f } from "own.hold"\nfn first() => args[0]\nprint(args, first(), f(1))\n')
    done = holdfast(folder, "run", "a.hold", "ä b", "--world", "-x")
    assert done.out == '["ä b", "--world", "-x"] ä b 1\n'
    assert holdfast(folder, "run", "bank.hold").out == ""


def test_what_a_program_keeps(folder: Path) -> None:
    """The next run finds it, in the world that was named."""
    (folder / "a.hold").write_text('root.n = (root.get("n") ?? 0) + 1\nprint(root.n)\n')
    assert [holdfast(folder, "run", "a.hold").out for _ in range(2)] == ["1\n", "2\n"]
    assert holdfast(folder, "run", "-w", "other", "a.hold").out == "1\n"
    assert holdfast(folder, "run", "a.hold", env={"HOLDFAST_WORLD": "other"}).out == "2\n"


def test_a_program_from_stdin(folder: Path) -> None:
    """A dash stands for stdin; imports are looked for in the current folder."""
    text = 'import "bank.hold" as bank\nprint(bank.Account("ada"))\n'
    assert holdfast(folder, "run", "-", stdin=text).out == 'Account(owner: "ada", balance: 0)\n'


def test_imports_are_beside_the_program(folder: Path) -> None:
    """Wherever the command is run."""
    (folder / "sub").mkdir()
    (folder / "sub" / "a.hold").write_text('import "lib/b.hold" as b\nprint(b.two())\n')
    (folder / "sub" / "lib").mkdir()
    (folder / "sub" / "lib" / "b.hold").write_text("fn two() => 2\n")
    assert holdfast(folder, "run", "sub/a.hold").out == "2\n"


def test_grants(folder: Path) -> None:
    """A program reaches a folder that was granted, and nothing else."""
    (folder / "a.hold").write_text('print(caps.names(), caps.data.read("bank.hold").len() > 0)\n')
    assert holdfast(folder, "run", "--grant", "data=dir:.:r", "a.hold").out == (
        '["clock", "console", "data", "random", "root"] true\n'
    )
    done = holdfast(folder, "run", "a.hold")
    assert done.code == exits.FAILED and "CapabilityError" in done.err and "--grant data=" in done.err


def test_grants_to_write(folder: Path) -> None:
    """With rw a program writes into the folder, not into one that holds the world; what a crash left is shown."""
    (folder / "out").mkdir()
    (folder / "a.hold").write_text('caps.out.write("a", "1")\nprint(caps.out.names())\n')
    assert holdfast(folder, "run", "--grant", "out=dir:out:rw", "a.hold").out == '["a"]\n'
    done = holdfast(folder, "run", "--grant", "out=dir:.:rw", "a.hold")
    assert done.code == exits.USAGE and "cannot grant out: it holds the world itself" in done.err
    with closing(Store(folder / ".holdfast")) as store:
        batch = store.batch()
        key = b"Swrite:" + bytes(8)
        values = [os.fsencode(folder / "out"), "write", "b", b"2", part_name()]
        batch.put(key, bare_codec().record(key, values))
        store.write(batch)
    text = f"1 write for {folder / 'out'}: done when that folder is granted with :rw"
    assert text in holdfast(folder, "world", "stat").out
    assert json.loads(holdfast(folder, "world", "stat", "--json").out)["waiting_writes"] == {str(folder / "out"): 1}
    (folder / "out" / "b").mkdir()
    done = holdfast(folder, "run", "--grant", "out=dir:out:rw", "a.hold")
    assert done.code == 0
    assert done.err == (
        "note: out: 'b' cannot be written: it is a folder (this was under way when the world was last left)\n"
    )
    assert "for " + str(folder) not in holdfast(folder, "world", "stat").out


def test_control_characters(folder: Path) -> None:
    """A terminal gets them escaped, a pipe gets what was printed."""
    (folder / "a.hold").write_text('print("a\\u{1b}[2Jb\\tc")\n')
    assert holdfast(folder, "run", "a.hold").out == "a\x1b[2Jb\tc\n"
    with Terminal(command("run", "a.hold"), folder) as terminal:
        terminal.expect("a\\u{1b}[2Jb")
        assert terminal.wait() == 0


# --------------------------------------------------------------------------- test, check, fmt


def test_tests(folder: Path) -> None:
    """Each test has a world of its own; a failure is shown with its place and what it printed."""
    done = holdfast(folder, "test", "bank.hold")
    assert done.code == exits.FAILED
    assert done.out == "2 passed, 1 failed\n"
    assert "FAILED bank.hold: refuses\nerror: Error: amount must be positive\n  at bank.hold:8 in" in done.err
    assert "  it printed:\n  | trying\n" in done.err
    assert not (folder / ".holdfast").exists()


def test_tests_as_json(folder: Path) -> None:
    """The same for scripts."""
    done = holdfast(folder, "test", "--json", "bank.hold")
    data = json.loads(done.out)
    assert (data["passed"], data["failed"]) == (2, 1)
    assert data["tests"][2]["error"] == "Error: amount must be positive"
    assert data["tests"][2]["at"] == "bank.hold:8"


def test_tests_that_do_not_end(folder: Path) -> None:
    """A test has a time."""
    (folder / "a.hold").write_text('test "one" { try { while true { } } catch e { } }\ntest "two" { }\n')
    done = holdfast(folder, "test", "--timeout", "1", "a.hold")
    assert done.out == "1 passed, 1 failed\n"
    assert "ran longer than 1 s" in done.err


def test_tests_of_a_program(folder: Path) -> None:
    """A program's statements do not run, so a test cannot use its variables."""
    (folder / "a.hold").write_text('print("running")\ntest "one" { assert 1 == 1 }\n')
    assert holdfast(folder, "test", "a.hold").out == "1 passed, 0 failed\n"
    (folder / "b.hold").write_text('let xs = [1]\nfn f() => xs\ntest "one" { assert f() == xs }\n')
    done = holdfast(folder, "test", "b.hold", "a.hold")
    assert done.code == exits.COMPILE and "E0125" in done.err
    assert done.out == "1 passed, 0 failed\n"


def test_check(folder: Path) -> None:
    """All errors of all files, and nothing is run or kept."""
    (folder / "a.hold").write_text("let a = 1\na = 2\nb\n")
    (folder / "c.hold").write_text('import "bank.hold" as bank\nbank.nothing()\n')
    done = holdfast(folder, "check", "a.hold", "bank.hold", "c.hold")
    assert done.code == exits.COMPILE
    assert [done.err.count(code) for code in ("E0102", "E0101", "E0113")] == [1, 1, 1]
    assert "3 files, 3 errors" in done.err
    rows = json.loads(holdfast(folder, "check", "--json", "a.hold").out)
    assert [(row["code"], row["line"], row["column"]) for row in rows] == [("E0102", 2, 1), ("E0101", 3, 1)]
    assert not (folder / ".holdfast").exists()
    assert holdfast(folder, "check", "bank.hold").code == exits.OK


def test_fmt(folder: Path) -> None:
    """Files are brought into the one layout, in place or only looked at; one with errors is left alone."""
    path = folder / "a.hold"
    path.write_text("let a   =  1\nif a==1 {print(a)}\n")
    path.chmod(0o640)
    assert holdfast(folder, "fmt", "--check", "a.hold").code == exits.FAILED
    assert path.read_text().startswith("let a   =")
    assert holdfast(folder, "fmt", "a.hold").code == exits.OK
    assert path.read_text() == "let a = 1\nif a == 1 { print(a) }\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert holdfast(folder, "fmt", "--check", "a.hold").err == ""
    assert holdfast(folder, "fmt", "-", stdin="let a=1").out == "let a = 1\n"
    (folder / "bad.hold").write_text("let =\n")
    assert holdfast(folder, "fmt", "bad.hold").code == exits.COMPILE
    assert (folder / "bad.hold").read_text() == "let =\n"
    assert sorted(os.listdir(folder)) == ["a.hold", "bad.hold", "bank.hold"]


# --------------------------------------------------------------------------- looking


@pytest.fixture
def filled(folder: Path) -> Path:
    """A folder with a world that holds something."""
    text = 'import { Account } from "bank.hold"\nroot.accounts = {"ada": Account("ada", 5), "odd key": [1, 2]}\n'
    (folder / "fill.hold").write_text(text + "root.f = fn(x) => x + 1\nroot.gone = [1, [2]]\nroot.gone = nil\n")
    assert holdfast(folder, "run", "fill.hold").code == exits.OK
    return folder


def test_inspect(filled: Path) -> None:
    """By path and by KID; for people and for scripts; no code of the program is needed."""
    done = holdfast(filled, "inspect", 'root.accounts["ada"]')
    assert "class of bank.hold" in done.out and 'owner    "ada"' in done.out and "balance  5" in done.out
    kid = done.out.split()[1]
    data = json.loads(holdfast(filled, "inspect", "--json", kid).out)
    assert data == {"kind": "Account", "id": kid, "parts": {"owner": "ada", "balance": 5}}
    assert "[1]  2" in holdfast(filled, "inspect", 'root.accounts["odd key"]').out
    assert "Int" in holdfast(filled, "inspect", "root.accounts.ada.balance").out
    assert "fill.hold:3" in holdfast(filled, "inspect", "root.f").out


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("root.nothing", 1),
        ("nothing", 1),
        ("K-fff", 1),
        ("K-", 2),
        ("K-xyz", 2),
        ("root.f()", 2),
        ("1 + 1", 2),
        ("", 2),
    ],
)
def test_inspect_what_is_not_there(filled: Path, what: str, code: int) -> None:
    """It is said in words, and nothing is run."""
    done = holdfast(filled, "inspect", what)
    assert done.code == code and done.err.startswith("error: ")


def test_ps(filled: Path) -> None:
    """The threads of a world."""
    assert json.loads(holdfast(filled, "ps", "--json").out) == []
    assert holdfast(filled, "ps").code == exits.OK


# --------------------------------------------------------------------------- world


def test_world_check_and_stat(filled: Path) -> None:
    """A sound world has no problems, and its objects are counted by class."""
    data = json.loads(holdfast(filled, "world", "check", "--json").out)
    assert data["problem_count"] == 0 and data["objects"] > 3
    data = json.loads(holdfast(filled, "world", "stat", "--json").out)
    assert data["classes"]["bank.hold:Account"]["objects"] == 1
    assert "bank.hold:Account" in holdfast(filled, "world", "stat").out


def test_world_gc(filled: Path) -> None:
    """What nothing reaches is deleted, the rest stays."""
    for text in ("root.gone = [1, [2]]", "root.gone = nil"):
        (filled / "more.hold").write_text(text)
        holdfast(filled, "run", "more.hold")
    before = json.loads(holdfast(filled, "world", "check", "--json").out)
    assert before["garbage"] >= 2
    assert json.loads(holdfast(filled, "world", "gc", "--json").out)["deleted"] == before["garbage"]
    after = json.loads(holdfast(filled, "world", "check", "--json").out)
    assert (after["garbage"], after["objects"], after["problem_count"]) == (0, before["live"], 0)
    assert "balance  5" in holdfast(filled, "inspect", "root.accounts.ada").out


def test_world_backup_and_restore(filled: Path) -> None:
    """A backup is the world as it was; nothing is overwritten."""
    assert holdfast(filled, "world", "backup", "copy").code == exits.OK
    assert holdfast(filled, "world", "backup", "copy").code == exits.WORLD
    (filled / "a.hold").write_text("root.accounts.ada.balance = 6\n")
    holdfast(filled, "run", "a.hold")
    assert holdfast(filled, "world", "restore", "copy").code == exits.WORLD
    assert holdfast(filled, "world", "restore", "copy", "-w", "again").code == exits.OK
    assert "balance  5" in holdfast(filled, "inspect", "root.accounts.ada", "-w", "again").out
    assert "balance  6" in holdfast(filled, "inspect", "root.accounts.ada").out
    assert holdfast(filled, "world", "restore", "nothing", "-w", "third").code == exits.WORLD


def test_world_export_and_import(filled: Path) -> None:
    """A text has the same graph, and exporting what was imported gives the same text."""
    assert holdfast(filled, "world", "export", "a.jsonl").code == exits.OK
    assert holdfast(filled, "world", "export", "a.jsonl").code == exits.USAGE
    assert holdfast(filled, "world", "import", "a.jsonl").code == exits.WORLD
    assert holdfast(filled, "world", "import", "a.jsonl", "-w", "again").code == exits.OK
    assert holdfast(filled, "world", "export", "-", "-w", "again").out == (filled / "a.jsonl").read_text()
    assert "balance  5" in holdfast(filled, "inspect", "root.accounts.ada", "-w", "again").out
    (filled / "bad.jsonl").write_bytes(b"\xff\n")
    for name in ("missing.jsonl", "bank.hold", "bad.jsonl"):
        done = holdfast(filled, "world", "import", name, "-w", "third")
        assert done.code in (exits.USAGE, exits.WORLD) and not (filled / "third").exists()


def test_no_progress_in_pipes(filled: Path) -> None:
    """What is piped has no bars and no colours."""
    for arguments in (("world", "check"), ("world", "gc"), ("inspect", "root")):
        done = holdfast(filled, *arguments)
        assert "\x1b" not in done.out + done.err


# --------------------------------------------------------------------------- repl without a terminal


def test_repl_in_a_pipe(folder: Path) -> None:
    """Entries are read without a prompt; the exit code tells the worst that happened."""
    entries = 'let x = 5\nx * 2\nfn f(a) {\n  return a + x\n}\nf(1)\n:time f(2)\nprint("out")\n?f\n'
    done = holdfast(folder, "repl", stdin=entries)
    assert done.code == exits.OK
    assert done.out.startswith("10\n6\n7\n") and "\nout\nfn f(a)\n" in done.out and done.err == ""
    done = holdfast(folder, "repl", stdin="f(1)\nnope\n1/0\nf(2)")
    assert (done.code, done.out) == (exits.COMPILE, "6\n7\n")
    assert "E0101" in done.err and "ArithmeticError" in done.err
    assert holdfast(folder, "repl", "--session", "other", stdin="f(1)").code == exits.COMPILE
    assert holdfast(folder, "repl", stdin=b"\xff\n").code == exits.USAGE


def test_where_a_function_is_defined(folder: Path) -> None:
    """``?`` names the line of the definition, not that of the first statement in it."""
    done = holdfast(
        folder, "repl", stdin="\nlet a = 1\nfn double(n) {\n\n    return n * 2\n}\n?double\n:source double\n"
    )
    assert done.out == "fn double(n)\n  (from main[2]:1)\nfn double(n) {\n\n    return n * 2\n}\n"


def test_help_without_a_command(folder: Path) -> None:
    """A group without a command shows its help, which fits 80 columns and cuts no sentence."""
    for arguments in ((), ("world",)):
        done = holdfast(folder, *arguments)
        assert done.code == exits.USAGE
        assert done.err.startswith("Usage: holdfast")
        assert "..." not in done.err.partition("Commands:")[2].partition("Examples:")[0]
    assert "Show the version" in holdfast(folder, "--help").out


def test_colours_of_errors(folder: Path) -> None:
    """What the compiler says has colours at a terminal, and none in a pipe or when they are not wanted."""
    (folder / "bad.hold").write_text("let a = ^\n")
    for arguments in (("run", "bad.hold"), ("check", "bad.hold"), ("test", "bad.hold")):
        assert "\x1b" not in holdfast(folder, *arguments).err
        with Terminal(command(*arguments), folder) as terminal:
            assert terminal.wait() == exits.COMPILE
            terminal.expect_raw(b"\x1b[31merror[E")
        with Terminal(command(*arguments), folder, NO_COLOR="1") as terminal:
            terminal.expect("error[E")
            assert terminal.wait() == exits.COMPILE
            assert b"\x1b[31m" not in terminal.raw


def test_first_command_line(tmp_path: Path) -> None:
    """The example that the README begins with."""
    example = Path(__file__).parent.parent.parent / "docs" / "examples" / "hello.hold"
    assert holdfast(tmp_path, "run", example, "Ada").out == "hello, Ada: the first time\n"
    assert holdfast(tmp_path, "run", example).out == "hello, world: time 2\n"
    assert holdfast(tmp_path, "fmt", "--check", example).code == exits.OK
