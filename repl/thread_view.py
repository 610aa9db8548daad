"""Threads as people see them: a row of ``ps``, and all of one for ``inspect``.  No code of a program runs.

All threads are parked when this is called, so what is told is one moment of the world.
"""

from __future__ import annotations

from itertools import islice
from time import monotonic
from types import FunctionType
from typing import TYPE_CHECKING, Any

from holdfast.repl.host import Description, ThreadRow
from holdfast.vm import ids
from holdfast.vm.objects import live
from holdfast.vm.waits import Ask, Join, Receive, Room, Sleep, Space, Wait

if TYPE_CHECKING:
    from holdfast.repl.inspector import Inspector
    from holdfast.vm.thread import Thread
    from holdfast.vm.world import World

FRAMES_MAX = 100
"""Innermost frames that are shown."""
MESSAGES_MAX = 10
"""Messages of a mailbox that are shown."""
NAMED_MAX = 5
"""Threads that are named where one waits for several."""

Waits = dict[str, Any]
"""What a thread waits for: ``for``, and perhaps ``seconds`` and ``threads`` (KIDs)."""


def thread_rows(world: World) -> list[ThreadRow]:
    """The threads that are alive, the oldest first."""
    return [row_of(world, thread) for thread in list(world.scheduler.living)]


def row_of(world: World, thread: Thread) -> ThreadRow:
    """One thread."""
    kid, name, state = ids.kid(world.give_id(thread)), str(thread.f_name), str(thread.f_state)
    parent, console = kid_of(thread.f_parent), kid_of(thread.f_output)
    if thread not in world.scheduler.living:
        return ThreadRow(kid, name, state, "", parent=parent, console=console)
    place, objects = world.looking.where(thread)
    at = f"{place[0]}:{place[1]} in {place[2]}" if place is not None else ""
    spent, waiting = round(thread.spent * 1000), len(thread.mailbox or ())
    return ThreadRow(kid, name, state, at, spent, waiting, parent, console, domain_of(world, thread), objects)


def domain_of(world: World, thread: Thread) -> str:
    """What a thread may do: the domains that it is in, the innermost last; its grants with their rights; its budget."""
    domain = thread.domain
    if domain is None:
        return ""
    monitor = world.monitor
    chain = [domain]
    while (above := chain[-1].parent) is not None and above is not monitor.top:
        chain.append(above)
    names = " > ".join(str(one.name) for one in reversed(chain))
    grants = [f"{name}:{monitor.rights(domain, value) or '-'}" for name, value in live(domain.grants).v.items()]
    budget = [f"{kind} {used:_}/{given:_}" for kind, (used, given) in world.authority.budgets.shown(thread).items()]
    return f"{names} [{' '.join(grants)}]" + (f" {', '.join(budget)}" if budget else "")


def kid_of(obj: Any) -> str:
    """The KID of an object that may be nil, and may have none."""
    return ids.kid(obj._i) if obj is not None and obj._i else ""


# --------------------------------------------------------------------------- what it waits for


def waits(thread: Thread) -> Waits | None:
    """What a living thread waits for, as data."""
    wait: Wait | None = thread.wait
    match wait:
        case None:
            return None
        case Sleep():
            return {"for": "time", "seconds": left(wait.deadline.at)}
        case Receive():
            found: Waits = {"for": "message"}
            return found | ({"seconds": left(wait.deadline.at)} if wait.deadline is not None else {})
        case Join():
            return {"for": "end", "threads": [kid_of(other) for other in wait.threads]}
        case Ask():
            return {"for": "answer", "threads": [kid_of(wait.thread)]}
        case Space():
            return {"for": "mailbox", "threads": [kid_of(wait.thread)]}
        case Room():
            return {"for": "output"}
    return {"for": "host"}


def left(at: float) -> float:
    """Seconds until a time of the monotonic clock."""
    return round(max(0.0, at - monotonic()), 3)


def in_words(found: Waits) -> str:
    """The same for people."""
    threads = found.get("threads", [])
    several = len(threads) > 1
    names = ", ".join(kid or "?" for kid in threads[:NAMED_MAX]) + (", …" if len(threads) > NAMED_MAX else "")
    words = {
        "time": "a time",
        "message": "a message",
        "end": f"the end of one of {names}" if several else f"the end of {names}",
        "answer": f"the answer of {names}",
        "mailbox": f"room in the mailbox of {names}",
        "output": "room for more output",
        "host": "something that the host does",
    }[found["for"]]
    seconds = found.get("seconds")
    return words if seconds is None else f"{words}, {seconds:g} s more"


# --------------------------------------------------------------------------- all of it


def stack_of(world: World, thread: Thread, limit: int = FRAMES_MAX) -> list[dict[str, Any]]:
    """Its frames, the innermost first: ``function``, ``file``, ``line``, ``source`` and ``locals``.

    Of a thread that failed those in which it did.  Raises DamagedRecord.
    """
    from holdfast.vm.looking import place_of_entry
    from holdfast.vm.objects import live

    looking, found = world.looking, []
    if thread in world.scheduler.living:
        for frame in islice(looking.frames(thread), limit):
            found.append(dict(live(looking.frame_map(frame)).v))
        if thread.begin is not None:  # it has not begun: where it will
            function = thread.begin[0]
            proto = world.table.proto_of(function.__code__) if isinstance(function, FunctionType) else None
            if proto is not None:
                file, line, name = place_of_entry(proto)
                found = [{"function": name, "file": file, "line": line, "source": "", "locals": None}]
    else:
        post = thread.post
        found = [dict(live(one).v) for one in live(post).v] if post is not None else []
    for one in found:
        one["locals"] = dict(live(one["locals"]).v) if one["locals"] is not None else {}
    return found


def fields_of(world: World, thread: Thread) -> list[tuple[str, Any]]:
    """Names and values of what it is made of, besides its stack."""
    alive = thread in world.scheduler.living
    found: list[tuple[str, Any]] = [("name", thread.f_name), ("state", thread.f_state)]
    if alive:
        found += [("cpu_ms", round(thread.spent * 1000)), ("mailbox", len(thread.mailbox or ()))]
    else:
        found += [("result", thread.f_result)] if thread.f_state == "done" else [("error", thread.error)]
    return [*found, ("parent", thread.f_parent), ("output", thread.f_output)]


def messages_of(thread: Thread) -> list[Any]:
    """The first messages of a living thread's mailbox."""
    return [message.f_value for message in islice(thread.mailbox or (), MESSAGES_MAX)]


def describe_thread(inspector: Inspector, thread: Thread, width: int) -> Description:
    """A thread, taken apart."""
    from holdfast.repl.inspector import brief, plain
    from holdfast.vm.codec import DamagedRecord

    world, room = inspector.world, max(40, width - 24)
    alive = thread in world.scheduler.living
    fields = fields_of(world, thread)
    found = waits(thread) if alive else None
    messages = messages_of(thread) if alive else []
    rows = [(name, pointed(value, room)) for name, value in fields]
    may = domain_of(world, thread)
    if may:
        rows.append(("domain", may))
    if found is not None:
        rows.insert(2, ("waits for", in_words(found)))
    for number, message in enumerate(messages):
        rows.append((f"message {number}", pointed(message, room)))
    frames: list[dict[str, Any]] = []
    try:
        frames = stack_of(world, thread)
    except DamagedRecord as error:
        rows.append(("stack", f"it cannot be read: {error}"))
    for number, frame in enumerate(frames):
        rows.append((f"#{number}", f"{frame['function']} at {frame['file']}:{frame['line']}"))
        rows += [("", f"| {brief_source(frame['source'], room)}")] if frame["source"] else []
        rows += [(f"   {name}", pointed(value, room)) for name, value in frame["locals"].items()]
    if len(frames) == FRAMES_MAX:
        rows.append(("…", "further frames are left out"))
    data: dict[str, Any] = {
        "kind": "Thread",
        "id": kid_of(thread) or None,
        "parts": {name: plain(value) for name, value in fields},
        "domain": may,
        "waits": found,
        "messages": [plain(message) for message in messages],
        "frames": [
            frame | {"locals": {name: plain(value) for name, value in frame["locals"].items()}} for frame in frames
        ],
    }
    title = "  ".join(part for part in ("Thread", kid_of(thread), brief(thread.f_name, 40)) if part)
    return Description(title, rows, data)


def brief_source(text: str, room: int) -> str:
    """A line of source."""
    return text if len(text) <= room else text[: room - 1] + "…"


def pointed(value: Any, room: int) -> str:
    """A value on one line; of an object the KID too, with which one can follow it."""
    from holdfast.repl.inspector import brief
    from holdfast.vm.objects import Obj

    kid = kid_of(value) if isinstance(value, Obj) else ""
    text = brief(value, room - len(kid) - 2 if kid else room)
    return f"{text}  {kid}" if kid and kid not in text else text
