"""Several nodes in one address: taken in turn, the next at once when one is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from hub.amqp import node_urls
from hub.broker import Broker, Outgoing, safe_url
from schemas.errors import Misconfigured, Transient
from shuniu.broker_nodes import node_states
from shuniu.node_identity import free_port
from tests.hub.conftest import eventually


def with_nodes(url: str, *nodes: str) -> str:
    """*url* with other *nodes* in it; "" stands for its own."""
    told = urlsplit(url)
    user, _, own = told.netloc.rpartition("@")
    named = ",".join(node or own for node in nodes)
    return told._replace(netloc=f"{user}@{named}").geturl()


class Relay:
    """A way to the broker that can be closed and opened again."""

    def __init__(self, url: str) -> None:
        told = urlsplit(url)
        self._to = told.hostname, told.port
        self.port = free_port()
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.StreamWriter] = set()
        self.taken = 0

    @property
    def node(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for line in self._lines:
            line.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        from_broker, to_broker = await asyncio.open_connection(*self._to)
        lines = {writer, to_broker}
        self._lines |= lines
        ways = [
            asyncio.create_task(_carry(reader, to_broker)),
            asyncio.create_task(_carry(from_broker, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for line in lines:
                line.transport.abort()
            await asyncio.gather(*ways, return_exceptions=True)
            self._lines -= lines


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def relay(url: str) -> AsyncIterator[Relay]:
    way = Relay(url)
    await way.open()
    try:
        yield way
    finally:
        await way.close()


def test_an_address_names_the_nodes_of_a_cluster() -> None:
    """User, virtual host and query are those of each node; ports are its own."""
    url = "amqp://hub:a,b@one,two:5673,[::1]:5674/city?cafile=x"

    assert (
        "amqp://hub:a,b@one/city?cafile=x",
        "amqp://hub:a,b@two:5673/city?cafile=x",
        "amqp://hub:a,b@[::1]:5674/city?cafile=x",
    ) == node_urls(url)
    assert ("amqp://localhost/",) == node_urls("amqp://localhost/")
    assert "amqp://hub@one,two:5673,[::1]:5674/city?cafile=x" == safe_url(url)


@pytest.mark.parametrize("nodes", ["one,,two", "one,two:99999", "one,two:x"])
def test_a_node_that_is_no_address_is_told(nodes: str) -> None:
    """A slip in one of them is found before anything is connected."""
    with pytest.raises(Misconfigured) as raised:
        Broker(f"amqp://hub:secret@{nodes}/", name="test")
    assert "broker.url" == raised.value.code
    assert "secret" not in str(raised.value)


async def test_a_node_that_does_not_answer_makes_way(amqp_url: str) -> None:
    """Two of three refuse; the third is found, and both lines are on it."""
    nodes = (f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}", "")
    async with Broker(with_nodes(amqp_url, *nodes), name="test") as broker:
        await broker.channel("consume")
        assert broker.connected


async def test_where_none_answers_it_may_be_tried_again(amqp_url: str) -> None:
    """`Transient`, so that whoever asked waits and asks again."""
    nodes = (f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}")
    with pytest.raises(Transient) as raised:
        async with Broker(with_nodes(amqp_url, *nodes), name="test"):
            pass
    assert "broker.down" == raised.value.code


async def test_when_a_node_is_lost_the_next_is_taken(amqp_url: str) -> None:
    """The first is not asked before the second; back again, it is taken when that one is lost."""
    async with (
        relay(amqp_url) as first,
        relay(amqp_url) as second,
        Broker(with_nodes(amqp_url, first.node, second.node), name="test") as broker,
        broker.publisher() as publisher,
    ):
        await publisher.check([Outgoing("", "q", b"")])
        assert (1, 0) == (first.taken, second.taken)

        await first.close()
        await _again(broker)
        assert (1, 1) == (first.taken, second.taken)

        await first.open()
        await second.close()
        await _again(broker)
        assert (2, 1) == (first.taken, second.taken)
        await second.open()


async def _again(broker: Broker) -> None:
    async def lost() -> bool:
        return broker.connected

    await eventually(lost, lambda connected: not connected, "the loss seen")
    await broker.channel()


async def test_each_node_tells_its_state(amqp_url: str) -> None:
    """For `shuniu doctor`: the one that answers with version and cluster, the other with why not."""
    away = f"127.0.0.1:{free_port()}"

    well, ill = await node_states(with_nodes(amqp_url, "", away))

    assert well.error is None
    assert well.version.split(".")[0].isdigit()
    assert well.cluster
    assert ill.error is not None
    assert (away, "broker.down") == (ill.place, ill.error.code)
