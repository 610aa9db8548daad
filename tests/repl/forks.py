"""Commands without the time that Python takes to begin: ``python -m tests.repl.forks SOCKET``.

Most of a small command's time goes into importing Holdfast.  This process has done that, and is forked for each command
line that comes through its socket; the fork is then like a process of its own: folder, environment, streams, signals
and exit code are the command's.  It ends when its standard input does.

Its own streams are pipes, as those of commands are, and Python's objects for them are not used before a fork.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
from typing import Any

SIZE_MAX = 1 << 20


def preload() -> None:
    """Import what commands import; nothing is begun, so a fork is as good as new."""
    import holdfast.repl.commands
    import holdfast.repl.remote_host
    import holdfast.repl.thread_acts
    import holdfast.stdlib
    import holdfast.vm.importing
    import holdfast.vm.maintenance
    import holdfast.vm.transfer
    import holdfast.vm.world  # noqa: F401
    from holdfast.repl import remote_wire

    remote_wire.schema()


def command(request: dict[str, Any], streams: list[int]) -> int:
    """Be one command."""
    from holdfast.repl import cli

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.argv[1:] = request["arguments"]
    return cli.main()


def serve(listening: socket.socket) -> None:
    """Fork for each command; returns in the fork that is to be one, by SystemExit."""
    while True:
        ready, _, _ = select.select([listening, 0], [], [])
        if 0 in ready:
            return
        connection, _ = listening.accept()
        if os.fork():
            connection.close()
            continue
        listening.close()  # the keeper of one command
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        raw, streams, _, _ = socket.recv_fds(connection, SIZE_MAX, 3)
        while not raw.endswith(b"\n"):
            raw += connection.recv(SIZE_MAX)
        child = os.fork()
        if child == 0:
            connection.close()
            sys.exit(command(json.loads(raw), streams))
        for stream in (0, 1, 2, *streams):
            os.close(stream)
        connection.sendall(b"%d\n" % child)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        connection.sendall(b"%d\n" % status)
        os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the keepers
    preload()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
        made.bind(sys.argv[1])
        made.listen(64)
        os.write(1, b"ready\n")
        serve(made)
