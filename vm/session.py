"""Sessions: variables that live in a world, and the entries of a REPL that define and use them.

A session is an object of the world, under the root ``sessions`` and its name.  Nothing of it is in the process, so
leaving and coming back, also after a crash, finds everything: variables, functions, classes, imported names.

==============  ==================================================================================
``variables``   Map of name to Box.  A Box stays the same when its name is defined again, so functions
                of older entries see the new value
``names``       Map of name to what it is, in words (see below)
``entries``     number of entries so far
==============  ==================================================================================

What a name is: ``let``, ``var`` or ``fn`` for what has a Box; ``class TARGET``, ``function TARGET``,
``constant TARGET``
for a definition of a module, by its global name; ``module NAME`` for an imported module.

Entry K of session S is the module ``session:S/K``.  Its source is kept with the names that it saw (``source:HASH``, see
:mod:`holdfast.vm.modules`), since the same text means something else where other names are defined.  The source of an
entry that defined nothing is dropped when the entry has ended: no frame refers to it, and no function that is alive.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from holdfast.lang.diagnostics import CompileError, Diagnostic, Source
from holdfast.lang.lower import Unit
from holdfast.lang.scope import Kind, Variable
from holdfast.vm.code import UnitCode
from holdfast.vm.objects import NEW, UNSET, Box, live
from holdfast.vm.side import SESSION

if TYPE_CHECKING:
    from holdfast.vm.thread import Thread
    from holdfast.vm.world import World

ROOT = "sessions"
"""The name of the heap's root that holds all sessions."""
LAST = "_"
"""The variable that has the value of the last entry."""
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")

_BOXED = {"let": "variable", "var": "variable", "fn": "function"}

Scope = dict[str, str]
"""Names and what they are, in words."""


class Session:
    """One session of an open world."""

    def __init__(self, world: World, name: str) -> None:
        if NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is no name for a session: use a letter, then up to 63 of A-Z a-z 0-9 _ . -")
        self.world = world
        self.name = name
        sessions = world.heap.roots.get(ROOT)
        if sessions is None:
            sessions = world.new_map({})
            world.heap.set_root(ROOT, sessions)
        record = live(sessions).v.get(name)
        if record is None:
            record = world.new_map({"variables": world.new_map({}), "names": world.new_map({}), "entries": 0})
            self._put(sessions, name, record)
        self.record: Any = record
        self._box(LAST, None)
        self._put(self.record.v["names"], LAST, "let")

    # ------------------------------------------------------------------ running entries

    def compile(self, text: str) -> UnitCode:
        """Compile and link the next entry.

        Raises CompileError; the session is unchanged then.
        """
        world, names = self.world, live(self.record).v["names"]
        count = self.record.v["entries"] + 1
        module, shown = f"{SESSION}{self.name}/{count}", f"{self.name}[{count}]"
        unit = world.modules.entry(text, shown, module, dict(live(names).v.items()))
        self._put(self.record, "entries", count)
        for name, variable in unit.unit.session_names.items():
            self._put(names, name, in_words(variable))
        return unit

    def start(self, text: str) -> Entry:
        """Compile an entry and start its thread."""
        unit = self.compile(text)
        main = unit.protos[unit.unit.main].instance()
        thread = self.world.scheduler.start(main, (), name=unit.source.name)
        self.world.scheduler.hasten(thread)
        return Entry(self, unit, thread)

    # ------------------------------------------------------------------ variables

    def names(self) -> Scope:
        """All names that the session defines, and what they are, in words."""
        return dict(live(live(self.record).v["names"]).v.items())

    def value(self, name: str) -> Any:
        """What a name stands for, without running code: UNSET if it has no value (yet)."""
        word = live(live(self.record).v["names"]).v.get(name)
        if word in _BOXED:
            return live(live(self.record.v["variables"]).v[name]).v
        kind, _, target = (word or "").partition(" ")
        if kind in ("class", "function", "constant"):
            module, _, definition = target.rpartition(":")
            self.world.modules.load_stored(module)
            self.world.modules.define(module, definition)
            return self.world.globals.get(target, UNSET)
        return UNSET

    def boxes(self, names: Iterable[str]) -> dict[str, Any]:
        """The Boxes of variables; a variable that is new has no value."""
        return {name: self._box(name, UNSET) for name in names}

    def set_last(self, value: Any) -> None:
        """Keep a value as ``_``."""
        box = self._box(LAST, None)
        self._touch(box)
        box.v = value

    def _box(self, name: str, first: Any) -> Any:
        variables = live(live(self.record).v["variables"])
        box = variables.v.get(name)
        if box is None:
            box = Box()
            box._t, box._i, box.v = self.world.heap.token, NEW, first
            self._put(variables, name, box)
        return box

    def _touch(self, obj: Any) -> None:
        if obj._t is not self.world.heap.token:
            self.world.heap.barrier(obj)

    def _put(self, target: Any, key: str, value: Any) -> None:
        found = live(target).v.get(key, UNSET)
        if found is value or (type(value) in (str, int) and found == value):
            return  # writing it would cost a record
        self._touch(target)
        target.v[key] = value


class Entry:
    """An entry that runs, or has run."""

    __slots__ = ("session", "thread", "unit")

    def __init__(self, session: Session, unit: UnitCode, thread: Thread) -> None:
        self.session = session
        self.unit = unit
        self.thread = thread

    @property
    def done(self) -> bool:
        """True when its thread has ended."""
        return self.thread.f_state in ("done", "failed")

    def finish(self) -> None:
        """To be called once when it is done: keeps its value as ``_``, drops its source if nothing needs it."""
        if self.thread.f_state == "done" and self.thread.f_result is not None:
            self.session.set_last(self.thread.f_result)
        if len(self.unit.unit.functions) == 1 and not self.unit.unit.classes:
            self.session.world.modules.forget(self.unit)


def session_names(world: World) -> list[str]:
    """The names of the world's sessions."""
    sessions = world.heap.roots.get(ROOT)
    return list(live(sessions).v) if sessions is not None else []


def bindings(world: World, unit: UnitCode) -> dict[str, Any]:
    """The Boxes that the code of an entry uses."""
    name = unit.unit.module.removeprefix(SESSION).rpartition("/")[0]
    return Session(world, name).boxes(unit.unit.session_captures)


# --------------------------------------------------------------------------- names


def in_words(variable: Variable) -> str:
    """What a name is, as a session keeps it."""
    if variable.kind is Kind.MODULE:
        return f"module {variable.interface.name}" if variable.interface is not None else "module"
    if variable.kind is Kind.GLOBAL:
        return f"{variable.what} {variable.py}"
    return "fn" if variable.what == "function" else "var" if variable.mutable else "let"


def variables(world: World, scope: Scope, used: Iterable[str], stored: bool) -> dict[str, Variable]:
    """What the resolver must know of the names; modules are loaded for those that are used.  For a ``stored`` entry
    they have all that they ever had."""
    wanted = set(used)
    found: dict[str, Variable] = {}
    for name, word in scope.items():
        kind, _, target = word.partition(" ")
        if kind in _BOXED:
            found[name] = Variable(name, Kind.LOCAL, (0, 0), kind == "var", _BOXED[kind])
            continue
        interface = None
        if name in wanted:
            module, _, definition = target.rpartition(":")
            unit = world.modules.load_stored(target if kind == "module" else module)
            if unit is None:
                continue
            interface = world.modules.interface(unit, stored)
            if kind != "module":
                world.modules.define(module, definition)
        if kind == "module":
            found[name] = Variable(name, Kind.MODULE, (0, 0), what="module", interface=interface)
        else:
            found[name] = Variable(name, Kind.GLOBAL, (0, 0), what=kind, py=target)
    return found


def refuse_tests(unit: Unit, source: Source) -> None:
    """A test in an entry would never run."""
    for name, index in unit.tests:
        spans = unit.functions[index].spans.values()
        span = min(spans, default=(0, 0))
        hint = "put it into a file, and run that with: holdfast test FILE"
        raise CompileError([Diagnostic("E0119", f"test '{name}' stands in an entry", span, hint, source)])
