"""Starting the REPL: at a terminal with a prompt, else reading entries from a pipe."""

from __future__ import annotations

import asyncio
from pathlib import Path

from holdfast.repl import exits
from holdfast.repl.console import Console, say
from holdfast.repl.local import LocalHost, Options
from holdfast.repl.local_session import LocalSession
from holdfast.repl.shell import Ended, Shell
from holdfast.repl.signals import Signals


def start(options: Options, name: str, signals: Signals, *, interactive: bool) -> int:
    """Run a REPL to its end; returns the exit code."""
    console = Console()
    if interactive:
        from holdfast.repl.prompt import PromptConsole

        console = PromptConsole()
    with LocalHost(options, console, signals) as local:
        shell = Shell(LocalSession(local, name), console, str(Path(options.path)))
        try:
            if interactive:
                local.listen()
                asyncio.run(shell.interactive(console))  # type: ignore[arg-type]  # it was made above
            else:
                asyncio.run(shell.piped())
        except Ended:
            pass  # the exit code tells which signal it was
    console.check()
    if local.driver.ended_by:
        say(f"ended by a signal; the world is at checkpoint {local.world.heap.commit_number}")
        return exits.SIGNAL + local.driver.ended_by
    return exits.OK if interactive else shell.worst
