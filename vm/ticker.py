"""The timer that ends time slices."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # it has no types
import signal
import threading
from typing import Any

SLICE_S = 0.01
"""Length of a time slice."""
SIGALRM, ITIMER_REAL = int(signal.SIGALRM), int(signal.ITIMER_REAL)
"""As the host's own module has them.  The module ``signal`` wraps its functions, and makes members of enumerations of
what they take and give: 3 µs a call, four times for each call of a world from Python."""


class Ticker:
    """Sets ``_poll`` every ``SLICE_S``: by SIGALRM in the main OS thread, else by a helper thread."""

    def __init__(self, globals_: dict[str, Any]) -> None:
        self.globals = globals_
        self.old: Any = None
        self.stop: threading.Event | None = None

    def __enter__(self) -> Ticker:
        if threading.current_thread() is threading.main_thread():
            self.old = _signal.signal(SIGALRM, self.tick)
            _signal.setitimer(ITIMER_REAL, SLICE_S, SLICE_S)
        else:
            self.stop = threading.Event()
            threading.Thread(target=self.beat, args=(self.stop,), daemon=True).start()
        return self

    def tick(self, number: int, frame: object) -> None:
        """The signal handler: one assignment."""
        self.globals["_poll"] = True

    def beat(self, stop: threading.Event) -> None:
        """The helper thread."""
        while not stop.wait(SLICE_S):
            self.globals["_poll"] = True

    def __exit__(self, *_: object) -> None:
        if self.stop is not None:
            self.stop.set()
        else:
            _signal.setitimer(ITIMER_REAL, 0)
            _signal.signal(SIGALRM, self.old)
