"""A thread: an object that programs see, and what the scheduler keeps of it while it is alive."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from holdfast.vm import ids
from holdfast.vm.objects import Error, Obj, read_only, seal
from holdfast.vm.waits import ENDED, Wait

if TYPE_CHECKING:
    from holdfast.vm.consoles import Console
    from holdfast.vm.domains import Domain
    from holdfast.vm.frames import Known
    from holdfast.vm.stacks import Stack


class Failure:
    """How a thread failed, kept until somebody has met it: joined the thread, or read its error."""

    __slots__ = ("error", "handled", "name", "output")

    def __init__(self, thread: Thread) -> None:
        self.name: str = thread.name
        self.error: Error = thread.error
        self.output = thread.output
        self.handled = False


def _read_error(thread: Any) -> Any:
    failure = getattr(thread, "failure", None)
    if failure is not None:
        failure.handled = True
    return thread.error


class Orders:
    """What somebody has told the scheduler to do with a thread.  Nearly all have none, and share :data:`CALM`: one
    test, where threads begin, end and take turns, stands for seven."""

    __slots__ = ("doomed", "granted", "interrupt", "passed", "priority", "stepping", "suspended")

    def __init__(self) -> None:
        self.interrupt: Error | None = None
        """What is thrown into it when it runs again."""
        self.doomed = 0.0
        """When a killed thread must have ended, by the monotonic clock; 0 for any other one."""
        self.granted = 0.0
        """Up to which processor time of the world a killed thread may compute in any case."""
        self.priority = 0
        """-1, 0 or 1."""
        self.passed = 0
        """How often it was not treated as others for that, in a row."""
        self.suspended = False
        self.stepping = False
        """It is to be suspended at its next safepoint."""


CALM = Orders()
"""No orders.  Never written: a thread that gets one has orders of its own from then on."""


def _order(name: str) -> property:
    """One of a thread's orders, as if it were a slot of the thread."""

    def read(self: Any) -> Any:
        return getattr(self.orders, name)

    def write(self: Any, value: Any) -> None:
        if self.orders is CALM:
            if value == getattr(CALM, name):
                return
            self.orders = Orders()
        setattr(self.orders, name, value)

    return property(read, write)


@seal
class Thread(Obj):
    """A thread as programs see it.

    What is in ``_slots`` is its record as an object; how it goes on is in records of its own
    (:mod:`holdfast.vm.living`), and in the other slots while it is alive.
    """

    __slots__ = (
        "begin",
        "domain",
        "error",
        "failure",
        "greenlet",
        "known",
        "lender",
        "lent",
        "mailbox",
        "name",
        "orders",
        "output",
        "over",
        "parent",
        "post",
        "result",
        "runs",
        "senders",
        "shares",
        "spent",
        "stack",
        "state",
        "stored",
        "wait",
        "waiters",
        "wake",
    )
    _k = ids.THREAD
    _slots = ("name", "state", "result", "error", "parent", "output", "post", "domain", "over")
    _name = "Thread"
    f_name, f_result, f_parent, f_output = map(read_only, ("name", "result", "parent", "output"))
    f_over = read_only("over")
    f_error = property(_read_error)
    interrupt, doomed, granted = map(_order, ("interrupt", "doomed", "granted"))
    priority, passed = map(_order, ("priority", "passed"))
    suspended, stepping = map(_order, ("suspended", "stepping"))
    orders: Orders
    domain: Domain | None
    """The domain that it runs in, and so belongs to; None for that of the whole world."""
    over: Error | None
    """Why it stands still: a budget that is used up."""
    name: Any
    state: Any
    result: Any
    error: Any
    parent: Any
    post: Any
    """Of one that failed, the frames in which it did, as programs see them."""
    begin: tuple[Any, tuple[Any, ...], dict[str, Any]] | None
    """What it calls, until it has begun."""
    stack: Stack | None
    """Its outer frames that are not on the host's stack."""
    known: Known | None
    """The frames on the host's stack that a checkpoint has read."""
    stored: int
    """Frames in the store; -1 for a thread of which the store knows nothing."""
    failure: Failure | None
    greenlet: Any
    """Its stack of the host; None for a thread that has not begun, or is a record."""
    lent: tuple[Any, Thread] | None
    """To whom it has lent its stack, and the frame between them (:mod:`holdfast.vm.lending`)."""
    lender: Thread | None
    """On whose stack it has been parked."""
    wait: Wait | None
    """What it waits for, or has waited for and not taken notice of."""
    wake: int
    """Number of the timer that may wake it; another timer of the same thread is stale."""
    runs: int
    """How often it was given a slice."""
    spent: float
    """Seconds of all its slices."""
    mailbox: deque[Any] | None
    shares: dict[Domain, int] | None
    """Messages in its mailbox by domain (:meth:`holdfast.vm.messages.Mail.shares`); None until that is asked for."""
    senders: list[Thread] | None
    """Threads that wait for room in its mailbox."""
    output: Console | None
    """Where its output goes, and that of the threads that it starts; None: where the world's output goes."""
    waiters: dict[Thread, None] | None
    """Threads that want to know when it ends."""

    @property
    def f_state(self) -> str:
        """``ready``, ``running``, ``sleeping``, ``receiving``, ``joining``, ``suspended``, ``done`` or ``failed``."""
        state: str = self.state
        if state in ENDED or state == "running" or not getattr(self, "suspended", False):
            return state
        return "suspended"
