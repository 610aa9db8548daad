"""The end of a process, in the process that goes on testing."""

from __future__ import annotations

from holdfast.vm.world import World


def die(world: World) -> None:
    """End a world as the end of its process does: nothing is written any more, and the lock is free."""
    world.checkpointer.close()
    world.store._close_quietly()
    world.store._unlock()
    world.guard.close()
