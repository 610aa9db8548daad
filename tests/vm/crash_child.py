"""The process that the crash tests kill: writes a world, and tells on its standard output what was acknowledged.

Arguments: folder, seed, durability.  Checkpoint ``n`` holds what :func:`apply` gives for the steps 1 to n.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

from tests.vm.worlds import LINK, POINT, World

SMALL, LARGE = 20, 3_000


def steps(seed: int, number: int) -> list[tuple[Any, ...]]:
    """What is changed before checkpoint ``number``."""
    rng = random.Random(seed * 1_000_003 + number)
    size = rng.choice([3, 10, LARGE if number % 7 == 0 else SMALL])
    kinds = ["map", "map", "list", "field", "object", "drop"]
    return [(rng.choice(kinds), rng.randint(0, 9_000), rng.randint(0, 10**6)) for _ in range(size)]


def apply(seed: int, number: int, state: dict[str, Any], world: World | None = None) -> None:
    """Do the steps, on a world's root or on a model of dicts and lists."""
    for kind, key, value in steps(seed, number):
        if kind == "map":
            change(world, state["map"])[key] = value
        elif kind == "drop":
            change(world, state["map"]).pop(key, None)
        elif kind == "list":
            change(world, state["list"]).append(value)
        elif kind == "field":
            if world is None:
                state["point"][0] = value
            else:
                world.touch(state["point"]).f_a = value
        else:
            made = [value, number, None, None] if world is None else world.new(POINT, value, number, None, None)
            change(world, state["map"])[-key] = made
    change(world, state["map"])["number"] = number


def change(world: World | None, target: Any) -> Any:
    """The raw container, to be changed."""
    return target if world is None else world.touch(target).v


def new_model() -> dict[str, Any]:
    """The model before the first checkpoint."""
    return {"map": {"number": 0}, "list": [], "point": [0, 1, 2, 3]}


def main(folder: Path, seed: int, durability: str) -> None:
    """Go on from the last checkpoint until killed."""
    world = World(folder, durability=durability)
    heap = world.heap
    root = heap.root
    if not root.v:
        world.touch(root).v |= {
            "map": world.new("Map", {"number": 0}),
            "list": world.new("List"),
            "point": world.new(POINT, 0, 1, 2, 3),
            "spare": world.new(LINK, 0, 1, 2, 3, 4),
        }
    number = root.v["map"].v["number"]
    opened = None
    while True:
        number += 1
        apply(seed, number, root.v, world)
        if opened is not None:
            opened.run()
        opened = world.checkpoints.begin(on_durable=acknowledge(number))
        opened.step()
        if number % 5 == 0:
            opened.run()
            world.checkpoints.wait(opened)
            for _ in heap.sweep(0):
                pass


def acknowledge(number: int) -> Any:
    """Tells the parent that everything up to this step is on disk."""
    return lambda _: print(number, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
