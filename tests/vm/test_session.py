"""Sessions: what an entry defines lives in the world, and means the same after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.lang.diagnostics import CompileError
from holdfast.vm import maintenance
from holdfast.vm.objects import Thrown
from holdfast.vm.session import Session, session_names
from holdfast.vm.show import to_source
from holdfast.vm.world import World


class Talk:
    """A session that can be left and entered again."""

    def __init__(self, folder: Path, shape: str) -> None:
        self.folder = folder
        self.shape = shape
        self.loader: Any = lambda name: None
        self.open()

    def open(self) -> None:
        """Open the world."""
        self.world = World.open(self.folder / "world", durability="process", shape=self.shape)
        self.world.modules.loader = self.loader

    def again(self) -> None:
        """Leave and come back, in a new machine."""
        self.world.close()
        self.open()

    def say(self, text: str, session: str = "main") -> str:
        """One entry: its value as source, or kind and message of its error."""
        try:
            entry = Session(self.world, session).start(text)
        except CompileError as error:
            return " ".join(diagnostic.code for diagnostic in error.diagnostics)
        try:
            return to_source(self.world.run_thread(entry.thread))
        except Thrown as thrown:
            return f"{thrown.error._name}: {thrown.error.f_message}"
        finally:
            entry.finish()


@pytest.fixture(params=["direct", "resumable"])
def talk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Talk]:
    """A session, in both shapes of code."""
    made = Talk(tmp_path, request.param)
    yield made
    made.world.close()


def test_variables(talk: Talk) -> None:
    """let and var, across entries and restarts; ``_`` is the last value that was not nil."""
    assert talk.say("_") == "nil"
    assert talk.say("let a = 1; var b = 2") == "nil"
    assert talk.say("b += a; b * 10") == "30"
    assert talk.say("nil") == "nil"
    talk.again()
    assert talk.say("_ + b") == "33"
    assert talk.say("a = 2") == "E0102"
    assert talk.say("let b = 5") == "nil"
    assert talk.say("b = 6") == "E0102"
    assert talk.say("var a = a + 1") == "nil"
    assert talk.say("a += 1; a") == "3"


def test_one_entry_defines_a_name_once(talk: Talk) -> None:
    """Entries may define a name again, one entry may not."""
    assert talk.say("let x = 1; let x = 2") == "E0103"
    assert talk.say("fn x() { }\nclass x { }") == "E0103"
    assert talk.say("x") == "E0101"


def test_an_entry_that_fails(talk: Talk) -> None:
    """What it set before the error stays; what it did not set is not set; an old value stays."""
    assert talk.say("let old = 1") == "nil"
    assert talk.say("let a = 1; let b = 1 / 0; let old = 2").startswith("ArithmeticError")
    assert talk.say("a") == "1"
    assert "used before it is set" in talk.say("b")
    assert talk.say("old") == "1"
    talk.again()
    assert "used before it is set" in talk.say("b")
    assert talk.say("let b = 5; b") == "5"


def test_functions_see_redefinition(talk: Talk) -> None:
    """A function holds variables, not values: it sees what is defined later under the same name."""
    talk.say("var n = 1")
    talk.say("fn inner() => n")
    talk.say("fn outer() => inner() + 100")
    assert talk.say("outer()") == "101"
    talk.say("fn inner() => n * 10")
    assert talk.say("n = 2; outer()") == "120"
    talk.again()
    assert talk.say("outer()") == "120"
    talk.say("fn inner() => 7")
    assert talk.say("outer()") == "107"
    talk.say("let inner = 5")
    assert talk.say("outer()").startswith("TypeError")


def test_functions_of_one_entry_see_each_other(talk: Talk) -> None:
    """In any order, themselves too."""
    talk.say(
        "fn even(n) => if n == 0 { true } else { odd(n - 1) }\nfn odd(n) => if n == 0 { false } else { even(n - 1) }"
    )
    assert talk.say("[even(10), odd(10)]") == "[true, false]"
    talk.again()
    assert talk.say("[even(7), odd(7)]") == "[false, true]"


def test_closures_survive(talk: Talk) -> None:
    """Closures in closures, with what they have captured."""
    talk.say("var total = 0")
    talk.say("let add = fn(a) => fn(b) => fn(c) { total += a + b + c; return total }")
    talk.say("let part = add(1)(2)")
    assert talk.say("part(3)") == "6"
    talk.again()
    assert talk.say("part(3)") == "12"
    assert talk.say("add(1)(1)(1)") == "15"
    assert talk.say("[part][0](0)") == "18"


def test_classes_survive(talk: Talk) -> None:
    """Classes and their instances; methods use variables and functions of the session."""
    talk.say("var rate = 2")
    talk.say("fn scaled(x) => x * rate")
    talk.say("class Base { x; fn show() => scaled(self.x) }")
    talk.say("class Point extends Base { y = scaled(5); fn show() => super.show() + self.y }")
    talk.say("let p = Point(1)")
    assert talk.say("p") == "Point(x: 1, y: 10)"
    assert talk.say("p.show()") == "12"
    talk.again()
    assert talk.say("rate = 3; p.show()") == "13"
    assert talk.say("[p is Point, p is Base, Point(1).y]") == "[true, true, 15]"
    assert talk.say("match p { Base => 1, _ => 2 }") == "1"


def test_a_class_without_methods_survives(talk: Talk) -> None:
    """What defines a class alone is needed as well: by its instances, and by who makes more of them."""
    assert talk.say("class Bare { a }") == "nil"
    assert talk.say("let o = Bare(a: 5)") == "nil"
    talk.again()
    assert talk.say("[o.a, Bare(a: 6)]") == "[5, Bare(a: 6)]"
    assert problems(talk) == []


def test_a_checkpoint_before_an_entry_runs(talk: Talk) -> None:
    """What an entry was begun with may be on disk; when it is done, and its source is gone, the world is sound."""
    entry = Session(talk.world, "main").start("1 + 1")
    talk.world.checkpoint()
    talk.world.run_thread(entry.thread)
    entry.finish()
    talk.world.checkpoint()
    assert problems(talk) == []


def problems(talk: Talk) -> list[str]:
    """What a check of the world finds."""
    for report in maintenance.check(talk.world.store):
        last = report
    return [problem.reason for problem in last.problems]


def test_init_uses_the_session(talk: Talk) -> None:
    """``init`` and the defaults of its parameters, own and inherited, use variables and functions of the session."""
    talk.say("var rate = 2")
    talk.say("fn scaled(x) => x * rate")
    talk.say("class Base { x = scaled(1); fn init(y, z = scaled(y)) { self.x += scaled(y) + z } }")
    talk.say("class Point extends Base { w = rate }")
    talk.say("let p = Point(5)")
    assert talk.say("p") == "Point(x: 22, w: 2)"
    talk.again()
    assert talk.say("rate = 3; [p, Point(5), Base(1, 1)]") == "[Point(x: 22, w: 2), Point(x: 33, w: 3), Base(x: 7)]"


def test_a_class_that_is_defined_again(talk: Talk) -> None:
    """It is a new class; older instances keep theirs."""
    talk.say('class P { x; fn name() => "old" }')
    talk.say("let a = P(1)")
    talk.say('class P { x; y = 2; fn name() => "new" }')
    talk.say("let b = P(1)")
    for _ in range(2):
        assert talk.say("[a.name(), b.name(), a is P, b is P]") == '["old", "new", false, true]'
        assert talk.say("[a, b]") == "[P(x: 1), P(x: 1, y: 2)]"
        talk.again()


def test_imports_survive(talk: Talk) -> None:
    """Imported names and modules are there in later entries, also when the file has gone."""
    files = {"bank.hold": "let rate = 2\nfn pay(x) => x * rate\nclass Coin { worth = 1 }"}
    talk.loader = talk.world.modules.loader = files.get
    talk.say('import "bank.hold" as bank')
    talk.say('import { pay, Coin, rate } from "bank.hold"')
    talk.say("fn double(x) => pay(x) + bank.pay(x) + rate")
    talk.say("let c = bank.Coin()")
    files.clear()
    for _ in range(2):
        assert talk.say("double(5)") == "22"
        assert talk.say("[c, c is bank.Coin, Coin(3).worth]") == "[Coin(worth: 1), true, 3]"
        talk.again()
    assert talk.say("bank") == "E0115"
    assert talk.say("bank.nothing") == "E0113"
    assert talk.say("rate = 1") == "E0102"


def test_import_again_takes_the_new_file(talk: Talk) -> None:
    """A file that has changed is loaded anew; functions that call it by name see that."""
    files = {"m.hold": "fn f() => 1"}
    talk.world.modules.loader = files.get
    talk.say('import "m.hold" as m')
    talk.say("fn g() => m.f()")
    files["m.hold"] = "fn f() => 2"
    assert talk.say("g()") == "1"
    talk.say('import "m.hold" as m')
    assert talk.say("g()") == "2"


def test_sessions_are_apart(talk: Talk) -> None:
    """Each has its own names; the root is everybody's."""
    talk.say("let x = 1; root.x = x", "one")
    assert talk.say("x", "two") == "E0101"
    assert talk.say("let x = 2; root.x + x", "two") == "3"
    assert talk.say("x", "one") == "1"
    assert session_names(talk.world) == ["one", "two"]


def test_objects_of_a_session_elsewhere(talk: Talk) -> None:
    """An instance and a function that a session made work in a program, which knows nothing of the session."""
    talk.say("var n = 1")
    talk.say("class P { x; fn sum() { n += 1; return self.x + n } }")
    talk.say("root.p = P(10); root.f = fn(x) => x + n")
    talk.again()
    assert talk.world.run_source("[root.p.sum(), root.f(0)]").v == [12, 2]
    assert talk.say("n") == "2"


def test_sources_are_kept_as_long_as_they_are_needed(talk: Talk) -> None:
    """The world holds the source of an entry that defined something, not those of all that was ever typed."""
    for number in range(5):
        talk.say(f"{number} + 1")
    talk.say("fn f() => 1")
    talk.world.checkpoint()
    assert sum(1 for _ in talk.world.modules.stored("source:")) == 1


@pytest.mark.parametrize("text", ["return 1", "break", 'test "x" { }', "class A { fn f() { nowhere } }", "let = 1"])
def test_errors_change_nothing(talk: Talk, text: str) -> None:
    """An entry that does not compile leaves the session as it was."""
    talk.say("let a = 1")
    before = dict(Session(talk.world, "main").names())
    assert talk.say(f"let b = 2\n{text}").startswith("E0")
    assert Session(talk.world, "main").names() == before
    assert talk.say("b") == "E0101"


@pytest.mark.parametrize("name", ["", "1a", "a b", "a/b", "ä", "x" * 65, "-a"])
def test_wrong_names(talk: Talk, name: str) -> None:
    """A session's name can stand in a path and in a command."""
    with pytest.raises(ValueError, match="is no name for a session"):
        Session(talk.world, name)


def test_what_was_acknowledged_survives_a_crash(tmp_path: Path) -> None:
    """After a checkpoint nothing more is needed: the process may die."""
    talk = Talk(tmp_path, "direct")
    talk.say("var n = 1; fn up() { n += 1; return n }")
    talk.say("up()")
    talk.world.checkpoint()
    talk.say("up()")
    talk.world.store.close()  # as if the process had been killed: no last checkpoint
    talk.open()
    assert talk.say("n") == "2"
    assert talk.say("up()") == "3"
    talk.world.close()
