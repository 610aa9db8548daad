"""Consoles: the lines that threads have printed, numbered from 0.

A console is an object that a thread and those that it starts share.  Its lines are ordinary objects of the world, so
they are in the same checkpoint as the thread's place behind the ``print``: after a crash a thread that prints a line
again gives it the number that it had, and nobody has seen the one before.  ``LINES_MAX`` lines are kept; older ones go,
and the numbers stay.

A terminal is the console's :attr:`~Console.outlet`, or watches it.  Either gets a line when that is durable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from holdfast.vm import ids
from holdfast.vm.objects import NEW, Obj, fail, kind_name, live, seal

if TYPE_CHECKING:
    from holdfast.vm.heap import Heap
    from holdfast.vm.waits import Outlet

LINES_MAX = 10_000
"""Lines that a console keeps at least, """
LENGTH_MAX = 1 << 20
"""unless they are longer than this together."""
LINE_MAX = 4_096
"""Characters of a line that are kept."""
SEGMENT_LINES = 250
SEGMENT_LENGTH = 1 << 14
"""Lines, and their length, that are written to disk together."""
HEAD = 2
"""Items of a segment in front of its lines: the number of the first one, and their length."""


@seal
class Console(Obj):
    """What some threads have printed."""

    __slots__ = ("length", "outlet", "segments", "shown", "watchers")
    _k = ids.CONSOLE
    _slots = ("length", "segments")
    _name = "Console"
    length: Any
    """Of the lines of all segments but the last."""
    segments: Any
    """List of Lists: number of the first line, length of the lines, and the lines."""
    outlet: Outlet | None
    """The terminal of who has started its threads, as long as it is there."""
    watchers: list[Callable[[int, list[str]], None]]
    """Told of lines that are durable: number of the first, and the lines."""
    shown: int
    """Number of the first line that is not durable."""

    def __call__(self, text: str) -> None:
        """A text is durable: show it."""
        if self.outlet is not None:
            self.outlet(text)
        lines = text.split("\n")[:-1]
        first, self.shown = self.shown, self.shown + len(lines)
        for watcher in list(self.watchers):
            watcher(first, lines)

    def failed(self, name: str, problem: Any) -> None:
        """A thread failed that nobody joined."""
        if self.outlet is not None:
            self.outlet.failed(name, problem)  # type: ignore[attr-defined]  # terminals have it


class Consoles:
    """The consoles of one world."""

    def __init__(self, heap: Heap, console_class: type[Console]) -> None:
        self.heap = heap
        self.console_class = console_class

    def new(self, outlet: Outlet | None) -> Console:
        """A console without lines."""
        made = self.console_class()
        made._t, made._i = self.heap.token, NEW
        made.length = 0
        made.segments = self.new_list([self.new_list([0, 0])])
        self.revive(made)
        made.outlet = outlet
        return made

    def new_list(self, raw: list[Any]) -> Any:
        """A List around the raw list."""
        made = self.heap.collections.List()
        made._t, made._i, made.v = self.heap.token, NEW, raw
        return made

    def revive(self, console: Console) -> None:
        """Give a console what it needs besides its record; all that is in that is durable."""
        if getattr(console, "watchers", None) is None:
            console.outlet = None
            console.watchers = []
            console.shown = self.end(console)

    def end(self, console: Console) -> int:
        """The number of the next line."""
        last = live(live(live(console).segments).v[-1]).v
        return int(last[0]) + len(last) - HEAD

    def add(self, console: Console, text: str) -> None:
        """A program prints."""
        lines = text.split("\n")
        lines.pop()
        heap = self.heap
        segments = live(live(console).segments)
        for line in lines:
            last = live(segments.v[-1])
            if len(last.v) >= SEGMENT_LINES + HEAD or last.v[1] >= SEGMENT_LENGTH:
                last = self._grow(console, segments, last)
            if last._t is not heap.token:
                heap.barrier(last)
            if len(line) > LINE_MAX:
                line = line[: LINE_MAX - 1] + "…"
            last.v.append(line)
            last.v[1] += len(line)

    def _grow(self, console: Console, segments: Any, last: Any) -> Any:
        """Begin a new segment, and let the oldest go when there is too much."""
        token = self.heap.token
        if segments._t is not token:
            self.heap.barrier(segments)
        if console._t is not token:
            self.heap.barrier(console)
        made = self.new_list([last.v[0] + len(last.v) - HEAD, 0])
        segments.v.append(made)
        console.length += last.v[1]
        while len(segments.v) > 2 and (
            console.length > LENGTH_MAX or made.v[0] - live(segments.v[1]).v[0] >= LINES_MAX
        ):
            console.length -= live(segments.v[0]).v[1]
            del segments.v[0]
        return made

    def lines(self, console: Console, first: int, durable: bool = True) -> tuple[int, list[str]]:
        """The lines from a number on that are kept (and durable): number of the first one, and the lines."""
        self.revive(live(console))
        end = console.shown if durable else self.end(console)
        segments = [live(segment).v for segment in live(console.segments).v]
        first = max(first, segments[0][0])
        found: list[str] = []
        for segment in segments:
            start = segment[0]
            if start + len(segment) - HEAD > first:
                found += segment[HEAD + max(0, first - start) : HEAD + max(0, end - start)]
        return first, found


def console_methods(consoles: Consoles) -> dict[str, Callable[..., Any]]:
    """The methods of consoles in one world."""

    def lines(self: Any, first: Any = 0) -> Any:
        """The lines from a number on that are kept, as a List."""
        if type(first) is not int or first < 0:
            fail("ValueError", f"lines are numbered from 0 on, not {kind_name(first)}")
        return consoles.new_list(consoles.lines(self, first, durable=False)[1])

    def count(self: Any) -> Any:
        """How many lines there have been, and so the number of the next one."""
        return consoles.end(self)

    return {"lines": lines, "count": count}
