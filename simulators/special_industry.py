"""The police's system for special trades (娱乐服务场所和特种行业管理服务系统): SOAP, and it must be asked.

Speaks to  ``POST /ws``, see ``simulators/wsdl/special-industry.wsdl``: SubmitCase, ReplySupplement, and
           GetChanges behind a cursor; requests are signed in their HTTP headers
Form       result codes 00 done, 01 a repeat, 10 refused with ``field``, 90 busy; names are initials of
           Chinese words; times ``yyyyMMddHHmmss``; a change's sort (``jdlx``) has codes 01 to 10
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from simulators.authority import Authority
from simulators.licences import ISSUERS, licence_id, licence_number
from simulators.lifecycle import Case, Course, Event, Kind, Licence, Special, Step, Supplement
from simulators.soap_form import Schema, answered, described, envelope, fault
from simulators.store import Content, Taken, Told
from simulators.surroundings import Surroundings

__all__ = ["SpecialIndustry", "special_industry"]

NAMESPACE = "urn:shijiazhuang:special-industry"
STAMP, DAY = "%Y%m%d%H%M%S", "%Y%m%d"
ITEM = "000109001000"
ISSUER = ISSUERS[ITEM]
SCHEMA = Schema("special-industry.xsd")
PAGE = 200
DONE, REPEATED, REFUSED = "00", "01", "10"


class SpecialIndustry:
    """Its vocabulary."""

    name, prefix = "special-industry", "TZHY"

    def case_of(self, content: Content) -> Case:
        return Case(
            case_no=content["ywlsh"],
            applied_at=datetime.strptime(content["sqsj"], STAMP),  # noqa: DTZ007 - Beijing time
            promised=content["blfs"] == "GZ",
            posted=content["lq"]["fs"] == "KD",
            promise_days=int(content["cnts"]),
            statutory_days=int(content["fdts"]),
        )

    def told(self, content: Content, course: Course, event: Event) -> Mapping[str, Any]:
        return {
            "xh": event.number,
            "jdlx": SORTS[event.kind],
            "ywlsh": course.case.case_no,
            "sxbm": content["sxbm"],
            "xzqh": content["xzqh"],
            "dwmc": ISSUER.name,
            "dwdm": ISSUER.code,
            "jbr": course.officer,
            "fssj": event.at.strftime(STAMP),
            **TELLERS[event.kind](content, course, event),
        }


_Told = dict[str, Any]
SORTS = {
    Kind.ACCEPTED: "01",
    Kind.REFUSED: "02",
    Kind.SUPPLEMENT_ASKED: "03",
    Kind.STEP_DONE: "04",
    Kind.SPECIAL_STARTED: "05",
    Kind.SPECIAL_ENDED: "06",
    Kind.DECIDED: "07",
    Kind.LICENSED: "08",
    Kind.SENT: "09",
    Kind.RECEIVED: "10",
}


def _acceptance(_: Content, course: Course, event: Event) -> _Told:
    return {"wsh": f"石公特受{event.at:%Y%m%d%H%M}", "yy": course.refusal}


def _supplement(_: Content, __: Course, event: Event) -> _Told:
    asked = event.subject
    assert isinstance(asked, Supplement)  # noqa: S101 - so says its kind
    return {"bzxh": asked.number, "bznr": asked.reason, "bzcl": list(asked.materials)}


def _step(_: Content, __: Course, event: Event) -> _Told:
    step = event.subject
    assert isinstance(step, Step)  # noqa: S101 - so says its kind
    return {
        "hjxh": step.number,
        "hjmc": step.name,
        "hjkssj": step.started_at.strftime(STAMP),
        "hjjssj": step.ended_at.strftime(STAMP),
        "hjyj": step.opinion,
        "hjjg": "TG" if step.passed else "BTG",
    }


def _special(_: Content, __: Course, event: Event) -> _Told:
    special = event.subject
    assert isinstance(special, Special)  # noqa: S101 - so says its kind
    ended = event.kind is Kind.SPECIAL_ENDED
    return {
        "tbxh": special.number,
        "tblx": "Y" if special.extended_days else "T",
        "tbmc": special.name,
        "tbyy": special.reason,
        "tbkssj": special.started_at.strftime(STAMP),
        "tbjssj": special.ended_at.strftime(STAMP) if ended else None,
        "tbjg": special.outcome if ended else None,
        "ycts": special.extended_days or None,
    }


def _decision(_: Content, course: Course, __: Event) -> _Told:
    told: _Told = {
        "bjjg": "10" if course.granted else "20",
        "bjms": course.denial or "准予许可",
        "sfyj": "是" if course.sent_at else "否",
        "sfsf": "是" if course.charged else "否",
    }
    if course.licence:
        told["zzmc"] = ISSUER.licence
        told["zzbh"] = licence_number(ISSUER, course.licence)
        told["zzyxq"] = f"{course.licence.valid_from:%Y%m%d}-{course.licence.valid_to:%Y%m%d}"
    return told


def _licence(content: Content, _: Course, event: Event) -> _Told:
    licence = event.subject
    assert isinstance(licence, Licence)  # noqa: S101 - so says its kind
    return {
        "zzbs": licence_id(ISSUER, licence),
        "zzlx": ISSUER.licence_type,
        "zzmc": ISSUER.licence,
        "zzbh": licence_number(ISSUER, licence),
        "czr": content["sqr"]["xm"],
        "czrlx": content["sqr"]["zjlx"],
        "czrdm": content["sqr"]["zjhm"],
        "fzrq": licence.issued_on.strftime(DAY),
        "yxqq": licence.valid_from.strftime(DAY),
        "yxqz": licence.valid_to.strftime(DAY),
    }


def _dispatch(_: Content, course: Course, event: Event) -> _Told:
    told: _Told = {"lqfs": "KD" if course.sent_at else "ZQ"}
    if course.sent_at:
        told |= {"ydh": course.waybill, "kdgs": "模拟快递"}
        told["jcsj"] = course.sent_at.strftime(STAMP)
    if event.kind is Kind.RECEIVED:
        told["qssj"] = event.at.strftime(STAMP)
    return told


TELLERS: Mapping[Kind, Callable[[Content, Course, Event], _Told]] = {
    Kind.SUPPLEMENT_ASKED: _supplement,
    Kind.ACCEPTED: _acceptance,
    Kind.REFUSED: _acceptance,
    Kind.STEP_DONE: _step,
    Kind.SPECIAL_STARTED: _special,
    Kind.SPECIAL_ENDED: _special,
    Kind.DECIDED: _decision,
    Kind.LICENSED: _licence,
    Kind.SENT: _dispatch,
    Kind.RECEIVED: _dispatch,
}


def special_industry(surroundings: Surroundings) -> Authority:
    return Authority(
        SpecialIndustry(),
        surroundings,
        program=lambda authority: [
            Route("/ws", _Program(authority).call, methods=["POST"]),
            described("/ws", "special-industry.wsdl"),
        ],
        broken=lambda: fault("Server", "系统内部错误"),
        refusal=lambda: _answer("SubmitCase", REFUSED, "不属于本机关职权范围", field="sxbm"),
        refusable=_is_submission,
    )


def _is_submission(scope: Scope) -> bool:
    action = dict(scope["headers"]).get(b"soapaction", b"")
    return bool(action.strip(b'"').endswith(b"SubmitCase"))


def _answer(operation: str, code: str, said: str, **more: str) -> Response:
    content = {"resultCode": code, "resultMessage": said, **more}
    return answered(envelope(NAMESPACE, f"{operation}Response", content))


def _taken(operation: str, taken: Taken) -> Response:
    code, said = (REPEATED, "重复提交") if taken.repeated else (DONE, "成功")
    return _answer(operation, code, said, number=taken.number)


class _Program:
    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._operations: Mapping[str, Callable[[Content], Awaitable[Response]]] = {
            "SubmitCase": self._submit,
            "ReplySupplement": self._reply,
            "GetChanges": self._changes,
        }

    async def call(self, request: Request) -> Response:
        if why := await self._authority.stranger(request):
            return fault("Client", why, 401)
        try:
            name, content = SCHEMA.read(await request.body())
        except ValueError as error:
            return fault("Client", str(error))
        operation = self._operations.get(name)
        return await operation(content) if operation else fault("Client", "无此操作")

    async def _submit(self, content: Content) -> Response:
        if content["sxbm"] != ITEM:
            return _answer("SubmitCase", REFUSED, "无此事项", field="sxbm")
        number = content["ywlsh"]
        taken = await self._authority.take(
            key=content["requestId"], call="SubmitCase", case_no=number, content=content
        )
        return _taken("SubmitCase", taken)

    async def _reply(self, content: Content) -> Response:
        taken = await self._authority.take_reply(
            key=content["requestId"],
            call="ReplySupplement",
            case_no=content["ywlsh"],
            number=int(content["bzxh"]),
        )
        if taken is None:
            return _answer("ReplySupplement", REFUSED, "业务流水号不存在", field="ywlsh")
        return _taken("ReplySupplement", taken)

    async def _changes(self, content: Content) -> Response:
        cursor = content.get("cursor") or "0"
        if not cursor.isdecimal():
            return fault("Client", "游标无效")
        found = await self._authority.after(int(cursor), min(int(content["limit"]), PAGE))
        answer = {
            "resultCode": DONE,
            "resultMessage": "成功",
            "record": [_record(each) for each in found],
            "next": str(found[-1].seq) if found else cursor,
        }
        return answered(envelope(NAMESPACE, "GetChangesResponse", answer))


def _record(told: Told) -> dict[str, Any]:
    return {"lsh": told.key, **told.content}
