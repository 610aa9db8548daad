"""What a command line needs of a world, wherever that world is open.

This is the seam between the terminal and the machine.  :class:`holdfast.repl.local.LocalHost` opens the world in this
process; a client of another process that has it open offers the same methods.  So everything that crosses is plain:
texts, numbers and the records below, never an object of the world.  (They are named tuples: the cheapest to import.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from holdfast.repl.sandbox import Sandbox


class Program(NamedTuple):
    """A program to run."""

    text: str
    name: str
    """How it is called in errors and in the world: the name of its file."""
    args: tuple[str, ...] = ()
    loader: Callable[[str], str | None] = lambda name: None
    """Name of an imported module to its text, None where there is no file."""
    sandbox: Sandbox | None = None
    """What a program has that is sandboxed; None for one that is not."""


class Place(NamedTuple):
    """A line of a trace."""

    file: str
    line: int
    function: str
    source: str
    """The text of the line; "" where it is not known."""


class Problem(NamedTuple):
    """An error that a program did not catch."""

    kind: str
    message: str
    trace: tuple[Place, ...] = ()
    """Innermost first."""
    cause: Problem | None = None
    internal: str = ""
    """What the machine's own mistake was, for a report about it."""


DONE, FAILED, REFUSED, INTERRUPTED, STOPPED = "done", "failed", "refused", "interrupted", "stopped"
ENDED = (DONE, FAILED)
"""States of a thread that has ended."""


class Outcome(NamedTuple):
    """How a program, an entry or a test ended."""

    state: str
    """``done``; ``failed`` with an error; ``refused`` by the compiler; ``interrupted`` by Ctrl-C; ``stopped`` since the
    process ends, the program going on when the world is opened again."""
    text: str = ""
    """The value as text ("" for nil), or what the compiler said."""
    problem: Problem | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0


class ThreadRow(NamedTuple):
    """A thread, for ``ps`` and ``:threads``."""

    id: str
    """Its KID; "" until a checkpoint has seen it."""
    name: str
    state: str
    at: str
    """Where it stands, or ""."""
    cpu_ms: int = 0
    mailbox: int = 0
    """Messages that wait for it."""
    parent: str = ""
    """KID of the thread that started it, or ""."""
    console: str = ""
    """KID of the console that it prints to, or ""."""
    domain: str = ""
    """What it may do, in words: its domain, grants and budget; "" for one that may do everything."""
    objects: int = 0
    """Objects that it holds: its variables and messages refer to them."""


class Acted(NamedTuple):
    """What came of an order to a thread."""

    row: ThreadRow
    done: bool
    """Whether it was carried out in time."""


class Logged(NamedTuple):
    """What a thread's console has kept."""

    first: int
    """Number of the first line that was written, """
    end: int
    """and of the next one that will be printed."""


class Status(NamedTuple):
    """What the status bar shows."""

    world: str
    checkpoints: int
    """Made since the world was opened."""
    number: int
    """Of the last one."""
    threads: int
    memory: int
    """Bytes of the process."""
    running: bool


class Candidate(NamedTuple):
    """One way to go on with what was typed."""

    text: str
    start: int
    """Where it goes, counted back from the cursor: 0 or less."""
    what: str
    """A word about it: field, method, key, variable, …"""


class Description(NamedTuple):
    """An object, taken apart."""

    title: str
    rows: list[tuple[str, str]]
    """Name and value, in order."""
    data: dict[str, Any]
    """The same for programs (``--json``)."""


class Host(Protocol):
    """A world, as the terminal sees it."""

    def run(self, program: Program) -> Outcome:
        """Run a program to its end; what it prints goes to the console as it becomes durable."""

    def threads(self) -> list[ThreadRow]:
        """The threads that are alive."""

    def inspect(self, what: str, width: int) -> Description:
        """What a KID, or a path from ``root``, stands for."""

    def act(self, kid: str, what: str) -> Acted:
        """Kill, suspend, resume or step a thread."""

    def log(self, kid: str, first: int, numbers: bool) -> Logged:
        """Write the lines of a thread's console to this one, from a number on; the last ones with one below 0."""

    def close(self) -> None:
        """A last checkpoint, then let go."""


class SessionHost(Protocol):
    """A session, as the REPL sees it."""

    @property
    def name(self) -> str:
        """Its name."""

    async def serve(self) -> None:
        """Keep the world going; runs beside the prompt until it is cancelled."""

    async def leave(self) -> None:
        """Called at the end, while the world still goes on: wait for others who use it."""

    async def evaluate(self, text: str, width: int) -> Outcome:
        """Run one entry; returns when all that it did is durable."""

    async def room(self) -> None:
        """Wait until the terminal can take more."""

    def interrupt(self) -> bool:
        """End the entry that runs; False when none does."""

    def complete(self, before: str) -> list[Candidate]:
        """How to go on with what stands before the cursor."""

    def document(self, name: str) -> str:
        """What is known about a name."""

    def source(self, name: str) -> str:
        """The source of a definition."""

    def inspect(self, what: str, width: int) -> Description:
        """What a name, a path or a KID stands for."""

    def threads(self) -> list[ThreadRow]:
        """The threads that are alive."""

    async def act(self, kid: str, what: str) -> Acted:
        """Kill, suspend, resume or step a thread."""

    async def log(self, kid: str, first: int) -> Logged:
        """Show the lines of a thread's console, from a number on."""

    async def frame(self, kid: str, number: int, text: str, width: int, name: str | None = None) -> Outcome:
        """The value of an expression among the variables of one of a thread's frames; with a name it is given to that
        variable."""

    def status(self) -> Status:
        """Numbers for the status bar."""

    def checkpoint(self) -> int:
        """Make everything durable; gives the checkpoint's number."""

    def sessions(self) -> list[str]:
        """The names of the world's sessions."""

    def switch(self, name: str) -> None:
        """Go on in another session, a new one if there is none of this name."""
