"""What the hub remembers of tables that are not its own: positions, versions, why one stands still."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from front_db.books import Book, let_go_on, standing
from front_db.changes import Change
from hub.store import Store
from schemas.errors import Misconfigured
from schemas.message import Operation
from shuniu.service_list import MIGRATIONS
from tests.records import shape

AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """The hub's records, on both databases that it keeps them in."""
    url = f"sqlite:///{tmp_path}/hub.db"
    store = Store(request.getfixturevalue("postgres_url") if request.param == "postgres" else url)
    shape(store, MIGRATIONS)
    yield store
    store.close()


def book(store: Store, mode: str = "key-set", at: datetime = AT) -> Book:
    return Book(store, "tax", "qyss", mode, lambda: at)


async def test_what_is_kept_is_there_after_a_restart(store: Store) -> None:
    """Position, version and figures, those that are given; other tables have their own. R-A6"""
    first = await book(store).open()
    await book(store).keep(position="7", version=first.version + 3)
    await book(store).keep(figures={"rows": 4})

    found = await book(store).open()

    assert ("7", first.version + 3, {"rows": 4}) == (found.position, found.version, found.figures)
    other = await Book(store, "tax", "other", "key-set", lambda: AT).open()
    assert "" == other.position
    assert [other, found] == await store.read(lambda c: standing(c, "tax"))


async def test_another_mode_begins_anew_with_higher_versions(store: Store) -> None:
    """A receiver drops what is older than it holds: a version must never be given twice."""
    await book(store).open()
    await book(store).keep(position="7", version=2**52)

    found = await book(store, "watermark", AT + timedelta(days=1)).open()

    assert ("watermark", "", 2**52) == (found.mode, found.position, found.version)


async def test_a_table_stands_still_until_a_person_lets_it_go_on(store: Store) -> None:
    """Restarts do not: it says why, each time."""
    await book(store).open()
    assert not await store.write(lambda c: let_go_on(c, "tax", "qyss"))
    await book(store).stop(Misconfigured("front-db.fuse", "Too many", table="qyss", lost=9))

    still = (await book(store).open()).still()
    assert still
    assert ("front-db.fuse", 9) == (still.code, still.facts["lost"])
    assert await store.write(lambda c: let_go_on(c, "tax", "qyss"))
    assert (await book(store).open()).still() is None


async def test_what_the_partner_must_mend_no_person_here_lets_go_on(store: Store) -> None:
    """It says why it stands still, too. Let go on, it would tell without its fuse all that is gone when the
    slot is there again."""
    await book(store).open()
    await book(store).stop(Misconfigured("front-db.no-slot", "No slot", table="qyss", slot="s"))

    assert not await store.write(lambda c: let_go_on(c, "tax", "qyss"))
    found = await book(store).open()
    still = found.still()
    assert still
    assert ("front-db.no-slot", "s", False) == (still.code, still.facts["slot"], found.allowed)


def test_a_change_read_twice_is_one_and_a_later_one_another() -> None:
    """Also where the key is too long for the hub's record of what it has taken."""

    def change(key: str, version: int) -> Change:
        return Change(
            table="qyss",
            key=key,
            operation=Operation.DELETED,
            version=version,
            content={"tyshxydm": key, "empty": ""},
        )

    assert "qyss/A/5" == change("A", 5).id
    assert change("A" * 300, 5).id == change("A" * 300, 5).id != change("A" * 300, 6).id
    assert {"tyshxydm": "A", "x_op": "D", "x_key": "A", "x_ver": 5} == change("A", 5).body
