"""What flowed, asked of the ledger, on both databases."""

from __future__ import annotations

from datetime import UTC, date, datetime

from sqlalchemy import delete, select

from hub.registry.days import count_days
from hub.registry.flow import flowed
from hub.store import Store
from hub.store.catalogue import resource_days
from hub.store.tables import ledger
from schemas.receipt import Event
from tests.hub.ledger_rows import a_row, keep
from tests.records import shape

SINCE = datetime(2026, 3, 1, tzinfo=UTC)


def test_days_are_those_of_beijing(database_url: str) -> None:
    """16:00 in London is the next day in Beijing; a day counts once, and records are told apart."""
    store = Store(database_url)
    shape(store)
    published = {
        "event": Event.MESSAGE_PUBLISHED.value,
        "resource": "caseStep",
        "source": "sender",
    }
    moments = [(2, 15, 59), (2, 16, 0), (2, 23, 0), (5, 1, 0)]
    rows = [
        a_row(at=datetime(2026, 3, day, hour, minute, tzinfo=UTC), **published)
        for day, hour, minute in moments
    ]
    rows.append(
        a_row(
            at=datetime(2026, 3, 4, tzinfo=UTC),
            event=Event.RECORD_REJECTED.value,
            resource="step",
            source="sender",
        )
    )
    rows.append(a_row(at=datetime(2026, 2, 1, tzinfo=UTC), **published))
    keep(store, rows)

    found = store.read_now(lambda c: flowed(c, SINCE))
    store.close()

    assert {"caseStep": [date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 5)]} == found.days
    assert [4] == [flow.many for flow in found.of("caseStep")]
    assert [1] == [flow.many for flow in found.records(["sender.step"])]
    assert date(2026, 3, 1) == found.since


def test_the_days_of_a_year_are_kept(database_url: str) -> None:
    """Each message once, however often it is counted, and after its rows have gone; of a long cycle the
    days before the flows are told as well, of others not."""
    store = Store(database_url)
    shape(store)
    published = {"event": Event.MESSAGE_PUBLISHED.value, "source": "sender"}
    moments = [(2025, 4, 1), (2025, 4, 1), (2025, 10, 8), (2026, 3, 3)]
    for name in ("yearly", "daily"):
        rows = [
            a_row(at=datetime(*day, 20, tzinfo=UTC), resource=name, **published) for day in moments
        ]
        keep(store, rows)
        assert not store.write_now(count_days)
    assert not store.write_now(count_days)
    counted = store.read_now(
        lambda c: {(r.resource, r.day): r.messages for r in c.execute(select(resource_days))}
    )
    store.write_now(lambda c: c.execute(delete(ledger).where(ledger.c.at < SINCE)))
    found = store.read_now(lambda c: flowed(c, SINCE, long=["yearly"], reach=date(2024, 1, 1)))
    store.close()

    # 20:00 in London is 04:00 of the next day in Beijing.
    april, october, march = date(2025, 4, 2), date(2025, 10, 9), date(2026, 3, 4)
    assert {
        (name, day): many
        for name in ("yearly", "daily")
        for day, many in ((april, 2), (october, 1), (march, 1))
    } == counted
    assert {"yearly": [april, october, march], "daily": [march]} == found.days
    assert april == found.known
