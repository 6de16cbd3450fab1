"""The broker denies, cuts, and takes no more: what the hub sees of it, and that nothing is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.applications import Starlette

from hub.amqp import connect
from hub.amqp.declare import declare_queue, depth
from hub.broker import Broker, Outgoing, Publisher
from hub.gateway import Gateway
from hub.store import Store
from schemas.errors import HubError, Misconfigured, Transient
from schemas.receipt import Event
from tests.conftest import BrokerNode
from tests.hub.amqp.conftest import QUORUM, Message, publish
from tests.hub.conftest import a_step, eventually, now, running_engine
from tests.hub.test_gateway import Door

pytestmark = pytest.mark.xdist_group("broker_node")


@asynccontextmanager
async def no_memory_left(broker_node: BrokerNode) -> AsyncIterator[None]:
    """The broker's memory alarm: it reads nothing more from who publishes."""
    await broker_node.node.control("set_vm_memory_high_watermark", "absolute", "1")
    try:
        yield
    finally:
        await broker_node.node.control("set_vm_memory_high_watermark", "0.4")


async def blocked(publisher: Publisher) -> asyncio.Task[None]:
    """Publish until the broker has said that it takes no more; the publish that still waits."""

    async def publishing() -> None:
        while True:
            await publisher.publish(Outgoing("", "q", b"until blocked"))

    task = asyncio.create_task(publishing())

    async def look() -> bool:
        return publisher.blocked

    await eventually(look, bool, "connection.blocked")
    return task


@pytest.mark.parametrize("wrong", ["password", "user", "virtual host"])
async def test_wrong_papers(broker_node: BrokerNode, wrong: str) -> None:
    """`Misconfigured`, for a person to mend, and the password is not told again."""
    told = urlsplit(broker_node.url)
    user = "nobody" if wrong == "user" else told.username
    password = "sesame-open" if wrong == "password" else told.password
    path = "/no-such" if wrong == "virtual host" else told.path
    url = f"amqp://{user}:{password}@{told.hostname}:{told.port}{path}"

    with pytest.raises(Misconfigured) as caught:
        async with Broker(url, name="test"):
            pytest.fail("let in")

    assert "broker.denied" == caught.value.code
    assert caught.value.facts["said"]
    assert str(password) not in str(caught.value.facts)


async def test_one_who_may_only_read(broker_node: BrokerNode) -> None:
    """He consumes; what he may not, is denied on that channel alone."""
    told = urlsplit(broker_node.url)
    vhost = told.path[1:]
    user = f"reader-{vhost}"
    await broker_node.node.control(
        "eval",
        f'rabbit_auth_backend_internal:add_user(<<"{user}">>, <<"p">>, <<"test">>),'
        f" rabbit_auth_backend_internal:set_permissions("
        f'<<"{user}">>, <<"{vhost}">>, <<"^$">>, <<"^$">>, <<".*">>, <<"test">>).',
    )
    async with Broker(broker_node.url, name="owner") as owner:
        channel = await owner.channel()
        await declare_queue(channel, "q", QUORUM)
        await publish(channel, Message("q", b"x"))

        url = f"amqp://{user}:p@{told.hostname}:{told.port}/{vhost}"
        async with Broker(url, name="reader") as reader, reader.publisher() as publisher:
            with pytest.raises(Misconfigured) as publishing:
                await publisher.publish(Outgoing("amq.topic", "k", b"y"))
            with pytest.raises(Misconfigured) as declaring:
                await declare_queue(await reader.channel(), "mine", QUORUM)
            async with reader.consumer("q", prefetch=1) as consumer:
                incoming = await consumer.one()
                await incoming.ack()
            assert reader.connected

    assert b"x" == incoming.body
    assert "broker.denied" == publishing.value.code == declaring.value.code


async def test_cut_with_groups_in_flight(broker_node: BrokerNode) -> None:
    """Every group ends, confirmed or `Transient`; who waits for deliveries is told; nothing hangs.
    What was confirmed is there, and the next publish has a new line."""
    async with Broker(broker_node.url, name="test") as broker, broker.publisher() as publisher:
        channel = await broker.channel()
        await declare_queue(channel, "q", QUORUM)
        flying: list[asyncio.Future[None]] = []

        async def publishing() -> None:
            while True:
                flying.append(await channel.publish([Message("q", b"%d" % len(flying))] * 3))
                if len(flying) % 10 == 0:
                    await asyncio.sleep(0)

        async with broker.consumer("q", prefetch=1) as consumer:
            await declare_queue(await broker.channel(), "empty", QUORUM)
            async with broker.consumer("empty", prefetch=1) as idle:
                waiting = asyncio.create_task(idle.one())
                task = asyncio.create_task(publishing())
                assert b"0" == (await consumer.one()).body
                await asyncio.to_thread(broker_node.cut)
                async with asyncio.timeout(15):
                    ends = await asyncio.gather(task, waiting, return_exceptions=True)
                    outcomes = await asyncio.gather(*flying, return_exceptions=True)

        assert ["broker.lost"] * 2 == [getattr(end, "code", end) for end in ends]
        confirmed = outcomes.count(None)
        assert len(outcomes) - confirmed == sum(isinstance(each, Transient) for each in outcomes)
        assert 0 < confirmed < len(outcomes)

        async def found() -> int:
            return (await depth(await broker.channel(), "q"))[0]

        await publisher.publish(Outgoing("", "q", b"again"))
        await eventually(found, lambda count: count >= 3 * confirmed + 1, "all that was confirmed")


async def test_blocked_it_waits_and_goes_on(broker_node: BrokerNode) -> None:
    """The publisher says so and waits; acknowledgements pass meanwhile; nothing lost or doubled."""
    async with Broker(broker_node.url, name="test") as broker, broker.publisher() as publisher:
        channel = await broker.channel("consume")
        await declare_queue(channel, "q", QUORUM)
        await declare_queue(channel, "kept", QUORUM)
        await publisher.publish(Outgoing("", "kept", b"0"))
        assert not publisher.blocked

        async with no_memory_left(broker_node):
            task = await blocked(publisher)
            later = [
                asyncio.create_task(publisher.publish(Outgoing("", "kept", b"%d" % n)))
                for n in range(1, 30)
            ]
            async with broker.consumer("kept", prefetch=1) as consumer:
                first = await consumer.one()
                await first.ack()
            assert 0 == (await depth(channel, "kept"))[0]
            assert publisher.blocked
            assert not any(each.done() for each in later)
            later[5].cancel()

        await asyncio.gather(*later, return_exceptions=True)
        assert not publisher.blocked
        task.cancel()
        async with broker.consumer("kept", prefetch=100) as consumer:
            found: list[bytes] = []
            while len(found) < 28:
                found += [each.body for each in await consumer.batch(28)]
        assert [b"%d" % n for n in range(1, 30) if n != 6] == found


async def test_blocked_and_cut(broker_node: BrokerNode) -> None:
    """One who waits for the broker to take more is told that the line broke."""
    async with Broker(broker_node.url, name="test") as broker, broker.publisher() as publisher:
        await declare_queue(await broker.channel(), "q", QUORUM)
        async with no_memory_left(broker_node):
            task = await blocked(publisher)
            line = broker._lines["publish"]
            channel = publisher._channel
            assert channel
            waiting = asyncio.create_task(channel.publish([Message("q", b"")]))
            await asyncio.sleep(0)
            line.abort()
            ends = await asyncio.gather(waiting, task, return_exceptions=True)

    assert all(isinstance(end, Transient) for end in ends), ends


async def test_the_hub_while_the_broker_takes_nothing(
    broker_node: BrokerNode, store: Store
) -> None:
    """The gateway says 503 at once, to bad records too; afterwards all that was taken is delivered,
    once."""
    async with running_engine(broker_node.url, store) as running:
        gateway = Gateway(
            {"sender": Door()}, running.publisher, running.store, now, lambda: running.engine.plan
        )
        transport = httpx.ASGITransport(Starlette(routes=gateway.routes()))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://hub", headers={"x-word": "sesame"}
        ) as client:
            sent: Counter[int] = Counter()

            async def send(number: str) -> int:
                answer = await client.post("/in/sender/step", json=a_step(number))
                sent[answer.status_code] += 1
                return answer.status_code

            assert 202 == await send("A0")
            await running.until(Event.DELIVERY_DONE, 2)
            async with no_memory_left(broker_node):
                # Until the broker says that it is full, it still takes some.
                flying = [asyncio.create_task(send(f"A{n}")) for n in range(1, 20)]

                async def full() -> bool:
                    return running.publisher.blocked

                await eventually(full, bool, "connection.blocked")
                began = asyncio.get_running_loop().time()
                assert 503 == await send("B1")
                bad = await client.post("/in/sender/step", content=b"{")
                took_s = asyncio.get_running_loop().time() - began
            await asyncio.gather(*flying)
            assert 202 == await send("A20")
            taken = sent[202]
            await running.until(Event.DELIVERY_DONE, 2 * taken)

        assert took_s < 2
        assert 400 == bad.status_code
        for system in (running.left, running.right):
            assert taken == len(system.taken) == len({each["no"] for each in system.payloads})
        assert not await running.failed()


async def test_too_late_an_acknowledgement_is_no_misconfiguration(broker_node: BrokerNode) -> None:
    """RabbitMQ closes the channel of a consumer that holds a message for too long, with the reply
    code that elsewhere means other properties: the route must go on, not stop."""
    await broker_node.node.control(
        "eval",
        "application:set_env(rabbit, consumer_timeout, 500),"
        " application:set_env(rabbit, channel_tick_interval, 300).",
    )
    try:
        line = await connect(broker_node.url, name="test")
        channel = await line.channel()
        await declare_queue(channel, "q", QUORUM)
        await publish(channel, Message("q", b"x"))
        await channel.consume("q", prefetch=1)
        await channel.arrived(1)
        with pytest.raises(HubError) as caught:
            async with asyncio.timeout(20):
                await channel.arrived(1)
        await line.close()
    finally:
        await broker_node.node.control(
            "eval",
            "application:set_env(rabbit, consumer_timeout, 1800000),"
            " application:set_env(rabbit, channel_tick_interval, 60000).",
        )

    assert isinstance(caught.value, Transient)
    assert "timed out" in str(caught.value.facts["said"])
