"""The connection to the process that has a world open, as a terminal uses it.

pycapnp has one event loop for each OS thread, and the terminal's own must never wait for an answer of the other side:
so the connection lives in a helper thread.  :meth:`Line.call` waits for an answer, :meth:`Line.later` does not.  What
the programs print is handed to ``deliver`` in the helper thread, with a function to call when it is written; until
then the other side sends no more.

The other process is only talked to if the kernel says that it belongs to this user.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

from holdfast.repl import exits, remote_wire
from holdfast.repl.console import Console, say
from holdfast.repl.exits import Failure
from holdfast.repl.remote_wire import check_fault

LOST = "the process that had the world open has gone; the world is as of its last checkpoint: try again"

Deliver = Callable[[Callable[[Console], None], Callable[[], None]], None]


class Line:
    """An open connection; ``close`` it.

    Raises Failure from all calls when the other side refuses, or has gone.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.deliver: Deliver = lambda write, written: written()
        """Called in the helper thread with what writes something to a console, in the terminal's own thread;
        ``written`` may be called in any."""
        self.on_end: Callable[[], None] = lambda: None
        """Called in the helper thread when the connection has ended."""
        self.ended = False
        self.lost = LOST
        """What a call comes to that has no answer when the connection ends."""
        self._world: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.Event | None = None
        self._ready: Future[None] = Future()
        self._thread = threading.Thread(
            target=asyncio.run, args=(self._run(connection),), name="holdfast-line", daemon=True
        )
        self._thread.start()
        self._ready.result()

    # ------------------------------------------------------------------ for the terminal's thread

    def call(self, method: str, **params: Any) -> Any:
        """Call and wait for the answer."""
        return self.later(method, **params).result()

    def later(self, method: str, **params: Any) -> Future[Any]:
        """Call; the answer comes with the future."""
        return self._submit(self._call(method, params))

    def _submit(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        assert self._loop is not None
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:  # the loop is closed
            work.close()
            raise Failure(self.lost, exits.WORLD) from None

    def close(self) -> None:
        """Hang up."""
        loop, closing = self._loop, self._closing
        if loop is not None and closing is not None:
            try:
                loop.call_soon_threadsafe(closing.set)
            except RuntimeError:
                pass  # it has ended
        self._thread.join()

    # ------------------------------------------------------------------ in the helper thread

    async def _call(self, method: str, params: dict[str, Any]) -> Any:
        import capnp

        try:
            return check_fault(await getattr(self._world, method)(**params))
        except (capnp.KjException, asyncio.CancelledError):
            raise Failure(self.lost, exits.WORLD) from None

    async def _run(self, connection: socket.socket) -> None:
        import capnp

        self._loop, self._closing = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with capnp.kj_loop():
                await self._talk(capnp, connection, self._closing)
        except Exception as error:
            if not self._ready.done():
                self._ready.set_exception(error)
        finally:
            self.ended = True
            self.on_end()

    async def _talk(self, capnp: Any, connection: socket.socket, closing: asyncio.Event) -> None:
        schema = remote_wire.schema()
        connection.setblocking(False)
        stream = await capnp.AsyncIoStream.create_unix_connection(sock=connection)
        client = capnp.TwoPartyClient(stream, traversal_limit_in_words=remote_wire.MESSAGE_WORDS_MAX)
        self._world = client.bootstrap().cast_as(schema.World)
        taken = {"write": self._write, "failed": self._failed, "note": self._note, "ending": self._ending}
        methods = {f"{name}_context": method for name, method in taken.items()}
        terminal = type("Terminal", (schema.Terminal.Server,), methods)
        await self._call("hello", {"version": remote_wire.VERSION, "terminal": terminal()})
        self._ready.set_result(None)
        over = {asyncio.ensure_future(client.on_disconnect()), asyncio.create_task(closing.wait())}
        await asyncio.wait(over, return_when=asyncio.FIRST_COMPLETED)
        for future in over:
            future.cancel()
        stream.close()
        await asyncio.sleep(0)  # calls under way learn of it

    async def _write(self, context: Any) -> None:
        text = bytes(context.params.text).decode(errors="replace")
        await self._delivered(lambda console: console.write(text))

    async def _failed(self, context: Any) -> None:
        name, problem = str(context.params.thread), remote_wire.unpack_problem(context.params.errors)
        if problem is not None:
            found = problem
            await self._delivered(lambda console: console.failed(name, found))

    async def _note(self, context: Any) -> None:
        text = str(context.params.text)
        await self._delivered(lambda console: say(text))

    async def _ending(self, context: Any) -> None:
        self.lost = str(context.params.why)

    async def _delivered(self, write: Callable[[Console], None]) -> None:
        loop = asyncio.get_running_loop()
        written = asyncio.Event()

        def done() -> None:
            try:
                loop.call_soon_threadsafe(written.set)
            except RuntimeError:
                pass  # the connection has ended

        self.deliver(write, done)
        await written.wait()
