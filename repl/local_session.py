"""A session of a world that is open in this process: entries, completion, documents, beside a prompt.

The world goes on while the prompt waits for keys: :meth:`LocalSession.serve` is a task of the event loop that also
drives the terminal, and gives way to it after each time slice.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from holdfast.lang.diagnostics import CompileError
from holdfast.repl import host, thread_acts
from holdfast.repl.awaited import Awaited
from holdfast.repl.candidates import Candidates
from holdfast.repl.documents import Documents
from holdfast.repl.exits import Failure
from holdfast.repl.files import loader
from holdfast.repl.host import Acted, Candidate, Description, Logged, Outcome, Status, ThreadRow
from holdfast.repl.inspector import Inspector
from holdfast.repl.local import LocalHost, outcome_of
from holdfast.repl.paths import MISSING, Module
from holdfast.vm.objects import UNSET
from holdfast.vm.session import Entry, Session, session_names
from holdfast.vm.show import pretty
from holdfast.vm.ticker import Ticker

SHOW_ITEMS, SHOW_DEPTH, SHOW_CHARACTERS = 100, 8, 20_000
"""How much of a value is printed."""


class LocalSession:
    """The session that a REPL is in."""

    def __init__(self, local: LocalHost, name: str) -> None:
        self.local = local
        self.world = local.world
        self.driver = local.driver
        self.world.modules.loader = loader(Path.cwd())
        self.world.scheduler.wants_slice = lambda: True  # the terminal is served after each slice
        self.inspector = Inspector(self.world, self.lookup)
        self.documents = Documents(self.inspector)
        self.candidates = Candidates(self.inspector, Path.cwd())
        self.session: Session
        self.switch(name)
        self.console = self.world.consoles.new(local.console)
        self.awaited = Awaited(self.world.scheduler.event.set)
        self._running: Entry | None = None
        self._ended: asyncio.Event | None = None
        self._room = asyncio.Event()

    @property
    def name(self) -> str:
        """The session's name."""
        return self.session.name

    # ------------------------------------------------------------------ the world goes on

    async def serve(self) -> None:
        """Drive the world, until cancelled.

        Raises Failure when a signal ends the process, StoreError when the world cannot be written any more.
        """
        scheduler, loop = self.world.scheduler, asyncio.get_running_loop()
        woken = asyncio.Event()

        def notice() -> None:
            scheduler.event.notice()
            woken.set()

        loop.add_reader(scheduler.event.fd, notice)
        self.local.door.server.start()
        try:
            while not self.driver.ended_by:
                self.driver.attend()
                self._room.set()
                with Ticker(self.world.globals):
                    delay = scheduler.turn(1)
                self.local.door.server.turned()
                self.awaited.turned()
                if self._running is None:
                    self.driver.failures.ended(self.local.console)
                if self._running is not None and self._running.done and self._ended is not None:
                    self._ended.set()
                woken.clear()
                if delay == 0 or scheduler.event.is_set():
                    await asyncio.sleep(0)
                    continue
                # Not wait_for: before 3.12 it may swallow a cancellation.
                timer = loop.call_later(delay, woken.set) if delay is not None else None
                await woken.wait()
                if timer is not None:
                    timer.cancel()
        finally:
            loop.remove_reader(scheduler.event.fd)
            await self.local.door.server.stop()

    async def leave(self) -> None:
        """Wait until those who are attached to the world have left."""
        await self.local.door.server.lingering()

    # ------------------------------------------------------------------ entries

    async def evaluate(self, text: str, width: int) -> Outcome:
        """Run one entry; returns when all that it did is durable."""
        try:
            entry = self.session.start(text)
        except CompileError as error:
            return Outcome(host.REFUSED, str(error))
        return await self._to_end(entry, width)

    async def frame(self, kid: str, number: int, text: str, width: int, name: str | None = None) -> Outcome:
        """The value of an expression among the variables of one of a thread's frames; with a name it is given to that
        variable."""
        from holdfast.repl.frame_entry import frame_entry

        try:
            entry = await frame_entry(self.session, self.awaited, kid, number, text, name)
        except CompileError as error:
            return Outcome(host.REFUSED, str(error))
        return await self._to_end(entry, width)

    async def _to_end(self, entry: Entry, width: int) -> Outcome:
        entry.thread.output = self.console
        started, cpu = perf_counter(), process_time()
        self._running, self._ended = entry, asyncio.Event()
        self.driver.take_interrupt()
        self.driver.target, self.driver.interrupted = entry.thread, False
        self.world.scheduler.event.set()
        try:
            await self._ended.wait()
        finally:
            self._running = self.driver.target = None
        seconds, cpu = perf_counter() - started, process_time() - cpu
        entry.finish()
        shown = ""
        if entry.thread.f_state == "done" and entry.thread.f_result is not None:
            shown = self.show(entry.thread.f_result, width)
        outcome = outcome_of(self.world, entry.thread, self.driver.interrupted, shown, seconds, cpu)
        self.world.checkpoint()
        return outcome

    def show(self, value: Any, width: int) -> str:
        """A value in the form of source, within the limits."""
        return pretty(value, width, items=SHOW_ITEMS, depth=SHOW_DEPTH, characters=SHOW_CHARACTERS)

    async def room(self) -> None:
        """Wait until the terminal can take more."""
        while self.local.console.full and self.local.console.broken is None:
            self._room.clear()
            await self._room.wait()

    def interrupt(self) -> bool:
        """End the entry that runs; False when none does."""
        if self._running is None:
            return False
        self.driver.signal(2)
        return True

    # ------------------------------------------------------------------ looking

    def lookup(self, name: str) -> Any:
        """What a name stands for in the session."""
        word = self.session.names().get(name)
        if word is not None and word.startswith("module "):
            return Module(word.removeprefix("module "))
        if word is not None:
            value = self.session.value(name)
            if value is not UNSET:
                return value
        return Inspector(self.world).built_in(name) if word is None else MISSING

    def complete(self, before: str) -> list[Candidate]:
        """How to go on with what stands before the cursor."""
        words = {"let": "variable", "var": "variable", "fn": "function"}
        names = ((name, words.get(word, word.partition(" ")[0])) for name, word in self.session.names().items())
        return self.candidates.complete(before, names)

    def document(self, name: str) -> str:
        """What is known about a name."""
        return self.documents.document(name)

    def source(self, name: str) -> str:
        """The source of a definition."""
        return self.documents.source(name)

    def inspect(self, what: str, width: int) -> Description:
        """What a name, a path or a KID stands for."""
        self.world.checkpoint()
        return self.inspector.describe(what, width)

    def threads(self) -> list[ThreadRow]:
        """The threads that are alive."""
        return self.local.threads()

    async def act(self, kid: str, what: str) -> Acted:
        """Kill, suspend, resume or step a thread."""
        found = await thread_acts.carry_out(self.world, self.awaited, kid, what)
        self.world.checkpoint()
        return found

    async def log(self, kid: str, first: int) -> Logged:
        """Show the lines of a thread's console, from a number on."""
        return self.local.log(kid, first, False)

    def status(self) -> Status:
        """Numbers for the status bar."""
        return Status(
            str(self.local.path),
            self.world.checkpointer.statistics.count,
            self.world.heap.commit_number,
            self.world.scheduler.alive,
            resident_bytes(),
            self._running is not None,
        )

    def checkpoint(self) -> int:
        """Make everything durable; gives the checkpoint's number."""
        self.world.checkpoint()
        return self.world.heap.commit_number

    def sessions(self) -> list[str]:
        """The names of the world's sessions."""
        return session_names(self.world)

    def switch(self, name: str) -> None:
        """Go on in another session, a new one if there is none of this name.

        Raises Failure when that is no name for one.
        """
        try:
            self.session = Session(self.world, name)
        except ValueError as error:
            raise Failure(str(error)) from None


def resident_bytes() -> int:
    """Memory of this process."""
    import resource

    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
