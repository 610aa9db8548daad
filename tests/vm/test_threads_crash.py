"""Law: threads go on from the last checkpoint after any crash, each exactly once, and nothing was seen that is lost.

A world of tellers, sleepers, an auditor, a server and others is killed again and again, at random moments, also while
it comes back.  Each of its threads checks what it sees (``thread_child.hold``), and prints how far it is.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from holdfast.vm.maintenance import check
from holdfast.vm.store import Store
from holdfast.vm.world import World

TOP = Path(__file__).parents[2]
STEPS = {"teller": 10, "audit": 1, "sleeper": 10, "asked": 20, "spawned": 10}
"""What a thread prints, and how much its number grows from line to line."""


class Log:
    """What was seen outside."""

    def __init__(self) -> None:
        self.last: dict[str, int] = defaultdict(int)

    def read(self, text: str) -> None:
        """What one process has printed: each number grows, and only at its beginning may one have been skipped."""
        seen: set[str] = set()
        for line in text.split("\n")[:-1]:
            assert not line.startswith("FAILED"), line
            *name, number = line.split()
            key, value, step = " ".join(name), int(number), STEPS[name[0]]
            assert value > self.last[key], f"{line!r} was printed again, or is behind {self.last[key]}"
            assert value % step == 0
            if key in seen:
                assert value == self.last[key] + step, f"{line!r} comes behind {self.last[key]}"
            seen.add(key)
            self.last[key] = value


def killed(world: Path, chance: random.Random, log: Log, opening: bool) -> None:
    """Run the workload, and kill it after some lines, or (``opening``) after a time that it may take to open."""
    command = [sys.executable, "-m", "tests.vm.thread_child", str(world), "60"]
    process = subprocess.Popen(command, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    text = b""
    if opening:
        try:
            process.wait(chance.uniform(0.05, 0.6))
        except subprocess.TimeoutExpired:
            process.kill()
    else:
        wanted = chance.choice([1, 5, 50, chance.randrange(1, 400)])
        while text.count(b"\n") < wanted and (more := os.read(process.stdout.fileno(), 4096)):
            text += more
        process.kill()
    rest, errors = process.communicate(timeout=60)
    assert process.returncode == -9, errors.decode()
    log.read((text + rest).decode())


def crash(folder: Path, seed: int, kills: int) -> None:
    """Kill so many times, then look at the world."""
    print(f"HOLDFAST_SEED={seed}")
    chance, log, world = random.Random(seed), Log(), folder / "world"
    for _ in range(kills):
        killed(world, chance, log, opening=chance.random() < 0.3)
    reports = []
    store = Store(world, create=False)
    try:
        for report in check(store):
            reports.append(report)
    finally:
        store.close()
    assert reports[-1].problems == []
    with World.open(world, durability="process") as opened:
        root = opened.heap.root.v
        if "accounts" not in root:
            return  # every time killed before it began
        assert len(opened.scheduler.living) >= 10
        assert not opened.scheduler.damaged
        out: list[str] = []
        opened.write = out.append
        opened.run_source("sleep(0.3)\nfor t in threads.all() { if t != threads.self() { t.suspend() } }")
        log.read("".join(out))
        look = """
            let sum = root.accounts.values().reduce(fn(s, a) => s + a.balance, 0)
            let moves = root.accounts.values().reduce(fn(s, a) => s + a.moves, 0)
            print(sum == 1000 * len(root.accounts), moves == root.moves)
            for n in root.steps + root.woken + [root.audits, root.asked, root.spawned] { print(n) }
        """
        del out[:]
        opened.run_source(look)
        opened.checkpoint()
        first, *numbers = "".join(out).splitlines()[-10:]
        assert first == "true true"
        keys = [*(f"{name} {n}" for name in ("teller", "sleeper") for n in range(3)), "audit", "asked", "spawned"]
        for key, number in zip(keys, map(int, numbers), strict=True):
            assert number >= log.last[key], key


def test_killed_threads_go_on(tmp_path: Path) -> None:
    """Some kills."""
    crash(tmp_path, int(os.environ.get("HOLDFAST_SEED", random.randrange(1 << 30))), 12)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_killed_threads_go_on_many_times(tmp_path: Path, seed: int) -> None:
    """Several hundred kills."""
    crash(tmp_path, seed, 40)
