"""Where a command's world is: opened in this process, or open in another one already."""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING

from holdfast.repl import exits
from holdfast.repl.console import Console, say
from holdfast.repl.exits import Failure
from holdfast.repl.local import LocalHost, Options
from holdfast.repl.remote_door import connect
from holdfast.repl.signals import Signals
from holdfast.vm.store import WorldLocked

if TYPE_CHECKING:
    from holdfast.repl.remote_host import RemoteHost

DEADLINE_S = 10.0
"""So long a world may be locked and not answer: its process opens or closes it, or is one that lets nobody in."""
RETRY_S = 0.02


def open_host(options: Options, console: Console, signals: Signals) -> LocalHost | RemoteHost:
    """The world, opened in this process, or where it is open already.

    Raises StoreError or Failure.
    """
    deadline = monotonic() + DEADLINE_S
    pause = threading.Event()
    while True:
        connection = connect(options.path)  # first: the files of an open world are not to be touched
        if connection is not None:
            from holdfast.repl.remote_host import RemoteHost
            from holdfast.repl.remote_line import Line

            refuse_options(options)
            try:
                return RemoteHost(Line(connection), options.path, console, signals)
            except Failure as failure:
                if failure.code != exits.WORLD or monotonic() > deadline:
                    raise  # else it was just about to end
        try:
            return LocalHost(options, console, signals)
        except WorldLocked:
            if monotonic() > deadline:
                raise
            pause.wait(RETRY_S)  # a lock of another process tells nobody when it is free


def open_here(options: Options, console: Console, signals: Signals) -> LocalHost:
    """The world, opened in this process.

    Raises StoreError, or Failure when another process has it open.
    """
    deadline = monotonic() + DEADLINE_S
    pause = threading.Event()
    while True:
        connection = connect(options.path)
        if connection is not None:
            connection.close()
            raise Failure(f"the world {options.path} is open in another process", exits.WORLD)
        try:
            return LocalHost(options, console, signals)
        except WorldLocked:
            if monotonic() > deadline:
                raise
            pause.wait(RETRY_S)


def refuse_options(options: Options) -> None:
    """What the process that opened the world has decided."""
    if options.grants:
        raise Failure(
            f"the world {options.path} is open in another process, and --grant is for the one that opens it: "
            "give it there, or wait until that one has ended"
        )
    if options.memory is not None or options.durability != "power":
        say("note: the world is open in another process, whose --memory and --durability hold")
