"""A case's course in the words of the construction approval platform: its rows, in order. Pure.

Form       one row of progress for each event; the special procedure's end and a parcel's arrival
           change the row that is there; the result and its licence share a row
Units      times are text ``yyyyMMddHHmmss``; delays are real seconds at speed 1
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from stdnum.iso7064 import mod_37_36

from schemas.identifiers import uscc_check_character
from simulators.lifecycle import Case, Course, Event, Kind, Special, Step, Supplement, course

__all__ = ["PlannedRow", "rows_of"]

Row = Mapping[str, object]
STAMP, DAY = "%Y%m%d%H%M%S", "%Y%m%d"
OFFICE = "石家庄市行政审批局"
_FIRST_17 = "11130100MB0000000"
OFFICE_CODE = _FIRST_17 + uscc_check_character(_FIRST_17)
LICENCE, LICENCE_TYPE = "城镇污水排入排水管网许可证", "11100000000013338W050"
NOT_OURS = "申请事项依法不属于本机关职权范围"
# What the platform calls a special procedure; the rest is 特种 TZ to it.
SPECIALS = {"延长审批": "YC", "专家评审": "PS"}


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """A row to write *after_s* after the one before; one whose *row_id* is there is changed."""

    table: str
    row_id: str
    content: Row
    after_s: float
    waits_for_reply: bool


def rows_of(application: Row, *, seed: int, refused: bool = False) -> list[PlannedRow]:
    """All rows about the case of *application*. *refused*: the office shall not accept it."""
    drawn = course(
        seed,
        Case(
            case_no=str(application["sxbh"]),
            applied_at=datetime.strptime(str(application["sqsj"]), STAMP),  # noqa: DTZ007 - Beijing time, without zone
            promised=application["blms"] == "CN",
            posted=application["lqfs"] == "YJ",
            promise_days=int(str(application["cnsx"])),
            statutory_days=int(str(application["fdsx"])),
        ),
    )
    if refused:
        drawn = _turned_away(drawn)
    rows: list[PlannedRow] = []
    for event in drawn.events:
        # A licence has no row of its own: it came with the result.
        if event.kind is Kind.LICENSED:
            continue
        table, name, content = TELLERS[event.kind](drawn, event, application)
        whole = {"sxbh": drawn.case.case_no, "xzqh": application["xzqh"], **content}
        row_id = f"{drawn.case.case_no}-{name}"
        rows.append(PlannedRow(table, row_id, whole, event.after_s, event.waits_for_reply))
    return rows


def _turned_away(drawn: Course) -> Course:
    at = drawn.accepted_at
    event = Event(1, Kind.REFUSED, at, drawn.events[0].after_s)
    return replace(drawn, accepted=False, refusal=NOT_OURS, events=(event,))


_Told = tuple[str, str, dict[str, object]]


def _progress(application: Row, name: str, content: dict[str, object]) -> _Told:
    return "gcjs_sp_jdb", name, {"sxdm": application["sxdm"], "dwmc": OFFICE, **content}


def _supplement(drawn: Course, event: Event, application: Row) -> _Told:
    asked = event.subject
    assert isinstance(asked, Supplement)  # noqa: S101 - so says its kind
    content: dict[str, object] = {
        "jdlx": "BZ",
        "xh": asked.number,
        "jbr": drawn.officer,
        "kssj": asked.at.strftime(STAMP),
        "yj": f"{asked.reason}（{'、'.join(asked.materials)}）",
    }
    return _progress(application, f"BZ{asked.number}", content)


def _acceptance(drawn: Course, event: Event, application: Row) -> _Told:
    content: dict[str, object] = {
        "jdlx": "SL",
        "xh": 1,
        "jg": "TY" if drawn.accepted else "BY",
        "jbr": drawn.officer,
        "dwdm": OFFICE_CODE,
        "kssj": event.at.strftime(STAMP),
        "wsh": f"石审受{event.at:%Y%m%d%H%M}",
        "yj": drawn.refusal or "材料齐全，符合法定形式",
    }
    return _progress(application, "SL", content)


def _step(_: Course, event: Event, application: Row) -> _Told:
    step = event.subject
    assert isinstance(step, Step)  # noqa: S101 - so says its kind
    content: dict[str, object] = {
        "jdlx": "HJ",
        "xh": step.number,
        "mc": step.name,
        "zt": "1",
        "jg": ("LD" if step.name == "决定" else "TY") if step.passed else "BT",
        "jbr": step.officer,
        "kssj": step.started_at.strftime(STAMP),
        "jssj": step.ended_at.strftime(STAMP),
        "yj": step.opinion,
    }
    return _progress(application, f"HJ{step.number}", content)


def _special(drawn: Course, event: Event, application: Row) -> _Told:
    special = event.subject
    assert isinstance(special, Special)  # noqa: S101 - so says its kind
    content: dict[str, object] = {
        "jdlx": "TC",
        "xh": special.number,
        "mc": special.name,
        "lx": SPECIALS.get(special.name, "TZ"),
        "jbr": drawn.officer,
        "kssj": special.started_at.strftime(STAMP),
        "yj": special.reason,
    }
    if special.extended_days:
        content["ts"] = special.extended_days
    if event.kind is Kind.SPECIAL_ENDED:
        content |= {"jssj": special.ended_at.strftime(STAMP), "jlsm": special.outcome}
    return _progress(application, f"TC{special.number}", content)


def _result(drawn: Course, event: Event, application: Row) -> _Told:
    content: dict[str, object] = {
        "jg": "ZY" if drawn.granted else "BY",
        "bjsj": event.at.strftime(STAMP),
        "jbr": drawn.officer,
        "sm": drawn.denial or "准予许可",
        "sfyj": "Y" if drawn.sent_at else "N",
        "sfsf": "Y" if drawn.charged else "N",
    }
    return "gcjs_sp_jgb", "JG", content | _licence(drawn, application)


def _licence(drawn: Course, application: Row) -> dict[str, object]:
    licence = drawn.licence
    if licence is None:
        return {}
    serial = f"{licence.issued_on:%Y}{licence.serial}"
    parts = (LICENCE_TYPE, OFFICE_CODE, serial, "001")
    check = mod_37_36.calc_check_digit("".join(parts))
    has_code = bool(application.get("tyshxydm"))
    return {
        "zzbs": ".".join(("1.2.156.3005.2", *parts, check)),
        "zzlxdm": LICENCE_TYPE,
        "zzmc": LICENCE,
        "zzbh": f"冀石排许字第{serial}号",
        "czr": application["sqrmc"],
        "czrlx": "001" if has_code else application["zjlx"],
        "czrdm": application["tyshxydm"] if has_code else application["zjhm"],
        "fzjg": OFFICE,
        "fzjgdm": OFFICE_CODE,
        "fzrq": licence.issued_on.strftime(DAY),
        "yxqz": licence.valid_to.strftime(DAY),
    }


def _dispatch(drawn: Course, event: Event, application: Row) -> _Told:
    arrived = event.kind is Kind.RECEIVED
    content: dict[str, object] = {"jdlx": "SD", "xh": 1, "zt": "2" if arrived else "1"}
    if drawn.sent_at:
        content |= {"lx": "YJ", "ydh": drawn.waybill, "cyr": "模拟快递"}
        content["kssj"] = drawn.sent_at.strftime(STAMP)
    else:
        content |= {"lx": "XC", "kssj": event.at.strftime(STAMP)}
    if arrived:
        content["jssj"] = event.at.strftime(STAMP)
    return _progress(application, "SD1", content)


TELLERS: Mapping[Kind, Callable[[Course, Event, Row], _Told]] = {
    Kind.SUPPLEMENT_ASKED: _supplement,
    Kind.ACCEPTED: _acceptance,
    Kind.REFUSED: _acceptance,
    Kind.STEP_DONE: _step,
    Kind.SPECIAL_STARTED: _special,
    Kind.SPECIAL_ENDED: _special,
    Kind.DECIDED: _result,
    Kind.SENT: _dispatch,
    Kind.RECEIVED: _dispatch,
}
