"""The event that signal handlers set and event loops wait for; how threads are interrupted."""

from __future__ import annotations

import os
import select
import signal
import threading
from pathlib import Path

import pytest

from holdfast.vm.objects import Thrown
from holdfast.vm.ticker import Ticker
from holdfast.vm.wakeup import Wakeup
from holdfast.vm.world import World


def readable(fd: int) -> bool:
    return bool(select.select([fd], [], [], 0)[0])


def test_set_and_clear() -> None:
    """It is set until it is cleared, however often it was set."""
    event = Wakeup()
    assert not event.is_set() and not event.wait(0) and not readable(event.fd)
    for _ in range(100_000):  # more than a pipe holds
        event.set()
    assert event.is_set() and event.wait() and readable(event.fd)
    event.clear()
    assert not event.is_set() and not readable(event.fd) and not event.wait(0.001)
    event.close()


def test_a_byte_that_comes_late() -> None:
    """A byte without the flag wakes a waiter, and does not stay behind."""
    event = Wakeup()
    event.set()
    event.flag = False
    assert event.wait(10)
    event.clear()
    assert not readable(event.fd)


def test_from_another_thread() -> None:
    """A waiter is woken."""
    event = Wakeup()
    threading.Timer(0.01, event.set).start()
    assert event.wait(60)


def test_from_a_signal_handler() -> None:
    """A handler that runs while the same thread waits may set it."""
    event = Wakeup()
    old = signal.signal(signal.SIGUSR1, lambda *_: event.set())
    try:
        threading.Timer(0.01, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
        assert event.wait(60)
    finally:
        signal.signal(signal.SIGUSR1, old)


def test_closed() -> None:
    """After closing it still may be set: a flush may end late."""
    event = Wakeup()
    event.close()
    event.set()
    event.clear()
    event.close()


CATCHER = """
root.n = 0
try {
  while true { try { root.n += 1 } catch e { root.caught = true } }
} catch e { root.caught = true } finally { root.last = true }
"""


@pytest.mark.parametrize("shape", ["direct", "resumable"])
def test_kill(tmp_path: Path, shape: str) -> None:
    """An interrupt that kills runs what is in finally, and no catch."""
    world = World.open(tmp_path / "world", durability="process", shape=shape)
    thread = world.start_program(world.modules.program(CATCHER, "a.hold"))
    world.scheduler.wants_slice = lambda: True
    with Ticker(world.globals):
        while not world.heap.root.v.get("n"):  # a slice may end before it has begun
            world.scheduler.turn(1)
    world.scheduler.interrupt(thread, "enough", kill=True)
    with pytest.raises(Thrown):
        world.run_thread(thread)
    assert world.heap.root.v.get("last") is True and "caught" not in world.heap.root.v
    world.close()


def test_interrupt_before_the_beginning(tmp_path: Path) -> None:
    """A thread that has not begun can be interrupted."""
    world = World.open(tmp_path / "world", durability="process")
    thread = world.start_program(world.modules.program("root.ran = true", "a.hold"))
    world.scheduler.interrupt(thread, "never mind", kill=True)
    with pytest.raises(Thrown) as thrown:
        world.run_thread(thread)
    assert thrown.value.error.f_message == "never mind" and "ran" not in world.heap.root.v
    world.close()
