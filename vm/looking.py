"""Looking into threads: their stacks, locals and what they wait for.

All threads but the one that looks are parked then, so what is seen of another is a consistent snapshot.  Only the
program's own names show: what the compiler added is left out, and a captured variable shows its value.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import islice
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from holdfast.lang.assemble import LINE_BASE
from holdfast.lang.guard import RUNNING
from holdfast.vm import ids
from holdfast.vm.code import Proto
from holdfast.vm.codec import DamagedRecord
from holdfast.vm.frames import Frame
from holdfast.vm.lending import BOUNDARY
from holdfast.vm.objects import UNSET, Box, Obj, live
from holdfast.vm.priorities import name_of

if TYPE_CHECKING:
    from holdfast.vm.domains import Domain
    from holdfast.vm.thread import Thread
    from holdfast.vm.world import World

SELF = "self"
POST_MAX = 10
"""Innermost frames that are kept of a thread that failed."""
COUNTED = 64
"""Frames whose variables count for what a thread holds."""
EVERYWHERE = (-1, 1 << 62)
"""The scope of what has no other one."""
SHOWN_MAX = 1_000
"""Frames of a deep stack that are shown."""


Where = tuple[str, int, str]
"""File, line, function."""


class Looking:
    """What can be seen of the threads of one world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def frames(self, thread: Thread) -> Iterator[Frame]:
        """The frames of a living thread, the innermost first.  Raises DamagedRecord."""
        scheduler = self.world.scheduler
        if thread is scheduler.current:  # it stands where it asks, which need not be where it could be parked
            frame: FrameType | None = sys._getframe()
            while frame is not None and frame.f_code is not BOUNDARY:
                yield from self.guest(frame, frame.f_lineno)
                frame = frame.f_back
        elif (top := scheduler.top_of(thread)) is not None:
            _, found = scheduler.capture(top, None)
            yield from reversed(found)
        if thread.stack is not None:
            yield from thread.stack

    def named(self, frame: Frame) -> dict[str, str]:
        """The program's variables that are in scope where a frame stands and have a value, parameters first: name to
        the local that holds it.

        Of several of one name it is that of the innermost block, which is declared last.  One whose record is damaged
        is left out.
        """
        function = frame.proto.function
        span = function.spans.get(frame.n)
        place = span[0] if span is not None else -1
        variables = function.variables
        parameters = [p.py for p in function.parameters if p.py in variables]
        found = dict.fromkeys(variables[local] for local in parameters)
        for local in dict.fromkeys([*function.captures, *parameters, *variables]):
            start, end = function.scopes.get(local, EVERYWHERE)
            if start <= place < end and local in variables and self._has_value(frame, local):
                found[variables[local]] = local
        return {name: local for name, local in found.items() if local is not None}

    def _has_value(self, frame: Frame, local: str) -> bool:
        value = frame.values.get(local, UNSET)
        if local in frame.proto.function.boxed:
            try:  # whoever tells of a failure may not fail by that
                return isinstance(value, Box) and live(value).v is not UNSET
            except DamagedRecord:
                return False
        if value is None and frame.proto.function.variables[local] == SELF:  # of a constructor that has not made it
            return False
        return value is not UNSET and type(value) is not tuple

    def locals(self, frame: Frame) -> dict[str, Any]:
        """The program's variables in a frame and their values, as :meth:`named` finds them."""
        found = {name: frame.values[local] for name, local in self.named(frame).items()}
        return {name: value.v if isinstance(value, Box) else value for name, value in found.items()}

    def frame_map(self, frame: Frame) -> Any:
        """A frame as a Map: ``function``, ``file``, ``line``, ``source`` (of the line) and ``locals``."""
        place = frame.place() or place_of_entry(frame.proto)
        file, line, function = place
        world = self.world
        return world.new_map(
            {
                "function": function,
                "file": file,
                "line": line,
                "source": source_line(frame.proto, line),
                "locals": world.new_map(self.shown(frame)),
            }
        )

    def shown(self, frame: Frame) -> dict[str, Any]:
        """The variables as programs see them: what a domain's frame cannot use, no reader can use from it, and what it
        could not read is not there."""
        found = self.locals(frame)
        if not frame.proto.function.domain:
            return found
        domain, out = frame.values.get(RUNNING), self.world.monitor.out
        if domain is None:  # it has not come so far as to know it
            return {}
        foreign = {name for name, local in self.named(frame).items() if self.foreign(frame, local)}
        return {name: out(domain, value) for name, value in found.items() if name not in foreign}

    def foreign(self, frame: Frame, local: str) -> bool:
        """Is it a variable of another domain, which made the function?  The frame itself may not use it (I6)."""
        value = frame.values.get(local)
        domain = frame.values.get(RUNNING) if frame.proto.function.domain else None
        return isinstance(value, Box) and domain is not None and not self.world.monitor.owner(value).within(domain)

    def frames_of(self, thread: Thread) -> Any:
        """``t.frames``: a List of Maps, the innermost frame first; of a thread that failed, those in which it did."""
        world = self.world
        if not self.sees(world.monitor.acting, thread):
            return world.new_list([])
        if thread in world.scheduler.living:
            return world.new_list([self.frame_map(frame) for frame in islice(self.frames(thread), SHOWN_MAX)])
        post = getattr(live(thread), "post", None)
        return post if post is not None else world.new_list([])

    def sees(self, reader: Domain | None, thread: Thread) -> bool:
        """May a domain look into a thread?  Into those that run in it or below (I7); None: the whole world's.

        One of a stronger domain may run code in a weaker one for a while, as for ``on_behalf``: then goes on with what
        that has given it, and with all its rights.
        """
        return reader is None or self.world.monitor.owner(thread).within(reader)

    def guest(self, frame: FrameType, line: int) -> list[Frame]:
        """The guest frame in a frame of the host, if it is one."""
        proto = self.world.table.proto_of(frame.f_code)
        n = line - LINE_BASE
        if proto is None or n >= proto.function.size:
            return []
        return [Frame(proto, n, None, frame.f_locals)]

    def post_mortem(self, exception: BaseException) -> Any:
        """The frames through which an error has come, as :meth:`frames_of` gives them.

        Those of a thread that came back from disk are in ``passed`` (:func:`holdfast.vm.frames.go_on`).
        """
        passed: list[Frame | TracebackType] = getattr(exception, "passed", [])
        found: list[Frame] = []
        for part in (exception.__traceback__, *reversed(passed)):
            if isinstance(part, Frame):
                found.append(part)
                continue
            while part is not None:
                found += self.guest(part.tb_frame, part.tb_lineno)
                part = part.tb_next
        world = self.world
        current = world.scheduler.current
        monitor, world.monitor.acting = world.monitor, current.domain if current is not None else None
        try:
            return world.new_list([self.frame_map(frame) for frame in reversed(found[-POST_MAX:])])
        finally:
            monitor.acting = None

    def where(self, thread: Thread) -> tuple[Where | None, int]:
        """File, line and function at which a living thread stands, and how many objects it holds: those that variables
        of its :data:`COUNTED` innermost frames, and what waits in its mailbox, refer to."""
        place: Where | None = None
        found = {id(message) for message in thread.mailbox or ()}
        if thread.begin is not None:
            function, args, named = thread.begin
            found.update(id(value) for value in (*args, *named.values()) if isinstance(value, Obj))
            proto = self.world.table.proto_of(function.__code__)
            return (place_of_entry(proto) if proto is not None else None), len(found)
        try:
            for frame in islice(self.frames(thread), COUNTED):
                place = place or frame.place() or place_of_entry(frame.proto)
                variables = [frame.values.get(local) for local in frame.proto.function.variables]
                found.update(id(value) for value in variables if isinstance(value, Obj))
        except DamagedRecord:
            return place, len(found)
        return place, len(found)

    def children(self, thread: Thread) -> list[Thread]:
        """The living threads that a thread has started."""
        return [other for other in list(self.world.scheduler.living) if other.parent is thread]


def seen(frame: Frame, reader: Any) -> bool:
    """May a domain see in a trace where the frame stands?  That of those that run in it or below."""
    domain = frame.values.get(RUNNING) if frame.proto.function.domain else None
    return domain is not None and bool(domain.within(reader))


def place_of_entry(proto: Proto) -> tuple[str, int, str]:
    """Where a function begins."""
    spans = proto.function.spans.values()
    source = proto.unit.source
    line = source.position(min(spans)[0])[0] if spans else 1
    return source.name, line, proto.function.name


def source_line(proto: Proto, line: int) -> str:
    """A line of a function's source, without its indentation."""
    lines = proto.unit.source.text.split("\n")
    return lines[line - 1].strip() if 0 < line <= len(lines) else ""


COMPUTED = frozenset("id frames children budget caps cpu_ms priority mailbox".split())
"""The names of :func:`thread_fields`."""


def thread_fields(world: World) -> dict[str, Callable[[Any], Any]]:
    """The fields of threads that are worked out when they are read."""
    looking = world.looking

    def alive(thread: Any) -> bool:
        return thread in world.scheduler.living

    return {
        "id": lambda thread: ids.kid(world.give_id(thread)),
        "frames": looking.frames_of,
        "children": lambda thread: world.new_list(list(looking.children(thread))),
        "budget": lambda thread: world.new_map(
            {kind: world.new_list(pair) for kind, pair in world.authority.budgets.shown(live(thread)).items()}
        ),
        "caps": lambda thread: world.new_list(
            sorted(live(thread.domain.grants).v) if thread.domain is not None else []
        ),
        "cpu_ms": lambda thread: round(thread.spent * 1000) if alive(thread) else 0,
        "priority": lambda thread: name_of(thread.priority) if alive(thread) else "normal",
        "mailbox": lambda thread: len(thread.mailbox or ()) if alive(thread) else 0,
    }
