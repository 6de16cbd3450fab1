"""The SOAP connector, where the suites do not reach: answers of every sort, documents, feeds."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from connectors.conformance import PERSON, Fault
from connectors.soap import Settings, Soap
from hub.port import Cursor
from schemas.errors import HubError, Misconfigured, Rejected, Transient
from schemas.message import Body, Json, SystemCode
from schemas.texts import both
from simulators.soap_form import Schema, envelope, fault
from tests.connectors.socket_system import Asked, Said, SocketSystem, on_a_socket
from tests.simulators.exchange import a_delivery

FIRE = "urn:hebei:fire-safety"
POLICE = "urn:shijiazhuang:special-industry"
WSDL = Path(__file__).parents[2] / "sites/reference/wsdl"
SECRET = "a-shared-secret-of-both"
XML = {"Content-Type": "text/xml; charset=utf-8"}
MEGABYTE = 1_048_576
STAMP = "2026年03月02日 00时00分09秒"


@dataclass
class Says:
    """One thing after the other, the last again and again."""

    said: list[Said]
    asked: list[Asked] = field(default_factory=list)

    def answers(self, asked: Asked) -> Said:
        self.asked.append(asked)
        return self.said.pop(0) if len(self.said) > 1 else self.said[0]

    def says(self, fault: Fault, asked: Asked) -> Said:
        return self.answers(asked)


def told(content: Mapping[str, Any], status: int = 200, name: str = "ReplySupplement") -> Said:
    return Said(status, envelope(FIRE, f"{name}Response", content), XML)


def faulty(code: str, reason: str = "", status: int = 500) -> Said:
    return Said(status, bytes(fault(code, reason, status).body), XML)


def settings(url: str, **more: object) -> Settings:
    attached = {"root": "消防安全检查申请", "xsd": str(WSDL / "fire-application.xsd")}
    given = {
        "url": f"{url}/ws",
        "secret": SECRET,
        "wsdl": str(WSDL / "fire-safety.wsdl"),
        "timeout_s": 2,
        "answer": {"done": ["0"], "repeated": ["2"], "refused": ["1"]},
        "attachments": {"attachment": attached},
    }
    return Settings.model_validate({**given, **more})


def connector(system: SocketSystem, **more: object) -> Soap:
    return Soap(SystemCode("fire-safety"), settings(system.url, **more))


A_REPLY: Body = {"bizNo": "MS1-7", "no": 1, "repliedAt": STAMP, "reply": f"{PERSON}已补正"}
AN_APPLICATION: dict[str, Json] = {
    "申报编号": "MS1-7",
    "事项编码": "000195007000",
    "实施编码": "1",
    "事项名称": "公众聚集场所投入使用、营业前消防安全检查",
    "办理方式": "承诺",
    "申请人": {
        "名称": PERSON,
        "类型": "个人",
        "证件类型": "身份证",
        "证件号码": "1",
        "联系电话": "1",
    },
    "场所": {"名称": "<云栖> & 民宿", "地址": "测试路1号", "行政区划": "130131"},
    "申报时间": STAMP,
    "承诺工作日": 5,
    "法定工作日": 10,
    "领取": {"方式": "现场"},
    "材料": [{"名称": "平面图", "份数": 1}, {"名称": "承诺书", "份数": 2}],
}


def a_submission(**more: Json) -> Body:
    application = {**AN_APPLICATION, **more}
    return {"bizNo": "MS1-7", "matter": "000195007000", "attachment": application}


DONE = {"resultCode": "0", "number": "XF1"}


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        (told({"resultCode": "1", "field": "bizNo"}), Rejected, "target.refused"),
        (told({"resultCode": "9"}), Transient, "target.busy"),
        (told({"resultCode": "0"}), Transient, "target.gibberish"),
        (told({"number": "XF1"}), Transient, "target.gibberish"),
        (told(DONE, name="SubmitInspection"), Transient, "target.gibberish"),
        (told(DONE, status=500), Transient, "target.busy"),
        (told(DONE, status=503), Transient, "target.busy"),
        (told(DONE, status=301), Transient, "target.busy"),
        (told(DONE, status=404), Misconfigured, "target.denied"),
        (faulty("Client", "签名不符", 401), Misconfigured, "target.denied"),
        (faulty("Client", "无此操作"), Rejected, "target.refused"),
        (faulty("Client", "无此操作", 200), Rejected, "target.refused"),
        (faulty("Client", "稍后", 503), Transient, "target.busy"),
        (faulty("Client.Authentication", "密钥"), Misconfigured, "target.denied"),
        (faulty("Server", "系统内部错误"), Transient, "target.busy"),
        (faulty("ServerOfClients", "系统内部错误"), Transient, "target.busy"),
        (Said(500, b"Traceback"), Transient, "target.busy"),
        (Said(429, b""), Transient, "target.busy"),
        (Said(400, b"<html>"), Transient, "target.gibberish"),
        (Said(200, b""), Transient, "target.gibberish"),
        (Said(200, b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"), Transient, "target.gibberish"),
        (Said(200, b"<a>" * 100_000), Transient, "target.gibberish"),
        (Said(200, b" " * 5 * MEGABYTE), Transient, "target.gibberish"),
        (
            Said(200, told(DONE).body.replace(b"soap/envelope", b"soup/envelope")),
            Transient,
            "target.gibberish",
        ),
    ],
)
async def test_what_an_answer_means(said: Said, kind: type[HubError], code: str) -> None:
    """By status first, then by the fault, the schema and the code."""
    async with on_a_socket(Says([said])) as system, connector(system) as sink:
        with pytest.raises(HubError) as caught:
            await sink.deliver(a_delivery("ReplySupplement", A_REPLY))

    assert (kind, code) == (type(caught.value), caught.value.code)


async def test_a_wait_is_passed_on_with_a_busy_code() -> None:
    """Busy is said by a code with 200, and for how long by a header."""
    said = told({"resultCode": "9"})
    busy = Said(200, said.body, {**said.headers, "Retry-After": "7"})
    async with on_a_socket(Says([busy])) as system, connector(system) as sink:
        with pytest.raises(Transient) as caught:
            await sink.deliver(a_delivery("ReplySupplement", A_REPLY))

    assert (7.0, "9") == (caught.value.after_s, caught.value.facts["word"])


async def test_a_call_is_what_the_description_says() -> None:
    """Its action, its own namespace, our key, which no item of the payload may replace."""
    says = Says([told(DONE)])
    delivery = a_delivery("ReplySupplement", {**A_REPLY, "requestId": "another"})
    async with on_a_socket(says) as system, connector(system) as sink:
        assert "XF1" == (await sink.deliver(delivery)).number

    name, content = Schema("fire-safety.xsd").read(says.asked[0].body)
    assert f'"{FIRE}/ReplySupplement"' == says.asked[0].headers["soapaction"]
    assert ("ReplySupplement", delivery.key) == (name, content["requestId"])


async def test_a_document_is_attached() -> None:
    """As base64 of XML that fits the schema, all of it as it was."""
    says = Says([told(DONE, name="SubmitInspection")])
    async with on_a_socket(says) as system, connector(system) as sink:
        await sink.deliver(a_delivery("SubmitInspection", a_submission()))

    _, content = Schema("fire-safety.xsd").read(says.asked[0].body)
    name, held = Schema("fire-application.xsd").read(base64.b64decode(content["attachment"]))
    assert ("消防安全检查申请", "<云栖> & 民宿") == (name, held["场所"]["名称"])
    assert ["平面图", "承诺书"] == [each["名称"] for each in held["材料"]]


async def test_what_a_document_holds_is_not_quoted() -> None:
    """The clerk's reason is shown; the citizen from inside the attachment is not."""
    refusal = {"resultCode": "1", "resultMessage": f"{PERSON}证件有误", "field": "attachment"}
    says = Says([told(refusal, name="SubmitInspection")])
    async with on_a_socket(says) as system, connector(system) as sink:
        with pytest.raises(Rejected) as caught:
            await sink.deliver(a_delivery("SubmitInspection", a_submission()))

    assert ("/attachment", "…证件有误") == (caught.value.at, caught.value.facts["reason"])


@pytest.mark.parametrize(
    ("call", "payload", "code", "at"),
    [
        ("ReplySupplement", {**A_REPLY, "no": "first"}, "soap.content", "/no"),
        ("ReplySupplement", {**A_REPLY, "repliedAt": "2026-03-02"}, "soap.content", "/repliedAt"),
        ("ReplySupplement", {"bizNo": "1", "no": 1}, "soap.content", "/repliedAt"),
        ("ReplySupplement", {**A_REPLY, "unknown": "1"}, "soap.content", ""),
        ("ReplySupplement", {**A_REPLY, "reply": "\x00"}, "soap.content", ""),
        (
            "SubmitInspection",
            a_submission(申报时间="2026-03-02"),
            "soap.content",
            "/attachment/申报时间",
        ),
        (
            "SubmitInspection",
            a_submission(材料=[{"名称": "a", "份数": 1}, {"名称": "b", "份数": "x"}]),
            "soap.content",
            "/attachment/材料/1/份数",
        ),
        (
            "SubmitInspection",
            a_submission(事项名称="a\x0b"),
            "xml.character",
            "/attachment/事项名称",
        ),
    ],
)
async def test_what_does_not_fit_is_not_sent(call: str, payload: Body, code: str, at: str) -> None:
    """It is refused here, with its place in the payload and a text without gaps."""
    says = Says([told(DONE)])
    async with on_a_socket(says) as system, connector(system) as sink:
        with pytest.raises(Rejected) as caught:
            await sink.deliver(a_delivery(call, payload))

    assert (code, at) == (caught.value.code, caught.value.faults[0].at)
    assert "?" not in both(caught.value.faults[0])
    assert PERSON not in str(caught.value.faults)
    assert [] == says.asked


async def test_an_operation_that_is_not_described_stops_the_route() -> None:
    """Every message would fail alike: a route's mistake, not a record's."""
    async with on_a_socket(Says([told(DONE)])) as system, connector(system) as sink:
        with pytest.raises(Misconfigured) as caught:
            await sink.deliver(a_delivery("Unknown", A_REPLY))

    assert ("soap.operation", "Unknown") == (caught.value.code, caught.value.facts["operation"])


@pytest.mark.parametrize(
    ("status", "kind"), [(401, Misconfigured), (404, Misconfigured), (500, Transient)]
)
async def test_a_check_tells_who_must_act(status: int, kind: type[HubError]) -> None:
    """A person, or nobody."""
    async with on_a_socket(Says([Said(status, b"")])) as system, connector(system) as sink:
        with pytest.raises(kind):
            await sink.check()


def change(key: str) -> dict[str, Any]:
    return {
        "lsh": key,
        "xh": 1,
        "jdlx": "03",
        "ywlsh": "MS1-1",
        "sxbm": "000109001000",
        "xzqh": "130131",
        "dwmc": "公安局",
        "dwdm": "1",
        "jbr": PERSON,
        "fssj": "20260302000009",
        "bzcl": ["身份证", "租赁合同"],
    }


def page(records: list[dict[str, Any]], following: str, code: str = "00") -> Said:
    content = {"resultCode": code, "record": records, "next": following}
    return Said(200, envelope(POLICE, "GetChangesResponse", content), XML)


def police(system: SocketSystem, **feed: object) -> Soap:
    given = {"operation": "GetChanges", "kind": {"const": "progress"}, "key": "lsh", **feed}
    more = {
        "wsdl": str(WSDL / "special-industry.wsdl"),
        "answer": {"done": ["00"], "repeated": ["01"], "refused": ["10"]},
        "attachments": {},
        "delivers": False,
        "feed": given,
    }
    return Soap(SystemCode("special-industry"), settings(system.url, **more))


async def test_pages_are_followed_to_the_end() -> None:
    """A full page is followed by another; only a page's last record carries its cursor."""
    says = Says([page([change("a"), change("b")], "2"), page([change("c")], "3")])
    async with on_a_socket(says) as system, police(system, page_rows=2) as source:
        records = [record async for record in source.records(Cursor("0"))]

    schema = Schema("special-industry.xsd")
    asked = [schema.read(each.body)[1] for each in says.asked]
    assert [("progress", "a", ""), ("progress", "b", "2"), ("progress", "c", "3")] == [
        (record.kind, record.key, record.cursor) for record in records
    ]
    assert [("0", "2"), ("2", "2")] == [(each["cursor"], each["limit"]) for each in asked]
    assert ["身份证", "租赁合同"] == records[0].body["bzcl"]


async def test_an_entry_without_its_key_blocks_nothing() -> None:
    """It comes out too, under a kind that no intake knows, so that a person gets to see it."""
    says = Says([page([change("a"), change("b")], "2")])
    async with on_a_socket(says) as system, police(system, key="wsh") as source:
        records = [record async for record in source.records(None)]

    assert ["unreadable", "unreadable"] == [record.kind for record in records]
    assert 2 == len({record.key for record in records})
    assert ["", "2"] == [record.cursor for record in records]


async def test_a_feed_that_says_it_is_busy_is_not_an_empty_one() -> None:
    """Else a partner that fails all day looks like one where nothing happens."""
    async with on_a_socket(Says([page([], "0", code="90")])) as system, police(system) as source:
        with pytest.raises(Transient) as caught:
            [record async for record in source.records(None)]

    assert ("target.busy", "90") == (caught.value.code, caught.value.facts["word"])


def test_abilities_are_what_the_profile_holds() -> None:
    """The composition root links a system by these."""
    feed = {"operation": "GetChanges", "kind": {"const": "progress"}, "key": "lsh"}
    receives = {"wsdl": "x.wsdl", "operation": "NotifyProgress", "key": "messageId"}
    for more, able in (
        ({}, {"deliver"}),
        ({"delivers": False, "feed": feed}, {"records"}),
        ({"receives": receives}, {"deliver", "receive"}),
    ):
        assert able == Soap(SystemCode("x"), settings("http://far", **more)).abilities


@pytest.mark.parametrize(
    ("location", "named"),
    [
        ('schemaLocation="http://127.0.0.1:9/fire-safety.xsd"', "fire-safety.xsd"),
        ('schemaLocation="missing.xsd"', "missing.xsd"),
        ("", "fire-safety.wsdl"),
        ("<", "fire-safety.wsdl"),
    ],
)
async def test_a_description_is_read_from_our_own_files(
    tmp_path: Path, location: str, named: str
) -> None:
    """One that is broken, or points to the network, is a person's business, named by its file."""
    for file in WSDL.iterdir():
        shutil.copy(file, tmp_path)
    wsdl = tmp_path / "fire-safety.wsdl"
    text = wsdl.read_text(encoding="utf-8")
    right = 'schemaLocation="fire-safety.xsd"'
    assert right in text
    wsdl.write_text(text.replace(right, location), encoding="utf-8")

    with pytest.raises(Misconfigured) as caught:
        async with Soap(SystemCode("x"), settings("http://far", wsdl=str(wsdl))):
            pass

    assert ("soap.description", named) == (caught.value.code, caught.value.facts["file"])
