"""``:frame`` and ``:set``: an expression among the variables of a frame of a thread, as an entry of the session.

The entry is a function whose parameters are those variables that the expression names, called with their values.  So
nothing that it does to a variable reaches the frame, which may not even be in memory; the session's own names are there
too.  The objects are the thread's own.  With ``:set`` a variable of the frame gets the value behind that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from holdfast.lang import tree as t
from holdfast.lang.diagnostics import Source
from holdfast.lang.lexer import tokens
from holdfast.lang.parser import parse
from holdfast.repl import thread_acts
from holdfast.repl.exits import FAILED, Failure
from holdfast.repl.thread_view import stack_of
from holdfast.vm.objects import Thrown
from holdfast.vm.session import Entry, Session

if TYPE_CHECKING:
    from holdfast.repl.awaited import Awaited
    from holdfast.vm.thread import Thread
    from holdfast.vm.world import World

SELF = "self"
OUTSIDE = ("TEXT", "BYTES", "COMMENT", "DOC")
"""Kinds of tokens in which no name can stand."""


def variables(world: World, kid: str, number: int) -> dict[str, Any]:
    """The variables of a frame; 0 is the innermost.

    Raises Failure, and DamagedRecord.
    """
    frames = stack_of(world, thread_acts.find(world, kid), number + 1)
    if number >= len(frames):
        count = f"{len(frames)} frames" if len(frames) != 1 else "1 frame"
        raise Failure(f"the thread {kid} has {count}: the innermost is 0", FAILED)
    found: dict[str, Any] = frames[number]["locals"]
    return found


def rewritten(text: str, known: dict[str, Any]) -> tuple[str, list[str]]:
    """The expression as the body of a function, and which of the variables are its parameters."""
    used = [one for one in tokens(text) if one.text in known and one.kind not in OUTSIDE]
    names = list(dict.fromkeys(one.text for one in used))
    other = SELF + "_"
    while other in text:
        other += "_"
    for one in reversed(used):
        if one.text == SELF:
            text = text[: one.start] + other + text[one.end :]
    parameters = ", ".join(other if name == SELF else name for name in names)
    return f"fn({parameters}) => (\n{text}\n)", names


class Change(Entry):
    """An entry of whose value a variable of a frame is to be made."""

    __slots__ = ("name", "number", "runs", "target")

    def __init__(self, entry: Entry, target: Thread, runs: int, number: int, name: str) -> None:
        super().__init__(entry.session, entry.unit, entry.thread)
        self.target = target
        self.runs = runs
        """How often that had run when the frames were numbered."""
        self.number = number
        self.name = name

    def finish(self) -> None:
        """Change the variable, unless the expression has thrown.

        Raises Failure.
        """
        super().finish()
        if self.thread.f_state == "done":
            world = self.session.world
            if self.target.runs != self.runs:
                raise Failure("the thread has gone on meanwhile, and nothing was changed: look at its frames", FAILED)
            with refusals():
                world.changing.set_local(self.target, self.number, self.name, self.thread.f_result)


@contextmanager
def refusals() -> Iterator[None]:
    """Tell of what the machine refuses as a failed command."""
    try:
        yield
    except Thrown as thrown:
        raise Failure(thrown.error.f_message, FAILED) from None


async def frame_entry(
    session: Session, awaited: Awaited, kid: str, number: int, text: str, name: str | None = None
) -> Entry:
    """Begin the entry; with a name its value is given to that variable of the frame.

    Raises CompileError and Failure.
    """
    world = session.world
    known = variables(world, kid, number)
    target = thread_acts.find(world, kid)
    if name is not None:  # else the expression would be run in vain
        with refusals():
            world.changing.find(target, number, name)
    runs = getattr(target, "runs", 0)
    program = parse(Source(f"{kid} #{number}", text))
    if len(program.statements) != 1 or not isinstance(program.statements[0], t.ExprStatement):
        raise Failure("write one expression")
    body, names = rewritten(text, known)
    entry = session.start(body)
    await awaited.until(lambda: entry.done)
    if entry.thread.f_state != "done":
        return entry
    function = entry.thread.f_result
    thread = world.scheduler.start(function, tuple(known[n] for n in names), name="frame")
    entry = Entry(session, entry.unit, thread)
    return entry if name is None else Change(entry, target, runs, number, name)
