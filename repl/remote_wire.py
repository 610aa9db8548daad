"""The records of :mod:`holdfast.repl.host` as messages of ``capnp/attach.capnp``, and back.

Both sides agree on :data:`VERSION`; a side that is newer than the other says so and goes no further.  pycapnp is
imported when the first message is made, since that takes longer than a small program runs.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import holdfast.vm
from holdfast.repl import exits
from holdfast.repl.exits import Failure
from holdfast.repl.host import Candidate, Description, Outcome, Place, Problem, Program, Status, ThreadRow

VERSION = 6
MESSAGE_WORDS_MAX = 4 << 20
"""A larger message (32 MB) ends the connection."""
SOURCES_BYTES_MAX = 24 << 20
"""A program with all its modules, its arguments included."""
CHUNK = 1 << 16
"""Characters of output in one message."""
PLACES_MAX = 1_000
"""Innermost and outermost places of a trace that are sent; nobody is shown more."""


@cache
def schema() -> Any:
    """The schema, by its path: the folder is no package where the project is installed for editing."""
    import capnp

    # An installed package is next to it; in a checkout the packages may be links, and then it is next to their target.
    path = Path(holdfast.vm.__path__[0]).resolve().parent / "capnp" / "attach.capnp"
    return capnp.load(str(path), imports=[])


# --------------------------------------------------------------------------- sources


def pack_source(name: str, text: str | OSError | None) -> dict[str, Any]:
    """A source, or why it cannot be read."""
    if isinstance(text, OSError):
        return {"name": name, "errno": text.errno or errno.EIO, "content": (text.strerror or "").encode()}
    return {"name": name, "content": (text or "").encode()}


def pack_program(program: Program, modules: dict[str, str | OSError]) -> dict[str, Any]:
    """A program and what it imports.

    Raises Failure when that is too much for one message.
    """
    packed: dict[str, Any] = {
        "main": pack_source(program.name, program.text),
        "arguments": list(program.args),
        "modules": [pack_source(name, text) for name, text in modules.items()],
    }
    sandbox = program.sandbox
    if sandbox is not None:
        packed["sandbox"] = {
            "grants": list(sandbox.grants),
            "budget": sandbox.budget,
            "modules": list(sandbox.modules),
        }
    within_limit([packed["main"], *packed["modules"]], sum(len(arg.encode()) + 16 for arg in program.args))
    return packed


def within_limit(sources: Iterable[dict[str, Any]], more: int = 0) -> None:
    """Refuse what would not fit into a message."""
    size = more + sum(len(source["content"]) for source in sources)
    if size > SOURCES_BYTES_MAX:
        raise Failure(
            f"the program, its modules and its arguments have {size:,} bytes; another process has the world open, "
            f"and at most {SOURCES_BYTES_MAX:,} can be sent to it"
        )


def unpack_modules(modules: Any) -> Callable[[str], str | None]:
    """What finds an imported module among those that were sent."""
    found = {module.name: (module.errno, bytes(module.content).decode()) for module in modules}

    def load(name: str) -> str | None:
        number, text = found.get(name, (0, None))
        if number:
            raise OSError(number, text, name)
        return text

    return load


def unpack_program(packed: Any) -> Program:
    """The same on the other side."""
    text = bytes(packed.main.content).decode()
    sandbox = None
    if packed._has("sandbox"):
        from holdfast.repl.sandbox import Sandbox

        inside = packed.sandbox
        sandbox = Sandbox(tuple(inside.grants), inside.budget, tuple(inside.modules))
    return Program(text, packed.main.name, tuple(packed.arguments), unpack_modules(packed.modules), sandbox)


def imported(text: str, name: str, load: Callable[[str], str | None], entry: bool = False) -> dict[str, str | OSError]:
    """All files that a program imports, directly or through others: module's name to text, or why it cannot be read.

    What has mistakes of syntax imports nothing: the compiler will report them.  Raises CompileError for a file that
    is no text.
    """
    from holdfast.lang.diagnostics import CompileError, Source
    from holdfast.lang.parser import parse
    from holdfast.lang.tree import Import
    from holdfast.vm.library import is_library
    from holdfast.vm.modules import Modules

    found: dict[str, str | OSError] = {}
    open_: list[tuple[str, str]] = [("" if entry else name, text)]
    while open_:
        importer, text = open_.pop()
        if "import" not in text:
            continue
        try:
            tree = parse(Source(importer or name, text))
        except CompileError:
            continue
        for statement in tree.statements:
            module = Modules.resolve_path(statement.path, importer) if isinstance(statement, Import) else None
            if module is None or is_library(module) or module in found:
                continue
            try:
                loaded = load(module)
            except OSError as error:
                found[module] = error
                continue
            if loaded is not None:
                found[module] = loaded
                open_.append((module, loaded))
    return found


# --------------------------------------------------------------------------- answers


def pack_outcome(outcome: Outcome, checkpoint: int) -> dict[str, Any]:
    """How a program ended."""
    return {
        "state": outcome.state,
        "text": outcome.text,
        "errors": pack_problem(outcome.problem),
        "seconds": outcome.seconds,
        "cpuSeconds": outcome.cpu_seconds,
        "checkpoint": checkpoint,
    }


def pack_problem(problem: Problem | None) -> list[dict[str, Any]]:
    """An error, what caused it, what caused that, …"""
    errors = []
    while problem is not None:
        trace = problem.trace
        if len(trace) > 2 * PLACES_MAX:
            left_out = len(trace) - 2 * PLACES_MAX
            trace = (*trace[:PLACES_MAX], Place(f"… {left_out} more", 0, "", ""), *trace[-PLACES_MAX:])
        errors.append(
            {
                "kind": problem.kind,
                "message": problem.message,
                "trace": [place._asdict() for place in trace],
                "internal": problem.internal,
            }
        )
        problem = problem.cause
    return errors


def unpack_problem(errors: Any) -> Problem | None:
    """The same on the other side."""
    problem = None
    for error in reversed(errors):
        trace = tuple(Place(place.file, place.line, place.function, place.source) for place in error.trace)
        problem = Problem(error.kind, error.message, trace, problem, error.internal)
    return problem


def unpack_outcome(packed: Any) -> Outcome:
    """How a program ended, on the other side."""
    return Outcome(packed.state, packed.text, unpack_problem(packed.errors), packed.seconds, packed.cpuSeconds)


def unpack_rows(packed: Any) -> list[ThreadRow]:
    """Threads."""
    return [unpack_row(row) for row in packed]


def pack_row(row: ThreadRow) -> dict[str, Any]:
    """A thread."""
    packed = row._asdict()
    packed["cpuMs"] = packed.pop("cpu_ms")
    return packed


def unpack_row(row: Any) -> ThreadRow:
    """The same on the other side."""
    who, does = (row.id, row.name, row.state, row.at), (row.cpuMs, row.mailbox)
    return ThreadRow(*who, *does, row.parent, row.console, row.domain, row.objects)


def pack_description(found: Description) -> dict[str, Any]:
    """An object, taken apart."""
    rows = [{"name": name, "value": value} for name, value in found.rows]
    return {"title": found.title, "rows": rows, "data": json.dumps(found.data)}


def unpack_description(packed: Any) -> Description:
    """The same on the other side."""
    return Description(packed.title, [(row.name, row.value) for row in packed.rows], json.loads(packed.data or "{}"))


def unpack_status(packed: Any) -> Status:
    """Numbers for the status bar."""
    return Status(packed.world, packed.checkpoints, packed.number, packed.threads, packed.memory, packed.running)


def unpack_candidates(packed: Any) -> list[Candidate]:
    """Ways to go on."""
    return [Candidate(candidate.text, candidate.start, candidate.what) for candidate in packed]


def check_fault(answer: Any) -> Any:
    """The answer, if it is none that says why not.

    Raises Failure.
    """
    if answer.fault.code:
        raise Failure(answer.fault.message, answer.fault.code)
    return answer


def fault_of(error: Exception) -> dict[str, Any]:
    """What is told about an error: never more than one line of words, and nothing of this process's inside."""
    from holdfast.vm.codec import DamagedRecord
    from holdfast.vm.store import StoreError

    if isinstance(error, Failure):
        return {"code": error.code or exits.FAILED, "message": error.message}
    if isinstance(error, StoreError):
        return {"code": exits.WORLD, "message": str(error)}
    if isinstance(error, DamagedRecord):
        return {"code": exits.WORLD, "message": f"a record of the world is damaged: {error}"}
    if isinstance(error, UnicodeDecodeError):
        return {"code": exits.USAGE, "message": "a text in the message is not UTF-8"}
    message = f"a mistake inside Holdfast ({type(error).__name__}) in the process that has the world open"
    return {"code": exits.INTERNAL, "message": message}
