"""The prompt: prompt_toolkit with Hold's lexer, its rule for complete statements, and completion by the session."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.application import in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import Lexer
from prompt_toolkit.styles import Style

from holdfast.lang.lexer import is_complete
from holdfast.repl import colours
from holdfast.repl.console import Console
from holdfast.repl.host import SessionHost, Status

PROMPT = "hold> "
CONTINUATION = "  ... "
INDENT = "    "
HISTORY = "holdfast.history"
"""The file in the world's folder that keeps what was entered."""
REFRESH_S = 1.0
"""How often the status bar is drawn again while nothing happens."""


class HoldLexer(Lexer):
    """Colours for what is being typed."""

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        """The pieces of each line with their styles."""
        lines: list[StyleAndTextTuples] = [[]]
        command = document.text.startswith((":", "?"))
        for style, text in [("", document.text)] if command else colours.spans(document.text):
            for number, part in enumerate(text.split("\n")):
                if number:
                    lines.append([])
                if part:
                    lines[-1].append((f"class:hold.{style}" if style else "", part))
        return lambda number: lines[number] if number < len(lines) else []


class SessionCompleter(Completer):
    """Completion by the session."""

    def __init__(self, session: SessionHost, commands: Iterable[str]) -> None:
        self.session = session
        self.commands = list(commands)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """What may stand at the cursor."""
        before = document.text_before_cursor
        if before.startswith(":") and " " not in before:
            for name in self.commands:
                if name.startswith(before[1:]):
                    yield Completion(name, 1 - len(before), display_meta="command")
            return
        if before.startswith("?"):
            before = before[1:]
        elif before.startswith(":"):
            before = before.partition(" ")[2]
        for candidate in self.session.complete(before):
            yield Completion(candidate.text, candidate.start, display_meta=candidate.what)


class SafeHistory(FileHistory):
    """History on disk; where the disk refuses, what was entered is kept for this run."""

    def store_string(self, string: str) -> None:
        """Append an entry."""
        try:
            super().store_string(string)
        except OSError:
            pass  # the world's own failures are reported elsewhere; history is no reason to end a session


def open_history(folder: str) -> History:
    """The history of a world; one that lives as long as the process where it cannot be written."""
    path = Path(folder) / HISTORY
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # entries may hold what only their author should read
    except OSError:
        return InMemoryHistory()
    return SafeHistory(str(path))


class Cleared(Exception):
    """Ctrl-C at the prompt.  (No KeyboardInterrupt: that one ends the event loop.)"""


def is_ready(text: str) -> bool:
    """Whether Enter runs the text rather than begin another line."""
    return text.startswith((":", "?")) or not text.strip() or is_complete(text)


def indentation(line: str) -> str:
    """What the line after this one begins with."""
    margin = line[: len(line) - len(line.lstrip())]
    return margin + INDENT if line.rstrip().endswith(("{", "(", "[", "=>")) else margin


def key_bindings() -> KeyBindings:
    """Enter, Tab and the closing brace."""
    keys = KeyBindings()

    @keys.add("enter")
    def enter(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        rest = buffer.document.text_after_cursor.strip()
        if is_ready(buffer.text) and not rest:
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n" + indentation(buffer.document.current_line_before_cursor))

    @keys.add("escape", "enter")
    def new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @Condition
    def at_margin() -> bool:
        from prompt_toolkit.application import get_app

        return not get_app().current_buffer.document.current_line_before_cursor.strip()

    @keys.add("tab", filter=at_margin)
    def tab(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text(INDENT)

    @keys.add("}", filter=at_margin)
    def brace(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.current_line_before_cursor.endswith(INDENT):
            buffer.delete_before_cursor(len(INDENT))
        buffer.insert_text("}")

    return keys


def toolbar(session: SessionHost) -> str:
    """The status bar."""
    status: Status = session.status()
    threads = "1 thread" if status.threads == 1 else f"{status.threads} threads"
    memory = f"{status.memory / 1_000_000:.0f} MB"
    return f" {status.world} | session {session.name} | checkpoint {status.number} | {threads} | {memory} "


def make_prompt(session: SessionHost, folder: str, commands: Iterable[str], colour: bool) -> PromptSession[str]:
    """The prompt of a session."""
    style = {f"hold.{name}": code for name, code in colours.PROMPT.items() if code}
    style |= {"prompt": "bold", "bottom-toolbar": "noreverse ansibrightblack"}
    return PromptSession(
        message=[("class:prompt", PROMPT)],
        prompt_continuation=CONTINUATION,
        multiline=True,
        lexer=HoldLexer() if colour else None,
        style=Style.from_dict(style if colour else {}),
        include_default_pygments_style=False,
        completer=SessionCompleter(session, commands),
        complete_while_typing=False,
        history=open_history(folder),
        key_bindings=key_bindings(),
        bottom_toolbar=lambda: toolbar(session),
        refresh_interval=REFRESH_S,
        enable_history_search=True,
        interrupt_exception=Cleared,
    )


class PromptConsole(Console):
    """Output that appears above the prompt while one is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.prompt: PromptSession[Any] | None = None
        self._waiting: list[str] = []
        self._writer: asyncio.Task[None] | None = None

    def put(self, text: str) -> None:
        """Write a text, now or when the prompt has stepped aside."""
        if self.prompt is None or not self.prompt.app.is_running:
            super().put(text)
            return
        self._waiting.append(text)
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._above())

    async def _above(self) -> None:
        async with in_terminal():
            text = "".join(self._waiting)
            self._waiting.clear()
            self._writer = None
            super().put(text)

    @property
    def errors(self) -> Console:
        """They appear where everything else does."""
        return self

    async def drain(self) -> None:
        """Write what still waits; to be called when the prompt has gone."""
        if self._writer is not None:
            await self._writer
