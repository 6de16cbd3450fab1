"""Notices that a system sends by SOAP: unpacked, or refused with the place in the partner's record."""

from __future__ import annotations

import base64
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.conformance import PERSON
from connectors.soap import Settings, Soap
from hub.port import Inbound
from schemas.errors import Misconfigured, Rejected
from schemas.message import SystemCode
from schemas.texts import both
from simulators.signing import signed_headers
from simulators.sm2_command import OpensslSm2
from simulators.soap_form import Schema, document, envelope
from tests.connectors.sm2_parties import parties

NOTICES = "urn:hebei:fire-safety:notification"
WSDL = Path(__file__).parents[2] / "sites/reference/wsdl"
SECRET = "a-shared-secret-of-both"
STAMP = "2026年03月02日 00时00分09秒"
AT = datetime(2026, 3, 2, tzinfo=UTC)


def settings(**more: object) -> Settings:
    """Nobody is called: the address leads nowhere."""
    given = {
        "url": "http://127.0.0.1:9/ws",
        "secret": SECRET,
        "wsdl": str(WSDL / "fire-safety.wsdl"),
        "answer": {"done": ["0"]},
    }
    return Settings.model_validate({**given, **more})


RECEIVES: dict[str, Any] = {
    "wsdl": str(WSDL / "fire-notification.wsdl"),
    "operation": "NotifyProgress",
    "key": "messageId",
    "attachments": {"attachment": {"root": "消防业务通知", "xsd": str(WSDL / "fire-notice.xsd")}},
}
A_NOTICE: dict[str, Any] = {
    "业务编号": "MS1-7",
    "事项编码": "000195007000",
    "顺序": 3,
    "通知类型": "补正",
    "发生时间": STAMP,
    "行政区划": "130131",
    "机构": {"名称": "消防救援总队", "代码": "1"},
    "经办人": PERSON,
    "补正": {"次数": 1, "内容": "请补正", "材料": ["平面图", "承诺书"]},
}


@pytest.fixture
async def receiver() -> AsyncIterator[Soap]:
    given = settings(receives=RECEIVES, delivers=False)
    async with Soap(SystemCode("fire-safety"), given) as soap:
        yield soap


def pushed(body: bytes, by: str | OpensslSm2 = SECRET) -> Inbound:
    headers = signed_headers(
        by,
        app_id="fire-safety",
        method="POST",
        url="http://hub/in/fire-safety/notification",
        body=body,
        now_ms=int(AT.timestamp() * 1000),
    )
    return Inbound(
        method="POST",
        path="notification",
        headers={name.lower(): value for name, value in headers.items()},
        body=body,
        received_at=AT,
    )


def call(notice: bytes, **more: object) -> bytes:
    content = {
        "messageId": "XF-1",
        "bizNo": "MS1-7",
        "noticeType": "补正",
        "attachment": base64.b64encode(notice).decode(),
        **more,
    }
    return envelope(NOTICES, "NotifyProgress", content)


async def test_a_notice_is_unpacked(receiver: Soap) -> None:
    """The attached document stands in the record as what it says."""
    (record,) = receiver.receive(pushed(call(document("消防业务通知", A_NOTICE))))

    notice: Any = record.body["attachment"]
    assert ("notification", "XF-1", "") == (record.kind, record.key, record.cursor)
    assert ("MS1-7", "3", ["平面图", "承诺书"]) == (
        notice["业务编号"],
        notice["顺序"],
        notice["补正"]["材料"],
    )


NOTICE = document("消防业务通知", A_NOTICE)


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl command")
async def test_a_call_signed_by_sm2_is_let_in() -> None:
    """Where that was agreed; the shared secret opens nothing there."""
    by_keys: dict[str, object] = {"secret": None, **parties().profile}
    given = settings(receives=RECEIVES, delivers=False, **by_keys)
    async with Soap(SystemCode("fire-safety"), given) as soap:
        assert 1 == len(soap.receive(pushed(call(NOTICE), parties().partner)))
        for stranger in (SECRET, parties().stranger):
            with pytest.raises(Misconfigured) as caught:
                soap.receive(pushed(call(NOTICE), stranger))
            assert "sender.denied" == caught.value.code


@pytest.mark.parametrize(
    ("body", "code", "at"),
    [
        (call(NOTICE, bizNo="9" * 51), "xml.invalid", "/bizNo"),
        (call(NOTICE, noticeType=None), "xml.element", "/attachment"),
        (call(NOTICE, attachment="*"), "xml.base64", "/attachment"),
        (call(b"<other/>"), "xml.root", "/attachment"),
        (call(b"\x89PNG"), "xml.malformed", "/attachment"),
        (call(b"<!DOCTYPE a><a/>"), "xml.dtd", "/attachment"),
        (call(b"<a>" * 40 + b"</a>" * 40), "xml.too-deep", "/attachment"),
        (
            call(document("消防业务通知", {**A_NOTICE, "发生时间": "2026-03-02"})),
            "xml.invalid",
            "/attachment/发生时间",
        ),
        (envelope(NOTICES, "NotifyProgressResponse", {}), "soap.operation", ""),
        (envelope("urn:another", "NotifyProgress", {}), "xml.invalid", ""),
        (NOTICE, "soap.envelope", ""),
        (b"{}", "xml.malformed", ""),
    ],
)
async def test_what_is_wrong_with_a_notice_is_placed(
    receiver: Soap, body: bytes, code: str, at: str
) -> None:
    """By a pointer into the partner's own record, with a text without gaps."""
    with pytest.raises(Rejected) as caught:
        receiver.receive(pushed(body))

    first = caught.value.faults[0]
    assert (code, at) == (first.code, first.at)
    assert "?" not in both(first)


async def test_the_answer_fits_the_partners_description(receiver: Soap) -> None:
    """Told as the partner's own program reads it."""
    answer = receiver.acknowledge(pushed(call(NOTICE)), [])

    read = Schema("fire-notification.xsd").read(answer.body)
    assert 200 == answer.status
    assert ("NotifyProgressResponse", {"resultCode": "0"}) == read


@pytest.mark.parametrize(
    ("status", "code"), [(400, "Client"), (401, "Client"), (429, "Server"), (503, "Server")]
)
async def test_a_refusal_says_whose_doing_it_is(receiver: Soap, status: int, code: str) -> None:
    """After a server's fault a partner tries again, after a client's it does not."""
    answer = receiver.refuse(pushed(b""), ["缺项\x00 / missing", "第二条"], status)

    assert (status, "text/xml; charset=utf-8") == (answer.status, answer.content_type)
    assert f"<faultcode>soap:{code}</faultcode>" in answer.body.decode()
    assert "缺项 / missing\n第二条" in answer.body.decode()


async def test_who_does_not_call_is_not_let_in() -> None:
    """A signature alone opens no door that the profile does not have."""
    async with Soap(SystemCode("fire-safety"), settings()) as soap:
        with pytest.raises(Misconfigured) as caught:
            soap.receive(pushed(call(NOTICE)))

    assert "sender.denied" == caught.value.code
