"""Exit codes, and the errors that carry them to :func:`holdfast.repl.cli.main`."""

from __future__ import annotations

OK = 0
FAILED = 1
"""A program, a test or a check failed; a thread is not there, has ended, or does not end when it is killed."""
USAGE = 2
"""The command line is wrong, or names what is not there."""
COMPILE = 3
"""A source cannot be compiled."""
WORLD = 4
"""The world cannot be opened, read or written."""
INTERNAL = 70
"""A mistake of Holdfast itself."""
SIGNAL = 128
"""Added to a signal's number: 129 hang-up, 130 Ctrl-C, 141 the reader of the output has gone, 143 SIGTERM."""
BROKEN_PIPE = SIGNAL + 13
INTERRUPTED = SIGNAL + 2

TABLE = """\
Exit codes:
  0    all is well
  1    the program, a test, a check or an order to a thread failed
  2    the command line is wrong, or names a file that is not there
  3    a source cannot be compiled
  4    the world cannot be opened, read or written
  70   a mistake of Holdfast itself
  129  the terminal was closed (SIGHUP)
  130  interrupted (Ctrl-C)
  141  nobody reads the output any more
  143  ended by SIGTERM, after a last checkpoint
"""
"""As ``holdfast --help`` shows them."""


class Failure(Exception):
    """Ends the command with a message for the person at the terminal."""

    def __init__(self, message: str, code: int = USAGE) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class Stop(BaseException):
    """A signal ends the command: raised by the handler where nothing must be finished first."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def code(self) -> int:
        """The exit code."""
        return SIGNAL + self.number
