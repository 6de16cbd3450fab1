"""The door: 202 only after the broker's word; every refusal names place and reason."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Self

import httpx
import orjson
import pytest
from starlette.applications import Starlette

from hub.gateway import MAX_BODY_BYTES, Gateway
from hub.port import Inbound, Outbound, Traits
from schemas.errors import Misconfigured, Rejected
from schemas.message import MessageId, Record
from schemas.receipt import Event
from tests.hub.conftest import Running, a_step, now


class Door:
    """A receiver: JSON in, and a key word as its password."""

    traits = Traits(idempotent=True, says_why=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None: ...

    async def check(self) -> None: ...

    def receive(self, request: Inbound, /) -> Sequence[Record]:
        if request.headers.get("x-word") != "sesame":
            raise Misconfigured("sender.denied", "Wrong word")
        try:
            body = orjson.loads(request.body)
        except orjson.JSONDecodeError as error:
            raise Rejected("body.malformed", "Not JSON", at="/") from error
        return [
            Record(kind=request.path, key=request.headers.get("idempotency-key", ""), body=body)
        ]

    def acknowledge(self, request: Inbound, ids: Sequence[MessageId], /) -> Outbound:
        return Outbound(202, "application/json", orjson.dumps({"id": ids[0]}))

    def refuse(self, request: Inbound, reasons: Sequence[str], status: int, /) -> Outbound:
        return Outbound(status, "application/json", orjson.dumps({"reasons": list(reasons)}))


@pytest.fixture
async def client(running: Running) -> AsyncIterator[httpx.AsyncClient]:
    gateway = Gateway(
        {"sender": Door()}, running.publisher, running.store, now, lambda: running.engine.plan
    )
    app = Starlette(routes=gateway.routes())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://hub", headers={"x-word": "sesame"}
    ) as client:
        yield client


async def test_a_pushed_record_is_delivered(running: Running, client: httpx.AsyncClient) -> None:
    """202 with an id, by which the receipt tells every delivery."""
    answer = await client.post("/in/sender/step", json=a_step("A1"))
    await running.until(Event.DELIVERY_DONE, 2)

    receipt = (await client.get(f"/api/receipts/{answer.json()['id']}")).json()

    assert 202 == answer.status_code
    assert "accepted" == receipt["state"]
    assert {("left", "delivered"), ("right", "delivered")} == {
        (each["system"], each["state"]) for each in receipt["deliveries"]
    }


async def test_a_sender_may_wait_for_the_word(running: Running, client: httpx.AsyncClient) -> None:
    """``Prefer: wait``: the final receipt in the answer, 200 or 422 with every fault."""
    wait = {"Prefer": "wait=10"}

    good = await client.post("/in/sender/step", json=a_step("A1"), headers=wait)
    bad = await client.post("/in/sender/step", json={"bh": "A" * 21, "qh": "x"}, headers=wait)

    assert (200, "accepted") == (good.status_code, good.json()["receipts"][0]["state"])
    (receipt,) = bad.json()["receipts"]
    assert (422, "rejected") == (bad.status_code, receipt["state"])
    assert all(each["zh"] and each["en"] for each in receipt["reasons"])


async def test_a_refusal_is_a_receipt(running: Running, client: httpx.AsyncClient) -> None:
    """Not decodable: 400 with the reason in both languages, and a row in the ledger."""
    answer = await client.post("/in/sender/step", content=b"{")

    (refused,) = await running.until(Event.RECORD_REFUSED, 1)

    assert 400 == answer.status_code
    assert "JSON" in answer.json()["reasons"][0]
    assert answer.headers["x-receipt-id"] == refused["record_id"]


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_over_the_limit_is_read_no_further(
    running: Running, client: httpx.AsyncClient, *, announced: bool
) -> None:
    """20 MB, with and without a length in front: 413, and nothing reaches the pipeline."""
    parts = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal parts
        for _ in range(20):
            parts += 1
            yield b"x" * 1_048_576

    content = b"x" * (20 * MAX_BODY_BYTES) if announced else endless()
    answer = await client.post("/in/sender/step", content=content)

    assert 413 == answer.status_code
    assert str(MAX_BODY_BYTES) in answer.json()["reasons"][0]
    (refused,) = await running.until(Event.RECORD_REFUSED, 1)
    assert "body.too-large" == refused["code"]
    assert not await running.rows(Event.RECORD_RECEIVED)


async def test_strangers_stay_outside(running: Running, client: httpx.AsyncClient) -> None:
    """Wrong signature: 401; unknown system: 404; neither tells more than it must."""
    denied = await client.post("/in/sender/step", json={}, headers={"x-word": "open"})
    unknown = await client.post("/in/nobody/step", json={})

    assert (401, 404) == (denied.status_code, unknown.status_code)


async def test_an_unknown_receipt_is_unknown(client: httpx.AsyncClient) -> None:
    """No guessing: 404."""
    assert 404 == (await client.get("/api/receipts/none")).status_code
