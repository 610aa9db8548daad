"""``holdfast top``, and ``:top`` in the REPL: the threads of a world, drawn again each second, sorted by keys.

The command asks the world in a helper thread, so that keys are answered at once, also while the other process is busy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from time import monotonic

from prompt_toolkit.application import Application
from prompt_toolkit.data_structures import Point
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import Layout
from prompt_toolkit.layout.containers import HSplit, Window
from prompt_toolkit.layout.controls import FormattedTextControl

from holdfast.repl import exits
from holdfast.repl.console import Console
from holdfast.repl.host import ThreadRow
from holdfast.repl.signals import Signals
from holdfast.repl.thread_table import HEAD, cells, shares_of, sorted_rows, table
from holdfast.repl.thread_watch import WATCH_S, Source, headline

KEYS = {"c": "cpu", "o": "objects", "m": "mailbox", "s": "state", "n": "name", "w": "where"}
COLUMNS = ("KID", "CPU %", *HEAD[1:])
HELP = " sort: c cpu, o objects, m mailbox, s state, n name, w where, r round   up, down, q quit"


class Top:
    """What is on the screen."""

    def __init__(self, sort: str) -> None:
        self.sort = sort
        self.turned = False
        self.rows: list[ThreadRow] = []
        self.open = True
        """Has somebody the world open?"""
        self.shares: dict[str, float] = {}
        self.first = 0
        """Number of the first row that is shown."""
        self.loaded = False
        self._at = 0.0

    def note(self, rows: list[ThreadRow], open_: bool) -> None:
        """Take what somebody has seen who looked at the world again."""
        now = monotonic()
        if self.loaded:
            self.shares = shares_of(self.rows, rows, now - self._at)
        self.rows, self.open, self._at, self.loaded = rows, open_, now, True

    def head(self) -> str:
        """The line above the table."""
        if not self.loaded:
            return " …"
        return f" {headline(self.rows, self.open)}, by {self.sort}{' turned round' if self.turned else ''}"

    def body(self) -> str:
        """The table."""
        shown = sorted_rows(self.rows, self.shares, self.sort, self.turned)
        self.first = max(0, min(self.first, len(shown) - 1))
        lines = []
        for row in shown:
            kid, *rest = cells(row)
            lines.append((kid, f"{self.shares.get(row.id, 0.0):.1f}", *rest))
        head, *others = table(lines, COLUMNS)
        return "\n".join([head, *others[self.first :]])


def bindings(top: Top) -> KeyBindings:
    """Its keys."""
    keys = KeyBindings()

    @keys.add("q")
    def leave(event: KeyPressEvent) -> None:
        event.app.exit(result=exits.OK)

    @keys.add("c-c")
    def interrupt(event: KeyPressEvent) -> None:
        event.app.exit(result=exits.INTERRUPTED)

    @keys.add("r")
    def turn(event: KeyPressEvent) -> None:
        top.turned = not top.turned

    @keys.add("down")
    def down(event: KeyPressEvent) -> None:
        top.first += 1

    @keys.add("up")
    def up(event: KeyPressEvent) -> None:
        top.first -= 1

    def sort_by(key: str, what: str) -> None:
        @keys.add(key)
        def choose(event: KeyPressEvent) -> None:
            top.sort = what

    for key, what in KEYS.items():
        sort_by(key, what)
    return keys


def application(top: Top) -> Application[int]:
    """The screen."""

    def line(text: str, style: str = "") -> Window:
        return Window(FormattedTextControl(text), height=1, style=style)

    body = FormattedTextControl(lambda: top.body(), get_cursor_position=lambda: Point(0, 0), show_cursor=False)
    head = Window(FormattedTextControl(lambda: top.head()), height=1, style="bold")
    layout = Layout(HSplit([head, Window(body, wrap_lines=False), line(HELP, "reverse")]))
    return Application(layout, key_bindings=bindings(top), full_screen=True)


async def draw(top: Top, look: Callable[[], Awaitable[None]], signals: Signals | None = None) -> int:
    """Look, and draw, until a key or signal ends it; gives the exit code."""
    app = application(top)
    loop = asyncio.get_running_loop()

    def listener(number: int) -> None:
        loop.call_soon_threadsafe(lambda: app.is_running and app.exit(result=exits.SIGNAL + number))

    async def reload() -> None:
        while True:
            try:
                await look()
            except Exception as error:
                if app.is_running:
                    app.exit(exception=error)
                return
            app.invalidate()
            await asyncio.sleep(WATCH_S)

    with signals.listening(listener) if signals is not None else nullcontext():
        loading = asyncio.create_task(reload())
        try:
            return await app.run_async(handle_sigint=False)
        finally:
            loading.cancel()
            await asyncio.gather(loading, return_exceptions=True)


def run_top(world: str, console: Console, signals: Signals, sort: str) -> int:
    """The command."""
    source = Source(world, console, Signals())  # those are not installed: what the helper thread opens is no listener
    top = Top(sort)

    async def look() -> None:
        rows = await asyncio.to_thread(source.rows)
        top.note(rows, source.open)

    try:
        return asyncio.run(draw(top, look, signals))
    finally:
        source.close()
