"""Receipts (回执): what became of a record, a message, a delivery; one value for every step.

A receipt is published to ``hub.receipts`` by whoever did the step, after it was done. The ledger
keeps each once, by `Receipt.key`; the sender's answer and the operator's pages are read from there.

Form       `faults` say place and reason and carry no personal value, see `schemas.errors`
Units      `took_ms` in milliseconds
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from schemas.errors import Fault

__all__ = ["Event", "Receipt"]


class Event(StrEnum):
    """What happened, in the past tense; the words before the dot are what it happened to."""

    RECORD_RECEIVED = "record.received"
    RECORD_REFUSED = "record.refused"  # at the door: not decodable, not signed, too large
    RECORD_REJECTED = "record.rejected"  # in the pipeline: mapping or validation
    RECORD_REPEATED = "record.repeated"  # the same key again: nothing done
    RECORD_ACCEPTED = "record.accepted"  # every message of it stands on its stream
    MESSAGE_PUBLISHED = "message.published"
    MESSAGE_REPLAYED = "message.replayed"  # `number` is the replay's id, `by` who asked for it
    REPLAY_BEGUN = "replay.begun"
    REPLAY_DONE = "replay.done"
    DELIVERY_DONE = "delivery.done"
    DELIVERY_LEFT_OUT = "delivery.left_out"  # the route's condition does not hold
    DELIVERY_REPLACED = "delivery.replaced"  # by a newer one of its subject, while it waited
    DELIVERY_RETRYING = "delivery.retrying"
    DELIVERY_FAILED = "delivery.failed"
    SERVICE_DONE = "service.done"
    SERVICE_RETRYING = "service.retrying"
    SERVICE_FAILED = "service.failed"
    FAILURE_RETRIED = "failure.retried"
    FAILURE_EDITED = "failure.edited"
    FAILURE_DISCARDED = "failure.discarded"
    FAILURE_RESTORED = "failure.restored"
    FAILURE_REDIRECTED = "failure.redirected"
    LOAD_PAGE = (
        "load.page"  # a page of the batch path: `number` rows of a table, `digest` of them all
    )


class Receipt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of one message. *key* is the same when the same step is told twice."""

    key: str
    event: Event
    at: datetime
    message_id: str
    record_id: str = ""
    source: str = ""
    resource: str = ""
    operation: str = ""
    subject: str = ""
    route: str = ""
    version: str = ""  # of the route or intake, as it was then
    system: str = ""
    attempt: int = 0
    code: str = ""
    faults: tuple[Fault, ...] = ()
    doubts: tuple[Fault, ...] = ()
    number: str = ""
    took_ms: int = 0
    trace: str = ""
    digest: str = ""
    by: str = ""
