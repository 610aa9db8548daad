"""The REPL: reads entries, has them run, shows what came of them."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from holdfast.lang.lexer import is_complete
from holdfast.repl import colours, exits, host
from holdfast.repl.colon import COMMANDS, ELSEWHERE, HELP
from holdfast.repl.console import Console, escaped, tell
from holdfast.repl.entries import lines
from holdfast.repl.exits import Failure
from holdfast.repl.host import Description, Outcome, SessionHost
from holdfast.repl.problems import rendered, where
from holdfast.repl.thread_table import gone, listing, told
from holdfast.vm.codec import DamagedRecord

if TYPE_CHECKING:
    from holdfast.repl.prompt import PromptConsole

T = TypeVar("T")

ACTS = ("kill", "suspend", "resume", "step")
ARGUMENTS = {"log": 1, "frame": 2, "set": 3}
"""What other commands for a thread take behind it."""
_THREAD = re.compile(r'(?:"(?:\\.|[^"\\])*"|\S)+')
"""A name, path or KID: a key in quotes may have spaces."""
_NUMBER = re.compile(r"-?[0-9]{1,15}")
LEAVE = frozenset({"exit", "quit", "exit()", "quit()"})


class Leave(Exception):
    """``:quit``."""


class Shell:
    """One run of the REPL."""

    def __init__(self, session: SessionHost, console: Console, folder: str) -> None:
        self.session = session
        self.console = console
        self.folder = folder
        self.colour = colours.wanted(console.stream)
        self.worst = exits.OK
        """Exit code for what failed, where nobody sits at the terminal."""

    @property
    def width(self) -> int:
        """Columns of the terminal."""
        return shutil.get_terminal_size().columns if self.console.terminal else 80

    # ------------------------------------------------------------------ loops

    async def interactive(self, console: PromptConsole) -> None:
        """At a terminal, with a prompt."""
        from holdfast.repl.prompt import Cleared, make_prompt

        console.prompt = make_prompt(self.session, self.folder, COMMANDS, self.colour)
        server = asyncio.create_task(self.session.serve())
        self.out(f"Holdfast, session {self.session.name}.  :help for help, Ctrl-D to leave.")
        try:
            while True:
                try:
                    text = await beside(server, console.prompt.prompt_async(handle_sigint=False))
                except Cleared:
                    continue
                except EOFError:
                    return
                await console.drain()
                try:
                    await self.enter(server, text)
                except Leave:
                    return
        finally:
            await end(server, self.session)

    async def piped(self) -> None:
        """Entries from a pipe or file, without a prompt."""
        server = asyncio.create_task(self.session.serve())
        text = ""
        try:
            async for line in lines(sys.stdin.fileno()):
                text += line
                if not text.startswith((":", "?")) and text.strip() and not is_complete(text):
                    continue
                entry, text = text, ""
                await self.enter(server, entry)
                await beside(server, self.session.room())
            if text.strip():
                await self.enter(server, text)
        except Leave:
            return
        except UnicodeDecodeError:
            raise Failure("the input is not UTF-8") from None
        finally:
            await end(server, self.session)

    async def enter(self, server: asyncio.Task[None], text: str) -> None:
        """One entry or command."""
        text = text.strip("\n")
        stripped = text.strip()
        try:
            if not stripped:
                return
            if stripped.startswith("?"):
                self.out(escaped(self.session.document(stripped[1:].strip())))
            elif stripped.startswith(":"):
                await self.command(server, stripped[1:])
            elif stripped in LEAVE:
                self.out("leave with :quit or Ctrl-D")
            else:
                self.show(await beside(server, self.session.evaluate(text, self.width)))
        except Failure as failure:
            self.worst = self.worst or exits.FAILED
            self.fail(failure.message)
        except DamagedRecord as damage:  # of what a command looks at; entries have it as an error of theirs
            self.worst = exits.WORLD
            self.fail(str(damage))

    # ------------------------------------------------------------------ commands

    async def command(self, server: asyncio.Task[None], text: str) -> None:
        """A line that begins with a colon."""
        word, _, rest = text.partition(" ")
        rest = rest.strip()
        found = [name for name in COMMANDS if name == word] or [name for name in COMMANDS if name.startswith(word)]
        if not word or len(found) != 1:
            what = ELSEWHERE.get(word)
            raise Failure(f"there is no command ':{word}'; {f'{what}, and ' if what else ''}:help lists them")
        name = found[0]
        needs = COMMANDS[name].argument
        if needs and not rest and not needs.startswith("["):
            raise Failure(f"write :{name} {needs}")
        if name == "quit":
            raise Leave
        if name == "time":
            outcome = await beside(server, self.session.evaluate(rest, self.width))
            self.show(outcome)
            self.out(f"{outcome.seconds * 1000:.3f} ms, {outcome.cpu_seconds * 1000:.3f} ms of it computing")
            return
        if name == "top":
            await self.top(server)
            return
        if name in ACTS or name in ARGUMENTS:
            await self.thread_command(server, name, rest)
            return
        self.out(self.answer(name, rest))

    async def top(self, server: asyncio.Task[None]) -> None:
        """Watch the threads, until a key ends that."""
        if not self.console.terminal:
            raise Failure("top is for a terminal; here there is :threads")
        from holdfast.repl.thread_top import Top, draw

        top = Top("cpu")

        async def look() -> None:
            top.note(self.session.threads(), True)

        await beside(server, draw(top, look))

    async def thread_command(self, server: asyncio.Task[None], name: str, rest: str) -> None:
        """A command for one thread."""
        named = _THREAD.match(rest)
        assert named is not None  # something is there
        which, *more = named[0], *rest[named.end() :].split(None, ARGUMENTS.get(name, 1) - 1)
        kid = which if which.startswith("K-") else self.kid_of(which)
        if name in ACTS and not more:
            found = await beside(server, self.session.act(kid, name))
            self.out(told(found.row))
            if not found.done:
                raise Failure("the thread has not come so far yet")
        elif name == "log" and (not more or _NUMBER.fullmatch(more[0])):
            wanted = int(more[0]) if more else 0
            logged = await beside(server, self.session.log(kid, wanted))
            if logged.first > wanted >= 0:
                self.out(gone(wanted, logged.first))
        elif name in ("frame", "set") and len(more) == ARGUMENTS[name] and more[0].isdecimal() and len(more[0]) < 10:
            variable = more[1] if name == "set" else None
            self.show(await beside(server, self.session.frame(kid, int(more[0]), more[-1], self.width, variable)))
        else:
            raise Failure(f"write :{name} {COMMANDS[name].argument}")

    def kid_of(self, what: str) -> str:
        """The KID of the thread that a name or path of the session stands for."""
        from holdfast.vm.helpers import article

        data = self.session.inspect(what, self.width).data
        if data["kind"] != "Thread" or data["id"] is None:
            raise Failure(f"{what} is no thread but {article(data['kind'])}", exits.FAILED)
        return str(data["id"])

    def answer(self, name: str, rest: str) -> str:
        """The text that answers a command."""
        session = self.session
        if name == "help":
            return HELP
        if name == "inspect":
            return described(session.inspect(rest, self.width))
        if name == "source":
            return colours.source(escaped(session.source(rest)), self.colour)
        if name == "checkpoint":
            return f"checkpoint {session.checkpoint()} is on disk"
        if name == "threads":
            rows = session.threads()
            return "\n".join(listing(rows, width=self.width)) if rows else "no threads"
        if rest:
            session.switch(rest)
            return f"session {session.name}"
        return "\n".join(("* " if name == session.name else "  ") + name for name in session.sessions())

    # ------------------------------------------------------------------ showing

    def show(self, outcome: Outcome) -> None:
        """What came of an entry."""
        if outcome.state == host.REFUSED:
            self.worst = exits.COMPILE
            self.fail(colours.diagnostics(outcome.text, self.colour), escape=False, head=False)
        elif outcome.state == host.INTERRUPTED:
            self.fail(f"interrupted{where(outcome.problem)}", head=False)
        elif outcome.problem is not None:
            self.worst = self.worst or exits.FAILED
            self.fail(rendered(outcome.problem, self.colour), escape=False, head=False)
        elif outcome.text:
            self.out(colours.source(escaped(outcome.text), self.colour))

    def out(self, text: str) -> None:
        """Show a text that is safe."""
        self.console.put(text + "\n")

    def fail(self, text: str, *, escape: bool = True, head: bool = True) -> None:
        """Show that something went wrong."""
        if escape:
            text = escaped(text)
        if head:
            text = colours.paint("error", colours.RED, self.colour) + ": " + text
        if self.console.terminal:
            self.out(text)
        else:
            tell(text)


def described(description: Description) -> str:
    """An object, taken apart, in lines."""
    width = min(24, max((len(name) for name, _ in description.rows), default=0))
    lines = [description.title, *(f"  {name.ljust(width)}  {value}" for name, value in description.rows)]
    return escaped("\n".join(lines))


async def beside(server: asyncio.Task[None], work: Coroutine[Any, Any, T]) -> T:
    """Do something while the world goes on; when the world ends, so does this.

    Raises Stop when a signal ended the world, and what it failed with.
    """
    task = asyncio.ensure_future(work)
    await asyncio.wait({server, task}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    server.result()
    raise Ended


class Ended(Exception):
    """The world was told to stop by a signal."""


async def end(server: asyncio.Task[None], session: SessionHost) -> None:
    """Stop driving the world, when nobody else uses it."""
    leaving = asyncio.ensure_future(session.leave())
    await asyncio.wait({server, leaving}, return_when=asyncio.FIRST_COMPLETED)
    leaving.cancel()
    server.cancel()
    await asyncio.gather(server, return_exceptions=True)
