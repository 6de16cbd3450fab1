"""The failure store (失败件): what used up its attempts, or can never pass, waits here for a person.

Promises   a failure is kept once for each message and place (intake, route or service), sealed; a
           retry is claimed before it is published, so two clicks are one retry
Careful    `faults` name places and reasons, never personal values
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import orjson
import structlog
from sqlalchemy import Connection, bindparam, select, tuple_, update

from hub.broker import Broker, Incoming, Outgoing, Publisher, acknowledge
from hub.crypto import Seal, sm3
from hub.envelope import CE, encode_receipt
from hub.ids import new_id, trace_id
from hub.recover import faults_of
from hub.store import Store, insert_once
from hub.store.tables import failures
from hub.topology import FAILURE_QUEUE, FAILURES, RECEIPTS
from schemas.errors import Fault, HubError, Transient
from schemas.receipt import Event, Receipt

__all__ = ["FailureWriter", "Unpassed", "fingerprint", "parked"]

BATCH, PREFETCH, FAULTS_BYTES = 50, 100, 32_768
PREFIXES = {"route.": "route", "service.": "service"}
log = structlog.get_logger("hub.failures")


class Unpassed(Protocol):
    """A message that cannot pass."""

    @property
    def headers(self) -> Mapping[str, Any]: ...
    @property
    def body(self) -> bytes: ...


def parked(
    incoming: Unpassed,
    error: Exception,
    *,
    stage: str,
    at: datetime,
    attempts: int,
    route: str = "",
    system: str = "",
) -> Outgoing:
    """*incoming*, as a message to the failure store."""
    code = error.code if isinstance(error, HubError) else "hub.bug"
    headers = {
        **_own_headers(incoming.headers),
        "x-stage": stage,
        "x-route": route,
        "x-system": system,
        "x-code": code,
        "x-faults": _first_faults(faults_of(error)),
        "x-attempts": attempts,
        "x-failed-at": at.isoformat(),
    }
    return Outgoing(FAILURES, "", incoming.body, headers)


def _first_faults(faults: Sequence[Fault]) -> str:
    """As JSON, as many as fit: headers are one frame, and a long record can have endless faults."""
    kept: list[bytes] = []
    left = FAULTS_BYTES
    for fault in faults:
        told = orjson.dumps({"code": fault.code, "at": fault.at, "facts": fault.facts})
        left -= len(told) + 1
        if left < 0:
            break
        kept.append(told)
    # One that is too long by itself still has a code.
    if not kept:
        kept = [orjson.dumps({"code": fault.code, "at": "", "facts": {}}) for fault in faults[:1]]
    return f"[{b','.join(kept).decode()}]"


def fingerprint(stage: str, route: str, faults: Sequence[Mapping[str, Any]], code: str) -> str:
    """What failures of one cause have in common: place, codes and fields, not the values."""
    fields = sorted({f"{fault['code']}@{_without_indices(fault['at'])}" for fault in faults})
    return sm3("\n".join((stage, route, code, *fields)).encode())[:16]


class FailureWriter:
    """Keeps what comes to the failures queue, in batches, each before it is acknowledged."""

    def __init__(
        self, broker: Broker, store: Store, seal: Seal, clock: Callable[[], datetime]
    ) -> None:
        self._broker, self._store, self._seal, self._clock = broker, store, seal, clock

    async def run(self) -> None:
        async with (
            self._broker.publisher() as publisher,
            self._broker.consumer(FAILURE_QUEUE, prefetch=PREFETCH) as consumer,
        ):
            while True:
                batch = await consumer.batch(BATCH)
                rows = [self._row(incoming) for incoming in batch]
                await self._keep(rows, publisher)
                await acknowledge(batch, in_order=True)

    async def _keep(self, rows: Sequence[dict[str, Any]], publisher: Publisher) -> None:
        wait = 0.5
        while True:
            try:
                await self._store.write(lambda connection: _keep(connection, rows))
                await publisher.publish_all(map(_told, rows))
            except Transient as error:
                log.warning("failures.waiting", code=error.code, seconds=wait)
                await asyncio.sleep(wait)
                wait = min(wait * 2, 15)
            else:
                return

    def _row(self, incoming: Incoming) -> dict[str, Any]:
        headers = dict(incoming.headers)
        stage, route, code = (_text(headers, f"x-{name}") for name in ("stage", "route", "code"))
        told = orjson.loads(_text(headers, "x-faults") or "[]")
        at = datetime.fromisoformat(_text(headers, "x-failed-at") or self._clock().isoformat())
        if not stage:
            # Dead-lettered by the broker itself: delivered too often, it broke whoever took it.
            stage, route = _place(_text(headers, "x-first-death-queue"))
            code = "broker.delivery-limit"
            told = [{"code": code, "at": "", "facts": {}}]
        kind, source = _text(headers, f"{CE}type"), _text(headers, f"{CE}source")
        message_id = _text(headers, f"{CE}id") or new_id(at)
        return {
            "id": new_id(at),
            "message_id": message_id,
            "record_id": _text(headers, "x-record") or message_id,
            "stage": stage,
            "route": route,
            "system": _text(headers, "x-system"),
            "source": source,
            "resource": kind if stage == "intake" else kind.partition(".")[0],
            "subject": _text(headers, f"{CE}subject"),
            "code": code,
            "faults": told,
            "fingerprint": fingerprint(stage, route or source, told, code),
            "attempts": _number(headers, "x-attempts"),
            "first_at": at,
            "last_at": at,
            "state": "waiting",
            "note": "",
            "headers": _own_headers(headers),
            "sealed": self._seal.seal(incoming.body),
        }


def _keep(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Insert what is new; what failed here before waits again. Told twice, it changes nothing."""
    place = (failures.c.message_id, failures.c.stage, failures.c.route)
    latest = {(row["message_id"], row["stage"], row["route"]): row for row in rows}
    found = connection.execute(
        select(*place, failures.c.last_at).where(tuple_(*place).in_(list(latest))).with_for_update()
    )
    known = {(message_id, stage, route): at for message_id, stage, route, at in found}
    if fresh := [row for key, row in latest.items() if key not in known]:
        connection.execute(insert_once(connection, failures), fresh)
    again = [
        {f"new_{name}": value for name, value in row.items()}
        for key, row in latest.items()
        if key in known and known[key] < row["last_at"]
    ]
    if again:
        connection.execute(_AGAIN, again)


_AGAIN = (
    update(failures)
    .where(
        failures.c.message_id == bindparam("new_message_id"),
        failures.c.stage == bindparam("new_stage"),
        failures.c.route == bindparam("new_route"),
        failures.c.state != "discarded",
    )
    .values(
        state="waiting",
        attempts=failures.c.attempts + bindparam("new_attempts"),
        **{
            name: bindparam(f"new_{name}")
            for name in ("code", "faults", "fingerprint", "last_at", "headers")
        },
    )
)


def _told(row: Mapping[str, Any]) -> Outgoing:
    events = {"route": Event.DELIVERY_FAILED, "service": Event.SERVICE_FAILED}
    event = events.get(row["stage"], Event.RECORD_REJECTED)
    traceparent = str(row["headers"].get(f"{CE}traceparent", ""))
    at: datetime = row["last_at"]
    receipt = Receipt(
        # Intake tells its own rejection; the same key makes the two one.
        key=f"{row['message_id']}.{event}"
        if row["stage"] == "intake"
        else f"{row['message_id']}.{row['route']}.{event}.{at.timestamp():.3f}",
        event=event,
        at=at,
        message_id=row["message_id"],
        record_id=row["record_id"],
        source=row["source"],
        resource=row["resource"],
        subject=row["subject"],
        route=row["route"],
        system=row["system"],
        attempt=row["attempts"],
        code=row["code"],
        faults=tuple(Fault(**each) for each in row["faults"]),
        trace=trace_id(traceparent),
    )
    return Outgoing(RECEIPTS, event.value, encode_receipt(receipt))


def _own_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """What we wrote, without what the broker or an earlier failure added."""
    return {
        name: value
        for name, value in headers.items()
        if name.startswith(CE) or name in ("x-key", "x-record", "x-operation")
    }


def _place(queue: str) -> tuple[str, str]:
    for prefix, stage in PREFIXES.items():
        if queue.startswith(prefix):
            return stage, queue.removeprefix(prefix)
    return "intake", ""


def _without_indices(pointer: str) -> str:
    return "/".join("*" if part.isdigit() else part for part in pointer.split("/"))


def _number(headers: Mapping[str, Any], name: str) -> int:
    value = headers.get(name)
    return value if isinstance(value, int) else 0


def _text(headers: Mapping[str, Any], name: str) -> str:
    value = headers.get(name)
    return value if isinstance(value, str) else ""
