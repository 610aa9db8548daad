"""What Ctrl-C, SIGTERM and a closed terminal do, at every moment of a command.

While a world runs, somebody *listens*: the handler then only calls the listener, which sets flags.  At any other time
nothing needs to be finished, because a world on disk is always its last checkpoint, and the handler raises
:class:`~holdfast.repl.exits.Stop`.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from holdfast.repl.exits import Stop

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Listener = Callable[[int], None]


class Signals:
    """The signal handlers of the process."""

    def __init__(self) -> None:
        self.listener: Listener | None = None
        self._old: dict[int, Any] = {}

    def install(self) -> None:
        """Take over the signals, but for those that the parent process has switched off (``nohup``)."""
        for number in HANDLED:
            old = signal.getsignal(number)
            if old is not signal.SIG_IGN:
                self._old[number] = old
                signal.signal(number, self._handle)

    def restore(self) -> None:
        """Give the signals back."""
        for number, old in self._old.items():
            signal.signal(number, old)
        self._old.clear()

    def ignore(self) -> None:
        """The command is over: what comes now changes nothing."""
        self.listener = lambda number: None

    @contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Have signals reported to the listener, which may only set flags, instead of ending the command."""
        old, self.listener = self.listener, listener
        try:
            yield
        finally:
            self.listener = old

    def _handle(self, number: int, frame: object) -> None:
        if self.listener is None:
            raise Stop(number)
        self.listener(number)
