"""Hand a record to the pipeline: one message to ``hub.intake``."""

from __future__ import annotations

from hub.broker import Outgoing
from hub.envelope import Taken, encode_taken
from hub.plan import Plan
from hub.shard_keys import intake_key
from hub.topology import INTAKE

__all__ = ["taken_in"]


def taken_in(taken: Taken, plan: Plan, *, bulk: bool = False) -> Outgoing:
    """*bulk*: it may wait for others, whoever sends it."""
    headers, body = encode_taken(taken)
    record, canonical = taken.record, taken.canonical is not None
    key = intake_key(taken.system, record.kind, record.body, plan, canonical=canonical, bulk=bulk)
    return Outgoing(INTAKE, key, body, headers)
