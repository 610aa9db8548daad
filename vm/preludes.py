"""The prelude: methods of built-in kinds that call functions of the program, written in Hold (``vm/prelude``).

A file is compiled when one of its methods is first used: until then each name is a :class:`LazyMethod`, so that a
program that needs none of them starts without the compiler's work.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

from holdfast.vm.objects import KINDS

if TYPE_CHECKING:
    from holdfast.vm.world import World

FOLDER = Path(__file__).parent / "prelude"
KIND_FILES = {"List": "list", "Map": "map", "Set": "set", "Range": "range", "Text": "text"}
_METHOD = re.compile(r"^fn ([a-z][A-Za-z0-9_]*)\(self\b", re.MULTILINE)


class LazyMethod:
    """Stands for a method until it is first asked for."""

    __slots__ = ("kind", "name", "preludes")

    def __init__(self, preludes: Preludes, kind: str, name: str) -> None:
        self.preludes = preludes
        self.kind = kind
        self.name = name

    def __get__(self, obj: Any, cls: type) -> Any:
        function = self.function()
        return function.__get__(obj, cls)

    def function(self) -> FunctionType:
        """Compile the file; the real methods take the places of the lazy ones."""
        return self.preludes.load(self.kind)[self.name]


class Preludes:
    """The prelude of one world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def install(self) -> None:
        """Put lazy methods where host methods have no such name."""
        for kind, file in KIND_FILES.items():
            names = _METHOD.findall((FOLDER / f"{file}.hold").read_text())
            self.place(kind, {name: LazyMethod(self, kind, name) for name in names})

    def place(self, kind: str, found: dict[str, Any]) -> None:
        """Make functions the methods of a kind."""
        python = next((t for t, n in KINDS.items() if n == kind), None)
        if python is not None:
            self.world.helpers.methods[python].update(found)
            return
        cls = getattr(self.world.collections, kind)
        for name, function in found.items():
            setattr(cls, "m_" + name, function)
            self.world.authority.method(cls, name, function)

    def load(self, kind: str) -> dict[str, FunctionType]:
        """Compile and link a kind's file; returns its methods."""
        file = KIND_FILES[kind]
        module = f"prelude/{file}"
        text = (FOLDER / f"{file}.hold").read_text()
        self.world.modules.add(text, f"{module}.hold", module, "module")
        found = {name: self.world.globals[f"{module}:{name}"] for name in _METHOD.findall(text)}
        self.place(kind, found)
        return found
