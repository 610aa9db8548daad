"""Worlds for Python programs.

A :class:`World` is an open world.  :meth:`World.run` runs a program in a domain of its own: it has what it is granted
and nothing else, and no more than its budget.  What it may be granted: a :class:`Reference` (an object of the world,
narrowed with ``only``), a Python value (a copy of it), or a :class:`Function` of the host.

Values cross as copies: ``None``, ``bool``, ``int``, ``float``, ``str``, ``bytes`` and ``range`` are themselves, lists,
dicts and sets become Lists, Maps and Sets and back; an instance, a function or a thread is a :class:`Reference`.

One OS thread at a time may use a world.  Functions of the host run in threads of their own, and must not use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Literal

from holdfast.lang.diagnostics import CompileError
from holdfast.stdlib import library
from holdfast.vm import ids
from holdfast.vm.conversion import from_python, is_value, to_python
from holdfast.vm.crossing import RESERVED
from holdfast.vm.domains import Domain
from holdfast.vm.objects import Thrown, kind_name, live
from holdfast.vm.thread import Thread
from holdfast.vm.ticker import Ticker
from holdfast.vm.waits import ENDED
from holdfast.vm.world import World as Machine

OUTPUT_LINES = 10_000
Stopped = Literal["", "error", "budget", "time", "waiting", "refused"]


class Error(Exception):
    """A Hold error: its kind and message; ``str`` gives both."""

    def __init__(self, kind: str, message: str, trace: Sequence[str] = ()) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message
        self.trace = tuple(trace)
        """File, line and function, the innermost first."""


@dataclass(frozen=True)
class Function:
    """A function of the host that programs may call, as ``caps.NAME(…)``.

    ``takes`` are the Python types of its arguments (None: any number of any), ``gives`` that of its result.  What it
    raises becomes an ``Error`` of Hold with the exception's text, and so does a call that takes longer than ``timeout``
    seconds (which goes on: Python cannot end it).
    """

    call: Callable[..., Any]
    takes: tuple[type, ...] | None = None
    gives: type | None = None
    timeout: float = 10.0


@dataclass(frozen=True)
class Result:
    """How a program ended."""

    value: Any = None
    """Of its last expression."""
    output: str = ""
    """What it has printed."""
    stopped: Stopped = ""
    """Why it did not come to its end: an ``error``; its ``budget``, or the ``time`` it had, was used up; it was
    ``waiting`` for what could not happen any more; or the compiler has ``refused`` it."""
    error: Error | None = None
    used: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Of each kind that was limited: what was used, and the limit."""


class Reference:
    """An object of a world, as whoever opened the world sees it."""

    __slots__ = ("_machine", "_object")

    def __init__(self, machine: Machine, obj: Any) -> None:
        self._machine = machine
        self._object = obj

    @property
    def kind(self) -> str:
        """The name of its class or kind."""
        return kind_name(live(self._object))

    def only(self, rights: str) -> Reference:
        """A capability for the object, to be granted: rights are made of ``r``, ``w`` and ``x``.

        Raises Error.
        """
        monitor = self._machine.monitor
        return Reference(self._machine, self._guard(lambda: monitor.only(monitor.top, self._object, rights)))

    def value(self) -> Any:
        """A copy: Lists, Maps and Sets as Python's, what else is in them as references.

        Raises Error when they are too deep or in a circle.
        """
        return self._guard(lambda: to_python(self._machine, self._object, self._wrap))

    def __getitem__(self, key: Any) -> Any:
        """An item; of an instance the field of that name.

        Raises Error.
        """
        helpers, machine = self._machine.helpers, self._machine
        if getattr(type(live(self._object)), "_k", 0) in COLLECTIONS:
            return self._out(self._guard(lambda: machine.globals["o_index"](self._object, from_python(machine, key))))
        return self._out(self._guard(lambda: helpers.getfield(self._object, str(key))))

    def __setitem__(self, key: Any, value: Any) -> None:
        machine = self._machine
        item = from_python(machine, value, unwrap)
        if getattr(type(live(self._object)), "_k", 0) in COLLECTIONS:
            self._guard(lambda: machine.globals["o_setindex"](self._object, from_python(machine, key), item))
        else:
            self._guard(lambda: machine.helpers.setfield(self._object, str(key), item))

    def __contains__(self, key: Any) -> bool:
        return bool(self._guard(lambda: self._machine.globals["o_in"](from_python(self._machine, key), self._object)))

    def __len__(self) -> int:
        return int(self._guard(lambda: self._machine.globals["o_len"](self._object)))

    def __iter__(self) -> Iterator[Any]:
        found = self._guard(lambda: list(self._machine.helpers.iterate(live(self._object))))
        return iter([self._out(item) for item in found])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and bool(other._object == self._object)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Reference to {self.kind}>"

    def _out(self, value: Any) -> Any:
        return value if is_value(value) else self._wrap(value)

    def _wrap(self, value: Any) -> Reference:
        return Reference(self._machine, value)

    @staticmethod
    def _guard(act: Callable[[], Any]) -> Any:
        try:
            return act()
        except Thrown as thrown:
            raise error_of(thrown.error) from None


COLLECTIONS = (ids.LIST, ids.MAP, ids.SET)


class World:
    """An open world: a folder that holds everything that its programs have made.

    ``with`` makes a last checkpoint and closes it.  Raises holdfast.vm.store.StoreError when it cannot be opened.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        durability: Literal["power", "process"] = "power",
        memory_limit: int | None = None,
    ) -> None:
        self._machine = Machine.open(path, durability=durability, memory_limit=memory_limit, library=library())
        self._machine.write = lambda text: None

    @property
    def root(self) -> Reference:
        """The root object."""
        return Reference(self._machine, self._machine.heap.root)

    def checkpoint(self) -> None:
        """Make all that was done so far durable."""
        self._machine.checkpoint()

    def close(self) -> None:
        """A last checkpoint, then let go of the world's files."""
        self._machine.outside.close()
        self._machine.close()

    def __enter__(self) -> World:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # ------------------------------------------------------------------ running

    def run(
        self,
        source: str,
        *,
        grants: Mapping[str, Any] | None = None,
        budget: Mapping[str, int] | None = None,
        modules: Sequence[str] = (),
        args: Sequence[str] = (),
        name: str = "main.hold",
        timeout: float | None = None,
    ) -> Result:
        """Run a program in a domain of its own, to its end.

        It has what is in ``grants``, as ``caps.NAME``; a :class:`Reference` that was not narrowed is granted with all
        rights.  ``budget`` limits ``cpu_ms``, ``objects``, ``bytes``, ``threads``, ``mailbox`` and ``depth``;
        ``modules`` are names of modules of the world that it may import; ``timeout`` is in seconds.  Threads that it
        has left behind end with it.  Errors of the program are in the result.

        Raises Error for a grant or a budget that cannot be; TypeError or ValueError for a Python value that has no
        counterpart in Hold.
        """
        machine, authority = self._machine, self._machine.authority
        given = {key: self._granted(key, value) for key, value in (grants or {}).items()}
        domain = Reference._guard(lambda: authority.domain(name, given, dict(budget or {}), modules))
        try:
            unit = machine.modules.program(source, name, ids.kid(domain._i))
        except CompileError as refused:
            return Result(stopped="refused", error=Error("SyntaxError", str(refused)))
        thread = Reference._guard(lambda: authority.start(unit, domain, args))
        thread.output = machine.consoles.new(None)
        why = self._drive(thread, timeout)
        shown = authority.budgets.shown(thread)
        used = {kind: (shown[kind][0], limit) for kind, limit in (budget or {}).items()}
        result = self._result(thread, why, used)
        self._end(thread, domain)
        return result

    def run_trusted(self, source: str, *, args: Sequence[str] = (), name: str = "main.hold") -> Result:
        """Run a program that may do everything with this world."""
        machine = self._machine
        try:
            thread = machine.start_program(machine.modules.program(source, name), args)
        except CompileError as refused:
            return Result(stopped="refused", error=Error("SyntaxError", str(refused)))
        thread.output = machine.consoles.new(None)
        return self._result(thread, self._drive(thread, None), {})

    def _granted(self, name: str, value: Any) -> Any:
        if not name.isidentifier() or name in RESERVED:
            raise Error("NameError", f"'{name}' is no name for a grant: it must be a name, and no method of caps")
        if isinstance(value, Function):
            return self._machine.outside.function(name, value.call, value.takes, value.gives, value.timeout)
        return from_python(self._machine, value, unwrap)

    def _drive(self, thread: Thread, timeout: float | None) -> Stopped:
        """Drive the world until the thread has ended, or cannot go on."""
        machine = self._machine
        scheduler = machine.scheduler
        deadline = None if timeout is None else monotonic() + timeout
        with Ticker(machine.globals):
            while thread.f_state not in ENDED:
                if thread.f_over is not None:
                    return "budget"
                left = None if deadline is None else deadline - monotonic()
                if left is not None and left <= 0:
                    return "time"
                delay = scheduler.turn()
                if delay == 0 or thread.f_state in ENDED or thread.f_over is not None:
                    continue
                if delay is None and not machine.outside.busy and not machine.outbox.busy:
                    return "waiting"
                scheduler.event.wait(left if delay is None else delay if left is None else min(delay, left))
        return "error" if thread.f_state == "failed" else ""

    def _result(self, thread: Thread, why: Stopped, used: Mapping[str, tuple[int, int]]) -> Result:
        machine = self._machine
        _, lines = machine.consoles.lines(live(thread.output), 0, durable=False)
        output = "".join(f"{line}\n" for line in lines[-OUTPUT_LINES:])
        if why == "error" or thread.f_over is not None:
            error = error_of(thread.f_error if why == "error" else thread.f_over)
            return Result(None, output, "budget" if error.kind == "BudgetError" else why, error, used)
        if why:
            return Result(None, output, why, None, used)
        wrap = self.root._wrap
        try:
            return Result(to_python(machine, thread.f_result, wrap), output, why, None, used)
        except Thrown as thrown:
            return Result(None, output, "error", error_of(thrown.error), used)

    def _end(self, thread: Thread, domain: Domain) -> None:
        """Nothing of the program runs any more, and the failure of its thread was told."""
        self._machine.authority.close(domain)
        if thread.failure is not None:
            thread.failure.handled = True


def unwrap(value: Any) -> Any:
    """The object of a reference; None for what is none."""
    return value._object if isinstance(value, Reference) else None


def error_of(error: Any) -> Error:
    """The Python exception for an error of Hold."""
    error = live(error)
    trace = live(error.f_trace).v if error.f_trace is not None else ()
    return Error(error.f_kind, str(error.f_message), [str(line) for line in trace])


__all__ = ["Error", "Function", "Reference", "Result", "World"]
