"""Classes that change while their instances live: each instance is brought up to date once, at its first touch."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from holdfast.vm.world import World

FIRST = int(os.environ.get("HOLDFAST_SEED", "0"))
COUNT = 6
ACTIONS = "touch touch touch look version version sweep save reopen make".split()


class Driver:
    """A world in which a class changes, beside what is to be seen of its instances."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self.rng = folder, rng
        self.printed: list[str] = []
        self.version = 0
        self.migrates = False
        self.logs: list[str] = []
        """What the migrations that an instance went through have left in it, """
        self.versions: list[int] = []
        """and of which version it is."""
        self.world = self.opened()
        self.run("root.items = []")
        self.new_version()
        for _ in range(COUNT):
            self.make()

    def opened(self) -> World:
        world = World.open(self.folder / "w", durability="process")
        world.write = self.printed.append
        return world

    def run(self, body: str) -> list[str]:
        """Run statements of the program as it is now; gives what they print."""
        self.printed.clear()
        self.world.run_source(f"{self.text}\n{body}" if self.version else body, "items.hold")
        self.world.checkpoint()
        return "".join(self.printed).splitlines()

    @property
    def text(self) -> str:
        """The class, of which every version has a field that no other one has."""
        migrate = f'\n  fn migrate(old) => ({{log: old.log + "{self.version},"}})' if self.migrates else ""
        return f'class Item {{\n  n\n  log = ""\n  f{self.version} = {self.version}{migrate}\n}}'

    def new_version(self) -> None:
        self.version += 1
        self.migrates = self.rng.random() < 0.7
        self.run("nil")

    def make(self) -> None:
        self.run("root.items.push(Item(0))")
        self.logs.append("")
        self.versions.append(self.version)

    def meet(self, number: int) -> None:
        """An instance is touched: if it is of an older version, it is migrated."""
        if self.versions[number] != self.version and self.migrates:
            self.logs[number] += f"{self.version},"
        self.versions[number] = self.version

    def act(self, action: str) -> None:
        """One action."""
        number = self.rng.randrange(len(self.logs))
        if action == "touch":
            self.meet(number)
            shown = self.run(f"let item = root.items[{number}]\nitem.n += 1\nprint(item.log, item.f{self.version})")
            assert shown == [f"{self.logs[number]} {self.version}"]
        elif action == "look":  # what was looked at is written too: the next version need not know the last but one
            self.meet(number)
            assert self.run(f"print(root.items[{number}].log)") == [self.logs[number]]
        elif action == "version":
            self.new_version()
        elif action == "sweep":
            for _ in self.world.heap.sweep(0):
                pass
        elif action == "save":
            self.world.checkpoint()
        elif action == "reopen":
            self.world.close()
            self.world = self.opened()
        elif len(self.logs) < 3 * COUNT:
            self.make()


@pytest.mark.parametrize("seed", range(FIRST, FIRST + 20))
def test_every_instance_is_migrated_once(tmp_path: Path, seed: int) -> None:
    """Whatever is in memory, was written or is opened again meanwhile, in a process that has seen the old version as
    in one that has not."""
    driver = Driver(tmp_path, random.Random(seed))
    for action in driver.rng.choices(ACTIONS, k=30):
        driver.act(action)
    for number in range(len(driver.logs)):
        driver.meet(number)
    assert driver.run("for item in root.items { print(item.log) }") == driver.logs
    driver.world.close()


def test_unwritten_changes_are_migrated(tmp_path: Path) -> None:
    """What a thread has changed, and only it holds, is brought up to date as well: it is written first."""
    with World.open(tmp_path / "w") as world:
        printed: list[str] = []
        world.write = printed.append
        world.run_source(
            "class P { n }\nfn hold() {\n let p = P(1)\n p.n = 5\n receive()\n print(p.doubled)\n}\n"
            "root.t = spawn hold()\nsleep(0)",
            "p.hold",
        )
        world.run_source(
            "class P {\n n; doubled\n fn migrate(old) => ({doubled: old.n * 2})\n}\nroot.t.send(1)\nroot.t.join()",
            "p.hold",
        )
        world.checkpoint()
        assert "".join(printed) == "10\n"


def test_a_class_that_is_linked_by_a_read(tmp_path: Path) -> None:
    """An instance of a class whose base has changed is read by a running thread, which has its file linked: it is
    migrated, and the thread goes on."""
    files = {
        "a.hold": "class A { n }",
        "b.hold": 'import { A } from "a.hold"\nclass B extends A { k = 1\n fn migrate(old) => ({k: old.k + 100}) }',
    }
    with World.open(tmp_path / "w", durability="process") as world:
        world.modules.loader = files.get
        world.run_source('import { B } from "b.hold"\nroot.bs = [B(1), B(2)]', "main.hold")
    files["a.hold"] = "class A { n\n z = 7 }"
    for _ in range(2):
        printed: list[str] = []
        with World.open(tmp_path / "w", durability="process") as world:
            world.modules.loader = files.get
            world.write = printed.append
            text = 'import { A } from "a.hold"\nlet b = root.bs[1]\nprint(b.k, b.z)\nprint(root.bs[0].k)'
            world.run_source(text, "look.hold")
        assert "".join(printed) == "101 7\n101\n"
