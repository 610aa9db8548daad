"""Changes of host files: an outbox, under the durability contract.

What a program does to a file of the host is not done at once.  It becomes a :class:`Change`: a side record of the next
checkpoint, which is carried out when that checkpoint is durable, by a helper thread, one after the other.  The
thread of Hold waits until then; the change's error, if there is one, is thrown there.  In an ``atomic`` nothing can
wait: its changes are carried out behind its end, where the thread waits for them, and never if it is undone.

The record goes with the checkpoint behind the one that released the change.  So after a crash a change that is on
record was *perhaps done*: it is done again, in order, when its folder is granted with ``w`` in a later run, before any
program runs.  :mod:`holdfast.vm.folders` says for each why doing it twice does no harm.  Whatever comes of that, the
record goes then: nobody was told that the change was done, and a newer one must not be overwritten by it later.

Side record ``write:`` and a number of 8 bytes: ``[folder, verb, path, content, more]``.  ``folder`` is the host's path
as Bytes, since the same name of a grant may stand for another folder next time; ``more`` is the length before (append),
the name of the part (write), the new path (rename).
"""

from __future__ import annotations

import struct
import threading
from collections import Counter
from collections.abc import Iterator
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from holdfast.vm import folders
from holdfast.vm.codec import DamagedRecord, bare_codec
from holdfast.vm.limits import BYTES_LENGTH, count
from holdfast.vm.objects import fail
from holdfast.vm.outbox import Deed, Outbox
from holdfast.vm.waits import AGAIN, Wait

if TYPE_CHECKING:
    from holdfast.vm.store import Store
    from holdfast.vm.thread import Thread
    from holdfast.vm.threads import Scheduler

PREFIX = b"write:"
RECORDS = b"S" + PREFIX
"""What the keys of the records begin with."""
WAITING_MAX = BYTES_LENGTH
"""Bytes of content that may wait to be written; a thread that writes more has to wait, an ``atomic`` may not."""

SHOWN = 100
"""Characters of a path in a message."""

FAILED = {
    "write": "cannot be written",
    "append": "cannot be appended to",
    "make_folder": "cannot be made",
    "remove": "cannot be removed",
    "rename": "cannot be renamed",
}
"""Verbs, and what to say when one failed."""


class Change(Deed):
    """One change of a file or folder below a granted folder."""

    def __init__(self, owner: FileOutbox, number: int, values: list[Any]) -> None:
        self.owner = owner
        self.record = PREFIX + struct.pack(">Q", number)
        self.values = values
        self.place, self.verb, self.path, self.content, self.more = values
        self.folder = -1
        """Descriptor of the folder."""
        self.failure: Exception | None = None
        self.done = False
        self.waiters: list[Thread] = []

    @property
    def end(self) -> int:
        """How long the file is behind a write or an append."""
        return len(self.content) + (self.more if self.verb == "append" else 0)

    def touches(self, place: bytes, path: str) -> bool:
        """Whether it writes this file."""
        return (self.place, self.path) == (place, path) and self.verb in ("write", "append")

    def moves(self, place: bytes, path: str) -> bool:
        """Whether it takes away what is at a path, or puts something there."""
        names = {"remove": [self.path], "rename": [self.path, self.more]}.get(self.verb, [])
        return self.place == place and any(path == name or path.startswith(name + "/") for name in names)

    def __call__(self, text: str) -> None:
        """The checkpoint that it depends on is durable: hand it to the helper thread."""
        self.owner.hand_over(self)

    def withdraw(self) -> None:
        """The ``atomic`` that made it was undone."""
        self.owner.withdraw(self)

    def settle(self) -> None:
        """The helper thread is through with it."""
        self.owner.settle(self)

    def perform(self, sync: bool, again: bool = False) -> None:
        """Carry it out; what went wrong is kept."""
        folder, parts = self.folder, self.path.split("/")
        try:
            if self.verb == "write":
                folders.write_file(folder, parts, self.content, self.more, sync)
            elif self.verb == "append":
                folders.append_file(folder, parts, self.content, self.more, sync, again)
            elif self.verb == "make_folder":
                folders.make_folder(folder, parts, sync)
            elif self.verb == "remove":
                folders.remove(folder, parts, sync, again)
            else:
                folders.rename(folder, parts, self.more.split("/"), sync, again)
        except Exception as error:  # it belongs to the thread that waits: raised there, by check
            self.failure = error

    def check(self) -> None:
        """Throw what went wrong."""
        error = self.failure
        if isinstance(error, OSError):
            fail("LimitError" if error.errno in folders.FULL else "ValueError", self.trouble(error))
        if error is not None:
            raise error

    def trouble(self, error: OSError) -> str:
        """What went wrong, in words."""
        to = f" to '{self.more[:SHOWN]}'" if self.verb == "rename" else ""
        return f"'{self.path[:SHOWN]}' {FAILED[self.verb]}{to}: {folders.reason(error)}"


class Carried(Wait):
    """Until a change is done."""

    __slots__ = ("again", "change")

    def __init__(self, change: Change, again: bool) -> None:
        self.change = change
        self.again = again

    def begin(self, scheduler: Scheduler, thread: Thread) -> None:
        """Be told when it is."""
        self.change.waiters.append(thread)

    def cancel(self, scheduler: Scheduler, thread: Thread) -> None:
        """Be told no more."""
        if thread in self.change.waiters:
            self.change.waiters.remove(thread)

    def outcome(self, scheduler: Scheduler) -> Any:
        """Nothing."""
        return None if self.change.done else AGAIN

    def record(self) -> list[Any]:
        """Only what is to become of the call."""
        return ["redo" if self.again else "room"]


class FileOutbox:
    """The changes of host files that one world has under way."""

    def __init__(self, outbox: Outbox, scheduler: Scheduler, store: Store) -> None:
        self.outbox = outbox
        self.scheduler = scheduler
        self.sync = store.durability == "power"
        self.pending: dict[Change, None] = {}
        """Queued, and not known to be done; in order."""
        self.inside: list[Change] = []
        """Those of the ``atomic`` that runs."""
        self.size = 0
        """Bytes of the contents of what is pending."""
        self.left = [Change(self, number, values) for number, values in stored(store)]
        """Perhaps done by an earlier run; their folders have not been granted again."""
        self.number = max((struct.unpack(">Q", change.record[len(PREFIX) :])[0] for change in self.left), default=0)
        self._queue: SimpleQueue[Change | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    # ------------------------------------------------------------------ called by threads of Hold

    def change(self, folder: int, place: bytes, verb: str, path: str, content: bytes = b"", more: Any = None) -> None:
        """Change a file, and wait until it is done; inside ``atomic`` that is behind its end.

        Throws what went wrong.
        """
        self.make_room(len(content))
        if verb == "append":
            more = self.length(folder, place, path)
        self.number += 1
        made = Change(self, self.number, [place, verb, path, content, more])
        made.folder = folder
        self.pending[made] = None
        self.size += len(content)
        self.outbox.side[made.record] = made.values
        self.outbox.print("", made)
        if self.scheduler.in_atomic():
            self.inside.append(made)
        else:
            self.wait(made)
            made.check()

    def make_room(self, size: int) -> None:
        """Wait until so much more may wait."""
        while self.pending and self.size + size > WAITING_MAX:
            if self.scheduler.in_atomic():
                limit = f"{count(WAITING_MAX)} bytes"
                fail("LimitError", f"an atomic block writes more than {limit} to files: write it in several blocks")
            self.wait(next(iter(self.pending)), again=True)

    def length(self, folder: int, place: bytes, path: str) -> int:
        """How long a file will be when all that is pending is done."""
        for change in reversed(self.pending):
            if change.touches(place, path):
                return change.end
            if change.moves(place, path):
                if self.scheduler.in_atomic():
                    fail("AtomicError", f"'{path[:SHOWN]}' cannot be appended to in the atomic block that moves it")
                self.wait(change, again=True)
                return self.length(folder, place, path)
        return folders.length(folder, path.split("/"))

    def wait(self, change: Change, again: bool = False) -> None:
        """Wait until a change is done, well or not.

        With ``again`` it is the change of another call, which stands in the way of this one: a thread that comes back
        in another process makes its call again.  Else nothing but this change is left to do of the call, and that is
        done whether the thread waits or not.
        """
        if not change.done:
            self.scheduler.wait(Carried(change, again))

    def committed(self) -> None:
        """The outermost ``atomic`` has ended: wait until its changes are done; throws the first thing that went
        wrong."""
        made, self.inside = self.inside, []
        for change in made:
            self.wait(change)
        for change in made:
            change.check()

    def may_read(self) -> None:
        """Throw inside an ``atomic`` that has changed files: they are as they were until it ends."""
        if self.inside:
            fail(
                "AtomicError",
                "this atomic block has written to a file, which is done when it ends: read before that, or behind it",
            )

    # ------------------------------------------------------------------ called by the outbox, and by the world

    def withdraw(self, change: Change) -> None:
        """A change was undone before it left."""
        self.inside.remove(change)
        self.outbox.side.pop(change.record, None)
        self.forget(change)

    def hand_over(self, change: Change) -> None:
        """A change may be carried out now."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="holdfast-files", daemon=True)
            self._thread.start()
        self._queue.put(change)

    def _work(self) -> None:
        """The helper thread."""
        while (change := self._queue.get()) is not None:
            change.perform(self.sync)
            self.outbox.returned.append(change)
            self.outbox.wake()

    def settle(self, change: Change) -> None:
        """A change was carried out: its record goes, and who waits for it goes on."""
        change.done = True
        self.outbox.side[change.record] = None
        self.forget(change)
        for thread in list(change.waiters):
            self.scheduler.make_ready(thread)

    def forget(self, change: Change) -> None:
        """It is not pending any more."""
        del self.pending[change]
        self.size -= len(change.content)

    def finish(self) -> None:
        """Wait for all that was handed over, and end the helper thread."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    # ------------------------------------------------------------------ after a crash

    def granted(self, folder: int, place: bytes) -> list[str]:
        """A folder may be written: do again what an earlier run has perhaps done.  Gives what went wrong, in words."""
        troubles = []
        for change in [change for change in self.left if change.place == place]:
            self.left.remove(change)
            change.folder = folder
            change.perform(self.sync, again=True)
            if isinstance(change.failure, OSError):
                troubles.append(change.trouble(change.failure))
            else:
                change.check()
            self.outbox.side[change.record] = None
        return troubles


# --------------------------------------------------------------------------- records


def stored(store: Store) -> Iterator[tuple[int, list[Any]]]:
    """Number and values of the changes on record, in order; not of damaged ones, which a check of the world tells."""
    codec = bare_codec()
    for key, record in store.scan(RECORDS):
        try:
            values = codec.unpack(key, record)
        except DamagedRecord:
            continue
        if len(key) == len(RECORDS) + 8 and well_formed(values):
            yield struct.unpack(">Q", key[-8:])[0], values


def well_formed(values: list[Any]) -> bool:
    """Whether a record says what to do, and leads nowhere else.  It may have been edited on the disk."""
    if len(values) != 5 or [type(value) for value in values[:4]] != [bytes, str, str, bytes]:
        return False
    verb, path, more = values[1], values[2], values[4]
    if not folders.leads_inside(path):
        return False
    if verb == "write":
        return type(more) is str and folders.is_part(more)
    if verb == "append":
        return type(more) is int and more >= 0
    if verb == "rename":
        return type(more) is str and folders.leads_inside(more)
    return verb in FAILED and more is None


def waiting(store: Store) -> dict[bytes, int]:
    """Folders, as paths of the host, and how many changes of a world wait for each to be granted again."""
    return Counter(values[0] for _, values in stored(store))


def drop_all(store: Store) -> None:
    """Forget all changes on record: a copy of a world must not do what the world itself does."""
    batch = store.batch()
    for key, _ in store.scan(RECORDS):
        batch.delete(key)
    if batch:
        store.write(batch)
        store.flush()
