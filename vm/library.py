"""What a standard library is to the machine: texts of modules, and host functions that only they may name.

The library itself lies above the machine (``holdfast.stdlib``), which gives it to :meth:`holdfast.vm.world.World.open`.

Modules whose names begin with ``std/`` come from the library alone, never from a file of the user: they are the only
ones whose code can name host functions.  A host function is known there by its name in the library, and kept in the
globals under ``h:`` and that name, which no guest can spell.  The names are a contract with worlds on disk, whose
threads may stand inside an older version of a module: they are added, never changed or taken away.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from holdfast.vm.runtime import Runtime

F = TypeVar("F", bound=Callable[..., Any])

PREFIX = "std/"
"""How the names of the library's modules begin."""


@dataclass(frozen=True, slots=True)
class Library:
    """A standard library."""

    text: Callable[[str], str | None]
    """Name of a module (``std/json``) to its source, or None when there is no such module."""
    functions: Callable[[Runtime], Mapping[str, Callable[..., Any]]]
    """The host functions for one world, by the names that the modules use."""


NO_LIBRARY = Library(lambda name: None, lambda runtime: {})
"""For worlds without one."""


def is_library(module: str) -> bool:
    """The module can only come from the library."""
    return module.startswith(PREFIX)


def takes(**rights: str) -> Callable[[F], F]:
    """Declare the rights that a host function needs of each of its parameters ("" for values that are no objects)."""

    def declare(function: F) -> F:
        function.__hold_rights__ = rights  # type: ignore[attr-defined]
        return function

    return declare


def checked(functions: Mapping[str, Callable[..., Any]]) -> Mapping[str, Callable[..., Any]]:
    """The functions, if each declares the rights that it needs of each of its parameters."""
    for name, function in functions.items():
        declared = getattr(function, "__hold_rights__", None)
        if declared is None or set(declared) != set(inspect.signature(function).parameters):
            raise TypeError(f"the host function {name} must declare the rights of each of its parameters")
    return functions
