"""The failure store (失败件): what used up its attempts, or can never pass, waits here for a person.

Promises   a failure is kept once for each message and place (intake, route or service), sealed: its
           body, what its target was given of it, and which version of what judged it
           A message that comes again because its worker died fails again: that is the same failure
Careful    `faults` name places and reasons, never personal values. What none of the hub's processes
           sent is kept as a stranger's: a retry would sign it
Not here   what a person does with failures: `hub.failure_desk`; sending again: `hub.retry_runner`
"""

from __future__ import annotations

import asyncio
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import orjson
import structlog
from sqlalchemy import Connection, String, bindparam, select, tuple_, update

from hub.broker import Broker, Incoming, Outgoing, Publisher, acknowledge
from hub.crypto import Seal, sm3
from hub.envelope import CE, REPLAY, SERIES, encode_body, encode_receipt
from hub.fingerprint import fingerprint, kind_of
from hub.ids import new_id, trace_id
from hub.recover import faults_of
from hub.store import Store, insert_once
from hub.store.retries import STRANGERS
from hub.store.tables import failures
from hub.topology import FAILURE_QUEUE, FAILURES, RECEIPTS, route_of
from schemas.errors import Fault, HubError, Rejected, Transient
from schemas.message import Body
from schemas.receipt import Event, Receipt
from schemas.texts import all_texts

__all__ = ["FailureWriter", "Unpassed", "parked"]

BATCH, PREFETCH = 50, 100
# A message's headers travel in one frame.
MOST_MAPPED_BYTES, FAULTS_BYTES = 48 * 1024, 32 * 1024
# What a person has ended stays so, whatever comes late.
ENDED = ("discarded", "redirected")
SERVICE = "service."
log = structlog.get_logger("hub.failures")


class Unpassed(Protocol):
    """A message that cannot pass."""

    @property
    def headers(self) -> Mapping[str, Any]: ...
    @property
    def body(self) -> bytes: ...


def parked(  # noqa: PLR0913 - a failure has as many facts
    incoming: Unpassed,
    error: Exception,
    *,
    stage: str,
    at: datetime,
    attempts: int,
    route: str = "",
    system: str = "",
    version: str = "",
    mapped: Body | None = None,
) -> Outgoing:
    """*incoming*, as a message to the failure store. *version*: of the route or rule that judged
    it. *mapped*: what the target was given; what is too large for a header is left out."""
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
        "x-kind": kind_of(error),
        "x-version": version,
    }
    if mapped is not None and (packed := _packed(mapped)):
        headers["x-mapped"] = packed
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


class FailureWriter:
    """Keeps what comes to the failures queue, in batches, each before it is acknowledged."""

    def __init__(
        self, broker: Broker, store: Store, seal: Seal, clock: Callable[[], datetime]
    ) -> None:
        self._broker, self._store, self._seal, self._clock = broker, store, seal, clock

    async def run(self) -> None:
        # Groups are formed by texts; read when the first failure comes, they would stop everybody.
        await asyncio.to_thread(all_texts)
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
        try:
            self._broker.check(incoming)
        except Rejected as error:
            told = self._strangers(incoming, error.code)
        else:
            told = self._told(headers)
        kind, source = _text(headers, f"{CE}type"), _text(headers, f"{CE}source")
        stage, route, faults = told["stage"], told["route"], told["faults"]
        place = route or source
        row = {
            "id": new_id(told["at"]),
            "stage": stage,
            "route": route,
            "system": _text(headers, "x-system"),
            "source": source,
            "resource": kind if stage == "intake" else kind.partition(".")[0],
            "subject": _text(headers, f"{CE}subject"),
            "fingerprint": fingerprint(stage, place, faults, told["code"], told["kind"]),
            "attempts": _number(headers, "x-attempts"),
            "first_at": told["at"],
            "last_at": told["at"],
            "state": "waiting",
            "note": "",
            "headers": _own_headers(headers),
            "sealed": self._seal.seal(incoming.body),
            "version": _text(headers, "x-version"),
            "dataschema": _text(headers, f"{CE}dataschema"),
            "job_id": None,
            **{name: value for name, value in told.items() if name != "at"},
        }
        return {name: _fitting(name, value) for name, value in row.items()}

    def _told(self, headers: Mapping[str, Any]) -> dict[str, Any]:
        """What one of the hub's processes says of the failure."""
        at = datetime.fromisoformat(_text(headers, "x-failed-at") or self._clock().isoformat())
        message_id = _text(headers, f"{CE}id") or new_id(at)
        told: dict[str, Any] = {
            "at": at,
            "message_id": message_id,
            "record_id": _text(headers, "x-record") or message_id,
            "mapped": self._mapped(headers),
        }
        if stage := _text(headers, "x-stage"):
            code = _text(headers, "x-code")
            if code in STRANGERS:
                stranger = _strangers_id(told["message_id"], headers)
                told |= {"message_id": stranger, "record_id": stranger}
            return told | {
                "stage": stage,
                "route": _text(headers, "x-route"),
                "code": code,
                "faults": orjson.loads(_text(headers, "x-faults") or "[]"),
                "kind": _text(headers, "x-kind"),
            }
        # Dead-lettered by the broker itself: delivered too often, it broke whoever took it.
        stage, route = _place(_died_in(headers))
        return told | _plainly(stage, route, "broker.delivery-limit", "bug")

    def _strangers(self, incoming: Incoming, code: str) -> dict[str, Any]:
        """Nothing that a stranger says of it is taken for true: neither id nor time nor reason."""
        stage, route = _place(_died_in(incoming.headers))
        stranger = _strangers_id(_text(incoming.headers, f"{CE}id"), incoming.headers)
        told = {"at": self._clock(), "message_id": stranger, "record_id": stranger, "mapped": None}
        return told | _plainly(stage, route, code, "rejected")

    def _mapped(self, headers: Mapping[str, Any]) -> bytes | None:
        try:
            packed = zlib.decompress(b64decode(_text(headers, "x-mapped")))
        except (ValueError, zlib.error):
            return None
        return self._seal.seal(packed)


def _plainly(stage: str, route: str, code: str, kind: str) -> dict[str, Any]:
    faults = [{"code": code, "at": "", "facts": {}}]
    return {"stage": stage, "route": route, "code": code, "faults": faults, "kind": kind}


def _strangers_id(told: str, headers: Mapping[str, Any]) -> str:
    """An id of its own, so that a forged one touches no failure but its own."""
    parts = (told, _text(headers, f"{CE}digest"), _text(headers, f"{CE}type"))
    return f"x-{sm3(chr(0).join(parts).encode())[:34]}"


def _fitting(name: str, value: Any) -> Any:
    """*value*, no longer than its column and without the character that PostgreSQL refuses."""
    if not isinstance(value, str):
        return value
    kind = failures.c[name].type
    return value.replace("\0", "")[: kind.length if isinstance(kind, String) else None]


def _keep(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Insert what is new; what failed here before and was sent again waits again. Told twice, it
    changes nothing."""
    place = (failures.c.message_id, failures.c.stage, failures.c.route)
    latest = {(row["message_id"], row["stage"], row["route"]): row for row in rows}
    found = connection.execute(
        select(*place, failures.c.last_at, failures.c.state, failures.c.headers)
        .where(tuple_(*place).in_(list(latest)))
        .with_for_update()
    )
    known = {tuple(row[:3]): row for row in found}
    if fresh := [row for key, row in latest.items() if key not in known]:
        connection.execute(insert_once(connection, failures), fresh)
    again = [
        {f"new_{name}": value for name, value in row.items()}
        for key, row in latest.items()
        if key in known and _fails_again(row, known[key])
    ]
    if again:
        connection.execute(_AGAIN, again)


def _fails_again(row: Mapping[str, Any], kept: Any) -> bool:
    """Whether it was sent again since; else it was only given to another worker."""
    if kept.last_at >= row["last_at"]:
        return False
    return kept.state == "retrying" or _series(kept.headers) != _series(row["headers"])


def _series(headers: Mapping[str, Any]) -> str:
    return _text(headers, SERIES)


_AGAIN = (
    update(failures)
    .where(
        failures.c.message_id == bindparam("new_message_id"),
        failures.c.stage == bindparam("new_stage"),
        failures.c.route == bindparam("new_route"),
        failures.c.state.notin_(ENDED),
    )
    .values(
        state="waiting",
        attempts=failures.c.attempts + bindparam("new_attempts"),
        **{
            name: bindparam(f"new_{name}")
            for name in (
                "code",
                "faults",
                "fingerprint",
                "last_at",
                "headers",
                "mapped",
                "kind",
                "version",
                "dataschema",
                "job_id",
            )
        },
    )
)


def _after(headers: Mapping[str, Any]) -> str:
    series = _series(headers)
    return f".{series}" if series else ""


def _told(row: Mapping[str, Any]) -> Outgoing:
    events = {"route": Event.DELIVERY_FAILED, "service": Event.SERVICE_FAILED}
    event = events.get(row["stage"], Event.RECORD_REJECTED)
    traceparent = str(row["headers"].get(f"{CE}traceparent", ""))
    at: datetime = row["last_at"]
    receipt = Receipt(
        # Intake tells its own rejection; the same key makes the two one.
        key=f"{row['message_id']}.{event}"
        if row["stage"] == "intake"
        else f"{row['message_id']}{_after(row['headers'])}.{row['route']}.{event}",
        event=event,
        at=at,
        message_id=row["message_id"],
        record_id=row["record_id"],
        source=row["source"],
        resource=row["resource"],
        subject=row["subject"],
        route=row["route"],
        version=row["version"],
        system=row["system"],
        attempt=row["attempts"],
        code=row["code"],
        faults=tuple(Fault(**each) for each in row["faults"]),
        trace=trace_id(traceparent),
    )
    return Outgoing(RECEIPTS, event.value, encode_receipt(receipt))


def _own_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """What we wrote, without what the broker or an earlier failure added; and who sent it again."""
    own = {
        name: value
        for name, value in headers.items()
        if name.startswith(CE) or name in ("x-key", "x-record", "x-operation", SERIES)
    }
    return own | ({SERIES: headers[REPLAY]} if REPLAY in headers else {})


def _died_in(headers: Mapping[str, Any]) -> str:
    """The queue that gave it up. The first death may have been a wait on the ladder."""
    deaths = headers.get("x-death")
    last = deaths[0] if isinstance(deaths, list) and deaths else {}
    queue = last.get("queue") if isinstance(last, dict) else None
    return queue if isinstance(queue, str) else _text(headers, "x-first-death-queue")


def _place(queue: str) -> tuple[str, str]:
    if route := route_of(queue):
        return "route", route
    if queue.startswith(SERVICE):
        return "service", queue.removeprefix(SERVICE)
    return "intake", ""


def _packed(body: Body) -> str:
    packed = b64encode(zlib.compress(encode_body(body)))
    return packed.decode() if len(packed) <= MOST_MAPPED_BYTES else ""


def _number(headers: Mapping[str, Any], name: str) -> int:
    value = headers.get(name)
    return value if isinstance(value, int) else 0


def _text(headers: Mapping[str, Any], name: str) -> str:
    value = headers.get(name)
    return value if isinstance(value, str) else ""
