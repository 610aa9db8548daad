"""Histories of domains: what they are, and how the model executes them.

A history is a list of operations.  Each names the domain that does it (0 is the program itself, which is unrestricted)
and variables, which are locals of that domain's one frame.  ``run`` gives one outcome for each operation, a text:

=====================  ====================================================================
``ok``                 done, there is nothing to tell
``undone``             done in an `atomic` that threw
``rwx`` … ``r``, ``-`` the value got is a reference, and this is what may be done with it (rights in this order)
``nil``, ``7``         the value got
``true``, ``false``    of a comparison
``CapabilityError``    refused
``error``              another error; the generator makes no such operation
=====================  ====================================================================

Beside the outcomes, ``run`` can write a log of what happened, from which `tests.security.audit` judges without the
model's rules.  For that every value travels with a *trace*: the grants and revokers (``g``), calls of `only` (``o``)
and placements (``p``) that it came through, and the containers (``in``) that it was read from through a capability.
Entries of the log:

=============================================================  ====================================================
``dom`` domain, parent (-1: none)                              a domain is born
``new`` object, owner                                          an object (a function, an error) is made
``cond`` id, holder, granter, object, rights, conds, trace     a grant, or a revoker (holder and granter are the same)
``only`` id, rights                                            `only` was called with these
``shed`` id, rights                                            its rights were cut down to these
``state`` id, rights                                           what it allows now
``place`` id, domain, object                                   the domain put a reference outside its frames
``link`` container, object, writer                             and that was into an object
``may`` domain, object, rights, trace                          the domain exercises these, or is told that it may
``frame`` running, caller, definer                             a function was entered
=============================================================  ====================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.security.model import ALL, NONE, Cap, Dom, Grant, Model, Obj, Plain, Refused, Rights, Slot, Value

Trace = frozenset[tuple[str, int]]
NO_TRACE: Trace = frozenset()
KINDS = ("Box", "Map", "List")
BODIES = ("give", "get", "put", "held", "only", "caps", "throw", "new", "call")
"""Bodies of functions, all of one argument `a`; `c` is a captured `let`: `a`, `a.a`, `a.a = c`, `c`, `only(a, "r")`,
`caps.g0`, `throw Parcel("p", what: a)`, `Box()`, `c(a)`."""


class Fault(Exception):
    """An error of another kind."""


class Thrown(Exception):
    """A Parcel, a Hold error with a field `what`."""

    def __init__(self, error: Obj) -> None:
        self.error = error


@dataclass(frozen=True)
class Op:
    """Something that a domain does."""

    dom: int


@dataclass(frozen=True)
class New(Op):
    """`to = Box()` and the like; a Box and a Map have `a` and `b`, a List two elements, nil all of them."""

    kind: str
    to: str


@dataclass(frozen=True)
class Get(Op):
    """`to = x.a`, or `x[0]`."""

    x: str
    slot: str | int
    to: str


@dataclass(frozen=True)
class Set(Op):
    """`x.a = y`, or `x[0] = y`; y is a variable or an int."""

    x: str
    slot: str | int
    y: str | int


@dataclass(frozen=True)
class Push(Op):
    """`x.push(y)` on a List."""

    x: str
    y: str


@dataclass(frozen=True)
class Only(Op):
    """`to = only(x, rights)`."""

    x: str
    rights: str
    to: str


@dataclass(frozen=True)
class Birth(Op):
    """`spawn actor(args) with { name: x, … }`: a new domain, below; its variables a0, a1 are the arguments."""

    child: int
    given: tuple[tuple[str, str], ...]
    args: tuple[str, ...]


@dataclass(frozen=True)
class Fetch(Op):
    """`to = caps.name`."""

    name: str
    to: str


@dataclass(frozen=True)
class GrantRights(Op):
    """`caps.rights(name)`."""

    name: str


@dataclass(frozen=True)
class Shed(Op):
    """`caps.limit(name, rights)`, without rights `caps.drop(name)`; inside `atomic { …; throw "undo" }` if undone."""

    name: str
    rights: str | None
    undone: bool


@dataclass(frozen=True)
class Revocable(Op):
    """`key = revocable(x, rights); to = key.cap`."""

    x: str
    rights: str
    key: str
    to: str


@dataclass(frozen=True)
class Revoke(Op):
    """`key.revoke()`."""

    key: str


@dataclass(frozen=True)
class Make(Op):
    """`to = fn(a) …`, with a body of `BODIES`; c is a `let` with the value of x."""

    body: str
    x: str
    to: str


@dataclass(frozen=True)
class Call(Op):
    """`to = f(x)`; of a Parcel that it throws, `to = e.what`."""

    f: str
    x: str
    to: str


@dataclass(frozen=True)
class Send(Op):
    """The value of x goes as a message to another domain, which receives it into `to`."""

    x: str
    other: int
    to: str


@dataclass(frozen=True)
class Equal(Op):
    """`x == y`: contents of Lists and Maps that may be read, else identity."""

    x: str
    y: str


@dataclass(frozen=True)
class AskRights(Op):
    """`rights(x)`."""

    x: str


@dataclass(frozen=True)
class Peek(Op):
    """`to` = what the frame of a domain below shows as its local x."""

    other: int
    x: str
    to: str


History = list[Op]


class Item(NamedTuple):
    """A value and its trace."""

    value: Value = None
    trace: Trace = NO_TRACE


NIL = Item()


@dataclass
class Actor:
    """A domain, and the locals of its frame."""

    dom: Dom
    locals: dict[str, Item] = field(default_factory=dict)
    keys: dict[str, Grant] = field(default_factory=dict)


class Run:
    """Executes operations on the model."""

    def __init__(self, off: frozenset[str] = frozenset(), log: list[tuple[Any, ...]] | None = None) -> None:
        self.model = Model(off)
        self.log: list[tuple[Any, ...]] = log if log is not None else []
        self.actors: dict[int, Actor] = {}
        self.objects = self.places = self.onlys = 0
        self.traces: dict[int, Trace] = {}
        self.add_domain(0, None)

    def step(self, op: Op) -> str:
        """Do one operation; gives its outcome."""
        try:
            return getattr(self, "do_" + type(op).__name__.lower())(self.actors[op.dom], op)
        except Refused:
            return "CapabilityError"
        except Fault:
            return "error"

    # ------------------------------------------------------------------ steps that operations share

    def add_domain(self, number: int, parent: Dom | None) -> Actor:
        self.log.append(("dom", number, parent.id if parent is not None else -1))
        self.actors[number] = actor = Actor(Dom(number, parent))
        return actor

    def create(self, D: Dom, kind: str) -> Obj:
        """A new object, owned by the running domain."""
        self.objects += 1
        names: tuple[str | int, ...] = {"Box": ("a", "b"), "Map": ("a", "b"), "List": (0, 1)}.get(kind, ())
        self.log.append(("new", self.objects, D.id))
        return Obj(self.objects, D, kind, {name: Slot(None, D, NONE) for name in names})

    def use(self, D: Dom, item: Item, right: str) -> Obj:
        """Exercise a right."""
        v = item.value
        if not isinstance(v, Plain | Cap):
            raise Fault
        if not (right == "x" and "x" in self.model.off):
            self.model.need(D, v, right)
        self.log.append(("may", D.id, v.obj.id, frozenset(right), item.trace))
        return v.obj

    def tell(self, D: Dom, item: Item) -> str:
        """What the program prints of a value."""
        v = item.value
        if not isinstance(v, Plain | Cap):
            return "nil" if v is None else str(v)
        rights = self.model.perm(D, v)
        self.log.append(("may", D.id, v.obj.id, rights, item.trace))
        return in_order(rights) or "-"

    def bind(self, actor: Actor, to: str, item: Item) -> str:
        """Put a value into a local."""
        actor.locals[to] = item
        return self.tell(actor.dom, item)

    def leave(self, D: Dom, item: Item, way: str) -> Item:
        """A value leaves the frames of a domain."""
        v = self.model.out(D, item.value, way)
        if not isinstance(v, Plain | Cap):
            return Item(v)
        self.places += 1
        self.log.append(("place", self.places, D.id, v.obj.id))
        return Item(v, item.trace | {("p", self.places)})

    def fill(self, D: Dom, obj: Obj, slot: str | int, item: Item, way: str = "store") -> None:
        """Write into a slot."""
        placed = self.leave(D, item, way)
        rights = ALL
        if isinstance(placed.value, Plain | Cap):
            rights = self.model.perm(D, placed.value)
            self.log.append(("link", obj.id, placed.value.obj.id, D.id))
        obj.slots[slot] = Slot(placed.value, D, rights, placed.trace)

    def inside(self, D: Dom, item: Item, slot: Slot) -> Item:
        """What a slot gives, read through this reference."""
        v, got = item.value, slot.value
        assert isinstance(v, Plain | Cap)
        if isinstance(v, Plain) or not isinstance(got, Plain | Cap):
            return Item(got, slot.note)
        conds = frozenset(entry for entry in item.trace if entry[0] in "go")
        return Item(self.model.through(D, v, got), conds | slot.note | {("in", v.obj.id)})

    def read(self, D: Dom, item: Item, name: str | int) -> Item:
        obj = self.use(D, item, "r")
        if name not in obj.slots:
            raise Fault
        return self.inside(D, item, obj.slots[name])

    def write(self, D: Dom, item: Item, name: str | int, new: Item) -> None:
        obj = self.use(D, item, "w")
        if name not in obj.slots:
            raise Fault
        self.fill(D, obj, name, new)

    def equal(self, D: Dom, one: Item, two: Item, met: set[tuple[int, int]]) -> bool:
        """Content comparison is a read; without r, `==` is identity, through capabilities too."""
        v, w = one.value, two.value
        if not isinstance(v, Plain | Cap) or not isinstance(w, Plain | Cap):
            return v == w
        kind = v.obj.kind
        if v.obj is w.obj or (v.obj.id, w.obj.id) in met:
            return True
        if kind not in ("List", "Map") or w.obj.kind != kind:
            return False
        try:
            self.use(D, one, "r")
            self.use(D, two, "r")
        except Refused:
            return False
        met.add((v.obj.id, w.obj.id))
        return v.obj.slots.keys() == w.obj.slots.keys() and all(
            self.equal(D, self.inside(D, one, slot), self.inside(D, two, w.obj.slots[name]), met)
            for name, slot in v.obj.slots.items()
        )

    def call(self, D: Dom, f: Item, arg: Item) -> Item:
        """Call a function that is a value."""
        fn = self.use(D, f, "x")
        if fn.kind != "fn":
            raise Fault
        running = self.model.enter(D, fn)
        self.log.append(("frame", running.id, D.id, fn.owner.id))
        return self.leave(running, self.body(running, fn, arg), "return")

    def body(self, R: Dom, fn: Obj, arg: Item) -> Item:
        """The body of a function, in the frame's domain."""
        held = Item(self.model.captured(R, fn), fn.captured.note if fn.captured is not None else NO_TRACE)
        match fn.body:
            case "give":
                return arg
            case "get":
                return self.read(R, arg, "a")
            case "put":
                self.write(R, arg, "a", held)
                return NIL
            case "held":
                return held
            case "only":
                return self.narrowed(R, arg, "r")
            case "caps":
                return self.named(R, "g0")
            case "throw":
                error = self.create(R, "Parcel")
                self.fill(R, error, "what", arg, "throw")
                raise Thrown(error)
            case "new":
                return Item(Plain(self.create(R, "Box")))
            case "call":
                return self.call(R, held, arg)
        raise AssertionError(fn.body)

    def narrowed(self, D: Dom, item: Item, rights: str) -> Item:
        if not isinstance(item.value, Plain | Cap):
            raise Fault
        self.onlys += 1
        self.log.append(("only", self.onlys, frozenset(rights)))
        return Item(self.model.only(D, item.value, frozenset(rights)), item.trace | {("o", self.onlys)})

    def named(self, D: Dom, name: str) -> Item:
        """`caps.name`; a name that is not in the set is refused."""
        made = self.grant_of(D, name)
        return Item(self.model.held(made), self.traces[made.id])

    def grant_of(self, D: Dom, name: str) -> Grant:
        made = D.grants.get(name)
        if made is None or not made.alive:
            raise Refused
        return made

    def give(self, P: Dom, C: Dom, item: Item) -> tuple[Item, Grant | None]:
        """A grant at birth."""
        if not isinstance(item.value, Plain | Cap):
            return item, None
        cap, made = self.model.grant(P, C, item.value)
        placed = self.leave(P, item, "send")
        conds = tuple(cond.id for cond in made.conds)
        self.log.append(("cond", made.id, C.id, P.id, made.obj.id, made.rights, conds, item.trace))
        self.traces[made.id] = placed.trace | {("g", made.id)}
        return Item(cap, self.traces[made.id]), made

    def cut(self, made: Grant, rights: Rights, *, drop: bool, undone: bool = False) -> str:
        """Shed, perhaps inside an `atomic` that throws."""
        before = made.rights, made.alive
        self.model.shed(made, rights)
        made.alive = made.alive and not drop
        self.log.append(("shed", made.id, rights))
        if undone and "shed stays" in self.model.off:
            made.rights, made.alive = before
        self.log.append(("state", made.id, made.allows()))
        return "undone" if undone else "ok"

    # ------------------------------------------------------------------ operations

    def do_new(self, actor: Actor, op: New) -> str:
        return self.bind(actor, op.to, Item(Plain(self.create(actor.dom, op.kind))))

    def do_get(self, actor: Actor, op: Get) -> str:
        return self.bind(actor, op.to, self.read(actor.dom, actor.locals.get(op.x, NIL), op.slot))

    def do_set(self, actor: Actor, op: Set) -> str:
        new = Item(op.y) if isinstance(op.y, int) else actor.locals.get(op.y, NIL)
        self.write(actor.dom, actor.locals.get(op.x, NIL), op.slot, new)
        return "ok"

    def do_push(self, actor: Actor, op: Push) -> str:
        obj = self.use(actor.dom, actor.locals.get(op.x, NIL), "w")
        if obj.kind != "List":
            raise Fault
        self.fill(actor.dom, obj, len(obj.slots), actor.locals.get(op.y, NIL))
        return "ok"

    def do_only(self, actor: Actor, op: Only) -> str:
        return self.bind(actor, op.to, self.narrowed(actor.dom, actor.locals.get(op.x, NIL), op.rights))

    def do_birth(self, actor: Actor, op: Birth) -> str:
        child = self.add_domain(op.child, actor.dom)
        for name, x in op.given:
            _, made = self.give(actor.dom, child.dom, actor.locals.get(x, NIL))
            if made is not None:
                child.dom.grants[name] = made
        for count, x in enumerate(op.args):
            item = actor.locals.get(x, NIL)
            if isinstance(item.value, Cap):
                child.locals[f"a{count}"] = self.give(actor.dom, child.dom, item)[0]
            else:
                child.locals[f"a{count}"] = self.leave(actor.dom, item, "send")
        return "ok"

    def do_fetch(self, actor: Actor, op: Fetch) -> str:
        return self.bind(actor, op.to, self.named(actor.dom, op.name))

    def do_grantrights(self, actor: Actor, op: GrantRights) -> str:
        return self.tell(actor.dom, self.named(actor.dom, op.name))

    def do_shed(self, actor: Actor, op: Shed) -> str:
        made = self.grant_of(actor.dom, op.name)
        return self.cut(made, frozenset(op.rights or ""), drop=op.rights is None, undone=op.undone)

    def do_revocable(self, actor: Actor, op: Revocable) -> str:
        item = actor.locals.get(op.x, NIL)
        if not isinstance(item.value, Plain | Cap):
            raise Fault
        cap, key = self.model.revocable(actor.dom, item.value, frozenset(op.rights))
        conds = tuple(cond.id for cond in key.conds)
        self.log.append(("cond", key.id, actor.dom.id, actor.dom.id, key.obj.id, key.rights, conds, item.trace))
        actor.keys[op.key] = key
        return self.bind(actor, op.to, Item(cap, item.trace | {("g", key.id)}))

    def do_revoke(self, actor: Actor, op: Revoke) -> str:
        if op.key not in actor.keys:
            raise Fault
        return self.cut(actor.keys[op.key], NONE, drop=True)

    def do_make(self, actor: Actor, op: Make) -> str:
        fn = self.create(actor.dom, "fn")
        fn.body = op.body
        item = actor.locals.get(op.x, NIL)
        fn.captured = Slot(item.value, actor.dom, ALL, item.trace)
        return self.bind(actor, op.to, Item(Plain(fn)))

    def do_call(self, actor: Actor, op: Call) -> str:
        arg = actor.locals.get(op.x, NIL)
        try:
            item = self.call(actor.dom, actor.locals.get(op.f, NIL), arg)
        except Thrown as thrown:
            item = self.read(actor.dom, Item(Plain(thrown.error)), "what")
        return self.bind(actor, op.to, item)

    def do_send(self, actor: Actor, op: Send) -> str:
        other = self.actors.get(op.other)
        if other is None:
            raise Fault
        item = self.leave(actor.dom, actor.locals.get(op.x, NIL), "send")
        item = Item(self.model.received(actor.dom, other.dom, item.value), item.trace)
        return self.bind(other, op.to, item)

    def do_equal(self, actor: Actor, op: Equal) -> str:
        found = self.equal(actor.dom, actor.locals.get(op.x, NIL), actor.locals.get(op.y, NIL), set())
        return "true" if found else "false"

    def do_askrights(self, actor: Actor, op: AskRights) -> str:
        return self.tell(actor.dom, actor.locals.get(op.x, NIL))

    def do_peek(self, actor: Actor, op: Peek) -> str:
        other = self.actors.get(op.other)
        if other is None or not other.dom.within(actor.dom):
            raise Fault
        return self.bind(actor, op.to, self.leave(other.dom, other.locals.get(op.x, NIL), "show"))


def in_order(rights: Rights) -> str:
    """Rights as Hold writes them."""
    return "".join(right for right in "rwx" if right in rights)


def run(history: History, off: frozenset[str] = frozenset(), log: list[tuple[Any, ...]] | None = None) -> list[str]:
    """Execute a history on the model; the outcomes, one for each operation."""
    running = Run(off, log)
    return [running.step(op) for op in history]
