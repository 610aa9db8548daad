"""Law: a Python program runs code that it does not trust, with exactly what it grants, and learns how it ended."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import holdfast

EXAMPLE = Path(__file__).parent.parent.parent / "docs" / "examples" / "hostile" / "hostile.py"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[holdfast.World]:
    with holdfast.World(tmp_path / "w", durability="process") as opened:
        yield opened


VALUES: list[Any] = [
    None, True, 5, -(2**100), 2.5, "für", b"\x00a", range(2, 5), [], [1, [2, {"a": {1, 2}}]], {"a": [1], 5: None}, {1,
    "x"},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=[str(n) for n in range(len(VALUES))])
def test_values_cross_both_ways(world: holdfast.World, value: Any) -> None:
    """What is given comes back equal: by the root, as a grant, and as a result."""
    world.root["x"] = value
    found = world.root["x"]
    assert (found.value() if isinstance(found, holdfast.Reference) else found) == value
    assert world.run("caps.x", grants={"x": value}).value == value


def test_what_has_no_value_is_refused(world: holdfast.World) -> None:
    """A type that Hold does not have, a key that cannot be one, a lone surrogate, a circle."""
    for value in (object(), {(1, 2): 3}, {"a": object()}, "\ud800"):
        with pytest.raises((TypeError, ValueError)):
            world.root["x"] = value
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(ValueError):
        world.root["x"] = circle
    assert world.run("let xs = []\nxs.push(xs)\nxs").error.kind == "ValueError"


def test_it_has_what_it_was_granted(world: holdfast.World) -> None:
    """And nothing else: not the root, not a right more."""
    world.root["out"], world.root["catalog"] = [], {"a": 1}
    source = """
caps.out.push(caps.catalog.a)
let refused = []
for act in [fn() { caps.catalog.a = 2 }, fn() { root.x }, fn() { caps.clock }] {
  try { act() } catch e { refused.push(e.kind) }
}
print(caps.names())
refused
"""
    grants = {"out": world.root["out"].only("rw"), "catalog": world.root["catalog"].only("r")}
    result = world.run(source, grants=grants)
    assert (result.value, result.stopped, result.error) == (["CapabilityError"] * 3, "", None)
    assert result.output == '["catalog", "out"]\n'
    assert (world.root["out"].value(), world.root["catalog"].value()) == ([1], {"a": 1})


@pytest.mark.parametrize(
    ("source", "budget", "stopped", "kind"),
    [
        ("while true {}", {"cpu_ms": 30}, "budget", "BudgetError"),
        ("let xs = []\nwhile true { xs.push([]) }", {"objects": 500}, "budget", "BudgetError"),
        ("while true { spawn receive() }", {"threads": 5}, "budget", "BudgetError"),
        ("fn f(n) => f(n + 1)\nf(0)", {"depth": 100}, "budget", "BudgetError"),
        ("throw KeyError(\"no\")", {}, "error", "KeyError"),
        ("let = 1", {}, "refused", "SyntaxError"),
        ("receive()", {}, "waiting", None),
        ("sleep(100)", {}, "time", None),
    ],
)  # fmt: skip
def test_reasons_for_a_stop(
    world: holdfast.World, source: str, budget: dict[str, int], stopped: str, kind: Any
) -> None:
    """Each way to end is told apart; nothing of the program goes on, and the world can be used."""
    result = world.run(source, budget=budget, timeout=60.0 if stopped != "time" else 0.1)
    assert (result.stopped, result.error and result.error.kind) == (stopped, kind)
    assert world.run_trusted("threads.all().len()").value == 1


def test_functions_of_the_host(world: holdfast.World) -> None:
    """Declared types hold both ways, errors become errors of Hold, nothing of the host shows, a slow one is given
    up."""
    gate = threading.Event()
    grants = {
        "double": holdfast.Function(lambda x: 2 * x, (int,), int),
        "wrong": holdfast.Function(lambda: "x", (), int),
        "broken": holdfast.Function(lambda: {}["secret-key"]),
        "slow": holdfast.Function(lambda: gate.wait(30), timeout=0.05),
        "many": holdfast.Function(lambda *xs: [list(xs), len(xs)]),
    }
    source = """
let found = [caps.double(4), caps.many(1, [2, {a: 3}])]
for act in [fn() => caps.double("x"), fn() => caps.double(1, 2), caps.wrong, caps.broken, caps.slow,
    fn() => caps.many(fn() => 1)] {
  try { act() } catch e { found.push(e.message) }
}
found
"""
    found = world.run(source, grants=grants, timeout=20.0)
    gate.set()
    assert found.value == [
        8,
        [[1, [2, {"a": 3}]], 2],
        "argument 1 of double must be a int, not a str",
        "double takes 1 argument, not 2",
        "the function 'wrong' gave a str, and not a int",
        "the function 'broken' failed: 'secret-key'",
        "the function 'slow' took too long",
        "Function cannot be given to a function of the host: give it numbers, Texts or Lists",
    ]


def test_a_function_is_a_capability(world: holdfast.World) -> None:
    """Who finds it in a shared object has a mere reference."""
    world.root["out"] = []
    out = world.root["out"].only("rw")
    function = holdfast.Function(lambda: 5)
    assert world.run("caps.out.push(caps.f)\ncaps.f()", grants={"out": out, "f": function}).value == 5
    assert world.run("caps.out[0]()", grants={"out": out}).error.kind == "CapabilityError"


def test_it_survives_a_restart(tmp_path: Path) -> None:
    """What a program left in the world is there, and functions that it left are bounded as before."""
    with holdfast.World(tmp_path / "w") as world:
        world.root["out"] = []
        world.run("caps.out.push(fn(x) => x)\ncaps.out.push([1])", grants={"out": world.root["out"].only("rw")})
    with holdfast.World(tmp_path / "w") as world:
        assert world.root["out"][1].value() == [1]
        source = "class A { n = 1 }\nlet f = root.out[0]\nlet same = f(A())\ntry { same.n } catch e { print(e.kind) }"
        assert world.run_trusted(source).output == "CapabilityError\n"


def test_a_hundred_hostile_snippets(tmp_path: Path) -> None:
    """The example of the guide: each is survived, and the world is what it was."""
    spec = importlib.util.spec_from_file_location("hostile", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    ended = module.survive(str(tmp_path / "w"))
    assert sum(ended.values()) >= 100
    assert ended["error"] > 50 and ended["budget"] > 10


def test_a_module_that_was_granted(tmp_path: Path) -> None:
    """A program imports the modules of the world that it may, and no others."""
    (tmp_path / "tool.hold").write_text("fn double(n) => 2 * n\n")
    source = 'import { double } from "tool.hold"\nprint(double(4))'
    with holdfast.World(tmp_path / "w") as world:
        world._machine.modules.load_file(tmp_path / "tool.hold")
        assert world.run(source).stopped == "refused"
        assert world.run(source, modules=["tool.hold"]).output == "8\n"
        with pytest.raises(holdfast.Error, match="the world has no module"):
            world.run(source, modules=["other.hold"])
