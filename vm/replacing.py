"""The part of the scheduler that replaces the stack of a parked thread by what was read of it.

Three need that: torture, a test, in which every thread goes on from the bytes of its frames at every so many
safepoints; a thread that gives up rights, whose frames go on in guarded code (:mod:`holdfast.vm.shedding`); and a
suspended thread of which a variable is changed (:mod:`holdfast.vm.changing`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

    from holdfast.vm.frames import Frame, Known
    from holdfast.vm.objects import Error
    from holdfast.vm.stacks import Stack
    from holdfast.vm.thread import Thread


class Replacing:
    """Stacks that are replaced, and what the scheduler asks of the domains of its threads."""

    living: dict[Thread, None]
    new_stack: Callable[[], Stack]
    capture: Callable[[FrameType | None, Known | None], tuple[int, list[Frame]]]
    through_bytes: Callable[[Frame], Frame]
    top_of: Callable[[Thread], FrameType | None]
    drop_stack: Callable[[Thread], None]
    unread: dict[Thread, Any]
    read_stack: Callable[[Thread], None]
    burst_end: float
    entry: Callable[[Thread, Any], Any]
    """Begins a thread of a domain below the whole world's: the result of its function."""
    own: Callable[[Error, Any], None]
    """Gives an error that nobody owns its owner."""
    out: Callable[[Any, Any], Any]
    """What a domain may give away of a value."""
    error_for: Callable[[Thread | None, Error], Error] = staticmethod(lambda thread, error: error)
    """An error of one thread as another one may see it."""

    def __init__(self) -> None:
        super().__init__()
        self.torture = 0
        """At every so many safepoints a thread's stack is replaced by what was captured of it; 0: never."""
        self.countdown = 0
        self.victim: Thread | None = None
        """Whose stack is to be replaced."""
        self.moved: dict[Thread, Callable[[], None]] = {}
        """What threads want to have done to stacks while all are parked."""

    def replace_some(self) -> None:
        """Between two slices: replace the stacks of those that are to have another one."""
        if self.moved:
            moved, self.moved = self.moved, {}
            for move in moved.values():
                move()
        if self.victim is not None:
            victim, self.victim = self.victim, None
            self.replace(victim, self.through_bytes)

    def tortures(self, thread: Thread) -> bool:
        """Count a safepoint; is it this one at which the thread's stack is replaced?"""
        self.countdown -= 1
        if self.countdown > 0:
            return False
        self.countdown = self.torture
        self.victim = thread
        self.burst_end = 0.0
        return True

    def move(self, thread: Thread, how: Callable[[], None]) -> None:
        """Have something done for the current thread once it is parked, before any other one runs: what may fail is to
        have been tried by then.  The thread is to wait (:class:`holdfast.vm.waits.Between`)."""
        self.moved[thread] = how
        self.burst_end = 0.0

    def replace(self, thread: Thread, change: Callable[[Frame], Frame], everything: bool = False) -> None:
        """Read the stack of a parked thread, throw it away, and have the thread go on from what is made of it; of
        ``everything`` in memory, or of what was on the host's stack."""
        top = self.top_of(thread)
        if thread not in self.living or thread.begin is not None or (top is None and not everything):
            return
        if thread in self.unread:  # the open checkpoint has it as it was
            self.read_stack(thread)
        frames = self.capture(top, None)[1] if top is not None else []
        if thread.stack is None:
            thread.stack = self.new_stack()
        if everything:
            frames = [*thread.stack.frames, *frames]
            thread.stack.frames.clear()
        thread.stack.frames.extend(map(change, frames))
        self.drop_stack(thread)
