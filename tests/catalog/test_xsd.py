"""The XML Schema of a resource, as lxml's validator judges it."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from catalog.derive.sample import sample_body
from catalog.derive.validator import compile_validator
from catalog.derive.xsd import to_xml, xsd
from schemas.errors import Rejected
from tests.catalog.a_catalogue import VALID, dice, reference_site, small

SITE = reference_site()
SMALL = small().resources["caseAcceptance"]


def schema_of(text: bytes) -> etree.XMLSchema:
    return etree.XMLSchema(etree.fromstring(text))


@pytest.mark.parametrize("name", sorted(SITE.resources))
def test_what_the_generator_makes_is_valid(name: str) -> None:
    """As XML too, for each resource that we ship."""
    resource = SITE.resources[name]
    schema = schema_of(xsd(resource, SITE))

    for seed in range(5):
        body = sample_body(resource, SITE, dice(seed))
        document = etree.fromstring(to_xml(resource, body))
        assert schema.validate(document), schema.error_log


def test_what_our_validator_finds_fine_is_valid() -> None:
    """Groups, lists, numbers, truth values, binary and text of more than one line."""
    assert not compile_validator(SMALL, small())(VALID).faults

    assert schema_of(xsd(SMALL, small())).validate(etree.fromstring(to_xml(SMALL, VALID)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("caseNo", "A1"), ("caseNo", None), ("acceptanceResult", "3"), ("stepNo", 0)),
        *(("stepNo", 10000), ("stepNo", "three"), ("feeAmount", "1.234"), ("isCharged", "yes")),
        *(("issueDate", "2026-13-01"), ("acceptTime", "2026-02-28T25:00:00"), ("caseNo", "    ")),
        *(("uscc", "91350100I000100Y43"), ("shipNo", "A1234"), ("dayTime", "246060")),
        *(("sealImage", "5qC"), ("Material", [{"materialName": "一"}] * 4), ("Place", {})),
        *(("regionCode", "13010"), ("regionCode", "一三零一零二"), ("Material", [{}])),
    ],
)
def test_a_wrong_value_is_refused(name: str, value: Any) -> None:
    """What a partner's own XML tools can find, they should."""
    document = etree.fromstring(to_xml(SMALL, {**VALID, name: value}))

    assert not schema_of(xsd(SMALL, small())).validate(document)


def test_a_foreign_element_is_refused() -> None:
    """The schema is closed, as the resource is."""
    document = etree.fromstring(to_xml(SMALL, VALID))
    etree.SubElement(document, "foreign").text = "1"

    assert not schema_of(xsd(SMALL, small())).validate(document)


def test_characters_that_xml_does_not_know_are_refused() -> None:
    """Rather than changed on the way."""
    with pytest.raises(Rejected) as caught:
        to_xml(SMALL, {**VALID, "applicantName": "张\x00三"})

    assert "item.control" == caught.value.code
