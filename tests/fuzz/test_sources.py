"""Whatever stands in a file, the compiler and the machine answer with an error of Hold, and go on.

Findings are kept in ``FOUND``: each is a source that once did something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Timer
from time import monotonic
from typing import Any

import pytest

from holdfast.lang import ir
from holdfast.lang.assemble import make_direct, make_resumable
from holdfast.lang.diagnostics import CompileError, Source
from holdfast.lang.format import format_source, same_tree
from holdfast.lang.lexer import decode
from holdfast.lang.parser import parse
from holdfast.stdlib import library
from holdfast.vm.show import to_text
from holdfast.vm.world import World
from tests.conformance.cases import HOST_NAMES
from tests.fuzz.budget import seeds
from tests.fuzz.sources import source

FOUND: dict[str, str] = {
    "a space at the end of a doc comment": "/// about \t\nlet x = 1",
    "a built-in that is no class": "print(5 is root, 5 is print)",
    "a kind of other values than errors": "try { nil.x } catch e is Int { 1 }",
    "an error for a message": "throw KeyError(KeyError)",
    "many base classes": "class C0 {}\n" + "".join(f"class C{i} extends C{i - 1} {{}}\n" for i in range(1, 200)),
}
RUN_S = 0.3
"""A program that runs longer is ended as by Ctrl-C."""


def readable(error: CompileError) -> None:
    """A compile error is text that a terminal can show, and has a place in its file."""
    shown = str(error)
    assert error.diagnostics
    assert not {c for c in shown if not c.isprintable()} - {"\n"}
    assert len(shown) < 200_000


def check_front_end(text: str) -> None:
    """Lexer, parser and formatter end with a tree or an error; formatting keeps the tree."""
    try:
        tree = parse(Source("t", text))
    except CompileError as error:
        readable(error)
        return
    formatted = format_source(text, "t")
    assert same_tree(parse(Source("t", formatted)), tree)
    assert format_source(formatted, "t") == formatted


def check_compiler(world: World, text: str) -> None:
    """What the resolver lets pass, the generator turns into code that the verifier lets pass, in both shapes."""
    try:
        unit = world.modules.compile(text, "t.hold", "t", "program")
    except CompileError as error:
        readable(error)
        return
    for function in unit.unit.functions:
        make_direct(function, "t", world.table.methods, {}, "<t>")
        make_direct(function, "t", world.table.methods, dict.fromkeys(range(1, function.size), 2), "<t>")
        calls = [node.n for node in ir.walk(function.body) if isinstance(node, ir.Op) and node.op.startswith("call")]
        for entry, after in [(1, False), *[(n, True) for n in calls[:3]]]:
            make_resumable(function, "t", world.table.methods, entry, after, "<t>")


def check_run(world: World, text: str) -> None:
    """A program ends, or is ended; its error is one of Hold; the world goes on and can be saved."""
    world.run_source("for k in root.keys() { root.remove(k) }", "reset.hold")
    try:
        unit = world.modules.program(text, "t.hold")
    except CompileError as error:
        readable(error)
        return
    thread = world.start_program(unit)
    end = monotonic() + RUN_S

    def over() -> bool:
        if monotonic() > end:
            for living in list(world.scheduler.living):
                world.scheduler.interrupt(living, "it takes too long", kill=True)
        return thread.f_state in ("done", "failed") and not world.scheduler.living

    world.scheduler.on_event = lambda: over() and None
    alarm = Timer(RUN_S + 0.1, world.scheduler.event.set)  # a program may wait for what never comes
    alarm.start()
    try:
        world.scheduler.run_until(over)
    finally:
        alarm.cancel()
    error: Any = thread.f_error
    if error is not None:
        message = to_text(error.f_message)
        assert "the machine failed" not in message, (message, (error._x or {}).get("internal"))
        found = HOST_NAMES.search(message)
        assert found is None or found[0].strip("'") in text, message
    world.checkpoint()
    assert not world.heap.levels


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world for all programs: none of them may spoil it for the next."""
    with World.open(tmp_path_factory.mktemp("fuzz") / "w", durability="process", library=library()) as made:
        made.modules.loader = lambda name: None
        yield made


def fuzz(world: World, slow: bool) -> None:
    """Try seeds until the time is over."""
    for seed in seeds(slow):
        text = source(seed)
        try:
            check_front_end(text)
            check_compiler(world, text)
        except BaseException as error:
            error.add_note(f"HOLDFAST_FUZZ_FROM={seed}")
            raise


def fuzz_run(world: World, slow: bool) -> None:
    """Run what compiles, until the time is over."""
    for seed in seeds(slow):
        try:
            check_run(world, source(seed))
        except BaseException as error:
            error.add_note(f"HOLDFAST_FUZZ_FROM={seed}")
            raise


def test_sources(world: World) -> None:
    """The laws of the compiler, for as many sources as there is time for."""
    fuzz(world, slow=False)


def test_runs(world: World) -> None:
    """The law of the machine, likewise."""
    fuzz_run(world, slow=False)


@pytest.mark.slow
def test_sources_long(world: World) -> None:
    """The laws of the compiler, for longer."""
    fuzz(world, slow=True)


@pytest.mark.slow
def test_runs_long(world: World) -> None:
    """The law of the machine, for longer."""
    fuzz_run(world, slow=True)


@pytest.mark.parametrize("name", FOUND)
def test_found(world: World, name: str) -> None:
    """What a fuzzer has found stays mended."""
    check_front_end(FOUND[name])
    check_compiler(world, FOUND[name])
    check_run(world, FOUND[name])


def test_bytes_of_a_file() -> None:
    """Any bytes are a text or an error."""
    for seed in range(300):
        text = source(seed).encode("utf-8", "surrogatepass")
        try:
            decode(text[seed % 7 :], "t")
        except CompileError as error:
            readable(error)
