"""Law: what was made by a definition stays readable when the definition has gone from its file.

A class and a function are then as they were last defined.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.vm import maintenance
from holdfast.vm.codec import open_record
from holdfast.vm.store import Store
from holdfast.vm.world import World

Program = tuple[str, str]


def run(path: Path, *programs: Program, files: dict[str, str] | None = None) -> list[str]:
    """Run programs (text, name) one after another in one opening of a world; what they print, by line."""
    out: list[str] = []
    with World.open(path, durability="process") as world:
        world.write = out.append
        world.modules.loader = (files or {}).get
        for text, name in programs:
            world.run_source(text, name)
    return "".join(out).splitlines()


def both(path: Path, first: list[Program], then: Program, apart: bool) -> list[str]:
    """Run the first programs, each in an opening of its own if they are to be apart, then the last one."""
    if not apart:
        return run(path, *first, then)
    for program in first:
        assert run(path, program) == []
    return run(path, then)


def problems(path: Path) -> list[str]:
    """What a check of the world finds."""
    store = Store(path, create=False)
    try:
        for report in maintenance.check(store):
            last = report
        return [f"{problem.name}: {problem.reason}" for problem in last.problems]
    finally:
        store.close()


CLASS = """
let FACTOR = 3
fn twice(n) => n * 2
class Base { x
  fn show() => "{self.x} {twice(self.x)}" }
class P extends Base { y = 1
  fn show() => "P " + super.show() + " {self.y * FACTOR}"
  fn again() => P(self.x + 1) }
root.p ??= P(x: 4)
root.C ??= P
"""
USE = ("print(root.p, root.p.show(), root.p.again(), root.C(x: 9), root.p is Map)", "use.hold")
USED = "P(x: 4, y: 1) P 4 8 3 P(x: 5, y: 1) P(x: 9, y: 1) false"


@pytest.mark.parametrize("apart", [True, False])
def test_removed_class(tmp_path: Path, apart: bool) -> None:
    """Instances keep a class that its file no longer has, with its base, what its methods call, and its value."""
    path = tmp_path / "w"
    assert both(path, [(CLASS, "p.hold"), ("root.other = 1", "p.hold")], USE, apart) == [USED]
    assert run(path, USE) == [USED]
    assert problems(path) == []


def test_removed_class_as_last_defined(tmp_path: Path) -> None:
    """Of several versions the last that had the class counts; when a later one has it again, that one does."""
    path = tmp_path / "w"
    two = 'class P { x; z = 7\n fn show() => "two {self.x} {self.z}" }\nnil'
    show = ("print(root.p.show())", "use.hold")
    for text in ("class P { x\n fn show() => 1 }\nroot.p = P(x: 4)", two, "nil", "fn other() => 1"):
        assert run(path, (text, "p.hold")) == []
    assert run(path, show) == ["two 4 7"]
    assert run(path, ("root.p.x += 1", "use.hold"), show) == ["two 5 7"]
    assert run(path, (two.replace("two", "three"), "p.hold"), show) == ["three 5 7"]
    assert run(path, ('class New was P { x\n fn show() => "new {self.x}" }', "p.hold")) == []
    assert run(path, show) == ["new 5"]
    assert problems(path) == []


def test_removed_then_renamed(tmp_path: Path) -> None:
    """A class that was gone for some versions can still be renamed."""
    path = tmp_path / "w"
    for text in (CLASS, "nil", 'class Q was P { x\n fn show() => "Q {self.x}" }'):
        assert run(path, (text, "p.hold")) == []
    assert run(path, ("print(root.p, root.p.show(), root.C(x: 9))", "use.hold")) == ["Q(x: 4) Q 4 Q(x: 9)"]


@pytest.mark.parametrize("apart", [True, False])
def test_old_name_of_a_renamed_class(tmp_path: Path, apart: bool) -> None:
    """The class as a value, and code that made instances by the old name, mean the renamed class."""
    old = "class Old { x }\nroot.C = Old\nroot.make = fn(n) => Old(x: n)"
    new = "class New was Old { x; y = 2 }"
    use = ("print(root.C(x: 1), root.make(3))", "use.hold")
    assert both(tmp_path / "w", [(old, "p.hold"), (new, "p.hold")], use, apart) == ["New(x: 1, y: 2) New(x: 3, y: 2)"]
    assert run(tmp_path / "w", use) == ["New(x: 1, y: 2) New(x: 3, y: 2)"]
    reuse = ("class Old { z = 5 }\nclass New was Old { x; y = 2 }\nroot.D = Old", "p.hold")
    assert run(tmp_path / "w", reuse) == []
    assert run(tmp_path / "w", ("print(root.make, root.D(), root.C(x: 1))", "use.hold"))[0].endswith(
        "Old(z: 5) New(x: 1, y: 2)"
    )


@pytest.mark.parametrize("apart", [True, False])
def test_removed_function(tmp_path: Path, apart: bool) -> None:
    """A closure calls a function that has gone as it was last defined, and finds a constant that has gone."""
    one = "let K = 10\nfn step() => 1\nroot.f ??= fn() => [step(), K]\nroot.g ??= step"
    programs = [(one, "m.hold"), ("fn step() => 2\nnil", "m.hold"), ("nil", "m.hold")]
    use = ("print(root.f(), root.g())", "use.hold")
    assert both(tmp_path / "w", programs, use, apart) == ["[2, 10] 1"]
    assert run(tmp_path / "w", use) == ["[2, 10] 1"]
    assert problems(tmp_path / "w") == []


def test_removed_from_an_imported_module(tmp_path: Path) -> None:
    """The same where the closure, or the class, uses what an imported module no longer has."""
    path = tmp_path / "w"
    maker = """
import "b.hold" as b
import { Base } from "b.hold"
class Sub extends Base { y = 2
  fn show() => "{super.show()} {b.help(self.y)}" }
root.sub = Sub(x: 1)
root.f = fn() => [b.help(1), b.LIMIT, b.Base(x: 5)]
"""
    first = 'let LIMIT = 9\nfn help(n) => n + 100\nclass Base { x\n fn show() => "base {self.x}" }'
    assert run(path, (maker, "a.hold"), files={"b.hold": first}) == []
    assert run(path, ('import "b.hold" as b\nprint(b.other())', "c.hold"), files={"b.hold": "fn other() => 1"}) == ["1"]
    use = ("print(root.sub.show(), root.f())", "use.hold")
    assert run(path, use) == ["base 1 102 [101, 9, Base(x: 5)]"]
    assert run(path, use, files={"b.hold": "fn other() => 2", "a.hold": "nil"}) == ["base 1 102 [101, 9, Base(x: 5)]"]
    assert problems(path) == []


def test_reading_an_object_loads_no_file(tmp_path: Path) -> None:
    """What the world reads comes from the world: a file beside the program that runs is loaded by an import only."""
    path = tmp_path / "w"
    maker = 'import "b.hold" as b\nroot.f = fn() => b.help()'
    assert run(path, (maker, "a.hold"), files={"b.hold": "fn help() => 1"}) == []
    assert run(path, ("print(root.f())", "use.hold"), files={"b.hold": "this is no module"}) == ["1"]


def test_imports_are_read_again(tmp_path: Path) -> None:
    """A program that has not changed finds the changed module, also in the process that ran it before."""
    files = {"b.hold": "fn help() => 1", "c.hold": 'import "b.hold" as b\nfn more() => b.help() * 10'}
    program = ('import "c.hold" as c\nprint(c.more())', "a.hold")
    out: list[str] = []
    with World.open(tmp_path / "w", durability="process") as world:
        world.write = out.append
        world.modules.loader = files.get
        world.run_source(*program)
        files["b.hold"] = "fn help() => 2"
        world.run_source(*program)
    assert "".join(out) == "10\n20\n"


def test_check_finds_a_missing_source(tmp_path: Path) -> None:
    """A world whose instances and functions could not be read, since their source has gone, is not all right."""
    path = tmp_path / "w"
    assert run(path, (CLASS + "root.f = fn() => twice(2)", "p.hold")) == []
    store = Store(path, create=False)
    batch = store.batch()
    for key, _ in list(store.scan(b"Msource:")):
        batch.delete(key)
    store.write(batch)
    store.close()
    found = problems(path)
    assert any("of class P of p.hold" in problem for problem in found)
    assert any("function" in problem for problem in found)
    out = run(path, ("try { print(root.p.x) } catch e { print(e.kind, e.message) }", "use.hold"))
    assert len(out) == 1 and "the record of source of p.hold is damaged" in out[0]


def collect(path: Path) -> set[str]:
    """Collect garbage; the texts of ``p.hold`` that are still there."""
    with World.open(path, durability="process") as world:
        for report in maintenance.collect(world.heap):
            last = report
        assert last.problem_count == 0
    store = Store(path, create=False)
    try:
        found = set()
        for key, record in store.scan(b"Msource:"):
            text, name, _ = json.loads(open_record(key, record))
            if name == "p.hold":
                found.add(text)
        return found
    finally:
        store.close()


def test_old_versions_go_when_nothing_needs_them(tmp_path: Path) -> None:
    """A collection leaves the newest version of a file, the last one that defined what has gone from it, and those
    that a function or a living frame comes from; all of these go on as they were."""
    path = tmp_path / "w"
    texts = {
        "plain": "print(1)",
        "closure": "let K = 2\nroot.f = fn() => K * 10\nprint(root.f())",
        "frame": "root.g = fn(n) {\n  receive()\n  return n + 3\n}\nroot.t = spawn root.g(4)\nroot.g = nil",
        "class": "class C { x }\nroot.c = C(x: 5)",
        "other": "print(6)",
        "newest": "print(7)",
    }
    for text in texts.values():
        run(path, (text, "p.hold"))
    kept = collect(path)
    assert kept == {texts[name] for name in ("closure", "frame", "class", "newest")}
    assert problems(path) == []
    use = ("print(root.f(), root.c)\nroot.t.send(nil)\nprint(root.t.join())", "use.hold")
    assert run(path, use) == ["20 C(x: 5)", "7"]
    assert run(path, ("root.f = nil\nroot.t = nil", "use.hold")) == []
    assert collect(path) == {texts[name] for name in ("closure", "class", "newest")}  # K was last defined there
    assert problems(path) == []
    assert run(path, ("print(root.c)", "use.hold")) == ["C(x: 5)"]


def test_what_is_compiled_keeps_its_source(tmp_path: Path) -> None:
    """While a process has a function of an old version in memory, it may store it any time."""
    path = tmp_path / "w"
    run(path, ("root.f = fn() => 10", "p.hold"))
    with World.open(path, durability="process") as world:
        world.run_source("print(1)", "p.hold")
        world.run_source("let held = root.f\nroot.f = nil\nroot.hold = fn() => held", "use.hold")
        world.checkpoint()
        for _ in maintenance.collect(world.heap):
            pass
        world.run_source("root.again = root.hold()", "use.hold")
    assert run(path, ("print(root.again())", "more.hold")) == ["10"]
    assert problems(path) == []


def test_a_collection_between_the_versions(tmp_path: Path) -> None:
    """A version that is run again after its source has gone is there again."""
    path = tmp_path / "w"
    one, two = ("root.f = fn() => 1", "p.hold"), ("root.f = nil", "p.hold")
    run(path, one)
    run(path, two)
    assert collect(path) == {two[0]}
    assert run(path, one) == []
    assert run(path, two) == []
    assert run(path, one) == []
    assert collect(path) == {one[0]}
    assert run(path, ("print(root.f())", "use.hold")) == ["1"]
    assert problems(path) == []
