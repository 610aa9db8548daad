"""The commands for the threads of a world: ``ps``, ``kill`` and its like, ``log``."""

from __future__ import annotations

import json
import shutil
import sys
from typing import Any, NoReturn

import click

from holdfast.repl import exits, typing_in
from holdfast.repl.commands import SETTINGS, ended, examples
from holdfast.repl.console import Console, escaped, say, tell_paused
from holdfast.repl.exits import Failure
from holdfast.repl.host import Program
from holdfast.repl.local import LocalHost, Options
from holdfast.repl.options import json_option, opening, opening_options, world_option
from holdfast.repl.remote_open import open_here, open_host
from holdfast.repl.signals import Signals
from holdfast.repl.thread_table import SORTS, gone, listing, told

from_option = click.option(
    "--from",
    "first",
    type=int,
    default=0,
    metavar="N",
    help="Begin with this line; the first one has number 0.  Below 0: with the last so many.",
)
thread_argument = click.argument("thread", metavar="THREAD")


@click.command(
    context_settings=SETTINGS,
    epilog=examples(
        "holdfast ps",
        "holdfast ps --tree                 each thread below the one that started it",
        "holdfast ps --watch                once a second, until Ctrl-C",
        "holdfast ps --json | jq '.[] | select(.state == \"ready\")'",
    ),
)
@world_option
@json_option
@click.option("--tree", is_flag=True, help="Show each thread below the one that started it.")
@click.option("--watch", is_flag=True, help="Draw the table again each second, until Ctrl-C (at a terminal).")
@click.pass_obj
def ps(signals: Signals, world: str, as_json: bool, tree: bool, watch: bool) -> int:
    """List the threads of a world.

    A world that nobody has open is only looked at: none of its threads runs.
    """
    console = Console()
    if watch:
        if as_json or not console.terminal:
            raise Failure("--watch is for a terminal, and not for --json")
        from holdfast.repl.thread_watch import watch_threads

        return watch_threads(world, console, signals, tree)
    with open_host(Options(world, create=False), console, signals) as opened:
        rows = opened.threads()
    if opened.more:
        say(f"note: {plural(opened.more, 'more thread')}, the newest, not listed: too many for one answer")
    if as_json:
        click.echo(json.dumps([row._asdict() for row in rows]))
        return exits.OK
    if not rows:
        say("no threads")
        return exits.OK
    width = shutil.get_terminal_size().columns if console.terminal else 0
    console.put("\n".join(listing(rows, tree, width)) + "\n")
    console.check()
    return exits.OK


@click.command(
    context_settings=SETTINGS,
    epilog=examples("holdfast top", "holdfast top --sort mailbox"),
)
@world_option
@click.option("--sort", type=click.Choice(SORTS), default="cpu", show_default=True, help="What comes first.")
@click.pass_obj
def top(signals: Signals, world: str, sort: str) -> int:
    """Watch the threads of a world.

    The keys c, o, m, s, n and w sort by CPU, objects, mailbox, state, name and where a thread stands; r turns the
    order round; q ends.  CPU % is the share of the last second, OBJECTS how many variables and messages refer to.
    """
    console = Console()
    if not console.terminal or not sys.stdin.isatty():
        raise Failure("top is for a terminal; for scripts there is: holdfast ps --json")
    from holdfast.repl.thread_top import run_top

    return run_top(world, console, signals, sort)


# --------------------------------------------------------------------------- orders


def act(what: str, thread: str, world: str, signals: Signals, late: str = "") -> int:
    """Carry out an order, and tell what came of it."""
    console = Console()
    with open_host(Options(world, create=False), console, signals) as opened:
        found = opened.act(thread, what)
        ended_by = opened.ended_by
    console.put(told(found.row) + "\n")
    console.check()
    if not found.done:
        say(f"note: {late}")
        return exits.SIGNAL + ended_by if ended_by else exits.FAILED
    return exits.OK


@click.command(context_settings=SETTINGS, epilog=examples("holdfast kill K-60000000001", "holdfast kill root.worker"))
@world_option
@thread_argument
@click.pass_obj
def kill(signals: Signals, thread: str, world: str) -> int:
    """End a thread.

    THREAD is a KID, or a path as root.worker.

    Its finally blocks run, no catch stops it, and it is failed then.  In a world that nobody has open no other thread
    runs meanwhile.
    """
    late = "the thread is in its finally blocks; it goes on with them as long as the world is open"
    return act("kill", thread, world, signals, late)


@click.command(context_settings=SETTINGS, epilog=examples("holdfast suspend K-60000000001"))
@world_option
@thread_argument
@click.pass_obj
def suspend(signals: Signals, thread: str, world: str) -> int:
    """Let a thread not run until it is resumed.

    THREAD is a KID, or a path as root.worker.

    That holds however often the world is closed and opened.
    """
    return act("suspend", thread, world, signals)


@click.command(context_settings=SETTINGS, epilog=examples("holdfast resume K-60000000001"))
@world_option
@thread_argument
@click.pass_obj
def resume(signals: Signals, thread: str, world: str) -> int:
    """Let a suspended thread go on.

    THREAD is a KID, or a path as root.worker.

    In a world that nobody has open it goes on when somebody opens it.
    """
    return act("resume", thread, world, signals)


@click.command(
    context_settings=SETTINGS,
    epilog=examples("holdfast suspend K-60000000001", "holdfast step K-60000000001", "holdfast inspect K-60000000001"),
)
@world_option
@thread_argument
@click.pass_obj
def step(signals: Signals, thread: str, world: str) -> int:
    """Let a thread go on to its next safepoint.

    THREAD is a KID, or a path as root.worker.

    It is suspended there.  That is a call, a turn of a loop, or where it waits.  In a world that nobody has open no
    other thread runs meanwhile.
    """
    return act(
        "step", thread, world, signals, "the thread has not come to a safepoint; it is suspended at the next one"
    )


# --------------------------------------------------------------------------- consoles


@click.command(
    context_settings=SETTINGS,
    epilog=examples(
        "holdfast log K-60000000001",
        "holdfast log K-60000000001 --from 200 --numbers",
        "holdfast log K-60000000001 --from -10         (the last ten lines)",
    ),
)
@world_option
@from_option
@click.option("--numbers", is_flag=True, help="Write the number of each line in front of it.")
@thread_argument
@click.pass_obj
def log(signals: Signals, thread: str, world: str, first: int, numbers: bool) -> int:
    """Write what a thread has printed.

    THREAD is a KID, or a path as root.worker.

    Threads that it has started print to the same console.  That keeps its last 10,000 lines (fewer when they are long),
    also of a thread that has ended, as long as something refers to it.  The numbers of lines never change.
    """
    console = Console()
    with open_host(Options(world, create=False), console, signals) as opened:
        found = opened.log(thread, first, numbers)
    console.check()
    tell_gone(first, found.first)
    return exits.OK


@click.command(
    context_settings=SETTINGS,
    epilog=examples(
        "holdfast attach K-60000000001",
        "holdfast attach K-60000000001 --from -10      (the last ten lines, and what comes)",
        "holdfast attach K-60000000001 --input < orders.txt",
    ),
)
@world_option
@from_option
@click.option("--input", "typing", is_flag=True, help="Send standard input, also where that is no terminal.")
@thread_argument
@click.pass_obj
def attach(signals: Signals, thread: str, world: str, first: int, typing: bool) -> int:
    """Follow what a thread prints until it ends, and end as it does.

    THREAD is a KID, or a path as root.worker.

    Each line that is typed is sent to the thread: receive() gives it a message whose value is the line, a Text.
    Ctrl-C leaves, and the thread goes on.  A world that nobody has open is opened for that, and all its threads go on
    meanwhile.
    """
    console = Console()
    with open_host(Options(world, create=False), console, signals) as opened:
        outcome = opened.attach(thread, first, typing_in.wanted(typing))
        if outcome is None:
            signals.ignore()
        alone = isinstance(opened, LocalHost)
    console.check()
    if outcome is None:
        where = "pauses with the world" if alone else "goes on in the process that has the world open"
        say(f"detached: the thread {thread} {where}")
        code = exits.INTERRUPTED
    else:
        code = ended(outcome, opened.ended_by, console, opened.checkpoint)
    tell_paused(opened.paused)
    return code


# --------------------------------------------------------------------------- without a terminal


def start(options: Options, program: Program, console: Console, signals: Signals) -> int:
    """``run --detach``."""
    from holdfast.lang.diagnostics import CompileError

    try:
        with open_host(options, console, signals) as opened:
            kid = opened.start(program)
            alone = isinstance(opened, LocalHost)
    except Failure as failure:
        if failure.code != exits.COMPILE:
            raise
        raise_refused(failure.message)
    except CompileError as error:
        raise_refused(str(error))
    console.put(kid + "\n")
    console.check()
    if alone:
        say(f"note: nobody has the world open, so the thread waits: holdfast serve, or holdfast attach {kid}")
    return exits.OK


def raise_refused(text: str) -> NoReturn:
    """Show what the compiler said."""
    from holdfast.repl.problems import tell_diagnostics

    tell_diagnostics(text)
    raise Failure("", exits.COMPILE)


@click.command(
    context_settings=SETTINGS,
    epilog=examples(
        "holdfast serve",
        "holdfast serve --world /var/lib/shop --grant out=dir:/srv/reports:rw",
        "holdfast serve --until-done        (ends when no thread is alive)",
    ),
)
@opening_options
@click.option("--until-done", is_flag=True, help="End when no thread is alive and nobody is attached.")
@click.pass_obj
def serve(signals: Signals, /, until_done: bool, **opened: Any) -> int:
    """Keep a world open.

    Its threads go on, and other commands attach to it.  Prints one line when it is ready.  SIGTERM and Ctrl-C end it
    after a last checkpoint; the threads go on when the world is opened again.
    """
    console = Console()
    options = opening(**opened)
    with open_here(options, console, signals) as world:
        threads = plural(world.world.scheduler.alive, "thread")
        console.put(f"the world {escaped(str(options.path))} is open at checkpoint {world.checkpoint}; {threads}\n")
        world.serve(until_done)
    console.check()
    if world.ended_by:
        say(f"ended by a signal; the world is at checkpoint {world.checkpoint}")
    tell_paused(world.paused)
    return exits.SIGNAL + world.ended_by if world.ended_by else exits.OK


def plural(number: int, noun: str) -> str:
    """``1 thread``, ``2 threads``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def tell_gone(wanted: int, first: int) -> None:
    """Say that the console does not have the older lines any more."""
    if first > wanted >= 0:
        say(gone(wanted, first))


COMMANDS: dict[str, click.Command] = {
    command.name or "": command for command in (attach, kill, log, ps, resume, serve, step, suspend, top)
}
