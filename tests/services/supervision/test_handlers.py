"""Supervision takes messages together as it takes them one by one (R-B3.3)."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from hub.store import Store
from schemas.errors import Misconfigured
from schemas.message import Message
from services.supervision.handlers import Supervisor
from services.supervision.tables import cards, cases
from tests.services.conftest import NOW, empty, rows_of, statements, take, told
from tests.services.supervision.test_clock import CALENDAR
from tests.services.supervision.test_rules import RULES

SUPERVISOR = Supervisor(RULES, CALENDAR)
SERVICE = SUPERVISOR.subscriber
LIMITS = {"promiseLimit": 5, "promiseUnit": "1", "statutoryLimit": 10, "statutoryUnit": "1"}
DESCRIBED = {
    "taskName": "旅馆业特种行业许可证核发",
    "handlingOrgName": "市公安局",
    "regionCode": "130102",
}


def case(number: int, applied: str = "2026-03-02T09:00:00") -> list[Message]:
    """Applied for and accepted in March; every third ended in time, the others go on."""
    at = {"caseNo": f"A{number:03}"}

    def of(resource: str, **facts: Any) -> Message:
        return told(resource, {**at, **facts}, number)

    done = [of("caseResult", resultCode="1", endTime="2026-03-05T09:00:00")]
    return [
        of("itemCase", applyTime=applied, **LIMITS, **DESCRIBED),
        of("caseAcceptance", acceptanceResult="1", acceptTime=applied),
        *(done if number % 3 == 0 else []),
    ]


def test_a_batch_is_as_good_as_one_by_one(records: Store) -> None:
    """In whatever order: the same cases with the same cards, black ones for what goes on since
    March, none for what ended in time."""
    rng = random.Random(3)  # noqa: S311 - play, not secrets
    messages = [message for n in range(9) for message in case(n)]
    rng.shuffle(messages)
    for message in messages:
        take(records, SERVICE, [message])
    rows = rows_of(records, cases, cards)
    assert {f"A{n:03}": "black" for n in range(9) if n % 3} == {
        row["case_no"]: row["colour"] for row in rows if "colour" in row
    }
    empty(records, cases, cards)

    while messages:
        size = rng.randint(1, 8)
        take(records, SERVICE, messages[:size])
        messages = messages[size:]

    assert rows == rows_of(records, cases, cards)


def test_many_cost_as_many_statements_as_a_few(records: Store) -> None:
    """Cases and cards are read and written together, by messages and by the sweep."""
    counts = []
    for numbers in (range(3), range(3, 33)):
        with statements(records) as seen:
            take(records, SERVICE, [message for n in numbers for message in case(n)])
        counts.append(len(seen))
    with statements(records) as swept:
        changed = records.write_now(lambda c: SUPERVISOR.sweep(c, NOW + timedelta(days=1)))

    assert counts[0] == counts[1]
    assert 0 == changed
    assert len(swept) <= counts[0]


def test_a_card_goes_when_its_case_ends_in_time(records: Store) -> None:
    """The result came late over the wire; the case had ended in time."""
    first, second, _ = case(3)
    take(records, SERVICE, [first, second])
    assert ["black"] == [row["colour"] for row in rows_of(records, cards)]

    take(records, SERVICE, case(3)[2:])

    assert [] == rows_of(records, cards)


def test_time_alone_brings_a_graver_card_with_its_own_moment(records: Store) -> None:
    """The sweep of a later day: what was fine is late."""
    march = NOW.replace(month=3, day=10)
    records.write_now(lambda c: SERVICE.publications(c, case(1), march))
    (red,) = rows_of(records, cards)

    changed = records.write_now(lambda c: SUPERVISOR.sweep(c, NOW))

    (black,) = rows_of(records, cards)
    assert (1, "red", "black") == (changed, red["colour"], black["colour"])
    assert red["since"] < black["since"]


def test_a_case_that_cannot_be_judged_fails_its_batch(records: Store) -> None:
    """A year that no calendar knows; nothing of the batch is kept, so it may be taken without it."""
    with pytest.raises(Misconfigured):
        take(records, SERVICE, [*case(1), *case(2, applied="2019-03-02T09:00:00")])

    assert [] == rows_of(records, cases, cards)
