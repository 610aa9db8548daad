"""The part of the scheduler by which threads wait for each other's end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from holdfast.vm import ids
from holdfast.vm.objects import Error, Thrown, fail, live
from holdfast.vm.thread import CALM
from holdfast.vm.waits import Join, Wait

if TYPE_CHECKING:
    from holdfast.vm.thread import Thread

SHOWN = 10
"""Threads of a circle that are named."""


class Joining:
    """Joins."""

    current: Thread | None
    living: dict[Thread, None]
    thread_class: type[Thread]
    ready: deque[Thread]
    heap: Any
    lending: list[Thread]
    lend: Callable[[], None]
    may_wait: Callable[[], None]
    run_here: Callable[[Thread], bool | None]
    throw_interrupt: Callable[[Thread], None]
    wait: Callable[[Wait], Any]
    error_for: Callable[[Thread | None, Error], Error]

    def await_end(self, other: Thread, thread: Thread) -> None:
        """Have a thread made ready when another one ends."""
        if other.waiters is None:
            other.waiters = {}
        other.waiters[thread] = None

    def forget_waiter(self, other: Thread, thread: Thread) -> None:
        """It is not to be made ready any more."""
        waiters = getattr(other, "waiters", None)
        if waiters:
            waiters.pop(thread, None)

    def join(self, thread: Thread) -> Any:
        """Wait for a thread's end; its result, or its error."""
        ready = self.ready
        if ready and ready[0] is thread and thread.begin is not None and not self.heap.levels:
            ended = self.run_here(thread)
            caller: Any = self.current
            quiet = caller.orders is CALM or not (caller.suspended or caller.stepping or caller.interrupt is not None)
            if ended and quiet and not ready:
                return thread.result if thread.state == "done" else self.result_of(thread)
            if ended is False and caller.interrupt is not None:
                self.throw_interrupt(caller)
            # Else it waits as it would have, for its turn, and may come back in another process with what that gives.
        elif live(thread) not in self.living:
            return self.result_of(thread)
        elif thread is self.current:
            fail("ThreadError", "a thread cannot join itself")
        elif self.heap.levels:
            self.may_wait()
        if thread.wait is not None or self.lending:
            self.refuse_circle(thread)
        return self.wait(Join([thread], False))

    def wait_first(self, threads: Any) -> Thread:
        """Wait until one of a List of threads has ended; gives that one."""
        raw = list(threads.v) if getattr(type(live(threads)), "_k", 0) == ids.LIST else None
        if not raw or not all(isinstance(thread, self.thread_class) for thread in raw):
            fail("TypeError", "threads.wait needs a List of one thread or more")
        for thread in raw:
            if live(thread) not in self.living:
                return thread  # type: ignore[no-any-return]
        self.may_wait()
        if raw == [self.current]:
            fail("ThreadError", "a thread cannot wait for itself")
        return self.wait(Join(raw, True))  # type: ignore[no-any-return]

    def result_of(self, thread: Thread) -> Any:
        """The result of a thread that has ended, or its error thrown."""
        if thread.state == "failed":
            error = thread.f_error
            if "killed" in (getattr(error, "_x", None) or ()):  # that one is not for catching, and kills who throws it
                fail("ThreadError", error.f_message)
            raise Thrown(self.error_for(self.current, error))
        if thread.state != "done":
            fail("ThreadError", f"the thread '{thread.name}' did not come along when its world was copied")
        return thread.result

    def refuse_circle(self, thread: Thread) -> None:
        """Throw when a thread waits, over others perhaps, for the current one."""
        if self.lending:
            self.lend()
        current = self.current
        assert current is not None
        names = [current.name, thread.name]
        link: Thread | None = thread
        while link is not None:  # it ends: a circle without the current thread was refused before
            wait = getattr(link, "wait", None)
            link = wait.target() if wait is not None else None
            if link is not None:
                names.append(link.f_name)
            if link is current:
                if len(names) > SHOWN:
                    names[SHOWN // 2 : -SHOWN // 2] = ["…"]
                fail("ThreadError", f"threads would wait for each other for ever: {' → '.join(names)}")
