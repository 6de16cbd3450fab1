"""The disk of the records is full, and has room again: the hub waits, loses nothing, and goes on by itself.

Full is what SQLite says at its bound of pages: the same error as from a disk without room (issue 3).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, event, select

from hub.store import Store
from hub.store.tables import ledger
from schemas.errors import Transient
from schemas.receipt import Event
from tests.hub.conftest import a_step, eventually, running_engine
from tests.hub.ledger_rows import breaks
from tests.hub.site import small_plan
from tests.records import shape

COUNT, EVER = 60, 1_073_741_823
# What a write needs before it is full: less than a batch of the ledger.
SPARE_PAGES = 4


class Disk:
    """The room that the records have, in pages of the database."""

    def __init__(self, store: Store) -> None:
        self._store, self._pages = store, EVER
        event.listen(store.engine, "begin", self._bound)

    def _bound(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {self._pages}")

    async def fills(self) -> None:
        count = await self._store.read(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar())
        assert isinstance(count, int)
        self._pages = count + SPARE_PAGES

    def has_room(self) -> None:
        self._pages = EVER


@pytest.fixture
def records(sqlite_url: str) -> Iterator[Store]:
    store = Store(sqlite_url)
    shape(store)
    yield store
    store.close()


@pytest.mark.parametrize("order", ["", "order_by: subject"], ids=["unordered", "ordered"])
async def test_a_full_disk_is_waited_for(order: str, amqp_url: str, records: Store) -> None:
    """Records come while nothing can be written: what has no claim yet waits at the broker. With room
    again, each is at both systems once, and the ledger tells each once, in an unbroken chain."""
    disk = Disk(records)
    async with running_engine(amqp_url, records, plan=small_plan(order)) as running:
        await running.send(a_step("first"))
        await running.until(Event.DELIVERY_DONE, 2)
        await disk.fills()
        for n in range(COUNT):
            await running.send(a_step(f"A{n}"), key=f"k{n}")
        with pytest.raises(Transient) as full:
            await _until_full(records)
        assert "store.full" == full.value.code
        told = len(await running.rows(Event.DELIVERY_DONE))
        assert told < 2 * (COUNT + 1), "nothing had to wait"
        disk.has_room()

        async def done() -> int:
            return len(await running.rows(Event.DELIVERY_DONE))

        await eventually(done, lambda n: n == 2 * (COUNT + 1), "all told", within_s=60)
        rows = await records.read(
            lambda c: c.execute(select(ledger.c.event, ledger.c.message_id, ledger.c.route)).all()
        )
        assert {1} == set(Counter(tuple(row) for row in rows).values())
        assert not await running.failed()
        for system in (running.left, running.right):
            held = Counter(payload["no"] for payload in system.payloads)
            assert dict.fromkeys(["first", *(f"A{n}" for n in range(COUNT))], 1) == held
    assert {} == breaks(records)


async def _until_full(records: Store) -> None:
    """Takes the room that is left; raises what the first write says that finds none."""
    while True:
        await records.write(_needs_room)
        await asyncio.sleep(0)


def _needs_room(connection: Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS filling (content BLOB)")
    connection.exec_driver_sql("INSERT INTO filling VALUES (zeroblob(16384))")
