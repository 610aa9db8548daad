"""A process that is killed at any moment leaves a world that is exactly one of its checkpoints, and no older one than
the last that it acknowledged."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from holdfast.vm import maintenance
from tests.vm import crash_child
from tests.vm.worlds import World

TOP = Path(__file__).parent.parent.parent


def killed_run(folder: Path, seed: int, rng: random.Random, durability: str) -> int:
    """Run the writer, kill it at some moment; gives the last number that it acknowledged."""
    command = [sys.executable, "-m", "tests.vm.crash_child", str(folder), str(seed), durability]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=TOP, text=True) as child:
        assert child.stdout is not None
        delay = rng.choice([0.0, rng.random() * 0.3])
        first = child.stdout.readline() if rng.random() < 0.9 else ""
        timer = threading.Timer(delay, child.send_signal, [signal.SIGKILL])
        timer.start()
        numbers = [int(line) for line in [first, *child.stdout] if line.endswith("\n")]
        timer.join()
    return max(numbers, default=0)


def compare(world: World, model: dict[str, Any]) -> None:
    """The world is the model's, in every part."""
    root = world.heap.root.v
    assert [root["point"].f_a, root["point"].f_b] == model["point"][:2]
    assert list(root["list"].v) == model["list"]
    found = {key: value if isinstance(value, int) else [value.f_a, value.f_b] for key, value in root["map"].v.items()}
    assert list(found.items()) == [
        (key, value if isinstance(value, int) else value[:2]) for key, value in model["map"].items()
    ]


def crash(folder: Path, seed: int, rounds: int, durability: str) -> None:
    """Kill the writer again and again on one world."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    model, at = crash_child.new_model(), 0
    for _ in range(rounds):
        acknowledged = killed_run(folder, seed, rng, durability)
        world = World(folder)
        root = world.heap.root.v
        number = root["map"].v["number"] if root else 0
        assert number >= max(acknowledged, at)
        while at < number:
            at += 1
            crash_child.apply(seed, at, model)
        if root:
            compare(world, model)
        report = list(maintenance.check(world.store))[-1]
        assert report.problems == []
        world.close()


@pytest.mark.parametrize("durability", ["power", "process"])
def test_killed_a_few_times(tmp_path: Path, durability: str) -> None:
    """The law of the module, in a few rounds."""
    crash(tmp_path / "w", 1, 6, durability)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 22))
def test_killed_hundreds_of_times(tmp_path: Path, seed: int) -> None:
    """The law of the module, with many seeds."""
    crash(tmp_path / "w", seed, 15, "power" if seed % 2 else "process")
