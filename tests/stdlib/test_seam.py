"""The seam between the machine and the library: who may name host functions, and what they promise."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.lang.diagnostics import CompileError
from holdfast.stdlib import host_functions, library, module_names, module_text
from holdfast.vm.library import Library, checked, takes
from holdfast.vm.world import World


@pytest.fixture
def world(tmp_path: Path) -> Any:
    """A world with the library."""
    with World.open(tmp_path / "world", library=library(), durability="process") as made:
        yield made


def refused(run: Callable[[], Any]) -> str:
    """The text of a compile error."""
    with pytest.raises(CompileError) as caught:
        run()
    return str(caught.value)


def test_programs_cannot_name_host_functions(world: World) -> None:
    """A host function is not defined in a program, nor reachable through a module of the library."""
    assert "'host_sqrt' is not defined" in refused(lambda: world.run_source("print(host_sqrt(4))"))
    assert "host_sqrt" in refused(lambda: world.run_source('import "std/math" as math\nprint(math.host_sqrt(4))'))
    assert "host_sqrt" in refused(lambda: world.run_source('import { host_sqrt } from "std/math"\nprint(host_sqrt(4))'))


def test_a_missing_import_is_told(world: World) -> None:
    """Where the library has a module of the name, the hint is how to import it, and that works."""
    told = refused(lambda: world.run_source("print(json.stringify([1]))"))
    assert 'write import "std/json" as json' in told
    world.run_source('import "std/json" as json\nprint(json.stringify([1]))')
    for name in ("nothing_of_that_name", "n" * 10_000):  # which no file could have
        assert "define it with" in refused(lambda name=name: world.run_source(f"print({name})"))  # type: ignore[misc]


def test_modules_of_programs_cannot_name_host_functions(world: World, tmp_path: Path) -> None:
    """Nor in a module of the user, even in a folder called std."""
    (tmp_path / "std").mkdir()
    (tmp_path / "std" / "evil.hold").write_text("fn f() => host_sqrt(4)\n")
    (tmp_path / "main.hold").write_text('import "std/evil.hold" as evil\n')
    assert "there is no module 'std/evil.hold'" in refused(lambda: world.load_module(tmp_path / "main.hold"))
    (tmp_path / "other.hold").write_text('import "./std/evil.hold" as evil\n')
    assert "is a name of the standard library" in refused(lambda: world.load_module(tmp_path / "other.hold"))
    assert "is a name of the standard library" in refused(lambda: world.modules.program("print(1)", "std/evil.hold"))


@pytest.mark.parametrize(
    "path", ["std/nothing", "std/", "std/../json", "std/json.hold", "std/host/json_read", "std/JSON"]
)
def test_only_modules_of_the_library(world: World, path: str) -> None:
    """A name that is no module's is refused, whatever it looks like."""
    assert "there is no module" in refused(lambda: world.run_source(f'import "{path}" as x'))


def test_a_world_without_library(tmp_path: Path) -> None:
    """A world that is opened without a library has no std modules."""
    with World.open(tmp_path / "world", durability="process") as world:
        assert "there is no module 'std/json'" in refused(lambda: world.run_source('import "std/json" as json'))


def test_host_functions_declare_rights(world: World) -> None:
    """Each host function says for each parameter which rights it needs of it, and has a doc text or is a formula."""
    functions = host_functions(world)
    assert len(functions) > 30
    for name, function in functions.items():
        assert name.startswith("host_")
        rights = function.__hold_rights__  # type: ignore[attr-defined]
        assert list(rights) == list(inspect.signature(function).parameters)
        assert set(rights.values()) <= {"", "r", "w", "rw"}


def test_what_declares_nothing_is_refused() -> None:
    """A host function that forgets a parameter does not get into a world."""

    @takes(x="r")
    def forgetful(x: Any, y: Any) -> None:
        """Takes more than it says."""

    for function in (forgetful, lambda x: x):
        with pytest.raises(TypeError, match="must declare the rights"):
            checked({"forgetful": function})


def test_every_host_function_is_used() -> None:
    """No module asks for a host function that is not there, and none is there for nothing."""
    texts = "\n".join(module_text(name) or "" for name in module_names())
    functions = host_functions(_Anything())
    assert [name for name in functions if name + "(" not in texts] == []


class _Anything:
    """A runtime that is never used."""

    heap: Any = None

    def new_list(self, raw: list[Any]) -> Any:
        raise AssertionError

    new_map = new_set = new_list


def test_instances_of_the_library_are_kept(tmp_path: Path) -> None:
    """What the library made goes on in the next run: a generator, a reader in the middle of its source, a pattern."""
    first = """
import "std/random" as random
import "std/csv" as csv
import "std/regex" as regex
root.generator = random.Generator(5)
root.expected = List(0..4).map(fn(_) => root.generator.bits())
root.generator = random.Generator(5)
root.generator.bits()
root.reader = csv.Reader(source: "a,b\\n1,2\\n3,4\\n5,6\\n", types: "int")
root.reader.next()
root.pattern = regex.compile(r"(\\d)(?<letter>\\w)")
"""
    second = """
assert root.generator.bits() == root.expected[1]
assert root.reader.rest() == [{a: 3, b: 4}, {a: 5, b: 6}]
assert root.pattern.search("..7x").named() == {letter: "x"}
"""
    with World.open(tmp_path / "world", library=library(), durability="process") as world:
        world.run_source(first)
    with World.open(tmp_path / "world", library=library(), durability="process") as world:
        world.run_source(second)


def test_a_new_version_of_the_library(tmp_path: Path) -> None:
    """A world takes the module that the library has now; instances get the new methods."""

    def version(answer: str) -> Library:
        text = f"class Thing {{\n  fn answer() => {answer}\n}}\n"
        return Library(lambda name: text if name == "std/thing" else None, lambda runtime: {})

    with World.open(tmp_path / "world", library=version("1"), durability="process") as world:
        world.run_source('import "std/thing" as thing\nroot.thing = thing.Thing()\nassert root.thing.answer() == 1')
    with World.open(tmp_path / "world", library=version("2"), durability="process") as world:
        world.run_source('import "std/thing" as thing\nassert root.thing.answer() == 2')


LONG = {
    "json": ('import "std/json" as json', "json.parse(text)", '[{"a": [1, 2, "x"]}, ' + '{"b": {}}, ' * 60_000 + "1]"),
    "csv": ('import "std/csv" as csv', 'csv.parse(text, types: "auto")', "1,x,2.5\n" * 60_000),
    "regex": ('import "std/regex" as regex', 'regex.find_texts(r"[a-z]+\\d", text)', "abc1 defg " * 40_000),
}


@pytest.mark.parametrize("name", LONG)
def test_other_threads_run_meanwhile(world: World, name: str) -> None:
    """A long call of the library is done in steps, and other threads get their turns between them."""
    imported, call, text = LONG[name]
    program = f"""
{imported}
fn work(text) {{
  let result = {call}
  root.done = true
  return len(result)
}}
root.done = false
root.turns = 0
let t = spawn work(root.text)
while not root.done {{
  root.turns += 1
  sleep(0)
}}
print(t.join())
"""
    world.heap.root.v["text"] = text
    world.run_source(program)
    assert world.heap.root.v["turns"] > 3
