"""What the resolver finds out: variables and functions, and how each variable is kept.

A variable that is captured by an inner function is *copied* into it when it cannot change after the capture;
else it lives in a *Box*, a world object that all of its users share.  Python's own cells are never shared between
functions: a cell is no object of the world, so it could be neither stored nor undone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from holdfast.lang.tree import Constant, Span


class Kind(Enum):
    """Where a variable lives."""

    LOCAL = "local"  # in a function's frame, or in a Box that the frame holds
    GLOBAL = "global"  # a function, class or constant at the top of a file; bound by name, newest version
    BUILTIN = "builtin"  # a name that the machine provides
    MODULE = "module"  # an alias of an imported module


@dataclass(slots=True, eq=False)
class Variable:
    """One declared name."""

    name: str
    kind: Kind
    span: Span
    mutable: bool = False
    what: str = "variable"
    """For messages: variable, parameter, function, class, constant, module, built-in, session variable."""
    owner: FunctionInfo | None = None
    py: str = ""
    """The name of the Python local, or of the Python global for GLOBAL and BUILTIN."""
    captured: bool = False
    assignments: int = 0
    early: bool = False
    """Captured before it was initialised: reading it must check that it is set."""
    ready: bool = True
    """False while its initialiser is being resolved."""
    boxed: bool = False
    constant: bool = False
    value: Constant | range = None
    interface: ModuleInterface | None = None


@dataclass(slots=True, eq=False)
class FunctionInfo:
    """One function of a file: the top-level code of a program, a definition, a method or a literal."""

    name: str
    """As traces show it: ``pay``, ``Account.deposit``, ``fn`` for a literal, ``main`` for a program's top level."""
    parent: FunctionInfo | None
    span: Span
    index: int = -1
    captures: dict[Variable, str] = field(default_factory=dict)
    """Captured variable to the name it has inside; in order of first use."""
    names: dict[str, int] = field(default_factory=dict)
    class_name: str | None = None
    loops: int = 0

    def fresh(self, name: str) -> str:
        """A Python name for a new variable: ``v_x``, then ``v2_x``, …; no guest can spell the prefix."""
        count = self.names.get(name, 0) + 1
        self.names[name] = count
        return f"v_{name}" if count == 1 else f"v{count}_{name}"


@dataclass(slots=True, frozen=True)
class Export:
    """One name that a module offers."""

    kind: str
    """``fn``, ``class`` or ``const``."""
    global_name: str


@dataclass(slots=True, frozen=True)
class ModuleInterface:
    """What an importer sees of a module."""

    name: str
    exports: dict[str, Export]


def global_name(module: str, name: str) -> str:
    """The key of a definition in the globals dict.  The colon keeps it apart from all that the machine binds."""
    return f"{module}:{name}"


TYPE_NAMES = frozenset(
    "Nil Bool Int Float Number Text Bytes Range List Map Set Function Thread Capability Module Object Error TypeError "
    "NameError KeyError IndexError ValueError ArithmeticError LimitError CapabilityError BudgetError StackError "
    "AtomicError RemoteError ThreadError SyntaxError AssertError".split()
)
"""Kinds and error classes: they may stand after ``is``, in patterns, and (errors) after ``extends``."""


class Scope:
    """One block's names."""

    __slots__ = ("function", "names", "parent")

    def __init__(self, parent: Scope | None, function: FunctionInfo) -> None:
        self.parent = parent
        self.function = function
        self.names: dict[str, Variable] = {}

    def find(self, name: str) -> Variable | None:
        """The nearest variable of that name."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.names.get(name)
            if found is not None:
                return found
            scope = scope.parent
        return None

    def visible(self) -> Iterable[str]:
        """All names that could have been meant."""
        scope: Scope | None = self
        while scope is not None:
            yield from scope.names
            scope = scope.parent
