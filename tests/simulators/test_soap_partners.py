"""The two partners that speak SOAP, on sockets: one is asked, the other calls back."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from simulators import fire_safety, special_industry
from simulators.soap_form import Schema, document, envelope, listed
from tests.simulators.the_hub import Door, Line, a_partner, until

ROOT = Path(__file__).parents[2]
FIRE_NOTICE = Schema("fire-notice.xsd")


def a_case(number: str, **more: Any) -> dict[str, Any]:
    return {
        "requestId": f"k-{number}",
        "ywlsh": number,
        "sqbh": "MS1",
        "sxbm": special_industry.ITEM,
        "ssbm": "11130100MB000000193000109001000",
        "sxmc": "旅馆业特种行业许可证核发",
        "blfs": "GZ",
        "sqr": {
            "xm": "测试人",
            "lx": "GR",
            "zjlx": "01",
            "zjhm": "11010519491231002X",
            "lxdh": "1",
        },
        "lgmc": "云栖民宿",
        "lgdz": "测试路1号",
        "xzqh": "130131",
        "sqsj": "20260302090000",
        "cnts": 10,
        "fdts": 20,
        "lq": {"fs": "ZQ"},
        **more,
    }


async def police(line: Line, name: str, content: dict[str, Any]) -> dict[str, Any]:
    text = envelope(special_industry.NAMESPACE, name, content)
    answer = await line.soap(text, f"{special_industry.NAMESPACE}/{name}")
    assert 200 == answer.status_code, answer.text
    said, read = special_industry.SCHEMA.read(answer.content)
    assert f"{name}Response" == said
    return read


async def test_the_police_are_asked_for_changes(tmp_path: Path) -> None:
    """Their answers fit their own schema, and the cursor leads through all of them."""
    make = special_industry.special_industry
    async with a_partner(make, tmp_path, system="special-industry") as line:
        answer = await police(line, "SubmitCase", a_case("MS1-1"))
        again = await police(line, "SubmitCase", a_case("MS1-1"))
        found: list[dict[str, Any]] = []
        cursor = ""

        async def all_read() -> bool:
            nonlocal cursor
            page = await police(line, "GetChanges", {"cursor": cursor, "limit": 2})
            found.extend(listed(page.get("record")))
            moved, cursor = page["next"] != cursor, page["next"]
            return not moved and await line.quiet()

        await until(all_read, "the end of the course")

        assert ("00", "01") == (answer["resultCode"], again["resultCode"])
        assert answer["number"] == again["number"]
        assert len(found) == len({each["lsh"] for each in found})
        assert found[0]["jdlx"] in {"01", "02"}


async def test_what_does_not_fit_the_schema_is_a_fault(tmp_path: Path) -> None:
    """A time in another form, an unknown operation, a document type."""
    make = special_industry.special_industry
    wrong = envelope(special_industry.NAMESPACE, "SubmitCase", a_case("MS1-1", sqsj="2026-03-02"))
    unknown = envelope(special_industry.NAMESPACE, "DropAll", {})
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'
    async with a_partner(make, tmp_path, system="special-industry") as line:
        for text in (wrong, unknown, bomb):
            answer = await line.soap(text, "x")

            assert 500 == answer.status_code
            assert etree.fromstring(answer.content).find(".//faultstring") is not None
        assert 0 == (await line.control("counts"))["deliveries"]


async def test_every_fifth_call_is_a_server_fault(tmp_path: Path) -> None:
    """As the demo asks; nothing of the fifth is taken."""
    make = special_industry.special_industry
    async with a_partner(make, tmp_path, system="special-industry") as line:
        await line.control("faults", {"error_every": 5})
        statuses = []
        for n in range(5):
            text = envelope(special_industry.NAMESPACE, "SubmitCase", a_case(f"MS{n}-1"))
            statuses.append((await line.soap(text, "SubmitCase")).status_code)

        assert [200, 200, 200, 200, 500] == statuses
        assert 4 == (await line.control("counts"))["cases"]


def an_inspection(number: str, **more: Any) -> bytes:
    application = {
        "申报编号": number,
        "事项编码": fire_safety.ITEM,
        "实施编码": "11130000MB000000372000195007000",
        "事项名称": "消防安全检查",
        "办理方式": "承诺",
        "申请人": {
            "名称": "测试人",
            "类型": "个人",
            "证件类型": "居民身份证",
            "证件号码": "11010519491231002X",
            "联系电话": "1",
        },
        "场所": {"名称": "云栖民宿", "地址": "测试路1号", "行政区划": "130131"},
        "申报时间": "2026年03月02日 09时00分00秒",
        "承诺工作日": 1,
        "法定工作日": 20,
        "领取": {"方式": "邮寄"},
        **more,
    }
    attached = base64.b64encode(document("消防安全检查申请", application)).decode()
    content = {
        "requestId": f"k-{number}",
        "bizNo": number,
        "matter": fire_safety.ITEM,
        "attachment": attached,
    }
    return envelope(fire_safety.NAMESPACE, "SubmitInspection", content)


def notice_in(body: bytes) -> dict[str, Any]:
    """The document attached to a call of the fire brigade, which fits its schemas."""
    name, content = Schema("fire-notification.xsd").read(body)
    assert "NotifyProgress" == name
    return FIRE_NOTICE.read(base64.b64decode(content["attachment"]))[1]


async def test_the_fire_brigade_calls_back_with_documents(tmp_path: Path) -> None:
    """Each notice fits its schema, and they are told in the order of their numbers."""
    async with (
        Door() as door,
        a_partner(
            fire_safety.fire_safety, tmp_path, hub_url=door.url, system="fire-safety"
        ) as line,
    ):
        answer = await line.soap(an_inspection("MS1-7"), "SubmitInspection")
        await until(line.quiet, "the end of the course")
        notices = [notice_in(each.body) for each in door.taken]

        assert "0" == fire_safety.SCHEMA.read(answer.content)[1]["resultCode"]
        assert {"notification"} == {each.kind for each in door.taken}
        assert sorted(range(1, len(notices) + 1)) == sorted(int(each["顺序"]) for each in notices)
        assert {"MS1-7"} == {each["业务编号"] for each in notices}


async def test_an_attachment_that_is_none_is_refused_with_its_place(tmp_path: Path) -> None:
    """A refusal in the answer, no fault: the call itself was in order."""
    async with a_partner(fire_safety.fire_safety, tmp_path, system="fire-safety") as line:
        answer = await line.soap(an_inspection("MS1-7", 承诺工作日="几天"), "SubmitInspection")
        said = fire_safety.SCHEMA.read(answer.content)[1]

        assert ("1", "attachment") == (said["resultCode"], said["field"])


@pytest.mark.parametrize("name", sorted(p.name for p in (ROOT / "simulators/wsdl").iterdir()))
def test_the_sites_copy_of_a_description_is_the_partners(name: str) -> None:
    """The site holds what the partner gave it; when the partner changes it, both must."""
    ours = (ROOT / "sites/reference/wsdl" / name).read_bytes()

    assert (ROOT / "simulators/wsdl" / name).read_bytes() == ours
