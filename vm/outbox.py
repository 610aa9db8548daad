"""The durability contract: checkpoints are made in time, and nothing leaves before the one that it depends on.

What programs print waits in the outbox.  Each checkpoint notes how much of it was there when it began; when it is
durable, that much is released.  Output that depends on nothing new (nothing has changed since the last durable
checkpoint began) leaves at once.

Each text goes where its thread writes (``Thread.output``), by default to :attr:`Outbox.write`.  An answer to somebody
outside waits in the same way: it is an empty text whose ``write`` gives the answer, and leaves in its turn.  What is
done to the outside by a helper thread is a :class:`Deed` (:mod:`holdfast.vm.file_outbox`).

:meth:`Outbox.background` does one slice of all this between two time slices of threads: a step of the open
checkpoint, the release of output, the beginning of the next checkpoint, a step of the eviction sweep.

After a failed write or flush no guest runs until the store is open again and everything that is not known to be
durable has been written once more; when that fails too, the error is raised to whoever drives the world.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from itertools import groupby
from operator import itemgetter
from time import monotonic
from typing import TYPE_CHECKING, Any

from holdfast.vm.checkpoint import Checkpoint, Checkpointer
from holdfast.vm.codec import open_record
from holdfast.vm.heap import Heap
from holdfast.vm.store import StoreError

if TYPE_CHECKING:
    from holdfast.vm.living import Living
    from holdfast.vm.thread import Thread

SIZE_MAX = 1 << 20
"""Characters that may wait for a checkpoint; a thread that prints more has to wait."""

SWEEP_S = 0.002
"""How long a slice of the eviction sweep takes: a fifth of the time that a thread runs between two of them."""


class Deed:
    """What leaves as an empty text: it is called when the checkpoint that it depends on is durable."""

    def __call__(self, text: str) -> None:
        """Begin to do it; who does it puts it on :attr:`Outbox.returned` at the end, and calls :attr:`Outbox.wake`."""
        raise NotImplementedError

    def withdraw(self) -> None:
        """It never was: the ``atomic`` that ordered it was undone."""
        raise NotImplementedError

    def settle(self) -> None:
        """It was done; called in the thread that drives the world."""
        raise NotImplementedError


class Outbox:
    """Output and checkpoints of one world."""

    def __init__(self, heap: Heap, checkpointer: Checkpointer, wake: Callable[[], None]) -> None:
        self.heap = heap
        self.checkpointer = checkpointer
        self.wake = wake
        """Called from the flush thread when a checkpoint has become durable."""
        self.write: Callable[[str], None] = lambda text: None
        """Where released output goes that has no other place."""
        self.meta: dict[bytes, bytes | None] = {}
        """Named records that the next checkpoint writes."""
        self.taken: dict[bytes, bytes | None] = {}
        """Those that the open checkpoint has taken."""
        self.side: dict[bytes, list[Any] | None] = {}
        """Side records likewise."""
        self.returned: deque[Deed] = deque()
        """Deeds that are done, and not settled."""
        self.texts: list[tuple[str, Callable[[str], None] | None]] = []
        """What waits, in order, and where it goes."""
        self.size = 0
        self.waiting: list[Thread] = []
        """Threads that wait until it is not full any more."""
        self.living: Living
        self.emptied: Callable[[Outbox], None] = lambda outbox: None
        """Lets them go on."""
        self.marks: list[int] = []
        """Length of ``texts`` at the beginning of each open ``atomic``: what came later is undone with it."""
        self.written: list[Checkpoint] = []
        """Checkpoints that are written and not yet released, the oldest first."""
        self.shares: dict[int, int] = {}
        """Checkpoint number to how many texts depend on it."""
        self.collect: Callable[[], float | None] = lambda: None
        """A slice of the collection that threads wait for."""
        self.sweep: Iterator[None] | None = None
        self.jobs: list[Generator[object, None, None]] = []
        """Work that reads a snapshot of the store between slices: it ends when the store must be opened again."""

    @property
    def full(self) -> bool:
        """Must a thread that prints wait?"""
        return self.size > SIZE_MAX

    def print(self, text: str, write: Callable[[str], None] | None = None) -> None:
        """A program prints; ``write`` is where it goes."""
        self.texts.append((text, write))
        self.size += len(text)

    # ------------------------------------------------------------------ atomic

    def begin_atomic(self) -> None:
        """A level of ``atomic`` begins."""
        self.marks.append(len(self.texts))

    def commit_atomic(self) -> None:
        """It ends; its output stays."""
        self.marks.pop()

    def abort_atomic(self) -> None:
        """It is undone, and its output with it."""
        mark = self.marks.pop()
        undone = self.texts[mark:]
        del self.texts[mark:]
        for text, write in undone:
            self.size -= len(text)
            if isinstance(write, Deed):
                write.withdraw()

    # ------------------------------------------------------------------ slices

    @property
    def busy(self) -> bool:
        """Is there something to do at the next safepoint?"""
        return bool(self.heap.open or self.texts or self.sweep) or self.checkpointer.due(monotonic())

    @property
    def changed(self) -> bool:
        """Would a checkpoint write something?"""
        return self.heap.changed or bool(self.meta) or bool(self.side) or bool(self.living.scheduler.touched)

    def background(self) -> float | None:
        """One slice; returns when it wants to be called again: 0 at once, None when nothing is to be done.

        Raises StoreError when the store failed and could not be recovered.
        """
        delay = self.write_some()
        if delay == 0 or self.heap.levels:
            return delay
        other = self.collect()
        return other if delay is None else delay if other is None else min(delay, other)

    def write_some(self) -> float | None:
        """A slice of what is written, evicted and told; returns the same."""
        if self.checkpointer.failed is not None:
            self.recover()
        if self.returned:
            self.settle()
        if self.heap.open is not None and self.step(self.heap.open):
            return 0
        self.release()
        if self.heap.levels:
            return None
        if self.living.drop_some():
            return 0
        if self.texts and not self.changed and not self.written:
            self.leave(len(self.texts))
        fresh = len(self.texts) > sum(self.shares.values())
        if self.changed:
            now = monotonic()
            if (fresh and not self.written) or self.checkpointer.due(now):
                self.begin()
                return 0
            return 0 if self.evict() else self.checkpointer.wait_s(now)
        return 0 if self.evict() else None

    def step(self, checkpoint: Checkpoint) -> bool:
        """A slice of the open checkpoint; False when all of it is written."""
        try:
            more = checkpoint.step()
        except StoreError:
            self.recover()
            return True
        if not more:
            self.taken = {}
            self.written.append(checkpoint)
            self.living.written()
        return more

    def side_record(self, key: bytes) -> bytes | None:
        """A side record's text as it is now."""
        for waiting in (self.meta, self.taken):
            if key in waiting:
                return waiting[key]
        record = self.heap.store.get(b"M" + key)
        return bytes(open_record(b"M" + key, record)) if record is not None else None

    def evict(self) -> bool:
        """A slice of the sweep that keeps the world within its memory; False when none is needed."""
        if self.heap.open is not None:
            return False
        if self.sweep is None:
            if not self.heap.over_limit:
                return False
            self.sweep = self.heap.sweep()
        end = monotonic() + SWEEP_S
        while monotonic() < end:
            if next(self.sweep, self) is self:
                self.sweep = None
                return False
        return True

    def begin(self) -> Checkpoint:
        """Begin a checkpoint of the world as it is now."""
        threads = self.living.take()  # which may add to what is written beside
        self.taken, self.meta = self.meta, {}
        side, self.side = self.side, {}
        made = self.checkpointer.begin(side, self.taken, on_durable=lambda _: self.wake(), threads=threads)
        self.shares[made.number] = len(self.texts) - sum(self.shares.values())
        return made

    def release(self) -> None:
        """Let the output of durable checkpoints go; none while the store has failed."""
        while self.written and self.written[0].durable and self.checkpointer.failed is None:
            self.leave(self.shares.pop(self.written.pop(0).number, 0))

    def leave(self, count: int) -> None:
        """The first texts leave the world."""
        leaving = self.texts[:count]
        del self.texts[:count]
        self.size -= sum(len(text) for text, _ in leaving)
        for write, group in groupby(leaving, key=itemgetter(1)):
            (write or self.write)("".join(text for text, _ in group))
        if self.waiting and not self.full:
            self.emptied(self)

    def settle(self) -> None:
        """Settle what was done."""
        while self.returned:
            self.returned.popleft().settle()

    def force(self) -> None:
        """Make the world as it is now durable, and release all output.

        Raises StoreError when that cannot be.
        """
        if self.checkpointer.failed is not None:
            self.recover()
        if self.heap.open is not None:
            self.finish(self.heap.open)
        if self.changed or self.texts or self.written:
            self.checkpointer.awaited = made = self.begin()
            self.finish(made)
            self.checkpointer.wait(made)
        self.release()

    def recover(self) -> None:
        """After a failure of the store: open it again, which no snapshot may be in the way of."""
        while self.jobs:
            self.jobs.pop().close()
        self.checkpointer.recover()

    def finish(self, checkpoint: Checkpoint) -> None:
        """All slices of a checkpoint at once."""
        while self.step(checkpoint):
            pass
