"""Generated programs do the same in both shapes, in code that has been recompiled, and in an independent interpreter.

What is compared: the lines printed, the kind of the error that ended the program (between the shapes also its message,
place and trace), and the graph of objects under ``root``, in memory and as it is on disk.

Programs come from seeds that count up from ``HOLDFAST_SEED`` (0 if not given), so a program that fails can be run
alone: its seed is in the message.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from holdfast.vm import threads
from holdfast.vm.objects import Box, Error, ListBase, MapBase, Obj, SetBase, kind_name, live
from holdfast.vm.transfer import export_world
from tests.conformance.cases import Bench, Outcome
from tests.lang.generator import DETAILS, program
from tests.lang.reference import Interpreter
from tests.lang.reference_values import RBuiltin, RClass, RError, RFunction, RInstance, RList, RMap, RSet, RThread, Skip

FIRST = int(os.environ.get("HOLDFAST_SEED", "0"))
QUICK, MANY = 30, 3_000
BATCH = 100
"""Programs that run in one world."""
PROGRAMS_MIN = 0.7
"""Share of the programs that the interpreter must be able to compare."""

Node = tuple[str, list[Any]]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine must not make an ``atomic`` run out of time in one of the worlds."""
    monkeypatch.setattr(threads, "ATOMIC_S", 3600.0)


def graph(root: Any, open_: Callable[[Any], Node | None]) -> list[Any]:
    """The graph below a value, equal for equal graphs: objects by number, in the order in which they are met."""
    numbers: dict[int, int] = {}
    kept: list[Any] = []
    out: list[Any] = []

    def name(value: Any) -> Any:
        node = open_(value)
        if node is None:
            return repr(value)
        number = numbers.get(id(value))
        if number is None:
            number = numbers[id(value)] = len(kept)
            kept.append((value, node))
        return number

    name(root)
    for _, (label, parts) in kept:  # grows meanwhile
        out.append((label, [name(part) for part in parts]))
    return out


def machine_node(value: Any) -> Node | None:
    """An object of the machine: its kind, and what it holds."""
    if not isinstance(value, Obj):
        return ("Function", []) if callable(value) else None
    live(value)
    if isinstance(value, ListBase):
        return "List", list(value.v)
    if isinstance(value, MapBase):
        return "Map", [part for pair in value.v.items() for part in pair]
    if isinstance(value, SetBase):
        return "Set", list(value.v)
    if isinstance(value, Error):
        return value._name, [value.f_cause]
    assert not isinstance(value, Box)
    return kind_name(value), [getattr(value, slot) for slot in value._slots if slot.startswith("f_")]


def reference_node(value: Any) -> Node | None:
    """The same of the interpreter."""
    match value:
        case RList():
            return "List", value.items
        case RSet():
            return "Set", [key for key, _ in value.entries.values()]
        case RMap():
            return "Map", [part for pair in value.entries.values() for part in pair]
        case RError():
            return value.kind, [value.cause]
        case RInstance():
            return value.cls.name, list(value.fields.values())
        case RThread():
            raise Skip("a thread in the heap")
    return ("Function", []) if isinstance(value, RClass | RFunction | RBuiltin) else None


def known(lines: list[str]) -> list[str]:
    """The lines without what the interpreter does not know."""
    return [line.partition(DETAILS)[0] for line in lines]


def same(expected: tuple[Outcome, list[Any], str], found: tuple[Outcome, list[Any], str], what: str) -> None:
    """Fail with the first difference."""
    pairs = zip(vars(expected[0]).items(), vars(found[0]).values(), strict=True)
    for (name, one), other in [*pairs, (("heap", expected[1]), found[1])]:
        assert one == other, f"{what}: {name} is {other}, not {one}"
    for one, other in zip_longest(expected[2].split("\n"), found[2].split("\n")):
        assert one == other, f"{what}: stored is {other}, not {one}"


class Trial:
    """Two worlds in which programs run, one for each shape."""

    def __init__(self, path: Path) -> None:
        self.direct = Bench(path / "direct", "direct")
        self.resumable = Bench(path / "resumable", "resumable")
        self.count = 0

    def close(self) -> None:
        """Close the worlds."""
        self.direct.close()
        self.resumable.close()

    def run(self, bench: Bench, text: str) -> tuple[Outcome, list[Any], str]:
        """What happens, the graph in memory, the graph on disk."""
        bench.count = self.count  # the same name of the file in both worlds, and if it is run once more
        outcome = bench.run(text)
        stored = io.StringIO()
        export_world(bench.world.store, stored)
        lines = [line for line in stored.getvalue().split("\n") if not line.startswith('{"bytes":')]
        return outcome, graph(bench.world.heap.root, machine_node), "\n".join(lines)

    def compare(self, text: str) -> bool:
        """Compare one program; false if the interpreter cannot tell what it should do."""
        interpreter = Interpreter()
        try:
            output, error = interpreter.run(text)
            heap = graph(interpreter.root, reference_node)
        except Skip:
            return False
        self.count += 1
        direct = self.run(self.direct, text)
        same(direct, self.run(self.direct, text), "the direct shape, run once more")
        same(direct, self.run(self.resumable, text), "the resumable shape")
        outcome, graph_, _ = direct
        assert outcome.diagnostics == []
        assert (known(outcome.output), outcome.error and outcome.error[0]) == (known(output), error)
        assert graph_ == heap, "the heaps differ"
        return True


def compare_seeds(seeds: range, path: Path) -> None:
    """Compare the programs of the seeds."""
    compared = 0
    trial = Trial(path)
    try:
        for seed in seeds:
            text = program(seed)
            try:
                compared += trial.compare(text)
            except Exception as error:
                raise AssertionError(f"HOLDFAST_SEED={seed}: {error}\n{text}") from error
    finally:
        trial.close()
    assert compared >= PROGRAMS_MIN * len(seeds), f"only {compared} of {len(seeds)} programs could be compared"


def test_generated_programs_do_the_same_everywhere(tmp_path: Path) -> None:
    """A share of the programs, small enough for every run."""
    compare_seeds(range(FIRST, FIRST + QUICK), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(FIRST, FIRST + MANY, BATCH))
def test_many_generated_programs_do_the_same_everywhere(start: int, tmp_path: Path) -> None:
    """Thousands of programs."""
    compare_seeds(range(start, start + BATCH), tmp_path)


def test_the_comparison_finds_a_difference(tmp_path: Path) -> None:
    """The test of the test: a heap, an output and an error that are not as the interpreter has them."""
    trial = Trial(tmp_path)
    try:
        for text, wrong in (
            ("print(1)", lambda self, *values: self.output.append("2\n")),
            ("print(1)", lambda self, *values: self.output.append("1\n") or self.put(self.root, "a", 1)),
        ):
            original = Interpreter.b_print
            Interpreter.b_print = wrong
            try:
                with pytest.raises(AssertionError):
                    trial.compare(text)
            finally:
                Interpreter.b_print = original
            assert trial.compare(text)
    finally:
        trial.close()
