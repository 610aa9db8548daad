"""Law: a computation that is killed ten times ends with the right answer, and prints each line once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "examples" / "marathon"


@pytest.mark.slow
def test_killed_ten_times(tmp_path: Path) -> None:
    """The script of the README."""
    command = tmp_path / "holdfast"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m holdfast.repl.cli "$@"\n')
    command.chmod(0o755)
    env = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "TMPDIR": str(tmp_path),
    }
    done = subprocess.run(["sh", str(FOLDER / "killed.sh")], env=env, stdout=subprocess.PIPE, text=True, timeout=250)
    assert done.returncode == 0
    below = sum(all(k % d for d in range(2, int(k**0.5) + 1)) for k in range(2, 100_000))
    lines = done.stdout.splitlines()
    assert lines[0] == "killed ten times"
    assert lines[1] == f"{below:,} primes below 100,000"
    assert lines[-1] == "78,498 primes below 1,000,000"
    assert len(lines) == 11
