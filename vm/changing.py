"""Changing a variable of a suspended thread: its stack is captured and dropped, and it goes on from what was changed.

Code that runs may rely on what it has seen of its own variables (:mod:`holdfast.lang.infer`), but the resumable shape
relies on nothing: so each frame of such a thread goes on in that, whatever value one of its variables has now.  The
stack changes between two slices, when all threads are parked: the one that asks may run on the other's stack
(:mod:`holdfast.vm.lending`).

As in the debuggers of Java (JDWP, ``StackFrame.SetValues``) the thread must be suspended: else the number of a frame
would mean another one by the time at which it is used.

Invariants:

* A checkpoint has the whole change or none of it, and so has a world that comes back.
* A domain changes only the frames of threads that run in it or below, and no frame comes by a right: a value that the
  frame's own domain could not use is a mere reference there.
* ``self`` stays what it is: callers have shown of it what a method's code relies on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.lang.guard import RUNNING
from holdfast.lang.spelling import hint
from holdfast.vm.helpers import a
from holdfast.vm.looking import SELF
from holdfast.vm.objects import fail, live
from holdfast.vm.waits import Between

if TYPE_CHECKING:
    from holdfast.vm.domains import Domain
    from holdfast.vm.frames import Frame
    from holdfast.vm.thread import Thread
    from holdfast.vm.world import World

NAME_SHOWN = 40
"""Characters of a name that an error repeats."""


class Changing:
    """Changes to the variables of one world's threads."""

    def __init__(self, world: World) -> None:
        self.world = world

    def set_local(self, thread: Any, number: Any, name: Any, value: Any, domain: Domain | None = None) -> None:
        """Give a variable of a frame a value, for a domain, or for the whole world's.

        ``number`` is that of the frame in ``t.frames``: 0 is the innermost.  Raises an Error of the program:
        ThreadError, IndexError, NameError, TypeError, AtomicError.
        """
        scheduler = self.world.scheduler
        thread = live(thread)
        frame, local = self.find(thread, number, name, domain)
        out = self.world.monitor.out
        if domain is not None:
            value = out(domain, value)
        running = frame.values.get(RUNNING) if frame.proto.function.domain else None
        if running is not None:
            value = out(running, value)
        if thread in scheduler.unread:  # the open checkpoint has it as it was
            scheduler.read_stack(thread)
        if thread.stack is not None:
            thread.stack.bring(number + 1)
        if scheduler.current is None:
            self._change(thread, number, local, value)
        else:
            scheduler.move(scheduler.current, lambda: self._change(thread, number, local, value))
            scheduler.wait(Between())

    def find(self, thread: Thread, number: Any, name: Any, domain: Domain | None = None) -> tuple[Frame, str]:
        """The frame of a variable that can be changed now, and the local that holds the variable.  Raises as
        :meth:`set_local` does."""
        if type(number) is not int:
            fail("TypeError", f"a frame is told by its number, 0 for the innermost, not by {a(number)}")
        if type(name) is not str:
            fail("TypeError", f"the name of a variable is a Text, not {a(name)}")
        self._check(thread)
        frame = self._frame(thread, number, domain)
        return frame, self._local(frame, name)

    def _check(self, thread: Thread) -> None:
        """Throw unless the stack of a thread is one that stands still."""
        scheduler = self.world.scheduler
        if thread not in scheduler.living:
            fail("ThreadError", "the thread has ended: its variables cannot be changed any more")
        if thread is scheduler.current:
            fail("ThreadError", "a thread cannot change its own variables so: assign to them")
        if not thread.suspended:
            fail(
                "ThreadError", "the thread must be suspended before its variables can be changed: call suspend() first"
            )
        if scheduler.held:
            fail("ThreadError", "a thread's variables cannot be changed here: the code runs for the machine")
        scheduler.may_wait()

    def _frame(self, thread: Thread, number: int, domain: Domain | None) -> Frame:
        """The frame with a number."""
        looking = self.world.looking
        reached = 0
        for frame in looking.frames(thread) if looking.sees(domain, thread) else ():
            reached += 1
            if reached > number >= 0:
                return frame
        if not reached:
            fail("IndexError", "the thread has no frame that can be seen here: it may not have begun")
        frames = "1 frame" if reached == 1 else f"{reached:,} frames"
        fail("IndexError", f"the thread has {frames}, and none with that number: the innermost is 0")

    def _local(self, frame: Frame, name: str) -> str:
        """The local that holds a variable."""
        looking = self.world.looking
        # An assignment there would be refused as well (rule 5): the variable is of the domain that made the function.
        named = {name: py for name, py in looking.named(frame).items() if not looking.foreign(frame, py)}
        if name == SELF:
            fail("NameError", "self stays what it is: change the fields of the object")
        if name not in named:
            function, name = frame.proto.function.name, name[:NAME_SHOWN]
            fail("NameError", f"'{function}' has no variable '{name}' that is set{hint(name, named)}")
        return named[name]

    def _change(self, thread: Thread, number: int, local: str, value: Any) -> None:
        """Capture, drop, change; the thread goes on from that when it is resumed."""
        scheduler, heap = self.world.scheduler, self.world.heap
        scheduler.replace(thread, lambda frame: frame, everything=True)
        scheduler.touched[thread] = None
        assert thread.stack is not None
        frame = thread.stack.frames[-1 - number]
        if local not in frame.proto.function.boxed:
            frame.values[local] = value
            return
        box = live(frame.values[local])
        if box._t is not heap.token:
            heap.barrier(box)
        box.v = value
