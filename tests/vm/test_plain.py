"""Law: a function that was kept is the same again, whatever version wrote it and however deep it nests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from holdfast.lang import ir
from holdfast.lang.plain import PlainError, from_plain, to_plain
from holdfast.vm.stacks import pack, unpack
from holdfast.vm.world import World
from tests.lang.generator import program

INSIDE = {"if": (3, 4), "logic": (5,), "loop": (2,), "for": (4,), "try": (2,)}
"""Where in a node stands how many nodes it has inside."""
DEEP = {
    "blocks": ("if k > 0 {\n" * 190, "}" * 190),
    "other ways": (
        "if k == 0 { return 0 }" + "".join(f" else if k == {n} {{ return {n} }}" for n in range(1, 400)),
        "",
    ),
    "conditions": (f"if {' and '.join(['k > 0'] * 800)} {{ k += 1 }}", ""),
}


def nested(flat: list[Any]) -> list[Any]:
    """A body as up to version 2: in each node those inside of it."""
    behind: list[Any] = []
    for node in reversed(flat):
        made = list(node)
        for place in INSIDE.get(node[0], ()):
            made[place] = [behind.pop() for _ in range(node[place])]
        behind.append(made)
    return behind[::-1]


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> list[ir.Function]:
    """All functions of some random programs, and their guarded variants."""
    with World.open(tmp_path_factory.mktemp("world") / "w") as world:
        units = [world.modules.program(program(seed), f"p{seed}.hold") for seed in range(30)]
        protos = [proto for unit in units for proto in unit.protos]
        return [one.function for proto in protos for one in (proto, proto.guarded())]


def test_the_same_again(functions: list[ir.Function]) -> None:
    """Out and in again, through bytes."""
    assert any(function.scopes for function in functions)
    for function in functions:
        plain = unpack(pack(to_plain(function)))
        assert to_plain(from_plain(plain, ir.IR_VERSION)) == to_plain(function)


@pytest.mark.parametrize("version", [1, 2])
def test_older_versions(functions: list[ir.Function], version: int) -> None:
    """What older programs kept is read: without scopes, and without the domain of guarded code."""
    for function in functions:
        if version == 1 and function.domain:
            continue
        plain = to_plain(function)[:-1]
        plain[4] = nested(plain[4])
        made = from_plain(unpack(pack(plain[:-2] if version == 1 else plain)), version)
        assert to_plain(made)[:-1] == to_plain(function)[:-1] and made.scopes == {}


def test_what_is_none(functions: list[ir.Function]) -> None:
    """A body whose numbers do not fit, and a version to come."""
    plain = max(map(to_plain, functions), key=lambda one: len(one[4]))
    for node in [one for one in plain[4] if one[0] in INSIDE][:20]:
        place = INSIDE[node[0]][0]
        node[place] += 10_000
        with pytest.raises(PlainError):
            from_plain(plain, ir.IR_VERSION)
        node[place] -= 10_000
    with pytest.raises(PlainError, match="version 4, and this program knows 1 to 3"):
        from_plain(plain, ir.IR_VERSION + 1)


@pytest.mark.parametrize("kind", DEEP)
def test_deep_programs(tmp_path: Path, kind: str) -> None:
    """A thread in a function that nests as deep as programs may is kept, and goes on."""
    before, behind = DEEP[kind]
    text = f"fn work(k) {{\n{before}\nthreads.self().suspend()\n{behind}\nreturn k\n}}\nroot.t = spawn work(500)\n"
    with World.open(tmp_path / "w", durability="process") as world:
        world.run_source(text + 'while root.t.state != "suspended" { sleep(0) }')
    with World.open(tmp_path / "w", durability="process") as world:
        assert world.run_source('root.t.set_local(0, "k", 7); root.t.resume(); root.t.join()', "go.hold") == 7
