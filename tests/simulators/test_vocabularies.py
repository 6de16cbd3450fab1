"""Every word of the partners is understood: their records through the declared mappings, both ways."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simulators import fire_safety, market_supervision, one_window, special_industry
from simulators.applications import application
from simulators.authority import Tongue
from simulators.foretold import messages_of
from simulators.lifecycle import Course, course
from simulators.soap_form import Schema, document, envelope
from tests.simulators.reference import case_of, intake, item_cases, message, route, validator

SEEDS = range(80)
Way = Callable[[dict[str, Any]], dict[str, Any]]


def plain(content: dict[str, Any]) -> dict[str, Any]:
    return content


def by_soap(content: dict[str, Any]) -> dict[str, Any]:
    """As the police's server reads it, which checks it against its schema."""
    text = envelope(special_industry.NAMESPACE, "SubmitCase", {"requestId": "k", **content})
    return special_industry.SCHEMA.read(text)[1]


def a_change(content: dict[str, Any]) -> dict[str, Any]:
    """As a SOAP client reads one record of the police's answer."""
    answer = {"resultCode": "00", "record": [{"lsh": "1", **content}], "next": "1"}
    text = envelope(special_industry.NAMESPACE, "GetChangesResponse", answer)
    record: dict[str, Any] = special_industry.SCHEMA.read(text)[1]["record"]
    return record


def by_attachment(content: dict[str, Any]) -> dict[str, Any]:
    """As the fire brigade reads the document attached."""
    text = document("消防安全检查申请", content["attachment"])
    sent = {**content, "attachment": base64.b64encode(text).decode()}
    call = envelope(fire_safety.NAMESPACE, "SubmitInspection", {"requestId": "k", **sent})
    received = fire_safety.SCHEMA.read(call)[1]["attachment"]
    return fire_safety.APPLICATION.read(base64.b64decode(received))[1]


def a_notice(content: dict[str, Any]) -> dict[str, Any]:
    """As we read the document attached to its notice."""
    schema = Schema("fire-notice.xsd")
    return {"attachment": schema.read(document("消防业务通知", content))[1]}


PARTNERS: list[tuple[Tongue, str, str, Way, Way]] = [
    (one_window.OneWindow(), "items-to-one-window", "one-window.event", plain, plain),
    (
        market_supervision.MarketSupervision(),
        "items-to-market-supervision",
        "market-supervision.change",
        plain,
        plain,
    ),
    (
        special_industry.SpecialIndustry(),
        "items-to-special-industry",
        "special-industry.progress",
        by_soap,
        a_change,
    ),
    (
        fire_safety.FireSafety(),
        "items-to-fire-safety",
        "fire-safety.notification",
        by_attachment,
        a_notice,
    ),
]


def cases() -> Iterator[dict[str, Any]]:
    """The item cases of many applications, each of them valid."""
    for seed in SEEDS:
        (draft,) = intake("integrated-platform.application").drafts(
            application(seed, f"MS2026{seed:07}")
        )
        assert () == validator("oneThingApplication")(draft.body).faults
        for case in item_cases(draft):
            assert () == validator("itemCase")(case).faults
            yield case


def told_by_authorities(drawn: Course) -> Counter[str]:
    """What the hub must come to know of a course, without the applicant's own part."""
    return messages_of(drawn) - Counter({"caseSupplement.updated": 1})


@pytest.mark.parametrize(
    ("tongue", "to", "back", "sent", "told"), PARTNERS, ids=lambda each: getattr(each, "name", "")
)
def test_a_case_goes_out_and_its_course_comes_back(
    tongue: Tongue, to: str, back: str, sent: Way, told: Way
) -> None:
    """Nothing is refused on the way, and what is said at both ends is the same."""
    seen = 0
    for body in cases():
        payload = route(to).payload(message("itemCase", body))
        if payload is None:
            continue
        content = sent(dict(payload))
        case = tongue.case_of(content)
        drawn = course(7, case)
        found: Counter[str] = Counter()
        for event in drawn.events:
            record = tongue.told(content, drawn, event)
            if record is None:
                continue
            for draft in intake(back).drafts(told(dict(record))):
                findings = validator(draft.resource)(draft.body)
                assert () == findings.faults + findings.doubts
                assert body["caseNo"] == draft.body["caseNo"]
                assert body["regionCode"] == draft.body["regionCode"]
                found[f"{draft.resource}.{draft.operation}"] += 1
                if draft.resource == "caseResult":
                    assert drawn.result_code == draft.body["resultCode"]
                    assert f"{drawn.decided_at:%Y-%m-%dT%H:%M:%S}" == draft.body["endTime"]
                if draft.resource == "electronicLicence":
                    assert body["certNumber"] == draft.body["holderCode"]
                    assert body["certTypeCode"] == draft.body["holderTypeCode"]

        seen += 1
        assert told_by_authorities(drawn) == found
        assert case == case_of(body)
    assert seen > 25
