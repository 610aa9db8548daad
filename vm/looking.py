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

from holdfast.lang import ir
from holdfast.lang.assemble import LINE_BASE
from holdfast.lang.guard import RUNNING
from holdfast.vm import ids
from holdfast.vm.code import Proto
from holdfast.vm.codec import DamagedRecord
from holdfast.vm.frames import Frame
from holdfast.vm.lending import BOUNDARY
from holdfast.vm.objects import UNSET, Box, live
from holdfast.vm.priorities import name_of

if TYPE_CHECKING:
    from holdfast.vm.thread import Thread
    from holdfast.vm.world import World

POST_MAX = 10
"""Innermost frames that are kept of a thread that failed."""
SHOWN_MAX = 1_000
"""Frames of a deep stack that are shown."""


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
        """The program's variables in a frame that have a value, parameters first: name to the local that holds it.

        One whose record is damaged is left out.  Where blocks have variables of the same name, it is that of the
        innermost block around the instruction at which the frame stands.
        """
        function = frame.proto.function
        found: dict[str, str] = {}
        parameters = [p.py for p in function.parameters if p.py in function.variables]
        for local in dict.fromkeys([*parameters, *function.variables]):
            name = function.variables[local]
            if name in found and not in_scope(function, local, frame.n):
                continue
            value = frame.values.get(local, UNSET)
            if isinstance(value, Box):
                try:
                    value = live(value).v
                except DamagedRecord:  # whoever tells of a failure may not fail by that
                    continue
            if value is not UNSET and type(value) is not tuple:
                found[name] = local
        return found

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
        """The variables as programs see them: what a domain's frame cannot use, no reader can use from it."""
        domain = frame.values.get(RUNNING) if frame.proto.function.domain else None
        out = self.world.monitor.out
        return {name: value if domain is None else out(domain, value) for name, value in self.locals(frame).items()}

    def frames_of(self, thread: Thread) -> Any:
        """``t.frames``: a List of Maps, the innermost frame first; of a thread that failed, those in which it did."""
        world = self.world
        reader = world.monitor.acting
        if thread in world.scheduler.living:
            found = islice(self.frames(thread), SHOWN_MAX)
            return world.new_list([self.frame_map(frame) for frame in found if reader is None or seen(frame, reader)])
        post = getattr(live(thread), "post", None)
        hidden = reader is not None and not world.monitor.owner(thread).within(reader)
        return post if post is not None and not hidden else world.new_list([])

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

    def where(self, thread: Thread) -> tuple[str, int, str] | None:
        """File, line and function at which a living thread stands."""
        if thread.begin is not None:
            proto = self.world.table.proto_of(thread.begin[0].__code__)
            return place_of_entry(proto) if proto is not None else None
        try:
            for frame in self.frames(thread):
                return frame.place() or place_of_entry(frame.proto)
        except DamagedRecord:
            return None
        return None

    def children(self, thread: Thread) -> list[Thread]:
        """The living threads that a thread has started."""
        return [other for other in list(self.world.scheduler.living) if other.parent is thread]


def seen(frame: Frame, reader: Any) -> bool:
    """May a domain see the frame?  Those that run in it or below."""
    domain = frame.values.get(RUNNING) if frame.proto.function.domain else None
    return domain is not None and domain.within(reader)


def in_scope(function: ir.Function, local: str, n: int) -> bool:
    """Does an instruction stand behind the first mention of a local, and in the innermost block that has them all?"""
    block, turns = function.body, False
    while True:
        inside = [(nodes, node) for node in block for nodes in ir.children(node) if of_block(node, nodes, local)]
        if len(inside) != 1 or any(mentions(node, local) for node in block):
            break
        block, node = inside[0]
        turns = isinstance(node, ir.For) and local in node.names
    nodes = ir.walk(block)
    first = min((node.n for node in nodes if turns or mentions(node, local)), default=0) - turns
    return first < n <= max((node.n for node in nodes), default=0)


def of_block(node: ir.Node, nodes: list[ir.Node], local: str) -> bool:
    """Do the nodes inside another one mention a local?  The variables of a loop belong to its body."""
    return (isinstance(node, ir.For) and local in node.names) or mentioned(nodes, local)


def mentioned(nodes: list[ir.Node], local: str) -> bool:
    """Do nodes, or those inside of them, mention a local?"""
    return any(mentions(node, local) or (isinstance(node, ir.For) and local in node.names) for node in ir.walk(nodes))


def mentions(node: ir.Node, local: str) -> bool:
    """Does a node itself mention a local, but as the variable of a loop?"""
    match node:
        case ir.Op():
            return node.dst == local or local in node.args
        case ir.Logic():
            return local in (node.dst, node.left, node.result)
        case ir.If():
            return node.cond == local
        case ir.For():
            return node.iterator == local
        case ir.Try():
            return node.error == local
        case ir.Return():
            return node.value == local
    return False


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
