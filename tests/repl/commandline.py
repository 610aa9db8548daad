"""Runs ``holdfast`` as a process, without a terminal."""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from functools import cache
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
    if options:
        done = subprocess.run(
            command(*arguments),
            cwd=folder,
            input=data,
            capture_output=True,
            timeout=DEADLINE_S,
            env=environment,
            **options,
        )
        code, out, err = done.returncode, done.stdout, done.stderr
    else:
        code, out, err = forked(folder, [*map(str, arguments)], data, environment)
    made = Result(code, out.decode(errors="replace"), err.decode(errors="replace"))
    assert "Traceback" not in made.err, made
    return made


@cache
def forks() -> str:
    """The socket of the process that is forked for commands; it ends with this one."""
    folder = tempfile.mkdtemp(prefix="holdfast-forks-")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.repl.forks", f"{folder}/socket"],
        cwd=Path(__file__).parent.parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    if process.stdout.readline() != b"ready\n":
        raise AssertionError(process.communicate())

    def end() -> None:
        process.communicate()
        os.unlink(f"{folder}/socket")
        os.rmdir(folder)

    atexit.register(end)
    return f"{folder}/socket"


def forked(folder: Path, arguments: list[str], data: bytes, environment: dict[str, str]) -> tuple[int, bytes, bytes]:
    """Exit code, output and errors of a command that a process has run which had been begun."""
    request = {"folder": str(folder), "arguments": arguments, "environment": environment}
    pipes = [os.pipe() for _ in range(3)]
    (in_read, in_write), (out_read, out_write), (err_read, err_write) = pipes
    found: dict[int, bytes] = {}

    def give() -> None:
        try:
            with open(in_write, "wb") as stream:
                stream.write(data)
        except BrokenPipeError:
            pass  # it has not read it all

    def take(end: int) -> None:
        with open(end, "rb") as stream:
            found[end] = stream.read()

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(forks())
        socket.send_fds(connection, [b" "], [in_read, out_write, err_write])
        for number in (in_read, out_write, err_write):
            os.close(number)
        connection.sendall(json.dumps(request).encode() + b"\n")
        helpers = [threading.Thread(target=give, daemon=True)]
        helpers += [threading.Thread(target=take, args=(end,), daemon=True) for end in (out_read, err_read)]
        for helper in helpers:
            helper.start()
        connection.settimeout(DEADLINE_S)
        with connection.makefile("r") as answers:
            child = int(answers.readline())
            try:
                code = int(answers.readline())
            except TimeoutError:
                os.kill(child, signal.SIGKILL)
                raise AssertionError(f"{arguments} has not ended") from None
    for helper in helpers:
        helper.join(DEADLINE_S)
    return code, found[out_read], found[err_read]


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

    def stop(self) -> None:
        """Have it stand still; all its threads do when this returns."""
        self.send(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

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
