"""What a person does with failures: look, retry, edit and retry, discard with a reason.

Promises   a retry is claimed in the database before it is published, and given back if publishing
           fails; an edit is validated again, keeps the original, and is linked to it
Careful    retrying repeats the failed place alone: one route or service, or the record's intake
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, RowMapping, Update, func, select, update

from hub.broker import Outgoing, Publisher
from hub.convert import convert, validate
from hub.crypto import Seal, sm3
from hub.envelope import CE, decode_body, decode_taken, encode_body, encode_receipt
from hub.ids import new_id, trace_id
from hub.plan import Plan
from hub.store import Store
from hub.store.tables import failures
from hub.topology import INTAKE, RECEIPTS, route_queue, service_queue
from schemas.errors import Rejected, Transient
from schemas.message import Body
from schemas.receipt import Event, Receipt

__all__ = ["FailureDesk", "Group"]

MOST_ROWS = 500
log = structlog.get_logger("hub.failures")


@dataclass(frozen=True, slots=True)
class Group:
    """Failures of one cause: the same place, code and fields."""

    fingerprint: str
    stage: str
    route: str
    system: str
    source: str
    resource: str
    code: str
    faults: Sequence[Mapping[str, Any]]
    count: int
    first_at: datetime
    last_at: datetime


class FailureDesk:
    """*plan* validates edits; *publisher* sends what is retried."""

    def __init__(
        self,
        store: Store,
        seal: Seal,
        plan: Plan,
        publisher: Publisher | None,
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._seal, self._plan = store, seal, plan
        self._publisher, self._clock = publisher, clock

    async def groups(self, state: str = "waiting") -> Sequence[Group]:
        return await self._store.read(lambda connection: _groups(connection, state))

    async def listed(
        self, state: str = "waiting", fingerprint: str = "", limit: int = MOST_ROWS
    ) -> Sequence[RowMapping]:
        """Newest first, without bodies."""
        query = select(*(c for c in failures.c if c.name not in ("sealed", "edited")))
        query = query.where(failures.c.state == state) if state else query
        query = query.where(failures.c.fingerprint == fingerprint) if fingerprint else query
        query = query.order_by(failures.c.last_at.desc()).limit(min(limit, MOST_ROWS))
        return await self._store.read(lambda connection: _rows(connection, query))

    async def row(self, failure_id: str) -> RowMapping:
        """Raises `Rejected` where there is no such failure."""
        query = select(failures).where(failures.c.id == failure_id)
        rows = await self._store.read(lambda connection: _rows(connection, query))
        if not rows:
            raise Rejected("failure.unknown", "No such failure", id=failure_id[:36])
        return rows[0]

    def body(self, row: RowMapping) -> dict[str, Any]:
        """The body as it failed, in clear: mask it before it is shown."""
        return decode_body(self._seal.open(row["edited"] or row["sealed"]))

    def masked(self, row: RowMapping) -> Body:
        """The body as it may be shown."""
        try:
            body = self.body(row)
        except Rejected:
            return {}
        mask = self._plan.masks.get(row["resource"]) if row["stage"] != "intake" else None
        return mask(body) if mask else dict.fromkeys(body, "＊")

    async def retry(self, ids: Sequence[str], by: str) -> Sequence[str]:
        """Retry those of *ids* that wait; returns the ones that were sent on their way."""
        claimed = await self._store.write(
            lambda connection: _claim(connection, ids, "waiting", "retrying")
        )
        sent: list[str] = []
        for failure_id in claimed:
            row = await self.row(failure_id)
            try:
                await self._send(row, row["edited"] or row["sealed"])
            except Transient:
                await self._give_back([failure_id])
                raise
            sent.append(failure_id)
            await self._tell(row, Event.FAILURE_RETRIED, by)
        return sent

    async def edit(self, failure_id: str, body: Body, by: str) -> None:
        """Validate *body*, keep it beside the original, and retry with it."""
        row = await self.row(failure_id)
        if row["state"] != "waiting":
            raise Rejected("failure.not-waiting", "Only a waiting failure can be edited")
        self._check(row, body)
        sealed = self._seal.seal(encode_body(body))
        change = update(failures).where(failures.c.id == failure_id).values(edited=sealed)
        await self._store.write(lambda connection: connection.execute(change))
        await self._tell(row, Event.FAILURE_EDITED, by)
        await self.retry([failure_id], by)

    async def discard(self, ids: Sequence[str], reason: str, by: str) -> Sequence[str]:
        """Set aside for good; a reason is needed and kept."""
        if not reason.strip():
            raise Rejected("failure.reason-needed", "Discarding needs a reason", at="/reason")
        note = f"{by}: {reason.strip()}"[:512]
        claimed = await self._store.write(
            lambda connection: _claim(connection, ids, "waiting", "discarded", note)
        )
        for failure_id in claimed:
            await self._tell(await self.row(failure_id), Event.FAILURE_DISCARDED, by)
        return claimed

    def _check(self, row: RowMapping, body: Body) -> None:
        if row["stage"] != "intake":
            validate(row["resource"], body, self._plan)
            return
        content = encode_body(body)
        headers = {**row["headers"], f"{CE}digest": sm3(content)}
        convert(decode_taken(headers, content), self._plan)

    async def _send(self, row: RowMapping, sealed: bytes) -> None:
        if self._publisher is None:
            raise Transient("broker.down", "Retrying needs the broker")
        content = self._seal.open(sealed)
        headers = {**row["headers"], f"{CE}digest": sm3(content)}
        if row["stage"] == "intake":
            key = f"{row['source']}.{row['resource']}"
            await self._publisher.publish(Outgoing(INTAKE, key, content, headers))
            return
        queue = route_queue if row["stage"] == "route" else service_queue
        await self._publisher.publish(Outgoing("", queue(row["route"]), content, headers))

    async def _give_back(self, ids: Sequence[str]) -> None:
        await self._store.write(lambda connection: _claim(connection, ids, "retrying", "waiting"))

    async def _tell(self, row: RowMapping, event: Event, by: str) -> None:
        at = self._clock()
        receipt = Receipt(
            key=f"{row['id']}.{event}.{new_id(at)}",
            event=event,
            at=at,
            message_id=row["message_id"],
            record_id=row["record_id"],
            source=row["source"],
            resource=row["resource"],
            subject=row["subject"],
            route=row["route"],
            system=row["system"],
            code=row["code"],
            trace=trace_id(str(row["headers"].get(f"{CE}traceparent", ""))),
            by=by,
        )
        if self._publisher:
            await self._publisher.publish(Outgoing(RECEIPTS, event.value, encode_receipt(receipt)))


def _groups(connection: Connection, state: str) -> list[Group]:
    c = failures.c
    rows = connection.execute(
        select(
            c.fingerprint,
            func.count().label("many"),
            func.min(c.first_at).label("first_at"),
            func.max(c.last_at).label("last_at"),
            func.max(c.id).label("sample"),
        )
        .where(c.state == state)
        .group_by(c.fingerprint)
        .order_by(func.count().desc())
        .limit(MOST_ROWS)
    ).all()
    samples = {
        row.id: row
        for row in connection.execute(select(failures).where(c.id.in_([r.sample for r in rows])))
    }
    return [
        Group(
            fingerprint=row.fingerprint,
            count=row.many,
            first_at=row.first_at,
            last_at=row.last_at,
            **{
                name: getattr(samples[row.sample], name)
                for name in ("stage", "route", "system", "source", "resource", "code", "faults")
            },
        )
        for row in rows
    ]


def _rows(connection: Connection, query: Any) -> Sequence[RowMapping]:
    return connection.execute(query).mappings().all()


def _claim(
    connection: Connection, ids: Sequence[str], state: str, new: str, note: str | None = None
) -> list[str]:
    """Move those of *ids* that are in *state*; each is moved by one caller only."""
    change: Update = update(failures).where(failures.c.id.in_(ids), failures.c.state == state)
    change = change.values(state=new, **({"note": note} if note is not None else {}))
    return list(connection.scalars(change.returning(failures.c.id)))
