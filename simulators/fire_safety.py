"""The fire brigade's supervision system (消防监督管理系统): SOAP, documents as attachments, calls back.

Speaks to  ``POST /ws``, see ``simulators/wsdl/fire-safety.wsdl``: SubmitInspection (the application is an XML
           document in ``attachment``, base64) and ReplySupplement. Calls the hub's NotifyProgress at
           ``/in/fire-safety/notification``, where the notice is such a document too; both are signed in
           their HTTP headers
Form       the documents have Chinese names, see ``fire-application.xsd`` and ``fire-notice.xsd``; times
           ``yyyy年MM月dd日 HH时mm分ss秒``; result codes 0 done, 2 a repeat, 1 refused with ``field``, 9 busy
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from simulators.authority import Authority, Pushes
from simulators.licences import ISSUERS, licence_id, licence_number
from simulators.lifecycle import Case, Course, Event, Kind, Licence, Special, Step, Supplement
from simulators.soap_form import Schema, answered, described, document, envelope, fault
from simulators.store import Content, Taken, Told
from simulators.surroundings import Surroundings

__all__ = ["FireSafety", "fire_safety"]

NAMESPACE = "urn:hebei:fire-safety"
CALLBACK = f"{NAMESPACE}:notification"
STAMP, DAY = "%Y年%m月%d日 %H时%M分%S秒", "%Y年%m月%d日"
ITEM = "000195007000"
ISSUER = ISSUERS[ITEM]
SCHEMA, APPLICATION = Schema("fire-safety.xsd"), Schema("fire-application.xsd")
DONE, REFUSED, REPEATED = "0", "1", "2"


class FireSafety:
    """Its vocabulary."""

    name, prefix = "fire-safety", "XF"

    def case_of(self, content: Content) -> Case:
        return Case(
            case_no=content["申报编号"],
            applied_at=datetime.strptime(content["申报时间"], STAMP),  # noqa: DTZ007 - Beijing time
            promised=content["办理方式"] == "承诺",
            posted=content["领取"]["方式"] == "邮寄",
            promise_days=int(content["承诺工作日"]),
            statutory_days=int(content["法定工作日"]),
        )

    def told(self, content: Content, course: Course, event: Event) -> Mapping[str, Any]:
        part, told = TELLERS[event.kind](content, course, event)
        return {
            "业务编号": course.case.case_no,
            "事项编码": content["事项编码"],
            "顺序": event.number,
            "通知类型": NOTICES.get(event.kind, part),
            "发生时间": event.at.strftime(STAMP),
            "行政区划": content["场所"]["行政区划"],
            "机构": {"名称": ISSUER.name, "代码": ISSUER.code},
            "经办人": course.officer,
            part: told,
        }


_Told = tuple[str, dict[str, Any]]
# Where the notice's sort is not just the name of its part.
NOTICES = {
    Kind.REFUSED: "不予受理",
    Kind.SPECIAL_STARTED: "特别程序启动",
    Kind.SPECIAL_ENDED: "特别程序结束",
    Kind.SENT: "寄出",
    Kind.RECEIVED: "送达",
}


def _acceptance(_: Content, course: Course, event: Event) -> _Told:
    return "受理", {
        "是否受理": "是" if course.accepted else "否",
        "文书号": f"石消受{event.at:%Y%m%d%H%M}",
        "理由": course.refusal,
    }


def _supplement(_: Content, __: Course, event: Event) -> _Told:
    asked = event.subject
    assert isinstance(asked, Supplement)  # noqa: S101 - so says its kind
    return "补正", {"次数": asked.number, "内容": asked.reason, "材料": list(asked.materials)}


def _step(_: Content, __: Course, event: Event) -> _Told:
    step = event.subject
    assert isinstance(step, Step)  # noqa: S101 - so says its kind
    return "环节", {
        "序号": step.number,
        "名称": step.name,
        "经办人": step.officer,
        "意见": step.opinion,
        "开始": step.started_at.strftime(STAMP),
        "结束": step.ended_at.strftime(STAMP),
        "结论": "合格" if step.passed else "不合格",
    }


def _special(_: Content, __: Course, event: Event) -> _Told:
    special = event.subject
    assert isinstance(special, Special)  # noqa: S101 - so says its kind
    ended = event.kind is Kind.SPECIAL_ENDED
    return "特别程序", {
        "序号": special.number,
        "种类": "延长期限" if special.extended_days else "期限中止",
        "名称": special.name,
        "理由": special.reason,
        "开始": special.started_at.strftime(STAMP),
        "结束": special.ended_at.strftime(STAMP) if ended else None,
        "结果": special.outcome if ended else None,
        "延长天数": special.extended_days or None,
    }


def _decision(_: Content, course: Course, __: Event) -> _Told:
    told: dict[str, Any] = {
        "结论": "合格" if course.granted else "不合格",
        "说明": course.denial or "准予许可",
        "邮寄": "是" if course.sent_at else "否",
        "收费": "是" if course.charged else "否",
    }
    if course.licence:
        told["文书名称"] = ISSUER.licence
        told["文书编号"] = licence_number(ISSUER, course.licence)
    return "结论", told


def _licence(content: Content, _: Course, event: Event) -> _Told:
    licence = event.subject
    assert isinstance(licence, Licence)  # noqa: S101 - so says its kind
    return "意见书", {
        "标识": licence_id(ISSUER, licence),
        "类型代码": ISSUER.licence_type,
        "名称": ISSUER.licence,
        "编号": licence_number(ISSUER, licence),
        "持有人": content["申请人"]["名称"],
        "持有人证件类型": content["申请人"]["证件类型"],
        "持有人证件号码": content["申请人"]["证件号码"],
        "发证日期": licence.issued_on.strftime(DAY),
        "有效期自": licence.valid_from.strftime(DAY),
        "有效期至": licence.valid_to.strftime(DAY),
    }


def _dispatch(_: Content, course: Course, event: Event) -> _Told:
    arrived = event.kind is Kind.RECEIVED
    told: dict[str, Any] = {
        "方式": "邮寄" if course.sent_at else "现场",
        "状态": "已签收" if arrived else "运送中",
    }
    if course.sent_at:
        told |= {"运单号": course.waybill, "承运人": "模拟快递"}
        told["寄出"] = course.sent_at.strftime(STAMP)
    if arrived:
        told["签收"] = event.at.strftime(STAMP)
    return "送达", told


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


def fire_safety(surroundings: Surroundings) -> Authority:
    return Authority(
        FireSafety(),
        surroundings,
        program=lambda authority: [
            Route("/ws", _Program(authority).call, methods=["POST"]),
            described("/ws", "fire-safety.wsdl"),
        ],
        broken=lambda: fault("Server", "系统内部错误"),
        refusal=lambda: _answer("SubmitInspection", REFUSED, "不属于受理范围", field="事项编码"),
        refusable=_is_submission,
        pushes=Pushes("notification", _notification, "text/xml; charset=utf-8"),
    )


def _is_submission(scope: Scope) -> bool:
    action = dict(scope["headers"]).get(b"soapaction", b"")
    return bool(action.strip(b'"').endswith(b"SubmitInspection"))


def _notification(told: Told) -> bytes:
    notice = document("消防业务通知", told.content)
    content = {
        "messageId": told.key,
        "bizNo": told.content["业务编号"],
        "noticeType": told.content["通知类型"],
        "attachment": base64.b64encode(notice).decode("ascii"),
    }
    return envelope(CALLBACK, "NotifyProgress", content)


def _answer(operation: str, code: str, said: str, **more: str) -> Response:
    content = {"resultCode": code, "resultMessage": said, **more}
    return answered(envelope(NAMESPACE, f"{operation}Response", content))


def _taken(operation: str, taken: Taken) -> Response:
    code, said = (REPEATED, "重复提交") if taken.repeated else (DONE, "成功")
    return _answer(operation, code, said, number=taken.number)


class _Program:
    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    async def call(self, request: Request) -> Response:
        if why := await self._authority.stranger(request):
            return fault("Client", why, 401)
        try:
            name, content = SCHEMA.read(await request.body())
        except ValueError as error:
            return fault("Client", str(error))
        if name == "SubmitInspection":
            return await self._submit(content)
        if name == "ReplySupplement":
            return await self._reply(content)
        return fault("Client", "无此操作")

    async def _submit(self, content: Content) -> Response:
        try:
            text = base64.b64decode(content["attachment"], validate=False)
            _, application = APPLICATION.read(text)
        except (ValueError, binascii.Error) as error:
            return _answer("SubmitInspection", REFUSED, f"附件无效：{error}", field="attachment")
        if application["事项编码"] != ITEM:
            return _answer("SubmitInspection", REFUSED, "无此事项", field="事项编码")
        taken = await self._authority.take(
            key=content["requestId"],
            call="SubmitInspection",
            case_no=application["申报编号"],
            content=application,
        )
        return _taken("SubmitInspection", taken)

    async def _reply(self, content: Content) -> Response:
        taken = await self._authority.take_reply(
            key=content["requestId"],
            call="ReplySupplement",
            case_no=content["bizNo"],
            number=int(content["no"]),
        )
        if taken is None:
            return _answer("ReplySupplement", REFUSED, "业务编号不存在", field="bizNo")
        return _taken("ReplySupplement", taken)
