"""A cluster of three nodes that loses one, or is torn in two, while messages flow (design §3, §7).

Cases and their steps are sent as a gateway does, each confirmed before the next; the hub's own
connections name the node first that is going to be lost.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

import hub.broker
from hub.store import Store
from schemas.errors import Transient
from schemas.receipt import Event
from tests.hub.cluster.conftest import Keeper
from tests.hub.conftest import Running, eventually, running_engine
from tests.hub.site import small_plan
from tests.servers.cluster import Cluster, ClusterNode
from tests.servers.networks import why_not


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel that wrote as its queue's leader was lost is given up after this time."""
    monkeypatch.setattr(hub.broker, "CONFIRM_S", 6.0)


pytestmark = [pytest.mark.xdist_group("cluster"), pytest.mark.timeout(240)]
CASES, STEPS = 12, 15
DEADLINE_S, BY_ITSELF_S = 100.0, 45.0
IN_ORDER = small_plan("order_by: subject")


class Sender:
    """Sends every case's steps, one after the other, and is told how far it is."""

    def __init__(self, running: Running) -> None:
        self._running, self.sent, self._further = running, 0, asyncio.Condition()

    async def run(self) -> None:
        for step in range(STEPS):
            for case in range(CASES):
                await self._send(f"A{case}", f"第{step}步")
                async with self._further:
                    self.sent += 1
                    self._further.notify_all()

    async def until(self, sent: int) -> None:
        async with self._further:
            await self._further.wait_for(lambda: self.sent >= sent)

    async def _send(self, case: str, step: str) -> None:
        body = {"bh": case, "hj": step, "qh": "130102"}
        while True:
            try:
                await self._running.send(body, key=f"{case}.{step}")
            except Transient:
                await asyncio.sleep(0.1)
            else:
                return


@asynccontextmanager
async def sending(
    cluster: Cluster, node: ClusterNode, store: Store, keeper: Keeper
) -> AsyncIterator[Sender]:
    """A hub that works by way of *node*, and a third of all that is to be sent, sent."""
    url = await asyncio.to_thread(lambda: cluster.url(first=node))
    async with (
        running_engine(url, store, plan=IN_ORDER, left=keeper) as running,
        asyncio.TaskGroup() as tasks,
    ):
        sender = Sender(running)
        task = tasks.create_task(sender.run())
        await sender.until(CASES * STEPS // 3)
        yield sender
        await task
        await _everything_once_in_order(running, keeper)


async def _everything_once_in_order(running: Running, keeper: Keeper) -> None:
    wanted = {f"A{case}": [f"第{step}步" for step in range(STEPS)] for case in range(CASES)}

    async def held() -> int:
        return sum(map(len, keeper.steps.values())) + len(running.right.taken)

    all_taken = 2 * CASES * STEPS
    await eventually(
        held, lambda count: count >= all_taken, "all at both systems", within_s=DEADLINE_S
    )
    assert wanted == keeper.steps
    assert CASES * STEPS == len(running.right.taken)
    await running.until(Event.DELIVERY_DONE, all_taken)
    published = await running.until(Event.MESSAGE_PUBLISHED, CASES * STEPS)
    assert CASES * STEPS == len(published)
    assert not await running.failed()


def rejoin(node: ClusterNode) -> None:
    """Until *node* serves again: by itself, as it should, or started anew as its people would."""
    deadline = time.monotonic() + (BY_ITSELF_S if node.runs else 0)
    while not node.serves():
        if time.monotonic() > deadline:
            node.kill()
            node.start()
            node.wait()
        time.sleep(0.1)


@asynccontextmanager
async def started_anew(node: ClusterNode) -> AsyncIterator[None]:
    """*node* is there for the next test, whatever became of this one."""
    try:
        yield
    finally:
        await asyncio.to_thread(rejoin, node)


async def until(look: Callable[[], bool], wanted: str) -> None:
    async def looked() -> bool:
        return await asyncio.to_thread(look)

    await eventually(looked, bool, wanted, within_s=DEADLINE_S)


def members(node: ClusterNode, vhost: str) -> dict[str, int]:
    """How many members each queue of *vhost* has, and streams likewise."""
    said = node.ctl("-p", vhost, "list_queues", "name", "members", "--silent")
    rows = (line.split("\t") for line in said.splitlines())
    return {row[0]: row[1].count("@") for row in rows if len(row) == 2}


async def test_the_node_that_leads_is_killed(
    cluster: Cluster, store: Store, keeper: Keeper
) -> None:
    """``kill -9`` of the node on which all queues have their leader and the hub its connections:
    the hub goes on at another, nothing is lost, doubled or out of order; the node joins again."""
    node = cluster.nodes[0]
    async with started_anew(node), sending(cluster, node, store, keeper) as sender:
        counts = await asyncio.to_thread(members, cluster.nodes[1], cluster.vhosts[-1])
        assert {3} == set(counts.values()), counts
        assert {"pipeline.0", "ledger", "failures", "hub.history", "hub.retry.1s"} < set(counts)

        await asyncio.to_thread(node.kill)
        await sender.until(CASES * STEPS)
        assert not node.serves()


@pytest.mark.skipif(bool(why_not()), reason=why_not() or "possible here")
@pytest.mark.parametrize("whole", [False, True], ids=["between nodes", "whole machine"])
async def test_a_network_partition(
    cluster: Cluster, store: Store, keeper: Keeper, *, whole: bool
) -> None:
    """The hub works by way of a node that is cut off from the other two, and once from the hub as
    well: it stops taking messages for lack of a majority, and the hub goes over to the others."""
    assert cluster.machines is not None
    node = cluster.nodes[1]
    assert node.machine is not None
    async with started_anew(node), sending(cluster, node, store, keeper) as sender:
        cluster.machines.pull(node.machine, clients_too=whole)
        try:
            await sender.until(CASES * STEPS)
            await until(lambda: not node.serves(), "the node without a majority stopped serving")
        finally:
            cluster.machines.plug(node.machine)
