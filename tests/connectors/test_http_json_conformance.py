"""The JSON connector, put to the suites over a real socket, in all its parts.

The partner checks our signatures with its own program (`simulators.signing`), and signs with it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import orjson
import pytest

from connectors.conformance import (
    ASKED_S,
    PERSON,
    Fault,
    ReceiverConformance,
    ReceiverRig,
    SinkConformance,
    SinkRig,
    SourceConformance,
    SourceRig,
)
from connectors.http_json import HttpJson, Settings
from hub.port import Inbound
from schemas.message import Body, Delivery, SystemCode
from simulators.signing import Doorkeeper, signed_headers
from simulators.sm2_command import OpensslSm2
from tests.connectors.sm2_parties import parties
from tests.connectors.socket_system import Asked, Said, SocketSystem, on_a_socket
from tests.simulators.exchange import a_delivery

__all__ = ["SYSTEM", "JsonRig", "Statuses"]

SECRET = "a-shared-secret-of-both"
SYSTEM = SystemCode("one-window")
PAGE_ROWS = 4
needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl command")


def said(status: int, document: object, **headers: str) -> Said:
    return Said(status, orjson.dumps(document), {"Content-Type": "application/json", **headers})


class Statuses:
    """Says how it went by the status, as the one-window platform does."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Any]] = {}
        self.told: list[dict[str, Any]] = []
        self._doorkeeper = self.a_doorkeeper()

    def a_doorkeeper(self) -> Doorkeeper:
        return Doorkeeper(SECRET)

    def answers(self, asked: Asked) -> Said:
        if why := self._stranger(asked):
            return said(401, {"reason": why})
        if asked.method == "GET":
            return self._asked(asked)
        key = asked.headers["idempotency-key"]
        repeated = key in self.held
        self.held.setdefault(key, orjson.loads(asked.body))
        number = f"YC{list(self.held).index(key) + 1:06}"
        return self.taken(number, repeated=repeated)

    def taken(self, number: str, *, repeated: bool) -> Said:
        return said(409 if repeated else 201, {"number": number})

    def says(self, fault: Fault, asked: Asked) -> Said:
        match fault:
            case Fault.BUSY:
                return said(503, {}, **{"Retry-After": f"{ASKED_S:.0f}"})
            case Fault.REFUSES:
                name = orjson.loads(asked.body)["party"]["name"]
                return said(422, {"reason": f"姓名“{name}”不符", "item": "party.name"})
            case Fault.FORBIDS:
                return said(403, {"reason": f"bad key {SECRET}, {PERSON}"})
            case _:
                return said(200, [PERSON, "<html>"])

    def _stranger(self, asked: Asked) -> str:
        return self._doorkeeper.refusal(
            asked.method,
            asked.path,
            asked.query,
            asked.headers,
            asked.body,
            now_ms=time.time_ns() // 1_000_000,
        )

    def _asked(self, asked: Asked) -> Said:
        if asked.path.endswith("/ping"):
            return said(200, {"ok": True, "code": "0"})
        after, limit = int(asked.asked.get("after") or 0), int(asked.asked["limit"])
        page = self.told[after : after + limit]
        return said(200, {"code": "0", "items": page, "next": str(after + len(page))})


class Words(Statuses):
    """Says 200 to nearly everything and means it by a word, as the market supervision does."""

    def taken(self, number: str, *, repeated: bool) -> Said:
        return said(200, {"code": "1002" if repeated else "0", "number": number})

    def says(self, fault: Fault, asked: Asked) -> Said:
        if fault is Fault.REFUSES:
            name = orjson.loads(asked.body)["party"]["name"]
            told = {"code": "4001", "reason": f"{name}：身份证号不符", "item": "party.name"}
            return said(200, told)
        if fault is Fault.FORBIDS:
            return said(200, {"code": "4010", "reason": f"{PERSON} {SECRET}"})
        if fault is Fault.GIBBERISH:
            return said(200, {"code": PERSON})
        return super().says(fault, asked)


class ByKeys(Statuses):
    """Signs and verifies by SM2, with the openssl command."""

    def a_doorkeeper(self) -> Doorkeeper:
        return Doorkeeper(parties().partner)


WORDS = {"done": ["0"], "repeated": ["1002"], "refused": ["4001"], "denied": ["4010"]}


def settings(system: SocketSystem, **more: object) -> Settings:
    signing = more.pop("signing", {"secret": SECRET})
    assert isinstance(signing, dict)
    return Settings.model_validate({"url": f"{system.url}/api", "timeout_s": 2, **signing, **more})


class JsonRig:
    """A system, the connector to it, and its own view of both."""

    secret, refused_at, page_rows = SECRET, "/party/name", PAGE_ROWS
    cannot: Mapping[Fault, str] = MappingProxyType({})
    tells_number = True

    def __init__(self, tongue: Statuses, system: SocketSystem | None, connector: HttpJson) -> None:
        self._tongue, self.system = tongue, system
        self.sink = self.source = self.receiver = connector

    def delivery(self) -> Delivery:
        payload: Body = {
            "apply_no": str(uuid4()),
            "party": {"name": PERSON},
            "days": 5,
            "posted": True,
        }
        return a_delivery("cases", payload)

    async def holds(self) -> list[Body]:
        return list(self._tongue.held.values())

    async def tells(self, count: int) -> list[str]:
        fresh = [{"id": str(uuid4()), "sort": "event", "who": PERSON} for _ in range(count)]
        self._tongue.told += fresh
        return [each["id"] for each in fresh]

    def suffers(self, fault: Fault) -> None:
        assert self.system
        self.system.suffers(fault)

    def document(self) -> bytes:
        event = {"event_id": str(uuid4()), "who": PERSON, "材料": ["营业执照", 1.5, None]}
        return orjson.dumps(event)

    def agreed(self, secret: str | None) -> str | OpensslSm2:
        return secret or SECRET

    def pushed(self, document: bytes, *, secret: str | None = None) -> Inbound:
        at = datetime.now(UTC)
        headers = signed_headers(
            self.agreed(secret),
            app_id=SYSTEM,
            method="POST",
            url=f"http://hub/in/{SYSTEM}/event",
            body=document,
            now_ms=int(at.timestamp() * 1000),
        )
        lower = {name.lower(): value for name, value in headers.items()}
        return Inbound(method="POST", path="event", headers=lower, body=document, received_at=at)

    def bombs(self) -> Sequence[bytes]:
        return (
            b"[" * 500_000,
            b'{"a":' * 300 + b"1" + b"}" * 300,
            b"[" * 100 + b"]" * 100,
            b'{"a": ' + b"9" * 100_000 + b"}",
            b'{"a": 1, "a": 2}',
            b'{"a": 1e99999}',
            b'{"a": 123456789012345678901234567890}',
            b'{"a": "\\ud800"}',
            b'{"a": NaN}',
            b"\x00" * 1000,
            b"[1, 2]",
            b'"text"',
            b"",
        )


@pytest.fixture(params=[Statuses, Words])
async def sink_rig(request: pytest.FixtureRequest) -> AsyncIterator[SinkRig]:
    tongue = request.param()
    more = {"judged": WORDS} if request.param is Words else {}
    async with (
        on_a_socket(tongue) as system,
        HttpJson(SYSTEM, settings(system, **more)) as sink,
    ):
        yield JsonRig(tongue, system, sink)


class TestHttpJsonDelivers(SinkConformance):
    @pytest.fixture
    def rig(self, sink_rig: SinkRig) -> SinkRig:
        return sink_rig


class TestHttpJsonReads(SourceConformance):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[SourceRig]:
        tongue = Statuses()
        feed = {"path": "changes", "kind": {"path": "sort"}, "key": "id", "page_rows": PAGE_ROWS}
        async with (
            on_a_socket(tongue) as system,
            HttpJson(SYSTEM, settings(system, feed=feed)) as source,
        ):
            yield JsonRig(tongue, system, source)


class TestHttpJsonReceives(ReceiverConformance):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[ReceiverRig]:
        tongue = Statuses()
        async with (
            on_a_socket(tongue) as system,
            HttpJson(SYSTEM, settings(system, receives=True)) as receiver,
        ):
            yield JsonRig(tongue, system, receiver)


@needs_openssl
class TestHttpJsonDeliversBySm2(SinkConformance):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[SinkRig]:
        tongue = ByKeys()
        async with (
            on_a_socket(tongue) as system,
            HttpJson(SYSTEM, settings(system, signing=parties().profile)) as sink,
        ):
            yield JsonRig(tongue, system, sink)


class Sm2Rig(JsonRig):
    """The partner pushes with its key. *secret*, which must not show, is the hub's own."""

    def __init__(self, tongue: Statuses, system: SocketSystem | None, connector: HttpJson) -> None:
        super().__init__(tongue, system, connector)
        self.secret = parties().hub.hex

    def agreed(self, secret: str | None) -> str | OpensslSm2:
        return parties().partner if secret is None else parties().stranger


@needs_openssl
class TestHttpJsonReceivesBySm2(ReceiverConformance):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[ReceiverRig]:
        tongue = ByKeys()
        async with (
            on_a_socket(tongue) as system,
            HttpJson(
                SYSTEM, settings(system, signing=parties().profile, receives=True)
            ) as receiver,
        ):
            yield Sm2Rig(tongue, system, receiver)
