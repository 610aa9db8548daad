"""Which loops read ahead, what, and that one which cannot do it does not try again and again.

What programs print is in ``tests/conformance/loops.hold``.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from holdfast.vm.piecemap import PieceMap
from holdfast.vm.store import object_key
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
        elif i.opname == "STORE_FAST" and i.argval.startswith("h") and way[-1:] != ["None"]:
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
    "what is worked out": ("for k in 0..3 { s += o.cpu_ms }", []),
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


def outputs(tmp_path: Path, before: str, after: str) -> list[str]:
    """What the second of two versions of a program prints, in each shape; the world is opened anew for it."""
    found = []
    for shape in ("direct", "resumable"):
        folder = tmp_path / shape
        with World.open(folder, durability="process") as world:
            world.run_source(before, "items.hold")
        printed: list[str] = []
        with World.open(folder, durability="process", shape=shape) as world:
            world.write = printed.append
            world.run_source(after, "items.hold")
        found.append("".join(printed))
    return found


OLD = "class Item { n }\nroot.items = [Item(1), Item(2), Item(3)]\nroot.count = 0\n"
LOADING = {
    "a default that counts": (
        "class Item { n\n id = next() }\nfn next() { root.count += 1\n return root.count }\n"
        "fn f() { var t = 0\n for k in 0..3 { t = t * 100 + root.items[k].id * 10 + root.count }\n print(t) }\nf()\n",
        "112233\n",
    ),
    "a default that throws, in a loop of no turns": (
        'class Item { n\n id = wrong() }\nfn wrong() { throw "no" }\n'
        "fn f(o, n) { var t = 0\n for k in 0..n { t += o.id }\n print(t) }\nf(root.items[0], 0)\n"
        "try { f(root.items[0], 1) } catch e { print(e.message, e.trace[1]) }\n",
        "0\nno items.hold:2 in Item.id\n",
    ),
    "a migrate that throws, in a loop of no turns": (
        'class Item { n\n id\n fn migrate(old) { throw "no" } }\n'
        "fn f(o, n) { var t = 0\n for k in 0..n {\n t += o.id }\n print(t) }\nf(root.items[0], 0)\n"
        "try { f(root.items[0], 1) } catch e { print(e.message) }\n",
        "0\nno\n",
    ),
}


@pytest.mark.parametrize("name", list(LOADING))
def test_what_loading_runs(tmp_path: Path, name: str) -> None:
    """What is run to bring an instance up to date has its effects, and its errors, where the program reads it."""
    after, expected = LOADING[name]
    direct, resumable = outputs(tmp_path, OLD, after)
    assert direct == resumable == expected


def test_compiled_loops_read_nothing_ahead_any_more(tmp_path: Path) -> None:
    """A class changes, and a read of an older instance may run a default: loops that were compiled before stop too."""
    with World.open(tmp_path / "w", durability="process") as world:
        look = "fn f(o) {\n var s = 0\n for k in 0..3 { s += o.n }\n return s\n}\nf({n: 1})\n"
        proto = compiled(world, look)
        assert ahead(proto.direct().code)
        world.run_source("class Item { n }\nroot.item = Item(1)", "items.hold")
        assert ahead(proto.direct().code)
        world.run_source("class Item { n\n id = next() }\nfn next() => 1", "items.hold")
        assert not ahead(proto.direct().code)


def test_a_loop_of_no_turns_meets_no_damage(tmp_path: Path) -> None:
    """What is read ahead of a loop may be damaged: whoever reads it is told."""
    with World.open(tmp_path / "w", durability="process") as world:
        world.run_source("class P { n }\nroot.p = P(1)", "p.hold")
        world.checkpoint()
        key = object_key(world.heap.root.v["p"]._i)
        record = world.store.get(key)
        assert record is not None
        batch = world.store.batch()
        batch.put(key, record[:-1] + bytes((record[-1] ^ 1,)))
        world.store.write(batch)
    printed: list[str] = []
    with World.open(tmp_path / "w", durability="process") as world:
        world.write = printed.append
        world.run_source(
            "fn f(n) { var s = 0\n for i in 0..n { s += root.p.n }\n return s }\nprint(f(0))\n"
            'try { f(1) } catch e { print("damaged" in e.message) }',
            "look.hold",
        )
    assert "".join(printed) == "0\ntrue\n"


def test_nothing_is_held_behind_a_loop(tmp_path: Path) -> None:
    """A frame that stands behind a loop, or at its safepoint, has let go of what the loop reads: a large Map can be put
    in pieces."""
    with World.open(tmp_path / "w", durability="process") as world:
        world.run_source(
            "root.m = {}\nfor i in 0..6_000 { root.m[i] = i }\n"
            "fn serve() { var s = 0\n for k in 0..3 { s += root.m[k] }\n"
            ' try { for k in 0..3 { s += root.m[k] + root.m["none"] } } catch e { s += 1 }\n receive()\n return s }\n'
            'root.t = spawn serve()\nwhile root.t.state != "receiving" { sleep(0) }\n',
            "serve.hold",
        )
        world.checkpoint()
        assert isinstance(world.heap.root.v["m"].v, PieceMap)


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
