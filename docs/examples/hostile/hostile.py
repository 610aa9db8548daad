"""Runs a hundred hostile snippets, each in a domain of its own, and shows what came of them.

Each gets a list to write to and a catalogue to read, 200 ms of processor time and a few thousand objects.  At the end
the world must be what it was: the secret unread, the catalogue unchanged, no thread left over.

    python docs/examples/hostile/hostile.py [FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

import holdfast

SNIPPETS = Path(__file__).with_name("snippets.txt")
BUDGET = {"cpu_ms": 200, "objects": 5_000, "threads": 10, "mailbox": 100, "depth": 1_000}
SECRET = "the secret that nobody may read"
CATALOGUE = {"apples": 3, "pears": [1, 2, 3]}


def lookup(word: str) -> str:
    """A service of the host that the snippets may call."""
    return word.upper()


def survive(folder: str) -> Counter[str]:
    """Run them all; how many ended in which way."""
    ended: Counter[str] = Counter()
    with holdfast.World(folder, durability="process") as world:
        world.root["secret"] = [SECRET]
        world.root["catalogue"] = CATALOGUE
        world.root["out"] = []
        for snippet in SNIPPETS.read_text("utf-8").split("\n---\n"):
            result = world.run(
                snippet,
                grants={
                    "out": world.root["out"].only("rw"),
                    "catalogue": world.root["catalogue"].only("r"),
                    "lookup": holdfast.Function(lookup, takes=(str,), gives=str, timeout=2.0),
                },
                budget=BUDGET,
                timeout=2.0,
            )
            said = f"{result.output}{result.value}{result.error}"
            if SECRET in said or "Traceback" in said or __file__ in said:
                raise SystemExit(f"ESCAPED:\n{snippet}\n{said}")
            ended[result.stopped or "ran to its end"] += 1
        if world.root["secret"].value() != [SECRET] or world.root["catalogue"].value() != CATALOGUE:
            raise SystemExit("ESCAPED: the world was changed")
        threads = world.run_trusted("threads.all().len()").value
        if threads != 1:
            raise SystemExit(f"ESCAPED: {threads - 1} threads were left over")
    return ended


def main() -> None:
    """Run them in a folder, or in one that goes again."""
    with tempfile.TemporaryDirectory() as temporary:
        ended = survive(sys.argv[1] if len(sys.argv) > 1 else f"{temporary}/world")
    for why, count in sorted(ended.items()):
        print(f"{count:4} {why}")
    print(f"{sum(ended.values()):4} in all, and the world is what it was")


if __name__ == "__main__":
    main()
