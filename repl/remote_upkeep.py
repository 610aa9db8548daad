"""The care of a world that this process has open, for a terminal that is attached to it: check, collection, statistics,
export and backup while the world's programs go on.

What takes long is a generator of :mod:`holdfast.vm.maintenance`, whose slices are run by a task of the event loop that
drives the world, so between two time slices of guests.  The work begins where no checkpoint is open.  It speaks of a
snapshot that was made durable before anything of it is told.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from holdfast.repl import exits, remote_wire
from holdfast.repl.care import findings
from holdfast.repl.exits import Failure
from holdfast.vm import maintenance

if TYPE_CHECKING:
    from holdfast.repl.remote_guest import Guest
    from holdfast.vm.maintenance import Report

T = TypeVar("T")


class Watched:
    """Progress for a terminal: a message is only sent when the one before it has arrived."""

    def __init__(self, watcher: Any) -> None:
        self.watcher = watcher
        self._sending: asyncio.Future[Any] | None = None

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Tell how far a phase is."""
        if self._sending is None:
            self._sending = asyncio.ensure_future(self._send(phase, done, total))

    async def _send(self, phase: str, done: int, total: int) -> None:
        try:
            await self.watcher.progress(phase, done, total)
        except Exception:
            return  # nobody watches any more; the end of the connection ends the work
        self._sending = None

    async def end(self) -> None:
        """No message may be on its way when the answer is given."""
        if self._sending is not None:
            await asyncio.gather(self._sending, return_exceptions=True)


class Upkeep:
    """The care that one terminal asks for."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.server = guest.server
        self.world = guest.world

    # ------------------------------------------------------------------ slices

    async def slices(self, steps: Generator[T, None, None]) -> AsyncGenerator[T, None]:
        """Run a generator's slices between time slices of the world's threads; it begins where no checkpoint is open.

        Raises Failure when the store was opened again meanwhile, which takes its snapshot away.
        """
        jobs = self.world.outbox.jobs
        while self.world.heap.open is not None:
            await asyncio.sleep(0)
        jobs.append(steps)
        try:
            for found in steps:
                yield found
                await asyncio.sleep(0)
            if steps not in jobs:
                raise Failure("the world's files had to be opened again meanwhile: try again", exits.WORLD)
        finally:
            if steps in jobs:
                jobs.remove(steps)
            steps.close()

    async def report(self, begin: Callable[[Watched], Generator[Report, None, None]], watcher: Any) -> Report:
        """The complete report."""
        await self.guest.durable()
        watched = Watched(watcher)
        report: Report | None = None
        async with aclosing(self.slices(begin(watched))) as found:
            async for one in found:
                report = one
        await watched.end()
        assert report is not None
        return report

    def packed(self, report: Report, running: dict[str, Any] | None = None) -> dict[str, Any]:
        """A report as a message."""
        return {"report": json.dumps(findings(self.world.store, report)._replace(running=running))}

    # ------------------------------------------------------------------ what is done

    async def check(self, params: Any) -> dict[str, Any]:
        """Verify the world."""
        report = await self.report(lambda watched: maintenance.check(self.world.store, watched), params.watcher)
        await self.guest.durable()
        return self.packed(report)

    async def measure(self, params: Any) -> dict[str, Any]:
        """Count and measure."""
        report = await self.report(lambda watched: maintenance.statistics(self.world.store, watched), params.watcher)
        await self.guest.durable()
        return self.packed(report, self.world.statistics())

    async def collect(self, params: Any) -> dict[str, Any]:
        """Delete garbage, and give its space back."""
        if self.server.collecting:
            raise Failure("garbage is being collected already: wait until that is done", exits.FAILED)
        self.server.collecting = True
        try:
            report = await self.report(lambda watched: maintenance.collect(self.world.heap, watched), params.watcher)
            await asyncio.to_thread(self.world.store.flush)
            await asyncio.to_thread(self.world.store.compact)
        finally:
            self.server.collecting = False
        return self.packed(report)

    async def export(self, params: Any) -> dict[str, Any]:
        """Send the world as text."""
        from holdfast.vm.transfer import export_lines

        await self.guest.durable()
        watched = Watched(params.watcher)
        count, size, lines = 0, 0, list[str]()

        async def send() -> None:
            nonlocal size
            data = "".join(lines).encode()
            lines.clear()
            size = 0
            try:
                for start in range(0, len(data), remote_wire.CHUNK):
                    await params.target.write(data[start : start + remote_wire.CHUNK])
            except Exception:
                raise Failure("the text could not be written where it was wanted", exits.FAILED) from None

        async with aclosing(self.slices(export_lines(self.world.store))) as found:
            async for line in found:
                if not count:
                    await self.guest.durable()  # the snapshot is taken; what it shows is on disk from here on
                lines.append(line)
                count, size = count + 1, size + len(line)
                if size >= remote_wire.CHUNK:
                    await send()
                    watched("writing lines", count, 0)
        await send()
        await watched.end()
        return {"lines": count}

    async def backup(self, params: Any) -> dict[str, Any]:
        """Copy the world; a helper thread does it, as RocksDB needs nobody's help for that."""
        await self.guest.durable()
        return {"checkpoint": await asyncio.to_thread(maintenance.backup, self.world.store, str(params.target))}
