"""What the heap asks of a machine that has code (:class:`holdfast.vm.hooks.Machine`): the part of a world that answers.

What is stored of code is where it comes from: a function's source by hash and its number there, a class's number.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any

from holdfast.vm.codec import DamagedRecord
from holdfast.vm.domains import Domain
from holdfast.vm.hooks import FunctionParts, Upgraded
from holdfast.vm.objects import Obj, fail

if TYPE_CHECKING:
    from holdfast.vm.authority import Authority
    from holdfast.vm.code import CodeTable
    from holdfast.vm.link import Linker
    from holdfast.vm.living import Living
    from holdfast.vm.modules import Modules
    from holdfast.vm.outside import Outside
    from holdfast.vm.retiring import Retiring
    from holdfast.vm.upgrade import Upgrades


class CodeMachine:
    """The answers of a world with these parts."""

    authority: Authority
    class_rows: dict[int, dict[str, Any]]
    """Class number to its side record."""
    globals: dict[str, Any]
    linker: Linker
    living: Living
    modules: Modules
    outside: Outside
    retiring: Retiring
    table: CodeTable
    upgrades: Upgrades

    def find_class(self, number: int) -> type[Obj] | None:
        """The class with the number; its module is linked if it has not been."""
        if number not in self.class_rows:  # as all of them, while the commit record is read
            return None
        info = self.linker.by_number.get(number)
        if info is None:
            row = self.class_rows[number]
            self.modules.load_stored(row["module"])
            if number not in self.linker.by_number:
                self.modules.define(row["module"], row["name"])
            info = self.linker.by_number.get(number)
        return info.python if info is not None else None

    def name_of(self, value: Any) -> tuple[str, str] | None:
        """Built-in functions and ``caps`` are stored by name, classes by their number, since they may be renamed."""
        for name in ("caps", "threads"):
            if value is self.globals[name]:
                return "b", name
        cls = value.__dict__.get("__hold_class__") if type(value) is FunctionType else None
        if cls is not None:
            return ("c", str(cls._k)) if cls._k in self.linker.by_number else ("b", cls._name)
        if isinstance(value, FunctionType):
            method = value.__dict__.get("__hold_method__")
            if method is not None:
                return "M", method
            name = value.__name__
            if "__hold_outside__" in value.__dict__:  # another one may have been granted under its name since
                return "x", value.__dict__["__hold_outside__"]
            for space in ("b", "h"):
                if self.globals.get(f"{space}:{name}") is value:
                    return space, name
        return None

    def named(self, module: str, name: str) -> Any:
        """What a stored name stands for."""
        if module == "b" and name in ("caps", "threads"):
            return self.globals[name]
        if module == "c":
            number = int(name) if name.isdigit() and len(name) < 20 else 0
            if self.find_class(number) is not None:
                info = self.linker.by_number[number]
                return self.globals[f"{info.module}:{info.name}"]
        found = self.globals.get(f"{module}:{name}") if module in ("b", "h", "x", "M") else None
        if found is None and module == "x":
            found = self.outside.missing(name)
        if found is None:
            raise DamagedRecord(f"{module}:{name}", "nothing in the world has this name")
        return found

    def function_parts(self, function: FunctionType) -> FunctionParts:
        """How a function that is a value is stored: its code by hash and number, and what it has captured."""
        proto = self.table.proto_of(function.__code__)
        if proto is None:
            fail("TypeError", f"the host function {function.__name__} cannot be stored")
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
        names = dict(zip(function.__code__.co_freevars, cells, strict=True))
        captured = [names.get(name) for name in proto.function.captures]  # the last one of an owned one is its domain
        return FunctionParts(bytes.fromhex(proto.unit.hash), proto.function.index, proto.unit.unit.module, captured)

    def make_function(self, parts: FunctionParts) -> FunctionType:
        """A stored function again."""
        self.modules.load_stored(parts.module)  # it calls what its module defines by name, in the newest version
        unit = self.modules.version(parts.module, parts.source.hex())
        proto = unit.protos[parts.index] if 0 <= parts.index < len(unit.protos) else None
        if proto is not None and len(parts.captured) == len(proto.function.captures) + 1:
            if isinstance(parts.captured[-1], Domain):
                return self.authority.value_of(proto, list(parts.captured))
        if proto is None or len(parts.captured) != len(proto.function.captures):
            raise DamagedRecord(f"a function of {parts.module[:80]}", "its source has no such function")
        made: FunctionType = proto.instance() if proto.unit.definer else proto.maker()(*parts.captured)
        return made

    def upgrade(self, cls: type[Obj], schema: int, fields: list[Any], extra: dict[str, Any] | None) -> Upgraded:
        """An instance from a record of an older version of its class."""
        return self.upgrades.upgrade(cls, schema, fields, extra)

    def woken(self, thread: Any) -> None:
        """A ghost of a thread was loaded."""
        self.living.woken(thread)

    def lost(self, thread: Any, why: str) -> bool:
        """A ghost of a thread cannot be loaded."""
        return self.living.lost(thread, why)

    def code_in_memory(self) -> tuple[set[str], set[int], set[str]]:
        """Hashes of the sources, numbers of the functions with frames, and names of the modules, that the process may
        refer to any time."""
        places = self.modules.versions
        return {hash_ for _, hash_ in places}, self.living.codes.numbers(), {module for module, _ in places}

    def retire_code(self) -> None:
        """Let go of compiled code that nothing needs."""
        self.retiring.retire()
