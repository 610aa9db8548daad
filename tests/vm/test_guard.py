"""The guard of the process's memory, and the reserve of the stack."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest import mock

import pytest

from holdfast.vm import guard as module
from holdfast.vm.guard import MemoryGuard, mapped_limit, resident_limit
from holdfast.vm.limits import STACK_RESERVE, reserve_stack
from holdfast.vm.objects import Thrown
from holdfast.vm.world import World


@pytest.fixture
def world(tmp_path: Path):
    with World.open(tmp_path / "w", durability="process") as made:
        yield made


def test_limits() -> None:
    """The limits are those of this machine, and this process is below them."""
    assert 0 < resident_limit() < 1 << 50
    assert mapped_limit() >= 0
    guard = MemoryGuard()
    assert guard.excess() is None
    guard.check()
    guard.close()
    guard.close()
    guard.check()  # watches no more


def test_the_smallest_group_counts(tmp_path: Path) -> None:
    """A control group's limit is taken where it is smaller than the machine."""
    (tmp_path / "memory.max").write_text("1000000\n")
    with mock.patch.object(module, "Path", side_effect=lambda text: tmp_path if "cgroup" in text else Path(text)):
        assert resident_limit() == 750_000


def test_a_program_is_told(world: World) -> None:
    """Above the limit a program gets a LimitError, with numbers; below it the same world runs the next one."""
    limit, world.guard.resident_max = world.guard.resident_max, 1 << 20
    with pytest.raises(Thrown) as caught:
        world.run_source("var n = 0\nwhile true { n += 1 }")
    assert caught.value.error._name == "LimitError"
    assert "over the limit of 1 MB" in caught.value.error.f_message
    world.guard.resident_max = limit
    assert world.run_source("1 + 1") == 2


def test_every_thread_is_told(world: World) -> None:
    """Each thread that runs meanwhile is told."""
    world.run_source(
        "root.told = 0\nroot.work = fn() { try { while true { } } catch e is LimitError { root.told += 1 } }"
    )
    world.guard.resident_max = 1 << 20
    threads = [world.scheduler.start(world.heap.root.v["work"], (), name="work") for _ in range(3)]
    world.scheduler.run_until(lambda: not world.scheduler.living)
    ended = [thread.error._name for thread in threads if thread.error is not None]  # told before their try began
    assert set(ended) <= {"LimitError"}
    assert world.heap.root.v["told"] + len(ended) == 3


def test_stack_reserve() -> None:
    """The reserve is there, or RecursionError comes; the limit of the host stays as it was."""
    limit = sys.getrecursionlimit()
    reserve_stack()

    def down(left: int) -> int:
        try:
            reserve_stack()
        except RecursionError:
            return left
        return down(left - 1)

    left = down(limit)
    assert 0 < left <= STACK_RESERVE + 100
    assert sys.getrecursionlimit() == limit


@pytest.mark.parametrize("extra", range(12))
def test_atomic_at_the_end_of_the_stack(world: World, extra: int) -> None:
    """Wherever the stack ends inside nested atomic blocks, all of them are undone, and the world can be saved."""
    steps = "".join(f"fn s{i}(n) => s{i - 1}(n)\n" for i in range(1, extra + 1))
    world.run_source(
        f"root.n = 0\nfn s0(n) => down(n)\n{steps}fn down(n) {{ atomic {{ root.n += 1; s{extra}(n + 1) }} }}\n"
        "try { down(0) } catch e is StackError { root.kind = e.kind }"
    )
    assert not world.heap.levels and not world.outbox.marks and not world.scheduler.started
    world.checkpoint()
    assert (world.heap.root.v["n"], world.heap.root.v["kind"]) == (0, "StackError")


def test_errors_inside_hold_no_objects(world: World) -> None:
    """An error of the machine's own can be kept in the world: it holds the words of the host's exception only."""
    error = world.unwinder.host_error(RuntimeError("wrong"))
    assert error._x == {"internal": "RuntimeError: wrong"}
    world.heap.barrier(world.heap.root)
    world.heap.root.v["e"] = error
    world.checkpoint()
