"""A world that is open in this process."""

from __future__ import annotations

import gc
import signal
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from time import perf_counter, process_time
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from holdfast.lang.diagnostics import CompileError
from holdfast.repl import host
from holdfast.repl.console import Console, say
from holdfast.repl.drive import Driver
from holdfast.repl.exits import Failure, Stop
from holdfast.repl.grants import DEFAULT, OBJECT, Grant
from holdfast.repl.host import Acted, Description, Logged, Outcome, Program, ThreadRow
from holdfast.repl.problems import problem_of
from holdfast.repl.remote_door import Door
from holdfast.repl.signals import Signals
from holdfast.vm import ids

FREEZE_FROM = 10_000
"""From so many threads on, which are here to stay, the look for cycles passes over what there is when a world has been
opened: in 100,000 threads it would take 0.3 s, soon and again."""

if TYPE_CHECKING:
    from holdfast.vm.store import Durability
    from holdfast.vm.thread import Thread
    from holdfast.vm.world import World


class Options(NamedTuple):
    """How a world is to be opened."""

    path: str
    durability: Durability = "power"
    memory: int | None = None
    grants: Sequence[Grant] = ()
    create: bool = True


def open_world(options: Options) -> World:
    """Open a world, with the standard library and what is granted.

    Raises StoreError or Failure.
    """
    from holdfast.stdlib import library
    from holdfast.vm.world import World

    given = [grant for grant in options.grants if grant.kind != OBJECT]
    names = {grant.name for grant in given}
    ambient = [Grant(name, name) for name in DEFAULT if name not in names]
    devices = [(grant.name, grant.device()) for grant in [*ambient, *given]]
    world = World.open(
        options.path,
        durability=options.durability,
        memory_limit=options.memory,
        create=options.create,
        library=library(),
    )
    try:
        for name, device in devices:
            for trouble in world.grant(name, device):
                say(f"note: {name}: {trouble} (this was under way when the world was last left)")
    except ValueError as error:
        world.close()
        raise Failure(f"cannot grant {name}: {error}") from None
    if world.scheduler.alive >= FREEZE_FROM:
        gc.freeze()
    return world


class Typed:
    """A line on its way from the helper thread that reads it to the thread of the world that gets it."""

    def __init__(self, world: World, kid: str, thread: Thread) -> None:
        self.world = world
        self.kid = kid
        self.thread = thread
        self.lines: deque[tuple[str, Future[None]]] = deque()

    def deliver(self, line: str) -> None:
        """Called in the helper thread; returns when the line is in the mailbox.

        Raises Failure when it cannot be.
        """
        arrived: Future[None] = Future()
        self.lines.append((line, arrived))
        self.world.scheduler.event.set()
        arrived.result()

    def pull(self) -> None:
        """Called where the world is driven."""
        from holdfast.repl import thread_acts

        while self.lines:
            line, arrived = self.lines[0]
            try:
                if not thread_acts.tell(self.world, self.kid, line, self.thread):
                    return  # the mailbox is full
                arrived.set_result(None)
            except Failure as failure:
                arrived.set_exception(failure)
            self.lines.popleft()


class LocalHost:
    """An open world; use ``with``.  Leaving makes a last checkpoint, unless the world may be amid a step."""

    def __init__(self, options: Options, console: Console, signals: Signals) -> None:
        self.console = console
        self.signals = signals
        self.path = options.path
        self.world = open_world(options)
        self.world.write = console.write
        console.unblock(self.world.scheduler.event.set)
        self.driver = Driver(self.world, console)
        self.door = self.driver.door = Door(self)
        self.more = 0
        """Threads that the last list of them has left out."""
        self.paused = 0
        """Threads that were alive when the world was closed."""

    def __enter__(self) -> LocalHost:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None or isinstance(error, Failure):
            self.close()
        else:
            self.abandon()

    def listen(self) -> None:
        """From here on signals are answered between steps of the world, until it is closed."""
        self.signals.listener = self.driver.signal

    def torture(self, number: int) -> None:
        """Replace a thread's stack by what was captured of it, at every so many safepoints."""
        self.world.scheduler.torture = number
        self.world.globals["_poll"] = True

    def close(self) -> None:
        """A last checkpoint, which releases all output; then let go of the files, and wait for the terminal.

        Raises Stop when a signal came before all was written.
        """
        self.listen()
        try:
            self.door.linger()
            self.door.close()
            self.paused = self.world.scheduler.alive
            self.world.close()
            written = self.console.finish(self.hurried)
        finally:
            self.signals.listener = None
        if not written and not self.ended_by:
            raise Stop(signal.SIGINT)

    def hurried(self) -> bool:
        """Is the process to end now?"""
        return bool(self.ended_by) or self.driver.take_interrupt()

    def abandon(self) -> None:
        """Let go of the files; the world on disk is its last checkpoint."""
        self.signals.ignore()
        self.door.close()
        self.world.checkpointer.close()
        self.world.store.close()
        self.signals.listener = None

    @property
    def ended_by(self) -> int:
        """Number of the signal that ends this process, 0 for none."""
        return self.driver.ended_by

    @property
    def checkpoint(self) -> int:
        """Number of the last checkpoint."""
        return self.world.heap.commit_number

    # ------------------------------------------------------------------ programs

    def start(self, program: Program) -> str:
        """Begin a program that goes on without this process; gives the KID of its thread.

        Raises CompileError.
        """
        thread = self._begin(program)
        thread.output = self.world.consoles.new(None)
        self.world.checkpoint()
        return ids.kid(thread._i)

    def _begin(self, program: Program) -> Any:
        modules = self.world.modules
        modules.loader = program.loader
        if program.sandbox is not None:
            from holdfast.repl.sandbox import begin

            return begin(self.world, program, program.sandbox)
        return self.world.start_program(modules.program(program.text, program.name), program.args)

    def run(self, program: Program) -> Outcome:
        """Run a program to its end."""
        try:
            thread = self._begin(program)
        except CompileError as error:
            return Outcome(host.REFUSED, str(error))
        thread.output = self.world.consoles.new(self.console)
        self.listen()
        started, cpu = perf_counter(), process_time()
        ended = self.driver.run(thread)
        seconds, cpu = perf_counter() - started, process_time() - cpu
        if thread.domain is not None and program.sandbox is not None and ended:
            self.world.authority.close(thread.domain)
        if ended:
            outcome = outcome_of(self.world, thread, self.driver.interrupted, "", seconds, cpu)
        else:
            outcome = Outcome(host.STOPPED, seconds=seconds, cpu_seconds=cpu)
        self.driver.failures.ended(self.console)
        return outcome

    def serve(self, until_done: bool) -> None:
        """Keep the world going until a signal comes, or (if wanted) no thread is alive and nobody is attached."""
        living, driver = self.world.scheduler.living, self.driver
        driver.failures.loud = True
        self.listen()

        def over() -> bool:
            if driver.take_interrupt():
                driver.ended_by = signal.SIGINT
            return until_done and not living and not self.door.busy

        driver.drive(over)
        driver.failures.ended(None)

    def attach(self, kid: str, first: int, typing: bool) -> Outcome | None:
        """Write the lines of a thread's console until it has ended, and send it those that are typed; None when Ctrl-C
        came first."""
        from holdfast.repl import thread_acts, typing_in

        thread = thread_acts.find(self.world, kid)
        follower = thread_acts.Follower(self.world, thread, first, self.console, say)
        self.listen()
        typed = Typed(self.world, kid, thread)
        if typing and thread in self.world.scheduler.living:
            typing_in.begin(typed.deliver)

        def over() -> bool:
            typed.pull()
            return follower.over() or self.driver.asked or self.console.broken is not None

        self.driver.drive(over)
        if self.driver.ended_by or self.console.broken is not None:
            return Outcome(host.STOPPED)
        if not follower.over():
            self.driver.take_interrupt()
            return None
        return outcome_of(self.world, thread, False, "")

    # ------------------------------------------------------------------ looking

    def threads(self) -> list[ThreadRow]:
        """The threads that are alive."""
        from holdfast.repl.thread_view import thread_rows

        self.world.checkpoint()
        return thread_rows(self.world)

    def act(self, kid: str, what: str) -> Acted:
        """Kill, suspend, resume or step a thread; no other thread runs meanwhile."""
        from holdfast.repl import thread_acts

        thread = thread_acts.living(self.world, kid)
        self.listen()
        thread_acts.begin(self.world, thread, what)
        thread_acts.drive_alone(self.driver, thread, lambda: thread_acts.settled(self.world, thread, what))
        found = thread_acts.acted(self.world, thread, what)
        self.world.checkpoint()
        return found

    def log(self, kid: str, first: int, numbers: bool) -> Logged:
        """Write the lines of a thread's console to this one."""
        from holdfast.repl import thread_acts

        console = thread_acts.console_of(thread_acts.find(self.world, kid))
        first, lines = self.world.consoles.lines(console, thread_acts.from_number(self.world, console, first))
        self.console.write(thread_acts.text_of(first, lines, numbers))
        return Logged(first, first + len(lines))

    def inspect(self, what: str, width: int) -> Description:
        """What a KID, or a path from ``root``, stands for."""
        from holdfast.repl.inspector import Inspector

        self.world.checkpoint()
        return Inspector(self.world).describe(what, width)


def outcome_of(
    world: World, thread: Any, interrupted: bool, text: str, seconds: float = 0.0, cpu_seconds: float = 0.0
) -> Outcome:
    """How a thread ended."""
    if thread.f_state == "done":
        return Outcome(host.DONE, text, None, seconds, cpu_seconds)
    problem = problem_of(world, thread.f_error)
    more = getattr(thread.f_error, "_x", None) or {}
    state = host.INTERRUPTED if interrupted and "killed" in more else host.FAILED
    return Outcome(state, "", problem, seconds, cpu_seconds)


__all__ = ["LocalHost", "Options", "Stop", "open_world", "outcome_of"]
