"""The part of the scheduler that decides who is next.

Ready threads take turns.  One of high priority goes to the front of the queue, but only so often in a row; one of low
priority lets others pass so often before it has its turn.  So every ready thread runs, whatever the others are.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from holdfast.vm.objects import fail, kind_name, live

if TYPE_CHECKING:
    from holdfast.vm.thread import Thread

IN_A_ROW = 4
"""How often a thread goes in front of others, or lets them pass, until it is treated as any other once."""
NAMES = {"low": -1, "normal": 0, "high": 1}


class Priorities:
    """The queue."""

    ready: deque[Thread]
    touched: dict[Thread, None]
    living: dict[Thread, None]

    def __init__(self) -> None:
        super().__init__()
        self.ranked = False
        """Has any thread had another priority than the normal one?"""

    def enqueue(self, thread: Thread) -> None:
        """The thread is ready to run."""
        if thread.priority > 0 and thread.passed < IN_A_ROW:
            thread.passed += 1
            self.ready.appendleft(thread)
            return
        if thread.priority > 0:
            thread.passed = 0
        self.ready.append(thread)

    def pick(self) -> Thread:
        """The next thread of a queue that is not empty."""
        while True:
            thread = self.ready.popleft()
            if thread.priority >= 0 or not self.ready or thread.passed >= IN_A_ROW:
                if thread.priority < 0:
                    thread.passed = 0
                return thread
            thread.passed += 1
            self.ready.append(thread)

    def hasten(self, thread: Thread) -> None:
        """Let a new thread be the next one: somebody at a terminal waits for it."""
        thread.priority = 1
        self.ranked = True
        if thread in self.ready:
            self.ready.remove(thread)
            self.ready.appendleft(thread)

    def set_priority(self, thread: Thread, name: object) -> None:
        """Give a thread another priority."""
        if type(name) is not str or name not in NAMES:
            shown = f"'{name[:20]}'" if type(name) is str else kind_name(name)
            fail("ValueError", f"a priority is 'low', 'normal' or 'high', not {shown}")
        if live(thread) not in self.living:
            return
        thread.priority = NAMES[name]
        thread.passed = 0
        self.ranked = True
        self.touched[thread] = None


def name_of(priority: int) -> str:
    """A priority in words."""
    return next(name for name, value in NAMES.items() if value == priority)
