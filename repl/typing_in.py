"""Lines that a person types to a thread: each becomes a message of its mailbox.

A helper thread reads the descriptor, since the terminal's own thread must never wait for a person, and not the stream,
whose lock it would hold when the process ends.  The next line is read when the last one has been delivered.
"""

from __future__ import annotations

import codecs
import os
import sys
import threading
from collections.abc import Callable, Iterator

from holdfast.repl.console import say
from holdfast.repl.exits import Failure

LINE_MAX = 1_000_000
"""Characters of a line; what is longer comes in parts."""
CHUNK = 65_536


def lines_of(read: Callable[[], bytes]) -> Iterator[str]:
    """The lines of what is read until there is nothing more, without their ends."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = ""
    while True:
        data = read()
        *whole, rest = (rest + decoder.decode(data, not data)).split("\n")
        yield from (line.removesuffix("\r") for line in whole)
        while len(rest) > LINE_MAX:
            yield rest[:LINE_MAX]
            rest = rest[LINE_MAX:]
        if not data:
            if rest:
                yield rest
            return


def wanted(always: bool) -> bool:
    """Is standard input to be read: where a person is asked for it, or types at a terminal that is this process's?"""
    if sys.stdin is None or sys.stdin.closed:
        return False
    try:
        descriptor = sys.stdin.fileno()
        return always or (os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp())
    except (OSError, ValueError):
        return False  # it is no file of the operating system


def begin(deliver: Callable[[str], None]) -> None:
    """Read standard input from now on; ``deliver`` is called in the helper thread, returns when a line has arrived, and
    raises what ends the reading."""
    descriptor = sys.stdin.fileno()

    def work() -> None:
        try:
            for line in lines_of(lambda: os.read(descriptor, CHUNK)):
                deliver(line)
        except OSError as error:
            say(f"note: the input cannot be read: {error.strerror}")
        except Failure:
            return  # the thread has ended, or the process that has it: whoever follows it is told that there

    threading.Thread(target=work, name="holdfast-typing", daemon=True).start()
