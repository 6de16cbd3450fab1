"""The dates of a case that supervision needs, gathered from messages in any order. Pure.

Form       kept as one JSON document: a slot for the case, its acceptance, its result, and each
           supplement and special procedure; of two that say different things the greater is kept,
           or both are joined item by item, so that order and repeats do not matter
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from schemas.message import Body
from services.supervision.clock import UNITS, Limit, Pause

__all__ = ["CaseFacts", "Kept", "doubt", "facts_of", "merged"]

INSTANT, ACCEPTED, EXTENDS = "1", "1", "1"
Kept = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFacts:
    """*refused*: the day it was not accepted. *supplements*: from notice to reply."""

    applied: date | None = None
    accepted: date | None = None
    refused: date | None = None
    finished: date | None = None
    promise: Limit | None = None
    statutory: Limit | None = None
    instant: bool = False
    supplements: tuple[Pause, ...] = ()
    specials: tuple[Pause, ...] = ()

    @property
    def decided(self) -> date | None:
        """The day on which it was accepted or not."""
        return self.accepted or self.refused

    @property
    def pauses(self) -> tuple[Pause, ...]:
        return (*self.supplements, *self.specials)

    @property
    def is_open(self) -> bool:
        return self.finished is None and self.refused is None


# Of each resource: its slot, the item that tells several apart, what is kept, first what orders it.
ONE_OF = {
    "itemCase": (
        "case",
        (
            "applyTime",
            "promiseLimit",
            "promiseUnit",
            "statutoryLimit",
            "statutoryUnit",
            "projectTypeCode",
            "catalogCode",
            "taskName",
            "handlingOrgName",
            "regionCode",
        ),
    ),
    "caseAcceptance": ("acceptance", ("acceptTime", "acceptanceResult")),
    "caseResult": ("result", ("endTime", "resultCode")),
}
MANY_OF = {
    "caseSupplement": ("supplement", "supplementNo", ("noticeTime", "replyTime")),
    "caseSpecialProcedure": (
        "special",
        "specialNo",
        ("startTime", "endTime", "specialTypeCode", "extendedDays"),
    ),
}


def merged(kept: Kept, resource: str, body: Body) -> Kept:
    """The dates kept of a case, with one more message; free of order and repeats."""
    if resource in ONE_OF:
        slot, names = ONE_OF[resource]
        fact = _said(body, names)
        known = kept.get(slot)
        if known is not None and _rank(known, names) >= _rank(fact, names):
            return kept
        return {**kept, slot: fact}
    slot, number, names = MANY_OF[resource]
    slot = f"{slot} {body[number]}"
    # Notice and reply, begin and end come apart; each may leave out what the other told.
    fact = _said(body, names)
    known = kept.get(slot, {})
    return {**kept, slot: {**known, **{n: max(v, known.get(n, v)) for n, v in fact.items()}}}


def _said(body: Body, names: tuple[str, ...]) -> Kept:
    return {name: body[name] for name in names if body.get(name) is not None}


def _rank(fact: Mapping[str, Any], names: tuple[str, ...]) -> tuple[str, str]:
    """A total order, by the first item and then by all that is said."""
    said = orjson.dumps(dict(fact), option=orjson.OPT_SORT_KEYS).decode()
    return str(fact.get(names[0]) or ""), said


def facts_of(kept: Kept) -> CaseFacts:
    """What the rules judge by. Days are Beijing days, as the reports write them."""
    case, acceptance = kept.get("case", {}), kept.get("acceptance", {})
    decided = _day(acceptance.get("acceptTime"))
    accepted = acceptance.get("acceptanceResult") == ACCEPTED
    specials = [kept[slot] for slot in sorted(kept) if slot.startswith("special ")]
    extending = [each for each in specials if each.get("specialTypeCode") == EXTENDS]
    extended = sum(int(each.get("extendedDays", 0)) for each in extending)
    pausing = [each for each in specials if each not in extending]
    asked = [kept[slot] for slot in sorted(kept) if slot.startswith("supplement ")]
    return CaseFacts(
        applied=_day(case.get("applyTime")),
        accepted=decided if accepted else None,
        refused=None if accepted else decided,
        finished=_day(kept.get("result", {}).get("endTime")),
        promise=_limit(case, "promise", extended),
        statutory=_limit(case, "statutory", extended),
        instant=case.get("projectTypeCode") == INSTANT,
        supplements=_pauses(asked, "noticeTime", "replyTime"),
        specials=_pauses(pausing, "startTime", "endTime"),
    )


def doubt(case: CaseFacts) -> str:
    """Why this case cannot be judged, as a text code; "" where it can. Times or limits that
    contradict each other are a matter for the data's quality, not grounds for a card."""
    if any(pause.end and pause.end < pause.start for pause in case.pauses):
        return "supervision.doubt.pause"
    if case.finished and case.decided is None:
        return "supervision.doubt.not-accepted"
    if case.finished and case.decided and case.finished < case.decided:
        return "supervision.doubt.ended-before"
    limits = (case.promise, case.statutory)
    if case.applied and any(each is None or each.unit not in UNITS for each in limits):
        return "supervision.doubt.limit"
    promise, statutory = limits
    if promise and statutory and promise.unit == statutory.unit and promise.count > statutory.count:
        return "supervision.doubt.promise"
    return ""


def _pauses(spans: list[Kept], start: str, end: str) -> tuple[Pause, ...]:
    found = [(_day(span.get(start)), _day(span.get(end))) for span in spans]
    return tuple(sorted((Pause(a, b) for a, b in found if a), key=lambda pause: pause.start))


def _limit(case: Mapping[str, Any], name: str, extended: int) -> Limit | None:
    count, unit = case.get(f"{name}Limit"), case.get(f"{name}Unit")
    return Limit(int(count), str(unit), extended) if count is not None and unit else None


def _day(text: Any) -> date | None:
    return date.fromisoformat(str(text)[:10]) if text else None
