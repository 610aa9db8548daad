"""Runs programs in a process of its own, with little memory: ``python -m tests.security.bombs SHAPE < programs.json``.

Reads a JSON object of names and programs.  Prints one JSON line for each: name, seconds of the processor, and the
lines of output, the last of which is ``end`` or the error.  All run in one world.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from time import process_time

MEMORY = 4 << 30
"""Address space; the machine's own share, with the store and its threads, is about a third of it."""


def main(shape: str) -> None:
    """Run the programs from standard input."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    from holdfast.lang.diagnostics import CompileError
    from holdfast.vm.objects import Thrown
    from holdfast.vm.world import World

    with tempfile.TemporaryDirectory() as folder, World.open(f"{folder}/w", durability="process", shape=shape) as world:
        written: list[str] = []
        world.write = lambda text: written.append(text[:2000])
        for number, (name, program) in enumerate(json.load(sys.stdin).items()):
            start = process_time()
            last = "end"
            try:
                world.run_source(program, f"bomb{number}.hold")
            except CompileError as error:
                last = f"{error.diagnostics[0].code} {error.diagnostics[0].message}"
            except Thrown as thrown:
                last = f"{thrown.error._name} {thrown.error.f_message}"
            world.checkpoint()
            output = "".join(written)[:2000]
            written.clear()
            print(json.dumps([name, round(process_time() - start, 1), output + last]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
