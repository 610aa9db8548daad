"""How threads begin, and what they have been told."""

from __future__ import annotations

import gc
import random
import weakref

import pytest

from holdfast.vm.thread import CALM, Orders
from holdfast.vm.world import World

ACTS = (
    't.kill()', 't.suspend()', 't.resume()', 't.step()', 't.set_priority("high")', 't.set_priority("low")',
    't.set_priority("normal")', 'if t.state != "failed" { t.send(1) }', 'sleep(0)', 'u.kill()',
    'u.suspend()', 'u.resume()',
)  # fmt: skip


def orders(value: Orders) -> dict[str, object]:
    return {name: getattr(value, name) for name in Orders.__slots__}


@pytest.mark.parametrize("seed", range(10))
def test_calm_is_never_written(world: World, seed: int) -> None:
    """Whatever somebody tells a thread, those that nobody has told anything have no orders."""
    acts = "\n    ".join(random.Random(seed).choices(ACTS, k=30))
    world.run_source(
        f"""
        fn wait() {{
            try {{ while true {{ receive() }} }} finally {{ sleep(0) }}
        }}
        let t = spawn wait()
        let u = spawn wait()
        root.calm = spawn receive()
        sleep(0)
        {acts}
        t.kill()
        u.kill()
        t.resume()
        u.resume()
        """,
        "p.hold",
    )
    assert orders(CALM) == orders(Orders())
    assert world.heap.root.v["calm"].orders is CALM


def test_what_was_spawned_last_is_not_kept(world: World) -> None:
    """A version of a function goes when another has taken its place, though it was the last that was spawned."""
    world.run_source("fn work() => 1\n(spawn work()).join()\nsleep(0.001)", "p.hold")
    old = weakref.ref(world.globals["p.hold:work"])
    assert old() is not None
    world.run_source("fn work() => 2\nassert work() == 2", "p.hold")
    world.checkpoint()
    world.retiring.retire()
    gc.collect()
    assert old() is None
