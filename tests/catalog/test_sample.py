"""Made-up bodies: valid for every resource we ship, and of nobody."""

from __future__ import annotations

import pytest

from catalog.derive.sample import sample_body, sample_citizen_id, sample_uscc
from catalog.derive.validator import Findings, compile_validator
from schemas.identifiers import Verdict, check_citizen_id, check_uscc
from tests.catalog.a_catalogue import dice, reference_site, small

SITE = reference_site()
TIMES = 40


@pytest.mark.parametrize("name", sorted(SITE.resources))
def test_a_sample_passes_its_validator(name: str) -> None:
    """No fault and no doubt, whatever the dice say."""
    resource = SITE.resources[name]
    validate = compile_validator(resource, SITE)

    for seed in range(TIMES):
        body = sample_body(resource, SITE, dice(seed))
        assert Findings((), ()) == validate(body), body


def test_each_sort_of_element_can_be_made() -> None:
    """Patterns, times of day and binary too, which the site has not."""
    catalogue = small()
    resource = catalogue.resources["caseAcceptance"]
    validate = compile_validator(resource, catalogue)
    made: set[str] = set()

    for seed in range(TIMES):
        body = sample_body(resource, catalogue, dice(seed))
        made |= body.keys()
        assert Findings((), ()) == validate(body), body
    assert {item.wire_name for item in resource.items} == made


def test_the_same_dice_give_the_same_body() -> None:
    """A demonstration can be repeated."""
    resource = SITE.resources["itemCase"]

    assert sample_body(resource, SITE, dice(7)) == sample_body(resource, SITE, dice(7))
    assert sample_body(resource, SITE, dice(7)) != sample_body(resource, SITE, dice(8))


def test_a_start_comes_before_its_end() -> None:
    """Times follow the order of the items."""
    resource = SITE.resources["caseSpecialProcedure"]
    bodies = [sample_body(resource, SITE, dice(seed)) for seed in range(TIMES)]
    both = [body for body in bodies if "endTime" in body]

    assert both
    assert all(str(body["startTime"]) <= str(body["endTime"]) for body in both)


def test_nobody_has_these_numbers() -> None:
    """Order 000 is never given to a citizen, and there is no region 130199."""
    for seed in range(TIMES):
        citizen, code = sample_citizen_id(dice(seed)), sample_uscc(dice(seed))
        assert Verdict.FINE is check_citizen_id(citizen)
        assert Verdict.FINE is check_uscc(code)
        assert ("000", "130199") == (citizen[14:17], code[2:8])
