"""The monitor: the one module that decides what a domain may do.  Nothing else grants, refuses or unwraps.

The rules are those of the project's security model (``docs/guides/security.md``).  In short: a reference *counts* for a
domain when the owner of the object, or for a capability its holder, is the domain or below it; anything else is inert.
What comes out through a capability is a capability with no more rights (:meth:`Monitor.through`), and what a domain
stores, sends or returns carries no more than it has itself (:meth:`Monitor.out`).

The ideas: object capabilities and attenuation (Miller, "Robust Composition", 2006); membranes that are deep; conditions
that are revoked (Redell's caretaker); confinement by who made what.

``acting`` is the domain for which a host function works at the moment, None for the whole world's: host functions run
no guest code and do not switch threads while it is set.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any, NoReturn

from holdfast.vm import ids
from holdfast.vm.domains import ALL, MEET, Cap, Condition, Domain
from holdfast.vm.objects import NEW, Box, fail, kind_name, live
from holdfast.vm.show import readers

if TYPE_CHECKING:
    from holdfast.vm.world import World

SCALARS = frozenset((str, int, float, bool, bytes, range, type(None)))
"""Types of values that are no objects: they carry no authority."""
WORDS = {"r": "read", "w": "write", "x": "call methods of"}
NAMES_MAX = 1_000
"""Grants of one domain."""


class Monitor:
    """The monitor of one world."""

    def __init__(self, world: World, cap_class: Any) -> None:
        self.world = world
        self.heap = world.heap
        self.cap_class = cap_class
        cap_class._monitor = self
        self.acting: Domain | None = None
        readers.add(self)
        self.version = 0
        """Grows whenever any condition lets less through: a capability knows its rights as of one."""
        self.guarded: Any = None
        """The guarded operators, which plain code uses for what it holds as a capability."""
        found = self.heap.roots.get("domain")
        self.top: Domain = live(found) if found is not None else self._new_top()
        """The domain of the whole world."""

    def _new_top(self) -> Domain:
        made = Domain()
        made._t, made._i = self.heap.token, NEW
        made.parent, made.name, made.grants = None, "world", None
        made.unlimited()
        self.heap.set_root("domain", made)
        return made

    @property
    def reading(self) -> Domain:
        """Who uses a capability in the host's own code: for whom a host function works, or else the whole world."""
        return self.acting or self.top

    def freezer(self) -> Domain:
        """What owns the Lists, Maps and Sets that nobody can change: they count for everybody."""
        heap = self.heap
        if heap.frozen is None:
            heap.frozen = self.below(self.top, "frozen")
            heap.set_root("frozen", heap.frozen)
        return heap.frozen  # type: ignore[no-any-return]

    # ------------------------------------------------------------------ who owns what

    def owner(self, value: Any) -> Domain:
        """The domain that a plain object, or a function that is a value, belongs to."""
        if type(value) is FunctionType:
            found = value.__dict__.get("_o")
        else:
            value = live(value)
            found = getattr(value, "_o", None) if value._k != ids.THREAD else value.domain
        return self.top if found is None else found

    def is_code(self, function: FunctionType) -> bool:
        """Is it code: a function or class at the top of a file, or one of the machine?  Calling it needs no right.

        A function of the host that was granted (:mod:`holdfast.vm.outside`) is none: who has it got it from somebody.
        """
        proto = self.world.table.proto_of(function.__code__)
        return proto.top if proto is not None else "__hold_outside__" not in function.__dict__

    def counts(self, domain: Domain, value: Any) -> bool:
        """Is the reference more than inert for the domain?"""
        if isinstance(value, Cap):
            return value.holder.within(domain)
        if isinstance(value, FunctionType):
            return self.is_code(value) or self.owner(value).within(domain)
        owner = self.owner(value)
        if owner.within(domain) or owner is self.heap.frozen:
            return True
        # What a message says its sender knows: it can be read in a block on behalf of that.
        return value._k == ids.MESSAGE and value.payer is not None and value.payer.within(domain)

    def rights(self, domain: Domain, value: Any) -> str:
        """What the domain may do with what a value refers to."""
        if type(value) in SCALARS:
            return ALL
        if isinstance(value, Cap):
            return self.known(value) if value.holder.within(domain) else ""
        if not self.counts(domain, value):
            return ""
        frozen = self.heap.frozen is not None and getattr(value, "_o", None) is self.heap.frozen
        return "r" if frozen else ALL

    def known(self, cap: Any) -> str:
        """What may be done through a capability now, by whoever it counts for."""
        try:
            if cap.seen == self.version:
                return cap.known  # type: ignore[no-any-return]
        except AttributeError:
            pass  # it was read from its record
        cap.known, cap.seen = cap.effective(), self.version
        return cap.known  # type: ignore[no-any-return]

    def reach(self, domain: Domain, value: Any, need: str) -> Any:
        """The object that a reference stands for, loaded, if all these rights are there; a CapabilityError else."""
        if isinstance(value, Cap):
            if value.holder.within(domain):
                have = self.known(value)
                for right in need:
                    if right not in have:
                        self.refuse(value.target, right, have)
                return live(value.target)
            self.refuse(value.target, need[:1], None)
        if getattr(value, "_o", None) is domain:
            return value  # the most frequent case; asking for the slot has loaded it
        if type(value) not in SCALARS and not self.counts(domain, value):
            self.refuse(value, need[:1], None)
        return live(value)

    def refuse(self, target: Any, right: str, have: str | None) -> NoReturn:
        """Throw: nothing in the words depends on what is inside of the object."""
        current = self.world.scheduler.current
        name = current.name if current is not None else "main"
        word = WORDS.get(right, "use")
        kind = kind_name(target)
        an = "an" if kind[:1] in "AEIOU" else "a"
        if have is None:
            why = "what it holds is a mere reference, which can be kept, passed on and compared"
        else:
            why = f'it has the rights "{have}", and not "{right}"'
        fail("CapabilityError", f"thread '{name}' may not {word} {an} {kind} here: {why}")

    # ------------------------------------------------------------------ capabilities

    def cap(self, target: Any, rights: str, holder: Domain, granter: Domain, conditions: list[Any]) -> Cap:
        """A new capability."""
        made: Cap = self.cap_class()
        made._t, made._i = self.heap.token, NEW
        made._o = holder
        made.target, made.rights, made.holder, made.granter = target, rights, holder, granter
        made.seen = -1
        made.conditions = self._list(conditions) if conditions else None
        return made

    def _list(self, items: list[Any]) -> Any:
        """A List of the whole world's, whoever acts."""
        made = self.world.collections.List()
        made._t, made._i, made.v = self.heap.token, NEW, items
        return made

    def only(self, domain: Domain, value: Any, rights: Any) -> Any:
        """``only(x, "r")``: a capability with no more than these rights."""
        wanted = self.rights_of(rights)
        if type(value) in SCALARS:
            return value
        if isinstance(value, Cap):
            have = value.rights if value.holder.within(domain) else ""
            conditions = list(value.conditions.v) if value.conditions is not None else []
            return self.cap(value.target, MEET[have, wanted], domain, domain, conditions)
        have = ALL if self.counts(domain, value) else ""
        return self.cap(value, MEET[have, wanted], domain, domain, [])

    @staticmethod
    def rights_of(rights: Any) -> str:
        """Rights in their one order."""
        if type(rights) is str and set(rights) <= set(ALL):
            found = "".join(c for c in ALL if c in rights)
            if len(found) == len(rights):
                return found
        fail("ValueError", f'rights are made of r, w and x, as in "rw", not {_brief(rights)}')

    def condition(self, granter: Domain) -> Condition:
        """A new condition that lets all through."""
        made = Condition()
        made._t, made._i = self.heap.token, NEW
        made.rights, made.granter = ALL, granter
        return made

    def weaken(self, condition: Condition, rights: str) -> None:
        """Let less through from now on; nothing undoes that (I2)."""
        heap = self.heap
        live(condition)
        if condition._i:
            opened, token = heap.open, condition._t
            if opened is not None and (token is None or token.n < opened.epoch):  # type: ignore[attr-defined]
                opened.save(condition)
            heap.dirty[condition._i] = condition
        condition._t = heap.token
        condition.rights = MEET[condition.rights, rights]
        self.version += 1

    def through(self, domain: Domain, cap: Cap, value: Any) -> Any:
        """What comes out through a capability (rules 1 and 3)."""
        kind = type(value)
        if kind in SCALARS or (self.heap.frozen is not None and getattr(value, "_o", None) is self.heap.frozen):
            return value
        container = self.owner(cap.target)
        if isinstance(value, Cap):
            good = value.holder.within(container) and (
                cap.granter.within(value.holder) or value.holder.within(cap.holder)
            )
            rights = MEET[cap.rights, value.rights] if good else ""
            conditions = _both(cap.conditions, value.conditions)
            return self.cap(value.target, rights, cap.holder, cap.granter, conditions)
        if kind is FunctionType and self.is_code(value):
            return value
        rights = cap.rights if self.owner(value).within(container) else ""
        return self.cap(value, rights, cap.holder, cap.granter, list(cap.conditions.v) if cap.conditions else [])

    def out(self, domain: Domain, value: Any) -> Any:
        """A value as the domain may store, send, return or throw it (rule 4)."""
        if type(value) in SCALARS or getattr(value, "_o", None) is domain or self.counts(domain, value):
            return value
        target = value.target if isinstance(value, Cap) else value
        return self.cap(target, "", domain, domain, [])

    def captured(self, domain: Domain, value: Any) -> Any:
        """What a ``let`` that another domain's function has captured gives: objects are inert (rule 5)."""
        if type(value) in SCALARS or isinstance(value, Box) or (type(value) is FunctionType and self.is_code(value)):
            return value  # a Box is of who made it
        return self.cap(value.target if isinstance(value, Cap) else value, "", domain, domain, [])

    # ------------------------------------------------------------------ domains

    def below(self, parent: Domain, name: str) -> Domain:
        """A new domain without any grant."""
        made = Domain()
        made._t, made._i = self.heap.token, NEW
        grants = self.world.collections.Map()
        grants._t, grants._i = self.heap.token, NEW
        grants.hold({})
        made.parent, made.name, made.grants = parent, name, grants
        made.unlimited()
        if self.world.authority.budgets.account(parent, "objects") is not None:
            made.left = 0  # they are counted with those of the domain above
        return made

    def granted(self, parent: Domain, child: Domain, value: Any) -> Any:
        """What the child gets of a value that its parent has (rule 2): a capability of its own, with a condition."""
        if type(value) in SCALARS or (type(value) is FunctionType and self.is_code(value)):
            return value
        if isinstance(value, Cap):
            rights = value.rights if value.holder.within(parent) else ""
            conditions = list(value.conditions.v) if value.conditions is not None else []
            target = value.target
        else:
            rights, conditions, target = ALL if self.counts(parent, value) else "", [], value
        return self.cap(target, rights, child, parent, [*conditions, self.condition(parent)])

    def name(self, domain: Domain, name: str, value: Any) -> None:
        """Put what was granted at birth under its name."""
        domain.grants.v[name] = value

    def grants(self, domain: Domain) -> dict[str, Any]:
        """What a domain was granted, by name.  That of the whole world has no record of it: guarded code runs in it
        behind an ``on_behalf`` of plain code."""
        if domain is self.top:
            return {"root": self.heap.root, **self.world.grants}
        found: dict[str, Any] = live(domain.grants).v
        return found

    def grant(self, domain: Domain, name: str) -> Any:
        """``caps.NAME`` in guarded code."""
        found = self.grants(domain)
        if name not in found:
            self.not_granted(name)
        return found[name]

    def not_granted(self, name: str) -> NoReturn:
        """Throw: the set has no such name."""
        current = self.world.scheduler.current
        thread = current.name if current is not None else "main"
        fail("CapabilityError", f"thread '{thread}' has no capability '{name}': caps.names() tells which ones it has")

    def drop(self, domain: Domain, name: Any) -> None:
        """``caps.drop``: as a limit to no rights, and the name is gone."""
        self.shed(domain, name, "")
        self.forget(domain, name)

    def shed(self, domain: Domain, name: Any, rights: str) -> None:
        """``caps.limit``: at once, for the domain and all below, for good."""
        if type(name) is not str or name not in live(domain.grants).v:
            self.not_granted(name if type(name) is str else _brief(name))
        value = domain.grants.v[name]
        if not isinstance(value, Cap):
            return  # a value, which carries no rights
        self.weaken(value.conditions.v[-1], rights)

    def forget(self, domain: Domain, name: str) -> None:
        """Take a name out of a set, behind the back of ``atomic``."""
        grants = live(domain.grants)
        levels, self.heap.levels = self.heap.levels, []
        try:
            self.heap.barrier(grants)
        finally:
            self.heap.levels = levels
        grants.v.pop(name, None)

    def weaker(self, caller: Domain, definer: Domain) -> Domain:
        """The domain in which code of a definer runs for a caller (rule 5)."""
        if caller.within(definer):
            return caller
        if definer.within(caller):
            return definer
        fail("CapabilityError", "this code belongs to a domain that is neither above nor below the one that calls it")

    def weaker_function(self, caller: Domain, definer: Domain) -> Domain:
        """The same for a function value that is called by a plain reference: it must count (rule 3)."""
        if definer.within(caller):
            return definer
        current = self.world.scheduler.current
        name = current.name if current is not None else "main"
        fail(
            "CapabilityError",
            f"thread '{name}' may not call this function here: what it holds is a mere reference",
        )

    # ------------------------------------------------------------------ comparison

    def same(self, left: Any, right: Any) -> bool:
        """``==`` as the acting domain sees it: content as far as it may be read, else identity."""
        from holdfast.vm.guarded_equality import equal

        return equal(self, self.acting or self.top, left, right)


def _both(one: Any, other: Any) -> list[Any]:
    """The conditions of two capabilities."""
    found = list(one.v) if one is not None else []
    if other is not None:
        found += [condition for condition in other.v if not any(condition is known for known in found)]
    return found


def _brief(value: Any) -> str:
    return f'"{value[:20]}"' if type(value) is str else kind_name(value)
