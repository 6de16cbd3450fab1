"""What policies of the broker do to the hub's queues: which of them would lose or give up messages.

A policy is set at the broker, by its people, for all queues whose name fits a pattern. Some settings win
over, or join, what the hub declares itself. Pure; who asks the broker: `shuniu.broker_policies`.

Speaks to  RabbitMQ 3.10 to 4.x: of several policies the one of highest priority holds, and beside it
           one operator policy; of two limits the lower
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.topology import FAILURE_QUEUE, HISTORY, RUNGS, delivery_limit, rung_queue

__all__ = ["Harm", "Policy", "harms"]

QUORUM = ("all", "queues", "quorum_queues")
# Of what is deleted, and of what gets too old, nobody hears.
ALWAYS, WORKED, UNBOUNDED = ("expires",), ("message-ttl",), ("max-length", "max-length-bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """As the broker tells it. *operator*: one of the second kind, that joins the first."""

    name: str
    pattern: str
    priority: int = 0
    applies: str = "all"
    definition: Mapping[str, Any]
    operator: bool = False


@dataclass(frozen=True, slots=True)
class Harm:
    """What *policy* does to *queue*."""

    queue: str
    policy: str
    setting: str
    value: str


def harms(policies: Sequence[Policy], queues: Iterable[str]) -> Iterator[Harm]:
    """Of the hub's *queues* those to which a policy does what the hub cannot live with."""
    for queue in queues:
        if queue == HISTORY:
            continue  # it may be as short as its people like
        for operator in (False, True):
            policy = _holding([p for p in policies if p.operator is operator], queue)
            if policy is None:
                continue
            for setting in _harmful(policy.definition, queue):
                yield Harm(queue, policy.name, setting, str(policy.definition[setting])[:64])


def _holding(policies: Sequence[Policy], queue: str) -> Policy | None:
    fitting = [p for p in policies if p.applies in QUORUM and _fits(p.pattern, queue)]
    return max(fitting, key=lambda policy: policy.priority, default=None)


def _fits(pattern: str, queue: str) -> bool:
    try:
        return re.search(pattern, queue) is not None
    except re.error:
        return True  # written for another kind of pattern: rather asked about than overlooked


def _harmful(definition: Mapping[str, Any], queue: str) -> Iterator[str]:
    waits = queue in {rung_queue(each) for each in RUNGS}
    forbidden = [*ALWAYS, *(() if waits else WORKED)]
    if queue == FAILURE_QUEUE:
        # Elsewhere the hub has declared that what does not fit is refused.
        forbidden += UNBOUNDED
    yield from (setting for setting in forbidden if setting in definition)
    limit = definition.get("delivery-limit")
    if not waits and isinstance(limit, int) and 0 <= limit < delivery_limit(queue):
        yield "delivery-limit"
