"""Messages between threads.

A message is an object: a value, its sender, and for one that was asked the answer.  It waits in the mailbox of its
thread until that receives it; a mailbox holds ``MAILBOX_MAX`` at most.  What ``atomic`` sends leaves when the outermost
level ends, and never when it is undone.

All of it survives a restart: mailboxes are part of their threads' records, and who waits for an answer goes on waiting.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from holdfast.vm import ids
from holdfast.vm.objects import NEW, Error, Obj, fail, kind_name, live, make_error, read_only, seal
from holdfast.vm.waits import Ask, Deadline, Receive, Space

if TYPE_CHECKING:
    from holdfast.vm.changing import Changing
    from holdfast.vm.domains import Domain
    from holdfast.vm.thread import Thread
    from holdfast.vm.threads import Scheduler

MAILBOX_MAX = 10_000
"""Messages that may wait for a thread."""
SHARE_MAX = MAILBOX_MAX // 4
"""Messages in one mailbox from a domain that is not above the receiver's, and those below it: one who floods it must
leave room for others."""
SECONDS_MAX = 1e10


@seal
class Message(Obj):
    """A message as its receiver sees it."""

    __slots__ = ("answer", "answered", "asker", "payer", "receiver", "sender", "value")
    _k = ids.MESSAGE
    _slots = ("value", "sender", "answered", "answer", "payer", "receiver")
    _name = "Message"
    f_value, f_sender = map(read_only, ("value", "sender"))
    value: Any
    sender: Any
    payer: Domain | None
    """The domain that sent it: its budget counts for while it waits in a mailbox."""
    receiver: Thread | None
    """The thread that has received it: only that can act on behalf of its sender."""
    answered: Any
    """nil: nobody has asked; ``open``, ``reply`` or ``fail``."""
    answer: Any
    asker: Thread | None
    """Who waits for the answer."""


class Mail:
    """The mailboxes of one world's threads."""

    def __init__(self, scheduler: Scheduler, message_class: type[Message]) -> None:
        self.scheduler = scheduler
        self.message_class = message_class
        self.levels: list[list[tuple[Thread | None, Message]]] = []
        """For each level of ``atomic`` what it has sent, and (for nobody) what it has answered."""

    # ------------------------------------------------------------------ sending

    def message(self, value: Any, answered: str | None, domain: Domain | None = None) -> Message:
        """A new message of the current thread, in code that runs in a domain (None: in that of the thread)."""
        made = self.message_class()
        made._t = self.scheduler.heap.token
        made._i = NEW
        made.value = value
        made.sender = self.scheduler.current
        made.answered = answered
        made.answer = made.asker = made.payer = made.receiver = None
        made.payer = domain if domain is not None else made.sender.domain if made.sender is not None else None
        if made.payer is not None and self.scheduler.budgets.weighs:
            self.scheduler.budgets.wrote(made.payer, (value,))
        return made

    def notice(self, value: Any, receiver: Thread) -> Message:
        """A message of the machine."""
        made = self.message(value, None)
        made.sender = made.payer = None
        if receiver.domain is not None:
            made._o = receiver.domain
        return made

    def send(self, thread: Thread, value: Any, wait: bool, domain: Domain | None = None) -> None:
        """Put a value into the mailbox of a thread; where that is full, wait for room or throw."""
        self.deliver(thread, self.message(value, None, domain), wait)

    def deliver(self, thread: Thread, message: Message, wait: bool) -> None:
        """Put a message into a mailbox."""
        scheduler = self.scheduler
        if live(thread) not in scheduler.living:
            how = f" ({thread.f_state})" if self.may_know(thread, message) else ""
            fail("ThreadError", f"{self.called(thread, message)} has ended{how}, and receives nothing")
        if thread.domain is not None:
            message._o = thread.domain
        if message.payer is not None:
            account = scheduler.budgets.account(message.payer, "mailbox")
            if account is not None and scheduler.budgets.left(account, "mailbox") < 1:
                scheduler.budgets.refuse(account, "mailbox")
        box = thread.mailbox
        if box is None:
            box = thread.mailbox = deque()
        if self.full(thread, message.payer):
            if not wait:
                many = f"{len(box):_}" if len(box) >= MAILBOX_MAX else f"{SHARE_MAX:_} of this sender's"
                fail("LimitError", f"the mailbox of {self.called(thread, message)} is full: {many} messages wait in it")
            scheduler.may_wait()
            scheduler.wait(Space(thread, message))
            return
        if not self.levels:
            self.put(thread, message)
            return
        if sum(map(len, self.levels)) >= MAILBOX_MAX:  # they are in no mailbox yet, whose limit would be passed by
            fail("LimitError", f"an atomic block sends more than {MAILBOX_MAX:_} messages: send some of them behind it")
        self.levels[-1].append((thread, message))

    def may_know(self, thread: Thread, message: Message) -> bool:
        """May its sender know more of a thread than that it is there?  To send needs no right."""
        return message.payer is None or self.scheduler.budgets.world.monitor.counts(message.payer, thread)

    def called(self, thread: Thread, message: Message) -> str:
        """A thread in the words of who sends a message to it."""
        return f"the thread '{thread.f_name}'" if self.may_know(thread, message) else "this thread"

    def full(self, thread: Thread, payer: Domain | None = None) -> bool:
        """Is there no room in a mailbox, for messages that a domain sends?"""
        size = len(thread.mailbox or ())
        if size < SHARE_MAX or size >= MAILBOX_MAX or payer is None:
            return size >= MAILBOX_MAX
        branch = self.branch(thread, payer)
        return branch is not None and self.shares(thread).get(branch, 0) >= SHARE_MAX

    def branch(self, thread: Thread, payer: Domain) -> Domain | None:
        """Whose share of a mailbox a domain uses: that of the highest one above it that is not above the receiver too,
        so that nobody gets more by making domains; None for what is above the receiver itself."""
        base = thread.domain or self.scheduler.budgets.world.monitor.top
        branch: Domain | None = None
        domain: Domain | None = payer
        while domain is not None and not base.within(domain):
            branch, domain = domain, domain.parent
        return branch

    def shares(self, thread: Thread) -> dict[Domain, int]:
        """How many messages of whom are in a mailbox: counted when it is first asked for, then kept."""
        if thread.shares is None:
            found: dict[Domain, int] = {}
            for message in thread.mailbox or ():
                branch = self.branch(thread, message.payer) if message.payer is not None else None
                if branch is not None:
                    found[branch] = found.get(branch, 0) + 1
            thread.shares = found
        return thread.shares

    def share(self, thread: Thread, message: Message, change: int) -> None:
        """A message comes or goes."""
        if thread.shares is not None and message.payer is not None:
            branch = self.branch(thread, message.payer)
            if branch is not None:
                thread.shares[branch] = thread.shares.get(branch, 0) + change

    def put(self, thread: Thread, message: Message) -> None:
        """Put a message into a mailbox that has room, and wake who waits for it."""
        scheduler = self.scheduler
        if thread.mailbox is None:
            thread.mailbox = deque()
        thread.mailbox.append(message)
        if message.payer is not None:
            scheduler.budgets.charge(message.payer, "mailbox", 1)
            self.share(thread, message, 1)
        scheduler.touched[thread] = None
        wait = thread.wait
        if wait is not None and type(wait) is Receive and len(thread.mailbox) > wait.count:
            scheduler.make_ready(thread)

    def ask(self, thread: Thread, value: Any, domain: Domain | None = None) -> Any:
        """Send a message and wait for its answer."""
        scheduler = self.scheduler
        if thread is scheduler.current:
            fail("ThreadError", "a thread cannot ask itself")
        scheduler.may_wait()
        if live(thread) in scheduler.living:
            scheduler.refuse_circle(thread)
        message = self.message(value, "open", domain)
        self.deliver(thread, message, wait=False)
        return scheduler.wait(Ask(thread, message))

    def respond(self, message: Message, how: str, answer: Any) -> None:
        """Answer a message; nobody may be waiting for that."""
        if message.answered is None:
            return  # it was sent, and nobody asked
        if message.answered != "open":
            fail("ThreadError", "this message has been answered already")
        heap = self.scheduler.heap
        if message._t is not heap.token:
            heap.barrier(message)
        message.answered, message.answer = how, answer
        if self.levels:
            self.levels[-1].append((None, message))
        else:
            self.wake_asker(message)

    def wake_asker(self, message: Message) -> None:
        """Who waits for the answer goes on."""
        asker = getattr(message, "asker", None)
        if asker is not None:
            self.scheduler.make_ready(asker)

    # ------------------------------------------------------------------ atomic

    def begin_atomic(self) -> None:
        """What is sent from now on leaves when the level ends."""
        self.levels.append([])

    def commit_atomic(self) -> None:
        """A level ends: what it sent leaves, or goes to the next one."""
        level = self.levels.pop()
        if self.levels:
            self.levels[-1].extend(level)
            return
        for thread, message in level:
            if thread is None:
                self.wake_asker(message)
            elif thread in self.scheduler.living:
                self.put(thread, message)

    def abort_atomic(self) -> None:
        """A level is undone: it has sent nothing."""
        self.levels.pop()

    # ------------------------------------------------------------------ receiving

    def receive(self, timeout: Any, count: int = 0, take: bool = True) -> Any:
        """The next message, behind so many that are passed over; nil when the time has run out."""
        scheduler = self.scheduler
        current = scheduler.current
        assert current is not None
        if current.mailbox and len(current.mailbox) > count:
            return self.take(count) if take else current.mailbox[count]
        if timeout is not None and (type(timeout) not in (int, float) or not 0 <= timeout < SECONDS_MAX):
            fail("ValueError", f"receive needs a number of seconds from 0 on, not {kind_name(timeout)}")
        scheduler.may_wait()
        return scheduler.wait(Receive(None if timeout is None else Deadline(timeout), count, take))

    def take(self, place: int) -> Message:
        """Take a message out of the current thread's mailbox, where it stands at a place."""
        thread = self.scheduler.current
        assert thread is not None and thread.mailbox is not None
        if self.levels:
            fail("AtomicError", "a message cannot be received inside atomic: receive it before that")
        box = thread.mailbox
        if place == 0:
            message: Message = box.popleft()
        else:
            message = box[place]
            del box[place]
        if message.payer is not None:
            self.scheduler.budgets.release(message.payer, "mailbox")
            self.share(thread, message, -1)
        heap = self.scheduler.heap
        if message._t is not heap.token:
            heap.barrier(message)
        message.receiver = thread
        for sender in list(thread.senders or ()):  # the first one for whom this makes room, and that runs
            wait: Any = sender.wait
            if not self.full(thread, wait.message.payer):
                self.scheduler.make_ready(sender)
                if not sender.suspended:
                    break
        return message


def threads_class(
    scheduler: Scheduler, find: Callable[[str], Any], new_list: Callable[[list[Any]], Any]
) -> dict[str, Callable[..., Any]]:
    """The methods of ``threads``."""

    def all_(self: Any) -> Any:
        """The threads that are alive, the oldest first."""
        return new_list(list(scheduler.living))

    def self_(self: Any) -> Any:
        """The thread that runs this."""
        return scheduler.current

    def find_(self: Any, kid: Any) -> Any:
        """The thread with a KID, or nil; also one that has ended, as long as something refers to it."""
        found = find(kid) if type(kid) is str else None
        return found if isinstance(found, scheduler.thread_class) else None

    def wait_(self: Any, threads: Any) -> Any:
        """Wait until one of the threads has ended; gives that one."""
        return scheduler.wait_first(threads)

    def peek_(self: Any, place: Any, timeout: Any = None) -> Any:
        """The message that stands at a place of this thread's mailbox, and stays there.

        Waits until there is one; with a timeout, nil when it has run out.
        """
        if type(place) is not int or place < 0:
            fail("ValueError", f"places in a mailbox are numbered from 0 on, not {kind_name(place)}")
        return scheduler.mail.receive(timeout, place, take=False)

    def take_(self: Any, place: Any) -> Any:
        """Take the message out of this thread's mailbox that stands at a place."""
        box = scheduler.current.mailbox if scheduler.current is not None else None
        if type(place) is not int or not 0 <= place < len(box or ()):
            fail("IndexError", f"the mailbox has {len(box or ())} messages")
        return scheduler.mail.take(place)

    return {"all": all_, "self": self_, "find": find_, "wait": wait_, "peek": peek_, "take": take_}


def thread_methods(scheduler: Scheduler, mail: Mail, changing: Changing) -> dict[str, Callable[..., Any]]:
    """The methods of threads in one world."""

    def join(self: Any) -> Any:
        """Wait for the thread's end: its result, or throws what it threw."""
        return scheduler.join(self)

    def send(self: Any, value: Any, wait: Any = False) -> None:
        """Put a value into the thread's mailbox.

        A LimitError when that is full, or with ``wait: true`` a wait until it is not.
        """
        mail.send(self, value, wait is True)

    def ask(self: Any, value: Any) -> Any:
        """Send a value and wait for the answer: what ``reply`` gives; throws what ``fail`` is given."""
        return mail.ask(self, value)

    def kill(self: Any) -> None:
        """End the thread: its ``finally`` blocks run, no ``catch`` stops it, and it is ``failed`` then."""
        scheduler.interrupt(self, "the thread was killed", kill=True)

    def suspend(self: Any) -> None:
        """Let the thread not run until it is resumed."""
        scheduler.suspend(self)

    def resume(self: Any) -> None:
        """Let a suspended thread go on."""
        scheduler.unsuspend(self)

    def set_priority(self: Any, name: Any) -> None:
        """Give the thread a "low", "normal" or "high" priority: how often it has its turn while others are ready."""
        scheduler.set_priority(self, name)

    def refill(self: Any, amounts: Any) -> None:
        """Give the thread's domain more, out of one's own budget: ``t.refill({cpu_ms: 500})``."""
        if getattr(type(live(amounts)), "_k", 0) != ids.MAP:
            fail("TypeError", "refill needs a Map, as in {cpu_ms: 500}")
        scheduler.budgets.refill(scheduler.budgets.world.monitor.top, self, amounts)

    def step(self: Any) -> None:
        """Let a suspended thread go on to its next safepoint: a call, a turn of a loop, or where it waits."""
        scheduler.unsuspend(self, step=True)

    def set_local(self: Any, frame: Any, name: Any, value: Any) -> None:
        """Change a variable of a frame (0 is the innermost) of a suspended thread, which goes on with that value."""
        changing.set_local(self, frame, name, value)

    return {
        "join": join,
        "send": send,
        "ask": ask,
        "kill": kill,
        "suspend": suspend,
        "resume": resume,
        "step": step,
        "set_local": set_local,
        "set_priority": set_priority,
        "refill": refill,
    }


def message_methods(mail: Mail) -> dict[str, Callable[..., Any]]:
    """The methods of messages in one world."""

    def reply(self: Any, value: Any = None) -> None:
        """Answer a question: the ``ask`` that waits for it gives the value."""
        mail.respond(self, "reply", value)

    def fail_(self: Any, error: Any) -> None:
        """Answer a question with an error, or with a Text that becomes one: the ``ask`` throws it."""
        if type(error) is str:
            error = make_error("Error", error)
            error._t = mail.scheduler.heap.token
        if not isinstance(error, Error):
            fail("TypeError", f"fail needs an Error or a Text, not {kind_name(error)}")
        mail.respond(self, "fail", error)

    return {"reply": reply, "fail": fail_}
