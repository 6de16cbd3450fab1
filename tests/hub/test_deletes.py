"""A delete needs nothing but its business key, by door and by source; what else it says must be right."""

from __future__ import annotations

import pytest

from hub.convert import convert
from hub.envelope import Taken
from hub.ids import new_id, new_trace
from schemas.errors import Rejected
from schemas.message import Body, Message, Operation, Record, SystemCode
from tests.hub.conftest import now
from tests.hub.site import small_plan


def converted(body: Body, operation: Operation = Operation.DELETED) -> Message:
    at = now()
    record = Record(kind="caseStep", key="", body=body)
    taken = Taken(
        id=new_id(at),
        system=SystemCode("sender"),
        received_at=at,
        traceparent=new_trace(),
        record=record,
        canonical=operation,
    )
    (message,) = convert(taken, small_plan()).messages
    return message


def test_its_key_is_enough() -> None:
    """Of a row that is gone a partner's database tells nothing else (R-A6)."""
    message = converted({"caseNo": "A1"})

    assert (Operation.DELETED, "A1") == (message.operation, message.subject)
    with pytest.raises(Rejected):
        converted({"caseNo": "A1"}, Operation.UPDATED)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({}, ("/caseNo", "item.missing")),
        ({"caseNo": "A1", "stepName": 3}, ("/stepName", "item.type")),
    ],
)
def test_what_it_says_is_judged(body: Body, fault: tuple[str, str]) -> None:
    """Without a key nobody knows what is deleted; a wrong value is a fault of its writer's."""
    with pytest.raises(Rejected) as caught:
        converted(body)

    assert [fault] == [(each.at, each.code) for each in caught.value.faults]
