"""Law: a sandboxed program has what the command line grants it, and no more than its budget; anybody can see which."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.repl import exits
from tests.repl.commandline import holdfast
from tests.repl.test_threads import serving

PLUGIN = """\
class Item { name }
print(caps.names())
caps.out.push(Item(name: "x"))
caps.out.push(fn() => 1)
for act in [fn() { caps.catalog.a = 2 }, fn() { root.x }, fn() { caps.clock.now() }] {
  try { act() } catch e { print(e.kind) }
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "setup.hold").write_text("root.out = []\nroot.catalog = {a: 1}\n")
    (tmp_path / "plugin.hold").write_text(PLUGIN)
    assert holdfast(tmp_path, "run", "setup.hold").code == exits.OK
    return tmp_path


GRANTS = ("--grant", "out=root.out:rw", "--grant", "catalog=root.catalog:r")


def test_what_it_has(folder: Path) -> None:
    """What was granted, and the console; the world keeps what it left there, as its own."""
    done = holdfast(folder, "run", "--sandbox", *GRANTS, "plugin.hold")
    assert (done.code, done.err) == (exits.OK, "")
    assert done.out == '["catalog", "console", "out"]\n' + "CapabilityError\n" * 3
    (folder / "look.hold").write_text("print(root.out[0], root.catalog, threads.all().len())\n")
    assert holdfast(folder, "run", "look.hold").out == 'Item(name: "x") {"a": 1} 1\n'
    assert "owner plugin.hold K-" in holdfast(folder, "inspect", "root.out[0]").out


@pytest.mark.parametrize(
    ("text", "budget", "words"),
    [
        ("while true {}", "cpu_ms=50", "cpu_ms 50"),
        ("let xs = []\nwhile true { xs.push([]) }", "objects=1_000", "objects 1_000"),
        ("while true { spawn receive() }", "threads=4", "threads 4"),
    ],
)
def test_a_budget_ends_it(folder: Path, text: str, budget: str, words: str) -> None:
    """The error says what was used up; nothing of the program goes on."""
    (folder / "a.hold").write_text(text)
    done = holdfast(folder, "run", "--sandbox", "--budget", budget, "a.hold")
    assert done.code == exits.FAILED and f"BudgetError: the budget of 'a.hold' is used up: {words};" in done.err
    assert json.loads(holdfast(folder, "ps", "--json").out) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--budget", "cpu_ms=5"), "give --sandbox"),
        (("--grant", "a=root.out:r"), "give --sandbox"),
        (("--sandbox", "--detach"), "not with --detach"),
        (("--sandbox", "--budget", "cpu=5"), "there is no budget 'cpu'"),
        (("--sandbox", "--budget", "cpu_ms"), "is no part of a budget"),
        (("--sandbox", "--grant", "a=root.out"), "does not say which rights"),
        (("--sandbox", "--grant", "a=root.out:q"), "does not say which rights"),
        (("--sandbox", "--grant", "a=root.nothing:r"), "nothing"),
        (("--grant", "c=clock:soon"), "is not an instant"),
        (("--grant", "c=random:1.5"), "is not a seed"),
        (("--grant", "c=env:A-B"), "names no variables"),
    ],
)
def test_what_cannot_be_granted(folder: Path, arguments: tuple[str, ...], words: str) -> None:
    """The message says what is wrong; nothing has run."""
    done = holdfast(folder, "run", *arguments, "plugin.hold")
    assert done.code != exits.OK and words in done.err and done.out == ""


def test_a_run_can_be_repeated_exactly(folder: Path) -> None:
    """With a clock that stands still and random numbers of a seed."""
    (folder / "a.hold").write_text(
        'print(caps.clock.now(), caps.dice.int(1_000_000), caps.dice.float(), caps.dice.bytes(4), caps.env.get("X"))\n'
    )
    grants = ("--grant", "clock=clock:1700000000", "--grant", "dice=random:42", "--grant", "env=env:X,Y")
    first, second = (holdfast(folder, "run", "--sandbox", *grants, "a.hold") for _ in range(2))
    assert first.code == exits.OK and first.out == second.out and first.out.startswith("1700000000.0 ")
    assert first.out.endswith(" nil\n")


def test_domains_are_seen(folder: Path) -> None:
    """``ps`` shows the domain of a thread with its rights and its budget; ``inspect`` too."""
    (folder / "a.hold").write_text(
        'fn work() { receive() }\nroot.t = spawn work() with { out: only(root.out, "r") } budget { cpu_ms: 500 }\n'
    )
    assert holdfast(folder, "run", "a.hold").code == exits.OK
    (row,) = json.loads(holdfast(folder, "ps", "--json").out)
    assert row["domain"].startswith("work [out:r] cpu_ms ") and row["domain"].endswith("/500")
    assert "work [out:r] cpu_ms" in holdfast(folder, "ps").out
    assert "work [out:r] cpu_ms" in holdfast(folder, "inspect", "root.t").out


BANK = """\
class Account {
  owner
  balance = 0
  fn pay(n) {
    self.balance += n
    return self.balance
  }
}
"""
USER = """\
import { Account } from "bank.hold"
let a = Account("me")
print(a.pay(3), caps.names())
caps.out.push(a)
"""


@pytest.fixture
def bank(folder: Path) -> Path:
    (folder / "bank.hold").write_text(BANK)
    (folder / "open.hold").write_text('import { Account } from "bank.hold"\nroot.first = Account("ada")\n')
    (folder / "user.hold").write_text(USER)
    assert holdfast(folder, "run", "open.hold").code == exits.OK
    return folder


def test_a_module_that_was_granted(bank: Path) -> None:
    """A sandboxed program imports what it was granted, as code of its own, which outlives the process."""
    refused = holdfast(bank, "run", "--sandbox", *GRANTS, "user.hold")
    assert refused.code == exits.COMPILE
    assert "this program may not import 'bank.hold'" in refused.err
    done = holdfast(bank, "run", "--sandbox", "--module", "bank.hold", *GRANTS, "user.hold")
    assert (done.out, done.err) == ('3 ["catalog", "console", "module bank.hold", "out"]\n', "")
    (bank / "look.hold").write_text(
        'import { Account } from "bank.hold"\n'
        "print(root.out[0].pay(1), root.out[0] is Account, root.first is Account)\n"
    )
    assert holdfast(bank, "run", "look.hold").out == "4 false true\n"
    unknown = holdfast(bank, "run", "--sandbox", "--module", "bonk.hold", "user.hold")
    assert "the world has no module 'bonk.hold'" in unknown.err
    (bank / "bank.hold").write_text('import { x } from "more.hold"\nfn y() => x()\n')
    (bank / "more.hold").write_text("fn x() => 1\n")
    assert holdfast(bank, "run", "open.hold").code == exits.COMPILE  # it has no Account any more
    (bank / "open.hold").write_text('import { y } from "bank.hold"\ny()\n')
    assert holdfast(bank, "run", "open.hold").code == exits.OK
    (bank / "user.hold").write_text('import { y } from "bank.hold"\nprint(y())\n')
    partly = holdfast(bank, "run", "--sandbox", "--module", "bank.hold", "user.hold")
    assert "this program may not import 'more.hold'" in partly.err
    both = holdfast(bank, "run", "--sandbox", "--module", "bank.hold", "--module", "more.hold", "user.hold")
    assert both.out == "1\n"


def test_in_a_world_that_is_open(bank: Path) -> None:
    """Where another process has the world open the program runs there, with the same rights and limits."""
    with serving(bank):
        done = holdfast(bank, "run", "--sandbox", "--module", "bank.hold", *GRANTS, "user.hold")
        assert (done.out, done.err) == ('3 ["catalog", "console", "module bank.hold", "out"]\n', "")
        (bank / "spin.hold").write_text("while true {}\n")
        stopped = holdfast(bank, "run", "--sandbox", "--budget", "cpu_ms=50", "spin.hold")
        assert stopped.code == exits.FAILED
        assert "cpu_ms 50" in stopped.err
        (bank / "time.hold").write_text("print(caps.c.now(), caps.names())\nspawn receive()\n")
        timed = holdfast(bank, "run", "--sandbox", "--grant", "c=clock:17", "time.hold")
        assert (timed.code, timed.out) == (exits.OK, '17.0 ["c", "console"]\n')
        for grant, words, code in (
            ("a=dir:.:r", "cannot be given a folder", exits.USAGE),
            ("a=root.nothing:r", "nothing", exits.FAILED),
        ):
            refused = holdfast(bank, "run", "--sandbox", "--grant", grant, "time.hold")
            assert (refused.code, words in refused.err) == (code, True)
        assert holdfast(bank, "ps").err == "no threads\n"
