"""The doc texts of built-in functions and methods: each has an example, and every example holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import holdfast.vm
from holdfast.lang import tree
from holdfast.lang.diagnostics import Source
from holdfast.lang.parser import parse
from holdfast.vm.objects import Thrown
from holdfast.vm.show import to_text
from holdfast.vm.world import World

PRELUDE = Path(holdfast.vm.__path__[0]) / "prelude"
KINDS = ["Bool", "Int", "Float", "Text", "Bytes", "Range", "List", "Map", "Set"]


def prelude():
    """Kind, name and doc text of each method that is written in Hold."""
    for file in sorted(PRELUDE.glob("*.hold")):
        program = parse(Source(file.name, file.read_text("utf-8")))
        for definition in program.statements:
            assert isinstance(definition, tree.FunctionDef)
            parameters = [p.name for p in definition.function.parameters]
            if parameters[:1] == ["self"]:
                yield file.stem.capitalize(), definition.name, definition.doc or ""


def everything(bench):
    """The name and doc text of each built-in function and method."""
    for name, function in bench.builtins.items():
        yield name, function.__doc__ or ""
    for kind, methods in bench.methods.items():
        for name, function in methods.items():
            yield f"{kind}.{name}", function.__doc__ or ""
    for kind, name, doc in prelude():
        yield f"{kind}.{name}", doc


def examples(doc):
    """The statements of a doc text's examples; comparisons become assertions."""
    lines = re.findall(r"^\s*> (.*)$", doc, re.MULTILINE)
    return [f"assert {line}" if " == " in line else line for line in lines]


def test_everything_has_a_doc_text(bench):
    """A doc text says in a sentence what the function does, and shows it."""
    for name, doc in everything(bench):
        first = doc.strip().split("\n")[0]
        assert 10 < len(first) < 120, name
        assert any(line.startswith("assert ") for line in examples(doc)), name


def test_no_method_has_two_definitions(bench):
    """A method is a host function or a function in Hold, never both."""
    for kind, name, _ in prelude():
        assert name not in bench.methods[kind], (kind, name)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A world to run programs in."""
    with World.open(tmp_path_factory.mktemp("docs") / "world") as world:
        yield world


def test_examples_hold(bench, world):
    """Each example runs, and what it states is true."""
    wrong = []
    for name, doc in everything(bench):
        try:
            world.run_source("\n".join(examples(doc)), f"{name}.hold")
        except Thrown as thrown:
            wrong.append(f"{name}: {to_text(thrown.error)}")
    assert not wrong, "\n".join(wrong)


LONG = """
let xs = []
var n = 12345
for i in 0..520_000 {
  n = (n * 1103515245 + 12345) % 2147483648
  xs.push(if i % 1000 == 0 { Float("nan") } else if n % 3 == 0 { n % 5000 / 2 } else { n % 5000 })
}
root.xs = xs
root.sorted = xs.sorted()
root.reversed = xs.sorted(reverse: true)
root.places = List(0..len(xs)).sorted(fn(i) => xs[i], false)
"""


@pytest.mark.slow
def test_long_lists_are_sorted_in_steps(world):
    """What is sorted in several steps of the host comes out as by one stable sort, NaN last."""
    world.run_source(LONG)
    root = world.heap.root.v
    xs = list(root["xs"].v)
    places = sorted(range(len(xs)), key=lambda i: (xs[i] != xs[i], 0 if xs[i] != xs[i] else xs[i]))
    assert list(root["places"].v) == places
    assert list(map(repr, root["sorted"].v)) == [repr(xs[i]) for i in places]
    backwards = sorted(range(len(xs)), key=lambda i: (xs[i] != xs[i], 0 if xs[i] != xs[i] else xs[i]), reverse=True)
    assert list(map(repr, root["reversed"].v)) == [repr(xs[i]) for i in backwards]
