"""Budgets: what the threads of a domain may use.

=========== ==============================================================================================
``cpu_ms``  milliseconds of processor time, exact to one time slice
``objects`` objects that are alive, in memory or in the store
``bytes``   bytes that these take, and bytes that were written into objects of others, which never come back
``threads`` threads that are alive
``mailbox`` messages that it has sent and nobody has received yet
``depth``   calls inside each other, in one thread
=========== ==============================================================================================

A budget is given at birth, out of what the parent has: what is given is *reserved* there until the domain ends, then
what was used is the parent's use, and the rest its own again.  A domain without a limit of some kind uses that of the
next one above.  For each domain and kind: ``given = left + used + reserved``, where refills count as given.

Records are three Maps of a domain, written behind the back of ``atomic``: what was used is used (I8, I9: a crash gives
back one checkpoint interval at most).

At zero a thread stops at its next safepoint: its ``atomic`` is undone by a ``BudgetError``, and then it is suspended,
``t.over`` says why, its parent gets a message, and whoever joins or asks it a ``BudgetError``.  ``t.refill`` gives it
more.  A thread of a stronger domain that runs weaker code is not suspended, but gets the error where it stands.

Live objects are counted when an allowance of new ones is used up, and bytes now and then at safepoints: see
:mod:`holdfast.vm.weighing`.  What is in the store counts until it is collected, so before a thread is stopped for it,
it waits for a collection (:mod:`holdfast.vm.collector`).

A domain whose threads have all ended has no limits any more: what it still has counts for the one above.
"""

from __future__ import annotations

from time import thread_time
from typing import TYPE_CHECKING, Any, NoReturn

from holdfast.vm.domains import Domain
from holdfast.vm.objects import NEW, Thrown, fail, kind_name, live, make_error
from holdfast.vm.waits import Collected
from holdfast.vm.weighing import Scales, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from holdfast.vm.collector import Collector
    from holdfast.vm.thread import Thread
    from holdfast.vm.world import World

KINDS = ("cpu_ms", "objects", "bytes", "threads", "mailbox", "depth")
STOCKS = ("objects", "bytes")
"""Kinds that are looked at, not reckoned up."""
WRITTEN = "written"
"""Beside the kinds, among what was used: the bytes that went into objects of others."""
ENDED = -1
"""The grace of a domain whose threads have all ended."""
LOOK_FACTOR = 10
"""How many times longer than a look at bytes it is, of processor time, until the next one."""
GROWTH_PART = 16
"""A part of the memory that the process takes: when that has grown by so much, bytes are looked at early."""
ALLOWANCE = (1 << 29) - 1
"""New objects of a domain without a limit before anybody looks; of one digit, as CPython keeps small numbers."""
GRACE = 1_000
"""New objects behind the limit, up to the next safepoint."""
LARGEST = 1 << 50


class Budgets:
    """The budgets of one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.heap = world.heap
        self.scales = Scales(world.heap, self)
        self.collector: Collector
        self.weighs = False
        """Is there any budget of bytes?"""
        self.sharing: dict[Domain, dict[Domain, None]] = {}
        """By whose limit of objects it is: the domains that allocate out of it."""
        self.looks: dict[Domain, tuple[float, int]] = {}
        """When the bytes of a domain are looked at next, by the processor time of this OS thread, and what the process
        took when they were last."""
        self.charged = 0.0
        """When processor time was charged last, in seconds of this OS thread."""

    # ------------------------------------------------------------------ accounts

    def account(self, domain: Domain | None, kind: str, ended: bool = False) -> Domain | None:
        """The domain whose limit counts for another one; None when there is none.  With ``ended`` also one that has
        no threads any more."""
        while domain is not None:
            if domain.given is not None and (ended or domain.grace != ENDED) and kind in live(domain.given).v:
                return domain
            domain = domain.parent
        return None

    def left(self, account: Domain, kind: str) -> Any:
        """What is left of a budget."""
        return account.given.v[kind] - live(account.used).v.get(kind, 0) - live(account.reserved).v.get(kind, 0)

    def add(self, table: Any, kind: str, amount: Any) -> None:
        """Change a record."""
        self.open(table)
        table.v[kind] = table.v.get(kind, 0) + amount

    def open(self, obj: Any) -> None:
        """The write barrier, whatever ``atomic`` may be open: what is written now is not undone."""
        live(obj)
        levels, self.heap.levels = self.heap.levels, []
        try:
            if obj._t is not self.heap.token:
                self.heap.barrier(obj)
        finally:
            self.heap.levels = levels

    def stand(self, thread: Thread, why: Any) -> None:
        """Note why a thread stands still; None when it goes on."""
        if thread.over is not why:
            self.open(thread)
            thread.over = why

    def charge(self, domain: Domain | None, kind: str, amount: Any) -> Domain | None:
        """Use something; gives the account when that has nothing left."""
        account = self.account(domain, kind)
        if account is None:
            return None
        self.add(account.used, kind, amount)
        return account if self.left(account, kind) <= 0 else None

    def release(self, domain: Domain | None, kind: str) -> None:
        """One thread or message less."""
        account = self.account(domain, kind)
        if account is not None:
            self.add(account.used, kind, -1)

    def take(self, domain: Domain | None, kind: str) -> None:
        """One thread or message more; a BudgetError when there may not be."""
        account = self.account(domain, kind)
        if account is None:
            return
        if self.left(account, kind) < 1:
            self.refuse(account, kind)
        self.add(account.used, kind, 1)

    def refuse(self, account: Domain, kind: str) -> NoReturn:
        """Throw: the budget is used up."""
        fail("BudgetError", self.words(account, kind))

    @staticmethod
    def words(account: Domain, kind: str) -> str:
        """What has been used up, and the way out."""
        amount = live(account.given).v[kind]
        return f"the budget of '{account.name}' is used up: {kind} {amount:_}; its parent can give more with refill"

    # ------------------------------------------------------------------ giving

    def give(self, parent: Domain, child: Domain, names: Iterable[str], values: Iterable[Any]) -> None:
        """The budget of a new domain, out of its parent's."""
        wanted = {}
        for kind, value in zip(names, values, strict=True):
            if kind not in KINDS:
                fail("NameError", f"there is no budget '{kind}': there are {', '.join(KINDS)}")
            wanted[kind] = amount_of(kind, value)
        if not wanted:
            return
        self.reserve(parent, wanted)
        self.world.scheduler.bounded = True
        self.weighs = self.weighs or "bytes" in wanted
        child.given, child.used, child.reserved = self._map(wanted), self._map({}), self._map({})
        if "objects" in wanted:
            child.left = min(wanted["objects"], ALLOWANCE)

    def reserve(self, parent: Domain, wanted: dict[str, Any]) -> None:
        """Set aside what a child gets, if there is enough of all."""
        found = []
        for kind, amount in wanted.items():
            account = self.account(parent, kind)
            if account is None or kind == "depth":  # each thread has its own stack
                continue
            left = self.look(account, kind) if kind in STOCKS else self.left(account, kind)
            if left < amount:
                fail("BudgetError", f"{kind} {amount:_} cannot be given: '{account.name}' has {left:_.0f} left itself")
            found.append((account, kind, amount))
        for account, kind, amount in found:
            self.add(account.reserved, kind, amount)

    def refill(self, domain: Domain, thread: Thread, amounts: Any) -> None:
        """``t.refill({cpu_ms: 500})``: give more, out of one's own, and let the threads of the domain go on."""
        child = thread.domain
        if child is None or child.given is None or child is domain:
            fail("BudgetError", f"the thread '{thread.name}' has no budget that could be refilled here")
        if child.grace == ENDED:
            fail("BudgetError", f"the thread '{thread.name}' and all others of its domain have ended")
        wanted = {}
        for kind, value in dict(live(amounts).v).items():
            if kind not in live(child.given).v:
                fail("NameError", f"the thread '{thread.name}' has no limit of '{kind}'")
            wanted[kind] = amount_of(kind, value)
        self.reserve(domain, wanted)
        for kind, amount in wanted.items():
            source = self.account(domain, kind)
            between = self.account(child.parent, kind)
            while between is not source and between is not None:  # it goes through all that are in between
                self.add(between.given, kind, amount)
                self.add(between.reserved, kind, amount)
                between = self.account(between.parent, kind)
            self.add(child.given, kind, amount)
            if kind == "objects":
                child.left = max(child.left, 0) + min(amount, ALLOWANCE)
        for one in self.world.scheduler.awake():
            if one.over is not None and one.domain is not None and one.domain.within(child):
                self.stand(one, None)
                self.world.scheduler.unsuspend(one)

    def admit(self, domain: Domain, new: bool, start: Callable[[], Thread]) -> Thread:
        """Start a thread in a domain, perhaps a ``new`` one, if one more may be; else nothing has been used."""
        taken = False
        try:
            self.take(domain, "threads")
            taken = True
            return start()
        except Thrown:
            if taken:
                self.release(domain, "threads")
            if new:
                self.settle(domain)
            raise

    def ended(self, thread: Thread) -> None:
        """A thread of a domain has ended."""
        self.release(thread.domain, "threads")
        self.settle(thread.domain)

    def settle(self, domain: Domain | None) -> None:
        """Where no thread of a domain and those below is alive any more, what is left returns to the one above; and the
        same for that one, which may have waited for this."""
        while domain is not None and domain.parent is not None:
            if domain.given is not None or self.sharing:
                if any(one.domain is not None and one.domain.within(domain) for one in self.world.scheduler.awake()):
                    return
                for sharing in self.sharing.values():
                    sharing.pop(domain, None)
                if domain.given is not None and domain.grace != ENDED:
                    self.give_back(domain)
            domain = domain.parent

    def give_back(self, domain: Domain) -> None:
        """A domain has ended: what it has used is used by the one above, and the rest that one's again."""
        for kind, given in live(domain.given).v.items():
            account = self.account(domain.parent, kind)
            if account is None or kind == "depth":
                continue
            used = live(domain.used).v
            self.add(account.reserved, kind, -given)
            self.add(account.used, kind, used.get(kind, 0))
            if kind == "bytes":
                self.add(account.used, WRITTEN, used.get(WRITTEN, 0))
        self.open(domain)
        domain.grace = ENDED
        self.looks.pop(domain, None)
        self.sharing.pop(domain, None)

    def _map(self, raw: dict[str, Any]) -> Any:
        made = self.world.collections.Map()
        made._t, made._i = self.heap.token, NEW
        made.hold(raw)
        return made

    # ------------------------------------------------------------------ charging

    def begin_slice(self) -> None:
        """A thread runs: its time begins."""
        self.charged = thread_time()

    def spend(self, domain: Domain) -> Domain | None:
        """Charge the processor time since the last charge; gives the account when nothing is left."""
        now = thread_time()
        spent, self.charged = now - self.charged, now
        return self.charge(domain, "cpu_ms", spent * 1_000)

    def at_safepoint(self, domain: Domain) -> None:
        """Charge a running thread, and stop it when something is used up."""
        thread = self.world.scheduler.current
        if thread is None:
            return
        over = self.spend(domain)
        if over is not None:
            self.stop(thread, over, "cpu_ms")
        if domain.left < 0:
            self.recount(thread, domain)
        if self.weighs:
            self.weigh(thread, domain)
        limit = self.account(domain, "depth")
        if limit is not None and self.deeper(limit.given.v["depth"]):
            fail("BudgetError", f"calls inside each other: over the limit of {limit.given.v['depth']:_} of this domain")

    def deeper(self, limit: int) -> bool:
        """Are there more guest frames on the stack than that?"""
        import sys

        frame: Any = sys._getframe()
        proto_of = self.world.table.proto_of
        stack = self.world.scheduler.current.stack if self.world.scheduler.current is not None else None
        count = len(stack) if stack is not None else 0
        while frame is not None and count <= limit:
            count += proto_of(frame.f_code) is not None
            frame = frame.f_back
        return count > limit

    def stop(self, thread: Thread, account: Domain, kind: str) -> None:
        """Something is used up: suspend the thread, or throw where it must not stand still."""
        inside = thread.domain is not None and thread.domain.within(account)
        if not inside or thread.doomed or self.world.scheduler.in_atomic():  # one that is killed must come to its end
            self.refuse(account, kind)
        self.halt(thread, account, kind)
        self.world.scheduler.give_way()

    def halt(self, thread: Thread, account: Domain, kind: str) -> None:
        """Note why the thread stands still, and tell its parent."""
        error = make_error("BudgetError", self.words(account, kind))
        error._t = self.heap.token
        self.stand(thread, error)
        thread.suspended = True
        scheduler = self.world.scheduler
        scheduler.touched[thread] = None
        for waiter in list(thread.waiters or ()):
            scheduler.make_ready(waiter)
        parent = thread.parent
        if parent is not None and scheduler.lives(parent) and not self.world.mail.full(parent):
            notice = {"budget": kind, "thread": thread}
            value = self._map(notice)
            if parent.domain is not None:
                value._o = parent.domain
            self.world.mail.put(parent, self.world.mail.notice(value, parent))

    def halted(self, thread: Thread) -> bool:
        """Has the domain of a thread that is to run no processor time left?  Then it stands still, unless it is about
        to be killed."""
        account = self.account(thread.domain, "cpu_ms")
        if account is None or self.left(account, "cpu_ms") > 0 or thread.interrupt or thread.doomed:
            return False
        self.halt(thread, account, "cpu_ms")
        return True

    # ------------------------------------------------------------------ objects

    def spent(self, domain: Domain) -> None:
        """The allowance of new objects is used up: count those that are alive."""
        account = self.account(domain, "objects")
        if account is None:
            domain.left = ALLOWANCE
            return
        sharing = self.sharing.setdefault(account, {})
        sharing[domain] = None
        if domain.grace:  # too many were found, and no safepoint has come yet
            self.past(domain, account)
            return
        left = self.look(account, "objects")
        if left > 0:  # each of those who live on it gets a share, so that they cannot pass it by together
            share = min((left + len(sharing) - 1) // len(sharing), ALLOWANCE)
            for one in sharing:
                one.left = min(one.left, share)
            domain.left = share
            return
        self.past(domain, account)

    def look(self, account: Domain, kind: str) -> Any:
        """Count what there is, and note it; gives what is left."""
        started = thread_time()
        found = self.scales.look(account, kind)
        if kind == "bytes":
            found += live(account.used).v.get(WRITTEN, 0)
            now = thread_time()
            self.looks[account] = now + LOOK_FACTOR * (now - started), self.world.guard.resident()
        self.add(account.used, kind, found - live(account.used).v.get(kind, 0))
        return self.left(account, kind)

    def recount(self, thread: Thread, domain: Domain) -> None:
        """At a safepoint after there were too many objects: stop, unless collecting garbage helps."""
        account = self.account(domain, "objects")
        domain.left = domain.grace = 0
        if account is not None:
            self.collect(thread, account, "objects")

    def collect(self, thread: Thread, account: Domain, kind: str) -> None:
        """Where nothing is left, have the thread wait until garbage was collected, if it may; then stop it."""
        if self.heap.stock.counts and not thread.doomed and not self.world.scheduler.in_atomic():
            if self.look(account, kind) <= 0:
                self.world.scheduler.wait(Collected(account, kind))
        else:
            self.require(thread, account, kind)

    def require(self, thread: Thread, account: Domain, kind: str) -> None:
        """Stop the thread when nothing is left."""
        if self.look(account, kind) <= 0:
            self.stop(thread, account, kind)

    def weigh(self, thread: Thread, domain: Domain) -> None:
        """Look at the bytes of a domain, if that is due."""
        account = self.account(domain, "bytes")
        if account is None:
            return
        due, resident = self.looks.get(account, (0.0, 0))
        if thread_time() < due and not self.grown(account, resident):
            return
        self.collect(thread, account, "bytes")

    def grown(self, account: Domain, resident: int) -> bool:
        """Has the process taken so much since the last look that the next is due at once?  In a large world a look
        takes long, and until the next one a domain could fill the memory (threat: row 23)."""
        more = self.world.guard.resident() - resident
        return bool(more > max(self.left(account, "bytes"), (resident + more) // GROWTH_PART))

    def wrote(self, domain: Domain, values: Iterable[Any]) -> None:
        """Charge what goes into an object of somebody else."""
        account = self.account(domain, "bytes")
        if account is None:
            return
        size = written(values)
        self.add(account.used, WRITTEN, size)
        if self.charge(account, "bytes", size) is not None:  # it is stopped at its next safepoint
            self.looks[account] = 0.0, 0
            self.heap.globals["_poll"] = True

    def past(self, domain: Domain, account: Domain) -> None:
        """There are too many objects: the thread stops at its next safepoint; where it must not, it gets the error."""
        domain.left = -1
        self.heap.globals["_poll"] = True
        thread = self.world.scheduler.current
        domain.grace = domain.grace + 1
        inside = thread is not None and thread.domain is not None and thread.domain.within(account)
        if not inside or domain.grace > GRACE:  # or no safepoint comes
            domain.left = domain.grace = 0
            raise Thrown(make_error("BudgetError", self.words(account, "objects")))

    # ------------------------------------------------------------------ for people

    def shown(self, thread: Any) -> dict[str, list[Any]]:
        """Of each kind that is limited for a thread: what is used, and the limit."""
        found: dict[str, list[Any]] = {}
        domain = thread.domain
        for kind in KINDS:
            account = self.account(domain, kind, ended=True)
            if account is not None:
                used = live(account.used).v.get(kind, 0) + live(account.reserved).v.get(kind, 0)
                found[kind] = [round(used), live(account.given).v[kind]]
        return found


def amount_of(kind: str, value: Any) -> Any:
    """A number for a budget."""
    if type(value) is not int or not 0 <= value <= LARGEST:
        fail(
            "ValueError",
            f"a budget is an Int from 0 on, not {kind} {value if type(value) is int else kind_name(value)}",
        )
    return value
