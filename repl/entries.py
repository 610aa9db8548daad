"""Reading stdin beside a world that goes on: the event loop that drives it must never wait for somebody who types."""

from __future__ import annotations

import asyncio
import codecs
import io
import os
from collections.abc import AsyncIterator

CHUNK = 1 << 16


async def read_some(descriptor: int) -> bytes:
    """The next bytes, when there are any; empty at the end."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(descriptor, ready.set)
    except PermissionError:  # a file on disk: it is always ready
        return os.read(descriptor, CHUNK)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
    return os.read(descriptor, CHUNK)


async def lines(descriptor: int) -> AsyncIterator[str]:
    """The lines of a file descriptor, each with its end; the last one may have none.

    Raises UnicodeDecodeError for what is no UTF-8.
    """
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("strict"), translate=True)
    parts: list[str] = []
    data = b"\n"
    while data:
        data = await read_some(descriptor)
        first, *more = decoder.decode(data, final=not data).split("\n")
        parts.append(first)
        for line in more:
            yield "".join(parts) + "\n"
            parts = [line]
    if any(parts):
        yield "".join(parts)
