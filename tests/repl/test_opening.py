"""Law: however many processes begin at the same moment on one world, one opens it and the others attach."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.repl.test_attach import ended, start

PROGRAM = 'root["k{args[0]}"] = 1\nprint(args[0])'
PROCESSES = 10


def begin_together(folder: Path, name: str) -> list[subprocess.Popen[str]]:
    """Ten programs on one world."""
    return [start(folder, "run", "--world", name, "p.hold", str(number)) for number in range(PROCESSES)]


def rounds(folder: Path, count: int) -> None:
    """In each round ten processes make a world together, and ten more open it again."""
    (folder / "p.hold").write_text(PROGRAM)
    (folder / "sum.hold").write_text("print(len(root))")
    for number in range(count):
        name = f"w{number}"
        for _ in range(2):
            for index, process in enumerate(begin_together(folder, name)):
                code, out, err = ended(process)
                notes = [line for line in err.splitlines() if not line.startswith("note: ")]
                assert (code, out, notes) == (0, f"{index}\n", [])
        assert ended(start(folder, "run", "--world", name, "sum.hold")) == (0, f"{PROCESSES}\n", "")


def test_ten_begin_together(tmp_path: Path) -> None:
    """All succeed, on a world that is not there yet and on one that is."""
    rounds(tmp_path, 2)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_begin_together_many_times(tmp_path: Path) -> None:
    """The same, often enough to meet what is rare."""
    rounds(tmp_path, 20)
