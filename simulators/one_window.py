"""The one-window platform (一窗综合管理平台): takes cases by JSON, tells what becomes of them by webhook.

Speaks to  ``POST /api/cases`` and ``/api/cases/replies``, signed, with ``Idempotency-Key``: 201, or 409 for
           a repeat, ``{"number": …}``; refusals 422 ``{"reason", "item"}``. Pushes ``event`` to the hub
Form       English words, codes as words, areas of 12 digits, times with a zone (some in UTC)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Scope

from simulators.authority import Authority, Pushes
from simulators.json_form import missing
from simulators.licences import ISSUERS, licence_id, licence_number
from simulators.lifecycle import Case, Course, Event, Kind, Licence, Special, Step, Supplement
from simulators.store import Content, Told
from simulators.surroundings import Surroundings

__all__ = ["OneWindow", "one_window"]

BEIJING = timezone(timedelta(hours=8))
NEEDED = ("apply_no", "item.code", "item.mode", "party.name", "party.id_no", "applied_at", "area")
CASES, REPLIES = "api/cases", "api/cases/replies"
MODES = ("PROMISE", "NORMAL")


class OneWindow:
    """Its vocabulary."""

    name, prefix = "one-window", "YC"

    def case_of(self, content: Content) -> Case:
        limit = content["limit"]
        return Case(
            case_no=content["apply_no"],
            applied_at=_beijing(content["applied_at"]),
            promised=content["item"]["mode"] == "PROMISE",
            posted=content["receive"]["way"] == "POST",
            promise_days=int(limit["promised"]),
            statutory_days=int(limit["statutory"]),
        )

    def told(self, content: Content, course: Course, event: Event) -> Mapping[str, Any]:
        word, told = TELLERS[event.kind](content, course, event)
        issuer = ISSUERS[content["item"]["code"]]
        # Its servers do not agree on the zone they write.
        zone = UTC if event.number % 2 else BEIJING
        return {
            "event_id": f"{course.case.case_no}-{event.number}",
            "event": word,
            "seq": event.number,
            "at": _iso(event.at, zone),
            "case": {
                "apply_no": course.case.case_no,
                "item": content["item"]["code"],
                "area": content["area"],
            },
            "org": {"name": issuer.name, "code": issuer.code},
            "operator": course.officer,
            "data": {name: value for name, value in told.items() if value not in (None, "")},
        }


_Told = tuple[str, dict[str, Any]]


def _beijing(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(BEIJING).replace(tzinfo=None)


def _iso(moment: datetime, zone: timezone = BEIJING) -> str:
    return moment.replace(tzinfo=BEIJING).astimezone(zone).isoformat().replace("+00:00", "Z")


def _acceptance(_: Content, course: Course, event: Event) -> _Told:
    number = f"石审卫受〔{event.at:%Y}〕{event.at:%m%d%H%M}"
    return "ACCEPT", {
        "result": "Y" if course.accepted else "N",
        "doc_no": number,
        "reason": course.refusal,
    }


def _supplement(_: Content, __: Course, event: Event) -> _Told:
    asked = event.subject
    assert isinstance(asked, Supplement)  # noqa: S101 - so says its kind
    return "CORRECTION", {
        "no": asked.number,
        "reason": asked.reason,
        "materials": list(asked.materials),
    }


def _step(_: Content, __: Course, event: Event) -> _Told:
    step = event.subject
    assert isinstance(step, Step)  # noqa: S101 - so says its kind
    return "STEP", {
        "no": step.number,
        "name": step.name,
        "by": step.officer,
        "opinion": step.opinion,
        "from": _iso(step.started_at),
        "to": _iso(step.ended_at),
        "result": "PASS" if step.passed else "REJECT",
    }


def _special(_: Content, __: Course, event: Event) -> _Told:
    special = event.subject
    assert isinstance(special, Special)  # noqa: S101 - so says its kind
    ended = event.kind is Kind.SPECIAL_ENDED
    return "SPECIAL", {
        "change": "CHG" if ended else "NEW",
        "no": special.number,
        "kind": "EXTEND" if special.extended_days else "SUSPEND",
        "name": special.name,
        "reason": special.reason,
        "from": _iso(special.started_at),
        "to": _iso(special.ended_at) if ended else None,
        "days": special.extended_days or None,
        "outcome": special.outcome if ended else None,
    }


def _decision(content: Content, course: Course, _: Event) -> _Told:
    told: dict[str, Any] = {
        "result": "GRANTED" if course.granted else "DENIED",
        "text": course.denial or "准予许可",
        "post": "Y" if course.sent_at else "N",
        "fee": "Y" if course.charged else "N",
    }
    if course.licence:
        told["licence"] = _licence(content, course.licence)
    return "FINISH", told


def _licence(content: Content, licence: Licence) -> dict[str, Any]:
    issuer = ISSUERS[content["item"]["code"]]
    return {
        "name": issuer.licence,
        "no": licence_number(issuer, licence),
        "validity": f"{licence.valid_from:%Y-%m-%d}至{licence.valid_to:%Y-%m-%d}",
    }


def _licensed(content: Content, _: Course, event: Event) -> _Told:
    licence = event.subject
    assert isinstance(licence, Licence)  # noqa: S101 - so says its kind
    issuer, party = ISSUERS[content["item"]["code"]], content["party"]
    return "LICENCE", {
        "id": licence_id(issuer, licence),
        "type": issuer.licence_type,
        "name": issuer.licence,
        "no": licence_number(issuer, licence),
        "holder": {"name": party["name"], "id_kind": party["id_kind"], "id_no": party["id_no"]},
        "issued": f"{licence.issued_on:%Y-%m-%d}",
        "from": f"{licence.valid_from:%Y-%m-%d}",
        "to": f"{licence.valid_to:%Y-%m-%d}",
    }


def _delivery(_: Content, course: Course, event: Event) -> _Told:
    arrived = event.kind is Kind.RECEIVED
    posted = course.sent_at is not None
    return "DELIVERY", {
        "change": "CHG" if arrived and posted else "NEW",
        "way": "POST" if posted else "SELF",
        "state": "SIGNED" if arrived else "SENT",
        "waybill": course.waybill,
        "carrier": "模拟快递" if posted else None,
        "sent_at": _iso(course.sent_at) if course.sent_at else None,
        "signed_at": _iso(event.at) if arrived else None,
    }


TELLERS: Mapping[Kind, Callable[[Content, Course, Event], _Told]] = {
    Kind.SUPPLEMENT_ASKED: _supplement,
    Kind.ACCEPTED: _acceptance,
    Kind.REFUSED: _acceptance,
    Kind.STEP_DONE: _step,
    Kind.SPECIAL_STARTED: _special,
    Kind.SPECIAL_ENDED: _special,
    Kind.DECIDED: _decision,
    Kind.LICENSED: _licensed,
    Kind.SENT: _delivery,
    Kind.RECEIVED: _delivery,
}


def one_window(surroundings: Surroundings) -> Authority:
    return Authority(
        OneWindow(),
        surroundings,
        program=_program,
        broken=lambda: JSONResponse({"reason": "系统繁忙，请稍后再试"}, 500),
        refusal=lambda: _refused("不在本平台受理范围", "item.code"),
        refusable=_is_case,
        pushes=Pushes("event", _document, "application/json"),
    )


def _is_case(scope: Scope) -> bool:
    return bool(scope["path"] == f"/{CASES}")


def _document(told: Told) -> bytes:
    return orjson.dumps(told.content)


def _refused(reason: str, item: str) -> Response:
    return JSONResponse({"reason": reason, "item": item}, 422)


class _Program:
    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    async def case(self, request: Request) -> Response:
        if why := await self._authority.stranger(request):
            return JSONResponse({"reason": why}, 401)
        content = orjson.loads(await request.body())
        if item := missing(content, NEEDED):
            return _refused("必填项缺失", item)
        if content["item"]["mode"] not in MODES:
            return _refused("办理模式不在代码范围内", "item.mode")
        if content["item"]["code"] not in ISSUERS:
            return _refused("无此事项", "item.code")
        number = content["apply_no"]
        taken = await self._authority.take(
            key=_key(request), call=CASES, case_no=number, content=content
        )
        return JSONResponse({"number": taken.number}, 409 if taken.repeated else 201)

    async def reply(self, request: Request) -> Response:
        if why := await self._authority.stranger(request):
            return JSONResponse({"reason": why}, 401)
        content = orjson.loads(await request.body())
        if item := missing(content, ("apply_no", "no", "replied_at")):
            return _refused("必填项缺失", item)
        case_no, number = content["apply_no"], content["no"]
        taken = await self._authority.take_reply(
            key=_key(request), call=REPLIES, case_no=case_no, number=number
        )
        if taken is None:
            return _refused("未找到该办件", "apply_no")
        return JSONResponse({"number": taken.number}, 409 if taken.repeated else 201)

    async def ping(self, request: Request) -> Response:
        why = await self._authority.stranger(request)
        return JSONResponse({"reason": why}, 401) if why else JSONResponse({"ok": True})


def _key(request: Request) -> str:
    return request.headers.get("idempotency-key", "")


def _program(authority: Authority) -> list[Route]:
    program = _Program(authority)
    return [
        Route(f"/{CASES}", program.case, methods=["POST"]),
        Route(f"/{REPLIES}", program.reply, methods=["POST"]),
        Route("/ping", program.ping),
    ]
