"""The market-supervision platform (数字市场监管综合业务平台): JSON with codes in the body, and a feed.

Speaks to  ``POST /gateway/apply`` and ``/gateway/correct``, ``GET /gateway/changes?after=&limit=``, signed;
           everything but a stranger is answered 200: code 0 done, 1002 a repeat, 4001 refused with
           ``field``, 5001 busy
Form       item codes of its own; numbers where others have codes; times ``yyyy/MM/dd HH:mm:ss``, or
           milliseconds since 1970; one change carries the result and its licence together
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Scope

from simulators.authority import Authority
from simulators.json_form import missing
from simulators.licences import ISSUERS, Issuer, licence_id, licence_number
from simulators.lifecycle import Case, Course, Event, Kind, Special, Step, Supplement
from simulators.store import Content, Told
from simulators.surroundings import Surroundings

__all__ = ["MarketSupervision", "market_supervision"]

BEIJING = timezone(timedelta(hours=8))
APPLY, CORRECT, CHANGES = "gateway/apply", "gateway/correct", "gateway/changes"
STAMP, DAY = "%Y/%m/%d %H:%M:%S", "%Y/%m/%d"
NEEDED = ("bizNo", "matterCode", "handleType", "applicant.name", "applicant.cardNo", "applyMillis")
PAGE = 200
MATTERS: Mapping[str, Issuer] = {
    "SPJY": ISSUERS["000131023000"],
    "SPXCY": ISSUERS["000131024000"],
    "SPBA": ISSUERS["000131025000"],
}


class MarketSupervision:
    """Its vocabulary."""

    name, prefix = "market-supervision", "HBSJ"

    def case_of(self, content: Content) -> Case:
        applied_at = datetime.fromtimestamp(content["applyMillis"] / 1000, BEIJING)
        return Case(
            case_no=content["bizNo"],
            applied_at=applied_at.replace(tzinfo=None),
            promised=content["handleType"] == 1,
            posted=content["takeWay"] == "EXPRESS",
            promise_days=content["promiseDays"],
            statutory_days=content["lawDays"],
        )

    def told(self, content: Content, course: Course, event: Event) -> Mapping[str, Any] | None:
        if event.kind is Kind.LICENSED:
            return None  # came with the result
        kind, part = TELLERS[event.kind](content, course, event)
        issuer = MATTERS[content["matterCode"]]
        return {
            "bizNo": course.case.case_no,
            "matterCode": content["matterCode"],
            "changeType": kind,
            "orderNo": event.number,
            "occurTime": event.at.strftime(STAMP),
            "areaCode": int(content["areaCode"]),
            "dept": {"name": issuer.name, "creditCode": issuer.code},
            "handler": course.officer,
            **part,
        }


_Told = tuple[str, dict[str, Any]]


def _ms(moment: datetime) -> int:
    return int(moment.replace(tzinfo=BEIJING).timestamp() * 1000)


def _acceptance(_: Content, course: Course, event: Event) -> _Told:
    part = {"flag": int(course.accepted), "docNo": f"冀市监受{event.at:%Y%m%d%H%M}"}
    return "ACC", {"accept": part | ({} if course.accepted else {"reason": course.refusal})}


def _supplement(_: Content, __: Course, event: Event) -> _Told:
    asked = event.subject
    assert isinstance(asked, Supplement)  # noqa: S101 - so says its kind
    part = {
        "no": asked.number,
        "content": asked.reason,
        "materials": list(asked.materials),
        "noticeMillis": _ms(asked.at),
    }
    return "SUP", {"corrections": [part]}


def _step(_: Content, __: Course, event: Event) -> _Told:
    step = event.subject
    assert isinstance(step, Step)  # noqa: S101 - so says its kind
    part = {
        "no": step.number,
        "link": step.name,
        "user": step.officer,
        "idea": step.opinion,
        "begin": step.started_at.strftime(STAMP),
        "end": step.ended_at.strftime(STAMP),
        "state": 2,
        "pass": step.passed,
    }
    return "PRC", {"links": [part]}


def _special(_: Content, __: Course, event: Event) -> _Told:
    special = event.subject
    assert isinstance(special, Special)  # noqa: S101 - so says its kind
    part: dict[str, Any] = {
        "no": special.number,
        "type": "YCSP" if special.extended_days else "TBCX",
        "name": special.name,
        "why": special.reason,
        "begin": special.started_at.strftime(STAMP),
    }
    if special.extended_days:
        part["days"] = special.extended_days
    if event.kind is Kind.SPECIAL_ENDED:
        part |= {"end": special.ended_at.strftime(STAMP), "outcome": special.outcome}
    return "SPE", {"special": part}


def _decision(content: Content, course: Course, _: Event) -> _Told:
    part: dict[str, Any] = {
        "code": 10 if course.granted else 20,
        "desc": course.denial or "准予许可",
        "express": course.sent_at is not None,
        "feeCents": 1000 if course.charged else 0,
    }
    told: dict[str, Any] = {"result": part}
    if course.licence:
        issuer, who = MATTERS[content["matterCode"]], content["applicant"]
        told["licence"] = {
            "certId": licence_id(issuer, course.licence),
            "certType": issuer.licence_type,
            "certName": issuer.licence,
            "certNo": licence_number(issuer, course.licence),
            "owner": who["name"],
            "ownerCard": who["cardNo"],
            "ownerCardType": who["cardType"],
            "issueDay": course.licence.issued_on.strftime(DAY),
            "beginDay": course.licence.valid_from.strftime(DAY),
            "endDay": course.licence.valid_to.strftime(DAY),
        }
    return "END", told


def _dispatch(_: Content, course: Course, event: Event) -> _Told:
    arrived, posted = event.kind is Kind.RECEIVED, course.sent_at is not None
    part: dict[str, Any] = {"way": "EXPRESS" if posted else "HALL", "status": 3 if arrived else 2}
    if course.sent_at:
        part |= {"mailNo": course.waybill, "mailCorp": "模拟快递"}
        part["sendMillis"] = _ms(course.sent_at)
    if arrived:
        part["signMillis"] = _ms(event.at)
    return "SND", {"send": part}


TELLERS: Mapping[Kind, Callable[[Content, Course, Event], _Told]] = {
    Kind.SUPPLEMENT_ASKED: _supplement,
    Kind.ACCEPTED: _acceptance,
    Kind.REFUSED: _acceptance,
    Kind.STEP_DONE: _step,
    Kind.SPECIAL_STARTED: _special,
    Kind.SPECIAL_ENDED: _special,
    Kind.DECIDED: _decision,
    Kind.SENT: _dispatch,
    Kind.RECEIVED: _dispatch,
}


def market_supervision(surroundings: Surroundings) -> Authority:
    return Authority(
        MarketSupervision(),
        surroundings,
        program=_program,
        broken=lambda: JSONResponse({"code": "9999", "msg": "网关异常"}, 500),
        refusal=lambda: _refused("不属于本级受理范围", "matterCode"),
        refusable=_is_application,
    )


def _is_application(scope: Scope) -> bool:
    return bool(scope["path"] == f"/{APPLY}")


def _refused(reason: str, field: str) -> Response:
    return JSONResponse({"code": "4001", "msg": reason, "field": field})


class _Program:
    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    async def apply(self, request: Request) -> Response:
        if why := await self._authority.stranger(request):
            return JSONResponse({"code": "4010", "msg": why}, 401)
        content = orjson.loads(await request.body())
        if field := missing(content, NEEDED):
            return _refused("必填项为空", field)
        if content["matterCode"] not in MATTERS:
            return _refused("无此事项", "matterCode")
        number = content["bizNo"]
        taken = await self._authority.take(
            key=_key(request), call=APPLY, case_no=number, content=content
        )
        return _taken(taken.number, repeated=taken.repeated)

    async def correct(self, request: Request) -> Response:
        if why := await self._authority.stranger(request):
            return JSONResponse({"code": "4010", "msg": why}, 401)
        content = orjson.loads(await request.body())
        if field := missing(content, ("bizNo", "no", "replyTime")):
            return _refused("必填项为空", field)
        taken = await self._authority.take_reply(
            key=_key(request), call=CORRECT, case_no=content["bizNo"], number=content["no"]
        )
        if taken is None:
            return _refused("业务编号不存在", "bizNo")
        return _taken(taken.number, repeated=taken.repeated)

    async def ping(self, request: Request) -> Response:
        if why := await self._authority.stranger(request):
            return JSONResponse({"code": "4010", "msg": why}, 401)
        return JSONResponse({"code": "0", "msg": "成功"})

    async def changes(self, request: Request) -> Response:
        if why := await self._authority.stranger(request):
            return JSONResponse({"code": "4010", "msg": why}, 401)
        asked = request.query_params
        after, limit = asked.get("after") or "0", asked.get("limit") or str(PAGE)
        if not (after.isdecimal() and limit.isdecimal()):
            return _refused("参数应为数字", "after")
        found = await self._authority.after(int(after), min(int(limit), PAGE))
        following = str(found[-1].seq) if found else after
        return JSONResponse(
            {"code": "0", "data": {"list": [_change(each) for each in found], "next": following}}
        )


def _change(told: Told) -> dict[str, Any]:
    return {"changeId": told.key, "seq": told.seq, **told.content}


def _taken(number: str, *, repeated: bool) -> Response:
    if repeated:
        return JSONResponse({"code": "1002", "msg": "重复提交", "data": {"serialNo": number}})
    return JSONResponse({"code": "0", "msg": "成功", "data": {"serialNo": number}})


def _key(request: Request) -> str:
    return request.headers.get("idempotency-key", "")


def _program(authority: Authority) -> list[Route]:
    program = _Program(authority)
    return [
        Route(f"/{APPLY}", program.apply, methods=["POST"]),
        Route(f"/{CORRECT}", program.correct, methods=["POST"]),
        Route(f"/{CHANGES}", program.changes),
        Route("/gateway/ping", program.ping),
    ]
