"""A world in which restricted programs attack: what is run, and what they are granted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

from holdfast.stdlib import library
from holdfast.vm import ids
from holdfast.vm.domains import Cap
from holdfast.vm.monitor import SCALARS
from holdfast.vm.objects import Box, Obj, live
from holdfast.vm.world import World

SECRET = "canary-5d1f"
HEAD = "class Box { a = nil; b = nil }\n"


class Jail:
    """Programs of the whole world, and programs of domains below it, which are their code.

    ``root.secret`` is a Box with a List in it that holds the canary; ``root.hub`` a Map that every domain is granted.
    """

    def __init__(self, path: Path, shape: str) -> None:
        self.path, self.shape = path, shape
        self.written: list[str] = []
        self.count = 0
        self.world = self.open()
        self.reset()

    def open(self) -> World:
        """Open the world."""
        world = World.open(self.path, library=library(), durability="process", shape=self.shape)
        world.write = self.written.append
        return world

    def reset(self, secret: str = f'["{SECRET}", 7]') -> None:
        """A new hub and a new secret."""
        self.count += 1
        fields = f"root.hub = {{}}; root.secret = Box(a: {secret}); root.list = {secret}"
        self.top(f"{HEAD}for k in root.keys() {{ root.remove(k) }}\n{fields}\n")

    def reopen(self) -> None:
        """As another process."""
        self.world.close()
        self.world = self.open()

    def close(self) -> None:
        self.world.close()

    def lines(self) -> list[str]:
        """What was printed since."""
        self.world.checkpoint()
        found = "".join(self.written).split("\n")[:-1]
        self.written.clear()
        return found

    def top(self, text: str, name: str = "top.hold") -> list[str]:
        """Run a program of the whole world."""
        self.world.run_source(text, name)
        return self.lines()

    def domain(self, name: str = "evil", **grants: Any) -> Any:
        """A domain with the hub and other capabilities."""
        root = self.world.heap.roots["root"]
        return self.world.authority.domain(name, {"hub": root.v["hub"]} | grants)

    def evil(self, text: str, domain: Any = None, name: str = "evil.hold", **grants: Any) -> list[str]:
        """Run a program as the code of a domain; afterwards nothing of the secret was printed."""
        domain = domain if domain is not None else self.domain(**grants)
        self.world.give_id(domain)
        unit = self.world.modules.program(text, f"{self.count}/{name}", ids.kid(domain._i))
        self.world.run_thread(self.world.authority.start(unit, domain))
        found = self.lines()
        assert SECRET not in "\n".join(found)
        return found

    def root(self, name: str) -> Any:
        """What stands under a name of the root."""
        return self.world.heap.roots["root"].v[name]


def edges(world: World, value: Any) -> Iterator[Any]:
    """What the language can reach in one step."""
    if type(value) is FunctionType:
        if world.table.proto_of(value.__code__) is not None:
            yield from world.function_parts(value).captured
        return
    live(value)
    if isinstance(value, Cap):
        yield value.target
    elif isinstance(value, Box):
        yield value.v
    elif isinstance(getattr(value, "v", None), dict):
        yield from value.v
        yield from value.v.values()
    elif hasattr(value, "v"):
        yield from value.v
    yield from (getattr(value, name) for name in value._slots if name != "v" and hasattr(value, name))
    yield from (getattr(value, "_x", None) or {}).values()


def walk(world: World, pending: list[Any]) -> tuple[int, set[type]]:
    """Go all the ways there are from some values, and see that only values of Hold are met; gives how many objects
    these were, and of which kinds."""
    seen: set[int] = set()
    kinds: set[type] = set()
    while pending:
        value = pending.pop()
        if type(value) in SCALARS or id(value) in seen:
            continue
        seen.add(id(value))
        kinds.add(type(value))
        named = world.name_of(value) is not None  # a definition, which records know by its name
        assert isinstance(value, Obj | FunctionType) or named, (type(value), value)
        if not isinstance(value, type):
            pending += edges(world, value)
    return len(seen), kinds
