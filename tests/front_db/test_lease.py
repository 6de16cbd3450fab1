"""One reader of a partner's tables at a time, whichever process it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from front_db.books import Book
from front_db.lease import Leased
from hub.store import Store
from schemas.errors import Transient

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
    """And one that only was slow loses it: what it kept in mind moves nothing any more."""
    clock = Clock()
    slow, next_ = (Leased(records, "tax", clock, lease_s=60) for _ in range(2))
    book = Book(slow, "tax", "qyss", "key-set", clock)
    await book.open()
    clock.at += timedelta(seconds=61)
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
