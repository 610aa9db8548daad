"""One terminal that is attached to the world of this process: its program, or its session.

Every answer waits in the world's outbox until what it tells is durable, behind what was printed before it.  No error
crosses as an exception, since pycapnp would send its traceback along.

A terminal that vanishes ends its program at the next safepoint, as Ctrl-C would; threads that the program has started
go on, and what they print is dropped.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

from holdfast.lang.diagnostics import CompileError
from holdfast.repl import exits, host, remote_wire, thread_acts
from holdfast.repl.awaited import Awaited
from holdfast.repl.drive import INTERRUPTED
from holdfast.repl.exits import Failure
from holdfast.repl.host import Outcome, Problem
from holdfast.repl.local import outcome_of
from holdfast.repl.remote_server import CALLS_MAX
from holdfast.repl.remote_upkeep import Upkeep
from holdfast.repl.thread_view import row_of
from holdfast.vm import ids

if TYPE_CHECKING:
    from holdfast.repl.local_session import LocalSession
    from holdfast.repl.remote_server import Server
    from holdfast.vm.consoles import Console as ThreadConsole
    from holdfast.vm.session import Entry
    from holdfast.vm.thread import Thread

QUEUE_MAX = 1 << 18
"""Characters that may wait for a slow terminal; a thread that prints more has to wait."""
FAILURE_SIZE = 1_000
"""What a failed thread counts for in the queue."""
VANISHED = "the terminal that ran this has gone"
WIDTH_MAX = 10_000
ROWS_MAX = 50_000
"""Threads that are told of in one answer."""
ROWS_AT_ONCE = 200
"""Rows that are made between two time slices of the world's threads."""

Answer = dict[str, Any]


class Note(str):
    """A text for the person at the terminal."""

    __slots__ = ()


class Outlet:
    """What goes to the terminal: one message at a time, the next one when it is written there."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.waiting: list[Thread] = []
        self.texts: deque[str | tuple[str, Problem]] = deque()
        """What is to be written, and threads that failed, in order."""
        self.size = 0
        self.closed = False
        self.empty = asyncio.Event()
        self.empty.set()
        self._more = asyncio.Event()

    @property
    def full(self) -> bool:
        """Must a thread that prints wait?"""
        return self.size > QUEUE_MAX

    def __call__(self, text: str) -> None:
        """Take a text that is durable."""
        if text:
            self._take(text, len(text))

    def failed(self, name: str, problem: Problem) -> None:
        """A thread failed, and nobody joined it."""
        self._take((name, problem), FAILURE_SIZE)

    def note(self, text: str) -> None:
        """Say something."""
        self._take(Note(text), 0)

    def _take(self, what: str | tuple[str, Problem], size: int) -> None:
        if not self.closed:
            self.texts.append(what)
            self.size += size
            self.empty.clear()
            self._more.set()

    async def pump(self, terminal: Any) -> None:
        """Send until it is closed."""
        while True:
            while not self.texts:
                self.empty.set()
                self._more.clear()
                await self._more.wait()
            text = self.texts.popleft()
            if isinstance(text, Note):
                await terminal.note(text)
            elif isinstance(text, str):
                for start in range(0, len(text), remote_wire.CHUNK):
                    await terminal.write(text[start : start + remote_wire.CHUNK].encode())
                self.size -= len(text)
            else:
                await terminal.failed(text[0], remote_wire.pack_problem(text[1]))
                self.size -= FAILURE_SIZE
            if not self.full and self.waiting:
                self.guest.world.scheduler.emptied(self)
            elif not self.texts:
                self.guest.world.scheduler.event.set()  # who follows a thread looks for more

    def close(self) -> None:
        """Nobody reads any more: who waits goes on, and what comes is dropped."""
        self.closed = True
        self.texts.clear()
        self.size = 0
        self.empty.set()
        self.guest.world.scheduler.emptied(self)


class Guest:
    """One connection."""

    def __init__(self, server: Server, disconnect: Callable[[], None]) -> None:
        self.server = server
        self.world = server.world
        self.disconnect = disconnect
        self.greeted = False
        self.looks = False
        """It only looks, and nobody need keep the world open for it."""
        self.calls = 0
        self.outlet = Outlet(self)
        self.session: LocalSession | None = None
        self.thread: Thread | None = None
        self.sandboxed: Thread | None = None
        """The same, if it has a domain of its own that ends with it."""
        """The program or entry that runs."""
        self.interrupted = False
        self.awaited = Awaited(self.world.scheduler.event.set)
        self._ended: asyncio.Future[None] | None = None
        self._pump: asyncio.Task[None] | None = None
        self._terminal: Any = None
        self._console: ThreadConsole | None = None
        self._followed: tuple[str, Thread | None] = "", None
        """What it called the thread whose lines it reads, and which one that is."""

    # ------------------------------------------------------------------ coming and going

    def expect_hello(self) -> None:
        """Time is up."""
        if not self.greeted:
            self.disconnect()

    async def put_out(self, why: str) -> None:
        """The process ends: answer what waits for a turn of the world, and return when the terminal knows why."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(Failure(why, exits.WORLD))
        self.awaited.fail(Failure(why, exits.WORLD))
        if self.greeted:
            try:
                await self._terminal.ending(why)
            except Exception:
                return  # it has gone itself

    def gone(self) -> None:
        """The connection has ended."""
        if self._pump is not None:
            self._pump.cancel()
        self.outlet.close()
        if self._console is not None:
            self._console.outlet = None
        self.end(VANISHED)

    def end(self, why: str) -> bool:
        """End what runs at its next safepoint; False when nothing does."""
        thread = self.thread
        if thread is None or thread.f_state in ("done", "failed"):
            return False
        self.interrupted = True
        self.world.scheduler.interrupt(thread, why, kill=True)
        self.world.scheduler.event.set()
        return True

    def turned(self) -> None:
        """After each turn of the scheduler."""
        thread, ended = self.thread, self._ended
        if thread is not None and thread.f_over is not None and thread is self.sandboxed:  # nobody gives it more
            self.world.authority.finish(thread, thread.f_over)
        if thread is not None and ended is not None and not ended.done() and thread.f_state in ("done", "failed"):
            ended.set_result(None)
        if self.session is not None and thread is None:
            self.server.driver.failures.ended(self.outlet)
        self.awaited.turned()

    async def durable(self) -> None:
        """Wait until everything up to now is on disk, and what was printed is on its way."""
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def release(text: str) -> None:
            if not reached.done():
                reached.set_result(None)

        self.world.outbox.print("", release)
        self.world.scheduler.event.set()
        await reached

    async def hello(self, params: Any) -> Answer:
        """The first call."""
        if params.version != remote_wire.VERSION:
            raise Failure(
                f"the process that has the world open speaks version {remote_wire.VERSION} of the protocol, "
                f"and this one version {params.version}: use the same Holdfast for both",
                exits.WORLD,
            )
        if self.greeted:
            raise Failure("hello was said before")
        self.greeted = True
        self._terminal = params.terminal
        self._pump = asyncio.create_task(self._send())
        return {"version": remote_wire.VERSION}

    async def _send(self) -> None:
        try:
            await self.outlet.pump(self._terminal)
        except Exception:
            self.outlet.close()  # the terminal cannot write; its program is told by the end of the connection
            self.disconnect()

    # ------------------------------------------------------------------ programs

    async def run(self, params: Any) -> Answer:
        """Run a program to its end."""
        self.free()
        try:
            thread = self.begin(params)
        except CompileError as error:
            return self.packed(Outcome(host.REFUSED, str(error)))
        return self.packed(await self.to_end(thread, lambda: ""))

    async def start(self, params: Any) -> Answer:
        """Begin a program that goes on without this terminal."""
        try:
            thread = self.begin(params)
        except CompileError as error:
            raise Failure(str(error), exits.COMPILE) from None
        thread.output = self.world.consoles.new(None)
        kid = ids.kid(self.world.give_id(thread))
        await self.durable()
        return {"thread": kid}

    def begin(self, params: Any) -> Thread:
        """Start the thread of a program.

        Raises CompileError.
        """
        program = remote_wire.unpack_program(params.program)
        modules = self.world.modules
        before, modules.loader = modules.loader, program.loader
        try:
            if program.sandbox is not None:
                from holdfast.repl.sandbox import begin

                self.sandboxed = begin(self.world, program, program.sandbox, attached=True)
                return self.sandboxed
            return self.world.start_program(modules.program(program.text, program.name), program.args)
        finally:
            modules.loader = before

    def shown(self) -> ThreadConsole:
        """The console of what this terminal starts."""
        if self._console is None:
            self._console = self.world.consoles.new(self.outlet)
        return self._console

    def free(self) -> None:
        """One thing at a time."""
        if self.thread is not None:
            raise Failure("this terminal runs something already")

    async def to_end(self, thread: Thread, show: Callable[[], str]) -> Outcome:
        """Wait for a thread's end, and until all that it did is durable and written."""
        thread.output = self.shown()
        self.thread, self.interrupted = thread, False
        self._ended = asyncio.get_running_loop().create_future()
        self.world.scheduler.event.set()
        started, cpu = perf_counter(), process_time()
        try:
            await self._ended
            seconds, cpu = perf_counter() - started, process_time() - cpu
            outcome = outcome_of(self.world, thread, self.interrupted, show(), seconds, cpu)
            self.server.driver.failures.ended(self.outlet)
            await self.durable()
            await self.outlet.empty.wait()
            return outcome
        except asyncio.CancelledError:
            self.end(VANISHED)
            raise
        finally:
            if thread is self.sandboxed and thread.domain is not None:
                self.world.authority.close(thread.domain)
                self.sandboxed = None
            self.thread = self._ended = None

    def packed(self, outcome: Outcome) -> Answer:
        """An outcome as a message."""
        return {"outcome": remote_wire.pack_outcome(outcome, self.world.heap.commit_number)}

    async def interrupt(self, params: Any) -> Answer:
        """Ctrl-C."""
        return {"done": self.end(INTERRUPTED)}

    # ------------------------------------------------------------------ looking

    async def threads(self, params: Any) -> Answer:
        """The threads that are alive."""
        living, rows = self.world.scheduler.living, []
        threads = list(living)
        for number, thread in enumerate(threads[:ROWS_MAX], 1):
            if thread in living:
                rows.append(remote_wire.pack_row(row_of(self.world, thread)))
            if number % ROWS_AT_ONCE == 0:
                await asyncio.sleep(0)  # the world goes on meanwhile
        await self.durable()
        return {"rows": rows, "more": max(0, len(threads) - ROWS_MAX)}

    async def look(self, params: Any) -> Answer:
        """From here on this terminal only looks."""
        self.looks = True
        return {}

    async def inspect(self, params: Any) -> Answer:
        """An object, taken apart."""
        where = self.session or self.server.local
        return {"description": remote_wire.pack_description(where.inspect(params.what, width_of(params)))}

    # ------------------------------------------------------------------ single threads

    async def act(self, params: Any) -> Answer:
        """Kill, suspend, resume or step a thread."""
        found = await thread_acts.carry_out(self.world, self.awaited, params.thread, params.what)
        await self.durable()
        return {"row": remote_wire.pack_row(found.row), "done": found.done}

    async def log(self, params: Any) -> Answer:
        """The lines of a thread's console."""
        console = thread_acts.console_of(thread_acts.find(self.world, params.thread))
        first = thread_acts.from_number(self.world, console, params.first)
        first, lines = self.world.consoles.lines(console, first)
        self.outlet(thread_acts.text_of(first, lines, params.numbers))
        await self.outlet.empty.wait()
        return {"first": first, "end": first + len(lines)}

    async def attach(self, params: Any) -> Answer:
        """The lines of a thread's console until that has ended."""
        self.free()
        thread = thread_acts.find(self.world, params.thread)
        follower = thread_acts.Follower(self.world, thread, params.first, self.outlet, self.outlet.note)
        self._followed = params.thread, thread
        await self.awaited.until(follower.over)
        outcome = outcome_of(self.world, thread, False, "")
        await self.durable()
        await self.outlet.empty.wait()
        return self.packed(outcome)

    async def tell(self, params: Any) -> Answer:
        """A line for a thread."""
        kid, line = params.thread, params.line
        name, followed = self._followed  # a path may lead to another one by now
        thread = followed if kid == name else None
        await self.awaited.until(lambda: thread_acts.tell(self.world, kid, line, thread))
        return {}

    # ------------------------------------------------------------------ sessions

    async def enter(self, params: Any) -> Answer:
        """Go into a session."""
        self.free()
        if self.session is not None:
            self.session.switch(params.session)
        else:
            from holdfast.repl.local_session import LocalSession

            modules, scheduler = self.world.modules, self.world.scheduler
            kept = modules.loader, scheduler.wants_slice
            try:
                self.session = LocalSession(self.server.local, params.session)
            finally:
                modules.loader, scheduler.wants_slice = kept
        await self.durable()
        return {"name": self.session.name}

    @property
    def inside(self) -> LocalSession:
        """The session."""
        if self.session is None:
            raise Failure("this terminal is in no session")
        return self.session

    async def evaluate(self, params: Any) -> Answer:
        """Run one entry."""
        self.free()
        session, width = self.inside, width_of(params)
        text = bytes(params.text).decode()
        modules = self.world.modules
        before, modules.loader = modules.loader, remote_wire.unpack_modules(params.modules)
        try:
            entry = session.session.start(text)
        except CompileError as error:
            return self.packed(Outcome(host.REFUSED, str(error)))
        finally:
            modules.loader = before
        return await self.entry_to_end(session, entry, width)

    async def frame(self, params: Any) -> Answer:
        """The value of an expression among the variables of one of a thread's frames; with a name it is given to that
        variable."""
        from holdfast.repl.frame_entry import frame_entry

        self.free()
        session, text = self.inside, bytes(params.text).decode()
        try:
            name = str(params.variable) or None
            entry = await frame_entry(session.session, self.awaited, params.thread, params.number, text, name)
        except CompileError as error:
            return self.packed(Outcome(host.REFUSED, str(error)))
        return await self.entry_to_end(session, entry, width_of(params))

    async def entry_to_end(self, session: LocalSession, entry: Entry, width: int) -> Answer:
        """Wait for the end of an entry."""

        def show() -> str:
            entry.finish()
            thread = entry.thread
            done = thread.f_state == "done" and thread.f_result is not None
            return session.show(thread.f_result, width) if done else ""

        return self.packed(await self.to_end(entry.thread, show))

    async def complete(self, params: Any) -> Answer:
        """How to go on with what stands before the cursor."""
        found = [candidate._asdict() for candidate in self.inside.complete(params.before)]
        await self.durable()
        return {"candidates": found}

    async def document(self, params: Any) -> Answer:
        """What is known about a name."""
        text = self.inside.document(params.what)
        await self.durable()
        return {"text": text}

    async def source(self, params: Any) -> Answer:
        """The source of a definition."""
        text = self.inside.source(params.what)
        await self.durable()
        return {"text": text}

    async def status(self, params: Any) -> Answer:
        """Numbers for the status bar: none of them is a state of the world that could be lost."""
        return {"status": self.inside.status()._asdict() | {"running": self.thread is not None}}

    async def checkpoint(self, params: Any) -> Answer:
        """Make everything durable."""
        self.world.checkpoint()
        return {"number": self.world.heap.commit_number}

    async def sessions(self, params: Any) -> Answer:
        """The names of the world's sessions."""
        names = self.inside.sessions()
        await self.durable()
        return {"names": names}


def width_of(params: Any) -> int:
    """Columns of the terminal."""
    return min(max(int(params.width), 20), WIDTH_MAX)


PROGRAMS = "hello run start interrupt threads look inspect act log attach tell".split()
SESSIONS = "enter evaluate frame complete document source status checkpoint sessions".split()
UPKEEP = "check collect measure export backup".split()


def bootstrap(schema: Any, guest: Guest) -> Any:
    """The object that a connection begins with."""

    def served(method: Callable[[Any], Awaitable[Answer]], name: str) -> Callable[..., Awaitable[None]]:
        async def call(server: Any, context: Any) -> None:
            guest.calls += 1
            try:
                if guest.calls > CALLS_MAX:
                    guest.disconnect()
                    return
                if not guest.greeted and name != "hello":
                    raise Failure("say hello first")
                answer = await method(context.params)
                context.results.from_dict(answer)
            except Exception as error:
                context.results.from_dict({"fault": remote_wire.fault_of(error)})
            finally:
                guest.calls -= 1

        return call

    methods = {f"{name}_context": served(getattr(guest, name), name) for name in (*PROGRAMS, *SESSIONS)}
    upkeep = Upkeep(guest)
    methods |= {f"{name}_context": served(getattr(upkeep, name), name) for name in UPKEEP}
    made = type("World", (schema.World.Server,), methods)
    return made()


__all__ = ["Guest", "Outlet", "bootstrap"]
