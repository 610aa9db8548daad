"""Checkpoints: atomic, consistent steps of the whole world on disk.

A checkpoint is begun in a pause that takes the dirty set, the roots and the machine's side records and starts a new
epoch; it costs no more for a large world than for a small one.  Then it goes on in slices of about ``SLICE_S``, and
guests run between them.  It writes the world as it was at its beginning: before anything that it still has to encode
is changed, the barrier saves its image (:meth:`Checkpoint.save`).

Order of writing:

1. records of *new* objects, in batches of at most ``AHEAD_MAX``, as they are found by tracing from what is dirty.
   They change nothing that a reader sees: nothing on disk refers to them yet, and until the commit record is there
   their ids are above the high-water mark, so they are ignored, and deleted at the next opening;
2. one batch with the overwritten records, the side records and the commit record.  With it the checkpoint is
   *written*: safe against a killed process;
3. a flush, in the helper thread or by who waits for it, after which it is *durable*, and ``on_durable`` is called.
   A flush speaks only for checkpoints whose write returned before it began.

When a write or a flush fails, nothing is acknowledged; all batches of checkpoints that are not durable are kept, and
:meth:`Checkpointer.recover` reopens the store and writes them again, in order.  A flush is never retried on the same
open store: what a failed one has lost is not known.

The commit record ``[number, high-water mark, name, id, name, id, ...]`` ends with the roots.
"""

from __future__ import annotations

import atexit
import gc
import threading
from collections import deque
from itertools import chain
from queue import SimpleQueue
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any, Protocol, cast

from holdfast.vm import ids, memory
from holdfast.vm.cadence import Cadence
from holdfast.vm.codec import Pieces, seal_record
from holdfast.vm.heap import COMMIT_KEY
from holdfast.vm.objects import Obj
from holdfast.vm.pieces import PIECES_ABOVE, PieceChanges, Sink, piece_range
from holdfast.vm.store import StoreError, object_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import FunctionType

    from holdfast.vm.batch import Batch
    from holdfast.vm.domains import Domain
    from holdfast.vm.heap import Heap

SLICE_S = 0.002
"""How long one step may take; what cannot be interrupted is the write of a batch."""
AHEAD_MAX = 2_000
"""New objects in one batch written ahead: RocksDB holds the interpreter's lock for about 0.5 µs for each."""
LARGE = 1_000
"""Elements of a raw container from which on its new elements get their ids in slices, before it is encoded."""
TOGETHER_MAX = 500
"""Up to so many new records go in the last batch: one write for a small checkpoint."""
SAMPLES_MAX = 512


class ThreadRecords(Protocol):
    """What is written of a thread (:class:`holdfast.vm.living.Taken`)."""

    def records(self, heap: Heap) -> Iterable[tuple[bytes, list[Any] | None]]:
        """Names and values of side records; None for one that goes."""

    def gone(self) -> tuple[bytes, bytes] | None:
        """From which name up to which other one all side records go."""


class Checkpoint:
    """One checkpoint, from its beginning until it is durable.  Iterate to run it: each turn is a slice."""

    def __init__(
        self,
        owner: Checkpointer,
        side: Mapping[bytes, list[Any] | None],
        meta: Mapping[bytes, bytes | None],
        on_durable: Callable[[Checkpoint], None] | None,
        threads: Sequence[ThreadRecords],
    ) -> None:
        started = perf_counter()
        heap = owner.heap
        self.number = heap.commit_number + 1
        self.on_durable = on_durable
        self.batches: list[Batch] = []
        """What it has handed to the store, or tried to."""
        self.done = False
        """All is written; what remains is the flush."""
        self.durable = False
        """It will be found after a power cut (with durability "process": after a killed process)."""
        self.settled = False
        """It is durable, or its flush failed."""
        self.records = self.bytes = 0
        self._serial = heap.serial
        self._owner = owner
        self._heap = heap
        self._pending: dict[int, Obj] = heap.dirty
        """Objects with records that must be encoded yet."""
        self._new: dict[int, Obj | FunctionType] = {}
        """Objects that this checkpoint gave an id, and must encode yet: those that it is about to, """
        self._found: dict[int, Obj | FunctionType] = {}
        """and those that it has found since.  In order of their ids, since RocksDB takes them twice as fast so."""
        self._images: dict[int, tuple[Obj, list[Any]]] = {}
        """State of objects that were changed since the beginning, by the host's ``id``."""
        self._held: list[Any] = []
        """Encoded objects: until all is written, reading one again would give an older state, so they must live."""
        self._frozen: list[PieceChanges] = []
        self._side = side
        self._meta = meta
        self._threads = list(threads)
        self._roots = dict(heap.roots)
        self._slice_end = 0.0
        self._last = Sink(heap.store.batch())
        """What must become visible in one step."""
        self._ahead = Sink(heap.store.nothing)
        """What nobody looks at before that; most checkpoints have none of it."""
        heap.dirty = {}
        heap.piece_changes = 0
        heap.roots_changed = False
        self.epoch = heap.new_epoch().n
        """Objects with an older token than this may be part of the checkpoint."""
        heap.open = self
        self._work = self._run()
        self.cost = self.pause = perf_counter() - started

    # ------------------------------------------------------------------ called by the barrier

    def save(self, obj: Obj) -> None:
        """Keep the state of an object that is about to be changed, if the checkpoint may still have to encode it."""
        oid = obj._i
        if id(obj) not in self._images and (not oid or oid in self._pending or oid in self._new or oid in self._found):
            self._images[id(obj)] = (obj, self._heap.image(obj))

    # ------------------------------------------------------------------ the work, in slices

    def __iter__(self) -> Iterator[None]:
        while self.step():
            yield

    def step(self) -> bool:
        """Do one slice; False when all is written.

        Raises StoreError when a write failed: :meth:`Checkpointer.recover`, then go on.
        """
        if self.done:
            return False
        started = perf_counter()
        self._slice_end = started + SLICE_S
        self._heap.found = self._found
        # The host's collector runs when so and so much was allocated, and looks at the whole heap: not inside a slice,
        # whose length is promised, but when guests allocate again.
        collecting = gc.isenabled()
        gc.disable()
        try:
            batch = next(self._work, None)
        finally:
            self._heap.found = None
            if collecting:
                gc.enable()
        if batch is None:
            self._finish()
        elif batch:
            self.batches.append(batch)
            self.records += len(batch)
            self.bytes += batch.bytes
            self._owner.write(batch)
            if self._heap.store.durability == "process":
                self.batches.clear()  # a failure of a later write cannot take this one back
            if batch is self._last.batch:
                self._finish()
        took = perf_counter() - started
        self.cost += took
        self.pause = max(self.pause, took)
        return not self.done

    def run(self) -> None:
        """Do all slices at once."""
        while self.step():
            pass

    def late(self) -> bool:
        """True when the slice has used its time."""
        return perf_counter() > self._slice_end

    def _run(self) -> Iterator[Batch | tuple[()]]:
        """Encode; each yield ends a slice and gives a batch to write, or nothing."""
        heap, pending, last = self._heap, self._pending, self._last
        for root in self._roots.values():
            if not root._i:
                heap.identify(root)
        while pending:
            oid, obj = pending.popitem()
            yield from self._slices(self._encode(oid, obj, last))
        for name, values in self._side.items():
            key = b"S" + name
            if values is None:
                last.batch.delete(key)
            else:
                last.batch.put(key, heap.codec.record(key, values))
            if self.late():
                yield ()
        for thread in self._threads:
            for name, values in thread.records(heap):
                key = b"S" + name
                if values is None:
                    last.batch.delete(key)
                else:
                    last.batch.put(key, heap.codec.record(key, values))
            gone = thread.gone()
            if gone is not None:
                last.batch.delete_range(b"S" + gone[0], b"S" + gone[1])
            if self.late():
                yield ()
        yield from self._trace()
        for name, record in self._meta.items():
            key = b"M" + name
            if record is None:
                last.batch.delete(key)
            else:
                last.batch.put(key, seal_record(key, record))
        for key, counted in heap.stock.records(heap.codec):
            if counted is None:
                last.batch.delete(key)
            else:
                last.batch.put(key, counted)
        roots = [part for pair in self._roots.items() for part in pair]
        last.batch.put(COMMIT_KEY, heap.codec.record(COMMIT_KEY, [self.number, heap.serial, *roots]))
        yield last.batch

    def _slices(self, work: Iterable[None]) -> Iterator[Batch | tuple[()]]:
        """End the slice where the work has taken long, or filled the batch that goes ahead."""
        ahead = self._ahead
        for _ in work:
            if len(ahead.batch.keys) >= AHEAD_MAX:
                yield ahead.batch
                ahead.batch = self._heap.store.batch()
            elif self.late():
                yield ()
        if self.late():
            yield ()

    def _trace(self) -> Iterator[Batch | tuple[()]]:
        """Encode what is new, and what is found by that; a few go with the last batch, many go ahead."""
        heap, ahead, images = self._heap, self._ahead, self._images
        if self._found and ahead.batch is heap.store.nothing:
            ahead.batch = heap.store.batch()
        layouts, record, state = heap.layouts, heap.codec.record, heap.state
        hold, put = self._held.append, ahead.batch.put
        while self._found:
            self._new, self._found = self._found, {}
            heap.found, new = self._found, self._new
            for oid in list(new):
                obj = new.pop(oid)
                layout = layouts.get(type(obj))
                if layout is None or layout.collection or images:
                    yield from self._slices(self._encode(oid, obj, ahead))
                    put = ahead.batch.put
                else:  # as _encode does, without its detours: nearly all objects come this way
                    hold(obj)
                    key = object_key(oid)
                    values = state(obj, layout)  # type: ignore[arg-type]  # a function has no layout
                    made = record(key, values)
                    put(key, made)
                    if values[2] is not None:
                        heap.stock.put(values[2], key, made, known=False)
                if len(ahead.batch.keys) >= AHEAD_MAX:
                    yield ahead.batch
                    ahead.batch = heap.store.batch()
                    put = ahead.batch.put
                elif perf_counter() > self._slice_end:
                    yield ()
        if len(ahead.batch) <= TOGETHER_MAX:
            self._last.batch.repeat(ahead.batch)
        else:
            yield ahead.batch

    def _encode(self, oid: int, obj: Obj | FunctionType, sink: Sink) -> Iterable[None]:
        """Put the object's record, as it was at the beginning; what is left to do for a large one is iterated over."""
        heap = self._heap
        self._held.append(obj)
        if not isinstance(obj, Obj):
            self._put(oid, heap.function_state(obj), sink)
            return ()
        saved = self._images.pop(id(obj), None) if self._images else None
        layout = heap.layouts[type(obj)]
        if saved is not None:
            values = saved[1]
            heap.dirty[oid] = obj  # a new object had no id when it was changed: the barrier could not do it
        else:
            values = heap.state(obj, layout)
        if not layout.collection:
            self._put(oid, values, sink)
            return ()
        return self._encode_collection(oid, obj, values, saved is not None, sink)

    def _encode_collection(self, oid: int, obj: Any, values: list[Any], saved: bool, sink: Sink) -> Iterable[None]:
        contents = values.pop()
        number = values[0]
        raw = type(contents) in (list, dict)
        if raw and not saved and len(contents) > PIECES_ABOVE[number]:
            contents = memory.split(self._heap, obj, contents)
            raw = type(contents) in (list, dict)
            if not raw and sink is self._last:
                # Pieces are not looked at while the record on disk has the contents themselves: they can go ahead.
                # An earlier attempt that was not committed may have left some.
                self._put(oid, [*values, Pieces(contents.freeze().header)], sink)
                return self._split_ahead(oid, contents.frozen, values[2])
        if not raw:
            changes = contents if isinstance(contents, PieceChanges) else contents.freeze()
            self._frozen.append(changes)
            self._put(oid, [*values, Pieces(changes.header)], sink)
            if values[2] is not None:
                sink = self._heap.stock.metered(values[2], sink, sink is self._last)
            return cast("Iterable[None]", changes.write(self._heap, sink))
        if number == ids.MAP:
            contents = list(chain.from_iterable(contents.items()))
        elif number == ids.SET or (len(contents) > LARGE and not saved):
            contents = list(contents)
        values.append(contents)
        if len(contents) > LARGE:
            return self._put_large(oid, values, sink)
        self._put(oid, values, sink)
        return ()

    def _split_ahead(self, oid: int, changes: PieceChanges, owner: Domain | None) -> Iterator[None]:
        self._frozen.append(changes)
        if self._ahead.batch is self._heap.store.nothing:
            self._ahead.batch = self._heap.store.batch()
        self._ahead.batch.delete_range(*piece_range(oid))
        sink = self._ahead if owner is None else self._heap.stock.metered(owner, self._ahead, known=False)
        yield from changes.write(self._heap, sink)

    def _put_large(self, oid: int, values: list[Any], sink: Sink) -> Iterator[None]:
        """Give ids to what is new in a large container, then encode it, which is quick then."""
        heap = self._heap
        for value in values[-1]:
            if isinstance(value, Obj) and not value._i:
                heap.identify(value)
                yield
        self._put(oid, values, sink)

    def _put(self, oid: int, values: list[Any], sink: Sink) -> None:
        key, heap, owner = object_key(oid), self._heap, values[2]
        heap.large.owner = owner  # what is so large that it has a record of its own belongs to the same domain
        record = heap.codec.record(key, values)
        heap.large.owner = None
        sink.batch.put(key, record)
        if owner is not None:
            heap.stock.put(owner, key, record, known=sink is self._last)

    def _finish(self) -> None:
        heap = self._heap
        heap.open = None
        heap.commit_number = self.number
        if self.records:  # objects that have got their ids count from now on
            new, size = heap.serial - self._serial, self.bytes // self.records
            heap.memory_used += new * (memory.SHELL_BYTES + memory.RECORD_FACTOR * size)
        self.done = True
        self._images.clear()
        self._held.clear()
        self._threads.clear()
        for changes in self._frozen:
            changes.settle()
        self._frozen.clear()
        heap.stock.settle()
        self._owner.written(self)


class Checkpointer:
    """Begins checkpoints of one heap, has them flushed, and knows which are durable.

    ``on_failed`` is called, perhaps in the helper thread, when a flush failed; a failed write is raised where the
    step is run.  Either way guests must be stopped, and :meth:`recover` called.
    """

    def __init__(
        self,
        heap: Heap,
        *,
        cadence: Cadence | None = None,
        on_failed: Callable[[StoreError], None] | None = None,
    ) -> None:
        self.heap = heap
        self.cadence = cadence or Cadence()
        self.on_failed = on_failed
        self.failed: StoreError | None = None
        """The error after which :meth:`recover` is due."""
        self.awaited: Checkpoint | None = None
        """One that somebody will :meth:`wait` for: who waits flushes it, which saves two switches of thread."""
        self.statistics = Statistics()
        self._kept: list[Checkpoint] = []
        """Begun and not known to be durable, the oldest first."""
        self._lock = threading.Lock()
        """Guards ``_kept``, ``failed`` and the statistics; never held during a flush."""
        self._flushing = threading.Lock()
        self._told = threading.Condition()
        """Who waits for a checkpoint is told that it is settled."""
        self._queue: SimpleQueue[Checkpoint | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def begin(
        self,
        side: Mapping[bytes, list[Any] | None] | None = None,
        meta: Mapping[bytes, bytes | None] | None = None,
        on_durable: Callable[[Checkpoint], None] | None = None,
        threads: Sequence[ThreadRecords] = (),
    ) -> Checkpoint:
        """Begin a checkpoint of the world as it is now.

        ``side`` are the machine's own records by name, each a list of values of Hold (None deletes one); ``meta``
        the same with bytes, to which more may come as stacks are read; ``threads`` what was taken of those that ran.
        ``on_durable`` is called in the thread that flushes.  No other checkpoint may be being written, and no
        ``atomic`` be open.
        """
        if self.failed is not None:
            raise self.failed
        if self.heap.open is not None or self.heap.levels:
            raise RuntimeError("a checkpoint cannot begin inside another one, or inside an atomic block")
        made = Checkpoint(self, side or {}, {} if meta is None else meta, on_durable, threads)
        with self._lock:
            self._kept.append(made)
        return made

    def due(self, now: float) -> bool:
        """Whether one should be begun that nobody forces, if something has changed."""
        return (
            self.heap.open is None
            and not self.heap.levels
            and self.cadence.due(now, len(self.heap.dirty) + self.heap.piece_changes)
        )

    def wait_s(self, now: float) -> float:
        """Seconds until one is due that nobody forces."""
        return self.cadence.wait(now, len(self.heap.dirty) + self.heap.piece_changes)

    def force(
        self, side: Mapping[bytes, list[Any] | None] | None = None, meta: Mapping[bytes, bytes | None] | None = None
    ) -> Checkpoint:
        """Finish the open checkpoint, do one of the world as it is now, and wait until it is durable."""
        if self.heap.open is not None:
            self.heap.open.run()
        self.awaited = made = self.begin(side, meta)
        made.run()
        self.wait(made)
        return made

    def wait(self, checkpoint: Checkpoint) -> None:
        """Wait until a checkpoint that was written is durable.

        Raises the StoreError that prevented it.
        """
        if checkpoint is self.awaited:
            self.awaited = None
            if self.failed is None and not checkpoint.settled:
                with self._lock:
                    written = [kept for kept in self._kept if kept.done]
                self._flush(written)
        if not checkpoint.settled:
            with self._told:
                self._told.wait_for(lambda: checkpoint.settled)
        if not checkpoint.durable:
            raise self.failed or StoreError("the world was closed")

    def write(self, batch: Batch) -> None:
        """Hand a checkpoint's batch to the store."""
        try:
            self.heap.store.write(batch)
        except StoreError as error:
            self.failed = error
            raise

    def written(self, checkpoint: Checkpoint) -> None:
        """A checkpoint's last write returned: flush it."""
        self.cadence.finished(monotonic(), checkpoint.cost)
        if self.heap.store.durability == "process":
            self._acknowledge([checkpoint], 0.0)
            return
        if checkpoint is self.awaited:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._flush_loop, name="holdfast-flush", daemon=True)
            self._thread.start()
            # A thread that the interpreter ends inside RocksDB aborts the process.
            atexit.register(self.close)
        self._queue.put(checkpoint)

    def _flush_loop(self) -> None:
        """The helper thread: one flush for all checkpoints whose write returned before it begins."""
        queue = self._queue
        while True:
            batch = [queue.get()]
            while not queue.empty():
                batch.append(queue.get())
            written = [checkpoint for checkpoint in batch if checkpoint is not None]
            if written and self.failed is None:
                self._flush(written)
            if None in batch:
                return

    def _flush(self, written: list[Checkpoint]) -> None:
        with self._flushing:
            written = [checkpoint for checkpoint in written if not checkpoint.durable]
            if not written:
                return  # another thread's flush has spoken for them
            started = perf_counter()
            try:
                self.heap.store.flush()
            except StoreError as error:
                with self._lock:
                    self.failed = error
                self._settle(written)
                if self.on_failed is not None:
                    self.on_failed(error)
                return
            self._acknowledge(written, perf_counter() - started)

    def _acknowledge(self, written: list[Checkpoint], flush_s: float) -> None:
        with self._lock:
            for checkpoint in written:
                self._kept.remove(checkpoint)
                self.statistics.add(checkpoint, flush_s)
        for checkpoint in written:
            checkpoint.durable = True
            while checkpoint.batches:  # one by one: to free them all at once would stop the other threads
                del checkpoint.batches[-1]
        self._settle(written)
        for checkpoint in written:
            if checkpoint.on_durable is not None:
                checkpoint.on_durable(checkpoint)

    def _settle(self, checkpoints: list[Checkpoint]) -> None:
        """Tell who waits for these."""
        with self._told:
            for checkpoint in checkpoints:
                checkpoint.settled = True
            self._told.notify_all()

    def recover(self) -> None:
        """After a failure: reopen the store, write again what is not known to be durable, and flush it.

        A checkpoint that was being written can be gone on with afterwards.  Raises StoreError when that fails too;
        nothing is lost then, and it can be tried again.
        """
        with self._flushing:
            store = self.heap.store
            store.reopen()
            with self._lock:
                kept = list(self._kept)
            for checkpoint in kept:
                for batch in checkpoint.batches:
                    store.write(batch)
            store.flush()
            with self._lock:
                self.failed = None
            self._acknowledge([checkpoint for checkpoint in kept if checkpoint.done], 0.0)

    def close(self) -> None:
        """End the helper thread, after the flushes it was given."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
            atexit.unregister(self.close)


class Statistics:
    """Counts of durable checkpoints, and the last ``SAMPLES_MAX`` of their pauses and flushes."""

    def __init__(self) -> None:
        self.count = self.records = self.bytes = 0
        self.cost_s = 0.0
        self.pauses: deque[float] = deque(maxlen=SAMPLES_MAX)
        self.flushes: deque[float] = deque(maxlen=SAMPLES_MAX)

    def add(self, checkpoint: Checkpoint, flush_s: float) -> None:
        """Count one more."""
        self.count += 1
        self.records += checkpoint.records
        self.bytes += checkpoint.bytes
        self.cost_s += checkpoint.cost
        self.pauses.append(checkpoint.pause)
        self.flushes.append(flush_s)

    def summary(self) -> dict[str, float]:
        """For people and for ``--json``: times in milliseconds."""
        found: dict[str, float] = {"count": self.count, "records": self.records, "bytes": self.bytes}
        found["cost_ms"] = self.cost_s * 1000
        for name, samples in (("pause", sorted(self.pauses)), ("flush", sorted(self.flushes))):
            for share in (50, 99):
                found[f"{name}_p{share}_ms"] = samples[(len(samples) - 1) * share // 100] * 1000 if samples else 0.0
            found[f"{name}_max_ms"] = samples[-1] * 1000 if samples else 0.0
        return found
