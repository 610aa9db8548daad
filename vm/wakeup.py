"""An event that a signal handler may set, and an event loop can wait for.

``threading.Event`` can do neither: a handler that runs while the same thread is inside ``wait`` meets a lock that it
holds itself.  Here setting is one assignment and a write to a pipe, which makes :attr:`Wakeup.fd` readable.

The flag is set before the byte is written.  So a waiter that was told to wait sees one of them; what can happen is a
byte that arrives after its event was cleared, and then one wait ends early.
"""

from __future__ import annotations

import os
import select


class Wakeup:
    """Set from anywhere; waited for and cleared by one OS thread."""

    def __init__(self) -> None:
        self.flag = False
        """Is it set?  (Read where a call would cost too much.)"""
        self._closed = False
        self.fd, self._write_end = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._write_end, False)

    def set(self) -> None:
        """Wake whoever waits, now or next time."""
        self.flag = True
        if self._closed:
            return
        try:
            os.write(self._write_end, b"\0")
        except BlockingIOError:
            pass  # the pipe is full, so it is readable anyway

    def is_set(self) -> bool:
        """True from a ``set`` until the next ``clear``."""
        return self.flag

    def clear(self) -> None:
        """Forget it: the caller looks at everything that it could be told."""
        if not self.flag or self._closed:
            return
        self.flag = False
        try:
            while len(os.read(self.fd, 4096)) == 4096:
                pass
        except BlockingIOError:
            pass  # the byte is not written yet

    def notice(self) -> None:
        """Called by an event loop that has found ``fd`` readable."""
        self.flag = True

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, or the time in seconds is over; says whether it is set."""
        if not self.flag:
            poll = select.poll()
            poll.register(self.fd, select.POLLIN)
            if poll.poll(None if timeout is None else max(0.0, timeout) * 1000):
                self.flag = True
        return self.flag

    def close(self) -> None:
        """Give the pipe back; setting it does nothing any more."""
        if not self._closed:
            self._closed = True
            os.close(self.fd)
            os.close(self._write_end)

    def __del__(self) -> None:
        self.close()
