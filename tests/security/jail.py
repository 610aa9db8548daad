"""A world in which restricted programs attack: what is run, and what they are granted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from holdfast.stdlib import library
from holdfast.vm import ids
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
