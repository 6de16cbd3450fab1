"""Ledger rows become a journey."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitoring.console.desk import words
from monitoring.console.journey import journey, tone_of
from monitoring.ports import Hop
from schemas.receipt import Event

START = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)


def hop(number: int, event: Event, message: str, after_s: float = 0.0, **more: Any) -> Hop:
    at = START + timedelta(seconds=after_s)
    return Hop(id=number, at=at, event=event, message_id=message, **more)


def test_a_record_of_one_message_shares_its_leg() -> None:
    """Taken in, published, delivered: one row of the page, found by either number."""
    made = journey(
        [
            hop(1, Event.RECORD_RECEIVED, "r", record_id="r", source="fire", resource="progress"),
            hop(
                2,
                Event.MESSAGE_PUBLISHED,
                "m",
                1,
                record_id="r",
                resource="caseStep",
                subject="A-1",
            ),
            hop(3, Event.RECORD_ACCEPTED, "r", 2, record_id="r"),
            hop(4, Event.DELIVERY_DONE, "m", 4, route="steps", system="library"),
        ]
    )

    assert made is not None
    (leg,) = made.legs
    assert ("m", "caseStep", "A-1") == (leg.id, leg.resource, leg.subject)
    assert leg.told_by("m")
    assert leg.told_by("r")
    assert not leg.told_by("")
    assert [0.0, 250.0, 500.0, 1000.0] == [stop.x for stop in leg.stops]
    assert 4000.0 == made.took_ms


def test_a_record_of_several_messages_keeps_a_leg_of_its_own() -> None:
    """One record of a partner may be an acceptance and a step at once."""
    made = journey(
        [
            hop(1, Event.RECORD_RECEIVED, "r", record_id="r", source="fire"),
            hop(2, Event.MESSAGE_PUBLISHED, "m1", 1, record_id="r", resource="caseAcceptance"),
            hop(3, Event.MESSAGE_PUBLISHED, "m2", 1, record_id="r", resource="caseStep"),
        ]
    )

    assert made is not None
    assert [True, False, False] == [leg.is_record for leg in made.legs]


def test_rows_out_of_order_are_put_in_order() -> None:
    """Receipts of different workers reach the ledger as they like."""
    made = journey(
        [
            hop(1, Event.DELIVERY_DONE, "m", 3, route="a"),
            hop(2, Event.MESSAGE_PUBLISHED, "m", 1, resource="itemCase"),
        ]
    )

    assert made is not None
    events = [stop.hop.event for stop in made.legs[0].stops]
    assert [Event.MESSAGE_PUBLISHED, Event.DELIVERY_DONE] == events


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (Event.DELIVERY_DONE, "good"),  # a retry that succeeded in the end is no trouble
        (Event.DELIVERY_RETRYING, "warn"),
        (Event.DELIVERY_FAILED, "bad"),
    ],
)
def test_a_leg_is_as_its_last_word(last: Event, expected: str) -> None:
    """On each route; the worst of them counts."""
    made = journey(
        [
            hop(1, Event.MESSAGE_PUBLISHED, "m", resource="itemCase"),
            hop(2, Event.DELIVERY_DONE, "m", 1, route="other"),
            hop(3, Event.DELIVERY_RETRYING, "m", 2, route="fire"),
            hop(4, last, "m", 3, route="fire"),
        ]
    )

    assert made is not None
    assert expected == made.legs[0].tone


def test_nothing_known_is_no_journey() -> None:
    """And a single moment has no length to divide by."""
    assert journey([]) is None
    made = journey([hop(1, Event.RECORD_REFUSED, "r", record_id="r")])
    assert made is not None
    assert 0.0 == made.legs[0].stops[0].x
    assert "bad" == made.legs[0].tone


@pytest.mark.parametrize("event", list(Event))
def test_every_event_has_a_tone(event: Event) -> None:
    """One of those that the style sheet knows."""
    assert tone_of(event) in {"", "good", "warn", "bad", "black"}


def test_events_become_signals() -> None:
    """What the ledger wrote decides which parts of a page ask again."""
    assert () == words(frozenset())
    assert ("flow",) == words(frozenset({Event.MESSAGE_PUBLISHED}))
    assert ("failures", "flow") == words(frozenset({Event.DELIVERY_FAILED}))
    assert ("failures", "flow", "services") == words(frozenset({Event.SERVICE_DONE}))
    assert ("failures", "flow") == words(frozenset({Event.FAILURE_DISCARDED}))
