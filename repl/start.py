"""Starting the REPL: at a terminal with a prompt, else reading entries from a pipe."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.repl import exits
from holdfast.repl.console import Console, say, tell_paused
from holdfast.repl.host import SessionHost
from holdfast.repl.local import LocalHost, Options
from holdfast.repl.remote_open import open_host
from holdfast.repl.shell import Ended, Shell
from holdfast.repl.signals import Signals

if TYPE_CHECKING:
    from holdfast.repl.remote_host import RemoteHost


def start(options: Options, name: str, signals: Signals, *, interactive: bool) -> int:
    """Run a REPL to its end; returns the exit code."""
    console = Console()
    if interactive:
        from holdfast.repl.prompt import PromptConsole

        console = PromptConsole()
    with open_host(options, console, signals) as world:
        shell = Shell(enter(world, name), console, str(Path(options.path)))
        try:
            if interactive:
                world.listen()
                asyncio.run(shell.interactive(console))  # type: ignore[arg-type]  # it was made above
            else:
                asyncio.run(shell.piped())
        except Ended:
            pass  # the exit code tells which signal it was
    console.check()
    if interactive:
        tell_paused(world.paused)
    if world.ended_by:
        say(f"ended by a signal; the world is at checkpoint {world.checkpoint}")
        return exits.SIGNAL + world.ended_by
    return exits.OK if interactive else shell.worst


def enter(world: LocalHost | RemoteHost, name: str) -> SessionHost:
    """A session of the world, wherever that is open."""
    if isinstance(world, LocalHost):
        from holdfast.repl.local_session import LocalSession

        return LocalSession(world, name)
    from holdfast.repl.remote_session import RemoteSession

    return RemoteSession(world, name)
