"""Hand a record to the pipeline: one message to ``hub.intake``; or tell why it is not let in."""

from __future__ import annotations

from datetime import datetime

from hub.broker import Outgoing
from hub.envelope import Taken, encode_taken
from hub.ids import trace_id
from hub.plan import Plan
from hub.recover import faults_of
from hub.shard_keys import intake_key
from hub.topology import INTAKE
from schemas.errors import Misconfigured, Rejected
from schemas.message import MessageId, SystemCode
from schemas.receipt import Event, Receipt

__all__ = ["refusal", "taken_in"]


def taken_in(taken: Taken, plan: Plan, *, bulk: bool = False) -> Outgoing:
    """*bulk*: it may wait for others, whoever sends it."""
    headers, body = encode_taken(taken)
    record, canonical = taken.record, taken.canonical is not None
    key = intake_key(taken.system, record.kind, record.body, plan, canonical=canonical, bulk=bulk)
    return Outgoing(INTAKE, key, body, headers)


def refusal(
    record_id: MessageId,
    system: SystemCode,
    what: str,
    error: Rejected | Misconfigured,
    *,
    at: datetime,
    traceparent: str,
    key: str = "",
) -> Receipt:
    """The receipt of a record that is refused at the door. *what* it is said to be, and its *key* where
    that is known, are in its sender's words."""
    return Receipt(
        key=f"{record_id}.{Event.RECORD_REFUSED}",
        event=Event.RECORD_REFUSED,
        at=at,
        message_id=record_id,
        record_id=record_id,
        source=system,
        resource=what[:64],
        subject=key[:64],
        code=error.code,
        faults=faults_of(error),
        trace=trace_id(traceparent),
    )
