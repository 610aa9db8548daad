"""Other terminals use the world that this process has open, through the socket in its folder.

Where nothing else drives the world from an event loop, :meth:`Server.receive` does.  A REPL has its loop already, and
calls :meth:`Server.start`, :meth:`Server.turned` and :meth:`Server.stop`.

Who may come in: a process of the same user, by what the kernel says about the other end; the socket has mode 0600.
What such a process can do wrong: a malformed or too large message ends its connection; calls beyond
:data:`CALLS_MAX` under way, and connections beyond :data:`CONNECTIONS_MAX`, are refused by closing; who does not say
hello within :data:`HELLO_S` is put out; a reader that is slow makes the threads wait that print for it.

When this process has nothing more to do itself, it stays until those who are attached have left (:meth:`linger`);
Ctrl-C or SIGTERM ends it for all of them, after a last checkpoint.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from holdfast.repl.console import say
from holdfast.repl.remote_door import peer_uid
from holdfast.repl.remote_wire import MESSAGE_WORDS_MAX, schema

if TYPE_CHECKING:
    from holdfast.repl.local import LocalHost
    from holdfast.repl.remote_guest import Guest

CONNECTIONS_MAX = 200
CALLS_MAX = 64
"""Calls of one connection that are under way; more of them end it."""
HELLO_S = 30.0
ENDING_S = 5.0
"""How long those that are put out have to take notice of why: a busy machine lets them wait."""


class Server:
    """Who is attached to one open world; ``close`` it before the world."""

    def __init__(self, local: LocalHost, listening: socket.socket | None) -> None:
        self.local = local
        self.world = local.world
        self.driver = local.driver
        self.guests: dict[Guest, None] = {}
        self.ending = ""
        """Why everybody is being put out."""
        self.collecting = False
        """Garbage is being collected for one of them."""
        self._listening = listening
        self._runner: asyncio.Runner | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._kj: Any = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._lingering = False
        self._left = asyncio.Event()

    def close(self) -> None:
        """Put everybody out."""
        if self._runner is not None:
            self._runner.run(self.stop())
            self._runner.close()
            self._runner = None

    # ------------------------------------------------------------------ driving a world for them

    def receive(self, until: Callable[[], bool]) -> None:
        """Let them in, and drive the world from an event loop until ``until()`` or a signal ends the process."""
        if self._runner is None:
            self._runner = asyncio.Runner()
        self._runner.run(self._drive(until))

    async def _drive(self, until: Callable[[], bool]) -> None:
        from holdfast.vm.ticker import Ticker

        scheduler, loop = self.world.scheduler, asyncio.get_running_loop()
        scheduler.wants_slice, wanted = lambda: True, scheduler.wants_slice  # the socket is served after each slice
        woken = asyncio.Event()

        def notice() -> None:
            scheduler.event.notice()
            woken.set()

        loop.add_reader(scheduler.event.fd, notice)
        self.start()
        try:
            while not until() and not self.driver.ended_by:
                self.driver.attend()
                with Ticker(self.world.globals):
                    delay = scheduler.turn(1)
                self.turned()
                woken.clear()
                if delay == 0 or until() or scheduler.event.is_set():
                    await asyncio.sleep(0)
                    continue
                try:
                    await asyncio.wait_for(woken.wait(), self.driver.bounded(delay))
                except TimeoutError:
                    continue  # it is time for a timer or a checkpoint
        finally:
            scheduler.wants_slice = wanted
            loop.remove_reader(scheduler.event.fd)

    def start(self) -> None:
        """From here on the running event loop lets them in."""
        loop = asyncio.get_running_loop()
        if self._listening is not None and self._loop is not loop:
            self._loop = loop
            loop.add_reader(self._listening.fileno(), self._accept)

    def turned(self) -> None:
        """To be called after each turn of the scheduler: see what has ended."""
        for guest in self.guests:
            guest.turned()
        if self._lingering and self.driver.take_interrupt():
            self.driver.ended_by = signal.SIGINT

    async def stop(self) -> None:
        """Put everybody out; to be called in the loop that let them in, before it ends."""
        if self.driver.ended_by:
            self.ending = f"the process that had the world open was ended by signal {self.driver.ended_by}"
        if self._loop is not None and self._listening is not None:
            self._loop.remove_reader(self._listening.fileno())
        self._loop = None
        why = self.ending or "the process that had the world open has ended"
        told = [asyncio.ensure_future(guest.put_out(why)) for guest in self.guests]
        if told:
            _, late = await asyncio.wait(told, timeout=ENDING_S)
            for one in late:
                one.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._kj is not None:
            kj, self._kj = self._kj, None
            await kj.__aexit__(None, None, None)

    # ------------------------------------------------------------------ leaving last

    @property
    def busy(self) -> bool:
        """Is anybody attached?"""
        return self._users > 0

    @property
    def _users(self) -> int:
        return sum(guest.greeted and not guest.looks for guest in self.guests)

    def linger(self) -> None:
        """Stay until nobody is attached any more, or a signal ends the process."""
        if self._runner is not None and self.busy and not self.driver.ended_by:
            self._announce()
            self.receive(lambda: not self.busy)

    async def lingering(self) -> None:
        """The same beside a loop that drives the world."""
        if self.busy and not self.driver.ended_by:
            self._announce()
            while self.busy:
                self._left.clear()
                await self._left.wait()

    def _announce(self) -> None:
        self._lingering = True
        count = self._users
        others = "another terminal uses" if count == 1 else f"{count} other terminals use"
        say(f"note: {others} this world: it stays open until they are done (Ctrl-C ends them)")

    # ------------------------------------------------------------------ connections

    def _accept(self) -> None:
        listening = self._listening
        if listening is None:
            return
        try:
            connection, _ = listening.accept()
        except OSError:
            return  # it has gone away again
        connection.setblocking(False)
        if len(self._tasks) >= CONNECTIONS_MAX or peer_uid(connection) != os.getuid():
            connection.close()
            return
        task = asyncio.get_running_loop().create_task(self._serve(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: socket.socket) -> None:
        import capnp

        from holdfast.repl.remote_guest import Guest, bootstrap

        if self._kj is None:
            self._kj = capnp.kj_loop()
            await self._kj.__aenter__()
        stream = await capnp.AsyncIoStream.create_unix_connection(sock=connection)
        guest = Guest(self, stream.close)
        self.guests[guest] = None
        limit = asyncio.get_running_loop().call_later(HELLO_S, guest.expect_hello)
        two_party = capnp.TwoPartyServer(
            stream, bootstrap=bootstrap(schema(), guest), traversal_limit_in_words=MESSAGE_WORDS_MAX
        )
        try:
            await two_party.on_disconnect()
        except capnp.KjException:
            pass  # it is gone, one way or another
        finally:
            limit.cancel()
            del self.guests[guest]
            guest.gone()
            self._left.set()
            stream.close()
