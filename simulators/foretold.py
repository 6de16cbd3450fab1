"""What must come out of made-up applications, reckoned without running anything.

A checker holds it against the streams: what a partner told and the hub never read would show in no
ledger.

Promises   agrees with what the simulators tell, as long as no switch makes a partner refuse
Careful    the construction platform changes rows: a start and an end (a special procedure's, a
           parcel's) between two looks at its tables come out as one message, the later
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from simulators.applications import STAMP, application
from simulators.lifecycle import Case, Course, Kind, course

__all__ = ["Limits", "foretold", "messages_of"]

RESOURCES = {
    Kind.SUPPLEMENT_ASKED: "caseSupplement.created",
    Kind.ACCEPTED: "caseAcceptance.created",
    Kind.REFUSED: "caseAcceptance.created",
    Kind.STEP_DONE: "caseStep.created",
    Kind.SPECIAL_STARTED: "caseSpecialProcedure.created",
    Kind.SPECIAL_ENDED: "caseSpecialProcedure.updated",
    Kind.DECIDED: "caseResult.created",
    Kind.LICENSED: "electronicLicence.created",
    Kind.SENT: "resultDispatch.created",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one item: its *number* in the one-thing, promised and statutory working days."""

    number: int
    promise_days: int
    statutory_days: int


def messages_of(drawn: Course) -> Counter[str]:
    """The canonical messages a course leads to, by ``<resource>.<operation>``."""
    found: Counter[str] = Counter()
    for event in drawn.events:
        if event.kind is Kind.RECEIVED:
            # What was sent before is there already.
            found[f"resultDispatch.{'updated' if drawn.sent_at else 'created'}"] += 1
        else:
            found[RESOURCES[event.kind]] += 1
    if drawn.supplement:
        found["caseSupplement.updated"] += 1  # the applicant's reply
    return found


def foretold(seed: int, numbers: Iterable[str], items: Mapping[str, Limits]) -> Counter[str]:
    """All messages about the applications *numbers*; *items* by catalogue code."""
    found: Counter[str] = Counter()
    for number in numbers:
        made = application(seed, number)
        found["oneThingApplication.created"] += 1
        for chosen in made["sx"]:
            limits = items[chosen["bm"]]
            case = Case(
                case_no=f"{number}-{limits.number}",
                applied_at=datetime.strptime(made["sqsj"], STAMP),  # noqa: DTZ007 - Beijing time
                promised=chosen["fs"] == "CN",
                posted=made["lq"]["fs"] == "YJ",
                promise_days=limits.promise_days,
                statutory_days=limits.statutory_days,
            )
            found["itemCase.created"] += 1
            found += messages_of(course(seed, case))
    return found
