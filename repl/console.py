"""The terminal, or the pipe, that a command writes to.

What programs print is escaped where a terminal would obey it.  A write that fails ends the command, but never in the
middle of the machine's work: the error is kept, further text is dropped, and whoever drives the world asks
:attr:`Console.broken`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from holdfast.repl import exits

if TYPE_CHECKING:
    from holdfast.repl.flow import Flow
    from holdfast.repl.host import Problem
    from holdfast.vm.thread import Thread

QUEUE_MAX = 1 << 18
"""Bytes that may wait for a slow reader; a thread that prints more has to wait."""
GRACE_S = 2.0
"""How long a reader that is slow is waited for when a signal ends the process."""
SAFE = frozenset(map(chr, range(32, 127))) | {"\n", "\t"}


def escaped(text: str) -> str:
    """The text with everything that could drive or deceive a terminal written as ``\\u{1b}``."""
    if text.isascii() and SAFE.issuperset(text):
        return text
    from holdfast.vm.show import safe_for_terminal

    return safe_for_terminal(text)


class Console:
    """Where output goes.

    It waits for a slow reader, until :meth:`unblock`: from then on it is the threads that print that wait.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream if stream is not None else sys.stdout
        self.terminal = self.stream.isatty()
        self.broken: OSError | None = None
        self.waiting: list[Thread] = []
        """Threads of the world that wait until it is not full any more."""
        self._flow: Flow | None = None
        self._errors: Console | None = None
        self._wake: Callable[[], None] | None = None

    def write(self, text: str) -> None:
        """Write what a program printed."""
        self.put(escaped(text) if self.terminal else text)

    def __call__(self, text: str) -> None:
        """The same: a console is an outlet of threads."""
        self.write(text)

    def put(self, text: str) -> None:
        """Write a text that is safe."""
        if self.broken is not None:
            return
        if self._flow is not None:
            self._flow.write(text.encode(self.stream.encoding, self.stream.errors or "strict"))
            return
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError as error:
            self.broken = error

    def failed(self, name: str, problem: Problem) -> None:
        """Tell, on stderr, that a thread has failed that nobody joined."""
        from holdfast.repl import colours
        from holdfast.repl.problems import rendered

        text = f"note: the thread '{escaped(name)}' failed, and nobody joined it\n"
        text += rendered(problem, colours.wanted(self.errors.stream)) + "\n"
        if not self.errors.full:  # where nobody reads, nobody is told
            self.errors.put(text)

    @property
    def errors(self) -> Console:
        """Where errors go."""
        if self._errors is None:
            self._errors = Console(sys.stderr)
            if self._wake is not None:
                self._errors.unblock(self._wake)
        return self._errors

    def check(self) -> None:
        """Raise Failure if a write has failed."""
        error = self.broken
        if isinstance(error, BrokenPipeError):
            raise exits.Failure("", exits.BROKEN_PIPE)
        if error is not None:
            raise exits.Failure(f"the output cannot be written: {error.strerror}", exits.FAILED)

    # ------------------------------------------------------------------ a reader that is slow

    def unblock(self, wake: Callable[[], None]) -> None:
        """Never wait for the reader from here on; ``wake`` is called in another thread when there is more room."""
        from holdfast.repl.flow import Flow, open_again

        self._wake = wake
        try:
            self.stream.flush()
            descriptor = self.stream.fileno()
            again = open_again(descriptor)
        except (OSError, ValueError):
            return  # it is no file of the operating system, or one that cannot be written
        if again is not None:
            self._flow = Flow(descriptor, again, self._fail, wake)

    def _fail(self, error: OSError) -> None:
        self.broken = error

    @property
    def full(self) -> bool:
        """Must a thread that prints wait?"""
        return self._flow is not None and self._flow.size > QUEUE_MAX

    def signalled(self) -> None:
        """A signal has come: :meth:`finish` looks whether it is hurried."""
        for console in (self, self._errors):
            if console is not None and console._flow is not None:
                console._flow.event.set()

    def finish(self, hurried: Callable[[], bool]) -> bool:
        """Wait until all is written, and for readers from here on; when it is ``hurried``, not for long.

        False when something was dropped.
        """
        done = self._errors is None or self._errors.finish(hurried)
        flow, self._flow = self._flow, None
        if flow is not None:
            done = flow.finish(hurried, GRACE_S) and done
            flow.close()
        return done


def say(text: str) -> None:
    """A message for the person at the terminal, on stderr."""
    tell(escaped(text))


def tell(text: str) -> None:
    """The same, for a text that is safe already (and may have colours)."""
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except OSError:
        pass  # there is nobody left to tell


def tell_paused(number: int) -> None:
    """Say how many threads pause with the world."""
    if number:
        threads, them = ("1 thread pauses", "it") if number == 1 else (f"{number:,} threads pause", "them")
        say(f"note: {threads} with the world; to let {them} go on: holdfast serve, or holdfast attach K-…")
