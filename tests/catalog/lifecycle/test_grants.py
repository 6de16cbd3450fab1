"""What an application must say, and who answers it (R-C8)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from catalog.lifecycle.grants import (
    Answer,
    Application,
    Asked,
    Decision,
    Stage,
    answered,
    conditions_of,
    conformity,
    doubts,
    holder_of,
)
from catalog.lifecycle.people import Actor, Role
from catalog.lifecycle.steps import Limits, Terms
from catalog.model import Item, Resource, Share
from schemas.calendar import read_calendars
from schemas.errors import Rejected
from tests.catalog.a_catalogue import small

FOLDER = Path(__file__).parents[3] / "sites/reference/calendars"
CALENDAR = read_calendars({p.name: p.read_text("utf-8") for p in sorted(FOLDER.glob("*.yaml"))})
TERMS = Terms(Limits(), CALENDAR)
CATALOGUE = small()
RESOURCE = CATALOGUE.resources["caseAcceptance"]
UNIT = "市消防支队"
TODAY = date(2026, 3, 4)
AT = datetime(2026, 3, 4, 2, tzinfo=UTC)
ASKED = Asked(
    resource="caseAcceptance",
    system="fire",
    call="cases",
    purpose="核对公众聚集场所的受理情况",
    legal_basis="消防法第十五条",
    items=("caseNo", "acceptanceResult", "Material/materialName"),
    way="interface",
    until=date(2026, 12, 31),
)
APPLICANT = Actor("李", UNIT, frozenset({Role.EDITOR}))
AUTHORITY = Actor("孙", "市数据局", frozenset({Role.AUTHORITY}))
PROVIDER = Actor("钱", RESOURCE.provider, frozenset({Role.UNIT_REVIEWER}))
APPLICATION = Application(
    "A2026-000001", UNIT, RESOURCE.provider, Stage.CONFORMITY, AT, "李", ASKED
)
UNCONDITIONAL = RESOURCE.model_copy(
    update={"share": RESOURCE.share.model_copy(update={"type": "unconditional"})}
)


def faults(asked: Asked, resource: Resource = RESOURCE) -> list[tuple[str, str]]:
    found = conformity(asked, resource, {"fire": UNIT, "police": "市公安局"}, UNIT, TODAY, TERMS)
    return [(fault.code, fault.at) for fault in found]


def decided(
    application: Application,
    decision: Decision,
    actor: Actor,
    answer: Answer = Answer(),  # noqa: B008 - a frozen value
    resource: Resource = RESOURCE,
) -> Application:
    return answered(application, decision, actor, AT, answer=answer, resource=resource)


def test_a_good_application_conforms() -> None:
    """Items by path, the business key among them, a purpose and its basis, a term within a year."""
    assert [] == faults(ASKED)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"purpose": " 无 "}, [("grant.purpose", "purpose")]),
        ({"legal_basis": "-"}, [("grant.legal-basis", "legal_basis")]),
        ({"way": "file"}, [("grant.way", "way")]),
        ({"system": "police"}, [("grant.system", "system")]),
        ({"call": ""}, [("grant.call", "call")]),
        ({"items": ("caseNo", "no")}, [("grant.item", "items")]),
        ({"items": ("acceptanceResult",)}, [("grant.key", "items")]),
        ({"until": TODAY}, [("grant.past", "until")]),
        ({"until": date(2027, 3, 6)}, [("grant.long", "until")]),
        ({"per_day": 0}, [("grant.per-day", "per_day")]),
    ],
)
def test_each_lack_is_told_at_its_field(
    change: dict[str, object], found: list[tuple[str, str]]
) -> None:
    """One by one; several at once are all told."""
    assert found == faults(replace(ASKED, **change))  # type: ignore[arg-type]  # one field each


def test_what_is_not_shared_cannot_be_applied_for() -> None:
    """The ground is told to the applicant."""
    share = RESOURCE.share.model_copy(update={"type": "none", "condition": "保守国家秘密法"})
    closed = RESOURCE.model_copy(update={"share": share})

    assert [("grant.not-shared", "resource")] == faults(ASKED, closed)


# One item of an unconditional resource may be had on a condition, one of a group not at all.
STRICT = {
    "stepNo": Share(type="conditional", condition="限核查进度", way="interface"),
    "materialName": Share(type="none", condition="《保守国家秘密法》第九条", way="interface"),
    "dayTime": Share(type="unconditional", way="file"),
}


def strict(resource: Resource) -> Resource:
    def declared(item: Item) -> Item:
        inside = tuple(map(declared, item.items))
        return item.model_copy(update={"items": inside, "share": STRICT.get(item.wire_name)})

    return resource.model_copy(update={"items": tuple(map(declared, resource.items))})


@pytest.mark.parametrize("items", [("caseNo", "Material"), ("caseNo", "Material/materialName")])
def test_an_item_that_is_not_shared_is_never_granted(items: tuple[str, ...]) -> None:
    """Neither by itself nor with its group, though the resource is shared; the rest is (R-A5)."""
    open_resource = strict(UNCONDITIONAL)
    (fault,) = (
        each
        for each in conformity(
            replace(ASKED, items=items), open_resource, {"fire": UNIT}, UNIT, TODAY, TERMS
        )
        if each.code != "grant.legal-basis"
    )

    assert ("grant.item-not-shared", "items") == (fault.code, fault.at)
    assert ("Material/materialName", "《保守国家秘密法》第九条") == (
        fault.facts["item"],
        fault.facts["ground"],
    )
    assert [] == faults(replace(ASKED, items=("caseNo", "Material/stepNo")), open_resource)


def test_an_item_has_a_way_of_its_own() -> None:
    """What is given as files only is not had by the interface."""
    asked = replace(ASKED, items=("caseNo", "dayTime"))

    assert [("grant.item-way", "items")] == faults(asked, strict(UNCONDITIONAL))


def test_a_conditional_item_is_answered() -> None:
    """Its condition is told, a basis is asked for, and the provider answers, though the resource is
    unconditional; without the item nobody needs to."""
    resource = strict(UNCONDITIONAL)
    plain = replace(APPLICATION, asked=replace(ASKED, items=("caseNo",), legal_basis=""))
    with_item = replace(APPLICATION, asked=replace(ASKED, items=("caseNo", "stepNo")))

    assert [] == faults(plain.asked, resource)
    assert [("grant.legal-basis", "legal_basis")] == faults(
        replace(with_item.asked, legal_basis=""), resource
    )
    assert ("限核查进度",) == conditions_of(with_item.asked.items, resource)
    assert Stage.GRANTED is decided(plain, Decision.PASS, AUTHORITY, resource=resource).stage
    assert Stage.ANSWER is decided(with_item, Decision.PASS, AUTHORITY, resource=resource).stage


def test_items_that_tell_of_a_person_are_pointed_out() -> None:
    """Also those that come with a group."""
    asked = replace(ASKED, items=("caseNo", "applicantName", "Place"))

    assert ["applicantName", "Place/address"] == [
        each.at for each in doubts(asked, RESOURCE, CATALOGUE)
    ]


def test_the_authority_checks_and_the_provider_answers() -> None:
    """Nobody else; and what is agreed to is granted."""
    passed = decided(APPLICATION, Decision.PASS, AUTHORITY)

    assert (Role.AUTHORITY, "") == holder_of(APPLICATION)
    assert (Role.UNIT_REVIEWER, RESOURCE.provider) == holder_of(passed)
    for actor in (APPLICANT, AUTHORITY, replace(PROVIDER, unit="市公安局")):
        with pytest.raises(Rejected) as caught:
            decided(passed, Decision.AGREE, actor)
        assert "lifecycle.role" == caught.value.code
    assert Stage.GRANTED is decided(passed, Decision.AGREE, PROVIDER).stage


def test_what_is_shared_without_condition_needs_no_answer() -> None:
    """The check alone grants it."""
    granted = decided(APPLICATION, Decision.PASS, AUTHORITY, resource=UNCONDITIONAL)

    assert Stage.GRANTED is granted.stage


def test_agreeing_in_part_narrows_the_items() -> None:
    """To some of those asked for, with the key; never to others."""
    passed = replace(APPLICATION, stage=Stage.ANSWER)
    partly = decided(passed, Decision.AGREE, PROVIDER, Answer(items=("caseNo",)))

    assert (Stage.PARTLY, ("caseNo",)) == (partly.stage, partly.asked.items)
    for items, code in (
        (("caseNo", "applicantName"), "grant.item"),
        (("acceptanceResult",), "grant.key"),
    ):
        with pytest.raises(Rejected) as caught:
            decided(passed, Decision.AGREE, PROVIDER, Answer(items=items))
        assert code == caught.value.code


def test_a_refusal_says_why() -> None:
    """So does a return; a returned one may be submitted again by its unit."""
    passed = replace(APPLICATION, stage=Stage.ANSWER)
    for decision in (Decision.REFUSE, Decision.RETURN):
        with pytest.raises(Rejected) as caught:
            decided(passed, decision, PROVIDER, Answer(reason="略"))
        assert "lifecycle.reason" == caught.value.code
    refused = decided(passed, Decision.REFUSE, PROVIDER, Answer(reason="用途与职责无关"))
    returned = decided(passed, Decision.RETURN, PROVIDER, Answer(reason="请说明所需期限"))

    assert (Stage.REFUSED, None) == (refused.stage, holder_of(refused))
    assert Stage.CONFORMITY is decided(returned, Decision.RESUBMIT, APPLICANT).stage
    assert Stage.CANCELLED is decided(returned, Decision.CANCEL, APPLICANT).stage
    with pytest.raises(Rejected) as caught:
        decided(refused, Decision.CANCEL, APPLICANT)
    assert "lifecycle.state" == caught.value.code
