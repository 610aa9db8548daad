"""The commands of the REPL: lines that begin with a colon."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """One command."""

    argument: str
    """In capitals if it is needed, in brackets if not."""
    doc: str


COMMANDS: dict[str, Command] = {
    "help": Command("", "this list"),
    "inspect": Command("X", "take an object apart: a name, a path as root.a[0], or a KID as K-1f3a"),
    "threads": Command("", "the threads of this world"),
    "top": Command("", "watch them, sorted by keys"),
    "kill": Command("T", "end a thread; its finally blocks run"),
    "suspend": Command("T", "let a thread not run"),
    "resume": Command("T", "let it go on"),
    "step": Command("T", "let it go on to its next call, turn of a loop, or where it waits"),
    "log": Command("T [N]", "what a thread has printed, from line N on"),
    "frame": Command("T N X", "the value of an expression among the variables of frame N of a thread"),
    "set": Command("T N NAME X", "give a variable of frame N of a suspended thread the value of an expression"),
    "source": Command("NAME", "the source of a function, class, method or module"),
    "time": Command("ENTRY", "run an entry and tell how long it took"),
    "checkpoint": Command("", "make everything durable now"),
    "session": Command("[NAME]", "go on in another session; without a name, list them"),
    "quit": Command("", "leave; everything is kept"),
}


ELSEWHERE = {"ps": "write :threads here", "attach": "here :log T shows what it has printed"}
"""Commands of the shell that a person may look for here, and what to do."""


def _help() -> str:
    lines = ["Enter runs a complete statement, else begins another line; Alt-Enter always begins one."]
    lines.append("Tab completes.  Ctrl-C ends what is running, or clears the line.  Ctrl-D leaves.\n")
    lines.append("  _                  the value of the last entry")
    lines.append("  ?NAME              what is known about a name: ?print, ?List.push, ?while")
    lines += [f"  :{name + ' ' + command.argument:<17} {command.doc}" for name, command in COMMANDS.items()]
    lines.append(
        "\nT is a thread: a name, a path as root.worker, or a KID.  "
        "Variables, functions and classes of a session live in the world: leave, come back, and they are there."
    )
    return "\n".join(lines)


HELP = _help()
"""What ``:help`` shows."""
