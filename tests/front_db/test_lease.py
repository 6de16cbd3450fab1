"""One reader of a partner's tables at a time, whichever process it is."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from front_db.book_tables import leases
from front_db.books import Book
from front_db.lease import Leased
from hub.store import Store
from schemas.errors import Transient
from tests.hub.conftest import eventually, now

AT = datetime(2026, 3, 2, 1, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.at = AT

    def __call__(self) -> datetime:
        return self.at


async def test_another_reader_can_neither_look_up_nor_move_the_place(records: Store) -> None:
    """Two who read one table would give one version to two contents (R-A6)."""
    clock = Clock()
    one, other = (Leased(records, "tax", clock) for _ in range(2))
    books = [Book(each, "tax", "qyss", "key-set", clock) for each in (one, other)]
    await books[0].open()
    for refused in (books[1].open(), books[1].keep(position="mine")):
        with pytest.raises(Transient) as raised:
            await refused
        assert "front-db.read-elsewhere" == raised.value.code
    await one.give_back()
    await books[1].open()

    assert "" == (await books[1].open()).position


async def test_a_process_that_ended_holds_it_no_longer_than_agreed(records: Store) -> None:
    """Half a minute; and one that only was slow loses it: what it kept in mind moves nothing any more."""
    clock = Clock()
    slow, next_ = (Leased(records, "tax", clock) for _ in range(2))
    book = Book(slow, "tax", "qyss", "key-set", clock)
    await book.open()
    clock.at += timedelta(seconds=31)
    await Book(next_, "tax", "qyss", "key-set", clock).keep(position="further")
    with pytest.raises(Transient):
        await book.keep(position="back")
    await slow.give_back()

    assert "further" == (await Book(next_, "tax", "qyss", "key-set", clock).open()).position


async def test_each_partner_is_read_by_itself(records: Store) -> None:
    """Another system's tables are nobody else's concern."""
    clock = Clock()
    for system in ("tax", "statistics"):
        leased = Leased(records, system, clock)
        assert system == (await Book(leased, system, "qyss", "key-set", clock).open()).system


async def until_of(records: Store) -> datetime:
    """When the lease ends, as it stands now."""
    found = await records.read(lambda connection: connection.scalar(select(leases.c.until)))
    assert isinstance(found, datetime)
    return found


async def test_who_works_longer_than_a_lease_lasts_keeps_it(records: Store) -> None:
    """While a page is read, or the broker takes its time: others wait, and nothing that is kept is refused."""
    one, other = (Leased(records, "tax", now, lease_s=3) for _ in range(2))
    book = Book(one, "tax", "qyss", "key-set", now)
    await book.open()
    first = await until_of(records)
    await eventually(
        lambda: until_of(records), lambda until: now() > first and until > now(), "renewed"
    )
    with pytest.raises(Transient):
        await Book(other, "tax", "qyss", "key-set", now).open()
    await book.keep(position="mine")
    await one.give_back()

    assert "mine" == (await Book(other, "tax", "qyss", "key-set", now).open()).position
    await other.give_back()


async def test_who_hangs_loses_it(records: Store) -> None:
    """A lease is not renewed for ever, or nobody else would read while a process hangs."""
    one = Leased(records, "tax", now, lease_s=0.3, idle_s=0.3)
    other = Leased(records, "tax", now)
    await Book(one, "tax", "qyss", "key-set", now).open()

    async def taken() -> bool:
        try:
            await Book(other, "tax", "qyss", "key-set", now).open()
        except Transient:
            return False
        return True

    await eventually(taken, bool, "the other reads")
    with pytest.raises(Transient):
        await Book(one, "tax", "qyss", "key-set", now).keep(position="back")
    await other.give_back()


async def test_what_was_lost_is_not_renewed(records: Store) -> None:
    """Another has read further meanwhile, and has ended since: who lost it does not get it back unasked."""
    lost, other = (Leased(records, "tax", now, lease_s=0.3) for _ in range(2))
    await Book(lost, "tax", "qyss", "key-set", now).open()
    await records.write(lambda c: c.execute(update(leases).values(holder="another", until=AT)))
    await eventually(nobody_renews, bool, "it notices")

    assert AT == await until_of(records)
    await lost.give_back()
    assert "" == (await Book(other, "tax", "qyss", "key-set", now).open()).position
    await other.give_back()


async def nobody_renews() -> bool:
    return not any(task.get_name() == "lease of tax" for task in asyncio.all_tasks())
