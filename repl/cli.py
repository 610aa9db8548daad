"""The entry point of ``holdfast``: signals, exit codes, and the promise that no failure ends in a traceback.

Nothing is imported here that a command does not need; the commands are in :mod:`holdfast.repl.commands`.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Sequence

from holdfast.repl import exits
from holdfast.repl.console import say
from holdfast.repl.exits import Failure, Stop
from holdfast.repl.signals import Signals

DEBUG = "HOLDFAST_DEBUG"
"""Environment variable: set it to see the traceback of a mistake of Holdfast itself."""

GC_YOUNG = 10_000
"""Allocations between two looks for cycles: a world's objects are many and rarely in cycles, and CPython's 700 cost a
program that makes many of them an eighth of its time."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    signals = Signals()
    gc.set_threshold(GC_YOUNG, *gc.get_threshold()[1:])
    try:
        signals.install()
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        code = guarded(lambda: _commands(arguments, signals))
    except Stop as stop:
        code = stop.code
    signals.ignore()
    return _flushed(code)


def _commands(arguments: Sequence[str] | None, signals: Signals) -> int:
    from holdfast.repl.commands import run_command

    return run_command(sys.argv[1:] if arguments is None else list(arguments), signals)


def guarded(work: Callable[[], int]) -> int:
    """Do something that gives an exit code, and tell in words what stands in its way."""
    try:
        return work()
    except Failure as failure:
        if failure.message:
            say(f"error: {failure.message}")
        return failure.code
    except Stop as stop:
        if stop.code == exits.INTERRUPTED:
            say("interrupted")
        return stop.code
    except BrokenPipeError:
        return exits.BROKEN_PIPE
    except MemoryError:
        say("error: the machine has no memory left for this")
        return exits.FAILED
    except Exception as error:
        return _in_words(error)


def _in_words(error: Exception) -> int:
    """The failures of the machine, and of the host."""
    from holdfast.lang.assemble import UnsupportedPython
    from holdfast.lang.diagnostics import CompileError
    from holdfast.vm.codec import DamagedRecord
    from holdfast.vm.store import StoreError

    if isinstance(error, CompileError):
        from holdfast.repl.problems import tell_diagnostics

        tell_diagnostics(str(error))
        return exits.COMPILE
    if isinstance(error, StoreError):
        say(f"error: {error}")
        return exits.WORLD
    if isinstance(error, DamagedRecord):
        say(f"error: a record of the world is damaged: {error}; see: holdfast world check")
        return exits.WORLD
    if isinstance(error, UnsupportedPython):
        say(f"error: {error}")
        return exits.USAGE
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        say(f"error: {where}{(error.strerror or str(error)).lower()}")
        return exits.FAILED
    say(f"error: a mistake inside Holdfast ({type(error).__name__}: {error}); please report it")
    if os.environ.get(DEBUG):
        import traceback

        traceback.print_exception(error)
    else:
        say(f"note: set {DEBUG}=1 to see where it happened")
    return exits.INTERNAL


def _flushed(code: int) -> int:
    """Bring out what is still in the buffers; a reader that has gone away is no reason for a traceback at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1 if stream is sys.stdout else 2)
            code = code or exits.BROKEN_PIPE
    return code


if __name__ == "__main__":
    sys.exit(main())
