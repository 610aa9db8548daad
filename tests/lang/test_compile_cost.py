"""The work of the compiler grows with the source, and not with its square."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.vm.world import World

SOURCES: dict[str, Callable[[int], str]] = {
    "sums in a List": lambda n: "var a = 1\n[" + ", ".join(["a + 1"] * n) + "]",
    "calls as arguments": lambda n: "fn f(...r) => r\nf(" + ", ".join(["f(1)"] * n) + ")",
    "boxed arguments": lambda n: "var a = 1\nfn g() { a += 1 }\nfn f(...r) => r\nf(" + ", ".join(["a"] * n) + ")",
    "Lists in a Map": lambda n: "({" + ", ".join(f"k{i}: [{i}]" for i in range(n)) + "})",
    "statements": lambda n: "var a = 0\n" + "a += 1\n" * n,
    "branches": lambda n: "var a = 1\n" + "if a > 0 { a = 2 } else { a = 3 }\n" * n,
    "definitions": lambda n: "".join(f"fn f{i}() => {i}\n" for i in range(n)),
    "classes": lambda n: "".join(f"class C{i} {{ x = 1\n fn f() => self.x }}\n" for i in range(n)),
    "methods": lambda n: "class C {\n" + "".join(f"fn f{i}() => {i}\n" for i in range(n)) + "}",
    "arms": lambda n: "match 1 {\n" + "\n".join(f"{i + 2} => {i}" for i in range(n)) + "\n}",
    "interpolations": lambda n: 'let s = "a"\nprint("' + "{s}" * n + '")',
}
SMALL, FACTOR = 200, 4


def work(world: World, text: str, name: str) -> int:
    """How many functions of the host are called to run a program."""
    count = 0

    def note(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        world.run_source(text, name)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("name", SOURCES)
def test_four_times_the_source_takes_four_times_the_work(name: str, tmp_path: Path) -> None:
    """A source of 4 MiB must not keep the machine busy for hours."""
    source = SOURCES[name]
    with World.open(tmp_path / "w", durability="process") as world:
        world.write = lambda text: None
        work(world, source(2), "first.hold")  # what is only done once
        small = work(world, source(SMALL), "small.hold")
        large = work(world, source(SMALL * FACTOR), "large.hold")
    assert large < 1.3 * FACTOR * small
