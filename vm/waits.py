"""What threads wait for.

A wait is data: a thread that waits can be written to disk and go on in another process.  So a host function that makes
its thread wait does nothing behind :meth:`~holdfast.vm.threads.Scheduler.park` but return the wait's outcome, and a
thread that comes back from its record returns the same outcome from the instruction at which it stands.

In a record a wait is a short array: its kind, then what it needs.  A time is kept twice, as the clock's and as how long
the thread was to wait: what remains is never more than that, whatever the clock was set to meanwhile.
"""

from __future__ import annotations

from time import monotonic, time
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol

from holdfast.vm.codec import DamagedRecord
from holdfast.vm.domains import Domain
from holdfast.vm.objects import Error, Thrown, fail

if TYPE_CHECKING:
    from holdfast.vm.thread import Thread
    from holdfast.vm.threads import Scheduler

ENDED = ("done", "failed")
DAMAGED = -2
"""The number of stored frames of a thread that cannot go on, since a record of it is damaged."""
AGAIN: Any = object()
"""The outcome of a wait that is not over."""


class Buffer(Protocol):
    """What can be full."""

    waiting: list[Thread]
    """Threads that wait until it is not full any more; whoever empties it makes them ready."""

    @property
    def full(self) -> bool:
        """Must a thread that prints wait?"""


class Outlet(Buffer, Protocol):
    """A place for output other than the world's."""

    def __call__(self, text: str) -> None:
        """Take a text that is durable."""


class Wait:
    """What one thread waits for."""

    __slots__ = ()
    state: ClassVar[str] = "sleeping"
    """The state of a thread that waits so, in the words of programs."""

    def begin(self, scheduler: Scheduler, thread: Thread) -> None:
        """See to it that the thread is made ready; also called for a thread that has come back from its record."""

    def cancel(self, scheduler: Scheduler, thread: Thread) -> None:
        """The thread does not wait any more, for whatever reason."""

    def outcome(self, scheduler: Scheduler) -> Any:
        """What the host function returns in which the thread waited.  Called in the thread, which may wait again."""

    def target(self) -> Thread | None:
        """The thread that must do something first."""
        return None

    def record(self) -> list[Any]:
        """What is written of it."""
        raise NotImplementedError


class Room(Wait):
    """Until a buffer is not full any more.  In another process it is another buffer, and empty."""

    __slots__ = ("buffer",)

    def __init__(self, buffer: Buffer | None) -> None:
        self.buffer = buffer

    def begin(self, scheduler: Scheduler, thread: Thread) -> None:
        """Wait in its list."""
        if self.buffer is None:
            scheduler.make_ready(thread)
        else:
            self.buffer.waiting.append(thread)

    def cancel(self, scheduler: Scheduler, thread: Thread) -> None:
        """Out of its list."""
        if self.buffer is not None and thread in self.buffer.waiting:
            self.buffer.waiting.remove(thread)

    def record(self) -> list[Any]:
        """Nothing but its kind."""
        return ["room"]


class Between(Wait):
    """Until that is done which can be done only while all threads are parked (:meth:`Replacing.move`): at once."""

    __slots__ = ()

    def begin(self, scheduler: Scheduler, thread: Thread) -> None:
        """It is done before anybody runs."""
        scheduler.make_ready(thread)

    def record(self) -> list[Any]:
        """As for a thread that waits for room in a buffer: there is nothing to be done but to go on."""
        return ["room"]


class Deadline:
    """A time until which to wait: on the monotonic clock, which another process does not share, and how long."""

    __slots__ = ("at", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.at = monotonic() + seconds

    def record(self) -> list[float]:
        """When it is by the clock, and how long it was."""
        return [time() + self.at - monotonic(), self.seconds]

    @classmethod
    def of(cls, parts: Any) -> Deadline:
        """What remains of a recorded one: a clock that was set back never lengthens it.

        One that has passed stays as long ago as it is, so that of several the first comes first.
        """
        if type(parts) is not list or len(parts) != 2 or any(type(part) not in (int, float) for part in parts):
            raise DamagedRecord("a thread", "it waits for a time that is none")
        made = cls(parts[1])
        made.at = monotonic() + min(parts[1], parts[0] - time())
        return made


class Sleep(Wait):
    """For a time."""

    __slots__ = ("deadline",)

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline

    def begin(self, scheduler: Scheduler, thread: Thread) -> None:
        """Set a timer."""
        scheduler.set_timer(self.deadline.at, thread)

    def record(self) -> list[Any]:
        """The deadline."""
        return ["sleep", self.deadline.record()]


class Join(Wait):
    """Until one of some threads has ended."""

    __slots__ = ("first", "threads")
    state = "joining"

    def __init__(self, threads: list[Thread], first: bool) -> None:
        self.threads = threads
        self.first = first
        """What is wanted is the thread that has ended first; else the result of the only one."""

    def begin(self, scheduler: Scheduler, thread: Thread) -> None:
        """Be told when one ends."""
        for other in self.threads:
            if not scheduler.lives(other) or (other.over is not None and not self.first):
                scheduler.make_ready(thread)
                return
        for other in self.threads:
            if other.waiters is None:
                other.waiters = {thread: None}
            else:
                other.waiters[thread] = None

    def cancel(self, scheduler: Scheduler, thread: Thread) -> None:
        """Be told no more."""
        for other in self.threads:
            if other in scheduler.living:  # else it has told all
                scheduler.forget_waiter(other, thread)

    def outcome(self, scheduler: Scheduler) -> Any:
        """The result of the thread, or what it threw; or the thread that has ended."""
        for other in self.threads:
            if other not in scheduler.living:
                return other if self.first else scheduler.result_of(other)
            if other.over is not None and not self.first:
                stopped(other.over)
        return AGAIN

    def target(self) -> Thread | None:
        """The only thread."""
        return self.threads[0] if len(self.threads) == 1 else None

    def record(self) -> list[Any]:
        """The threads."""
        return ["first" if self.first else "join", list(self.threads)]


def stopped(why: Error) -> NoReturn:
    """Tell who waits for a thread why it stands still; by an error of their own, which knows where they are."""
    fail(why._name, why.f_message)


class Receive(Wait):
    """For a message, or until a time."""

    __slots__ = ("count", "deadline", "take")
    state = "receiving"

    def __init__(self, deadline: Deadline | None, count: int = 0, take: bool = True) -> None:
        self.deadline = deadline
        self.count = count
        """So many messages of the mailbox are passed over."""
        self.take = take
        """Is the message taken out of the mailbox?"""

    def begin(self, scheduler: Scheduler, thread: Thread) -> None:
        """A timer; who sends makes the thread ready."""
        if len(thread.mailbox or ()) > self.count:
            scheduler.make_ready(thread)
        elif self.deadline is not None:
            scheduler.set_timer(self.deadline.at, thread)

    def outcome(self, scheduler: Scheduler) -> Any:
        """The message, taken out of the mailbox; nil when the time has run out."""
        current = scheduler.current
        assert current is not None
        if current.mailbox and len(current.mailbox) > self.count:
            return scheduler.mail.take(self.count) if self.take else current.mailbox[self.count]
        if self.deadline is not None and monotonic() >= self.deadline.at:
            return None
        return AGAIN

    def record(self) -> list[Any]:
        """The deadline, how many messages are passed over, and whether the next one is taken."""
        return ["receive", None if self.deadline is None else self.deadline.record(), self.count, self.take]


class Space(Wait):
    """Until there is room in the mailbox of a thread, or that has ended."""

    __slots__ = ("message", "thread")

    def __init__(self, thread: Thread, message: Any) -> None:
        self.thread = thread
        self.message = message

    def begin(self, scheduler: Scheduler, thread: Thread) -> None:
        """Be told when it has taken one, or ends."""
        other = self.thread
        if not scheduler.lives(other) or not scheduler.mail.full(other, self.message.payer):
            scheduler.make_ready(thread)
        else:
            other.senders = [*(other.senders or ()), thread]

    def cancel(self, scheduler: Scheduler, thread: Thread) -> None:
        """Be told no more."""
        senders = getattr(self.thread, "senders", None)
        if senders and thread in senders:
            senders.remove(thread)

    def outcome(self, scheduler: Scheduler) -> Any:
        """Nothing: the message is there."""
        if scheduler.lives(self.thread) and scheduler.mail.full(self.thread, self.message.payer):
            return AGAIN
        scheduler.mail.deliver(self.thread, self.message, wait=False)
        return None

    def target(self) -> Thread | None:
        """Who must take a message."""
        return self.thread

    def record(self) -> list[Any]:
        """Thread and message."""
        return ["space", self.thread, self.message]


class Ask(Wait):
    """For the answer to a message."""

    __slots__ = ("message", "thread")
    state = "joining"

    def __init__(self, thread: Thread, message: Any) -> None:
        self.thread = thread
        self.message = message

    def begin(self, scheduler: Scheduler, thread: Thread) -> None:
        """Be told when it is answered, or who was asked has ended."""
        if self.message.answered != "open" or not scheduler.lives(self.thread) or self.thread.over is not None:
            scheduler.make_ready(thread)
            return
        self.message.asker = thread
        scheduler.await_end(self.thread, thread)

    def cancel(self, scheduler: Scheduler, thread: Thread) -> None:
        """Be told no more."""
        self.message.asker = None
        scheduler.forget_waiter(self.thread, thread)

    def outcome(self, scheduler: Scheduler) -> Any:
        """The answer, or the error that is the answer."""
        message = self.message
        if message.answered == "reply":
            return message.answer
        if message.answered == "fail":
            raise Thrown(scheduler.error_for(scheduler.current, message.answer))
        if not scheduler.lives(self.thread):
            fail("ThreadError", f"{scheduler.mail.called(self.thread, message)} ended and did not answer")
        if self.thread.over is not None:
            if not scheduler.mail.may_know(self.thread, message):
                fail("BudgetError", "this thread has used up its budget, and does not answer now")
            stopped(self.thread.over)
        return AGAIN

    def target(self) -> Thread | None:
        """Who was asked, until there is an answer."""
        return self.thread if self.message.answered == "open" else None

    def record(self) -> list[Any]:
        """Thread and message."""
        return ["ask", self.thread, self.message]


class Collected(Wait):
    """Until garbage was collected, since a budget of what is alive is used up."""

    __slots__ = ("account", "kind")

    def __init__(self, account: Domain, kind: str) -> None:
        self.account = account
        self.kind = kind

    def begin(self, scheduler: Scheduler, thread: Thread) -> None:
        """Be one of those who wait for the next collection."""
        scheduler.budgets.collector.waiting.append(thread)

    def cancel(self, scheduler: Scheduler, thread: Thread) -> None:
        """Not any more."""
        waiting = scheduler.budgets.collector.waiting
        if thread in waiting:
            waiting.remove(thread)

    def outcome(self, scheduler: Scheduler) -> Any:
        """Nothing; but where that has not helped, the thread goes no further."""
        assert scheduler.current is not None
        scheduler.current.wait = None
        scheduler.budgets.require(scheduler.current, self.account, self.kind)
        return None

    def record(self) -> list[Any]:
        """Whose budget, and of what."""
        return ["collected", self.account, self.kind]


class Redo(Wait):
    """For nothing: the thread has come back amid a call that has done nothing yet, and makes it again."""

    __slots__ = ()

    def begin(self, scheduler: Scheduler, thread: Thread) -> None:
        """At once."""
        scheduler.make_ready(thread)

    def record(self) -> list[Any]:
        """Nothing but its kind."""
        return ["redo"]


class Lost(Wait):
    """A call that was under way when the world was closed."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def begin(self, scheduler: Scheduler, thread: Thread) -> None:
        """At once."""
        scheduler.make_ready(thread)

    def outcome(self, scheduler: Scheduler) -> Any:
        """An error that says so."""
        fail("Error", f"the world was closed while '{self.name}' was called: perhaps it was done, perhaps not")

    def record(self) -> list[Any]:
        """Its name."""
        return ["lost", self.name]


def wait_of(parts: Any, thread_class: type, message_class: type) -> Wait:
    """The wait of a record.

    Raises DamagedRecord.
    """
    kind, rest = (parts[0], parts[1:]) if type(parts) is list and parts else (None, [])
    if kind == "receive" and len(rest) == 3 and type(rest[1]) is int and type(rest[2]) is bool:  # nearly all of many
        deadline, count, take = rest
        return Receive(None if deadline is None else Deadline.of(deadline), count, take)
    match kind, *rest:
        case ("room",):
            return Room(None)
        case ("redo",):
            return Redo()
        case "lost", str(name):
            return Lost(name)
        case "collected", Domain() as account, str(kind):
            return Collected(account, kind)
        case "sleep", deadline:
            return Sleep(Deadline.of(deadline))
        case (("join" | "first"), list(threads)) if threads and all(isinstance(t, thread_class) for t in threads):
            return Join(threads, kind == "first")
        case (("ask" | "space"), thread, message) if isinstance(message, message_class):
            if isinstance(thread, thread_class):
                asked: Any = thread
                return Ask(asked, message) if kind == "ask" else Space(asked, message)
    raise DamagedRecord("a thread", "it waits for something that is not known")
