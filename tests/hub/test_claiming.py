"""Intake keys: whatever comes however often, the first record of a key keeps it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import psycopg
import pytest
from sqlalchemy import func, make_url, select

from hub.store import Store
from hub.store.claims import Claim, claim
from hub.store.migrate import migrate
from hub.store.tables import intake_keys
from hub.topology import PIPELINE, depths
from schemas.receipt import Event
from tests.hub.conftest import Running, a_step, eventually, running_engine

AT = datetime(2026, 3, 2, tzinfo=UTC)
# Together as long as dozens of claims.
LOOKS, LOOK_S = 25, 0.02


@pytest.fixture
def records(database_url: str) -> Iterator[Store]:
    store = Store(database_url)
    migrate(store)
    yield store
    store.close()


def some(*keys: str, first: int = 0) -> list[Claim]:
    """Records r<first> and on, of one system and kind."""
    return [Claim("north", "permit", key, f"r{n}") for n, key in enumerate(keys, first)]


async def claimed(store: Store, claims: list[Claim]) -> list[str]:
    first = await store.write_each(partial(claim, claims=claims, at=AT))
    return [first[each.record_id] for each in claims]


async def test_the_first_record_of_a_key_keeps_it(records: Store) -> None:
    """New ones, one of them twice in a batch; beside one that came before; and a batch once more."""
    assert ["r0", "r1", "r0"] == await claimed(records, some("a", "b", "a"))
    assert ["r3", "r1", "r5"] == await claimed(records, some("c", "b", "d", first=3))
    assert ["r3", "r1", "r5"] == await claimed(records, some("c", "b", "d", first=3))
    assert [] == await claimed(records, [])


async def test_keys_are_their_senders_own(records: Store) -> None:
    """The same key of another system, or of another kind of record, is another key."""
    key = 'a"\\中'
    told = [Claim("north", "permit", key, "r1"), Claim("south", "permit", key, "r2")]
    told += [Claim("north", "notice", key, "r3"), Claim("north", "permit", key, "r4")]
    assert ["r1", "r2", "r3", "r1"] == await claimed(records, told)


async def test_a_claim_that_was_answered_is_committed(database_url: str, records: Store) -> None:
    """Another process knows it, whatever becomes of the first."""
    assert ["r0"] == await claimed(records, some("a"))
    other = Store(database_url)
    assert ["r0", "r2"] == await claimed(other, some("a", "b", first=1))
    other.close()
    assert ["r0", "r2"] == await claimed(records, some("a", "b", first=3))


async def test_the_first_keeps_it_though_it_is_claimed_later(
    postgres_url: str, amqp_url: str
) -> None:
    """Batches are claimed side by side. While the first one's claim is held up, at a key that sorts
    before the one in question, a later record of that key does not overtake it."""
    store = Store(postgres_url)
    migrate(store)
    async with running_engine(amqp_url, store, roles=["ledger"]) as before:
        await before.send(a_step("A1"), key="a")
        first = await before.send(a_step("A1"), key="k")
    with psycopg.connect(driver_address(postgres_url)) as other:
        other.execute(
            "INSERT INTO intake_keys (source, kind, key, record_id, at)"
            " VALUES ('sender', 'step', 'a', 'nobody', now())"
        )
        async with running_engine(amqp_url, store) as running:
            await eventually(lambda: held_up(running), bool, "the first claim held up")
            second = await running.send(a_step("A1"), key="k")
            await eventually(lambda: left(running), lambda ready: not ready, "all taken up")
            for _ in range(LOOKS):
                assert 0 == await holders(running, "k")
                await asyncio.sleep(LOOK_S)
            other.rollback()
            accepted = await running.until(Event.RECORD_ACCEPTED, 2)
            (repeated,) = await running.until(Event.RECORD_REPEATED, 1)
    store.close()

    assert first in {row["message_id"] for row in accepted}
    assert (second, first) == (repeated["message_id"], repeated["number"])


def driver_address(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


async def held_up(running: Running) -> int:
    """Statements of this database that wait for another one's row."""
    query = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return await running.store.read(lambda c: c.exec_driver_sql(query).scalar_one())


async def left(running: Running) -> int:
    found = await depths(running.broker, PIPELINE)
    return sum(ready for ready, _ in found.values())


async def holders(running: Running, key: str) -> int:
    query = select(func.count()).where(intake_keys.c.key == key)
    return await running.store.read(lambda c: c.scalar(query) or 0)
