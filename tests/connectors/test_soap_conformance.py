"""The SOAP connector, put to the suites over a real socket, with the reference site's descriptions."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

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
from connectors.soap import Settings, Soap
from hub.port import Inbound
from schemas.message import Body, Delivery, SystemCode
from simulators.signing import Doorkeeper, signed_headers
from simulators.soap_form import Schema, document, envelope, fault
from tests.connectors.socket_system import Asked, Said, SocketSystem, on_a_socket
from tests.simulators.exchange import a_delivery

SECRET = "a-shared-secret-of-both"
POLICE = "urn:shijiazhuang:special-industry"
FIRE = "urn:hebei:fire-safety:notification"
WSDL = Path(__file__).parents[2] / "sites/reference/wsdl"
PAGE_ROWS = 4
XML = {"Content-Type": "text/xml; charset=utf-8"}
SCHEMA = Schema("special-industry.xsd")
NUMBERS = count(1)


class Police:
    """SubmitCase and GetChanges, as the special-industry system has them."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Any]] = {}
        self.told: list[dict[str, Any]] = []
        self._doorkeeper = Doorkeeper(SECRET)

    def answers(self, asked: Asked) -> Said:
        if self._stranger(asked):
            return _fault("Client", "签名不符", 401)
        if asked.method == "GET":
            return Said(200, (WSDL / "special-industry.wsdl").read_bytes(), XML)
        name, content = SCHEMA.read(asked.body)
        if name == "GetChanges":
            after, limit = int(content.get("cursor") or 0), int(content["limit"])
            page = self.told[after : after + limit]
            return _said(name, {"resultCode": "00", "record": page, "next": after + len(page)})
        key = content.pop("requestId")
        repeated = key in self.held
        self.held.setdefault(key, content)
        number = f"TZHY{list(self.held).index(key) + 1:06}"
        return _said(name, {"resultCode": "01" if repeated else "00", "number": number})

    def says(self, fault: Fault, asked: Asked) -> Said:
        match fault:
            case Fault.BUSY:
                return Said(503, b"", {"Retry-After": f"{ASKED_S:.0f}"})
            case Fault.REFUSES:
                _, content = SCHEMA.read(asked.body)
                told = {"resultCode": "10", "resultMessage": f"“{content['sqr']['xm']}”不符"}
                return _said("SubmitCase", told | {"field": "sqr.xm"})
            case Fault.FORBIDS:
                return _fault("Client", f"{PERSON} {SECRET}", 403)
            case _:
                return Said(200, f"<html>{PERSON}".encode(), XML)

    def _stranger(self, asked: Asked) -> str:
        return self._doorkeeper.refusal(
            asked.method,
            asked.path,
            asked.query,
            asked.headers,
            asked.body,
            now_ms=time.time_ns() // 1_000_000,
        )


def _said(name: str, content: Mapping[str, Any]) -> Said:
    return Said(200, envelope(POLICE, f"{name}Response", content), XML)


def _fault(code: str, told: str, status: int = 500) -> Said:
    return Said(status, bytes(fault(code, told, status).body), XML)


def _settings(system: SocketSystem, **more: object) -> Settings:
    answer = {"done": ["00"], "repeated": ["01"], "refused": ["10"]}
    return Settings.model_validate(
        {
            "url": f"{system.url}/ws",
            "secret": SECRET,
            "wsdl": str(WSDL / "special-industry.wsdl"),
            "timeout_s": 2,
            "answer": answer,
            **more,
        }
    )


class PoliceRig:
    """The system, the connector to it, and its own view of both."""

    secret, refused_at, page_rows = SECRET, "/sqr/xm", PAGE_ROWS
    cannot: Mapping[Fault, str] = MappingProxyType({})

    def __init__(self, police: Police, system: SocketSystem, connector: Soap) -> None:
        self._police, self._system = police, system
        self.sink = self.source = connector

    def delivery(self) -> Delivery:
        # Not in the order of the schema: a mapping has none.
        payload: Body = {
            "cl": [
                {"mc": "营业执照", "ly": "SC", "fs": 1},
                {"mc": "<平面图> & 说明", "ly": "SC", "fs": 2},
            ],
            "sqr": {"xm": PERSON, "lx": "QY", "zjlx": "001", "zjhm": "91350100", "lxdh": "199"},
            "ywlsh": str(uuid4()),
            "sqbh": "MS1",
            "sxbm": "000109001000",
            "ssbm": "1",
            "sxmc": "旅馆业特种行业许可证核发",
            "blfs": "GZ",
            "lgmc": "云栖民宿",
            "lgdz": "测试路1号",
            "xzqh": "130131",
            "sqsj": "20260302000009",
            "cnts": 5,
            "fdts": 20,
            "lq": {"fs": "ZQ"},
        }
        return a_delivery("SubmitCase", payload)

    async def holds(self) -> list[Body]:
        return [_numbers(held) for held in self._police.held.values()]

    async def tells(self, count: int) -> list[str]:
        fresh = [_change() for _ in range(count)]
        self._police.told += fresh
        return [str(each["lsh"]) for each in fresh]

    def suffers(self, fault: Fault) -> None:
        self._system.suffers(fault)


def _numbers(held: Mapping[str, Any]) -> Body:
    """What the system read as text, as the numbers they are; an envelope knows none."""
    materials = [{**each, "fs": int(each["fs"])} for each in held["cl"]]
    return {**held, "cl": materials, "cnts": int(held["cnts"]), "fdts": int(held["fdts"])}


def _change() -> dict[str, Any]:
    return {
        "lsh": str(uuid4()),
        "xh": next(NUMBERS),
        "jdlx": "01",
        "ywlsh": "MS1-1",
        "sxbm": "000109001000",
        "xzqh": "130131",
        "dwmc": "公安局",
        "dwdm": "1",
        "jbr": PERSON,
        "fssj": "20260302000009",
    }


@pytest.fixture
async def police_rig() -> AsyncIterator[PoliceRig]:
    police = Police()
    feed = {"operation": "GetChanges", "kind": {"const": "progress"}, "key": "lsh"}
    async with (
        on_a_socket(police) as system,
        Soap(
            SystemCode("special-industry"),
            _settings(system, feed=feed | {"page_rows": PAGE_ROWS}),
        ) as soap,
    ):
        yield PoliceRig(police, system, soap)


class TestSoapDelivers(SinkConformance):
    @pytest.fixture
    def rig(self, police_rig: PoliceRig) -> SinkRig:
        return police_rig


class TestSoapReads(SourceConformance):
    @pytest.fixture
    def rig(self, police_rig: PoliceRig) -> SourceRig:
        return police_rig


class FireRig:
    """The fire brigade calls, with a notice attached."""

    secret = SECRET
    # Its description knows a result code, and nothing to put a number in.
    tells_number = False

    def __init__(self, receiver: Soap) -> None:
        self.receiver = receiver

    def document(self) -> bytes:
        return self._call(self._notice())

    def _notice(self) -> bytes:
        content = {
            "业务编号": "MS1-7",
            "事项编码": "000195007000",
            "顺序": 1,
            "通知类型": "受理",
            "发生时间": "2026年03月02日 00时00分09秒",
            "行政区划": "130131",
            "机构": {"名称": "消防救援总队", "代码": "1"},
            "经办人": PERSON,
        }
        return document("消防业务通知", content)

    def _call(self, notice: bytes) -> bytes:
        content = {
            "messageId": f"XF{next(NUMBERS)}",
            "bizNo": f"{PERSON}的业务",
            "noticeType": "受理",
            "attachment": base64.b64encode(notice).decode(),
        }
        return envelope(FIRE, "NotifyProgress", content)

    def pushed(self, document: bytes, *, secret: str | None = None) -> Inbound:
        at = datetime.now(UTC)
        headers = signed_headers(
            secret or SECRET,
            app_id="fire-safety",
            method="POST",
            url="http://hub/in/fire-safety/notification",
            body=document,
            now_ms=int(at.timestamp() * 1000),
        )
        lower = {name.lower(): value for name, value in headers.items()}
        return Inbound(
            method="POST", path="notification", headers=lower, body=document, received_at=at
        )

    def bombs(self) -> Sequence[bytes]:
        laughs = b'<!DOCTYPE l [<!ENTITY a "ha">%s]><l x="&a9;">&a9;</l>' % b"".join(
            b'<!ENTITY a%d "%s">' % (n, (b"&a%d;" % (n - 1) if n else b"&a;") * 10)
            for n in range(10)
        )
        reads_files = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE l [<!ENTITY a SYSTEM '
        reads_files += '"file:///etc/passwd">]><l>&a;</l>'
        bombs = (
            laughs,
            b" " * 5000 + laughs,
            reads_files.encode("utf-16"),
            b'<!DOCTYPE l SYSTEM "http://127.0.0.1:9/x.dtd"><l/>',
            b"<a>" * 100_000,
            b"<a>" * 100 + b"</a>" * 100,
            b"<a>" + b"<b/>" * 100_000 + b"</a>",
            b"<a>\x00</a>",
            b'{"a": 1}',
            b"",
        )
        return (*bombs, *(self._call(bomb) for bomb in bombs))


class TestSoapReceives(ReceiverConformance):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[ReceiverRig]:
        receives = {
            "wsdl": str(WSDL / "fire-notification.wsdl"),
            "operation": "NotifyProgress",
            "key": "messageId",
            "attachments": {
                "attachment": {"root": "消防业务通知", "xsd": str(WSDL / "fire-notice.xsd")}
            },
        }
        async with (
            on_a_socket(Police()) as system,
            Soap(SystemCode("fire-safety"), _settings(system, receives=receives)) as receiver,
        ):
            yield FireRig(receiver)
