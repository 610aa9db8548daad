"""Frames of a parked thread: read off its stack, and gone on with from what was read.

A thread that is parked has, from the inside out, host frames of the scheduler, the frames of its functions, and the
scheduler's :meth:`~holdfast.vm.threads.Scheduler.work`.  Each guest frame stands at an instruction that may switch
(a call, a safepoint), and at such an instruction nothing but locals is live: so a frame is its function, the number of
the instruction and the locals.  :func:`capture` reads them, and checks what it relies on: no host frame stands between
two guest frames.

:func:`go_on` runs a thread from its frames, the innermost first, in the resumable shape.  What a frame returns is the
result of the call at which the next one out stands; an error goes to that frame's innermost handler, if it has one.
The outer frames stay data until they are returned to, and whatever they call runs direct again.

With *torture* (:attr:`~holdfast.vm.threads.Scheduler.torture`) every thread is captured, its stack thrown away, and
gone on with, at every Nth safepoint: a program must not notice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from holdfast.lang import ir
from holdfast.lang.assemble import LINE_BASE
from holdfast.lang.lines import CALLS
from holdfast.lang.resumable import all_locals
from holdfast.vm.code import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType

    from holdfast.vm.code import CodeTable, Place, Proto
    from holdfast.vm.objects import Error
    from holdfast.vm.unwind import State, Unwinder


class CaptureError(RuntimeError):
    """A stack that is not what capture relies on: a mistake of the machine, never of a program."""


@dataclass(slots=True)
class Frame:
    """One guest frame."""

    proto: Proto
    n: int
    """The instruction at which it stands: a call or a safepoint; 0 for the safepoint at the function's entry."""
    result: str | None
    """The local that takes the result of the call."""
    values: dict[str, Any]
    """The locals that have a value."""

    def place(self) -> Place | None:
        """Where it stands, for a trace."""
        return place_of(self.proto, self.n)

    def state(self, unwinder: Unwinder, result: Any) -> State:
        """The state in which it goes on behind its instruction, which has given the result."""
        if not self.n:
            return unwinder.state(self.proto, 1, False, self.values)
        if self.result is not None:
            self.values[self.result] = result
        return unwinder.state(self.proto, self.n, True, self.values)

    def handler(self, unwinder: Unwinder, error: Error) -> State | None:
        """The state in which it goes on when its instruction has thrown; None when it has no handler there."""
        _, layout = self.proto.resumable(self.n, self.n > 0)
        number = layout.handlers.get(self.n)
        if number is None:
            return None
        self.values[layout.errors[number]] = error
        state = unwinder.state(self.proto, self.n, self.n > 0, self.values)
        state.values = (layout.targets[number], *state.values[1:])
        return state


def capture(table: CodeTable, parked: Any, base: frozenset[CodeType]) -> list[Frame]:
    """The guest frames of a parked greenlet, the outermost first.

    ``base`` is the code of the scheduler's functions that call guests.  Raises CaptureError.
    """
    frame: FrameType | None = parked.gr_frame
    while frame is not None and frame.f_code not in base and table.proto_of(frame.f_code) is None:
        frame = frame.f_back
    found: list[Frame] = []
    while frame is not None and frame.f_code not in base:
        proto = table.proto_of(frame.f_code)
        if proto is None:
            raise CaptureError(f"a host frame ({frame.f_code.co_name}) stands between the frames of a thread")
        first = frame.f_lineno - LINE_BASE
        # A frame at a line of the machine has handed over to another shape of its function, which stands above it.
        if first < proto.function.size:
            found.append(_read(table, proto, first, frame))
        frame = frame.f_back
    if frame is None:
        raise CaptureError("a thread's stack does not begin with the scheduler")
    found.reverse()
    return found


def _read(table: CodeTable, proto: Proto, first: int, frame: FrameType) -> Frame:
    """The frame that stands in the group of instructions that begins with ``first``."""
    stop = _stop(proto, first, table.last_of(frame.f_code, first))
    if stop is None and first:
        raise CaptureError(f"{proto.key} stands at {first}, where nothing can switch")
    there = frame.f_locals
    values = {name: there[name] for name in all_locals(proto.function) if name in there}
    return Frame(proto, stop.n if stop is not None else 0, stop.dst if stop is not None else None, values)


def _stop(proto: Proto, first: int, last: int) -> ir.Op | None:
    """The call or safepoint of a group: its only effect, and so its last one."""
    found = None
    for node in ir.walk(proto.function.body):
        if isinstance(node, ir.Op) and first <= node.n <= last and (node.op in CALLS or node.op == "safepoint"):
            found = node
    return found


def go_on(unwinder: Unwinder, frames: list[Frame], error: Error | None = None) -> Any:
    """Run a thread from its frames; its result, or its error raised.

    ``frames`` loses each frame that is entered: it always has those that are not on the host's stack.  With ``error``
    the innermost instruction throws it.
    """
    result: Any = None
    while frames:
        frame = frames.pop()
        if error is not None:
            unwinder.passing(error, frame.proto, frame.n, frame.values)
            state = frame.handler(unwinder, error)
            if state is None:
                continue
            error = None
        else:
            state = frame.state(unwinder, result)
        del frame
        try:
            result = state.fn(state)
        except Exception as exception:  # the machine's own and a killed thread's included: all go outward
            error = unwinder.host_error(exception)
    if error is not None:
        raise unwinder.rethrow(error)
    return result


def places(frames: list[Frame]) -> Iterator[Place]:
    """Where the frames stand, the innermost first."""
    for frame in reversed(frames):
        place = frame.place()
        if place is not None:
            yield place
