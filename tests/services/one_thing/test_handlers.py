"""One-thing takes messages together as it takes them one by one (R-B1)."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hub.crypto import Sm4Seal
from hub.store import Store
from schemas.errors import Rejected
from schemas.message import Message
from services.one_thing.handlers import subscriber
from services.one_thing.tables import applications, items
from tests.services.conftest import empty, rows_of, statements, take, told
from tests.services.one_thing.test_rules import RULES, an_application

SERVICE = subscriber(RULES, Sm4Seal(bytes(16)))
CHOSEN = (("000109001000", "1"), ("000195007000", "2"))


def application(number: int, *chosen: tuple[str, str]) -> Message:
    facts = {"applicationNo": f"A{number}", "themeName": "民宿一件事"}
    return told("oneThingApplication", {**an_application(*(chosen or CHOSEN)), **facts}, number)


def report(resource: str, number: int, item: int, **facts: Any) -> Message:
    return told(resource, {"caseNo": f"A{number}-{item}", **facts}, number)


def reports(number: int) -> list[Message]:
    """Item 1 is accepted, handled and granted, item 7 refused; one report comes twice."""
    accepted = {"acceptOrgName": "市公安局", "acceptTime": "2026-03-02T09:00:00"}
    step = {"stepNo": 1, "stepName": "审查"}
    return [
        report("caseAcceptance", number, 1, acceptanceResult="1", **accepted),
        report("caseStep", number, 1, stepState="1", **step),
        report("caseStep", number, 1, stepState="1", **step),
        report("caseResult", number, 1, resultCode="1", endTime="2026-03-06T09:00:00"),
        report("caseAcceptance", number, 7, acceptanceResult="2", **accepted),
    ]


def test_a_batch_is_as_good_as_one_by_one(records: Store) -> None:
    """In whatever order and however they are cut into batches: each message leads to the same
    messages, progress numbered on, and the rows are the same in the end."""
    rng = random.Random(7)  # noqa: S311 - play, not secrets
    messages = [m for n in range(4) for m in [application(n), application(n), *reports(n)]]
    rng.shuffle(messages)
    singly = [take(records, SERVICE, [message])[0] for message in messages]
    rows = rows_of(records, applications, items)
    assert ["3"] * 4 == [row["state"] for row in rows[:4]]  # one granted, one refused
    empty(records, applications, items)

    together, left = [], messages
    while left:
        size = rng.randint(1, 12)
        together += take(records, SERVICE, left[:size])
        left = left[size:]

    assert singly == together
    for row, again in zip(rows, rows_of(records, applications, items), strict=True):
        assert {**row, "updated_at": None} == {**again, "updated_at": None}


def test_many_cost_as_many_statements_as_a_few(records: Store) -> None:
    """New applications and their reports in one batch: rows are read and written together."""
    counts = []
    for numbers in (range(2), range(2, 32)):
        batch = [m for n in numbers for m in [application(n), *reports(n)]]
        with statements(records) as seen:
            take(records, SERVICE, batch)
        counts.append(len(seen))

    assert counts[0] == counts[1]


def test_one_bad_application_leaves_nothing(records: Store) -> None:
    """The batch fails as a whole, and may be taken again without the bad one."""
    bad = application(2, ("999999999999", "1"))

    with pytest.raises(Rejected):
        take(records, SERVICE, [application(1), bad])

    assert [] == rows_of(records, applications, items)


def test_a_second_application_of_the_same_number_changes_nothing(records: Store) -> None:
    """Whatever it chooses; no row is made for items that were not chosen first."""
    take(records, SERVICE, [application(1)])
    rows = rows_of(records, applications, items)

    published = take(records, SERVICE, [application(1, ("000131024000", "1"))])

    assert [()] == published
    assert rows == rows_of(records, applications, items)


def test_processes_wait_for_each_other_but_never_in_a_circle(postgres_records: Store) -> None:
    """Four at once on the same cases, each in an order of its own: none is refused as a deadlock,
    and no report is lost."""
    store = postgres_records
    take(store, SERVICE, [application(n) for n in range(6)])
    every = [m for n in range(6) for m in reports(n)]
    rng = random.Random(5)  # noqa: S311 - play, not secrets
    orders = [rng.sample(every, len(every)) for _ in range(4)]

    def work(messages: list[Message]) -> None:
        for at in range(0, len(messages), 6):
            take(store, SERVICE, messages[at : at + 6])

    with ThreadPoolExecutor(len(orders)) as pool:
        list(pool.map(work, orders))

    assert ["3"] * 6 == [row["state"] for row in rows_of(store, applications)]
    assert ["6", "7"] * 6 == [row["state"] for row in rows_of(store, items)]
