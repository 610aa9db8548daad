"""Which loops read ahead, what, and that one which cannot do it does not try again and again.

What programs print is in ``tests/conformance/loops.hold``.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator
from types import CodeType
from typing import Any

import pytest

from holdfast.vm.world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World.open(tmp_path_factory.mktemp("hoist") / "w", durability="process")
    yield made
    made.close()


def compiled(world: World, text: str) -> Any:
    """The code of the function ``f`` of a file, in the direct shape."""
    name = f"file{len(world.table.protos)}.hold"
    world.run_source(text, name)
    return next(
        proto for key, proto in world.table.protos.items() if key.startswith(name) and proto.function.name == "f"
    )


def ahead(code: CodeType) -> list[str]:
    """What is assigned to the locals of what is read ahead, as attributes and keys on the way."""
    found: list[str] = []
    way: list[str] = []
    for i in dis.get_instructions(code):
        if i.opname in ("LOAD_GLOBAL", "LOAD_FAST"):
            way = [str(i.argval)]
        elif i.opname in ("LOAD_ATTR", "LOAD_CONST"):
            way.append(str(i.argval))
        elif i.opname == "STORE_FAST" and i.argval.startswith("h") and way:
            found.append(" ".join(way))
    return found


ROOT = "root g items e"
LOOPS = {
    "the way from the root": ("for k in 0..3 { s += root.items[k] }", [ROOT, ROOT]),
    "the fields of a parameter": ("for k in 0..3 { s += o.a.b }", ["o f_a f_b", "o f_a f_b"]),
    "a length": ("var i = 0\n while i < len(o) { i += 1 }", ["o v", "o v"]),
    "an element": ("for k in 0..3 { s += o[1] }", ["o e 1", "o e 1"]),
    "with a test that leaves nothing": (
        "for k in 0..3 { if k == 1 { s += 1 }\n s += o.a }",
        ["o f_a", "o f_a"],
    ),
    "a call": ("for k in 0..3 { s += o.a\n g() }", []),
    "a method": ("for k in 0..3 { s += o.a\n o.m() }", []),
    "a store": ("for k in 0..3 { s += o.a\n o.b = 1 }", []),
    "an element that is stored": ("for k in 0..3 { s += o[k]\n o[k] = 1 }", []),
    "a new object": ("for k in 0..3 { s += o.a\n let l = [] }", []),
    "the outer loop": ("for i in 0..2 { s += o.b\n for k in 0..3 { s += o.a } }", ["o f_a", "o f_a"]),
    "behind a way out": ("for k in 0..3 { if k == 1 { break }\n s += o.a }", []),
    "perhaps": ("for k in 0..3 { if k == 1 { s += o.a } }", []),
    "what changes": ("for k in 0..3 { s += k.a }", []),
    "what is assigned": ("var n = o\n while n != nil { s += n.a\n n = n.next }", []),
    "in a try": ("for k in 0..3 { try { s += o.a } catch e { s += 1 } }", []),
}


@pytest.mark.parametrize("name", list(LOOPS))
def test_what_is_read_ahead(world: World, name: str) -> None:
    """In front of the loop and behind its safepoint, and nowhere else."""
    body, expected = LOOPS[name]
    proto = compiled(world, f"fn g() {{ }}\nfn f(o, p) {{\n var s = 0\n {body}\n return s\n}}\n")
    code = proto.direct().code
    assert [way.replace("v_", "").replace("NULL + ", "").removeprefix("_len ") for way in ahead(code)] == expected


def test_guarded_code_reads_nothing_ahead(world: World) -> None:
    """What it reads it tests, and what it may read can be taken away."""
    proto = compiled(world, "fn f(o) {\n var s = 0\n for k in 0..3 { s += o.a }\n return s\n}\n")
    assert ahead(proto.direct().code)
    assert not ahead(proto.guarded().direct().code)


def test_a_loop_that_cannot_does_not_try_again(world: World) -> None:
    """A loop of no turns whose reads would fail costs one deoptimisation, not one each time."""
    proto = compiled(
        world,
        "fn f(o, n) {\n var s = 0\n for k in 0..n { s += o.a }\n return s\n}\n"
        "for i in 0..50 { f(nil, 0) }\nprint(f({a: 2}, 4))\n",
    )
    assert proto.rounds == 1
    assert not ahead(proto.direct().code)


def test_migrate_while_a_loop_reads(world: World) -> None:
    """An instance of an older version of its class is brought up to date when the loop gets to it."""
    made = "class Item {{ {fields} }}\n{rest}"
    world.run_source(made.format(fields="n", rest="root.items = [Item(1), Item(2), Item(3)]"), "items.hold")
    world.checkpoint()
    for _ in world.heap.sweep(0):
        pass
    written: list[str] = []
    world.write = written.append
    world.run_source(
        made.format(
            fields="n; twice\n fn migrate(old) => ({n: old.n, twice: old.n * 2})",
            rest="var s = 0\nfor k in 0..3 { s += root.items[k].twice + root.items[0].twice }\nprint(s)\n",
        ),
        "items.hold",
    )
    world.checkpoint()
    assert "".join(written) == "18\n"
