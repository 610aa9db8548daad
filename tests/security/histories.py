"""Random histories of domains.

``generate`` makes the history of a seed.  It executes each operation on the model while it chooses, so that all fit the
kinds of the values that they meet: the only errors are refusals.  (With a clause switched off, the same history may
meet other values.)  What the operations are, and what comes of them, stands in `tests.security.operations`.
"""

from __future__ import annotations

import random

from tests.security.model import Cap, Plain
from tests.security.operations import (
    BODIES,
    KINDS,
    AskRights,
    Birth,
    Call,
    Equal,
    Fetch,
    Get,
    GrantRights,
    History,
    Item,
    Make,
    New,
    Only,
    Op,
    Peek,
    Push,
    Revocable,
    Revoke,
    Run,
    Send,
    Set,
    Shed,
    run,
)

__all__ = ["PROFILES", "Generator", "generate", "run"]


class Generator:
    """Makes a history while a model executes it, so that every operation fits the kinds of the values that it meets.

    It prefers what is allowed to what is refused, containers that hold references, and values that have just come."""

    def __init__(self, rng: random.Random, *, domains: int = 5, peeks: bool = True, profile: str = "") -> None:
        self.rng = rng
        self.run = Run()
        self.history: History = []
        self.domains = rng.randint(3, domains)
        self.peeks = peeks
        self.keys = 0
        self.last = (0, "")
        self.draws = DRAWS
        self.weights: tuple[int, ...] = PROFILES[profile or rng.choice(list(PROFILES))]

    def make(self, steps: int) -> History:
        """A history of about so many operations: a program with a few things and two domains below, which often share
        one of them; then anything."""
        for kind in KINDS:
            self.do(New(0, kind, f"x{KINDS.index(kind)}"))
        self.do(Set(0, "x0", "a", "x2"))
        self.do(Set(0, "x1", "a", "x0"))
        self.birth(0)
        self.birth(self.rng.choice((0, 0, 1)))
        while len(self.history) < steps:
            dom = self.last[0] if self.rng.random() < 0.3 else self.rng.choice(list(self.run.actors))
            self.any(dom)
        return self.history

    def do(self, op: Op) -> None:
        self.history.append(op)
        self.run.step(op)
        if hasattr(op, "to"):
            self.last = (op.other if isinstance(op, Send) else op.dom), op.to

    def birth(self, dom: int) -> None:
        names = self.references(dom)
        if len(self.run.actors) > self.domains or not names:
            return
        given = []
        for count in range(self.rng.randint(0, 3)):
            x = "x2" if count == 0 and dom == 0 and self.rng.random() < 0.6 else self.pick(dom, names)
            if count and self.rng.random() < 0.4:
                x = f"y{count}"
                self.do(New(dom, self.rng.choice(KINDS), x))
            if self.rng.random() < 0.4:
                self.do(Only(dom, x, self.rights(), f"y{count}"))
                x = f"y{count}"
            given.append((f"g{count}", x))
        args = tuple(self.pick(dom, names) for _ in range(self.rng.choice((0, 0, 1, 2))))
        child = len(self.run.actors)
        self.do(Birth(dom, child, tuple(given), args))
        for name, _ in given:
            if self.rng.random() < 0.8:
                self.do(Fetch(child, name, "x" + name[1:]))

    def rights(self) -> str:
        return self.rng.choice(("r", "r", "rw", "rx", "w", "x", "rwx"))

    def references(self, dom: int, *kinds: str) -> list[str]:
        """Locals that hold references to objects of these kinds (none: any kind)."""
        return [
            name
            for name, item in self.run.actors[dom].locals.items()
            if isinstance(item.value, Plain | Cap) and (not kinds or item.value.obj.kind in kinds)
        ]

    def pick(self, dom: int, names: list[str], right: str = "") -> str:
        """One of these locals: often what has just come, often one that has the right."""
        if self.last[0] == dom and self.last[1] in names and self.rng.random() < 0.3:
            return self.last[1]
        shared = "x0" if dom else "x2"
        if right in ("r", "w") and shared in names and self.rng.random() < 0.3:
            return shared
        actor = self.run.actors[dom]
        able = [x for x in names if not right or right in self.run.model.perm(actor.dom, reference(actor.locals[x]))]
        return self.rng.choice(able if able and self.rng.random() < 0.7 else names)

    def slot(self, dom: int, x: str, *, full: bool = False) -> str | int:
        """A slot of the object in a local; if full, often one that holds a reference."""
        obj = reference(self.run.actors[dom].locals[x]).obj
        filled = [name for name, slot in obj.slots.items() if isinstance(slot.value, Plain | Cap)]
        return self.rng.choice(filled if full and filled and self.rng.random() < 0.7 else list(obj.slots))

    def any(self, dom: int) -> None:
        """One operation of the domain, if it can do what was drawn."""
        rng, to = self.rng, f"x{self.rng.randrange(3, 6)}"
        things, boxes, lists = self.references(dom), self.references(dom, *KINDS), self.references(dom, "List")
        functions, keys = self.references(dom, "fn"), list(self.run.actors[dom].keys)
        names = list(self.run.actors[dom].dom.grants)
        draw = rng.choices(self.draws, self.weights)[0]
        if draw == "new":
            self.do(New(dom, rng.choice(KINDS), to))
        elif draw == "birth":
            self.birth(dom)
        elif draw == "make" and things:
            self.do(Make(dom, *self.body(dom, things, functions), to))
        elif draw in ("fetch", "shed", "grantrights") and names:
            self.of_the_set(dom, draw, rng.choice(names), to)
        elif draw == "revoke" and keys:
            self.do(Revoke(dom, rng.choice(keys)))
        elif draw == "call" and functions and things:
            self.call(dom, self.pick(dom, functions, "x"), to)
        elif draw == "push" and lists:
            self.do(Push(dom, self.pick(dom, lists, "w"), self.pick(dom, things)))
        elif draw == "send" and things:
            self.send(dom, self.pick(dom, things), to)
        elif draw == "relay" and boxes:
            self.relay(dom, self.pick(dom, boxes, "r"), to)
        elif draw == "deposit" and boxes:
            self.deposit(dom, boxes, to)
        elif draw == "publish" and boxes:
            caps = [x for x in things if isinstance(self.run.actors[dom].locals[x].value, Cap)]
            self.keep(dom, self.pick(dom, boxes, "w"), self.pick(dom, rng.choice((caps, functions, things)) or things))
        elif draw == "peek" and self.peeks:
            self.peek(dom, to)
        elif boxes:
            self.with_a_box(dom, draw, boxes, things, to)

    def with_a_box(self, dom: int, draw: str, boxes: list[str], things: list[str], to: str) -> None:
        if draw == "get":
            x = self.pick(dom, boxes, "r")
            self.do(Get(dom, x, self.slot(dom, x, full=True), to))
            if self.rng.random() < 0.5 and to in self.references(dom, *KINDS):  # and on into what was found
                self.do(Get(dom, to, self.slot(dom, to, full=True), "x7"))
        elif draw == "set":
            x = self.pick(dom, boxes, "w")
            y = self.pick(dom, things) if self.rng.random() < 0.8 else self.rng.randrange(100)
            self.do(Set(dom, x, self.slot(dom, x), y))
        elif draw == "only":
            self.do(Only(dom, self.pick(dom, things), self.rights(), to))
        elif draw == "revocable":
            self.keys += 1
            self.do(Revocable(dom, self.pick(dom, boxes), self.rights(), f"k{self.keys}", to))
        elif draw == "equal":
            self.do(Equal(dom, self.pick(dom, boxes), self.pick(dom, things)))
        elif draw == "rights":
            self.do(AskRights(dom, self.pick(dom, things)))

    def of_the_set(self, dom: int, draw: str, name: str, to: str) -> None:
        if draw == "fetch":
            self.do(Fetch(dom, name, to))
        elif draw == "shed":
            rights = self.rng.choice((None, "r", "rw", "rwx", "w", ""))
            self.do(Shed(dom, name, rights, self.rng.random() < 0.3))
        else:
            self.do(GrantRights(dom, name))

    def body(self, dom: int, things: list[str], functions: list[str]) -> tuple[str, str]:
        """A body, and what it captures."""
        body = self.rng.choice(BODIES)
        if body == "call":
            return (body, self.rng.choice(functions)) if functions else ("give", self.rng.choice(things))
        return body, self.rng.choice(things)

    def call(self, dom: int, f: str, to: str) -> None:
        """A call whose argument fits what the body, or that of the function that it calls, does with it."""
        fn = self.run.actors[dom].locals[f].value
        needs = False
        while isinstance(fn, Plain | Cap):
            needs = needs or fn.obj.body in ("get", "put")
            fn = fn.obj.captured.value if fn.obj.body == "call" and fn.obj.captured is not None else None
        fitting = self.references(dom, "Box", "Map") if needs else self.references(dom)
        if fitting:
            self.do(Call(dom, f, self.pick(dom, fitting), to))

    def send(self, dom: int, x: str, to: str) -> None:
        others = [other for other in self.run.actors if other != dom]
        if others:
            self.do(Send(dom, x, self.rng.choice(others), to))

    def relay(self, dom: int, x: str, to: str) -> None:
        """Ask a domain above to read something, and to send what it finds."""
        parent = self.run.actors[dom].dom.parent
        if parent is not None:
            self.do(Send(dom, x, parent.id, to))
            self.do(Get(parent.id, to, self.slot(dom, x, full=True), to))
            self.do(Send(parent.id, to, dom, to))

    def deposit(self, dom: int, boxes: list[str], to: str) -> None:
        """A domain above puts something into a new object, which is then stored where others may find it."""
        parent = self.run.actors[dom].dom.parent
        if parent is None:
            return
        self.do(New(dom, self.rng.choice(KINDS), "x6"))
        self.do(Send(dom, "x6", parent.id, to))
        self.do(New(parent.id, self.rng.choice(KINDS), "x7"))
        self.do(Set(parent.id, to, self.slot(parent.id, to), "x7"))
        self.keep(dom, "x0" if "x0" in boxes else self.pick(dom, boxes, "w"), "x6")
        finder = self.rng.choice(list(self.run.actors))
        if "x0" in self.references(finder, "List"):
            self.do(Get(finder, "x0", len(reference(self.run.actors[finder].locals["x0"]).obj.slots) - 1, "x5"))
            if "x5" in self.references(finder, *KINDS):
                self.do(Get(finder, "x5", self.slot(finder, "x5", full=True), "x6"))

    def keep(self, dom: int, x: str, y: str) -> None:
        """Put a reference into an object; a List grows."""
        if reference(self.run.actors[dom].locals[x]).obj.kind == "List":
            self.do(Push(dom, x, y))
        else:
            self.do(Set(dom, x, self.slot(dom, x), y))

    def peek(self, dom: int, to: str) -> None:
        here = self.run.actors[dom].dom
        below = [n for n, actor in self.run.actors.items() if actor.dom.within(here) and n != dom and actor.locals]
        if below:
            other = self.rng.choice(below)
            self.do(Peek(dom, other, self.rng.choice(list(self.run.actors[other].locals)), to))


def reference(item: Item) -> Plain | Cap:
    """The reference that a value is known to be."""
    assert isinstance(item.value, Plain | Cap)
    return item.value


DRAWS = (
    "new birth make fetch shed grantrights revoke call push send peek get set only revocable equal rights "
    "relay deposit publish"
).split()
PROFILES = {
    "mixed": (6, 4, 8, 5, 5, 1, 3, 14, 3, 18, 3, 18, 20, 7, 4, 3, 2, 2, 2, 3),
    "sharing": (3, 2, 0, 3, 1, 0, 1, 0, 1, 12, 0, 30, 30, 1, 0, 0, 0, 10, 6, 10),
    "shedding": (4, 4, 2, 10, 8, 1, 8, 4, 2, 14, 1, 14, 14, 4, 10, 2, 2, 1, 1, 2),
    "code": (4, 4, 22, 4, 1, 0, 1, 36, 1, 18, 2, 6, 14, 4, 1, 1, 1, 0, 0, 8),
}
"""How often each is drawn; a history has one of these."""


def generate(seed: str, steps: int = 50, *, domains: int = 5, peeks: bool = True, profile: str = "") -> History:
    """The history of a seed; without a profile, of any."""
    return Generator(random.Random(seed), domains=domains, peeks=peeks, profile=profile).make(steps)
