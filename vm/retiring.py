"""Compiled code that nothing needs any more goes from memory: what a world runs for months is compiled many times.

Compiled code is a cache.  Functions, frames and instances on disk name their code by the hash of its source, so what is
needed later is compiled again.  What must stay is what the host itself refers to: functions that are values, or that
somebody has on a stack, and so their code and all that belongs to it.

Whether there is such a reference is found as a collector of cycles finds it (trial deletion: Christopher, "Reference
count garbage collection", 1984; CPython's own): from an object's count of references those are taken that are known,
that is those from the tables of this world and from the other objects of the same file's version.  If none remains, of
any function, code object or proto of the version, it goes.  A reference that is not known keeps it; one that is counted
is really there, since it has just been looked at.  So a mistake here costs memory, and never breaks a program.

Candidates are

* a version of a file of which there is a newer one, unless a name is still bound to what it defines, or a class has its
  newest version there;
* an entry of a session that defines nothing but variables;
* code that a restricted program has loaded, and that no other loaded code imports.
"""

from __future__ import annotations

from collections.abc import Iterable
from sys import getrefcount
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

from holdfast.vm.code import Proto, UnitCode
from holdfast.vm.side import SESSION

if TYPE_CHECKING:
    from holdfast.vm.world import World

Key = TypeVar("Key", int, str)

LEAST = 64
"""Versions of files in memory below which it is not worth looking; later twice as many as were left the last time."""


class Holders:
    """The references that are known to a version's objects: how many for each, and the objects."""

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.members: dict[int, Any] = {}
        self._tuples: set[int] = set()

    def held(self, member: Any) -> None:
        """An object of the version, and one reference to it."""
        self.members[id(member)] = member
        self.counts[id(member)] = self.counts.get(id(member), 0) + 1

    def function(self, function: Any) -> None:
        """A function that is held, and holds its code and its guarded variants."""
        known = id(function) in self.members
        self.held(function)
        if not known:
            self.code(function.__code__)
            for name in ("n", "nm", "no"):
                more = function.__dict__.get(name)
                if type(more) is FunctionType:
                    self.function(more)

    def code(self, code: CodeType) -> None:
        """Code that is held, and holds that of functions inside it, by a tuple which other code may share."""
        self.held(code)
        constants = code.co_consts
        if id(constants) not in self._tuples:
            self._tuples.add(id(constants))
            for value in constants:
                if type(value) is CodeType:
                    self.code(value)

    def complete(self) -> bool:
        """Are these all references that there are?"""
        self.members[0] = object()  # the sample: what looking itself adds
        spare = self._count(0)
        del self.members[0]
        return all(self._count(key) - self.counts[key] == spare for key in self.members)

    def _count(self, key: int) -> int:
        return getrefcount(self.members[key])


def by_unit(pairs: Iterable[tuple[Key, UnitCode]]) -> dict[int, list[Key]]:
    """Keys by the identity of their versions; it keeps no reference to these."""
    found: dict[int, list[Key]] = {}
    for key, unit in pairs:
        found.setdefault(id(unit), []).append(key)
    return found


class Retiring:
    """The code of one world that may go."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.due = LEAST

    def when_due(self) -> None:
        """Called before something is compiled."""
        if len(self.world.modules.versions) >= self.due and self.possible:
            self.retire()
            self.due = max(LEAST, 2 * len(self.world.modules.versions))

    @property
    def possible(self) -> bool:
        """Not while something is loaded, nor while a collection has taken note of what is in memory."""
        return not self.world.modules.loading and self.world.heap.seen is None

    def retire(self) -> int:
        """Let all go that may; says how many versions of files went."""
        modules, table = self.world.modules, self.world.table
        if not self.possible:
            return 0
        modules.forget_current()
        keys, codes = by_unit(table.units_of_protos()), by_unit(table.units_of_codes())
        places = self._candidates()
        gone = 0
        definers = self._definers()
        for place in places:
            number = id(modules.versions[place])
            found = keys.get(number, []), codes.get(number, [])
            if self._holders(place, *found).complete():
                self._remove(place, *found)
                gone += 1
        for name in definers - self._definers():
            self.world.globals.pop(name, None)
        return gone

    def _definers(self) -> set[str]:
        """The globals that have the domains which have loaded code."""
        return {unit.definer for unit in self.world.modules.versions.values() if unit.definer}

    def _candidates(self) -> list[tuple[str, str]]:
        """Keys in ``versions``."""
        versions = self.world.modules.versions
        imported = {name for unit in versions.values() for name in unit.unit.imports}
        classes = self.world.linker.classes.values()
        defining = {info.unit for info in classes} | {info.init.unit for info in classes if info.init is not None}
        return [place for place, unit in versions.items() if unit not in defining and self._candidate(unit, imported)]

    def _candidate(self, unit: UnitCode, imported: set[str]) -> bool:
        modules, module = self.world.modules, unit.unit.module
        if modules.newest.get(module) is not unit:
            return True
        if unit.definer:
            return module not in imported
        return module.startswith(SESSION) and not (unit.unit.definitions or unit.unit.constants or unit.unit.classes)

    def _names(self, unit: UnitCode, keys: Iterable[str]) -> list[str]:
        """Globals that only the version's own code names.  What a restricted program defines is bound to its newest
        version."""
        names = [space + key for key in keys for space in ("F:", "K:")]
        if unit.definer and self.world.modules.newest.get(unit.unit.module) is unit:
            names += [f"{space}{unit.unit.module}:{name}" for name in unit.unit.exports for space in ("", "G:")]
        return [name for name in names if name in self.world.globals]

    def _holders(self, place: tuple[str, str], keys: list[str], codes: list[int]) -> Holders:
        table, globals_ = self.world.table, self.world.globals
        unit = self.world.modules.versions[place]
        holders = Holders()
        holders.held(unit)
        if self.world.modules.newest.get(place[0]) is unit:
            holders.held(unit)
        for key in keys:
            holders.held(table.protos[key])
            holders.held(unit)
            self._held_by(table.protos[key], holders)
        for proto in unit.protos:
            holders.held(proto)
        for number in codes:
            code, proto = table.of_code(number)
            holders.code(code)
            holders.held(proto)
            for site in table.sites.get(number, {}).values():
                if site is not None:
                    holders.held(site.proto)
        for name in self._names(unit, keys):
            if type(globals_[name]) is FunctionType:
                holders.function(globals_[name])
        return holders

    def _held_by(self, proto: Proto, holders: Holders) -> None:
        """What a proto holds, and tables hold for it."""
        for other in proto.held():
            if isinstance(other, Proto):
                holders.held(other)
            elif type(other) is FunctionType:
                holders.function(other)
            else:
                holders.code(other)
        for _ in range(self.world.living.codes.held(proto)):
            holders.held(proto)
        for other in self.world.authority.calls.held(proto):
            holders.held(other)

    def _remove(self, place: tuple[str, str], keys: list[str], codes: list[int]) -> None:
        world = self.world
        unit = world.modules.versions[place]
        for name in self._names(unit, keys):
            del world.globals[name]
        world.modules.retired(place)
        world.table.remove_codes(codes)
        world.helpers.forget_checked()
        for key in keys:
            proto = world.table.protos.pop(key)
            world.living.codes.remove(proto)
            world.authority.calls.remove(proto)
            proto.clear()
        unit.protos.clear()


__all__ = ["Retiring"]
