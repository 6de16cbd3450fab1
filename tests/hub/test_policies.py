"""Policies of the broker that would lose messages of the hub's queues (design §3)."""

from __future__ import annotations

import pytest

from hub.policies import Policy, harms
from hub.topology import (
    DELIVERY_LIMIT,
    FAILURE_QUEUE,
    HISTORY,
    NO_DELIVERY_LIMIT,
    PIPELINE,
    SHARD_DELIVERY_LIMIT,
    rung_queue,
)

QUEUES = [*PIPELINE, FAILURE_QUEUE, HISTORY, rung_queue(60), "route.a"]


def found(*policies: Policy) -> set[tuple[str, str, str]]:
    return {(each.queue, each.policy, each.setting) for each in harms(policies, QUEUES)}


@pytest.mark.parametrize(
    ("definition", "queues"),
    [
        ({"expires": 60_000}, set(QUEUES) - {HISTORY}),
        ({"message-ttl": 60_000}, set(QUEUES) - {HISTORY, rung_queue(60)}),
        ({"max-length": 1000}, {FAILURE_QUEUE}),
        ({"max-length-bytes": 1000}, {FAILURE_QUEUE}),
        ({"delivery-limit": DELIVERY_LIMIT - 1}, set(QUEUES) - {HISTORY, rung_queue(60)}),
        ({"delivery-limit": DELIVERY_LIMIT}, {*PIPELINE, FAILURE_QUEUE}),
        ({"delivery-limit": SHARD_DELIVERY_LIMIT}, {FAILURE_QUEUE}),
        ({"delivery-limit": NO_DELIVERY_LIMIT}, set()),
        ({"delivery-limit": -1}, set()),
        ({"ha-mode": "all", "max-age": "1h"}, set()),
    ],
)
def test_each_setting_harms_the_queues_that_it_would_lose_messages_of(
    definition: dict[str, object], queues: set[str]
) -> None:
    """Deleted or too old: lost; a full queue of failures forgets its oldest, others refuse."""
    told = found(Policy(name="p", pattern=".*", definition=definition))
    assert queues == {queue for queue, _, _ in told}
    assert {"p"} >= {name for _, name, _ in told}


def test_of_several_the_one_of_highest_priority_holds() -> None:
    """The other does nothing; beside it holds one operator policy."""
    harmful = Policy(name="low", pattern="^route", definition={"expires": 1})
    harmless = Policy(name="high", pattern="^route", priority=5, definition={"ha-mode": "all"})
    operators = Policy(name="op", pattern="^route", definition={"message-ttl": 1}, operator=True)

    assert {("route.a", "low", "expires")} == found(harmful)
    assert set() == found(harmful, harmless)
    assert {("route.a", "op", "message-ttl")} == found(harmful, harmless, operators)


def test_a_policy_of_other_things_is_none_of_ours() -> None:
    """Of exchanges, streams, classic queues; one whose pattern cannot be read is asked about."""
    for applies in ("exchanges", "streams", "classic_queues"):
        assert set() == found(
            Policy(name="p", pattern=".*", applies=applies, definition={"expires": 1})
        )
    assert set() == found(Policy(name="p", pattern="^other", definition={"expires": 1}))
    assert found(Policy(name="p", pattern="(?(unreadable", definition={"expires": 1}))
