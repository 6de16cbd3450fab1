"""A line to a server that can go bad: what a partner's network does to a database connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto
from typing import Any

from tests.servers.sockets import talking

__all__ = ["BadLine", "Trouble", "bad_line"]

CHUNK = 65536
DRIP_S = 0.05


class Trouble(Enum):
    """What becomes of the next bytes."""

    NONE = auto()
    DOWN = auto()  # connections are cut, and new ones at once
    HANGS = auto()  # taken, and never answered
    DRIPS = auto()  # the answer comes a byte at a time
    GIBBERISH = auto()  # the answer is another one
    LOSES_COMMIT = auto()  # the commit arrives, its answer does not


class BadLine:
    """Passes everything on to *host* and *port*, as its *trouble* allows."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._far_port, self.port = host, port, 0
        self._trouble = Trouble.NONE
        self._open: set[asyncio.StreamWriter] = set()
        self._accepted: set[asyncio.Task[Any]] = set()

    def suffers(self, trouble: Trouble) -> None:
        self._trouble = trouble
        if trouble is Trouble.DOWN:
            for writer in self._open:
                writer.transport.abort()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        if accepting := asyncio.current_task():
            # So that the suites can tell our tasks from the connector's.
            accepting.set_name("system line")
            self._accepted.add(accepting)
        if self._trouble is Trouble.DOWN:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(self._host, self._far_port)
        self._open.add(far_writer)
        calls = {
            asyncio.create_task(self._there(reader, far_writer), name="system line there"),
            asyncio.create_task(self._back(far_reader, writer), name="system line back"),
        }
        try:
            await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Also of one who came at the very end, and is cancelled.
            for each in (writer, far_writer):
                each.transport.abort()
            await asyncio.wait(calls)

    async def close(self) -> None:
        """Cut everything, and wait until nobody holds on to it."""
        self._trouble = Trouble.NONE
        while pending := {each for each in self._accepted if not each.done()}:
            for writer in self._open:
                writer.transport.abort()
            await asyncio.wait(pending, timeout=DRIP_S)
        for writer in self._open:
            with suppress(OSError):
                await writer.wait_closed()

    async def _there(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while sent := await reader.read(CHUNK):
                if self._trouble is Trouble.LOSES_COMMIT and b"COMMIT" in sent:
                    self._trouble = Trouble.HANGS
                if self._trouble is Trouble.GIBBERISH:
                    sent = b""  # the other side shall not answer besides
                writer.write(sent)
                await writer.drain()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while True:
                if self._trouble is Trouble.GIBBERISH:
                    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20)
                    return await writer.drain()
                try:
                    async with asyncio.timeout(DRIP_S):
                        said = await reader.read(CHUNK)
                except TimeoutError:
                    continue
                if not said:
                    return None
                await self._say(said, writer)

    async def _say(self, said: bytes, writer: asyncio.StreamWriter) -> None:
        while self._trouble is Trouble.HANGS:
            await asyncio.sleep(DRIP_S)
        if self._trouble is not Trouble.DRIPS:
            writer.write(said)
            await writer.drain()
            return
        for n in range(len(said)):
            writer.write(said[n : n + 1])
            await writer.drain()
            await asyncio.sleep(DRIP_S)


@asynccontextmanager
async def bad_line(host: str, port: int) -> AsyncIterator[BadLine]:
    """A good line, until it suffers."""
    line = BadLine(host, port)
    async with talking(line.accept) as line.port:
        try:
            yield line
        finally:
            await line.close()
