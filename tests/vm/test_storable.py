"""No value that a program can make stops a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.vm.devices import open_dir
from holdfast.vm.world import World

SUMS = "var x = 2 ** 999_999\nfor i in 0..10 { x += x }\n"
"""An Int past the limit of products: a sum may be."""

LARGE = "let m = {}\nfor i in 0..20_000 { m[i] = i }\n"
"""A Map that is kept in pieces, whose keys become keys of the store."""

VALUES = {
    "sum": (SUMS + "root.x = x", "root.x.bit_length()", "1000010"),
    "difference": (SUMS + "root.x = -x - x", "root.x.bit_length()", "1000011"),
    "range of sums": (SUMS + "root.x = x..x + 1", "len(root.x), root.x[0].bit_length()", "1 1000010"),
    "sum as key": (SUMS + "root.x = {(x): 1, (0..x): 2}\nroot.y = x", "root.x[root.y], root.x[0..root.y]", "1 2"),
    "sum in a Set": (SUMS + "root.x = Set([x])\nroot.y = x", "root.y in root.x", "true"),
    "sum as key of a large Map": (LARGE + SUMS + "m[x] = 1\nroot.x = m\nroot.y = x", "root.x[root.y]", "1"),
    "long Ranges as keys of a large Map": (
        LARGE + "m[0..10 ** 5000] = 1\nm[0..10 ** 9000] = 2\nm[-(10 ** 5000)..0] = 3\nroot.x = m",
        "root.x[0..10 ** 5000], root.x[0..10 ** 9000], root.x[-(10 ** 5000)..0], (0..10 ** 50) in root.x",
        "1 2 3 false",
    ),
    "caps": ("root.x = caps\nroot.y = [caps, {a: caps}]", "root.x == caps, root.y[0] == root.y[1].a", "true true"),
    "caps as key": ("root.x = {(caps): 1}", "root.x[caps]", "1"),
    "caps as key of a large Map": (LARGE + "m[caps] = 1\nroot.x = m", "root.x[caps]", "1"),
    "a device": ("root.x = caps.folder", "type_name(root.x)", "Dir"),
    "built-in functions": ("root.x = [print, len, KeyError]", "root.x", "[fn print, fn len, class KeyError]"),
    "floats": ("root.x = [Float('nan'), Float('inf'), -0.0]", "root.x", "[nan, inf, -0.0]"),
    "closure": ("var n = 1\nroot.x = fn() {\n n += 1\n return n\n}", "root.x(), root.x()", "2 3"),
    "deep": ("var x = []\nfor i in 0..50_000 { x = [x] }\nroot.x = x", "len(root.x)", "1"),
    "cyclic": ("root.x = [root]\nroot.x.push(root.x)", "len(root.x)", "2"),
    "thread": ("root.x = spawn print('in')\nroot.x.join()", "root.x.state", "done"),
    "error": ("try { 1 / 0 } catch e { root.x = e }", "root.x.kind, root.x.at", "ArithmeticError make.hold:1"),
    "endless recursion": (
        "fn f() => f()\ntry { f() } catch e { root.x = e }", "root.x.kind, len(root.x.trace)", "StackError 50",
    ),
}  # fmt: skip
"""What is stored, what a later run prints, and what that must give."""


@pytest.mark.parametrize("name", VALUES)
def test_every_value_can_be_stored(name: str, tmp_path: Path) -> None:
    """A checkpoint takes it, and a later run finds it."""
    make, look, expected = (text.replace("'", '"') for text in VALUES[name])
    with World.open(tmp_path / "w", durability="process") as world:
        world.grant("folder", open_dir(tmp_path))
        world.run_source(make, "make.hold")
        world.checkpoint()
        world.run_source("root.after = 1", "after.hold")
        world.checkpoint()
    with World.open(tmp_path / "w", durability="process") as world:
        written: list[str] = []
        world.write = written.append
        world.run_source(f"print({look})\nassert root.after == 1", "look.hold")
        world.checkpoint()
        assert "".join(written) == expected + "\n"
