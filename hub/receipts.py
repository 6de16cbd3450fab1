"""What became of a record, read from the ledger: the receipt (回执) its sender gets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from hub.ids import issued_lately, trace_id
from hub.store.tables import ledger
from schemas.errors import Fault
from schemas.message import Message
from schemas.receipt import Event, Receipt
from schemas.texts import both, say

__all__ = ["Outcome", "outcome", "sent_again"]

_FINAL = {
    Event.RECORD_ACCEPTED: "accepted",
    Event.RECORD_REPEATED: "repeated",
    Event.RECORD_REJECTED: "rejected",
    Event.RECORD_REFUSED: "refused",
}
_DELIVERY = {
    Event.DELIVERY_DONE: "delivered",
    Event.DELIVERY_LEFT_OUT: "left out",
    Event.DELIVERY_REPLACED: "replaced",
    Event.DELIVERY_RETRYING: "retrying",
    Event.DELIVERY_FAILED: "failed",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    id: str
    state: str  # unknown, pending, accepted, repeated, rejected, refused
    reasons: tuple[Fault, ...]
    doubts: tuple[Fault, ...]
    messages: tuple[dict[str, Any], ...]
    deliveries: tuple[dict[str, Any], ...]

    @property
    def unknown(self) -> bool:
        return self.state == "unknown"

    @property
    def final(self) -> bool:
        return self.state not in ("unknown", "pending")

    @property
    def accepted(self) -> bool:
        return self.state in ("accepted", "repeated")

    def shown(self) -> dict[str, Any]:
        """As JSON; every reason with its code, its place, and a sentence in both languages."""
        return {
            "id": self.id,
            "state": self.state,
            "reasons": [_fault(fault) for fault in self.reasons],
            "doubts": [_fault(fault) for fault in self.doubts],
            "messages": list(self.messages),
            "deliveries": list(self.deliveries),
        }


def outcome(connection: Connection, asked: str, now: datetime) -> Outcome:
    """What is known of the record *asked*. One given out lately that is not in the ledger yet is on
    its way: ``pending``."""
    rows = (
        connection.execute(select(ledger).where(ledger.c.record_id == asked).order_by(ledger.c.id))
        .mappings()
        .all()
    )
    state, faults, doubts = _state(rows)
    if not rows and issued_lately(asked, now):
        state = "pending"
    published = [row for row in rows if row["event"] == Event.MESSAGE_PUBLISHED]
    messages = [
        {"id": row["message_id"], "resource": row["resource"], "subject": row["subject"]}
        for row in published
    ]
    return Outcome(
        id=asked,
        state=state,
        reasons=faults,
        doubts=doubts,
        messages=tuple(messages),
        deliveries=_deliveries(connection, [row["message_id"] for row in published]),
    )


def _state(rows: Any) -> tuple[str, tuple[Fault, ...], tuple[Fault, ...]]:
    state = "pending" if rows else "unknown"
    faults: tuple[Fault, ...] = ()
    doubts: tuple[Fault, ...] = ()
    for row in rows:
        if (found := _FINAL.get(Event(row["event"]))) and state != "accepted":
            state = found
            faults = tuple(Fault(**each) for each in row["faults"])
            doubts = tuple(Fault(**each) for each in row["doubts"])
    return state, faults, doubts


def _deliveries(connection: Connection, ids: list[str]) -> tuple[dict[str, Any], ...]:
    """The latest word on each route; what was left out is of no interest to a sender."""
    if not ids:
        return ()
    rows: Any = (
        connection.execute(
            select(ledger)
            .where(
                ledger.c.message_id.in_(ids),
                ledger.c.event.in_([event.value for event in _DELIVERY]),
            )
            .order_by(ledger.c.id)
        )
        .mappings()
        .all()
    )
    latest: dict[tuple[str, str], RowMapping] = {}
    for row in rows:
        latest[row["message_id"], row["route"]] = row
    return tuple(
        {
            "message": row["message_id"],
            "system": row["system"],
            "route": row["route"],
            "state": _DELIVERY[Event(row["event"])],
            "attempt": row["attempt"],
            "number": row["number"],
            "reasons": [_fault(Fault(**each)) for each in row["faults"]],
        }
        for row in latest.values()
        if row["event"] != Event.DELIVERY_LEFT_OUT
    )


def _fault(fault: Fault) -> dict[str, Any]:
    return {
        "code": fault.code,
        "at": fault.at,
        "zh": say(fault.code, fault.facts, "zh"),
        "en": say(fault.code, fault.facts, "en"),
        "text": both(fault),
    }


def sent_again(message: Message, *, act: str, route: str, by: str, at: datetime) -> Receipt:
    """What the ledger is told of *message* sent once more: by the job or act *act*, to *route*."""
    return Receipt(
        key=f"{message.id}.{act}.{Event.MESSAGE_REPLAYED}",
        event=Event.MESSAGE_REPLAYED,
        at=at,
        message_id=message.id,
        source=message.source,
        resource=message.resource,
        operation=message.operation,
        subject=message.subject,
        route=route,
        number=act,
        trace=trace_id(message.traceparent),
        digest=message.digest,
        by=by[:64],
    )
