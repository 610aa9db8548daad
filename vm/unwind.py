"""Errors on their way through frames: conversion, traces, deoptimisation, handlers of resumable frames.

Python exceptions other than :class:`~holdfast.vm.objects.Thrown` reach guest code in two ways only:

* an instruction of a direct frame failed: the frame goes on in the resumable shape at that instruction, where the
  generic operator either succeeds (the speculation was wrong) or throws the Hold error (the program was);
* the host's own limits: recursion, memory.  Those become ``StackError`` and ``LimitError``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from types import FrameType, TracebackType
from typing import Any, NoReturn

from holdfast.lang.assemble import LINE_BASE
from holdfast.lang.guard import CALLER, RUNNING
from holdfast.lang.resumable import Layout
from holdfast.vm import limits
from holdfast.vm.code import CodeTable, Place, Proto, place_of
from holdfast.vm.codec import DamagedRecord
from holdfast.vm.lending import BOUNDARY
from holdfast.vm.objects import Error, Obj, Thrown, kind_name, make_error
from holdfast.vm.store import StoreError

TRACE_MAX = 50
"""Frames in a trace; of a deeper stack the innermost are shown."""

CAUSES_MAX = 50
"""Errors in a chain of causes that the machine makes."""


class State(Exception):
    """A frame that goes on in the resumable shape: call ``fn(state)``.  Raised by a ``try`` to the function's end."""

    def __init__(self, fn: Any, values: tuple[Any, ...], layout: Layout | None) -> None:
        self.fn = fn
        self.values = values
        self.layout = layout


HOST_ERRORS = (
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    ValueError,
    NameError,
    MemoryError,
    State,
)
"""What an instruction of a direct frame may raise.  RecursionError is not among them: running the instruction again
would need the stack that is used up."""


class Killed(Exception):
    """Carries the unwinding of a killed thread: ``finally`` runs, no ``catch`` takes it."""


def let_go(values: Any) -> None:
    """Empty the copy of a frame's locals that CPython, before 3.13, keeps as long as the frame lives: what it holds
    could not be evicted."""
    if type(values) is dict:
        values.clear()


class Unwinder:
    """The functions that generated code calls when something is thrown."""

    def __init__(self, table: CodeTable, new_list: Any, barrier: Callable[[Obj], None]) -> None:
        self.table = table
        self.new_list = new_list
        self.waiting: Callable[[Any], Iterable[Place]] = lambda owner: ()
        """Where the current thread's frames stand that are not on the host's stack, the innermost first; for a domain
        only those that run in it or below."""
        self.barrier = barrier

    # ------------------------------------------------------------------ called from generated code

    def deopt(self) -> State:
        """In the direct shape's outer handler: the state in which the frame goes on."""
        exception = sys.exception()
        state: State = raised(exception) if type(exception) is State else self.state_or_error(exception)
        return state

    def late(self) -> State:
        """What a loop reads ahead could not be read: the frame goes on in the resumable shape, which reads nothing
        ahead, and the loop is compiled without it."""
        exception = sys.exception()
        assert exception is not None and exception.__traceback__ is not None
        frame, n = exception.__traceback__.tb_frame, exception.__traceback__.tb_lineno - LINE_BASE
        proto = self.table.proto_of(frame.f_code)
        assert proto is not None
        values = frame.f_locals
        state = self.state(proto, n, False, values)
        let_go(values)
        proto.read_late(n)
        return state

    def caught(self) -> Any:
        """In a ``try`` of the direct shape: the Hold error, or the state in which the frame goes on."""
        exception = sys.exception()
        if type(exception) is Thrown:
            return self.noted(exception.error, exception.__traceback__)
        if type(exception) is State:
            return raised(exception)
        if isinstance(exception, HOST_ERRORS):
            return self.state_or_error(exception, inside_try=True)
        return self.host_error(exception)

    def state_or_error(self, exception: BaseException | None, inside_try: bool = False) -> Any:
        """Deoptimise when this frame's own instruction failed; what came from a guest callee is an error."""
        assert exception is not None and exception.__traceback__ is not None
        traceback = exception.__traceback__
        proto = self.table.proto_of(traceback.tb_frame.f_code)
        below = traceback.tb_next
        from_guest = below is not None and self.table.proto_of(below.tb_frame.f_code) is not None
        machine_line = proto is not None and traceback.tb_lineno - LINE_BASE >= proto.function.size
        if proto is None or from_guest or machine_line or isinstance(exception, MemoryError):
            error = self.host_error(exception)
            return error if inside_try else State(_raise, (error,), None)
        n = traceback.tb_lineno - LINE_BASE
        values = traceback.tb_frame.f_locals
        state = self.state(proto, n, False, values)
        if isinstance(exception, TypeError | AttributeError):
            proto.speculation_failed(n, traceback.tb_frame.f_code, traceback.tb_lasti, values)
        let_go(values)
        return state

    def state(self, proto: Proto, n: int, after: bool, values: dict[str, Any]) -> State:
        """The state of a frame at an instruction."""
        fn, layout = proto.resumable(n, after)
        get = values.get
        return State(fn, (layout.entry, *[get(name) for name in layout.locals]), layout)

    def enter(self, key: str, given: tuple[tuple[str, Any], ...]) -> State:
        """The state of a call of a function that nests too deeply for the direct shape."""
        return self.state(self.table.protos[key], 1, False, dict(given))

    def unwind(self, state: State) -> tuple[int, int, Error]:
        """In a resumable frame's handler: block, number of the Try, error; raises again when no Try is around."""
        exception = sys.exception()
        assert exception is not None and exception.__traceback__ is not None and state.layout is not None
        n = exception.__traceback__.tb_lineno - LINE_BASE
        number = state.layout.handlers.get(n)
        if number is None:
            raise exception
        if type(exception) is Thrown:
            error = self.noted(exception.error, exception.__traceback__)
        else:
            error = self.host_error(exception)
        return state.layout.targets[number], number, error

    # ------------------------------------------------------------------ errors and traces

    def host_error(self, exception: BaseException | None) -> Error:
        """The Hold error that stands for a Python exception; nothing of the latter shows."""
        if type(exception) is Thrown:
            return self.noted(exception.error, exception.__traceback__)
        if isinstance(exception, Killed):
            error = make_error("ThreadError", "the thread was killed")
            error._x = {"killed": True}
        elif isinstance(exception, RecursionError):
            error = limits.too_deep()
        elif isinstance(exception, MemoryError) or _no_frame(exception):
            error = make_error("LimitError", "the machine has no memory left for this: work on smaller pieces")
        elif isinstance(exception, DamagedRecord):
            error = make_error("Error", f"the record of {exception.name} is damaged: 'holdfast world check' tells more")
            error._x = {"internal": str(exception)}
        elif isinstance(exception, StoreError):
            # Its message names a place of the host: that is for the operator.
            error = make_error("Error", "the disk of the world cannot be read: end the program, and see what is wrong")
            error._x = {"internal": f"{type(exception).__name__}: {exception}"}
        else:
            # A mistake of the machine.  Its details are for the operator, not for the program.
            error = make_error("Error", f"the machine failed inside ({type(exception).__name__}): please report this")
            error._x = {"internal": f"{type(exception).__name__}: {exception}"}
        return self.noted(error, exception.__traceback__ if exception is not None else None)

    def noted(self, error: Error, traceback: TracebackType | None) -> Error:
        """Give the error its place and trace, unless it has them, and the error as cause that was being handled."""
        if error.f_trace is None:
            self.trace(error, traceback)
        if error.f_cause is None:
            cause = self.handled(error, traceback)
            if cause is not None:
                self.set_cause(error, cause)
        return error

    def passing(self, error: Error, proto: Proto, n: int, values: dict[str, Any]) -> None:
        """The error leaves an instruction of a frame that is not on the host's stack: what that was handling may be
        its cause."""
        if proto.function.domain:
            self.own(error, values.get(RUNNING))
        if error.f_cause is None and proto.function.handling:
            cause = first_handled(values, proto.function.handling.get(n, ()), error)
            if cause is not None:
                self.set_cause(error, cause)

    def set_cause(self, error: Error, cause: Error) -> None:
        """Give an error its cause."""
        if error._i:
            self.barrier(error)
        error.f_cause = cause

    def handled(self, error: Error, traceback: TracebackType | None) -> Error | None:
        """What the innermost ``catch`` or ``finally`` body that the error leaves is handling.

        Only frames that the error has come through count, and of the one that catches it the bodies around the
        ``try``: what a callee throws and catches by itself has nothing to do with the errors of its caller.
        """
        found: list[tuple[FrameType, tuple[str, ...]]] = []
        while traceback is not None:
            proto = self.table.proto_of(traceback.tb_frame.f_code)
            if proto is not None and proto.function.handling:
                names = proto.function.handling.get(traceback.tb_lineno - LINE_BASE)
                if names is not None:
                    found.append((traceback.tb_frame, names))
            traceback = traceback.tb_next
        for frame, names in reversed(found):
            cause = first_handled(frame.f_locals, names, error)
            if cause is not None:
                return cause
        return None

    def trace(self, error: Error, traceback: TracebackType | None) -> None:
        """Give the error its place and trace."""
        places: list[Place] = []
        entry = traceback
        owner = self.claim(error, traceback)
        while entry is not None:
            proto = self.table.proto_of(entry.tb_frame.f_code)
            place = place_of(proto, entry.tb_lineno - LINE_BASE) if proto is not None else None
            if place is not None:
                places.append(place)
            if len(places) > 2 * TRACE_MAX:
                del places[:TRACE_MAX]
            entry = entry.tb_next
        outer: list[Place] = []
        for frame in outward(traceback):
            proto = self.table.proto_of(frame.f_code)
            place = place_of(proto, frame.f_lineno - LINE_BASE) if proto is not None else None
            if place is not None and (owner is None or within(frame, proto, owner)):
                outer.append(place)
            if len(outer) >= TRACE_MAX:
                break
        outer.extend(islice(self.waiting(owner), TRACE_MAX - len(outer)))
        places = [*reversed(outer), *places][-TRACE_MAX:]
        places.reverse()
        texts = [f"{file}:{line} in {function}" for file, line, function in places]
        if error._i:  # it has been stored before it was thrown
            self.barrier(error)
        error.f_at = f"{places[0][0]}:{places[0][1]}" if places else None
        error.f_trace = self.new_list(texts)
        if owner is not None:
            error.f_trace._o = owner

    def claim(self, error: Error, traceback: TracebackType | None) -> Any:
        """An error that host code has thrown into a guarded frame belongs to the domain of that; gives the owner of any
        error, None for the whole world's domain."""
        owner = getattr(error, "_o", None)
        if owner is not None or error._i:
            return owner
        while traceback is not None:
            proto = self.table.proto_of(traceback.tb_frame.f_code)
            if proto is not None:
                found = traceback.tb_frame.f_locals
                # A stranger's code has no domain here: that it was refused is for its caller.
                owner = found.get(RUNNING, found.get(CALLER)) if proto.function.domain else None
            traceback = traceback.tb_next
        self.own(error, owner)
        return owner

    @staticmethod
    def own(error: Error, owner: Any) -> None:
        """An error that nobody owns, and nobody has stored, belongs to the domain in whose code it was thrown."""
        if owner is None or error._i or getattr(error, "_o", None) is not None:
            return
        error._o = owner
        if error.f_trace is not None and not error.f_trace._i:
            error.f_trace._o = owner

    # ------------------------------------------------------------------ throwing

    def throw(self, value: Any) -> Thrown:
        """The exception of ``throw value``."""
        if type(value) is str:
            return Thrown(make_error("Error", value))
        if isinstance(value, Error):
            return Thrown(value)
        return Thrown(make_error("TypeError", f"throw needs a Text or an Error, not {kind_name(value)}"))

    def rethrow(self, error: Error) -> Exception:
        """The exception that carries an error on; a killed thread's unwinding stays one."""
        if not catchable(error):
            return Killed()
        return Thrown(error)


def _no_frame(exception: BaseException | None) -> bool:
    """Was there no memory for a frame?  CPython 3.11 fails then without saying why."""
    return type(exception) is SystemError and str(exception) == "error return without exception set"


def raised(state: State) -> State:
    """The state, without the frames that it was raised through."""
    state.__traceback__ = None
    return state


def catchable(error: Error) -> bool:
    """False for the unwinding of a killed thread."""
    try:
        more = error._x
    except AttributeError:
        return True
    return not (more and "killed" in more)


def outward(traceback: TracebackType | None) -> Iterator[FrameType]:
    """The frames outside those of a traceback, as far as they are the same thread's."""
    frame = traceback.tb_frame if traceback is not None else None
    while frame is not None and frame.f_code is not BOUNDARY:
        frame = frame.f_back
        if frame is not None:
            yield frame


def within(frame: FrameType, proto: Proto | None, owner: Any) -> bool:
    """Does a frame run in a domain, or below it?  What others call is not for its trace."""
    domain = frame.f_locals.get(RUNNING) if proto is not None and proto.function.domain else None
    return domain is not None and bool(domain.within(owner))


def first_handled(values: Mapping[str, Any], names: Iterable[str], error: Error) -> Error | None:
    """The first of these locals that holds an error which can be the cause of the other."""
    for name in names:
        cause = values.get(name)
        if isinstance(cause, Error) and catchable(cause) and not chained(cause, error):
            return cause
    return None


def chained(error: Any, other: Error) -> bool:
    """Is ``other`` in the error's chain of causes, or the chain as long as one may be?"""
    for _ in range(CAUSES_MAX):
        if error is other:
            return True
        error = error.f_cause
        if not isinstance(error, Error):
            return False
    return True


def _raise(state: State) -> NoReturn:
    """Stands in for a resumable shape when all there is to do is to throw."""
    raise Thrown(state.values[0])
