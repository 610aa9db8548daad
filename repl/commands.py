"""The commands of ``holdfast``.  Each imports what it needs when it runs, so that ``run`` starts at once."""

from __future__ import annotations

import json
from typing import Any

import click

from holdfast.repl import exits, host
from holdfast.repl.console import Console, say, tell, tell_paused
from holdfast.repl.exits import Failure, Stop
from holdfast.repl.local import LocalHost
from holdfast.repl.options import json_option, opening, opening_options, world_option
from holdfast.repl.signals import Signals

SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
SHELLS = ("bash", "zsh", "fish")
PROGRAM = "holdfast"
COMPLETE = "_HOLDFAST_COMPLETE"


def examples(*lines: str, table: bool = False) -> str:
    """The end of a help page."""
    text = "\b\nExamples:\n" + "\n".join("  " + line for line in lines)
    return text + ("\n\n\b\n" + exits.TABLE if table else "")


THREADS = ("attach", "kill", "log", "ps", "resume", "serve", "step", "suspend", "top")
"""Commands of :mod:`holdfast.repl.thread_commands`."""


class Group(click.Group):
    """A group of commands: those that were declared with it, and others that are imported when they are named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return [*sorted([*super().list_commands(ctx), *THREADS]), "world"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        if cmd_name in THREADS:
            from holdfast.repl import thread_commands

            return thread_commands.COMMANDS.get(cmd_name)
        if cmd_name != "world":
            return super().get_command(ctx, cmd_name)
        from holdfast.repl.world_commands import world

        return world


@click.group(
    cls=Group,
    context_settings=SETTINGS,
    epilog=examples(
        "holdfast run hello.hold           run a program in the world ./.holdfast",
        "holdfast repl                     talk to the world",
        "holdfast test bank.hold           run the tests of a file",
        "holdfast world stat               how much the world holds",
        'eval "$(holdfast completion bash)"',
        table=True,
    ),
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda c, p, v: _version(c) if v else None,
    help="Show the version and exit.",
)
def cli() -> None:
    """Holdfast: programs, objects and threads that survive.

    A world is a folder that holds everything that its programs have made: there is no save, and no loading.
    """


def _version(context: click.Context) -> None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        number = version("holdfast")
    except PackageNotFoundError:
        number = "(not installed)"
    click.echo(f"holdfast {number}")
    context.exit()


def run_command(arguments: list[str], signals: Signals) -> int:
    """Run a command line; returns the exit code.

    Raises Failure and what the machine raises.
    """
    try:
        code = cli.main(arguments, prog_name=PROGRAM, complete_var=COMPLETE, standalone_mode=False, obj=signals)
    except click.exceptions.NoArgsIsHelpError as error:
        tell(error.format_message())
        return exits.USAGE
    except click.UsageError as error:
        say(f"error: {error.format_message()}")
        if error.ctx is not None:
            say(f"see: {error.ctx.command_path} --help")
        return exits.USAGE
    except click.ClickException as error:
        say(f"error: {error.format_message()}")
        return exits.USAGE
    except (click.Abort, EOFError):
        raise Stop(2) from None
    return code if isinstance(code, int) else exits.OK


# --------------------------------------------------------------------------- running


@cli.command(
    context_settings={"allow_interspersed_args": False},  # what follows FILE is the program's
    epilog=examples(
        "holdfast run hello.hold",
        "holdfast run report.hold 2024 --short       (the program finds them in args)",
        "holdfast run --grant data=dir:./csv:r load.hold",
        "holdfast run --grant out=dir:./reports:rw report.hold",
        "holdfast run --sandbox --grant out=root.foo:rw --budget cpu_ms=500,objects=10000 foo.hold",
        "echo 'print(1 + 1)' | holdfast run -",
        "holdfast run --detach watch.hold            (prints the KID of its thread, and leaves)",
    ),
)
@opening_options
@click.option(
    "--sandbox", is_flag=True, help="Run it in a domain of its own: it has what --grant gives it, and nothing else."
)
@click.option(
    "--budget",
    metavar="KIND=N,…",
    help="With --sandbox: what it may use (cpu_ms, objects, bytes, threads, mailbox, depth).",
)
@click.option(
    "--module",
    "modules",
    metavar="PATH",
    multiple=True,
    help="With --sandbox: a module of the world that it may import.  May be given several times.",
)
@click.option("--detach", is_flag=True, help="Begin the program, print the KID of its thread, and leave.")
@click.option(
    "--torture",
    type=click.IntRange(min=1),
    metavar="N",
    help="At every N safepoints write a thread's stack down, throw it away, and go on from what was written (a test).",
)
@click.argument("file", type=click.Path())
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def run(
    signals: Signals,
    /,
    file: str,
    args: tuple[str, ...],
    sandbox: bool,
    budget: str | None,
    modules: tuple[str, ...],
    detach: bool,
    torture: int | None,
    **opened: Any,
) -> int:
    """Run a program.

    Its imports are looked for beside FILE.  It finds ARGS in the List args, and everything that it keeps under root
    is there the next time.
    """
    from holdfast.repl.files import folder_of, loader, read_source, shown
    from holdfast.repl.grants import OBJECT
    from holdfast.repl.remote_open import open_here, open_host
    from holdfast.repl.sandbox import Sandbox

    if detach and torture:
        raise Failure("--torture is for a program that this command runs to its end, so not with --detach")
    if detach and sandbox:
        raise Failure("--sandbox is for a program that this command runs to its end, so not with --detach")
    options = opening(**opened)
    within = Sandbox(opened["grants"], budget or "", modules) if sandbox else None
    if within is not None:
        within.limits()  # which says what is wrong with it
    elif budget is not None or modules or any(grant.kind == OBJECT for grant in options.grants):
        raise Failure("a program that is not sandboxed has all of root, and no budget: give --sandbox")
    program = host.Program(read_source(file), shown(file), _texts(args), loader(folder_of(file)), within)
    console = Console()
    if detach:
        from holdfast.repl.thread_commands import start

        return start(options, program, console, signals)
    here = open_here(options, console, signals) if torture else open_host(options, console, signals, within)
    with here as world:
        if isinstance(world, LocalHost) and torture:
            world.torture(torture)
        outcome = world.run(program)
    code = ended(outcome, world.ended_by, console, world.checkpoint)
    tell_paused(world.paused)
    return code


def _texts(args: tuple[str, ...]) -> tuple[str, ...]:
    for arg in args:
        if not arg.isprintable() and any("\ud800" <= character <= "\udfff" for character in arg):
            raise Failure(f"the argument {arg!r} is not UTF-8")
    return args


def ended(outcome: host.Outcome, signal: int, console: Console, checkpoint: int) -> int:
    """Tell how a program ended, when the last checkpoint is made."""
    import sys

    from holdfast.repl import colours
    from holdfast.repl.problems import rendered, tell_diagnostics, where

    console.check()
    if outcome.state == host.REFUSED:
        tell_diagnostics(outcome.text)
        return exits.COMPILE
    if outcome.state == host.STOPPED:
        say(f"ended by a signal; the world is at checkpoint {checkpoint}")
        return exits.SIGNAL + signal
    if outcome.state == host.INTERRUPTED:
        say(f"interrupted{where(outcome.problem)}; the world is at checkpoint {checkpoint}")
        return exits.INTERRUPTED
    if outcome.problem is not None:
        tell(rendered(outcome.problem, colours.wanted(sys.stderr)))
        if outcome.problem.internal:
            say(f"note: inside the machine: {outcome.problem.internal}")
        return exits.FAILED
    return exits.OK


@cli.command(
    epilog=examples(
        "holdfast repl",
        "holdfast repl --session experiments",
        "holdfast repl < entries.hold               (without a prompt, for scripts)",
    )
)
@opening_options
@click.option("--session", default="main", show_default=True, metavar="NAME", help="Whose variables to use.")
@click.pass_obj
def repl(signals: Signals, /, session: str, **opened: Any) -> int:
    """Talk to a world.

    Variables, functions and classes live in the world: leave, come back, and they are there.
    """
    import sys

    from holdfast.repl.start import start

    return start(opening(**opened), session, signals, interactive=sys.stdin.isatty() and sys.stdout.isatty())


@cli.command(
    epilog=examples(
        "holdfast test bank.hold",
        "holdfast test --json *.hold",
    )
)
@json_option
@click.option("--timeout", default=60.0, show_default=True, metavar="SECONDS", help="How long one test may run.")
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.pass_obj
def test(signals: Signals, files: tuple[str, ...], timeout: float, as_json: bool) -> int:
    """Run the tests of files, each in a world of its own.

    A program's statements do not run, only its tests.
    """
    from holdfast.repl.testing import run_tests

    return run_tests(files, timeout, as_json, signals)


@cli.command(epilog=examples("holdfast check bank.hold", "holdfast check --json src/*.hold"))
@json_option
@click.argument("files", nargs=-1, required=True, type=click.Path())
def check(files: tuple[str, ...], as_json: bool) -> int:
    """Compile files, run nothing, and report every error."""
    from holdfast.repl.checking import check_files

    return check_files(files, as_json)


@cli.command(epilog=examples("holdfast fmt bank.hold", "holdfast fmt --check src/*.hold", "holdfast fmt - < a.hold"))
@click.option("--check", "only_check", is_flag=True, help="Change nothing; exit 1 if a file would change.")
@click.argument("files", nargs=-1, required=True, type=click.Path())
def fmt(files: tuple[str, ...], only_check: bool) -> int:
    """Bring files into the one layout."""
    from holdfast.repl.checking import format_files

    return format_files(files, only_check)


# --------------------------------------------------------------------------- looking


@cli.command(
    epilog=examples(
        "holdfast inspect root",
        "holdfast inspect 'root.accounts[\"ada\"]'",
        "holdfast inspect K-10000000003 --json",
        "holdfast inspect K-60000000001        (a thread: what it waits for, its stack, its variables)",
    )
)
@world_option
@json_option
@click.argument("what", metavar="KID|PATH")
@click.pass_obj
def inspect(signals: Signals, what: str, world: str, as_json: bool) -> int:
    """Take an object or a thread apart.

    It is named by its KID, or by a path from root.
    """
    import shutil

    from holdfast.repl.local import Options
    from holdfast.repl.remote_open import open_host
    from holdfast.repl.shell import described

    console = Console()
    with open_host(Options(world, create=False), console, signals) as opened:
        found = opened.inspect(what, shutil.get_terminal_size().columns)
    click.echo(json.dumps(found.data, ensure_ascii=False) if as_json else described(found))
    return exits.OK


@cli.command(
    epilog=examples(
        'eval "$(holdfast completion bash)"                            (in ~/.bashrc)',
        'eval "$(holdfast completion zsh)"                             (in ~/.zshrc)',
        "holdfast completion fish > ~/.config/fish/completions/holdfast.fish",
    )
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> int:
    """Write what makes a shell complete holdfast's commands."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise Failure(f"there is no completion for {shell}")
    click.echo(found(cli, {}, PROGRAM, COMPLETE).source())
    return exits.OK
