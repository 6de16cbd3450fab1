"""The disk of PostgreSQL is full, and has room again: the hub takes in nothing that it cannot keep, says
so, loses nothing, and goes on (issue 3).

The room is that of a real file system; SQLite's bound is in tests/hub/test_full_disk.
"""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from schemas.errors import Transient
from tests.faults.conftest import migrated
from tests.faults.database import READY_S, PrivateDatabase
from tests.faults.lane import LOOK_EVERY_S, Lane, Place, lane_at
from tests.faults.process import Nursery
from tests.servers.postgresql import serving
from tests.servers.rabbitmq import VirtualHosts
from tests.servers.small_disk import may_mount, small_disk
from tests.servers.unprivileged import unprivileged

MEGABYTES = 160
WITHIN_S = 40.0


@pytest.fixture
def cramped() -> Iterator[PrivateDatabase]:
    """A PostgreSQL with its data on a small disk."""
    if not may_mount():
        pytest.skip("a small disk needs a mount namespace, which this user may not have")
    with tempfile.TemporaryDirectory(prefix="shuniu-disk-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with (
            small_disk(folder, MEGABYTES, unprivileged("postgres")) as disk,
            serving(folder, durable=True, disk=disk) as facts,
        ):
            yield PrivateDatabase(facts, disk.seen / "pg" / "data", disk)


@pytest.mark.timeout(150)
async def test_a_full_disk_of_the_database(
    virtual_hosts: VirtualHosts, cramped: PrivateDatabase, tmp_path: Path, nursery: Nursery
) -> None:
    """Records come while there is no room: what cannot be claimed waits at the broker, and the hub
    tells why. With room again every record has its outcome, once, at both partners and in the ledger."""
    disk = cramped.disk
    assert disk is not None
    broker = virtual_hosts.add()
    place = Place(broker, migrated(f"postgresql+psycopg{cramped.at}"), tmp_path)
    async with lane_at(place, nursery) as lane:
        worker = lane.start()
        before = await lane.send()
        await lane.ended(before)
        await asyncio.to_thread(disk.fill)
        await _until_refused(lane)
        during = await lane.send()
        await _until_told(lane)
        held = sum(len(list(each.holds(during.name))) for each in lane.partners.values())
        assert held < 2 * during.at_partners.total(), "nothing had to wait"

        await asyncio.to_thread(disk.make_room)
        revived = None if cramped.answers() else await asyncio.to_thread(cramped.start)
        after = await lane.send()
        for flow in (before, during, after):
            await lane.ended(flow)
        assert not worker.ended
        worker.kill()
        await asyncio.to_thread(lane.store.close)
        if revived:
            revived.send_signal(signal.SIGINT)
            await asyncio.to_thread(revived.wait, READY_S)
    virtual_hosts.delete(broker)


async def _until_refused(lane: Lane) -> None:
    """Takes the room that is left inside the database; until a write says that there is none."""
    code = ""
    async with asyncio.timeout(WITHIN_S):
        while code not in ("store.full", "store.down"):
            try:
                await lane.store.write(
                    lambda c: c.execute(
                        text("CREATE TABLE IF NOT EXISTS filling AS SELECT repeat('x', 1900) AS x")
                    )
                )
                await lane.store.write(
                    lambda c: c.execute(
                        text(
                            "INSERT INTO filling SELECT repeat('y', 1900) FROM generate_series(1, 20)"
                        )
                    )
                )
            except Transient as error:
                code = error.code


async def _until_told(lane: Lane) -> None:
    """The hub's process says why it waits."""
    log = lane.place.folder / "log"
    async with asyncio.timeout(WITHIN_S):
        while '"store.full"' not in log.read_text(encoding="utf-8"):
            await asyncio.sleep(LOOK_EVERY_S)
