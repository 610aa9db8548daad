"""A world that is open in this process."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from time import perf_counter, process_time
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from holdfast.lang.diagnostics import CompileError
from holdfast.repl import host
from holdfast.repl.console import Console, say
from holdfast.repl.drive import Driver
from holdfast.repl.exits import Failure, Stop
from holdfast.repl.host import Description, Outcome, Program, ThreadRow
from holdfast.repl.problems import problem_of
from holdfast.repl.remote_door import Door
from holdfast.repl.signals import Signals

if TYPE_CHECKING:
    from holdfast.repl.grants import Grant
    from holdfast.vm.store import Durability
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

    devices = [(grant.name, grant.device()) for grant in options.grants]
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
    return world


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

    def close(self) -> None:
        """A last checkpoint, which releases all output; then let go of the files, and wait for the terminal.

        Raises Stop when a signal came before all was written.
        """
        self.listen()
        try:
            self.door.linger()
            self.door.close()
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

    def run(self, program: Program) -> Outcome:
        """Run a program to its end."""
        modules = self.world.modules
        modules.loader = program.loader
        try:
            unit = modules.program(program.text, program.name)
        except CompileError as error:
            return Outcome(host.REFUSED, str(error))
        thread = self.world.start_program(unit, program.args)
        thread.output = self.world.consoles.new(self.console)
        self.listen()
        started, cpu = perf_counter(), process_time()
        ended = self.driver.run(thread)
        seconds, cpu = perf_counter() - started, process_time() - cpu
        if ended:
            outcome = outcome_of(self.world, thread, self.driver.interrupted, "", seconds, cpu)
        else:
            outcome = Outcome(host.STOPPED, seconds=seconds, cpu_seconds=cpu)
        self.driver.failures.ended(self.console)
        return outcome

    # ------------------------------------------------------------------ looking

    def threads(self) -> list[ThreadRow]:
        """The threads that are alive."""
        from holdfast.repl.inspector import thread_rows

        self.world.checkpoint()
        return thread_rows(self.world)

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
