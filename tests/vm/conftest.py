"""Shared by the tests of the machine: a world, and a runtime without one for host functions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.vm import methods as host
from holdfast.vm import ops
from holdfast.vm.builtins import builtins
from holdfast.vm.objects import Collections, Thrown
from holdfast.vm.world import World


class CountingHeap:
    """A heap that only notes which objects passed the barrier."""

    def __init__(self) -> None:
        self.token = object()
        self.written: list[Any] = []

    def barrier(self, obj: Any) -> None:
        obj._t = self.token
        self.written.append(obj)


class Bench:
    """Host functions on values that are given and taken as plain Python ones: list, dict and set stand for Hold's."""

    def __init__(self) -> None:
        self.heap = CountingHeap()
        self.classes = Collections()
        self.operators = ops.operators(self)
        self.methods = host.methods(self)
        self.builtins = builtins(self)

    def _new(self, cls: type, raw: Any) -> Any:
        obj = cls()
        obj._t, obj._i, obj.v = None, 0, raw
        return obj

    def new_list(self, raw: list[Any]) -> Any:
        return self._new(self.classes.List, raw)

    def new_map(self, raw: dict[Any, Any]) -> Any:
        made = self._new(self.classes.Map, raw)
        made.e = raw
        return made

    def new_set(self, raw: dict[Any, None]) -> Any:
        return self._new(self.classes.Set, raw)

    def value(self, plain: Any) -> Any:
        """The value of Hold that a plain one stands for."""
        if type(plain) is list:
            return self.new_list([self.value(x) for x in plain])
        if type(plain) is dict:
            return self.new_map({key: self.value(x) for key, x in plain.items()})
        if type(plain) is set:
            return self.new_set(dict.fromkeys(plain))
        return plain

    def plain(self, value: Any) -> Any:
        """The other way."""
        number = getattr(type(value), "_k", 0)
        if number == 1:
            return [self.plain(x) for x in value.v]
        if number == 2:
            return {key: self.plain(x) for key, x in value.v.items()}
        return set(value.v) if number == 3 else value

    def op(self, name: str, *arguments: Any) -> Any:
        """An operator, from plain values to a plain value; an error as ``"Kind: message"``."""
        return self.outcome(self.operators[name], *arguments)

    def call(self, kind: str, name: str, *arguments: Any, **named: Any) -> Any:
        """A method, likewise."""
        return self.outcome(self.methods[kind][name], *arguments, **named)

    def outcome(self, function: Any, *arguments: Any, **named: Any) -> Any:
        """What a function gives, or the text of what it throws."""
        try:
            return self.plain(function(*map(self.value, arguments), **{k: self.value(v) for k, v in named.items()}))
        except Thrown as thrown:
            return Failure(f"{thrown.error._name}: {thrown.error.f_message}")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world of its own."""
    with World.open(tmp_path / "w", durability="process") as made:
        made.write = lambda text: None
        yield made


class Failure(str):
    """The kind and message of an error; equal to its text."""

    __slots__ = ()


@pytest.fixture(scope="session")
def bench() -> Bench:
    """Host functions without a world."""
    return Bench()
