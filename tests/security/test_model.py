"""The reference model keeps the invariants, and every clause of its rules is needed for that.

``HOLDFAST_HISTORIES=200000`` tries more histories than usual, ``HOLDFAST_SEED=x`` others.  A failure names the seed of
the history, to be made again by ``generate(seed, profile=…)``.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import pytest

from tests.security.audit import Audit
from tests.security.histories import PROFILES, generate
from tests.security.model import CLAUSES
from tests.security.operations import (
    AskRights,
    Birth,
    Call,
    Equal,
    Fetch,
    Get,
    History,
    Make,
    New,
    Only,
    Push,
    Revocable,
    Revoke,
    Run,
    Send,
    Set,
    Shed,
    run,
)

HISTORIES = int(os.environ.get("HOLDFAST_HISTORIES", "2000"))
SEED = os.environ.get("HOLDFAST_SEED", "0")
BOUND = 2500
"""A clause that is needed is found to be so within so many histories; most within ten, the rarest in one of 100."""

BREAKS: dict[str, tuple[str, str]] = {
    "only meets": ("mixed", "I1"),
    "only keeps": ("shedding", "I2 I3"),
    "conditions": ("shedding", "I2"),
    "out of it rights": ("sharing", "I1"),
    "out of it conditions": ("sharing", "I2 I3"),
    "revoker": ("shedding", "I2"),
    "grant meets": ("mixed", "I3"),
    "grant keeps": ("shedding", "I2 I3"),
    "grant itself": ("shedding", "I2 I3"),
    "shed meets": ("shedding", "I2"),
    "shed stays": ("shedding", "I2"),
    "birth only": ("sharing", "I1"),
    "plain counts": ("mixed", "I1"),
    "holder counts": ("mixed", "I1"),
    "stored owner": ("sharing", "I1 I4"),
    "stored holder": ("sharing", "I1"),
    "reader": ("sharing", "I1"),
    "store": ("sharing", "I4"),
    "send": ("mixed", "I4"),
    "return": ("code", "I4"),
    "throw": ("code", "I4"),
    "show": ("code", "I4"),
    "definer": ("code", "I5"),
    "caller": ("code", "I5"),
    "neither": ("code", "I5"),
    "x": ("code", "I1"),
}
"""For each clause the kind of histories in which it matters most, and what it breaks when it is off."""


@cache
def history(number: int, profile: str) -> History:
    """One of the histories of this run."""
    return generate(f"{SEED}/{profile}/{number}", profile=profile)


def violations(made: History, off: frozenset[str] = frozenset()) -> list[tuple[str, str]]:
    """What a history violates."""
    log: list[tuple[Any, ...]] = []
    run(made, off, log)
    return Audit().judge(log)


def test_the_invariants_hold() -> None:
    """I1 to I5 hold in every history."""
    print(f"seed {SEED!r}, {HISTORIES} histories")
    for number in range(HISTORIES):
        profile = list(PROFILES)[number % len(PROFILES)]
        made = history(number, profile) if number < BOUND else generate(f"{SEED}/{profile}/{number}", profile=profile)
        found = violations(made)
        assert not found, f"{SEED}/{profile}/{number}: {found[0]}"


def test_histories_do_not_fault() -> None:
    """The generator makes only what can be done, or is refused; and much of both."""
    outcomes = [outcome for number in range(100) for outcome in run(history(number, "mixed"))]
    assert "error" not in outcomes
    assert outcomes.count("CapabilityError") > len(outcomes) // 20
    assert outcomes.count("ok") > len(outcomes) // 10


def test_every_clause_is_tried() -> None:
    """There is no clause whose need is not tested."""
    assert BREAKS.keys() == CLAUSES.keys()


@pytest.mark.parametrize("clause", CLAUSES)
def test_every_clause_is_needed(clause: str) -> None:
    """With any one clause off, some history breaks an invariant."""
    profile, names = BREAKS[clause]
    for number in range(BOUND):
        if any(name in names.split() for name, _ in violations(history(number, profile), frozenset({clause}))):
            print(f"{clause}: seed {SEED}/{profile}/{number}")
            return
    pytest.fail(f"{BOUND} histories of seed {SEED!r} do without: {CLAUSES[clause]}")


# ---------------------------------------------------------------------- the rules by example

HUB: History = [
    New(0, "Map", "hub"),
    New(0, "Box", "mine"),
    New(0, "Box", "yours"),
    Birth(0, 1, (("hub", "hub"), ("mine", "mine")), ()),
    Birth(0, 2, (("hub", "hub"), ("yours", "yours")), ()),
    Fetch(1, "hub", "hub"),
    Fetch(1, "mine", "mine"),
    Fetch(2, "hub", "hub"),
    Fetch(2, "yours", "yours"),
]
"""Two domains side by side that share a Map and have one thing each."""


def after(*then: Any, first: History = HUB) -> list[str]:
    """The outcomes of the last operations."""
    running = Run()
    return [running.step(op) for op in [*first, *then]][len(first) :]


def test_what_is_owned_is_shared_sideways() -> None:
    """A domain puts its own object into a shared one, and the other reads it with the rights that it has there."""
    assert after(New(1, "Box", "b"), Set(1, "hub", "a", "b"), Get(2, "hub", "a", "b"))[-1] == "rwx"


def test_what_was_granted_is_not_shared_sideways() -> None:
    """A capability that one domain stores is inert to the one beside it, and good to the one above."""
    stored = (Set(1, "hub", "a", "mine"), Get(2, "hub", "a", "m"), Get(0, "hub", "a", "m"), Get(1, "hub", "a", "m"))
    assert after(*stored) == ["ok", "-", "rwx", "rwx"]


def test_nobody_fetches_for_another() -> None:
    """What one above reads through a child's capability is no more than the child could read."""
    lured = (Set(1, "hub", "a", "mine"), Send(2, "hub", 0, "h"), Get(0, "h", "a", "m"), Send(0, "m", 2, "m"))
    assert after(*lured)[1:] == ["rwx", "-", "-"]


def test_what_an_owner_cannot_use_does_not_shine_through() -> None:
    """What is put into a weak domain's object is inert to whoever reads that through a capability."""
    planted = (New(1, "Box", "b"), Send(1, "b", 0, "b"), Set(0, "b", "a", "yours"), Set(1, "hub", "a", "b"))
    found = (Get(2, "hub", "a", "b"), Get(2, "b", "a", "y"), Get(1, "b", "a", "y"), Get(0, "b", "a", "y"))
    assert after(*planted, *found)[-4:] == ["rwx", "-", "-", "rwx"]


def test_an_inert_reference_loses_its_rights_on_the_way() -> None:
    """What a domain cannot use comes back from it without rights, to its owner too; it is still the same object."""
    sent = (Send(0, "yours", 1, "y"), Send(1, "y", 0, "y"), Equal(0, "y", "yours"))
    assert after(*sent) == ["-", "-", "true"]


def test_a_weaker_definer_gives_back_less() -> None:
    """A function of a weak domain runs as that domain, whoever calls it."""
    calls = (Make(1, "give", "hub", "f"), Send(1, "f", 0, "f"), Call(0, "f", "yours", "y"), Call(0, "f", "f", "g"))
    assert after(*calls)[-2:] == ["-", "rwx"]


def test_a_stronger_definer_lends_nothing() -> None:
    """A function of a strong domain runs as who calls it; what it has captured is inert then."""
    shared = (Make(0, "held", "yours", "f"), Set(0, "hub", "a", "f"), Get(1, "hub", "a", "f"), Call(1, "f", "f", "y"))
    assert after(*shared)[-2:] == ["rwx", "-"]


def test_strangers_do_not_run_each_other() -> None:
    """If neither of caller and definer is below the other, the call is refused."""
    shared = (Make(1, "give", "hub", "f"), Set(1, "hub", "a", "f"), Get(2, "hub", "a", "f"), Call(2, "f", "f", "g"))
    assert after(*shared)[-2:] == ["rwx", "CapabilityError"]


def test_a_thrown_error_carries_no_more() -> None:
    """What is thrown carries at most the rights of the domain that throws."""
    thrown = (Make(1, "throw", "hub", "f"), Send(1, "f", 0, "f"), Call(0, "f", "yours", "y"), Call(0, "f", "f", "g"))
    assert after(*thrown)[-2:] == ["-", "rwx"]


def test_what_is_shed_is_gone_below() -> None:
    """A limit, undone or not, acts at once on what was made from the grant, and on the domains below."""
    below = (Only(1, "mine", "rw", "m"), Birth(1, 3, (("m", "m"),), ()), Fetch(3, "m", "m"))
    shed = (Shed(1, "mine", "rx", True), AskRights(1, "m"), AskRights(3, "m"), AskRights(1, "mine"))
    assert after(*below, *shed)[2:] == ["rw", "undone", "r", "r", "rx"]
    dropped = (Shed(1, "mine", None, False), AskRights(3, "m"), Fetch(1, "mine", "m"))
    assert after(*below, *dropped)[3:] == ["ok", "-", "CapabilityError"]


def test_a_revoker_cuts_what_came_through_it() -> None:
    """After `k.revoke()` nothing that came through `k.cap` has rights."""
    given = (Set(0, "mine", "a", "yours"), Revocable(0, "mine", "r", "k", "m"), Birth(0, 3, (("m", "m"),), ()))
    used = (Fetch(3, "m", "m"), Get(3, "m", "a", "y"), Revoke(0, "k"), AskRights(3, "m"), AskRights(3, "y"))
    assert after(*given, *used)[3:] == ["r", "r", "ok", "-", "-"]


def test_a_comparison_is_a_read() -> None:
    """Lists are equal by content where both may be read, else by identity."""
    lists = (New(1, "List", "a"), New(1, "List", "b"), Only(1, "b", "w", "w"), Equal(1, "a", "b"), Equal(1, "a", "w"))
    assert after(*lists, Equal(1, "w", "b"), Push(1, "w", "a"), Equal(1, "a", "b"))[3:] == [
        "true",
        "false",
        "true",
        "ok",
        "false",
    ]
