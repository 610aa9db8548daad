"""Linking: compiled files become functions, classes and constants in the globals of a world.

Keys in the globals dict (no guest can spell any of them):

=====================  ====================================================================
``module:name``        a definition: function, class (its constructor) or constant
``C:module:name``      the Python class of a class; ``C:KeyError`` of a built-in error
``S:module:Class.m``   what ``super.m`` means in a class
``D:module:Class.f``   the function that makes the default of a field
``K:module@hash:n``    the maker of closures of a function
``b:name``             a built-in function
=====================  ====================================================================

Linking a file again (a new version) gives the same keys new values, so calls by name find the newest version; frames
and closures that run keep the code that they began with, since makers are named by version.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any, NoReturn

from holdfast.lang import ir
from holdfast.lang.constructor import ConstructorField, constructor
from holdfast.lang.lower import ClassSpec, FieldSpec
from holdfast.vm.code import CodeTable, Proto, UnitCode
from holdfast.vm.methods.arguments import declared
from holdfast.vm.objects import (
    ERRORS,
    Capability,
    Error,
    Module,
    Obj,
    fail,
    field_as_guarded,
    field_as_method,
    make_class,
    register_name,
)
from holdfast.vm.thread import Thread


@dataclass(slots=True, eq=False)
class ClassInfo:
    """A linked class."""

    name: str
    module: str
    number: int
    python: type[Obj]
    base: ClassInfo | None
    fields: list[ConstructorField]
    """All fields, those of base classes first."""
    init: Proto | None
    unit: UnitCode
    schemas: list[list[str]] = field(default_factory=list)
    """The fields of each schema version; the last is the current one."""


class Linker:
    """Links files into one world."""

    def __init__(
        self, table: CodeTable, map_class: type[Obj], number_of: Callable[[str, str, str | None], int]
    ) -> None:
        self.table = table
        self.globals = table.globals
        self.map_class = map_class
        self.number_of = number_of
        """(module, class name, old name after ``was``) to the class's number in the world."""
        self.classes: dict[str, ClassInfo] = {}
        """Global name to class."""
        self.by_number: dict[int, ClassInfo] = {}
        self.on_class: Callable[[ClassInfo], None] = lambda info: None
        self.on_linked: Callable[[], None] = lambda: None
        self.guarded: Callable[[FunctionType], FunctionType] = lambda function: function
        """What guarded code calls in place of a function that is code."""
        self.default: Callable[[Obj, ConstructorField], Any] = lambda obj, field: field.constant
        """The value of a field that an instance lacks, since its class has got it later."""
        for name, cls in ERRORS.items():
            self.globals["C:" + name] = cls
        for python in (Obj, Capability, Module, Thread):
            self.globals["C:" + python._name] = python

    def prepare(self, unit: UnitCode) -> None:
        """Bind what the functions of any version of a file need that belongs to the version."""
        for name in unit.unit.names:
            register_name(self.map_class, name)

    def link(self, unit: UnitCode) -> None:
        """Bind everything that a file defines."""
        self.prepare(unit)
        compiled = unit.unit
        for name in [*compiled.constants, *compiled.definitions]:
            self.bind(unit, name)
        supers = super_calls(unit)
        for spec in self.bases_first(compiled.classes):
            self.class_(unit, spec, supers.get(spec.global_name, set()))
        self.on_linked()

    def bind(self, unit: UnitCode, name: str) -> None:
        """Bind a function or constant of a file."""
        index = unit.unit.definitions.get(name)
        value = unit.unit.constants[name] if index is None else self.function(unit.protos[index])
        self.put(f"{unit.unit.module}:{name}", value)

    def put(self, key: str, value: Any) -> None:
        """Bind a global; what guarded code calls by this name is found again when it is called."""
        self.globals[key] = value
        self.globals.pop(f"G:{key}", None)

    def function(self, proto: Proto) -> FunctionType:
        """A function object without captures."""
        made = proto.instance()
        made.__doc__ = proto.function.doc
        return made

    @staticmethod
    def bases_first(classes: list[ClassSpec]) -> list[ClassSpec]:
        """Classes of a file so that each stands behind its base."""
        by_name = {spec.global_name: spec for spec in classes}
        out: list[ClassSpec] = []
        done: set[str] = set()
        for spec in classes:
            chain = []
            current: ClassSpec | None = spec
            while current is not None and current.global_name not in done and current not in chain:
                chain.append(current)
                current = by_name.get(current.base or "")
            for one in reversed(chain):
                done.add(one.global_name)
                out.append(one)
        return out

    # ------------------------------------------------------------------ classes

    def class_(self, unit: UnitCode, spec: ClassSpec, supers: set[str]) -> ClassInfo:
        """Make a class, or give an existing one its new version; ``supers`` are the methods called of its base."""
        base_class, base = self.base_of(spec)
        own = [self.field(unit, spec, one) for one in spec.fields]
        inherited = list(base.fields) if base is not None else []
        if base is None and spec.base is not None:
            inherited = [ConstructorField("message", False, "", None)]
        again = {f.name: f for f in own}  # a field that is said again keeps its place
        names = {f.name for f in inherited}
        fields = [again.get(f.name, f) for f in inherited] + [f for f in own if f.name not in names]
        number = self.number_of(unit.unit.module, spec.name, spec.was)
        old = self.classes.get(spec.global_name) or self.by_number.get(number)
        taken = {slot[2:] for slot in base_class._slots}
        if old is None:
            new = [f.name for f in own if f.name not in taken]
            python = make_class(spec.name, number, base_class, new)
        else:
            python = old.python
            python._name = python._ghost._name = spec.name
            self.upgrade(old, spec, fields)
        init = unit.protos[spec.methods["init"]] if "init" in spec.methods else base.init if base else None
        info = ClassInfo(spec.name, unit.unit.module, number, python, base, fields, init, unit)
        self.classes[spec.global_name] = self.by_number[number] = info
        self.globals["C:" + spec.global_name] = python
        for name, index in spec.methods.items():
            function = self.function(unit.protos[index])
            setattr(python, "m_" + name, function)
            setattr(python, "n_" + name, LazyGuarded(python, "n_" + name, function, self.guarded))
        for name in supers:
            found = getattr(base_class, "m_" + name, None)
            self.put(
                f"S:{spec.global_name}.{name}",
                found if type(found) is FunctionType else missing(base_class._name, name),
            )
        made = self.constructor(info, spec)
        self.put(spec.global_name, made)
        self.on_class(info)
        return info

    def also_called(self, info: ClassInfo, name: str) -> None:
        """Bind a former name of a class, for older code that uses it."""
        old, new = f"{info.module}:{name}", f"{info.module}:{info.name}"
        self.put(old, self.globals[new])
        self.globals["C:" + old] = info.python
        self.classes[old] = info

    def base_of(self, spec: ClassSpec) -> tuple[type[Obj], ClassInfo | None]:
        """The Python class to extend, and the linked class if it is one of Hold."""
        if spec.base is None:
            return Obj, None
        if spec.base.startswith("b:") or ":" not in spec.base:
            return ERRORS[spec.base.removeprefix("b:")], None
        info = self.classes[spec.base]
        return info.python, info

    def field(self, unit: UnitCode, spec: ClassSpec, one: FieldSpec) -> ConstructorField:
        """A field of the constructor; a default that must be computed gets a global function."""
        if one.function is None:
            return ConstructorField(one.name, one.required, one.constant, None)
        key = f"D:{spec.global_name}.{one.name}"
        self.put(key, self.function(unit.protos[one.function]))
        return ConstructorField(one.name, False, None, key)

    def upgrade(self, old: ClassInfo, spec: ClassSpec, fields: list[ConstructorField]) -> None:
        """Give living instances what a new version of their class adds.

        The Python class stays (instances, ghosts and subclasses keep it), so its layout does: a new field lives in
        the dict of an instance, behind a property, until the world is opened again.
        """
        python: Any = old.python
        known = getattr(python, "_added_names", ())
        for one in fields:
            slot = "f_" + one.name
            if slot in python._slots:
                continue
            if one.name not in known:
                known = (*known, one.name)
                setattr(python, "m_" + one.name, field_as_method(slot))
                setattr(python, "n_" + one.name, field_as_guarded(slot))
            setattr(python, slot, added_field(one, self.default))
        names = {one.name for one in fields}
        python._added_names = known
        python._added = tuple(f"f_{name}" for name in known if name in names)
        for name in [n for n in vars(python) if n.startswith("m_")]:
            if name[2:] not in spec.methods and name[2:] not in names:
                delattr(python, name)
        for name in [n for n in vars(python) if n.startswith("n_")]:
            if name[2:] not in names:
                delattr(python, name)

    def constructor(self, info: ClassInfo, spec: ClassSpec) -> FunctionType:
        """The class as a value."""
        unit = info.init.unit if info.init is not None else info.unit
        init = info.init.function if info.init is not None else None
        fields, blank = list(info.fields), []
        if issubclass(info.python, Error):
            if init is None and all(f.name != "cause" for f in fields):
                fields.append(ConstructorField("cause", False, None, None))
            blank = [slot[2:] for slot in Error._slots if slot[2:] not in {f.name for f in fields}]
        function = constructor(spec.name, spec.global_name, fields, init, -1 - info.number, tuple(blank))
        proto = Proto(function, unit, self.table)
        self.table.protos[proto.key] = proto
        made = proto.instance()
        made.__dict__["__hold_class__"] = info.python
        made.__doc__ = spec.doc
        return made


class LazyGuarded:
    """Stands for the guarded variant of a method until it is first asked for."""

    __slots__ = ("cls", "function", "guarded", "name")

    def __init__(self, cls: type, name: str, function: Any, guarded: Callable[[FunctionType], FunctionType]) -> None:
        self.cls = cls
        self.name = name
        self.function = function
        self.guarded = guarded

    def __get__(self, obj: Any, cls: type) -> Any:
        made = self.guarded(self.function)
        setattr(self.cls, self.name, made)
        return made.__get__(obj, cls)


def added_field(field: ConstructorField, default: Callable[[Obj, ConstructorField], Any]) -> property:
    """The property of a field that a class has got after its instances were made."""
    name = field.name

    def read(self: Any) -> Any:
        more = getattr(self, "_x", None)
        if more and name in more:
            return more[name]
        return default(self, field)

    def write(self: Any, value: Any) -> None:
        more = getattr(self, "_x", None)
        if more is None:
            more = self._x = {}
        more[name] = value  # the generated code has run the barrier

    return property(read, write)


def super_calls(unit: UnitCode) -> dict[str, set[str]]:
    """Global name of a class to the names that ``super.name(…)`` calls in its methods."""
    out: dict[str, set[str]] = {}
    for proto in unit.protos:
        for node in ir.walk(proto.function.body):
            if isinstance(node, ir.Op) and node.op in ("calls", "spawn"):
                target = node.data[0] if node.op == "calls" else node.data[1]
                if isinstance(target, tuple):
                    out.setdefault(target[0], set()).add(target[1])
    return out


def missing(base: str, method: str) -> FunctionType:
    """What ``super.m`` calls when the base class has no such method."""

    @declared
    def absent(*arguments: Any) -> NoReturn:
        fail("NameError", f"the base class {base} has no method '{method}'")

    assert isinstance(absent, FunctionType)
    return absent
