"""``:frame``: an expression among the variables of a frame of a thread, as an entry of the session.

The entry is a function whose parameters are those variables that the expression names, called with their values.  So
nothing that it does to a variable reaches the frame, which may not even be in memory; the session's own names are there
too.  The objects are the thread's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.lang import tree as t
from holdfast.lang.diagnostics import Source
from holdfast.lang.lexer import tokens
from holdfast.lang.parser import parse
from holdfast.repl import thread_acts
from holdfast.repl.exits import FAILED, Failure
from holdfast.repl.thread_view import stack_of
from holdfast.vm.session import Entry, Session

if TYPE_CHECKING:
    from holdfast.repl.awaited import Awaited
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


async def frame_entry(session: Session, awaited: Awaited, kid: str, number: int, text: str) -> Entry:
    """Begin the entry.

    Raises CompileError and Failure.
    """
    world = session.world
    known = variables(world, kid, number)
    program = parse(Source(f"{kid} #{number}", text))
    if len(program.statements) != 1 or not isinstance(program.statements[0], t.ExprStatement):
        raise Failure("write one expression")
    body, names = rewritten(text, known)
    entry = session.start(body)
    await awaited.until(lambda: entry.done)
    if entry.thread.f_state != "done":
        return entry
    function = entry.thread.f_result
    return Entry(session, entry.unit, world.scheduler.start(function, tuple(known[n] for n in names), name="frame"))
