"""Writing to a terminal or pipe without waiting for its reader.

Whoever drives a world must never wait for one terminal: others may use the same world.  So a text is written as far as
that is possible at once; what is left goes into a buffer, which a helper thread empties by writes that do wait.  While
the buffer is large, threads that print have to wait (see :class:`holdfast.repl.console.Console`).

The mode of a file descriptor is shared with other processes, a shell for one, so it is left as it is: the same pipe or
terminal is opened once more, for this process alone.
"""

from __future__ import annotations

import os
import signal
import stat
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic

from holdfast.vm.wakeup import Wakeup

CHUNK = 1 << 16
"""Bytes of one write that may wait."""


def open_again(descriptor: int) -> int | None:
    """The same pipe or terminal, in non-blocking mode; None for what cannot be opened so (or never has to be)."""
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISFIFO(mode) and not stat.S_ISCHR(mode):
        return None  # a file has always room, and its position must be shared
    try:
        return os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None


class Flow:
    """Bytes on their way to one file descriptor."""

    def __init__(self, descriptor: int, again: int, fail: Callable[[OSError], None], wake: Callable[[], None]) -> None:
        self.descriptor = descriptor
        self.again = again
        self.fail = fail
        """Told, in either thread, when the reader has gone."""
        self.wake = wake
        """Called in the helper thread when there is more room, or nothing can be written any more."""
        self.size = 0
        """Bytes in the buffer."""
        self.event = Wakeup()
        """Set with every ``wake``, and by signals."""
        self._buffer: deque[bytes] = deque()
        self._lock = threading.Lock()
        self._helper: threading.Thread | None = None

    def write(self, data: bytes) -> None:
        """Write now, or as soon as there is room."""
        with self._lock:
            if self._helper is None:
                try:
                    data = data[os.write(self.again, data) :]
                except BlockingIOError:
                    pass
                except OSError as error:
                    self.fail(error)
                    return
            if not data:
                return
            self._buffer.append(data)
            self.size += len(data)
            if self._helper is None:
                self._helper = threading.Thread(target=self._empty, name="holdfast-flow", daemon=True)
                self._helper.start()

    def _empty(self) -> None:
        """The helper thread: ends when the buffer is empty."""
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            with self._lock:
                if not self._buffer:
                    self._helper = None
                    break
                data = self._buffer[0]
            try:
                written = os.write(self.descriptor, data[:CHUNK])
            except OSError as error:
                self.fail(error)
                written = 0
            with self._lock:
                if not written:
                    self._buffer.clear()
                    self.size = 0
                else:
                    self._buffer[0] = data[written:]
                    self.size -= written
                    if not self._buffer[0]:
                        self._buffer.popleft()
            self._tell()
        self._tell()

    def _tell(self) -> None:
        self.event.set()
        self.wake()

    def finish(self, hurried: Callable[[], bool], grace: float) -> bool:
        """Wait until everything is written; when it is to be ``hurried``, for so many seconds more at most.

        False when something was left.
        """
        deadline: float | None = None
        while True:
            self.event.clear()
            if not self.size:
                return True
            if deadline is None and hurried():
                deadline = monotonic() + grace
            left = None if deadline is None else deadline - monotonic()
            if left is not None and left <= 0:
                return False
            self.event.wait(left)

    def close(self) -> None:
        """Let go; what is not written is dropped."""
        os.close(self.again)
