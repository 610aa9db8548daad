"""A session of a world that is open in another process: the same methods as those of a session in this one.

Short questions wait for their answer; entries run while the terminal's loop goes on.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from holdfast.lang.diagnostics import CompileError
from holdfast.repl import exits, host, remote_wire
from holdfast.repl.console import Console
from holdfast.repl.exits import Failure
from holdfast.repl.files import loader
from holdfast.repl.host import Acted, Candidate, Description, Logged, Outcome, Status, ThreadRow
from holdfast.repl.remote_host import RemoteHost


class RemoteSession:
    """The session that a REPL is in."""

    def __init__(self, remote: RemoteHost, name: str) -> None:
        self.remote = remote
        self.line = remote.line
        self.name = name
        self._running = False
        self._loader = loader(Path.cwd())
        self._asked: Future[Any] | None = None
        self.switch(name)
        self._status = remote_wire.unpack_status(self.line.call("status").status)

    # ------------------------------------------------------------------ the world goes on, over there

    async def serve(self) -> None:
        """Write what comes, until cancelled.

        Raises Failure when the other process has gone; returns when a signal ends this one.
        """
        loop, over = asyncio.get_running_loop(), asyncio.Event()

        def soon(what: Callable[[], None]) -> None:
            try:
                loop.call_soon_threadsafe(what)
            except RuntimeError:
                pass  # this REPL has ended

        def deliver(write: Callable[[Console], None], written: Callable[[], None]) -> None:
            def here() -> None:
                write(self.remote.console)
                written()

            soon(here)

        def listener(number: int) -> None:
            if number == signal.SIGINT:
                self.interrupt()
            else:
                self.remote.ended_by = number
                soon(over.set)

        self.line.deliver = deliver
        self.line.on_end = lambda: soon(over.set)
        if self.line.ended:
            over.set()
        self.remote.listener = listener
        await over.wait()
        if not self.remote.ended_by:
            raise Failure(self.line.lost, exits.WORLD)

    async def leave(self) -> None:
        """The other process takes care of itself."""

    # ------------------------------------------------------------------ entries

    async def evaluate(self, text: str, width: int) -> Outcome:
        """Run one entry; returns when all that it did is durable."""
        try:
            modules = remote_wire.imported(text, "entry", self._loader, entry=True)
        except CompileError as error:
            return Outcome(host.REFUSED, str(error))
        packed = [remote_wire.pack_source(name, found) for name, found in modules.items()]
        raw = text.encode()
        remote_wire.within_limit(packed, len(raw))
        self._running = True
        try:
            answer = await asyncio.wrap_future(self.line.later("evaluate", text=raw, width=width, modules=packed))
        finally:
            self._running = False
        self.remote.checkpoint = answer.outcome.checkpoint
        return remote_wire.unpack_outcome(answer.outcome)

    async def frame(self, kid: str, number: int, text: str, width: int, name: str | None = None) -> Outcome:
        """The value of an expression among the variables of one of a thread's frames; with a name it is given to that
        variable."""
        self._running = True
        try:
            given = {"thread": kid, "number": number, "text": text.encode(), "width": width, "variable": name or ""}
            answer = await asyncio.wrap_future(self.line.later("frame", **given))
        finally:
            self._running = False
        return remote_wire.unpack_outcome(answer.outcome)

    async def room(self) -> None:
        """Writing here waits for the terminal."""

    def interrupt(self) -> bool:
        """End the entry that runs; False when none does."""
        if self._running:
            self.line.later("interrupt")
        return self._running

    # ------------------------------------------------------------------ looking

    def complete(self, before: str) -> list[Candidate]:
        """How to go on with what stands before the cursor."""
        return remote_wire.unpack_candidates(self.line.call("complete", before=before).candidates)

    def document(self, name: str) -> str:
        """What is known about a name."""
        return str(self.line.call("document", what=name).text)

    def source(self, name: str) -> str:
        """The source of a definition."""
        return str(self.line.call("source", what=name).text)

    def inspect(self, what: str, width: int) -> Description:
        """What a name, a path or a KID stands for."""
        return self.remote.inspect(what, width)

    def threads(self) -> list[ThreadRow]:
        """The threads that are alive."""
        return self.remote.threads()

    async def act(self, kid: str, what: str) -> Acted:
        """Kill, suspend, resume or step a thread."""
        answer = await asyncio.wrap_future(self.line.later("act", thread=kid, what=what))
        return Acted(remote_wire.unpack_row(answer.row), answer.done)

    async def log(self, kid: str, first: int) -> Logged:
        """Show the lines of a thread's console, from a number on."""
        answer = await asyncio.wrap_future(self.line.later("log", thread=kid, first=first, numbers=False))
        return Logged(answer.first, answer.end)

    def status(self) -> Status:
        """Numbers for the status bar: the last known ones, since drawing it must never wait."""
        if self._asked is not None and self._asked.done():
            if self._asked.exception() is None:
                self._status = remote_wire.unpack_status(self._asked.result().status)
            self._asked = None
        if self._asked is None and not self.line.ended:
            self._asked = self.line.later("status")
        return self._status

    def checkpoint(self) -> int:
        """Make everything durable; gives the checkpoint's number."""
        self.remote.checkpoint = int(self.line.call("checkpoint").number)
        return self.remote.checkpoint

    def sessions(self) -> list[str]:
        """The names of the world's sessions."""
        return list(self.line.call("sessions").names)

    def switch(self, name: str) -> None:
        """Go on in another session, a new one if there is none of this name.

        Raises Failure when that is no name for one.
        """
        self.name = str(self.line.call("enter", session=name).name)
