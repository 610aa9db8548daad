"""Errors as objects of the world."""

from __future__ import annotations

from pathlib import Path

from holdfast.vm.world import World


def test_a_stored_error_that_is_thrown_is_stored_again(tmp_path: Path) -> None:
    """Place and cause, which an error gets when it is caught, survive like any write."""
    with World.open(tmp_path / "w", durability="process") as world:
        world.run_source('root.e = KeyError("k")', "make.hold")
        world.checkpoint()
        world.run_source('try { try { throw "a" } catch e { throw root.e } } catch f { }', "throw.hold")
    with World.open(tmp_path / "w", durability="process") as world:
        written: list[str] = []
        world.write = written.append
        world.run_source("print(root.e.at, root.e.trace, root.e.cause)", "read.hold")
        world.checkpoint()
        assert "".join(written) == 'throw.hold:1 ["throw.hold:1 in main"] Error: a\n'
