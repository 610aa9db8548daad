"""Living threads in a world: what a checkpoint writes of each that ran, and how they come back.

Records (see :mod:`holdfast.vm.stacks` for those of frames)::

    ST THREAD   [thread, version, depth, flags, milliseconds, wait, begin, error, mailbox]

``THREAD`` are the 8 bytes of the thread's id.  ``depth`` is the number of its frames on record.  ``flags``: 1 for a
thread that is suspended, 2 for low and 4 for high priority.  ``wait`` is nil or what it waits for
(:mod:`holdfast.vm.waits`); ``begin`` is nil, or for a thread that has not begun its function, its arguments, and names
and values of those that are given by name; ``error`` nil or what is thrown into it when it runs again; ``mailbox`` the
messages that it has not taken.  A thread that has ended has none of these records.

**A consistent step.**  All threads are parked when a checkpoint begins.  What is read of them then is references: of
the objects that these lead to, the checkpoint writes the state of the same moment, as it does for all others.  So no
thread's record ever disagrees with the objects that it works on, and none goes on twice or not at all.

**A record that is damaged** stops its own thread only: that is ``failed``, with an error that says so, and its records
stay, since they may be mended.
"""

from __future__ import annotations

import gc
import struct
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from holdfast.vm import ids
from holdfast.vm.codec import HEAD_BYTES, DamagedRecord, open_record
from holdfast.vm.frames import Frame, Known
from holdfast.vm.objects import Error, live, make_error
from holdfast.vm.side import THREADS
from holdfast.vm.stacks import Codes, Stack, frame_name
from holdfast.vm.store import StoreError
from holdfast.vm.thread import Thread
from holdfast.vm.waits import DAMAGED, Receive, wait_of

if TYPE_CHECKING:
    from holdfast.vm.heap import Heap
    from holdfast.vm.world import World

VERSION = 1
SUSPENDED, LOW, HIGH, KILLED, PARKED = 1, 2, 4, 8, 16
DEPTH = 2
"""Where the number of frames stands in a header."""
RANGE_ABOVE = 64
"""More frames than this are deleted as a range."""
STACKS_MAX = 1_000
"""Threads that keep a stack in memory though they have waited since a checkpoint began; the others are records."""
FLAGS_AT = HEAD_BYTES + 13
"""Where the flags stand in the record of a thread of less than 128 frames: behind the array's head, a reference of ten
bytes, the version and the depth, of one byte each."""
FEW = 20
"""Threads whose headers are taken without a thought to the collector."""
DROPS = 200
"""Stacks dropped in one slice."""
_key = struct.Struct(">1sQ").pack


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the host's garbage collector, which looks at the whole heap whenever so and so much was allocated."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def header_name(oid: int) -> bytes:
    """The name of a thread's record."""
    return _key(THREADS, oid)


class Taken:
    """What a checkpoint writes of one thread."""

    __slots__ = ("depth", "first", "frames", "header", "living", "runs", "stored", "thread")

    def __init__(self, thread: Thread, living: Living) -> None:
        self.thread = thread
        self.living = living
        self.runs = thread.runs
        self.header: list[Any] | None = None
        """None for a thread that has ended."""
        self.first = 0
        """Depth of the first frame that is written, """
        self.frames: list[Frame] = []
        """and it and all further in."""
        self.stored = thread.stored
        """Frames on record before."""
        self.depth = 0

    def records(self, heap: Heap) -> Iterator[tuple[bytes, list[Any] | None]]:
        """Names and values of side records; None for one that goes."""
        if self.thread in self.living.scheduler.unread:
            self.living.read(self.thread)
        oid = self.thread._i or heap.identify(self.thread)
        yield header_name(oid), self.header
        for place, frame in enumerate(self.frames, self.first):
            yield frame_name(oid, place), self.living.codes.values(frame)
        if self.stored - self.depth <= RANGE_ABOVE:
            for place in range(self.depth, self.stored):
                yield frame_name(oid, place), None

    def gone(self) -> tuple[bytes, bytes] | None:
        """From which name up to which other one all records go."""
        if self.stored - self.depth <= RANGE_ABOVE:
            return None
        return frame_name(self.thread._i, self.depth), frame_name(self.thread._i, self.stored)


class Living:
    """The living threads of one world, as its store has them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.scheduler = world.scheduler
        self.scheduler.read_stack = self.read
        self.codes = Codes(world)
        self._last: list[Taken] = []
        """What the last checkpoint has taken."""
        self._parked: deque[tuple[Thread, int]] = deque()
        """Threads that have a stack in memory and have waited since a checkpoint, and how often they had run."""

    def new_stack(self, oid: int = 0, below: int = 0) -> Stack:
        """A stack whose outermost frames are in the store."""
        return Stack(below, partial(self.codes.load, oid))

    # ------------------------------------------------------------------ to the store

    def take(self) -> list[Taken]:
        """All that the checkpoint that is about to begin writes of threads."""
        touched, self.scheduler.touched = self.scheduler.touched, {}
        with uncollected() if len(touched) > FEW else nullcontext():
            self._last = [self._take(thread) for thread in touched if thread not in self.scheduler.damaged]
        return self._last

    def _take(self, thread: Thread) -> Taken:
        taken = Taken(thread, self)
        if thread not in self.scheduler.living:
            thread.stored = -1
            return taken
        taken.header = self._header(thread)
        if thread.begin is None:
            self.scheduler.unread[thread] = taken
        else:
            thread.stored = 0
        return taken

    def read(self, thread: Thread) -> None:
        """Read the stack of a thread for the open checkpoint, which has taken all else of it: nothing changes a stack
        while its thread does not run, so that is time enough, and the checkpoint does not stop the world for it."""
        taken: Taken = self.scheduler.unread.pop(thread)
        stack = thread.stack
        below = stack.below if stack is not None else 0
        data = stack.frames if stack is not None else []
        # Copies: the thread may run before they are written, and goes on with what it has.
        first, frames = below, [Frame(frame.proto, frame.n, frame.result, dict(frame.values)) for frame in data]
        parked = self.scheduler.top_of(thread)
        if parked is not None:
            known = thread.known
            if known is None:
                known = thread.known = Known()
            kept, live = self.scheduler.capture(parked, known)
            if kept:  # then none of the data was entered since
                first, frames = below + len(data) + kept, live
            else:
                frames += live
        taken.first, taken.depth = first, first + len(frames)
        taken.frames = frames
        for frame in frames:
            self.codes.write(frame.proto)
        assert taken.header is not None
        taken.header[DEPTH] = thread.stored = taken.depth

    def _header(self, thread: Thread) -> list[Any]:
        begin = None
        if thread.begin is not None:
            function, args, named = thread.begin
            begin = [function, list(args), [part for pair in named.items() for part in pair]]
        wait = thread.wait.record() if thread.wait is not None else None
        flags = (SUSPENDED if thread.suspended else 0) | (0, HIGH, LOW)[thread.priority]
        if thread.doomed:
            flags |= KILLED
        if not flags and thread.domain is None and self._only_receives(thread):
            flags = PARKED
        mailbox = list(thread.mailbox) if thread.mailbox else []
        return [thread, VERSION, 0, flags, round(thread.spent * 1000), wait, begin, thread.interrupt, mailbox]

    @staticmethod
    def _only_receives(thread: Thread) -> bool:
        """Does nothing make it go on but a message, or who has it in hand?"""
        wait = thread.wait
        return (
            type(wait) is Receive
            and wait.deadline is None
            and not thread.mailbox
            and thread.begin is None
            and thread.interrupt is None
            and thread.over is None
        )

    def written(self) -> None:
        """The checkpoint is written: of the threads that have waited since it began, only some keep their stacks."""
        for taken in self._last:
            thread = taken.thread
            if thread.greenlet is not None and thread.wait is not None and thread.runs == taken.runs:
                self._parked.append((thread, taken.runs))
        self._last = []

    def drop_some(self) -> bool:
        """Drop the stacks of those that wait longest, where there are too many; True when there is more to do."""
        for _ in range(min(DROPS, len(self._parked) - STACKS_MAX)):
            thread, runs = self._parked.popleft()
            if thread.runs == runs and thread.greenlet is not None and thread.wait is not None and thread._i:
                self._drop(thread)
        return len(self._parked) > STACKS_MAX

    def _drop(self, thread: Thread) -> None:
        """Drop the stack of a thread whose record is up to date; where it was lent, the lender's behind it."""
        scheduler = self.scheduler
        link: Thread | None = thread
        while link is not None and not scheduler.lends(link):
            lender = scheduler.lender_of(link)
            scheduler.drop_stack(link)
            link.stack = self.new_stack(link._i, link.stored)
            link = lender if lender is not None and lender._i and lender not in scheduler.touched else None

    # ------------------------------------------------------------------ from the store

    def restore(self) -> None:
        """Bring back the threads that were alive at the last checkpoint."""
        with uncollected():
            self._restore_all()

    def _restore_all(self) -> None:
        self.codes.free()
        found = []
        for key, record in self.world.store.scan(b"S" + THREADS):
            oid = int.from_bytes(key[2:], "big")
            if len(key) != 10 or ids.class_of(oid) != ids.THREAD:
                continue
            thread: Thread = self.world.heap.ref(oid)
            try:
                if len(record) > FLAGS_AT and record[FLAGS_AT - 1] < 0x80 and record[FLAGS_AT] == PARKED:
                    open_record(key, record)  # it is what was written
                    self.scheduler.living[thread] = None
                    continue
                self.world.heap.load(thread)
                self._restore(thread, key, record)
            except (DamagedRecord, StoreError) as error:
                self.quarantine(thread, str(error))
            else:
                found.append(thread)
        for thread in found:
            self._go_on(thread)

    def _go_on(self, thread: Thread) -> None:
        if thread.wait is not None and thread.interrupt is None:
            thread.state = thread.wait.state
            thread.wait.begin(self.scheduler, thread)
            self.scheduler.bound_wait(thread)
        elif not thread.suspended:
            self.scheduler.enqueue(thread)

    def woken(self, thread: Thread) -> None:
        """A ghost of a thread was loaded: one that is alive gets what it needs for that."""
        if thread in self.scheduler.living:
            key = b"S" + header_name(thread._i)
            record = self.world.heap.store.get(key)
            if record is None:
                raise DamagedRecord(ids.kid(thread._i), "how it goes on is missing")
            self._restore(thread, key, record)
            if thread.domain is not None or not self._only_receives(thread):
                raise DamagedRecord(ids.kid(thread._i), "it waits for more than it says")
            self._go_on(thread)

    def lost(self, thread: Thread, why: str) -> bool:
        """The record of a ghost of a thread is damaged; False for one that has ended, which has only that."""
        if thread not in self.scheduler.living:
            return False
        del self.scheduler.living[thread]
        self.quarantine(thread, why)
        return True

    def _restore(self, thread: Thread, key: bytes, record: bytes) -> None:
        heap, scheduler = self.world.heap, self.scheduler
        values = heap.codec.unpack(key, record)
        if len(values) != 9 or values[0] is not thread or values[1] != VERSION:
            raise DamagedRecord(ids.kid(thread._i), "it is not that of a thread")
        _, _, depth, flags, spent, wait, begin, error, mailbox = values
        whole = type(depth) is type(flags) is type(spent) is int and depth >= 0 and flags >= 0 and spent >= 0
        if not whole or type(mailbox) is not list:
            raise DamagedRecord(ids.kid(thread._i), "it is not that of a thread")
        if error is not None and not isinstance(error, Error):
            raise DamagedRecord(ids.kid(thread._i), "it is to be thrown what is no error")
        scheduler.revive(thread)
        if thread.domain is not None:
            scheduler.bounded = scheduler.budgets.weighs = True
        thread.state = "ready"
        thread.stored, thread.spent = depth, spent / 1000
        thread.suspended = bool(flags & SUSPENDED)
        thread.priority = 1 if flags & HIGH else -1 if flags & LOW else 0
        scheduler.ranked = scheduler.ranked or bool(thread.priority)
        if thread.output is not None:
            self.world.consoles.revive(live(thread.output))
        thread.interrupt = error
        if flags & KILLED:
            scheduler.doom(thread)
        thread.mailbox = deque(mailbox) if mailbox else None
        thread.stack = self.new_stack(thread._i, depth)
        if begin is not None:
            thread.begin = _begin(thread, begin)
        if wait is not None:
            thread.wait = wait_of(wait, self.world.thread_class, self.world.message_class)
        scheduler.living[thread] = None

    def quarantine(self, thread: Thread, why: str) -> None:
        """A thread whose records are damaged does not go on."""
        error = make_error("ThreadError", f"this thread cannot go on: {why}")
        error.f_trace = self.world.new_list([])
        scheduler = self.scheduler
        live: Any = thread._live
        thread.__class__ = live  # its own record may be what is damaged
        scheduler.revive(thread)
        thread.name = getattr(thread, "name", "?")
        thread.state, thread.error, thread.result = "failed", error, None
        thread.parent = thread.output = thread.post = None
        thread.domain, thread.over = getattr(thread, "domain", None), None
        thread._t = self.world.heap.token
        thread.stored = DAMAGED
        scheduler.damaged[thread] = why
        scheduler.note_failure(thread)


def _begin(thread: Thread, parts: Any) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """What a thread that has not begun is to call."""
    match parts:
        case [function, list(args), list(named)] if len(named) % 2 == 0 and all(type(n) is str for n in named[::2]):
            if callable(function):
                return function, tuple(args), dict(zip(named[::2], named[1::2], strict=True))
    raise DamagedRecord(ids.kid(thread._i), "it is to call what is no function")
