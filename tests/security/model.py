"""The reference model of capabilities: the rules of the design, word for word, as plain Python.

It shares no code with the machine and imports nothing of it.  A *domain* is a node of a tree; number 0 is the whole
world.  A *value* is None, an int, or a reference: ``Plain(obj)`` has all rights, ``Cap`` carries what it may do.
Every clause of the rules has a name (`CLAUSES`) and can be switched off, so that tests can show that each is needed.

Invariants: a domain's parent, an object's owner, and the object, holder and conditions of a capability never change;
a grant's rights only shrink.  What is outside the model: budgets, devices, modules, classes, `on_behalf`, `frozen`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Rights = frozenset[str]
ALL: Rights = frozenset("rwx")
NONE: Rights = frozenset()

CLAUSES: dict[str, str] = {
    "only meets": "1: a capability has no more rights than who makes it has",
    "only keeps": "1: it keeps the conditions of what it was made of",
    "conditions": "1: the right is the intersection of all conditions",
    "out of it rights": "1: what comes out through a capability has no more rights",
    "out of it conditions": "1: and the conditions of both",
    "revoker": "1: a revoker is a condition",
    "grant meets": "2: a grant is no more than the parent's permission",
    "grant keeps": "2: it keeps the conditions of what was granted, so what a parent sheds all below lose",
    "grant itself": "2: a grant is a condition of what comes from it",
    "shed meets": "2: a domain's grant only ever loses rights",
    "shed stays": "2: a throwing `atomic` does not undo it",
    "birth only": "2: grants are made at birth only",
    "plain counts": "3: a plain reference counts when its object's owner is the running domain or below",
    "holder counts": "3: a capability counts when its holder is the running domain or below",
    "stored owner": "3: what is stored stands for no more than the container's owner could do with it",
    "stored holder": "3: a stored capability is inert unless held by the granter or above, or by the reader or below",
    "reader": "3: the reader is the holder of the capability that is read through",
    "store": "4: nobody stores more than he has",
    "send": "4: nobody sends more than he has",
    "return": "4: nobody returns more than he has",
    "throw": "4: nobody throws more than he has",
    "show": "4: nobody shows more in a frame than he has",
    "definer": "5: code runs as its definer, if that is below who calls",
    "caller": "5: code runs as its caller, if that is below who wrote it",
    "neither": "5: if neither is below the other, the call is refused",
    "x": "functions that are values need x",
}
"""The clauses by name: the number of the rule, and what it says."""


class Refused(Exception):
    """A CapabilityError."""


@dataclass(eq=False)
class Dom:
    """A domain: its place in the tree, and its set of grants by name."""

    id: int
    parent: Dom | None
    grants: dict[str, Grant] = field(default_factory=dict)

    def within(self, other: Dom) -> bool:
        """`D ⊑ E`: D is E or below."""
        at: Dom | None = self
        while at is not None and at is not other:
            at = at.parent
        return at is other


@dataclass(eq=False)
class Grant:
    """What a domain was born with, or a revoker.  As a condition it allows ``rights`` while it is alive."""

    id: int
    holder: Dom
    granter: Dom
    obj: Obj
    rights: Rights
    conds: tuple[Grant, ...]
    alive: bool = True

    def allows(self) -> Rights:
        """The rights that this condition leaves now."""
        return self.rights if self.alive else NONE


@dataclass
class Slot:
    """A place in an object: what is in it, and who wrote it with which rights.  No rule looks at the note."""

    value: Value
    writer: Dom
    rights: Rights
    note: frozenset[tuple[str, int]] = frozenset()


@dataclass(eq=False)
class Obj:
    """An object; one of kind `fn` is a function with a body and perhaps a captured `let`."""

    id: int
    owner: Dom
    kind: str
    slots: dict[str | int, Slot] = field(default_factory=dict)
    body: str = ""
    captured: Slot | None = None


@dataclass(frozen=True, eq=False)
class Plain:
    """A plain reference."""

    obj: Obj


@dataclass(frozen=True, eq=False)
class Cap:
    """A capability.  The granter is the parent that gave it, or who made it."""

    obj: Obj
    rights: Rights
    holder: Dom
    granter: Dom
    conds: tuple[Grant, ...] = ()


Ref = Plain | Cap
Value = Ref | int | None


def own(v: Ref) -> Dom:
    """Owner of a plain reference's object, holder of a capability."""
    return v.obj.owner if isinstance(v, Plain) else v.holder


class Model:
    """The rules.  ``off`` names the clauses that do not hold."""

    def __init__(self, off: frozenset[str] = frozenset()) -> None:
        assert off <= CLAUSES.keys()
        self.off = off
        self.grants: list[Grant] = []

    # ------------------------------------------------------------------ rule 1 and 3: what a reference is worth

    def perm(self, D: Dom, v: Ref) -> Rights:
        """A reference counts when the object's owner (plain) or the holder (capability) is the running domain or
        below it.  The right of a capability is the intersection of its own and of all its conditions."""
        if isinstance(v, Plain):
            return ALL if "plain counts" in self.off or v.obj.owner.within(D) else NONE
        if "holder counts" not in self.off and not v.holder.within(D):
            return NONE
        rights = v.rights
        if "conditions" not in self.off:
            for cond in v.conds:
                rights &= cond.allows()
        return rights

    def need(self, D: Dom, v: Ref, right: str) -> None:
        """The right is tested before any look-up."""
        if right not in self.perm(D, v):
            raise Refused

    def only(self, D: Dom, v: Ref, rights: Rights) -> Cap:
        """`only(obj, "r")` makes a capability: the holder is the domain that made it; conditions are the grants and
        revokers that it came through.  Of an inert reference it makes one without rights."""
        meet = rights if "only meets" in self.off else rights & self.perm(D, v)
        return Cap(v.obj, meet, D, D, conditions(v) if "only keeps" not in self.off else ())

    def revocable(self, D: Dom, v: Ref, rights: Rights) -> tuple[Cap, Grant]:
        """`let k = revocable(obj, "rw")`; pass `k.cap`, keep `k.revoke()`."""
        cap = self.only(D, v, rights)
        key = self.note(Grant(len(self.grants), D, D, v.obj, cap.rights, cap.conds))
        conds = cap.conds if "revoker" in self.off else (*cap.conds, key)
        return Cap(cap.obj, cap.rights, D, D, conds), key

    def through(self, D: Dom, cap: Cap, v: Value) -> Value:
        """Everything that comes out through a capability is a capability with the same holder, no more rights, and
        the conditions of both.  Read through a capability, a reference is inert unless its owner or holder is the
        container's owner or below; a capability also, unless it is held by the granter or above, or by the reader
        or below."""
        if v is None or isinstance(v, int):
            return v
        rights = ALL if isinstance(v, Plain) else v.rights
        if "out of it rights" not in self.off:
            rights &= cap.rights
        if "stored owner" not in self.off and not own(v).within(cap.obj.owner):
            rights = NONE
        if "stored holder" not in self.off and isinstance(v, Cap):
            reader = D if "reader" in self.off else cap.holder
            if not (cap.granter.within(v.holder) or v.holder.within(reader)):
                rights = NONE
        conds = conditions(v)
        if "out of it conditions" not in self.off:
            conds = cap.conds + tuple(cond for cond in conds if cond not in cap.conds)
        return Cap(v.obj, rights, cap.holder, cap.granter, conds)

    # ------------------------------------------------------------------ rule 2: the tree

    def note(self, made: Grant) -> Grant:
        """Keep a new grant or revoker."""
        self.grants.append(made)
        return made

    def grant(self, P: Dom, C: Dom, v: Ref, rights: Rights = ALL) -> tuple[Cap, Grant]:
        """A grant makes a new capability, held by the domain granted to, with no more than the parent's permission
        at that time; its conditions are those of what was granted, and the grant itself."""
        meet = rights & (ALL if "grant meets" in self.off else self.perm(P, v))
        conds = () if "grant keeps" in self.off else conditions(v)
        made = self.note(Grant(len(self.grants), C, P, v.obj, meet, conds))
        return self.held(made), made

    def held(self, made: Grant) -> Cap:
        """`caps.name`: what the running domain's set has under a name."""
        conds = made.conds if "grant itself" in self.off else (*made.conds, made)
        return Cap(made.obj, made.rights, made.holder, made.granter, conds)

    def shed(self, made: Grant, rights: Rights) -> None:
        """`limit` (and with no rights `drop` and `revoke`) act at once on the domain and all below."""
        made.rights = rights if "shed meets" in self.off else made.rights & rights

    # ------------------------------------------------------------------ rule 4: what leaves a domain

    def out(self, D: Dom, v: Value, way: str) -> Value:
        """What a restricted domain stores, sends, returns, throws or shows in a frame carries at most its own
        rights; what it cannot use becomes a capability without rights, for every reader."""
        if v is None or isinstance(v, int) or D.parent is None or way in self.off or own(v).within(D):
            return v
        return Cap(v.obj, NONE, D, D)

    def received(self, sender: Dom, D: Dom, v: Value) -> Value:
        """Grants are made at birth only: what comes in a message stays held by whom it was."""
        if "birth only" in self.off and isinstance(v, Cap) and own(v).within(sender):
            return Cap(v.obj, v.rights, D, sender, v.conds)
        return v

    # ------------------------------------------------------------------ rule 5: code

    def enter(self, D: Dom, fn: Obj) -> Dom:
        """The running domain of a frame is its caller's, or, if that is below, the domain that made the function.
        If neither is below the other, the call is a CapabilityError."""
        if fn.owner.within(D):
            return D if "definer" in self.off else fn.owner
        if D.within(fn.owner):
            return fn.owner if "caller" in self.off else D
        if "neither" in self.off:
            return D
        raise Refused

    def captured(self, D: Dom, fn: Obj) -> Value:
        """A captured variable belongs to the frame's domain: from another domain a `let` gives its value, objects
        inert."""
        v = fn.captured.value if fn.captured is not None else None
        if v is None or isinstance(v, int) or D is fn.owner:
            return v
        return Cap(v.obj, NONE, D, D)


def conditions(v: Ref) -> tuple[Grant, ...]:
    """The conditions that a reference carries; a plain one has none."""
    return v.conds if isinstance(v, Cap) else ()
