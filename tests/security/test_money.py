"""I8, money: for each domain and kind, what was given and refilled is what is left, used, and reserved by children.

Random trees of domains with budgets spawn, refill, send, work, end and are killed, and their world is closed and opened
again.  After each step the accounts are compared with a model that knows only who gave how much to whom, and what is
used with what there is: threads, messages, and processor time that never comes back.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.vm.objects import Thrown, live
from holdfast.vm.world import World

SEED = os.environ.get("HOLDFAST_SEED")
LIMITS = {"threads": (1, 9), "mailbox": (1, 9), "cpu_ms": (9_000, 20_000), "objects": (200, 700)}
"""What is given at once: so much that nobody is stopped amid something, which the model would have to guess."""
RESERVE = {"cpu_ms": 4_000, "objects": 120}
FIRST = {"threads": 40, "mailbox": 60, "cpu_ms": 600_000, "objects": 9_000}
SETUP = """
fn node() {
  let children = []
  while true {
    let m = receive()
    let what = m.value
    let b = m.value
    try {
      if what == "helper" {
        children.push(spawn receive())
      } else if what == "work" {
        let xs = []
        for i in 0..50 { xs.push([i]) }
      } else if what == "send" {
        children[-1].send("x")
      } else if what == "end" {
        m.reply(nil)
        return nil
      } else {
        let n = what.split(" ").map(Int)
        if n[0] < 0 {
          children.push(spawn node() budget {threads: n[1], mailbox: n[2], cpu_ms: n[3], objects: n[4]})
        } else {
          children[n[0]].refill({threads: n[1], mailbox: n[2], cpu_ms: n[3], objects: n[4]})
        }
      }
      m.reply(nil)
    } catch e {
      m.fail(e.kind)
    }
  }
}
root.top = spawn node() budget {threads: 40, mailbox: 60, cpu_ms: 600_000, objects: 9_000}
root.who = nil
"""


class Account:
    """What the model knows of a domain."""

    def __init__(self, thread: Any, given: dict[str, int]) -> None:
        self.thread = thread
        self.given = given
        self.children: list[Account | None] = []
        """As the thread of the domain has them; None for one that is in no domain of its own."""
        self.spent = 0.0
        self.ended = False

    def living(self) -> Iterator[Account]:
        """This one and all below that have not ended."""
        if not self.ended:
            yield self
            for child in self.children:
                if child is not None:
                    yield from child.living()


class Bank:
    """A world with such a tree, and its model."""

    def __init__(self, path: Path, chance: random.Random) -> None:
        self.path = path
        self.chance = chance
        self.world = World.open(path, durability="process")
        self.world.run_source(SETUP, "setup.hold")
        self.top = Account(self.world.heap.root.v["top"], dict(FIRST))
        self.count = 0
        self.helpers: set[Any] = set()
        self.log: list[Any] = []
        """What was asked of whom, for a failure."""

    def reopen(self) -> None:
        """Close the world and open it again; threads are found by their KIDs."""
        world = self.world
        kids = {account: world.give_id(live(account.thread)) for account in self.top.living()}
        helpers = [world.give_id(one) for one in self.helpers if one in world.scheduler.living]
        self.log.append("opened again")
        world.checkpoint()
        world.close()
        self.world = World.open(self.path, durability="process")
        for account, oid in kids.items():
            account.thread = self.world.heap.ref(oid)
        self.helpers = {live(self.world.heap.ref(oid)) for oid in helpers}

    def run(self, text: str) -> bool:
        """Run a program of the whole world's; False when it failed."""
        try:
            self.world.run_source(text, "step.hold")
        except Thrown as thrown:
            self.log.append(thrown.error.f_message)
            return False
        return True

    def ask(self, account: Account, what: str) -> None:
        """Have a node do something; it may refuse, or be stopped."""
        self.name(account, "who")
        done = self.run(f'root.who.ask("{what}")')
        self.count += done
        self.log.append((hash(account) % 10_007, what, done, live(account.thread).f_state))

    def born(self, account: Account) -> list[Any]:
        """The threads that it has started just now: it may have been stopped before it could say so."""
        known = {live(one.thread) for one in account.children if one is not None} | self.helpers
        living = self.world.scheduler.living
        found = [one for one in living if one.parent is live(account.thread) and one not in known]
        self.helpers |= {one for one in found if one.domain is live(account.thread).domain}
        return found

    def name(self, account: Account, name: str) -> None:
        """Make a thread known to programs."""
        root = live(self.world.heap.root)
        self.world.heap.barrier(root)
        root.v[name] = account.thread

    def step(self) -> None:
        """Something happens to one of the domains."""
        chance = self.chance
        account = chance.choice([one for one in self.top.living() if self.lives(one)])
        what = chance.choice(["spawn", "spawn", "spawn", "refill", "raise", "work", "helper", "send", "end", "kill"])
        amounts = {kind: chance.randrange(*bounds) for kind, bounds in LIMITS.items()}
        numbers = " ".join(map(str, amounts.values()))
        if what in ("spawn", "refill") and self.leaves_little(account, amounts):
            self.log.append("nothing")
        elif what == "spawn":
            self.ask(account, f"-1 {numbers}")
            account.children += [Account(thread, amounts) for thread in self.born(account)]
        elif what == "helper":
            self.ask(account, "helper")
            account.children += [None for _ in self.born(account)]
        elif what == "refill" and account.children:
            place = chance.randrange(len(account.children))
            child = account.children[place]
            before = dict(live(live(child.thread).domain.given).v) if child is not None else {}
            self.ask(account, f"{place} {numbers}")
            if child is not None and live(live(child.thread).domain.given).v != before:
                assert not child.ended
                self.refilled([child], amounts)
        elif what == "raise":
            self.name(account, "who")
            more = ", ".join(f"{kind}: {amount}" for kind, amount in amounts.items())
            assert self.run(f"root.who.refill({{{more}}})")
            self.refilled(self.chain(account), amounts)
        elif what in ("work", "send"):
            self.ask(account, what)
        elif what == "end" and account is not self.top:
            self.ask(account, "end")
        elif what == "kill" and account is not self.top:
            self.name(account, "who")
            assert self.run("root.who.kill()\ntry { root.who.join() } catch e {}")

    def leaves_little(self, account: Account, amounts: dict[str, int]) -> bool:
        """Would a domain that gives so much away have too little for the next step, on a machine that is slow?"""
        domain = live(account.thread).domain
        left = {kind: self.world.authority.budgets.left(domain, kind) - amounts[kind] for kind in RESERVE}
        return any(0 <= left[kind] < RESERVE[kind] for kind in RESERVE)

    def refilled(self, chain: list[Account], amounts: dict[str, int]) -> None:
        """These have more."""
        for account in chain:
            for kind, amount in amounts.items():
                account.given[kind] += amount

    def chain(self, account: Account) -> list[Account]:
        """The accounts from the top down to one: what the whole world gives goes through all of them."""
        found = [self.top]
        while found[-1] is not account:
            found.append(next(c for c in found[-1].children if c is not None and account in c.living()))
        return found

    def lives(self, account: Account) -> bool:
        """Is its own thread alive?"""
        return live(account.thread) in self.world.scheduler.living

    def check(self) -> None:
        """Compare all accounts."""
        world, budgets = self.world, self.world.authority.budgets
        living = world.scheduler.living
        for account in list(self.top.living()):
            domain = live(account.thread).domain
            account.ended = not any(one.domain is not None and one.domain.within(domain) for one in living)
        owed = 0
        for account in self.top.living():
            over = live(account.thread).over
            assert over is None, (over.f_message, self.log[-8:])
            domain = live(account.thread).domain
            used, reserved, given = (live(table).v for table in (domain.used, domain.reserved, domain.given))
            for kind in FIRST:
                below = sum(one.given[kind] for one in account.children if one is not None and not one.ended)
                assert (given[kind], reserved.get(kind, 0)) == (account.given[kind], below), (kind, self.log[-8:])
                assert budgets.left(domain, kind) == pytest.approx(given[kind] - below - used.get(kind, 0))
                assert used.get(kind, 0) >= 0, kind
            assert used.get("threads", 0) == sum(one.domain is domain for one in living)
            assert used.get("cpu_ms", 0) >= account.spent
            account.spent = used.get("cpu_ms", 0)
            owed += used.get("mailbox", 0)
        assert owed >= sum(message.payer is not None for one in living for message in one.mailbox or ())


@pytest.mark.parametrize("number", [0, 1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 30))])
def test_i8_money(number: int, tmp_path: Path) -> None:
    """Nothing is lost and nothing comes from nowhere."""
    seed = f"{SEED or 0}/{number}"
    print(f"HOLDFAST_SEED={seed}")
    chance = random.Random(seed)
    bank = Bank(tmp_path / "w", chance)
    bank.check()
    for _ in range(120):
        bank.step()
        bank.check()
        if chance.random() < 0.05:
            bank.reopen()
            bank.check()
    bank.world.close()
    assert bank.count > 20
