"""Where a command's world is: opened in this process, or open in another one already."""

from __future__ import annotations

import socket
import threading
from time import monotonic
from typing import TYPE_CHECKING

from holdfast.repl import exits
from holdfast.repl.console import Console, say
from holdfast.repl.exits import Failure
from holdfast.repl.local import LocalHost, Options
from holdfast.repl.remote_door import connect, peer_pid
from holdfast.repl.signals import Signals
from holdfast.vm.store import WorldLocked

if TYPE_CHECKING:
    from holdfast.repl.remote_host import RemoteHost
    from holdfast.repl.sandbox import Sandbox

DEADLINE_S = 30.0
"""So long one process may have a world and not answer: it opens or closes it, which takes its time on a busy machine,
or is one that lets nobody in."""
RETRY_S = 0.02


class Patience:
    """Waits for a world that another process has.

    The deadline is one for each process that is met: where many begin at once they take turns, and the last one's turn
    comes.
    """

    def __init__(self) -> None:
        self._pause = threading.Event()
        self._holder = 0
        self._deadline = monotonic() + DEADLINE_S

    def met(self, connection: socket.socket) -> None:
        """Somebody has answered."""
        holder = peer_pid(connection)
        if holder != self._holder:
            self._holder = holder
            self._deadline = monotonic() + DEADLINE_S

    @property
    def over(self) -> bool:
        """Has it been too long?"""
        return monotonic() > self._deadline

    def pause(self) -> None:
        """Before the next attempt: a lock of another process tells nobody when it is free."""
        self._pause.wait(RETRY_S)


def open_host(
    options: Options, console: Console, signals: Signals, sandbox: Sandbox | None = None
) -> LocalHost | RemoteHost:
    """The world, opened in this process, or where it is open already; ``sandbox`` is what the program has that will be
    run there.

    Raises StoreError or Failure.
    """
    patience = Patience()
    while True:
        connection = connect(options.path)  # first: the files of an open world are not to be touched
        if connection is not None:
            from holdfast.repl.remote_host import RemoteHost
            from holdfast.repl.remote_line import Line

            refuse_options(options, sandbox)
            patience.met(connection)
            try:
                return RemoteHost(Line(connection), options.path, console, signals)
            except Failure as failure:
                if failure.code != exits.WORLD or patience.over:
                    raise  # else it was just about to end
        try:
            return LocalHost(options, console, signals)
        except WorldLocked:
            if patience.over:
                raise
            patience.pause()


def open_here(options: Options, console: Console, signals: Signals) -> LocalHost:
    """The world, opened in this process.

    Raises StoreError, or Failure when another process has it open.
    """
    patience = Patience()
    while True:
        connection = connect(options.path)
        if connection is not None:
            connection.close()
            raise Failure(f"the world {options.path} is open in another process", exits.WORLD)
        try:
            return LocalHost(options, console, signals)
        except WorldLocked:
            if patience.over:
                raise
            patience.pause()


def refuse_options(options: Options, sandbox: Sandbox | None) -> None:
    """What the process that opened the world has decided."""
    if sandbox is not None:
        from holdfast.repl.sandbox import refuse_host

        refuse_host(sandbox, options.path)
    elif options.grants:
        raise Failure(
            f"the world {options.path} is open in another process, and --grant is for the one that opens it: "
            "give it there, or wait until that one has ended"
        )
    if options.memory is not None or options.durability != "power":
        say("note: the world is open in another process, whose --memory and --durability hold")
