"""Runs ``holdfast`` as a process, without a terminal."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from tests.repl.terminal import DEADLINE_S, command


class Result:
    """How a command ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    def __repr__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def holdfast(folder: Path, *arguments: str | Path, stdin: str | bytes = "", **options: Any) -> Result:
    """Run a command in a folder to its end.  None of them ever shows a traceback."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    environment = os.environ | options.pop("env", {})
    done = subprocess.run(
        command(*arguments),
        cwd=folder,
        input=data,
        capture_output=True,
        timeout=DEADLINE_S,
        env=environment,
        **options,
    )
    made = Result(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
    assert "Traceback" not in made.err, made
    return made


class Running:
    """A command that runs."""

    def __init__(self, folder: Path, *arguments: str | Path, **options: Any) -> None:
        self.process = subprocess.Popen(
            command(*arguments),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,
        )

    def line(self) -> str:
        """The next line that it writes."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.end()
        return line.decode().rstrip("\n")

    def send(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def end(self) -> Result:
        """Wait for its end."""
        out, err = self.process.communicate(timeout=DEADLINE_S)
        made = Result(self.process.returncode, out.decode(), err.decode())
        assert "Traceback" not in made.err, made
        return made

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.communicate()
