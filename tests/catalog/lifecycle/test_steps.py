"""Who may take a version where (R-A5, R-C8)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from catalog.lifecycle.people import Actor, Role
from catalog.lifecycle.steps import (
    NOTHING,
    Act,
    Limits,
    Reason,
    Said,
    Standing,
    State,
    Terms,
    check_loosened,
    holder,
    may,
    taken,
    waiting_days,
)
from schemas.calendar import read_calendars
from schemas.errors import Rejected

FOLDER = Path(__file__).parents[3] / "sites/reference/calendars"
CALENDAR = read_calendars({p.name: p.read_text("utf-8") for p in sorted(FOLDER.glob("*.yaml"))})
UNIT = "市行政审批局"
EDITOR = Actor("赵", UNIT, frozenset({Role.EDITOR}))
REVIEWER = Actor("钱", UNIT, frozenset({Role.UNIT_REVIEWER}))
AUTHORITY = Actor("孙", "市数据局", frozenset({Role.AUTHORITY}))
ALL = Actor("李", UNIT, frozenset(Role))
# Wednesday, 10:00 in Beijing.
AT = datetime(2026, 3, 4, 2, tzinfo=UTC)
DRAFT = Standing("caseStep", 2, UNIT, State.DRAFT, AT)


TERMS = Terms(Limits(), CALENDAR)


def step(
    standing: Standing,
    act: Act,
    actor: Actor,
    *,
    at: datetime = AT,
    said: Said = NOTHING,
    items: Collection[str] = (),
) -> Standing:
    return taken(standing, act, actor, at, said=said, items=items, terms=TERMS)


def code_of(
    standing: Standing, act: Act, actor: Actor, said: Said = NOTHING, items: Collection[str] = ()
) -> str:
    with pytest.raises(Rejected) as caught:
        step(standing, act, actor, said=said, items=items)
    return caught.value.code


def because(item: str, text: str, ends: date | None = None) -> Said:
    return Said((Reason(item, text),), ends)


def published() -> Standing:
    return replace(DRAFT, state=State.PUBLISHED)


def test_the_whole_way() -> None:
    """A draft is submitted, passed by its unit, published by the authority."""
    submitted = step(DRAFT, Act.SUBMIT, EDITOR)
    passed = step(submitted, Act.PASS, REVIEWER)
    out = step(passed, Act.PUBLISH, AUTHORITY)

    assert [State.UNIT_REVIEW, State.AUTHORITY_REVIEW, State.PUBLISHED] == [
        submitted.state,
        passed.state,
        out.state,
    ]
    assert [(Role.UNIT_REVIEWER, UNIT), (Role.AUTHORITY, ""), None] == [
        holder(submitted),
        holder(passed),
        holder(out),
    ]


def test_steps_are_taken_in_their_order() -> None:
    """No state is left by an act that does not begin there; whoever has all roles included."""
    for state in State:
        standing = replace(DRAFT, state=state)
        for act in set(Act) - set(may(ALL, standing)) - {Act.SUPERSEDE}:
            assert "lifecycle.state" == code_of(standing, act, ALL)


def test_only_whose_turn_it_is() -> None:
    """An editor does not review, a reviewer of another unit neither, a unit does not publish."""
    submitted = step(DRAFT, Act.SUBMIT, EDITOR)
    stranger = replace(REVIEWER, unit="市公安局")

    assert "lifecycle.role" == code_of(submitted, Act.PASS, EDITOR)
    assert "lifecycle.role" == code_of(submitted, Act.PASS, stranger)
    assert "lifecycle.role" == code_of(step(submitted, Act.PASS, REVIEWER), Act.PUBLISH, REVIEWER)
    assert (Act.SUBMIT, Act.DROP) == may(EDITOR, DRAFT)
    assert () == may(stranger, submitted)


def test_nobody_reviews_his_own_work() -> None:
    """Also where one person has every role."""
    submitted = step(DRAFT, Act.SUBMIT, ALL)

    assert "lifecycle.own-work" == code_of(submitted, Act.PASS, ALL)
    assert (Act.RECALL, Act.RETURN) == may(ALL, submitted)


def test_a_return_says_why_item_by_item() -> None:
    """Blank and placeholder texts are no reasons, and an item that is not there has none."""
    submitted = step(DRAFT, Act.SUBMIT, EDITOR)
    items = ("caseNo", "Material/materialName")

    assert "lifecycle.reason" == code_of(submitted, Act.RETURN, REVIEWER)
    assert "lifecycle.reason" == code_of(
        submitted, Act.RETURN, REVIEWER, because("caseNo", " 无 "), items
    )
    assert "lifecycle.reason-item" == code_of(
        submitted, Act.RETURN, REVIEWER, because("materialName", "重复"), items
    )
    back = step(
        submitted, Act.RETURN, REVIEWER, said=because(items[1], "与证照名称重复"), items=items
    )
    assert State.DRAFT is back.state


def test_a_withdrawal_is_announced_in_time() -> None:
    """Twenty working days from 4 March 2026 end on 1 April; before its day it is not withdrawn."""
    assert "lifecycle.notice" == code_of(
        published(), Act.ANNOUNCE, AUTHORITY, because("", "职能调整", date(2026, 3, 31))
    )
    announced = step(
        published(), Act.ANNOUNCE, AUTHORITY, said=because("", "职能调整", date(2026, 4, 1))
    )
    assert "lifecycle.not-due" == code_of(announced, Act.WITHDRAW, AUTHORITY)
    kept = step(announced, Act.KEEP, AUTHORITY)
    assert (State.PUBLISHED, None) == (kept.state, kept.ends)
    due = datetime(2026, 3, 31, 16, tzinfo=UTC)  # midnight in Beijing
    assert State.WITHDRAWN is step(announced, Act.WITHDRAW, AUTHORITY, at=due).state


def test_a_withdrawal_can_be_undone_for_ninety_days() -> None:
    """On the ninety-first day it is too late."""
    gone = replace(DRAFT, state=State.WITHDRAWN)
    last = datetime(2026, 6, 2, 2, tzinfo=UTC)

    assert State.PUBLISHED is step(gone, Act.RESTORE, AUTHORITY, at=last).state
    with pytest.raises(Rejected) as caught:
        step(gone, Act.RESTORE, AUTHORITY, at=last.replace(day=3))
    assert "lifecycle.too-late" == caught.value.code


def test_waiting_counts_working_days() -> None:
    """From Wednesday over a week-end to Tuesday: four."""
    assert 4 == waiting_days(DRAFT, date(2026, 3, 10), CALENDAR)
    assert 0 == waiting_days(DRAFT, date(2026, 3, 4), CALENDAR)


def test_publishing_what_is_looser_needs_a_reason_each() -> None:
    """Of every item and of the whole; a placeholder is none."""
    whole, item = Reason("", "已由市政府常务会议批准"), Reason("stepNo", "不涉及个人信息")
    for reasons, missing in (
        ((), ["", "stepNo"]),
        ((whole,), ["stepNo"]),
        ((whole, Reason("stepNo", "无")), ["stepNo"]),
    ):
        with pytest.raises(Rejected) as caught:
            check_loosened(reasons, ("", "stepNo"))
        assert "lifecycle.loosening" == caught.value.code
        assert missing == [fault.at for fault in caught.value.faults]
    check_loosened((whole, item), ("", "stepNo"))
