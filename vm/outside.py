"""Functions of the host process that programs may call: what a Python program grants to the code that it runs.

A call parks its thread; the function runs in an OS thread of its own, with copies of the arguments, and its result
crosses as a copy.  So a slow function holds nobody up, and none ever meets an object of the world.

What a function raises becomes an ``Error`` with the exception's text and nothing else; a call that takes longer than
its timeout throws, and its result is dropped.  A call that was under way when the world was closed throws when its
thread goes on: whether it was done is not known.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic
from types import FunctionType
from typing import TYPE_CHECKING, Any, NoReturn

from holdfast.vm.conversion import from_python, to_python
from holdfast.vm.helpers import guest_callable
from holdfast.vm.objects import fail, kind_name
from holdfast.vm.waits import AGAIN, Wait

if TYPE_CHECKING:
    from holdfast.vm.thread import Thread
    from holdfast.vm.threads import Scheduler
    from holdfast.vm.world import World

WORKERS = 8
MESSAGE_MAX = 500


class Call(Wait):
    """Until a function of the host has returned, or its time is over."""

    __slots__ = ("convert", "deadline", "future", "name")

    def __init__(self, name: str, future: Future[Any], timeout: float, convert: Callable[[Any], Any]) -> None:
        self.name = name
        self.future = future
        self.deadline = monotonic() + timeout
        self.convert = convert

    def begin(self, scheduler: Scheduler, thread: Thread) -> None:
        """Be told by the other OS thread, or by a timer."""

        def done(_: Future[Any]) -> None:
            scheduler.arrivals.append(thread)
            scheduler.event.set()

        scheduler.set_timer(self.deadline, thread)
        self.future.add_done_callback(done)

    def outcome(self, scheduler: Scheduler) -> Any:
        """The result, or an error."""
        if not self.future.done():
            if monotonic() < self.deadline:
                return AGAIN
            self.future.cancel()
            fail("Error", f"the function '{self.name}' took too long")
        problem = self.future.exception()
        if problem is not None:
            fail("Error", f"the function '{self.name}' failed: {str(problem)[:MESSAGE_MAX] or type(problem).__name__}")
        return self.convert(self.future.result())

    def record(self) -> list[Any]:
        """In another process nobody knows what has come of it."""
        return ["lost", self.name]


class Outside:
    """The functions that one world's programs were granted."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._pool: ThreadPoolExecutor | None = None
        self._open: set[Future[Any]] = set()

    @property
    def busy(self) -> bool:
        """Is a call under way?"""
        self._open = {future for future in self._open if not future.done()}
        return bool(self._open)

    def close(self) -> None:
        """Wait for nothing."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def function(
        self, name: str, call: Callable[..., Any], takes: tuple[type, ...] | None, gives: type | None, timeout: float
    ) -> FunctionType:
        """What programs call.  It is stored by its name: in a later run, another one that was granted under that."""
        world = self.world

        def outside(*arguments: Any) -> Any:
            """A function of the host."""
            world.scheduler.may_wait()
            given = [to_python(world, value, refuse) for value in arguments]
            check(name, given, takes)
            if self._pool is None:
                self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="holdfast")
            future = self._pool.submit(call, *given)
            self._open.add(future)
            return world.scheduler.wait(Call(name, future, timeout, convert))

        def convert(result: Any) -> Any:
            if gives is not None and type(result) is not gives:
                fail("Error", f"the function '{name}' gave a {type(result).__name__}, and not a {gives.__name__}")
            thread = world.scheduler.current
            monitor = world.monitor
            outer, monitor.acting = monitor.acting, thread.domain if thread is not None else None
            try:
                return from_python(world, result)
            except (TypeError, ValueError) as error:
                fail("Error", f"the function '{name}' gave what cannot be: {error}")
            finally:
                monitor.acting = outer

        outside.__hold_outside__ = name  # type: ignore[attr-defined]
        outside.__hold_rights__ = {"arguments": "r"}  # type: ignore[attr-defined]
        outside.__hold_waits__ = True  # type: ignore[attr-defined]
        outside.__hold_deep__ = True  # type: ignore[attr-defined]
        made = guest_callable(outside, name)
        world.globals["x:" + name] = made
        return made

    def missing(self, name: str) -> FunctionType:
        """What stands for a function that nobody has granted in this run."""

        def outside(*arguments: Any) -> Any:
            """A function that was granted in an earlier run."""
            fail("CapabilityError", f"the function '{name}' was granted in an earlier run: grant it again")

        outside.__hold_outside__ = name  # type: ignore[attr-defined]
        outside.__hold_rights__ = {"arguments": ""}  # type: ignore[attr-defined]
        made = guest_callable(outside, name)
        self.world.globals["x:" + name] = made
        return made


def check(name: str, given: list[Any], takes: tuple[type, ...] | None) -> None:
    """Throw unless the arguments are of the declared types."""
    if takes is None:
        return
    noun = "argument" if len(takes) == 1 else "arguments"
    if len(given) != len(takes):
        fail(
            "TypeError",
            f"{name} takes {len(takes)} {noun}, not {len(given)}",
        )
    for place, (value, wanted) in enumerate(zip(given, takes, strict=True), 1):
        if type(value) is not wanted and not (wanted is float and type(value) is int):
            fail("TypeError", f"argument {place} of {name} must be a {wanted.__name__}, not a {type(value).__name__}")


def refuse(value: Any) -> NoReturn:
    """An object has no copy."""
    fail("TypeError", f"{kind_name(value)} cannot be given to a function of the host: give it numbers, Texts or Lists")
