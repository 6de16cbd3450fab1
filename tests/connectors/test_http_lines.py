"""Lines to systems that accept and then say nothing."""

from __future__ import annotations

import asyncio

import pytest

from connectors.http_client import ask, new_client
from schemas.errors import Transient
from tests.servers.sockets import talking


async def test_a_greeting_of_tls_that_is_given_up_leaves_no_line_open() -> None:
    """The other side sees the line closed while the client goes on: else each call would cost a socket,
    until the hub has none left."""
    closed = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            pass
        closed.set()

    async with talking(silent) as port, new_client(20.0) as client:
        request = client.build_request("GET", f"https://127.0.0.1:{port}/")
        with pytest.raises(Transient) as raised:
            await ask(client, request, 0.2)
        async with asyncio.timeout(10):
            await closed.wait()

    assert "target.timeout" == raised.value.code


async def test_a_line_that_the_other_side_closed_is_not_used_again() -> None:
    """Seen before the next call is written: it goes over a line of its own, and is not in doubt."""
    came: list[asyncio.StreamWriter] = []

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        if len(came) == 1:
            writer.close()
        await reader.read()

    async with talking(once) as port, new_client(20.0) as client:
        replies = []
        for _ in range(2):
            replies.append(
                await ask(client, client.build_request("GET", f"http://127.0.0.1:{port}/"), 10)
            )
            await came[0].wait_closed()

    assert [200, 200] == [reply.status for reply in replies]
    assert 2 == len(came)
