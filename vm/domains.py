"""Domains, and the references that carry rights.

All of these are objects of the world, so what a thread may do is what it could do before a restart.

:class:`Domain`
    A capability set: the grants of a thread, by name, and the domain above it.  Threads run in one; objects belong to
    the one that made them (``_o``; unset for the domain of the whole world, which is above all others).
:class:`Cap`
    A capability: an object, what may be done with it at most, who holds it, who granted it, and the conditions that it
    depends on.  It never changes.
:class:`Condition`
    A grant or a revoker that capabilities were reached through.  Its rights only ever become fewer, and no undo,
    restart or restore gives them back: it is written behind the back of ``atomic``.

Nothing in here decides; see :mod:`holdfast.vm.monitor`.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any

from holdfast.vm import ids
from holdfast.vm.objects import Obj, seal

MODULE = "module "
"""In front of the names of modules that its programs may import, among a domain's grants."""
ALL = "rwx"
RIGHTS = ("", "r", "w", "x", "rw", "rx", "wx", "rwx")
MEET = {(a, b): "".join(c for c in a if c in b) for a in RIGHTS for b in RIGHTS}
"""Two sets of rights to what both have."""


@seal
class Domain(Obj):
    """A capability set."""

    __slots__ = ("given", "grace", "grants", "left", "name", "parent", "reserved", "used")
    _k = ids.DOMAIN
    _slots = ("parent", "name", "grants", "given", "used", "reserved", "left", "grace")
    _name = "Domain"
    parent: Domain | None
    """The domain above; None for that of the whole world."""
    name: str
    grants: Any
    """A Map from name to capability; of the whole world's domain None."""
    given: Any
    """Its budget (:mod:`holdfast.vm.budgets`): Maps from kind to amount; None for one without limits of its own."""
    used: Any
    reserved: Any
    left: int
    """New objects that it may make before they are counted."""
    grace: int
    """Those that it has made since a count found too many; -1 once its threads have all ended."""

    @staticmethod
    def _checked(fields: list[Any]) -> bool:
        """Can a record say this?"""
        parent, name, grants, *budget, left, grace = fields if len(fields) == 8 else [0] * 8
        maps = all(one is None or getattr(type(one), "_k", 0) == ids.MAP for one in (grants, *budget))
        return (
            maps
            and (parent is None or isinstance(parent, Domain))
            and type(name) is str
            and type(left) is type(grace) is int
        )

    def unlimited(self) -> None:
        """Give it no limits of its own."""
        self.given = self.used = self.reserved = None
        self.left, self.grace = (1 << 29) - 1, 0

    def within(self, other: Domain) -> bool:
        """Is it the other one, or below it?"""
        domain: Domain | None = self
        while domain is not None:
            if domain is other:
                return True
            domain = domain.parent
        return False


@seal
class Condition(Obj):
    """A grant, or a revoker."""

    __slots__ = ("granter", "rights")
    _k = ids.REVOKER
    _slots = ("rights", "granter")
    _name = "Condition"
    rights: str
    """What it lets through at most, now."""

    @staticmethod
    def _checked(fields: list[Any]) -> bool:
        """Can a record say this?"""
        return len(fields) == 2 and type(fields[0]) is str and fields[0] in RIGHTS and isinstance(fields[1], Domain)

    granter: Domain


@seal
class Cap(Obj):
    """A reference with rights."""

    __slots__ = ("conditions", "granter", "holder", "known", "rights", "seen", "target")
    _k = ids.CAPABILITY
    _slots = ("target", "rights", "holder", "granter", "conditions")
    _name = "Capability"
    target: Any
    rights: str
    holder: Domain
    """The domain that it counts for, and those above."""
    granter: Domain
    conditions: Any
    """A List, or None when there is none."""
    known: str
    """What may be done through it, as of the version of all conditions at which it was looked at last."""
    seen: int
    _monitor: Any
    """Of the world; set on the world's own class."""

    @staticmethod
    def _checked(fields: list[Any]) -> bool:
        """Can a record say this?"""
        if len(fields) != 5 or type(fields[1]) is not str:
            return False
        target, rights, holder, granter, conditions = fields
        return (
            isinstance(target, Obj | FunctionType)
            and rights in RIGHTS
            and isinstance(holder, Domain)
            and isinstance(granter, Domain)
            and (conditions is None or getattr(type(conditions), "_k", 0) == ids.LIST)
        )

    def effective(self) -> str:
        """What may be done through it now."""
        rights = self.rights
        conditions = self.conditions
        if conditions is not None:
            for condition in conditions.v:
                rights = MEET[rights, condition.rights]
        return rights

    def __eq__(self, other: object) -> bool:
        """A capability and what it stands for are the same key; collections are compared as far as they may be read."""
        found: bool = self._monitor.same(self, other)
        return found

    def __hash__(self) -> int:
        target = self.target
        if getattr(type(target), "_k", 0) in (ids.LIST, ids.MAP, ids.SET):
            raise TypeError  # they are no keys
        return object.__hash__(target)
