"""Recorded messages run through the live declarations and through a draft: what would change.

Promises   nothing is sent and nothing kept; no value leaves this module, only the places that differ:
           a target's words carry no classification by which they could be masked
Careful    the record keeps neither a message's sequence nor its own time: both plans are given 0 and
           the time it was published
Form       places are JSON Pointers in the payload
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, select

from hub.crypto import Seal
from hub.envelope import NO_REGION, decode_body
from hub.payloads import unpacked
from hub.plan import Plan
from hub.store.tables import failures, ledger, payloads
from schemas.errors import HubError, Rejected
from schemas.message import Body, Message, MessageId, Operation, ResourceName, SystemCode
from schemas.receipt import Event

__all__ = ["Change", "Preview", "compare", "edited_bodies", "preview", "recorded"]

MOST = 10_000


@dataclass(frozen=True, slots=True)
class Change:
    """One message on one route. *what*: gained, lost, differs, fails, passes. *items*: places that
    differ; *code*: why it fails in the draft, or failed in the live one."""

    message_id: str
    route: str
    system: str
    what: str
    items: tuple[str, ...] = ()
    code: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    messages: int
    unreadable: int
    changes: tuple[Change, ...]


def recorded(
    connection: Connection, since: datetime, limit: int, resource: str = ""
) -> Sequence[RowMapping]:
    """The newest messages that were published *since*, those with failed deliveries included; of one
    *resource* where it is named."""
    c = ledger.c
    query = (
        select(c.message_id, c.source, c.resource, c.operation, c.subject, c.at, payloads.c.sealed)
        .join(payloads, and_(payloads.c.part == c.part, payloads.c.digest == c.digest))
        .where(c.event == Event.MESSAGE_PUBLISHED.value, c.at >= since)
        .order_by(c.at.desc(), c.id.desc())
        .limit(min(limit, MOST))
    )
    if resource:
        query = query.where(c.resource == resource)
    return connection.execute(query).mappings().all()


def edited_bodies(connection: Connection, ids: Sequence[str]) -> Mapping[str, bytes]:
    """Of failures among *ids* that a person has corrected, the corrected body."""
    c = failures.c
    query = select(c.message_id, c.edited).where(c.stage == "route", c.edited.is_not(None))
    wanted = set(ids)
    return {row.message_id: row.edited for row in connection.execute(query) if row[0] in wanted}


def preview(
    rows: Sequence[RowMapping], edited: Mapping[str, bytes], seal: Seal, live: Plan, draft: Plan
) -> Preview:
    """What *draft* would do otherwise than *live* with the recorded *rows*."""
    changes: list[Change] = []
    unreadable = 0
    for row in rows:
        try:
            sealed = edited.get(row["message_id"]) or row["sealed"]
            message = _message(row, decode_body(unpacked(sealed, seal)), live)
        except HubError:
            unreadable += 1
            continue
        changes += compare(message, live, draft)
    return Preview(len(rows), unreadable, tuple(changes))


def compare(message: Message, live: Plan, draft: Plan) -> Iterator[Change]:
    for name in sorted({*live.routes, *draft.routes}):
        before, after = _outcome(message, live, name), _outcome(message, draft, name)
        if told := _judged(before, after):
            route = draft.routes.get(name) or live.routes[name]
            what, items, code = told
            yield Change(message.id, name, route.system, what, items, code)


def _judged(
    before: Body | Rejected | None, after: Body | Rejected | None
) -> tuple[str, tuple[str, ...], str] | None:
    match before, after:
        case Rejected(), Rejected():
            return None
        case _, Rejected():
            return "fails", tuple(fault.at for fault in after.faults), after.code
        case Rejected(), _:
            return "passes", (), before.code
        case None, None:
            return None
        case None, _:
            return "gained", (), ""
        case _, None:
            return "lost", (), ""
        case _:
            pass
    items = tuple(_differences(before, after, ""))
    return ("differs", items, "") if items else None


def _outcome(message: Message, plan: Plan, name: str) -> Body | Rejected | None:
    route = plan.routes.get(name)
    if route is None or not _follows(route.bindings, message):
        return None
    try:
        return route.payload(message)
    except Rejected as error:
        return error


def _follows(bindings: Sequence[str], message: Message) -> bool:
    return message.type in bindings or f"{message.resource}.*" in bindings


def _differences(before: Any, after: Any, at: str) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted({*before, *after}):
            place = f"{at}/{name.replace('~', '~0').replace('/', '~1')}"
            if name not in before or name not in after:
                yield place
            else:
                yield from _differences(before[name], after[name], place)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for n, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differences(one, other, f"{at}/{n}")
    elif before != after or type(before) is not type(after):
        yield at


def _message(row: RowMapping, body: Body, plan: Plan) -> Message:
    resource = plan.resources.get(row["resource"])
    region = body.get(resource.region) if resource and resource.region else None
    return Message(
        id=MessageId(row["message_id"]),
        source=SystemCode(row["source"]),
        resource=ResourceName(row["resource"]),
        operation=Operation(row["operation"]),
        subject=row["subject"],
        time=row["at"],
        region=str(region or NO_REGION),
        sequence=0,
        dataschema="",
        digest="",
        traceparent="",
        body=body,
    )
