"""What importing the packages costs: a command starts in a moment because nothing is loaded before it is needed."""

from __future__ import annotations

import json
import subprocess
import sys

PACKAGES = ("holdfast.lang", "holdfast.vm", "holdfast.stdlib", "holdfast.repl")
LATER = {"asyncio", "capnp", "click", "greenlet", "lark", "ormsgpack", "prompt_toolkit", "rich", "rocksdict"}
SECONDS_MAX = 0.05
PROGRAM = """
import json, sys, time
start = time.process_time()
for name in sys.argv[1:]:
    __import__(name)
spent = time.process_time() - start
print(json.dumps([spent, sorted(sys.modules)]))
"""


def import_in_new_process() -> tuple[float, set[str]]:
    """Import the packages in a fresh interpreter; returns the seconds spent and the modules loaded."""
    command = [sys.executable, "-I", "-c", PROGRAM, *PACKAGES]
    seconds, modules = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return seconds, set(modules)


def test_packages_load_no_library() -> None:
    """Importing a package loads no library: the module that uses one does."""
    _, modules = import_in_new_process()
    assert set(PACKAGES) <= modules
    assert not modules & LATER


def test_packages_import_quickly() -> None:
    """Importing all packages takes next to no time (the best of three: the machine may be busy)."""
    assert min(import_in_new_process()[0] for _ in range(3)) < SECONDS_MAX
