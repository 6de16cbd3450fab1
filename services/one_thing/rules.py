"""The one-thing's rules: split an application, join what its items' systems report. Pure.

Joining is order-free: of two facts of a kind the greater is kept, by what they say themselves (their
times and states), so the same facts give the same item in any order and however often they come.

Standard   R-B1; GB/T 39046-2020 for the codes
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
from pydantic import Field

from catalog.model import Names
from schemas.declarations import Declared
from schemas.errors import Fault, Rejected
from schemas.message import Body

__all__ = [
    "ACCEPTED_OF_CASE",
    "FOLLOWED",
    "SLOTS",
    "Due",
    "FactKind",
    "Facts",
    "ItemRule",
    "ItemView",
    "OneThingRules",
    "accepted_case",
    "application_state",
    "item_cases",
    "merged",
    "view",
]

Facts = dict[str, Any]
Due = Callable[[date, int, str], date | None]
"""The last day of a limit: its first day, its count and unit (code list ``limit-unit``)."""
GRANTED = "1"
LONGEST_CASE_NO = 50
DISPATCHED, ACCEPTED, HANDLING, SUPPLEMENT, SPECIAL, DONE, FAILED = "1234567"


class ItemRule(Declared):
    """One item (事项) of the one-thing."""

    number: int = Field(ge=1, le=99)
    catalog_code: str = Field(pattern=r"^\d{12}$")
    task_code: str = Field(min_length=31, max_length=31)
    name: Names
    system: str
    org: str
    org_code: str = Field(min_length=18, max_length=18)
    modes: tuple[str, ...]
    project_type: str
    promise_limit: int
    promise_unit: str = "1"
    statutory_limit: int
    statutory_unit: str = "1"


class OneThingRules(Declared):
    """A one-thing theme and its items; in ``rules/<theme>.yaml``."""

    theme: str
    name: Names
    version: int = 1
    items: tuple[ItemRule, ...]

    def item(self, catalog_code: str) -> ItemRule | None:
        return next((i for i in self.items if i.catalog_code == catalog_code), None)


def item_cases(application: Body, rules: OneThingRules) -> list[dict[str, Any]]:
    """The item cases of an application, each with its case number. `Rejected` with all its faults."""
    chosen: Any = application.get("ChosenItem") or ()
    faults = _faults(application, chosen, rules)
    if faults:
        raise Rejected("one-thing.items", "The chosen items cannot be handled", faults=faults)
    modes = {str(each["catalogCode"]): str(each["handlingMode"]) for each in chosen}
    return [
        _case(application, rule, modes[rule.catalog_code])
        for rule in rules.items
        if rule.catalog_code in modes
    ]


def _faults(application: Body, chosen: Any, rules: OneThingRules) -> list[Fault]:
    faults = [] if chosen else [Fault("one-thing.nothing-chosen", "/ChosenItem")]
    modes: dict[str, str] = {}
    for n, each in enumerate(chosen):
        code, mode, at = str(each["catalogCode"]), str(each["handlingMode"]), f"/ChosenItem/{n}"
        rule = rules.item(code)
        if rule is None:
            faults.append(Fault("one-thing.unknown-item", f"{at}/catalogCode"))
            continue
        facts: Facts = {"item": rule.name.zh, "item_en": rule.name.en}
        if mode not in rule.modes:
            faults.append(Fault("one-thing.mode", f"{at}/handlingMode", facts))
        elif modes.setdefault(code, mode) != mode:
            faults.append(Fault("one-thing.two-modes", f"{at}/handlingMode", facts))
    longest = max((len(f"-{rule.number}") for rule in rules.items), default=0)
    if len(str(application["applicationNo"])) + longest > LONGEST_CASE_NO:
        most: Facts = {"most": LONGEST_CASE_NO - longest}
        faults.append(Fault("one-thing.number-too-long", "/applicationNo", most))
    return faults


COPIED = (
    "applicationNo",
    "applicantName",
    "applicantType",
    "certTypeCode",
    "certNumber",
    "uscc",
    "legalRepresentative",
    "mobileNumber",
    "premisesName",
    "address",
    "regionCode",
    "applyTime",
    "applySource",
    "deliveryMode",
    "recipientName",
    "postalAddress",
    "Material",
)


def _case(application: Body, rule: ItemRule, mode: str) -> dict[str, Any]:
    copied = {name: application[name] for name in COPIED if application.get(name) is not None}
    return {
        **copied,
        "caseNo": f"{application['applicationNo']}-{rule.number}",
        "catalogCode": rule.catalog_code,
        "taskCode": rule.task_code,
        "taskName": rule.name.zh,
        "handlingMode": mode,
        "projectTypeCode": rule.project_type,
        "promiseLimit": rule.promise_limit,
        "promiseUnit": rule.promise_unit,
        "statutoryLimit": rule.statutory_limit,
        "statutoryUnit": rule.statutory_unit,
        "handlingOrgName": rule.org,
    }


def merged(facts: Facts, resource: str, body: Body) -> Facts:
    """*facts* of a case with one more fact; order-free and idempotent."""
    kind = FOLLOWED[resource]
    slot = kind.slot if kind.number is None else f"{kind.slot} {body[kind.number]}"
    fact = {name: body[name] for name in kind.kept if body.get(name) is not None}
    kept = facts.get(slot)
    if kept is not None and kind.rank(kept) >= kind.rank(fact):
        return facts
    return {**facts, slot: fact}


@dataclass(frozen=True, slots=True)
class FactKind:
    """
    How the facts of one resource are kept.

    *slot*: where; *number*: the item that tells several of a kind apart. *kept*: what progress and
    pages need, and nothing personal. *by*: the items that say which of two facts is the later one.
    """

    slot: str
    kept: tuple[str, ...]
    by: tuple[str, ...]
    number: str | None = None

    def rank(self, fact: Mapping[str, Any]) -> tuple[str, ...]:
        """A total order: whatever two facts say, one of them is the greater, or they are the same."""
        said = orjson.dumps(dict(fact), option=orjson.OPT_SORT_KEYS).decode()
        return (*(str(fact.get(name) or "") for name in self.by), said)


FOLLOWED: Mapping[str, FactKind] = {
    "caseAcceptance": FactKind(
        slot="acceptance",
        kept=(
            "acceptanceResult",
            "acceptOrgName",
            "acceptOrgCode",
            "acceptTime",
            "acceptDocNo",
            "refusalReason",
        ),
        by=("acceptTime", "acceptanceResult", "acceptDocNo"),
    ),
    "caseStep": FactKind(
        slot="step",
        number="stepNo",
        kept=("stepName", "stepState", "stepResult", "stepStartTime", "stepEndTime"),
        by=("stepState", "stepEndTime", "stepResult"),
    ),
    "caseSupplement": FactKind(
        slot="supplement",
        number="supplementNo",
        kept=("noticeTime", "supplementReason", "replyTime"),
        by=("replyTime", "noticeTime"),
    ),
    "caseSpecialProcedure": FactKind(
        slot="special",
        number="specialNo",
        kept=("specialName", "startTime", "endTime", "extendedDays"),
        by=("endTime", "startTime"),
    ),
    "caseResult": FactKind(
        slot="result",
        kept=("resultCode", "endTime", "resultDescription", "licenceNumber"),
        by=("endTime", "resultCode"),
    ),
    "electronicLicence": FactKind(
        slot="licence",
        kept=("licenceName", "licenceNumber", "issueDate", "validTo"),
        by=("issueDate", "licenceNumber"),
    ),
    "resultDispatch": FactKind(
        slot="dispatch",
        kept=(
            "deliveryMode",
            "dispatchState",
            "waybillNo",
            "carrierName",
            "sendTime",
            "receiveTime",
        ),
        by=("dispatchState", "receiveTime", "sendTime"),
    ),
}
SLOTS = tuple(FOLLOWED)


@dataclass(frozen=True, slots=True)
class ItemView:
    """An item as it stands; *finished* when no system has anything more to decide."""

    state: str
    result_code: str = ""
    licence_number: str = ""
    dispatch_state: str = ""

    @property
    def finished(self) -> bool:
        return self.state in (DONE, FAILED)


def view(facts: Facts) -> ItemView:
    """What the facts of a case come to."""
    result = facts.get("result", {})
    licence = facts.get("licence", {})
    dispatch = facts.get("dispatch", {}).get("dispatchState", "")
    number = licence.get("licenceNumber") or result.get("licenceNumber") or ""
    return ItemView(_state(facts), result.get("resultCode", ""), number, dispatch)


def _state(facts: Facts) -> str:
    acceptance = facts.get("acceptance", {})
    if result := facts.get("result"):
        return DONE if result["resultCode"] == GRANTED else FAILED
    if acceptance.get("acceptanceResult") == "2":
        return FAILED
    if any(k.startswith("supplement ") and "replyTime" not in f for k, f in facts.items()):
        return SUPPLEMENT
    if any(k.startswith("special ") and "endTime" not in f for k, f in facts.items()):
        return SPECIAL
    if any(k.startswith("step ") for k in facts):
        return HANDLING
    return ACCEPTED if acceptance else DISPATCHED


def application_state(items: Sequence[ItemView]) -> str:
    """1 办理中, 2 全部办结, 3 部分办结, 4 全部未通过."""
    if not all(item.finished for item in items):
        return "1"
    granted = sum(item.state == DONE for item in items)
    if granted == len(items):
        return "2"
    return "3" if granted else "4"


ACCEPTED_OF_CASE = (
    "caseNo",
    "catalogCode",
    "taskCode",
    "taskName",
    "applicantName",
    "applicantType",
    "certTypeCode",
    "certNumber",
    "applyTime",
    "projectTypeCode",
    "regionCode",
)


def accepted_case(
    case: Body, facts: Facts, rules: OneThingRules, due: Due | None = None
) -> dict[str, Any] | None:
    """
    The accepted case (受理办件) for the provincial library, once both halves are known.

    Of *case* only `ACCEPTED_OF_CASE` is needed. *due*: tells the promised day; None leaves it out.
    """
    acceptance = facts.get("acceptance")
    if not acceptance or acceptance["acceptanceResult"] != "1":
        return None
    rule = rules.item(str(case["catalogCode"]))
    joined = {name: case[name] for name in ACCEPTED_OF_CASE}
    joined |= {
        "acceptTime": acceptance["acceptTime"],
        "acceptOrgName": acceptance["acceptOrgName"],
        "acceptOrgCode": acceptance.get("acceptOrgCode") or (rule.org_code if rule else None),
        "acceptDocNo": acceptance.get("acceptDocNo"),
        "promiseEndTime": _promised(str(acceptance["acceptTime"]), rule, due),
    }
    return {name: value for name, value in joined.items() if value is not None}


def _promised(accepted: str, rule: ItemRule | None, due: Due | None) -> str | None:
    """The end of the day by which the item's office has promised to decide."""
    if rule is None or due is None:
        return None
    day = due(date.fromisoformat(accepted[:10]), rule.promise_limit, rule.promise_unit)
    return f"{day.isoformat()}T23:59:59" if day else None
