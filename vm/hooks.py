"""What the heap asks of the machine above it: classes, names, functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from holdfast.vm.codec import DamagedRecord, UnstorableValue

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FunctionType

    from holdfast.vm.objects import Obj

Upgraded = tuple[dict[str, Any], bool]
"""What an instance from a record of another schema is filled with, and whether that is of an older version."""


class FunctionParts:
    """What the record of a function holds: the hash of its source, which function of that it is, its module's name,
    and what it captured."""

    __slots__ = ("captured", "index", "module", "source")

    def __init__(self, source: bytes, index: int, module: str, captured: Sequence[Any]) -> None:
        self.source = source
        self.index = index
        self.module = module
        self.captured = captured


class Machine(Protocol):
    """What the heap asks of the machine above it."""

    def find_class(self, number: int) -> type[Obj] | None:
        """The live class with the number, or None when the world has none."""

    def name_of(self, value: Any) -> tuple[str, str] | None:
        """Module and name of a value that is stored by name (a class, a top-level function), or None."""

    def named(self, module: str, name: str) -> Any:
        """What a stored name stands for now."""

    def function_parts(self, function: FunctionType) -> FunctionParts:
        """What to write for a function that is not stored by name."""

    def make_function(self, parts: FunctionParts) -> FunctionType:
        """The function again; the captured values are in the same order."""

    def upgrade(self, cls: type[Obj], schema: int, fields: list[Any], extra: dict[str, Any] | None) -> Upgraded:
        """Slots of the class and their values, from a record of another schema; ``_x`` may be among them."""

    def woken(self, thread: Any) -> None:
        """A ghost of a thread was loaded.  Raises DamagedRecord."""

    def lost(self, thread: Any, why: str) -> bool:
        """A ghost of a thread cannot be loaded; True when the machine has made it one that has failed."""

    def code_in_memory(self) -> tuple[set[str], set[int], set[str]]:
        """Hashes of the sources, numbers of the functions with frames, and names of the modules, that the process may
        refer to any time."""

    def retire_code(self) -> None:
        """Let go of compiled code that nothing needs."""


class BareMachine:
    """A machine without code: for tools that read a world without running anything, and for tests."""

    def find_class(self, number: int) -> type[Obj] | None:
        """None: it has no classes."""
        return None

    def name_of(self, value: Any) -> tuple[str, str] | None:
        """None: it knows no names."""
        return None

    def named(self, module: str, name: str) -> Any:
        """Nothing has a name."""
        raise DamagedRecord(f"{module}.{name}", "nothing has this name")

    def function_parts(self, function: FunctionType) -> FunctionParts:
        """Refused: there are no functions."""
        raise UnstorableValue(f"no record can hold the host function {function.__name__}")

    def make_function(self, parts: FunctionParts) -> FunctionType:
        """Refused: there are no functions."""
        raise DamagedRecord(parts.module, "functions need a machine")

    def upgrade(self, cls: type[Obj], schema: int, fields: list[Any], extra: dict[str, Any] | None) -> Upgraded:
        """Refused: it knows one layout."""
        raise DamagedRecord(cls._name, f"schema {schema} of the class is not known")

    def woken(self, thread: Any) -> None:
        """No thread is alive."""

    def lost(self, thread: Any, why: str) -> bool:
        """No thread is alive."""
        return False

    def code_in_memory(self) -> tuple[set[str], set[int], set[str]]:
        """None: there is no code."""
        return set(), set(), set()

    def retire_code(self) -> None:
        """There is none."""
