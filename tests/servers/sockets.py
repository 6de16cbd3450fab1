"""Servers of raw sockets for tests that play a partner, a broker or a line themselves."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

__all__ = ["Talk", "talking"]

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
# A connection that came at the very end is made in a few turns of the loop.
TURNS = 5


@asynccontextmanager
async def talking(
    talk: Talk, *, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Talk to every client that comes; gives the port, a free one where none is named. In the end all
    talks are cancelled and every socket is closed, also that of a talk which had not begun."""
    lines: set[asyncio.StreamWriter] = set()
    talks: set[asyncio.Task[None]] = set()

    async def talked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await talk(reader, writer)

    def came(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.add(writer)
        task = asyncio.create_task(talked(reader, writer), name="system talk")
        talks.add(task)
        task.add_done_callback(talks.discard)

    server = await asyncio.start_server(came, "127.0.0.1", port, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for _ in range(TURNS):
            await asyncio.sleep(0)
        for task in (left := set(talks)):
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for line in lines:
            line.transport.abort()
        await asyncio.sleep(0)  # aborted transports close in the next turn
