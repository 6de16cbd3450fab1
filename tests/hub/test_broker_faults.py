"""The broker cut off and stopped in mid-flow: nothing lost, nothing doubled (design §3)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest
from starlette.applications import Starlette

from hub.gateway import Gateway
from hub.store import Store
from schemas.errors import Transient
from schemas.receipt import Event
from tests.conftest import BrokerNode
from tests.hub.conftest import Running, a_step, eventually, now, running_engine
from tests.hub.test_gateway import Door

COUNT = 150
MORE_THAN_THERE_IS = "1000000GB"
pytestmark = pytest.mark.xdist_group("broker_node")


async def _send_all(running: Running, from_: int, to: int) -> None:
    """As a gateway does: what was not confirmed is sent again under the same key."""
    for n in range(from_, to):
        while True:
            try:
                await running.send(a_step(f"A{n}"), key=f"k{n}")
                break
            except Transient:
                await asyncio.sleep(0.1)


async def _everything_once(running: Running) -> None:
    wanted = {f"A{n}" for n in range(COUNT)}

    async def held() -> tuple[set[object], set[object]]:
        return (
            {payload["no"] for payload in running.left.payloads},
            {payload["no"] for payload in running.right.payloads},
        )

    await eventually(held, lambda found: found == (wanted, wanted), "all at both systems")
    assert (COUNT, COUNT) == (len(running.left.taken), len(running.right.taken))
    await running.until(Event.DELIVERY_DONE, 2 * COUNT)
    published = await running.rows(Event.MESSAGE_PUBLISHED)
    assert COUNT == len({row["subject"] for row in published}) == len(published)
    assert not await running.failed()


async def test_connections_cut_in_mid_flow(broker_node: BrokerNode, store: Store) -> None:
    """Three times all connections are closed by the broker while messages are on their way."""
    async with running_engine(broker_node.url, store) as running:
        for part in range(3):
            sending = asyncio.create_task(
                _send_all(running, part * COUNT // 3, (part + 1) * COUNT // 3)
            )
            await running.until(Event.DELIVERY_DONE, part * 2 * COUNT // 3 + 1)
            await asyncio.to_thread(broker_node.cut)
            await sending
        await _everything_once(running)


async def test_a_broker_stopped_and_started(broker_node: BrokerNode, store: Store) -> None:
    """Down for a while, with messages in every queue: all goes on where it was."""
    async with running_engine(broker_node.url, store) as running:
        await _send_all(running, 0, COUNT // 2)
        await broker_node.stop()
        await broker_node.start()
        await _send_all(running, COUNT // 2, COUNT)
        await _everything_once(running)


async def test_a_broker_whose_disk_is_full(broker_node: BrokerNode, store: Store) -> None:
    """It takes nothing more: senders are told at once to come later, and what they were not promised
    they send again. With room again all goes on by itself, and everything is there once."""
    async with running_engine(broker_node.url, store) as running:
        await _send_all(running, 0, COUNT // 3)
        await running.until(Event.DELIVERY_DONE, 1)
        await broker_node.node.control("set_disk_free_limit", MORE_THAN_THERE_IS)
        try:
            sending = asyncio.create_task(_send_all(running, COUNT // 3, COUNT))
            await eventually(_blocked(running), bool, "a broker that takes nothing")
            gateway = Gateway(
                {"sender": Door()},
                running.publisher,
                running.store,
                now,
                lambda: running.engine.plan,
            )
            app = Starlette(routes=gateway.routes())
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app),
                base_url="http://hub",
                headers={"x-word": "sesame"},
            ) as sender:
                answer = await sender.post("/in/sender/step", json=a_step("A-refused"))
            assert (503, "5") == (answer.status_code, answer.headers["retry-after"])
            assert not sending.done()
        finally:
            await broker_node.node.control("set_disk_free_limit", "50MB")
        await sending
        await _everything_once(running)


def _blocked(running: Running) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return running.publisher.blocked

    return look
