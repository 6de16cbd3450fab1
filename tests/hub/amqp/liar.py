"""A server that speaks AMQP as far as its script goes, and then whatever the script says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pamqp.frame
from pamqp import commands
from pamqp.base import Frame

from tests.servers.sockets import talking

__all__ = ["Peer", "Script", "a_broker", "lying"]


@dataclass(frozen=True, slots=True)
class Peer:
    """One client's connection, from the server's side."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def heard(self) -> Any:
        """The next frame, not counting heartbeats."""
        return (await self.heard_on())[1]

    async def heard_on(self) -> tuple[int, Any]:
        """The next frame, with its channel."""
        while True:
            head = await self.reader.readexactly(7)
            rest = await self.reader.readexactly(int.from_bytes(head[3:]) + 1)
            if head[0] != 8:
                _, channel, frame = pamqp.frame.unmarshal(head + rest)
                return channel, frame

    async def said(self, what: Frame | bytes, channel: int = 0) -> None:
        data = what if isinstance(what, bytes) else pamqp.frame.marshal(what, channel)
        self.writer.write(data)
        await self.writer.drain()

    async def greeted(
        self, *, heartbeat: int = 0, channel_max: int = 0, frame_max: int = 131_072
    ) -> None:
        """Open the connection as a broker does."""
        await self.reader.readexactly(8)
        await self.said(commands.Connection.Start(server_properties={"product": "liar"}))
        await self.heard()
        await self.said(commands.Connection.Tune(channel_max, frame_max, heartbeat))
        await self.heard()
        await self.heard()
        await self.said(commands.Connection.OpenOk())

    async def opened(self, channel: int = 1) -> None:
        """Open a channel as a broker does."""
        await self.heard()
        await self.said(commands.Channel.OpenOk(), channel)
        await self.heard()
        await self.said(commands.Confirm.SelectOk(), channel)

    async def silent(self) -> None:
        """Read, and say nothing, until the client leaves."""
        while await self.reader.read(65_536):
            pass


Script = Callable[[Peer], Awaitable[None]]


async def a_broker(peer: Peer) -> None:
    """One honest channel, and one question answered: three messages, four consumers."""
    await peer.greeted(channel_max=1)
    await peer.opened()
    assert isinstance(await peer.heard(), commands.Queue.Declare)
    await peer.said(commands.Queue.DeclareOk("q", 3, 4), 1)
    await peer.silent()


@asynccontextmanager
async def lying(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve every client by *script*, then hang up; gives the address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await script(Peer(reader, writer))
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        finally:
            writer.transport.abort()

    async with talking(serve, tls=tls) as port:
        yield f"{'amqps' if tls else 'amqp'}://u:p@127.0.0.1:{port}/v"
