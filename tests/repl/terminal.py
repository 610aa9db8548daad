"""A terminal for tests: runs a command behind a pseudo-terminal, types at it, and waits for what it shows.

Nothing waits for a time: every wait is for a text, with a deadline that only a broken program meets.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

DEADLINE_S = 60.0
CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>()][0-9A-B]?|\x1b\][^\x07]*\x07|\x07|\r")
WHERE = b"\x1b[6n"
"""A program asks for the cursor's position; a terminal that does not answer is taken for a poor one."""

READY = b"\x1b[?2004h"
"""prompt_toolkit switches bracketed paste on when it begins to read keys."""

CTRL_C, CTRL_D, TAB, ENTER, UP = "\x03", "\x04", "\t", "\r", "\x1b[A"


def command(*arguments: str | Path) -> list[str]:
    """The command line of ``holdfast``."""
    return [sys.executable, "-m", "holdfast.repl.cli", *map(str, arguments)]


def wait_until_busy(process: subprocess.Popen[bytes]) -> None:
    """Wait until the process computes.  Nothing leaves an ``atomic``, so only the kernel can tell that it is inside."""
    deadline = monotonic() + DEADLINE_S
    start = now = None
    while start is None or now is None or now < start + 10:
        assert process.poll() is None and monotonic() < deadline
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        now = int(fields[11]) + int(fields[12])
        start = now if start is None else start


class Terminal:
    """One command at a terminal of 100 columns."""

    def __init__(self, arguments: Sequence[str], folder: Path, **environment: str) -> None:
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        self.process = subprocess.Popen(
            arguments,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=folder,
            env=os.environ | {"TERM": "xterm-256color"} | environment,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self.raw = b""
        self.seen = 0
        """How much of :attr:`raw` has been waited for."""

    # ------------------------------------------------------------------ typing

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.master, text.encode())

    def enter(self, text: str) -> None:
        """Type a line and press Enter."""
        self.type(text + ENTER)

    # ------------------------------------------------------------------ reading

    def read(self, deadline: float) -> bool:
        """Read what is there, waiting for it; False when the command has closed the terminal."""
        ready, _, _ = select.select([self.master], [], [], max(0.0, deadline - monotonic()))
        if not ready:
            raise AssertionError(f"nothing came any more; so far:\n{self.text()[-3000:]}")
        try:
            data = os.read(self.master, 65536)
        except OSError:  # how Linux says that the other side is closed
            return False
        if WHERE in data:
            os.write(self.master, b"\x1b[1;1R")
        self.raw += data
        return bool(data)

    def text(self, start: int = 0) -> str:
        """What was shown, without control sequences."""
        return CONTROL.sub("", self.raw[start:].decode("utf-8", "replace"))

    def expect(self, wanted: str, seconds: float = DEADLINE_S) -> str:
        """Wait until the text is shown, behind what was waited for before; gives everything up to its end."""
        deadline = monotonic() + seconds
        while True:
            shown = self.text(self.seen)
            place = shown.find(wanted)
            if place >= 0:
                self.advance(place + len(wanted))
                return shown[: place + len(wanted)]
            if not self.read(deadline):
                raise AssertionError(f"the command ended before {wanted!r} came; it showed:\n{self.text()[-3000:]}")

    def advance(self, characters: int) -> None:
        """Move past so many visible characters."""
        low, high = self.seen, len(self.raw)
        while low < high:  # the shortest prefix of the raw output that shows them all
            middle = (low + high) // 2
            if len(CONTROL.sub("", self.raw[self.seen : middle].decode("utf-8", "replace"))) < characters:
                low = middle + 1
            else:
                high = middle
        self.seen = low

    def expect_raw(self, wanted: bytes, seconds: float = DEADLINE_S) -> bytes:
        """Wait until the bytes have come, behind what was waited for before; gives everything up to their end."""
        deadline = monotonic() + seconds
        while True:
            place = self.raw.find(wanted, self.seen)
            if place >= 0:
                start, self.seen = self.seen, place + len(wanted)
                return self.raw[start : self.seen]
            if not self.read(deadline):
                raise AssertionError(f"the command ended before {wanted!r} came; it showed:\n{self.text()[-3000:]}")

    def prompt(self) -> str:
        """Wait until the prompt takes keys; gives what was shown before it."""
        return CONTROL.sub("", self.expect_raw(READY).decode("utf-8", "replace"))

    def answer(self, entry: str) -> str:
        """Enter a line at the prompt; gives what is shown until the next prompt, from the line's end on."""
        self.enter(entry)
        shown = self.prompt()
        return shown[shown.rfind("hold>") :].partition("\n")[2].strip("\n")

    # ------------------------------------------------------------------ ending

    def wait(self, seconds: float = DEADLINE_S) -> int:
        """Wait for the end of the command; gives its exit code."""
        deadline = monotonic() + seconds
        while self.read(deadline):
            pass
        return self.process.wait(max(1.0, deadline - monotonic()))

    def kill(self) -> None:
        """As ``kill -9``."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """End everything."""
        if self.process.poll() is None:
            self.kill()
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
