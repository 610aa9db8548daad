"""Threads again and again: where the rows of ``ps --watch`` and ``top`` come from, and the drawing of the former.

A world that nobody has open does not change, so it is read once; from then on only the socket is tried, until somebody
opens the world.
"""

from __future__ import annotations

import shutil
import sys
import threading

from holdfast.repl import exits
from holdfast.repl.console import Console
from holdfast.repl.exits import Failure
from holdfast.repl.host import ThreadRow
from holdfast.repl.local import LocalHost, Options
from holdfast.repl.remote_door import connect
from holdfast.repl.remote_host import RemoteHost
from holdfast.repl.remote_line import Line
from holdfast.repl.remote_open import open_host
from holdfast.repl.signals import Signals
from holdfast.repl.thread_table import listing

WATCH_S = 1.0
"""Time between two drawings."""
CLEAR, HOME, LINE, REST, HIDE, SHOW = "\x1b[2J", "\x1b[H", "\x1b[K\n", "\x1b[J", "\x1b[?25l", "\x1b[?25h"


class Source:
    """The threads of a world, wherever that is open."""

    def __init__(self, path: str, console: Console, signals: Signals) -> None:
        self.path = path
        self.console = console
        self.signals = signals
        self.remote: RemoteHost | None = None
        self.known: list[ThreadRow] | None = None
        """The rows of a world that nobody has open."""

    def rows(self) -> list[ThreadRow]:
        """The threads that are alive now."""
        if self.remote is None and (connection := connect(self.path)) is not None:
            try:
                self.remote = RemoteHost(Line(connection), self.path, self.console, self.signals)
                self.remote.line.call("look")
            except Failure as failure:
                self.close()
                if failure.code != exits.WORLD:
                    raise  # else it was just about to end
        if self.remote is not None:
            self.known = None
            try:
                return self.remote.threads()
            except Failure:  # it has ended meanwhile
                self.close()
        if self.known is None:
            with open_host(Options(self.path, create=False), self.console, self.signals) as opened:
                rows = opened.threads()
                if isinstance(opened, LocalHost):
                    self.known = rows
            return rows
        return self.known

    @property
    def open(self) -> bool:
        """Has somebody the world open?"""
        return self.known is None

    def close(self) -> None:
        """Hang up."""
        if self.remote is not None:
            self.remote.close()
            self.remote = None


def headline(rows: list[ThreadRow], open_: bool) -> str:
    """What stands above the table."""
    count = "1 thread" if len(rows) == 1 else f"{len(rows)} threads"
    return count if open_ else f"{count}; nobody has the world open, so none of them runs"


def watch_threads(world: str, console: Console, signals: Signals, tree: bool) -> int:
    """Draw the table each second; Ctrl-C ends that."""
    source = Source(world, console, signals)
    over = threading.Event()
    number = 0

    def end(which: int) -> None:
        nonlocal number
        number = which
        over.set()

    console.put(HIDE + CLEAR)
    try:
        while not over.is_set() and console.broken is None:
            rows = source.rows()
            size = shutil.get_terminal_size()
            lines = [headline(rows, source.open), "", *listing(rows, tree, size.columns)]
            console.put(HOME + LINE.join([*lines[: max(1, size.lines - 1)], ""]) + REST)
            with signals.listening(end):
                over.wait(WATCH_S)
    finally:
        source.close()
        console.put(SHOW)
        sys.stdout.flush()
    console.check()
    return exits.SIGNAL + number
