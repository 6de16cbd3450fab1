"""What happened to an item, in the order of the systems' own times. Pure.

Form       times are the reports' text times (Beijing time); a day alone stands for its beginning
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Moment", "timeline"]


@dataclass(frozen=True, slots=True)
class Moment:
    """One event of an item. *what* ends its text code, ``one-thing.moment.<what>``.

    *said*: the office's own words to it (a step's name, a reason, a number), in their language.
    """

    at: str
    what: str
    said: str = ""

    @property
    def code(self) -> str:
        return f"one-thing.moment.{self.what}"


def timeline(facts: Mapping[str, Mapping[str, Any]]) -> list[Moment]:
    """All events told by *facts* (see `services.one_thing.rules`), oldest first."""
    told = [
        moment
        for slot, fact in sorted(facts.items())
        for moment in _MOMENTS[slot.partition(" ")[0]](fact)
        if moment.at
    ]
    return sorted(told, key=lambda moment: moment.at)


def _acceptance(fact: Mapping[str, Any]) -> Iterator[Moment]:
    accepted = fact.get("acceptanceResult") == "1"
    said = fact.get("acceptDocNo", "") if accepted else fact.get("refusalReason", "")
    yield Moment(_at(fact, "acceptTime"), "accepted" if accepted else "refused", said)


def _step(fact: Mapping[str, Any]) -> Iterator[Moment]:
    name = fact.get("stepName", "")
    yield Moment(_at(fact, "stepStartTime"), "step-begun", name)
    yield Moment(_at(fact, "stepEndTime"), "step-done", name)


def _supplement(fact: Mapping[str, Any]) -> Iterator[Moment]:
    yield Moment(_at(fact, "noticeTime"), "supplement-asked", fact.get("supplementReason", ""))
    yield Moment(_at(fact, "replyTime"), "supplement-answered")


def _special(fact: Mapping[str, Any]) -> Iterator[Moment]:
    name = fact.get("specialName", "")
    yield Moment(_at(fact, "startTime"), "special-begun", name)
    yield Moment(_at(fact, "endTime"), "special-done", name)


def _result(fact: Mapping[str, Any]) -> Iterator[Moment]:
    granted = fact.get("resultCode") == "1"
    said = fact.get("resultDescription", "")
    yield Moment(_at(fact, "endTime"), "granted" if granted else "not-granted", said)


def _licence(fact: Mapping[str, Any]) -> Iterator[Moment]:
    yield Moment(_at(fact, "issueDate"), "licence", fact.get("licenceNumber", ""))


def _dispatch(fact: Mapping[str, Any]) -> Iterator[Moment]:
    waybill = " ".join(filter(None, (fact.get("carrierName"), fact.get("waybillNo"))))
    yield Moment(_at(fact, "sendTime"), "sent", waybill)
    yield Moment(_at(fact, "receiveTime"), "received")


def _at(fact: Mapping[str, Any], name: str) -> str:
    return str(fact.get(name) or "")


_MOMENTS = {
    "acceptance": _acceptance,
    "step": _step,
    "supplement": _supplement,
    "special": _special,
    "result": _result,
    "licence": _licence,
    "dispatch": _dispatch,
}
