"""Questions to the ledger: pages without gaps, partitions left out, figures reckoned in SQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text

from hub import ledger_views
from hub.search import Page, Search, query, search
from hub.store import Store
from hub.store.tables import intake_keys
from hub.trace import trace
from schemas.errors import Rejected
from schemas.receipt import Event
from tests.hub.ledger_rows import a_row, keep
from tests.records import shape

NOVEMBER = datetime(2026, 11, 15, 8, tzinfo=UTC)
MONTHS = (NOVEMBER - timedelta(days=31), NOVEMBER, NOVEMBER + timedelta(days=30))


@pytest.fixture
def records(database_url: str) -> Iterator[Store]:
    store = Store(database_url)
    shape(store)
    yield store
    store.close()


def _found(store: Store, limit: int = 100, after: str = "", **told: Any) -> Page:
    return store.read_now(lambda c: search(c, Search(**told), limit=limit, after=after))


def _keys(page: Page) -> list[str]:
    return [row["key"] for row in page.rows]


def test_pages_have_no_gaps(records: Store) -> None:
    """Rows of one moment too, while new ones arrive between the pages."""
    keep(records, [a_row(f"k{n}", at=NOVEMBER, source="s") for n in range(25)], now=NOVEMBER)
    seen: list[str] = []
    after = ""
    for turn in range(3):
        page = _found(records, 10, after, partner="s")
        seen += _keys(page)
        after = page.after
        later = NOVEMBER + timedelta(hours=turn + 1)
        keep(records, [a_row(f"new{turn}", at=later, source="s")], now=NOVEMBER)

    assert [f"k{n}" for n in reversed(range(25))] == seen
    assert not after


def test_a_partner_is_source_or_target(records: Store) -> None:
    """Both roles in one list, newest first, a row once."""
    hour = timedelta(hours=1)
    rows = [
        a_row("sent", at=NOVEMBER, source="fire"),
        a_row("given", at=NOVEMBER + hour, system="fire"),
        a_row("both", at=NOVEMBER + 2 * hour, source="fire", system="fire"),
        a_row("other", at=NOVEMBER, source="tax"),
    ]
    keep(records, rows, now=NOVEMBER)

    assert ["both", "given", "sent"] == _keys(_found(records, partner="fire"))


def test_everything_told_must_hold(records: Store) -> None:
    """Event, resource, route, subject and span together."""
    good: dict[str, Any] = {"resource": "r", "route": "x", "subject": "A1"}
    rows = [
        a_row("yes", at=NOVEMBER, **good),
        a_row("late", at=NOVEMBER + timedelta(hours=1), **good),
        a_row("event", at=NOVEMBER, **(good | {"event": "delivery.failed"})),
        a_row("route", at=NOVEMBER, **(good | {"route": "y"})),
    ]
    keep(records, rows, now=NOVEMBER)

    wanted = {**good, "event": "delivery.done", "since": NOVEMBER}
    wanted["until"] = NOVEMBER + timedelta(hours=1)

    assert ["yes"] == _keys(_found(records, **wanted))


def test_a_senders_key_leads_to_its_record(records: Store) -> None:
    """Of whatever kind; it needs the sender's name."""
    keep(records, [a_row("k", at=NOVEMBER, record_id="rec", message_id="m")], now=NOVEMBER)
    claim = {"source": "fire", "kind": "step", "key": "F-1", "record_id": "rec", "at": NOVEMBER}
    records.write_now(
        lambda c: c.execute(insert(intake_keys), [claim, claim | {"kind": "a", "record_id": "no"}])
    )

    assert ["k"] == _keys(_found(records, key="F-1", partner="fire"))
    with pytest.raises(Rejected):
        _found(records, key="F-1")


def test_a_place_that_is_none(records: Store) -> None:
    """Made up by somebody: refused, with a code."""
    with pytest.raises(Rejected) as refused:
        _found(records, after="1'; --")

    assert "search.place" == refused.value.code


def test_a_span_leaves_partitions_out(postgres_url: str) -> None:
    """PostgreSQL plans for November alone, and by index."""
    store = Store(postgres_url)
    shape(store)
    for month in MONTHS:
        keep(
            store,
            [a_row(at=month, source="fire") for _ in range(300)],
            now=NOVEMBER + timedelta(days=30),
        )
    wanted = Search(since=NOVEMBER, until=NOVEMBER + timedelta(days=1), subject="A1")
    compiled = query(wanted).limit(10).compile(store.engine, compile_kwargs={"literal_binds": True})

    plan = "\n".join(store.read_now(lambda c: list(c.scalars(text(f"EXPLAIN {compiled}")))))

    assert "ledger_2026_11" in plan
    assert "ledger_2026_10" not in plan
    assert "ledger_2026_12" not in plan
    assert "Index Scan" in plan
    store.close()


def test_a_series_counts_each_bucket(records: Store) -> None:
    """Beginnings belong to the bucket they begin, ends to the next; fractions of seconds count."""
    since = NOVEMBER + timedelta(microseconds=500_000)
    at = [0.0, 59.999, 60.0, 119.999999, 180.0, -0.001, 240.0]
    rows = [a_row(at=since + timedelta(seconds=each)) for each in at]
    keep(records, [*rows, a_row(at=since, event="delivery.failed")], now=NOVEMBER)
    until = since + timedelta(seconds=240)

    found = records.read_now(
        lambda c: ledger_views.series(c, Event.DELIVERY_DONE, since, until, 60)
    )

    assert [2, 2, 0, 1] == found


def test_recent_rows_of_a_route(records: Store) -> None:
    """By route or service, newest first; also without any condition."""
    rows = [a_row(f"k{n}", at=NOVEMBER + timedelta(seconds=n), route=f"r{n % 2}") for n in range(4)]
    keep(records, rows, now=NOVEMBER)

    ask = ledger_views.recent
    assert ["k3", "k1"] == [
        r["key"] for r in records.read_now(lambda c: ask(c, limit=9, route="r1"))
    ]
    assert ["k3", "k2"] == [r["key"] for r in records.read_now(lambda c: ask(c, limit=2))]


def test_an_application_finds_its_items(records: Store) -> None:
    """And nothing that only begins alike."""
    subjects = ("A1", "A1-1", "A1-12", "A1.5", "A10", "A")
    keep(records, [a_row(s, at=NOVEMBER, subject=s) for s in subjects], now=NOVEMBER)

    assert {"A1", "A1-1", "A1-12"} == {r["key"] for r in records.read_now(lambda c: trace(c, "A1"))}
