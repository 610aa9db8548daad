"""The doc texts of the library: everything public has one with examples, and every example holds in both shapes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.lang import tree
from holdfast.lang.diagnostics import Source
from holdfast.lang.parser import parse
from holdfast.stdlib import library, module_names, module_text
from holdfast.vm.objects import Thrown
from holdfast.vm.show import to_text
from holdfast.vm.world import World

COMPARISONS = frozenset("== != < <= > >= in not".split()) | {"not in"}


def documented(name: str) -> Iterator[tuple[str, str]]:
    """The name and doc text of each definition, field and method of a module that has one."""
    program = parse(Source(name, module_text(name) or ""))
    for statement in program.statements:
        if not isinstance(statement, tree.FunctionDef | tree.ClassDef | tree.Let) or statement.doc is None:
            continue
        yield statement.name, statement.doc
        if isinstance(statement, tree.ClassDef):
            for member in [*statement.fields, *statement.methods]:
                if member.doc is not None:
                    yield f"{statement.name}.{member.name}", member.doc


def examples(doc: str) -> list[str]:
    """The statements of a doc text's examples; what compares becomes an assertion."""
    lines = [line[2:] for line in doc.split("\n") if line.startswith("> ")]
    return [f"assert {line}" if states(line) else line for line in lines]


def states(line: str) -> bool:
    """The line is an expression that is true or false."""
    (statement,) = parse(Source("example", line)).statements
    if not isinstance(statement, tree.ExprStatement):
        return False
    expression = statement.value
    if isinstance(expression, tree.Binary | tree.Unary):
        return expression.op in COMPARISONS
    return isinstance(expression, tree.Logic | tree.IsTest)


@pytest.mark.parametrize("name", module_names())
def test_the_module_has_a_doc_text(name: str) -> None:
    """A module says what it is for, and offers something."""
    assert parse(Source(name, module_text(name) or "")).doc
    assert len(list(documented(name))) > 3


@pytest.mark.parametrize("name", module_names())
def test_definitions_have_examples(name: str) -> None:
    """Each definition with a doc text shows itself in an example that states something."""
    program = parse(Source(name, module_text(name) or ""))
    classes = {statement.name for statement in program.statements if isinstance(statement, tree.ClassDef)}
    for title, doc in documented(name):
        shown = examples(doc)
        if title.partition(".")[0] not in classes:
            assert shown, f"{name}: {title} has no example"
        if shown and not title.startswith("assert_"):
            assert any(line.startswith("assert ") for line in shown), f"{name}: {title} states nothing"


@pytest.mark.parametrize("shape", ["direct", "resumable"])
@pytest.mark.parametrize("name", module_names())
def test_examples_hold(name: str, shape: str, tmp_path: Path) -> None:
    """Each example runs, and what it states is true."""
    alias = name.rpartition("/")[2]
    imports = f'import "{name}" as {alias}\n'
    if name == "std/testing":
        imports += 'import "std/random" as random\n'
    wrong = []
    with World.open(tmp_path / "world", library=library(), durability="process", shape=shape) as world:
        for title, doc in documented(name):
            try:
                world.run_source(imports + "\n".join(examples(doc)), "example.hold")
            except Thrown as thrown:
                wrong.append(f"{title}: {to_text(thrown.error)}")
    assert not wrong, "\n".join(wrong)
