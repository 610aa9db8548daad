"""Runs one program in a process of its own, with little memory: ``python -m tests.security.bombs SHAPE < program``.

Prints what the program prints, then ``end`` or the error, then the answer of a second program in the same world.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from time import perf_counter

MEMORY = 3 << 30
"""Address space; the machine's own share, with the store and its threads, is about a third of it."""


def main(shape: str) -> None:
    """Run the program from standard input."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    from holdfast.lang.diagnostics import CompileError
    from holdfast.vm.objects import Thrown
    from holdfast.vm.world import World

    with tempfile.TemporaryDirectory() as folder, World.open(f"{folder}/w", durability="process", shape=shape) as world:
        world.write = lambda text: sys.stdout.write(text[:2000])
        world.run_source("print(1)", "warm.hold")
        start = perf_counter()
        try:
            world.run_source(sys.stdin.read(), "bomb.hold")
            print("end")
        except CompileError as error:
            print(error.diagnostics[0].code, error.diagnostics[0].message)
        except Thrown as thrown:
            print(thrown.error._name, thrown.error.f_message)
        print(f"{perf_counter() - start:.1f}", file=sys.stderr)
        world.checkpoint()
        world.run_source('root.after = [1, 2].map(fn(x) => x + 1)\nprint("alive {root.after}")', "after.hold")
        world.checkpoint()


if __name__ == "__main__":
    main(sys.argv[1])
