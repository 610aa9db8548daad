"""The terminal, or the pipe, that a command writes to.

What programs print is escaped where a terminal would obey it.  A write that fails ends the command, but never in the
middle of the machine's work: the error is kept, further text is dropped, and whoever drives the world asks
:attr:`Console.broken`.
"""

from __future__ import annotations

import sys
from typing import TextIO

from holdfast.repl import exits

SAFE = frozenset(map(chr, range(32, 127))) | {"\n", "\t"}


def escaped(text: str) -> str:
    """The text with everything that could drive or deceive a terminal written as ``\\u{1b}``."""
    if text.isascii() and SAFE.issuperset(text):
        return text
    from holdfast.vm.show import safe_for_terminal

    return safe_for_terminal(text)


class Console:
    """Where output goes."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream if stream is not None else sys.stdout
        self.terminal = self.stream.isatty()
        self.broken: OSError | None = None

    def write(self, text: str) -> None:
        """Write what a program printed."""
        if self.broken is not None:
            return
        try:
            self.stream.write(escaped(text) if self.terminal else text)
            self.stream.flush()
        except OSError as error:
            self.broken = error

    def check(self) -> None:
        """Raise Failure if a write has failed."""
        error = self.broken
        if isinstance(error, BrokenPipeError):
            raise exits.Failure("", exits.BROKEN_PIPE)
        if error is not None:
            raise exits.Failure(f"the output cannot be written: {error.strerror}", exits.FAILED)


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
