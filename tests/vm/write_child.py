"""The process that the crash tests of host files kill: changes files, and tells what was acknowledged.

Arguments: folder of the world, folder of the files, and optionally a moment and a count: it kills itself when it comes
to that moment for that time.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdfast.vm import folders
from holdfast.vm.devices import open_dir
from holdfast.vm.file_outbox import Change, FileOutbox
from holdfast.vm.outbox import Outbox
from holdfast.vm.world import World

PROGRAM = """
    root.n ??= 0
    while root.n < 200 {
        root.n += 1
        caps.out.write("last", Text(root.n))
        caps.out.append("log", "{root.n}\\n")
        atomic {
            caps.out.append("both", "{root.n}\\n")
            caps.out.write("new", "{root.n}")
            caps.out.append("both", "-\\n")
            caps.out.rename("new", "old")
        }
        print(root.n)
    }
"""
"""Each turn changes files in the ways that there are; its number is printed when all of that is done."""

MOMENTS: dict[str, tuple[Any, str, bool]] = {
    "queued": (FileOutbox, "wait", False),
    "checkpoint begun": (Outbox, "begin", True),
    "handed over": (FileOutbox, "hand_over", False),
    "before it is done": (Change, "perform", False),
    "in the middle": (folders, "_write_all", False),
    "written, not renamed": (os, "rename", False),
    "done": (Change, "perform", True),
    "settled": (FileOutbox, "settle", True),
}
"""Moments, the function that is called there, and whether it is before or behind that."""


def deadly(function: Callable[..., Any], count: int, behind: bool) -> Callable[..., Any]:
    """The function, and the end of the process at its call of that number."""
    left = [count]

    def call(*args: Any, **named: Any) -> Any:
        left[0] -= 1
        if behind:
            made = function(*args, **named)
        if left[0] == 0:
            if function is real_write_all:
                os.write(args[0], args[1][: len(args[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return made if behind else function(*args, **named)

    return call


real_write_all = folders._write_all


def main(world: Path, files: Path, moment: str = "", count: str = "0") -> None:
    """Change files until killed, or to the end."""
    if moment:
        owner, name, behind = MOMENTS[moment]
        setattr(owner, name, deadly(getattr(owner, name), int(count), behind))
    with World.open(world, resume=False) as opened:
        opened.write = lambda text: os.write(1, text.encode()) and None
        opened.grant("out", open_dir(files, "rw"))
        opened.run_source(PROGRAM)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
