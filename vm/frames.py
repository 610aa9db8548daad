"""Frames of a parked thread: read off its stack, and gone on with from what was read.

A thread that is parked has, from the inside out, host frames of the scheduler, the frames of its functions, and the
scheduler's :meth:`~holdfast.vm.threads.Scheduler.work`.  Each guest frame stands at an instruction that may switch
(a call, a safepoint), and at such an instruction nothing but locals is live: so a frame is its function, the number of
the instruction and the locals.  :func:`capture` reads them, and checks what it relies on: no host frame stands between
two guest frames.

A frame that was read before, and is still on the stack, has callers that have not moved: reading goes from the inside
out and ends there, so that a deep stack costs what has changed of it.

:func:`go_on` runs a thread from its frames, the innermost first, in the resumable shape.  What a frame returns is the
result of the call at which the next one out stands; an error goes to that frame's innermost handler, if it has one.
The outer frames stay data until they are returned to, and whatever they call runs direct again.

With *torture* (:attr:`~holdfast.vm.threads.Scheduler.torture`) every thread is captured, its stack thrown away, and
gone on with from its bytes, at every Nth safepoint: a program must not notice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from holdfast.lang import ir
from holdfast.lang.assemble import LINE_BASE
from holdfast.lang.guard import RUNNING
from holdfast.lang.lines import CALLS
from holdfast.vm.code import place_of
from holdfast.vm.codec import DamagedRecord
from holdfast.vm.positions import Loop, Position, iterator_at, position

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType

    from holdfast.vm.code import CodeTable, Place, Proto
    from holdfast.vm.objects import Error
    from holdfast.vm.unwind import State, Unwinder


class CaptureError(RuntimeError):
    """A stack that is not what capture relies on: a mistake of the machine, never of a program."""


STOPS = CALLS | {"safepoint", "atomic_commit", "behalf_begin"}
"""Operations in which a thread may be parked: the end of an ``atomic`` waits for the files that it has changed, and the
frame of an ``on_behalf`` in plain code goes on in guarded code."""


@dataclass(slots=True)
class Frame:
    """One guest frame."""

    proto: Proto
    n: int
    """The instruction at which it stands: a call or a safepoint; 0 for the safepoint at the function's entry."""
    result: str | None
    """The local that takes the result of the call."""
    values: dict[str, Any]
    """The locals that have a value; an iterator is a :class:`~holdfast.vm.positions.Position`."""

    def place(self) -> Place | None:
        """Where it stands, for a trace."""
        return place_of(self.proto, self.n)

    def locals(self) -> dict[str, Any]:
        """The values as the function's code has them."""
        values = self.values
        for loop in self.proto.loops:
            at = values.get(loop.iterator)
            if type(at) is Position:
                values[loop.iterator] = iterator_at(values.get(loop.source), loop.names, at, values.get(RUNNING))
        return values

    def state(self, unwinder: Unwinder, result: Any, again: bool = False) -> State:
        """The state in which it goes on behind its instruction, which has given the result; or ``again`` with it."""
        values = self.locals()
        if again and self.n:
            return unwinder.state(self.proto, self.n, False, values)
        if not self.n:
            return unwinder.state(self.proto, 1, False, values)
        if self.result is not None:
            values[self.result] = result
        return unwinder.state(self.proto, self.n, True, values)

    def handler(self, unwinder: Unwinder, error: Error) -> State | None:
        """The state in which it goes on when its instruction has thrown; None when it has no handler there."""
        _, layout = self.proto.resumable(self.n, self.n > 0)
        number = layout.handlers.get(self.n)
        if number is None:
            return None
        values = self.locals()
        values[layout.errors[number]] = error
        state = unwinder.state(self.proto, self.n, self.n > 0, values)
        state.values = (layout.targets[number], *state.values[1:])
        return state


class Known:
    """The frames of a thread that were read last time, so that they need not be read again."""

    __slots__ = ("frames", "keys", "places")

    def __init__(self) -> None:
        self.frames: list[FrameType] = []
        """From the outermost on; kept, so that no other frame can have the identity of one of them."""
        self.places: dict[int, int] = {}
        """Identity of a frame to its place in the list."""
        self.keys: list[dict[int, Any] | None] = []
        """For each frame the Lists of keys that its loops walk over, by the identity of their raw containers."""

    def cut(self, length: int) -> None:
        """Forget all frames from a place on."""
        for frame in self.frames[length:]:
            del self.places[id(frame)]
        del self.frames[length:], self.keys[length:]

    def add(self, frame: FrameType, keys: dict[int, Any] | None) -> None:
        """Note one more."""
        self.places[id(frame)] = len(self.frames)
        self.frames.append(frame)
        self.keys.append(keys)


class Site(NamedTuple):
    """A place in a code object where a thread may be parked."""

    proto: Proto
    n: int
    result: str | None
    """See :class:`Frame`."""
    loops: tuple[Loop, ...]
    """The loops around it: their iterators matter, """
    others: tuple[str, ...]
    """and those in these locals do not."""


class Capturer:
    """Reads stacks.  ``base`` is the code of the scheduler's functions that call guests."""

    def __init__(self, table: CodeTable, base: frozenset[CodeType], new_list: Callable[[list[Any]], Any]) -> None:
        self.table = table
        self.base = {id(code) for code in base}
        """By identity: to hash a code object means to hash all that is in it."""
        self.new_list = new_list

    def capture(self, top: FrameType | None, known: Known | None = None) -> tuple[int, list[Frame]]:
        """The guest frames from ``top`` outward: how many of the outermost are as they were read last time, and the
        others, the outermost first.

        ``known`` is brought up to date.  Raises CaptureError.
        """
        sites, base = self.table.sites, self.base
        places = known.places if known is not None else {}
        frame = self._innermost(top)
        found: list[tuple[Site, FrameType]] = []
        kept = 0
        while frame is not None:
            number = id(frame.f_code)
            try:
                site = sites[number][frame.f_lasti]
            except KeyError:
                if number in base:
                    break
                site = self._site(frame)
                sites.setdefault(number, {})[frame.f_lasti] = site
            if site is not None:
                found.append((site, frame))
                if id(frame) in places:
                    kept = places[id(frame)]  # it may have moved itself; those below it have not
                    break
            frame = frame.f_back
        if frame is None:
            raise CaptureError("a thread's stack does not begin with the scheduler")
        old: dict[int, Any] | None = None
        if known is not None:
            if kept < len(known.keys):
                old = known.keys[kept]
            known.cut(kept)
        frames = []
        for site, there in reversed(found):
            made, keys = self._read(site, there, old)
            old = None
            frames.append(made)
            if known is not None:
                known.add(there, keys)
        return kept, frames

    def _innermost(self, top: FrameType | None) -> FrameType | None:
        """The first frame that is no host function which a guest has called."""
        proto_of = self.table.proto_of
        while top is not None and id(top.f_code) not in self.base and proto_of(top.f_code) is None:
            top = top.f_back
        return top

    def _site(self, frame: FrameType) -> Site | None:
        """What stands where the frame does."""
        code = frame.f_code
        proto = self.table.proto_of(code)
        if proto is None:
            raise CaptureError(f"a host frame ({code.co_name}) stands between the frames of a thread")
        first = frame.f_lineno - LINE_BASE
        if first >= proto.function.size:
            return None
        n, result = stop(proto, first, self.table.last_of(code, first))
        loops = tuple(loop for loop in proto.loops if loop.first <= n <= loop.last)
        around = {loop.iterator for loop in loops}
        return Site(proto, n, result, loops, tuple({loop.iterator for loop in proto.loops} - around))

    def _read(self, site: Site, frame: FrameType, old: dict[int, Any] | None) -> tuple[Frame, dict[int, Any] | None]:
        """The frame that stands there; ``old`` are the Lists of keys that its loops had last time."""
        values = dict(frame.f_locals)
        for name in site.others:
            values.pop(name, None)
        if not site.loops:
            return Frame(site.proto, site.n, site.result, values), None
        keys: dict[int, Any] = {}

        def keys_of(raw: list[Any]) -> Any:
            keys[id(raw)] = made = (old or {}).get(id(raw)) or self.new_list(raw)
            return made

        for loop in site.loops:
            values[loop.iterator] = position(values[loop.iterator], values[loop.source], keys_of)
        return Frame(site.proto, site.n, site.result, values), keys or None


def stop(proto: Proto, first: int, last: int) -> tuple[int, str | None]:
    """The call or safepoint of a group, its only effect, and the local that takes its result.

    Raises CaptureError when there is none.
    """
    ops = [node for node in ir.walk(proto.function.body) if isinstance(node, ir.Op) and first <= node.n <= last]
    stops = [node for node in ops if node.op in STOPS]
    if not stops and first:
        raise CaptureError(f"{proto.key} stands at {first}, where nothing can switch")
    return (stops[-1].n, stops[-1].dst) if stops else (0, None)


class Frames(Protocol):
    """Frames that are not on the host's stack."""

    def pop(self) -> Frame | None:
        """The innermost one, taken off; None when there is none left."""


def go_on(
    unwinder: Unwinder,
    frames: Frames,
    error: Error | None = None,
    result: Any = None,
    again: bool = False,
) -> Any:
    """Run a thread from its frames; its result, or its error raised.

    ``frames`` loses each frame that is entered: it always has those that are not on the host's stack.  ``result`` is
    what the innermost instruction gives; with ``error`` it throws that, and with ``again`` it is run once more.  What
    is raised tells in ``passed`` which frames it has left, the innermost first: the traceback of those that ran, and
    frames that did not.
    """
    passed: list[Any] = []
    while (frame := frames.pop()) is not None:
        if error is not None:
            unwinder.passing(error, frame.proto, frame.n, frame.values)
            state = frame.handler(unwinder, error)
            if state is None:
                passed.append(frame)
                continue
            error = None
            passed.clear()
        else:
            state = frame.state(unwinder, result, again)
            again = False
        frame = None
        try:
            result = state.fn(state)
        except Exception as exception:  # the machine's own and a killed thread's included: all go outward
            error = unwinder.host_error(exception)
            passed.append(exception.__traceback__)
    if error is not None:
        failure: Any = unwinder.rethrow(error)
        failure.passed, passed = passed, []  # no frame may refer to what refers to it
        try:
            raise failure
        finally:
            del failure
    return result


def places(frames: Iterator[Frame]) -> Iterator[Place]:
    """Where the frames stand, the innermost first; as far as their records can be read."""
    try:
        for frame in frames:
            place = frame.place()
            if place is not None:
                yield place
    except DamagedRecord:
        return  # the thread itself is told when it comes to that frame
