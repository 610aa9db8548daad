"""Shared by the tests of the library: a world with it, and values of Hold as plain Python ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.stdlib import library
from holdfast.vm.objects import Thrown
from holdfast.vm.world import World


class Library:
    """A world whose functions are called with plain values: list, dict and set stand for Hold's."""

    def __init__(self, folder: Path, shape: str = "direct") -> None:
        self.folder = folder
        self.world = World.open(folder / "world", library=library(), durability="process", shape=shape)
        self.modules: dict[str, str] = {}

    def value(self, plain: Any) -> Any:
        """The value of Hold that a plain one stands for."""
        if type(plain) is list:
            return self.world.new_list([self.value(x) for x in plain])
        if type(plain) is dict:
            return self.world.new_map({key: self.value(x) for key, x in plain.items()})
        return plain

    def plain(self, value: Any) -> Any:
        """The other way; instances become Maps of their fields."""
        number = getattr(type(value), "_k", 0)
        if number == 1:
            return [self.plain(x) for x in value.v]
        if number == 2:
            return {key: self.plain(x) for key, x in value.v.items()}
        if number == 3:
            return set(value.v)
        if number:
            return {slot[2:]: self.plain(getattr(value, slot)) for slot in type(value)._slots if slot[:2] == "f_"}
        return value

    def call(self, source: str, *arguments: Any) -> Any:
        """Call ``f`` of a module with this text; what it throws becomes ``"Kind: message"``."""
        name = self.modules.get(source)
        if name is None:
            file = self.folder / f"case{len(self.modules)}.hold"
            file.write_text(source, "utf-8")
            name = self.modules[source] = self.world.load_module(file)
        try:
            return self.plain(self.world.call(name, "f", *map(self.value, arguments)))
        except Thrown as thrown:
            return Failure(f"{thrown.error._name}: {thrown.error.f_message}")


class Failure(str):
    """The kind and message of an error; equal to its text."""

    __slots__ = ()


@pytest.fixture(scope="session")
def hold(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """One world with the library."""
    made = Library(tmp_path_factory.mktemp("library"))
    yield made
    made.world.close()
