"""Judges the log of a history by the invariants I1 to I5, with bookkeeping of its own.

It uses none of the model's rules.  What a domain may exercise at most (`Audit.bound`) it works out from who made what,
who was born with what, and who wrote which reference where:

- everything on what is owned at or below;
- what a grant to it, or to a domain below, was born with;
- with r on a container, what somebody wrote into it who had the rights himself, met with the rights on the container.
  A writer hands *sideways*, to a domain neither above nor below, only what he owns, never what he was granted.

`violations` gives pairs of an invariant's name and what happened.
"""

from __future__ import annotations

from typing import Any

Rights = frozenset[str]
ALL: Rights = frozenset("rwx")
NONE: Rights = frozenset()


class Audit:
    """The books of one history."""

    def __init__(self) -> None:
        self.parents: dict[int, int] = {}
        self.above: dict[int, set[int]] = {}
        self.owners: dict[int, int] = {}
        self.reach: dict[int, dict[int, Rights]] = {}
        self.links: dict[int, list[tuple[int, int, Rights]]] = {}
        self.conds: dict[int, tuple[int, Rights]] = {}
        """Of a grant or revoker: its holder, and what it may still allow."""
        self.places: dict[int, tuple[int, Rights]] = {}
        self.onlys: dict[int, Rights] = {}
        self.violations: list[tuple[str, str]] = []

    def judge(self, log: list[tuple[Any, ...]]) -> list[tuple[str, str]]:
        """Go through a log."""
        for entry in log:
            getattr(self, "on_" + entry[0])(*entry[1:])
        return self.violations

    def within(self, one: int, other: int) -> bool:
        return other in self.above[one]

    def bound(self, dom: int, obj: int) -> Rights:
        """The most that a domain may do with an object."""
        return ALL if self.within(self.owners[obj], dom) else self.reach[dom].get(obj, NONE)

    def check(self, name: str, holds: bool, what: str) -> None:
        if not holds:
            self.violations.append((name, what))

    # ------------------------------------------------------------------ bookkeeping

    def on_dom(self, dom: int, parent: int) -> None:
        self.parents[dom] = parent
        self.above[dom] = {dom} | self.above.get(parent, set())
        self.reach[dom] = {}

    def on_new(self, obj: int, owner: int) -> None:
        self.owners[obj] = owner

    def on_link(self, container: int, obj: int, writer: int) -> None:
        link = writer, obj, self.bound(writer, obj)
        self.links.setdefault(container, []).append(link)
        for dom, reach in self.reach.items():
            if "r" in reach.get(container, NONE):
                self.follow(dom, container, link)

    def follow(self, dom: int, container: int, link: tuple[int, int, Rights]) -> None:
        """Reach what a link leads to, if it counts."""
        writer, obj, rights = link
        sideways = not self.within(writer, dom) and not self.within(dom, writer)
        if not sideways or self.within(self.owners[obj], writer):
            self.add(dom, obj, rights & self.reach[dom][container])

    def add(self, dom: int, obj: int, rights: Rights) -> None:
        reach = self.reach[dom]
        before = reach.get(obj, NONE)
        if rights <= before:
            return
        reach[obj] = before | rights
        if "r" in reach[obj]:
            for link in self.links.get(obj, ()):
                self.follow(dom, obj, link)

    # ------------------------------------------------------------------ the invariants

    def on_cond(
        self, cond: int, holder: int, granter: int, obj: int, rights: Rights, conds: tuple[int, ...], trace: Any
    ) -> None:
        """I3: a child's grant is on something that its parent owned at or below, or held through a grant of its own
        that is among the conditions; at birth no more than the parent's permission."""
        what = f"{granter} grants {holder} {show(rights)} on {obj}"
        self.check("I3", rights <= self.bound(granter, obj), f"{what}, but has {show(self.bound(granter, obj))}")
        self.check("I3", rights <= self.live(trace), f"{what}, but that is shed to {show(self.live(trace))}")
        if holder != granter and rights:
            through = any(self.conds[c][0] == granter and self.within(holder, granter) for c in conds)
            self.check("I3", through or self.within(self.owners[obj], granter), f"{what}, on no condition of its own")
        self.conds[cond] = holder, rights
        if holder != granter:
            for dom in self.above[holder]:
                self.add(dom, obj, rights & self.bound(granter, obj))

    def on_shed(self, cond: int, rights: Rights) -> None:
        holder, before = self.conds[cond]
        self.conds[cond] = holder, before & rights

    def on_state(self, cond: int, rights: Rights) -> None:
        """I2: a grant's rights never rise."""
        most = self.conds[cond][1]
        self.check("I2", rights <= most, f"grant {cond} has {show(rights)} again, it had {show(most)}")

    def live(self, trace: frozenset[tuple[str, int]]) -> Rights:
        """What the grants and revokers of a trace still allow."""
        rights = ALL
        for kind, number in trace:
            if kind == "g":
                rights &= self.conds[number][1]
        return rights

    def on_place(self, place: int, dom: int, obj: int) -> None:
        self.places[place] = dom, self.bound(dom, obj)

    def on_only(self, number: int, rights: Rights) -> None:
        self.onlys[number] = rights

    def on_may(self, dom: int, obj: int, rights: Rights, trace: frozenset[tuple[str, int]]) -> None:
        """I1: what D exercises is owned at or below D, or reachable from a grant of D.  I2: and what was shed, by
        anybody whose grant it came through, is gone.  I4: for every reader, what X placed outside its own frames
        carries at most X's permission at that time; what is in an object, at most what its owner could do."""
        what = f"{dom} has {show(rights)} on {obj}"
        self.check("I1", rights <= self.bound(dom, obj), f"{what}, at most {show(self.bound(dom, obj))}")
        self.check("I2", rights <= self.live(trace), f"{what}, but that is shed to {show(self.live(trace))}")
        for kind, number in trace:
            if kind == "p":
                placed_by, most = self.places[number]
                self.check("I4", rights <= most, f"{what}, placed by {placed_by} with {show(most)}")
            elif kind == "o":
                most = self.onlys[number]
                self.check("I1", rights <= most, f"{what}, that came through one with {show(most)}")
            elif kind == "in":
                most = self.bound(self.owners[number], obj)
                self.check("I4", rights <= most, f"{what}, out of {number}, whose owner has {show(most)}")

    def on_frame(self, running: int, caller: int, definer: int) -> None:
        """I5: a frame's domain ⊑ its caller's, and ⊑ the definer of its code."""
        holds = self.within(running, caller) and self.within(running, definer)
        self.check("I5", holds, f"a function of {definer}, called by {caller}, runs as {running}")


def show(rights: Rights) -> str:
    """Rights in order."""
    return "".join(right for right in "rwx" if right in rights) or "nothing"
