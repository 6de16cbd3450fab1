"""What is old is dropped, whole partitions at a time, and only where its chain is proved."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select, text, update

from hub.crypto import sm3
from hub.retention import Retention
from hub.retention import keep as retain
from hub.store import Store
from hub.store.checkpoints import checkpoints
from hub.store.tables import ledger, ledger_keys, ledger_partitions, payloads
from tests.hub.ledger_rows import a_row, breaks, keep, kept, whole
from tests.records import shape

DAYS = timedelta(days=1)
AUGUST = datetime(2026, 8, 20, 8, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 20, 8, tzinfo=UTC)
DIGEST = sm3(b"{}")
TERMS = Retention(ledger_days=60, payload_days=30)


@pytest.fixture
def records(database_url: str) -> Iterator[Store]:
    """Three rows of August, two of October, one of November, each month with a body."""
    store = Store(database_url)
    shape(store)
    for at, many in ((AUGUST, 3), (NOVEMBER - 40 * DAYS, 2), (NOVEMBER, 1)):
        rows = [a_row(f"{at:%m}-{n}", at=at, digest=DIGEST) for n in range(many)]
        keep(store, rows, {DIGEST: b"sealed"}, now=at)
    yield store
    store.close()


def _states(store: Store) -> dict[str, tuple[str, str]]:
    p = ledger_partitions.c
    rows = store.read_now(lambda c: c.execute(select(p.name, p.state, p.payloads)).all())
    return {row.name: (row.state, row.payloads) for row in rows}


def _bodies(store: Store) -> list[str]:
    query = select(payloads.c.part).order_by(payloads.c.part)
    return store.read_now(lambda c: list(c.scalars(query)))


def test_partitions_are_made_ahead(records: Store) -> None:
    """This month's and the next two; again, it changes nothing."""
    for _ in range(2):
        retain(records, TERMS, NOVEMBER)

    assert {"2026-11", "2026-12", "2027-01"} <= set(_states(records))


def test_rows_and_bodies_have_their_own_terms(records: Store) -> None:
    """On 1 December 60 days back lie all of August, 30 days back all of October."""
    retain(records, TERMS, datetime(2026, 12, 1, tzinfo=UTC))

    states = _states(records)
    assert ("dropped", "dropped") == states["2026-08"]
    assert ("open", "dropped") == states["2026-10"]
    assert ("open", "kept") == states["2026-11"]
    assert ["2026-11"] == _bodies(records)
    assert ["10-0", "10-1", "11-0"] == [row["key"] for row in kept(records)]
    assert whole(records)


def test_a_closing_checkpoint_outlives_its_partition(records: Store) -> None:
    """How many rows there were, and the last link."""
    last = next(row for row in kept(records) if row["key"] == "08-2")["link"]

    retain(records, TERMS, NOVEMBER)

    found = records.read_now(lambda c: list(checkpoints(c, "2026-08")))
    assert (3, last, True) == (found[-1].rows, found[-1].link, found[-1].closing)


def test_a_broken_partition_stays(records: Store) -> None:
    """What somebody changed is evidence: it is not dropped, however old."""
    change = update(ledger).where(ledger.c.key == "08-1").values(subject="forged")
    records.write_now(lambda c: c.execute(change))

    retain(records, TERMS, NOVEMBER)

    assert "open" == _states(records)["2026-08"][0]
    assert 3 == sum(row["part"] == "2026-08" for row in kept(records))


def test_a_late_row_of_a_dropped_month(records: Store) -> None:
    """It is kept in the rest; the month does not come back."""
    retain(records, TERMS, NOVEMBER)

    keep(records, [a_row("late", at=AUGUST)], now=AUGUST + 10 * DAYS)

    assert "rest" == next(row for row in kept(records) if row["key"] == "late")["part"]
    assert "dropped" == _states(records)["2026-08"][0]
    assert whole(records)


def test_old_marks_go_young_ones_stay(records: Store) -> None:
    """What is not kept need not be known again."""
    keep(
        records,
        [a_row(f"{row['message_id']}.{n}") for n, row in enumerate(kept(records))],
        now=NOVEMBER,
    )
    count = select(func.count()).select_from(ledger_keys)
    before = records.read_now(lambda c: c.scalar(count)) or 0

    retain(records, TERMS, NOVEMBER)

    # Three of the keys begin with an id of August; marks of keys without an id stay for ever.
    assert before - 3 == records.read_now(lambda c: c.scalar(count))


def test_in_postgresql_whole_tables_go(postgres_url: str) -> None:
    """Dropped, not emptied row by row."""
    store = Store(postgres_url)
    shape(store)
    keep(store, [a_row(at=AUGUST, digest=DIGEST)], {DIGEST: b"x"}, now=AUGUST)
    deletes: list[str] = []

    def before(_: Any, __: Any, statement: str, *___: Any) -> None:
        if statement.startswith(("DELETE FROM ledger ", "DELETE FROM payloads")):
            deletes.append(statement)

    event.listen(store.engine, "before_cursor_execute", before)
    retain(store, TERMS, NOVEMBER)

    tables = "SELECT count(*) FROM pg_class WHERE relname IN ('ledger_2026_08', 'payloads_2026_08')"
    assert 0 == store.read_now(lambda c: c.scalar(text(tables)))
    assert [] == deletes
    store.close()


def test_a_round_may_be_repeated(records: Store) -> None:
    """It ended in the middle, or two processes do it one after another."""
    for _ in range(3):
        retain(records, TERMS, NOVEMBER)

    assert {} == breaks(records)
    closings = [each for each in records.read_now(lambda c: list(checkpoints(c))) if each.closing]
    assert ["2026-08"] == [each.part for each in closings]
