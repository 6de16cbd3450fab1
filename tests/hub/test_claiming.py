"""Intake keys: whatever comes however often, the first record of a key keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import pytest

from hub.store import Store
from hub.store.claims import Claim, claim
from hub.store.migrate import migrate

AT = datetime(2026, 3, 2, tzinfo=UTC)


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
