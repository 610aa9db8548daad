"""Law: wherever direct code may be left, the locals that are read from there on have their values.

It is left at the first instruction of a group, when a guess of the group fails, and behind a call or safepoint, when
the thread's stack is taken away.  A value that is never assigned, since it stands inside the expression that uses it,
must be made in the same group.  Here every line of generated code is looked at, not only those that programs reach:
what each line finds assigned (on every way through the Python) against what is still read (on some way through the
instructions).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from holdfast.lang import ir
from holdfast.lang.assemble import groups_of
from holdfast.lang.direct import direct
from holdfast.lang.lines import CALLS, Line, NameTable
from holdfast.lang.resumable import Linearizer
from holdfast.vm.world import World
from tests.conformance.cases import read_cases
from tests.lang.generator import program
from tests.lang.test_compiler_deopt import COMMON, CONTEXTS, OPERATIONS

CONFORMANCE = sorted((Path(__file__).parent.parent / "conformance").glob("*.hold"))
GENERATED, GENERATED_SLOW = 40, 1500
ENDS = frozenset(("throw", "rethrow", "assert"))

GUEST = re.compile(r"(?:[vg]_.*|t\d+|_m|_spawn|_safepoint)\Z")

Names = frozenset[str]
EMPTY: Names = frozenset()


def temporary(operand: object) -> Names:
    """The operand, if it is a temporary."""
    return frozenset((operand,)) if isinstance(operand, str) and operand.startswith("t") else EMPTY


class Liveness:
    """What is read from each instruction on, before it is assigned."""

    def __init__(self, function: ir.Function) -> None:
        linear = Linearizer(function).out
        self.items, self.start, self.places = linear.items, linear.start, linear.places
        self.handlers = [(error, self.places[label]) for error, label in linear.handlers]
        self.live: list[Names] = [EMPTY] * (len(self.items) + 1)
        changed = True
        while changed:
            changed = False
            for index in reversed(range(len(self.items))):
                found = self.before(index)
                changed = changed or found != self.live[index]
                self.live[index] = found

    def before(self, index: int) -> Names:
        """By the items behind this one."""
        item = self.items[index]
        after = EMPTY
        if item.jump not in ("goto", "return") and not (item.node is not None and item.node.op in ENDS):
            after |= self.live[index + 1]
        if item.target >= 0:
            after |= self.live[self.places[item.target]]
        after -= frozenset(item.names)
        if item.node is not None:
            after -= temporary(item.node.dst)
            after = after.union(*map(temporary, item.node.args))
        after |= temporary(item.value) | temporary(item.iterator)
        if item.handler >= 0:
            error, target = self.handlers[item.handler]
            after |= self.live[target] - temporary(error)
        return after

    def at(self, n: int) -> Names:
        """Where a frame begins with an instruction."""
        return self.live[self.start.get(n, 0)]

    def behind(self, op: ir.Op) -> Names:
        """Where it goes on with the result of one."""
        return self.live[self.start[op.n] + 1] - temporary(op.dst)


class Assigned:
    """Walks through direct code, with the temporaries that have a value."""

    def __init__(self, function: ir.Function, lines: list[Line]) -> None:
        self.function = function
        self.lines = lines
        self.groups = groups_of(lines)
        self.live = Liveness(function)
        self.stops = [
            node
            for node in ir.walk(function.body)
            if isinstance(node, ir.Op) and (node.op in CALLS or node.op == "safepoint")
        ]
        self.lost: list[str] = []
        self.breaks: list[list[Names]] = []
        tree = ast.parse("\n".join("\t" * line.depth + line.text for line in lines))
        body = next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "f").body
        if isinstance(body[0], ast.Try):  # else it only enters the resumable shape
            self.block(body[0].body, EMPTY)

    def look(self, node: ast.AST, there: Names) -> None:
        """Is all there, if the frame goes on in the other shape from this line?"""
        line = self.lines[node.lineno - 1]  # type: ignore[attr-defined]
        if line.n >= self.function.size:
            return
        if any(isinstance(inner, ast.Call | ast.BinOp | ast.Compare | ast.Attribute | ast.Subscript | ast.UnaryOp)
               and not plain(inner) for inner in parts(node)):  # fmt: skip
            self.miss(line, self.live.at(line.n) - there, "at")
        if any(isinstance(inner, ast.Call) and guest(inner.func) for inner in parts(node)):
            stops = [op for op in self.stops if line.n <= op.n <= self.groups[line.n]]
            if stops:  # else a closure is made, or it is the safepoint at the beginning
                self.miss(line, self.live.behind(stops[-1]) - there, "behind")  # as a capture finds it

    def miss(self, line: Line, names: Names, where: str) -> None:
        """Note what is not there."""
        if names:
            self.lost.append(f"{self.function.name}: {where} {line.n}..{line.last}: {sorted(names)}: {line.text}")

    def block(self, nodes: list[ast.stmt], there: Names | None) -> Names | None:
        """What has a value behind the statements; None when their end is not reached."""
        for node in nodes:
            if there is None:
                return None
            there = self.statement(node, there)
        return there

    def statement(self, node: ast.stmt, there: Names) -> Names | None:
        """The same of one statement."""
        self.look(node, there)
        match node:
            case ast.Assign():
                return there.union(*(temporary(t.id) for t in node.targets if isinstance(t, ast.Name)))
            case ast.If():
                return merge(self.block(node.body, there), self.block(node.orelse, there))
            case ast.While() | ast.For():
                self.breaks.append([])
                names = (
                    [n for n in ast.walk(node.target) if isinstance(n, ast.Name)] if isinstance(node, ast.For) else []
                )
                self.block(node.body, there.union(*(temporary(n.id) for n in names)))
                endless = (
                    isinstance(node, ast.While) and isinstance(node.test, ast.Constant) and node.test.value is True
                )
                end: Names | None = None if endless else there
                for way in self.breaks.pop():
                    end = merge(end, way)
                return end
            case ast.Try():
                ends = self.block(node.body, there)
                for handler in node.handlers:
                    ends = merge(ends, self.block(handler.body, there))
                return ends
            case ast.Break():
                self.breaks[-1].append(there)
                return None
            case ast.Continue() | ast.Return() | ast.Raise():
                return None
        return there


def merge(one: Names | None, other: Names | None) -> Names | None:
    """Two ways meet."""
    return other if one is None else one if other is None else one & other


def parts(node: ast.AST) -> Iterator[ast.AST]:
    """The expressions of a statement's own line."""
    for inner in ast.iter_child_nodes(node):
        if not isinstance(inner, ast.stmt | ast.ExceptHandler):
            yield from ast.walk(inner)


def guest(called: ast.expr) -> bool:
    """Is it a function of the program that is called, or a safepoint?"""
    if isinstance(called, ast.Attribute):
        return called.attr.startswith("m_")
    return isinstance(called, ast.Name) and GUEST.match(called.id) is not None


def plain(node: ast.AST) -> bool:
    """Cannot fail: identity, a negation, the poll of a safepoint."""
    if isinstance(node, ast.Compare):
        return all(isinstance(op, ast.Is | ast.IsNot) for op in node.ops)
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)


def guesses(function: ir.Function, r: Random) -> Iterator[dict[int, int]]:
    """What has failed before: nothing, everything once or more often, and some."""
    yield {}
    yield dict.fromkeys(range(1, function.size), 1)
    yield dict.fromkeys(range(1, function.size), 2)
    yield {n: r.randint(1, 2) for n in range(1, function.size) if r.random() < 0.4}


def check(world: World, text: str, seed: int = 0) -> int:
    """Look at all functions of a program; how many there are."""
    unit = world.modules.analysed(text, "main.hold", "main.hold", "program")
    for function in unit.functions:
        for failed in guesses(function, Random(seed)):
            lines = direct(function, NameTable("k"), world.table.methods, failed, "k")
            assert Assigned(function, lines).lost == []
    return len(unit.functions)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """For the names that programs find defined."""
    made = World.open(tmp_path_factory.mktemp("world") / "w", durability="process")
    yield made
    made.close()


@pytest.mark.parametrize("path", CONFORMANCE, ids=lambda path: path.stem)
def test_conformance_programs(path: Path, world: World) -> None:
    """The programs of the conformance files."""
    assert sum(check(world, case.text) for case in read_cases(path) if not case.diagnostics and not case.files) > 0


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_operations_in_all_places(name: str, world: World) -> None:
    """Every guessing operation in every kind of surrounding code."""
    bodies = (body.replace("EXPR", f"({OPERATIONS[name][0]})") for body, _ in CONTEXTS.values())
    functions = (f"fn run{number}(x, again) {{\n{body}\n}}\n" for number, body in enumerate(bodies))
    check(world, COMMON + "".join(functions))


def test_generated_programs(world: World) -> None:
    """Random programs."""
    for seed in range(GENERATED):
        check(world, program(seed), seed)


@pytest.mark.slow
def test_many_generated_programs(world: World) -> None:
    """More of them."""
    for seed in range(GENERATED, GENERATED + GENERATED_SLOW):
        check(world, program(seed), seed)
