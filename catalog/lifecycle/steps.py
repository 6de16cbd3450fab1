"""The steps of a version of a resource: who may take which, from where to where.

A published version stays live while its successor goes through the same steps beside it: each
version has a state of its own, and only publishing the one supersedes the other.

Standard   R-A5, R-C8; 政务数据共享条例 (State Council order 809): one catalogue, reviewed, then published
Form       编制中 → 待部门审核 → 待主管部门审核 → 已发布 → 拟撤回 → 已撤回; 已替代 by a later version
Promises   who submits a version does not review it; a return names its reasons, item by item; so does
           publishing what shares more freely than before (R-A5: never looser without approval)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from catalog.lifecycle.people import Actor, Role, must_be
from schemas.calendar import Calendar, beijing_day
from schemas.errors import Fault, Rejected

__all__ = [
    "LIVE",
    "NOTHING",
    "OPEN",
    "PLACEHOLDERS",
    "Act",
    "Limits",
    "Reason",
    "Said",
    "Standing",
    "State",
    "Step",
    "Terms",
    "check_loosened",
    "holder",
    "may",
    "taken",
    "waiting_days",
]

PLACEHOLDERS = frozenset({"", "-", "—", "无", "/", "略", "待定", "理由", "原因"})


class State(StrEnum):
    DRAFT = "draft"  # 编制中
    UNIT_REVIEW = "unit-review"  # 待部门审核
    AUTHORITY_REVIEW = "authority-review"  # 待主管部门审核
    PUBLISHED = "published"  # 已发布
    WITHDRAWING = "withdrawing"  # 拟撤回: announced, still live
    WITHDRAWN = "withdrawn"  # 已撤回
    SUPERSEDED = "superseded"  # 已替代
    DROPPED = "dropped"  # 已作废: a draft that nobody goes on with


# What is not decided yet: a resource has one such version at most.
OPEN = frozenset({State.DRAFT, State.UNIT_REVIEW, State.AUTHORITY_REVIEW})
LIVE = frozenset({State.PUBLISHED, State.WITHDRAWING})


class Act(StrEnum):
    SUBMIT = "submit"  # 提交
    RECALL = "recall"  # 撤回提交
    PASS = "pass"  # 部门审核通过  # noqa: S105 - an act, no password
    RETURN = "return"  # 退回
    PUBLISH = "publish"  # 审核通过并发布
    DROP = "drop"  # 作废
    ANNOUNCE = "announce"  # 公告撤回
    KEEP = "keep"  # 取消撤回
    WITHDRAW = "withdraw"  # 撤回
    RESTORE = "restore"  # 恢复
    SUPERSEDE = "supersede"  # 被新版本替代; done by publishing the successor


@dataclass(frozen=True, slots=True)
class Step:
    """An act, as a rule: from which state, to which, by whom; *of_unit*: of the provider's unit."""

    start: State
    end: State
    role: Role
    of_unit: bool = True
    needs_reason: bool = False


_STEPS: Mapping[Act, tuple[Step, ...]] = {
    Act.SUBMIT: (Step(State.DRAFT, State.UNIT_REVIEW, Role.EDITOR),),
    Act.RECALL: (Step(State.UNIT_REVIEW, State.DRAFT, Role.EDITOR),),
    Act.PASS: (Step(State.UNIT_REVIEW, State.AUTHORITY_REVIEW, Role.UNIT_REVIEWER),),
    Act.RETURN: (
        Step(State.UNIT_REVIEW, State.DRAFT, Role.UNIT_REVIEWER, needs_reason=True),
        Step(State.AUTHORITY_REVIEW, State.DRAFT, Role.AUTHORITY, of_unit=False, needs_reason=True),
    ),
    Act.PUBLISH: (Step(State.AUTHORITY_REVIEW, State.PUBLISHED, Role.AUTHORITY, of_unit=False),),
    Act.DROP: (Step(State.DRAFT, State.DROPPED, Role.EDITOR, needs_reason=True),),
    Act.ANNOUNCE: (
        Step(State.PUBLISHED, State.WITHDRAWING, Role.AUTHORITY, of_unit=False, needs_reason=True),
    ),
    Act.KEEP: (Step(State.WITHDRAWING, State.PUBLISHED, Role.AUTHORITY, of_unit=False),),
    Act.WITHDRAW: (Step(State.WITHDRAWING, State.WITHDRAWN, Role.AUTHORITY, of_unit=False),),
    Act.RESTORE: (Step(State.WITHDRAWN, State.PUBLISHED, Role.AUTHORITY, of_unit=False),),
    Act.SUPERSEDE: tuple(Step(s, State.SUPERSEDED, Role.AUTHORITY, of_unit=False) for s in LIVE),
}
_HOLDERS = {
    State.DRAFT: Role.EDITOR,
    State.UNIT_REVIEW: Role.UNIT_REVIEWER,
    State.AUTHORITY_REVIEW: Role.AUTHORITY,
    State.WITHDRAWING: Role.AUTHORITY,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each step may take and how much notice is due; declared, for regions differ.

    In working days, *restore_days* and *grant_days* (the longest grant) in calendar days.
    """

    unit_review_days: int = 5
    authority_review_days: int = 2
    answer_days: int = 10
    notice_days: int = 20
    restore_days: int = 90
    grant_days: int = 366
    warn_days: int = 15

    def of(self, state: State) -> int | None:
        """The working days that who holds a version in *state* has for it."""
        return {
            State.UNIT_REVIEW: self.unit_review_days,
            State.AUTHORITY_REVIEW: self.authority_review_days,
        }.get(state)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: of one item (its path, ``Material/materialName``), or of the whole where it is ""."""

    item: str
    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """What comes with an act: reasons, and the day on which an announced withdrawal is due."""

    reasons: tuple[Reason, ...] = ()
    ends: date | None = None


NOTHING = Said()


@dataclass(frozen=True, slots=True)
class Terms:
    """What days are counted by."""

    limits: Limits
    calendar: Calendar


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a version stands. *since*: when it came there; *submitted_by*: whose work is reviewed;
    *ends*: the day on which an announced withdrawal is due."""

    resource: str
    number: int
    provider: str
    state: State
    since: datetime
    submitted_by: str = ""
    ends: date | None = None


def holder(standing: Standing) -> tuple[Role, str] | None:
    """Whose turn it is, and of which unit ("" for the authority); None where nobody's."""
    role = _HOLDERS.get(standing.state)
    if role is None:
        return None
    return role, "" if role is Role.AUTHORITY else standing.provider


def waiting_days(standing: Standing, today: date, calendar: Calendar) -> int:
    """Working days for which it has stood where it stands; the day it came there does not count."""
    return calendar.between(beijing_day(standing.since), today)


def may(actor: Actor, standing: Standing) -> tuple[Act, ...]:
    """The acts that *actor* could do now, as far as roles and states tell."""
    return tuple(
        act
        for act, steps in _STEPS.items()
        if act is not Act.SUPERSEDE and any(_allows(step, actor, standing, act) for step in steps)
    )


def taken(
    standing: Standing,
    act: Act,
    actor: Actor,
    at: datetime,
    *,
    said: Said = NOTHING,
    items: Collection[str] = (),
    terms: Terms,
) -> Standing:
    """
    Where *standing* is after *act*. *items*: the paths that a reason may name.

    Raises `Rejected`:
    ``lifecycle.state``, ``lifecycle.role``, ``lifecycle.own-work``, ``lifecycle.reason``,
    ``lifecycle.reason-item``, ``lifecycle.notice``, ``lifecycle.not-due``, ``lifecycle.too-late``.
    """
    step = next((s for s in _STEPS[act] if s.start is standing.state), None)
    if step is None:
        raise Rejected(
            "lifecycle.state", "Not from here", act=act.value, state=standing.state.value
        )
    must_be(actor, step.role, standing.provider if step.of_unit else "")
    if act in {Act.PASS, Act.PUBLISH} and actor.name == standing.submitted_by:
        raise Rejected("lifecycle.own-work", "Nobody reviews what he submitted", name=actor.name)
    if step.needs_reason:
        _check_reasons(said.reasons, items)
    _check_days(standing, act, beijing_day(at), said.ends, terms)
    return replace(
        standing,
        state=step.end,
        since=at,
        submitted_by=actor.name if act is Act.SUBMIT else standing.submitted_by,
        ends=said.ends if act is Act.ANNOUNCE else None,
    )


def _allows(step: Step, actor: Actor, standing: Standing, act: Act) -> bool:
    if step.start is not standing.state:
        return False
    if act in {Act.PASS, Act.PUBLISH} and actor.name == standing.submitted_by:
        return False
    return actor.may(step.role, standing.provider if step.of_unit else "")


def _check_reasons(reasons: Collection[Reason], items: Collection[str]) -> None:
    if not reasons:
        raise Rejected("lifecycle.reason", "A reason is due", item="")
    faults = [
        Fault("lifecycle.reason", each.item, {"item": each.item})
        for each in reasons
        if each.text.strip() in PLACEHOLDERS
    ]
    faults += [
        Fault("lifecycle.reason-item", each.item, {"item": each.item})
        for each in reasons
        if each.item and each.item not in items
    ]
    if faults:
        raise Rejected(faults[0].code, "The reasons do not tell why", faults=faults)


def check_loosened(reasons: Collection[Reason], loosened: Collection[str]) -> None:
    """
    Publishing what is shared more freely than what is live: *loosened* are its paths, "" the whole.

    Raises `Rejected` (``lifecycle.loosening``) where one of them goes without a reason.
    """
    stated = {each.item for each in reasons if each.text.strip() not in PLACEHOLDERS}
    faults = [
        Fault("lifecycle.loosening", path, {"item": path or "*"})
        for path in loosened
        if path not in stated
    ]
    if faults:
        raise Rejected("lifecycle.loosening", "To loosen needs a reason", faults=faults)


def _check_days(
    standing: Standing,
    act: Act,
    today: date,
    ends: date | None,
    terms: Terms,
) -> None:
    limits = terms.limits
    if act is Act.ANNOUNCE:
        first = terms.calendar.after(today, limits.notice_days)
        if ends is None or ends < first:
            raise Rejected(
                "lifecycle.notice",
                "Those who use it need more notice",
                days=limits.notice_days,
                first=first.isoformat(),
            )
    if act is Act.WITHDRAW and standing.ends is not None and today < standing.ends:
        raise Rejected("lifecycle.not-due", "Announced for later", ends=standing.ends.isoformat())
    if act is Act.RESTORE and (today - beijing_day(standing.since)).days > limits.restore_days:
        raise Rejected("lifecycle.too-late", "Withdrawn too long ago", days=limits.restore_days)
