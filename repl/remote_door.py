"""The door of a world: the socket in its folder, before anybody has come.

The socket is a plain one at first.  A helper thread waits for somebody to knock; only then are asyncio, pycapnp and
:mod:`holdfast.repl.remote_server` imported, so that a small program on a world of its own does not pay for them.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import stat
import struct
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from holdfast.repl import exits
from holdfast.repl.exits import Failure

if TYPE_CHECKING:
    from holdfast.repl.local import LocalHost
    from holdfast.repl.remote_server import Server

SOCKET = "holdfast.sock"
"""Name of the socket in the world's folder."""
BACKLOG = 64
_CREDENTIALS = struct.Struct("iII")


def own_socket(path: str | os.PathLike[str]) -> tuple[int, str]:
    """The world's folder, opened, and a short name for its socket: a socket's name has at most 107 bytes."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    return folder, f"/proc/self/fd/{folder}/{SOCKET}"


def peer_uid(connection: socket.socket) -> int:
    """The user of the process at the other end."""
    return _peer(connection)[1]


def peer_pid(connection: socket.socket) -> int:
    """The number of the process at the other end; 0 if it cannot be seen from here."""
    return _peer(connection)[0]


def _peer(connection: socket.socket) -> tuple[int, int]:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(raw)
    return pid, uid


def bind(path: str) -> socket.socket:
    """A listening socket in the world's folder; one that a killed process left behind is taken away.

    The caller has the world's lock, so a socket that somebody still answers on belongs to a world that was moved.
    """
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder, name = own_socket(path)
    try:
        try:
            if stat.S_ISSOCK(os.stat(SOCKET, dir_fd=folder, follow_symlinks=False).st_mode):
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
                    try:
                        other.connect(name)
                    except ConnectionRefusedError:
                        os.unlink(SOCKET, dir_fd=folder)
        except FileNotFoundError:
            pass
        old = os.umask(0o177)  # nobody else may connect from the first moment on
        try:
            listening.bind(name)
        finally:
            os.umask(old)
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    finally:
        os.close(folder)
    return listening


def connect(path: str) -> socket.socket | None:
    """A connection to whoever has the world open; None when nobody answers.

    Raises Failure when that is a process of another user.
    """
    try:
        folder, name = own_socket(path)
    except OSError:
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(name)
        uid = peer_uid(connection)
    except OSError:
        connection.close()
        return None
    finally:
        os.close(folder)
    if uid != os.getuid():
        connection.close()
        raise Failure(f"the world {path} is open in a process of another user", exits.WORLD)
    return connection


class Door:
    """The socket of one open world."""

    def __init__(self, local: LocalHost) -> None:
        self.local = local
        self.knocked = False
        """Somebody waits to be let in by :meth:`receive`."""
        self.listening: socket.socket | None = None
        self._server: Server | None = None
        self._doorman: threading.Thread | None = None
        try:
            self.listening = bind(local.path)
        except OSError:
            return  # a folder that cannot hold a socket (a network file system) makes a world of one user
        self._doorman = threading.Thread(target=self._wait_for_knock, name="holdfast-door", daemon=True)
        self._doorman.start()

    def _wait_for_knock(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        listening = self.listening
        assert listening is not None
        world = self.local.world
        poll = select.poll()
        poll.register(listening.fileno(), select.POLLIN)
        events = poll.poll()
        if any(event & select.POLLIN and not event & select.POLLHUP for _, event in events):
            self.knocked = True
            world.globals["_poll"] = True
            world.scheduler.event.set()

    @property
    def server(self) -> Server:
        """Who serves those that come in."""
        if self._server is None:
            from holdfast.repl.remote_server import Server

            self._server = Server(self.local, self.listening)
        return self._server

    def receive(self, until: Callable[[], bool]) -> None:
        """Let them in, and drive the world from an event loop until ``until()`` or a signal ends the process."""
        self.server.receive(until)

    @property
    def busy(self) -> bool:
        """Is anybody attached?"""
        return self._server is not None and self._server.busy

    def linger(self) -> None:
        """Stay until nobody is attached any more, or a signal ends the process."""
        if self._server is not None:
            self._server.linger()

    def close(self) -> None:
        """Put everybody out, and take the socket away.  The world is not touched."""
        listening, self.listening = self.listening, None
        if listening is not None:
            folder, _ = own_socket(self.local.path)
            try:
                os.unlink(SOCKET, dir_fd=folder)
            except FileNotFoundError:
                pass  # somebody has taken it away
            finally:
                os.close(folder)
            listening.shutdown(socket.SHUT_RDWR)  # which wakes the doorman
            if self._doorman is not None:
                self._doorman.join()
        if self._server is not None:
            self._server.close()
        if listening is not None:
            listening.close()
