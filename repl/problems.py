"""Errors of programs for people: kind, message, and where it happened, with the lines of source.

:func:`problem_of` takes an error of the machine apart, where the world is; :func:`rendered` shows it, where the
terminal is.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from holdfast.repl import colours
from holdfast.repl.console import escaped, tell
from holdfast.repl.host import Place, Problem

if TYPE_CHECKING:
    from holdfast.vm.world import World

TRACE_HEAD, TRACE_TAIL = 12, 4
"""Of a longer trace so many of the innermost and of the outermost places are shown."""
CAUSES_MAX = 8
MESSAGE_MAX = 4_000
LINE_MAX = 100

_MACHINE = ("prelude/", "std/")
_PLACE = re.compile(r"(.*):(\d+) in (.*)", re.DOTALL)


def problem_of(world: World, error: Any, depth: int = 0) -> Problem:
    """An error as plain data."""
    from holdfast.vm.objects import Error, live
    from holdfast.vm.show import to_text

    live(error)
    message = to_text(error.f_message)
    if len(message) > MESSAGE_MAX:
        message = message[:MESSAGE_MAX] + "…"
    trace = live(error.f_trace).v if error.f_trace is not None else []
    cause = getattr(error, "f_cause", None)
    more = getattr(error, "_x", None) or {}
    internal = more.get("internal")
    return Problem(
        error._name,
        message,
        tuple(place_of(world, text) for text in trace),
        problem_of(world, cause, depth + 1) if isinstance(cause, Error) and depth < CAUSES_MAX else None,
        internal if isinstance(internal, str) else "",
    )


def place_of(world: World, text: Any) -> Place:
    """A line of a trace, with its source."""
    found = _PLACE.fullmatch(text) if type(text) is str else None
    if found is None:
        return Place(str(text), 0, "", "")
    file, line, function = found[1], int(found[2]), found[3]
    source = ""
    for unit in world.modules.versions.values():  # in the order of their compilation: the last one counts
        if unit.source.name == file and line <= len(unit.source.line_starts):
            source = unit.source.line_text(line)
    return Place(file, line, function, source)


def where(problem: Problem | None) -> str:
    """`` at FILE:LINE in FUNCTION``: the innermost place in a file of the user's; "" where there is none."""
    for place in problem.trace if problem is not None else ():
        if place.line and not place.file.startswith(_MACHINE):
            return f" at {place.file}:{place.line} in {place.function}"
    return ""


def rendered(problem: Problem, colour: bool = False) -> str:
    """The error in lines for a terminal, everything from the program escaped."""
    head = colours.paint("error", colours.RED, colour)
    lines = [f"{head}: {escaped(problem.kind)}: {escaped(problem.message)}"]
    lines += _trace(problem.trace, colour)
    cause = problem.cause
    while cause is not None:
        lines.append(f"caused by {escaped(cause.kind)}: {escaped(cause.message)}")
        lines += _trace(cause.trace, colour)
        cause = cause.cause
    return "\n".join(lines)


def tell_diagnostics(text: str) -> None:
    """Show what the compiler said; such a text is safe as it is."""
    tell(colours.diagnostics(text, colours.wanted(sys.stderr)))


def _trace(trace: tuple[Place, ...], colour: bool) -> list[str]:
    out: list[str] = []
    grouped: list[tuple[Place, int]] = []
    for place in trace:
        if grouped and grouped[-1][0] == place:
            grouped[-1] = (place, grouped[-1][1] + 1)
        else:
            grouped.append((place, 1))
    left_out = len(grouped) - TRACE_HEAD - TRACE_TAIL
    for number, (place, times) in enumerate(grouped):
        if left_out > 0 and TRACE_HEAD <= number < TRACE_HEAD + left_out:
            if number == TRACE_HEAD:
                out.append(colours.paint(f"  … {left_out} more", colours.DIM, colour))
            continue
        out += _place(place, times, colour)
    return out


def _place(place: Place, times: int, colour: bool) -> list[str]:
    again = f" ({times} times)" if times > 1 else ""
    where = f"{place.file}:{place.line} in {place.function}" if place.line else place.file
    lines = [colours.paint("  at ", colours.DIM, colour) + escaped(where) + again]
    text = place.source.strip()
    if text:
        text = escaped(text if len(text) <= LINE_MAX else text[:LINE_MAX] + "…").replace("\n", " ")
        number = str(place.line).rjust(6)
        lines.append(colours.paint(f"{number} | ", colours.DIM, colour) + colours.source(text, colour))
    return lines
