"""Broker and database killed and restarted under a hub process that lives on: nothing lost or doubled."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import BrokerNode
from tests.faults.conftest import migrated
from tests.faults.database import PrivateDatabase
from tests.faults.lane import Lane, Place, lane_at
from tests.faults.process import Nursery
from tests.servers.postgresql import serving
from tests.servers.rabbitmq import VirtualHosts

READY_S = 30.0


@pytest.mark.xdist_group("broker_node")
async def test_a_broker_killed_in_mid_flow(
    broker_node: BrokerNode, sqlite_url: str, tmp_path: Path, nursery: Nursery
) -> None:
    """Its connections cut, then the whole broker killed with all that is in its queues."""
    place = Place(broker_node.url, migrated(sqlite_url), tmp_path)
    async with lane_at(place, nursery) as lane:
        worker = lane.start()
        first = await lane.send()
        await _some_delivered(lane)
        await asyncio.to_thread(broker_node.cut)
        await lane.ended(first)

        second = await lane.send()
        process = broker_node.node.broker_pid
        await asyncio.to_thread(_kill, process)
        await broker_node.node.revive()
        assert process != broker_node.node.broker_pid
        await lane.ended(second)
        assert -signal.SIGKILL == worker.kill()


@pytest.fixture
def private_database() -> Iterator[PrivateDatabase]:
    with tempfile.TemporaryDirectory(prefix="shuniu-faults-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with serving(folder, durable=True) as facts:
            yield PrivateDatabase(facts, folder / "pg" / "data")


async def test_a_database_killed_in_mid_flow(
    virtual_hosts: VirtualHosts,
    private_database: PrivateDatabase,
    tmp_path: Path,
    nursery: Nursery,
) -> None:
    """PostgreSQL killed while a flow is on its way, and started again: what was committed holds, the
    rest is done again."""
    broker = virtual_hosts.add()
    place = Place(broker, migrated(f"postgresql+psycopg{private_database.at}"), tmp_path)
    async with lane_at(place, nursery) as lane:
        worker = lane.start()
        flow = await lane.send()
        await _some_delivered(lane)
        await asyncio.to_thread(private_database.kill)
        again = await lane.send()
        server = await asyncio.to_thread(private_database.start)
        try:
            await lane.ended(flow)
            await lane.ended(again)
        finally:
            worker.kill()
            await asyncio.to_thread(lane.store.close)
            server.send_signal(signal.SIGINT)
            await asyncio.to_thread(server.wait, READY_S)
    virtual_hosts.delete(broker)


async def _some_delivered(lane: Lane) -> None:
    async with asyncio.timeout(READY_S):
        while not lane.partners["left"].held or not lane.partners["right"].held:
            await asyncio.sleep(0.01)


def _kill(process: int) -> None:
    """``kill -9``, and wait until it is gone."""
    os.kill(process, signal.SIGKILL)
    deadline = time.monotonic() + READY_S
    while _lives(process):
        assert time.monotonic() < deadline, "it does not die"
        time.sleep(0.01)


def _lives(process: int) -> bool:
    try:
        said = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return said.rpartition(")")[2].split()[0] != "Z"
