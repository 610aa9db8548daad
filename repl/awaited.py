"""Waiting, in the event loop that drives a world, until something is so that only a turn of its scheduler changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Awaited:
    """What somebody waits for."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._waiting: dict[asyncio.Future[bool], Callable[[], bool]] = {}

    def turned(self) -> None:
        """To be called after each turn of the scheduler."""
        for future, test in list(self._waiting.items()):
            if future.done():
                continue
            try:
                if test():
                    future.set_result(True)
            except Exception as error:
                future.set_exception(error)

    def fail(self, error: Exception) -> None:
        """There will be no more turns."""
        for future in self._waiting:
            if not future.done():
                future.set_exception(error)

    async def until(self, test: Callable[[], bool], seconds: float | None = None) -> bool:
        """Wait until the test says True; False when the time is over first."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()

        def late() -> None:
            if not future.done():
                future.set_result(False)

        timer = loop.call_later(seconds, late) if seconds is not None else None
        self._waiting[future] = test
        self._wake()
        try:
            return await future
        finally:
            del self._waiting[future]
            if timer is not None:
                timer.cancel()
