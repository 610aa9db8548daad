"""A world that is open in another process of this user, for the commands of this one.

The program runs over there, and its terminal is here: what it prints comes as it becomes durable, no faster than it is
written; Ctrl-C goes to it.  When the other process ends, or is killed, the command ends with exit code 4 and says
so: the world is then as of its last checkpoint, and everything that was printed here is in it.
"""

from __future__ import annotations

import os
import queue
import signal
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any

from holdfast.lang.diagnostics import CompileError
from holdfast.repl import exits, host, remote_wire
from holdfast.repl.console import Console
from holdfast.repl.drive import PATIENCE
from holdfast.repl.exits import Stop
from holdfast.repl.host import Acted, Description, Logged, Outcome, Program, ThreadRow
from holdfast.repl.remote_line import Line
from holdfast.repl.signals import Signals


class RemoteHost:
    """Somebody else's open world; use ``with``."""

    def __init__(self, line: Line, path: str, console: Console, signals: Signals) -> None:
        self.line = line
        self.path = path
        self.console = console
        self.signals = signals
        self.ended_by = 0
        """Number of the signal that ends this process, 0 for none."""
        self.more = 0
        """Threads that the last list of them has left out."""
        self.paused = 0
        """Threads that pause because the world was closed: over there it is open."""
        self.checkpoint = 0
        """Number of the last checkpoint that an answer told of."""
        self.listener = self._signal
        self._asked = 0
        self._listens = False
        self._events: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        line.deliver = self._deliver

    def __enter__(self) -> RemoteHost:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; a program of this terminal that still runs is interrupted."""
        self.line.close()
        if self._listens:
            self.signals.listener = None

    def listen(self) -> None:
        """From here on signals are told to whoever uses the line, until it is closed."""
        self._listens = True
        self.signals.listener = lambda number: self.listener(number)

    # ------------------------------------------------------------------ programs

    def _deliver(self, write: Callable[[Console], None], written: Callable[[], None]) -> None:
        def deliver() -> None:
            write(self.console)
            written()

        self._events.put(deliver)

    def run(self, program: Program) -> Outcome:
        """Run a program to its end; what it prints is written here, in this thread."""
        try:
            modules = remote_wire.imported(program.text, program.name, program.loader)
        except CompileError as error:
            return Outcome(host.REFUSED, str(error))
        packed = remote_wire.pack_program(program, modules)
        with self.signals.listening(self._signal):
            answer = self._written(self.line.later("run", program=packed))
        if answer is None:
            return Outcome(host.STOPPED)  # hanging up interrupts it
        self.checkpoint = answer.outcome.checkpoint
        return remote_wire.unpack_outcome(answer.outcome)

    def start(self, program: Program) -> str:
        """Begin a program that goes on without this process; gives the KID of its thread.

        Raises CompileError or Failure.
        """
        modules = remote_wire.imported(program.text, program.name, program.loader)
        return str(self.line.call("start", program=remote_wire.pack_program(program, modules)).thread)

    def attach(self, kid: str, first: int, typing: bool) -> Outcome | None:
        """Write the lines of a thread's console until it has ended, and send it those that are typed; None when Ctrl-C
        came first."""
        detached = False

        def listener(number: int) -> None:
            nonlocal detached
            if number == signal.SIGINT:
                detached = True
            else:
                self.ended_by = number
            self._events.put(None)

        with self.signals.listening(listener):
            following = self.line.later("attach", thread=kid, first=first)
            if typing:
                from holdfast.repl import typing_in

                typing_in.begin(lambda line: self.line.call("tell", thread=kid, line=line))
            answer = self._written(following, lambda: detached)
        if answer is None:
            return None if detached and not self.ended_by else Outcome(host.STOPPED)
        self.checkpoint = answer.outcome.checkpoint
        return remote_wire.unpack_outcome(answer.outcome)

    def _written(self, answer: Future[Any], over: Callable[[], bool] = lambda: False) -> Any:
        """Write what comes until the answer does; None when it is over before, or nothing can be written any more."""
        answer.add_done_callback(lambda _: self._events.put(None))
        while not answer.done() or not self._events.empty():
            if self.ended_by or self.console.broken is not None or over():
                return None
            event = self._events.get()
            if event is not None:
                event()
        return answer.result()

    def _signal(self, number: int) -> None:
        """The listener for signals: sets flags, and wakes who waits."""
        if number == signal.SIGINT:
            self._asked += 1
            if self._asked >= PATIENCE:
                os.write(2, b"\nhung up at once; the program is interrupted when its process comes to it\n")
                os._exit(exits.INTERRUPTED)
            self._events.put(self._interrupt)
        else:
            self.ended_by = number
            self._events.put(None)

    def _interrupt(self) -> None:
        def done(answer: Future[Any]) -> None:
            if answer.exception() is None:
                self._asked = 0

        self.line.later("interrupt").add_done_callback(done)

    # ------------------------------------------------------------------ looking

    def threads(self) -> list[ThreadRow]:
        """The threads that are alive."""
        answer = self.line.call("threads")
        self.more = int(answer.more)
        return remote_wire.unpack_rows(answer.rows)

    def act(self, kid: str, what: str) -> Acted:
        """Kill, suspend, resume or step a thread."""
        answer = self.line.call("act", thread=kid, what=what)
        return Acted(remote_wire.unpack_row(answer.row), answer.done)

    def log(self, kid: str, first: int, numbers: bool) -> Logged:
        """Write the lines of a thread's console to this one."""
        found = self._written(self.line.later("log", thread=kid, first=first, numbers=numbers))
        if found is None:
            self.console.check()
            raise Stop(self.ended_by)
        return Logged(found.first, found.end)

    def inspect(self, what: str, width: int) -> Description:
        """What a KID, or a path from ``root``, stands for."""
        return remote_wire.unpack_description(self.line.call("inspect", what=what, width=width).description)
