"""The door for systems that push: ``POST /in/<system>/<path>``, and receipts for everybody.

The gateway owns the socket, the size limit and the ids; the system's connector (a
`hub.port.Receiver`) authenticates and decodes. An answer 202 means: the broker holds the record on
disk. A refusal names place and reason, in Chinese and English, and is a receipt like any other.

Units      sizes in bytes, time-outs in seconds
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub.broker import Publisher
from hub.envelope import Taken
from hub.ids import new_id, new_trace
from hub.intake import refusal, taken_in
from hub.pipeline import published
from hub.plan import Plan
from hub.port import Inbound, Outbound, Receiver
from hub.receipts import outcome
from hub.recover import faults_of
from hub.store import Store
from schemas.errors import Misconfigured, Rejected, Transient
from schemas.message import MessageId, Record, SystemCode
from schemas.texts import both

__all__ = ["MAX_BODY_BYTES", "Gateway"]

MAX_BODY_BYTES = 1_048_576
BODY_S = 30.0
LONGEST_WAIT_S, POLL_S = 30.0, 0.05
STATUS = {"sender.denied": 401, "body.too-large": 413, "record.unknown-kind": 404}
log = structlog.get_logger("hub.gateway")


@dataclass(frozen=True, slots=True)
class Gateway:
    """*receivers* by system code; *plan* gives the one in use."""

    receivers: Mapping[str, Receiver]
    publisher: Publisher
    store: Store
    clock: Callable[[], datetime]
    plan: Callable[[], Plan]

    def routes(self) -> list[Route]:
        return [
            Route("/in/{system}/{path:path}", self.take, methods=["POST", "PUT"]),
            Route("/api/receipts/{id}", self.receipt),
        ]

    async def take(self, request: Request) -> Response:
        system = SystemCode(request.path_params["system"])
        receiver = self.receivers.get(system)
        if receiver is None:
            fault = Rejected("sender.unknown", "No such system", system=system[:64])
            return JSONResponse({"reasons": [both(f) for f in fault.faults]}, 404)
        try:
            body = await _bounded_body(request)
        except Rejected as error:
            inbound = _inbound(request, b"", self.clock())
            return await self._refuse(receiver, inbound, system, error)
        except ClientDisconnect:
            return Response(status_code=400)
        inbound = _inbound(request, body, self.clock())
        try:
            records = receiver.receive(inbound)
            ids = await self._publish(system, records, inbound)
        except (Rejected, Misconfigured) as error:
            return await self._refuse(receiver, inbound, system, error)
        except Transient as error:
            log.warning("gateway.waiting", system=system, code=error.code)
            return JSONResponse({"reasons": [both(f) for f in faults_of(error)]}, 503, _LATER)
        if wait_s := _wait_asked(request):
            return await self._final(ids, wait_s)
        return _response(receiver.acknowledge(inbound, ids))

    async def receipt(self, request: Request) -> Response:
        """What became of a record: ``GET /api/receipts/<id>``."""
        asked, now = request.path_params["id"], self.clock()
        told = await self.store.read(lambda c: outcome(c, asked, now))
        return JSONResponse(told.shown(), 404 if told.unknown else 200)

    async def _publish(
        self, system: SystemCode, records: Sequence[Record], inbound: Inbound
    ) -> list[MessageId]:
        traceparent = inbound.headers.get("traceparent", "")
        taken = [
            Taken(
                id=new_id(inbound.received_at),
                system=system,
                received_at=inbound.received_at,
                traceparent=traceparent if _is_trace(traceparent) else new_trace(),
                record=record,
            )
            for record in records
        ]
        self._check_broker()
        plan = self.plan()
        await self.publisher.publish_all([taken_in(each, plan) for each in taken])
        return [each.id for each in taken]

    def _check_broker(self) -> None:
        """A sender is told at once; waiting here would only hold his connection."""
        if self.publisher.blocked:
            raise Transient("broker.refused", "The broker takes nothing now")

    async def _refuse(
        self,
        receiver: Receiver,
        inbound: Inbound,
        system: SystemCode,
        error: Rejected | Misconfigured,
    ) -> Response:
        faults = faults_of(error)
        at, record_id = inbound.received_at, new_id(inbound.received_at)
        receipt = refusal(record_id, system, inbound.path, error, at=at, traceparent=new_trace())
        log.info("record.refused", system=system, code=error.code, record=record_id)
        try:
            self._check_broker()
            await self.publisher.publish(published(receipt))
        except Transient as lost:
            log.warning("receipt.unconfirmed", record=record_id, code=lost.code)
        status = STATUS.get(error.code, 400)
        answer = _response(receiver.refuse(inbound, [both(fault) for fault in faults], status))
        answer.headers["X-Receipt-Id"] = record_id
        return answer

    async def _final(self, ids: Sequence[MessageId], wait_s: float) -> Response:
        """Wait for the pipeline's word, as ``Prefer: wait=<seconds>`` asks (RFC 7240)."""
        try:
            async with asyncio.timeout(wait_s):
                while True:
                    told = [
                        await self.store.read(partial(outcome, asked=each, now=self.clock()))
                        for each in ids
                    ]
                    if all(each.final for each in told):
                        break
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            return JSONResponse({"ids": ids, "state": "pending"}, 202)
        status = 200 if all(each.accepted for each in told) else 422
        return JSONResponse({"receipts": [each.shown() for each in told]}, status)


_LATER = {"Retry-After": "5"}


def _inbound(request: Request, body: bytes, at: datetime) -> Inbound:
    return Inbound(
        method=request.method,
        path=request.path_params["path"],
        query=dict(request.query_params),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
        received_at=at,
    )


async def _bounded_body(request: Request) -> bytes:
    """The body, read no further than the limit. Raises `Rejected` when it is longer or too slow."""
    too_large = Rejected("body.too-large", "Body too large", limit_bytes=MAX_BODY_BYTES)
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
        raise too_large
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_S):
            async for part in request.stream():
                size += len(part)
                if size > MAX_BODY_BYTES:
                    raise too_large
                parts.append(part)
    except TimeoutError as error:
        raise Rejected("body.too-slow", "The body did not arrive in time") from error
    return b"".join(parts)


def _response(outbound: Outbound) -> Response:
    return Response(outbound.body, outbound.status, media_type=outbound.content_type)


def _wait_asked(request: Request) -> float:
    for part in request.headers.get("prefer", "").split(","):
        name, _, value = part.strip().partition("=")
        if name == "wait" and value.isdigit():
            return min(float(value), LONGEST_WAIT_S)
    return 0.0


def _is_trace(text: str) -> bool:
    parts = text.split("-")
    return (
        [len(part) for part in parts] == [2, 32, 16, 2]
        and all(set(part) <= set("0123456789abcdef") for part in parts)
        and set(parts[1]) != {"0"}
    )
