"""An intake that maps nothing: made for a resource, it takes the resource's own bodies."""

from __future__ import annotations

import pytest

from catalog.derive.sample import sample_body
from routes.examples import run_intake
from routes.identity import identity_intake, is_identity
from routes.intake import compile_intake
from routes.model import IntakeDeclaration
from routes.site import Declarations
from schemas.declarations import parse
from tests.catalog.a_catalogue import dice, reference_site, small

SITE = reference_site()


def intake_of(text: str) -> IntakeDeclaration:
    return parse(text, IntakeDeclaration, file="intakes/a.yaml")


@pytest.mark.parametrize("name", sorted(SITE.resources))
def test_a_body_passes_as_it_is(name: str) -> None:
    """For every resource that we ship: lists, groups in lists, numbers and truth values too."""
    resource = SITE.resources[name]
    text = identity_intake("anybody", resource, sample_body(resource, SITE, dice(1)))
    intake = intake_of(text)
    compiled = compile_intake(intake, Declarations(SITE))

    assert [True] == [each.passed for each in run_intake(intake, Declarations(SITE))]
    assert is_identity(intake, SITE.resources)
    for seed in range(5):
        body = sample_body(resource, SITE, dice(seed))
        (draft,) = compiled.drafts(body)
        assert body == draft.body


def test_a_group_may_stand_alone() -> None:
    """Its items are mapped one by one."""
    catalogue = small()
    resource = catalogue.resources["caseAcceptance"]
    body = sample_body(resource, catalogue, dice(2))
    intake = intake_of(identity_intake("anybody", resource, body))

    assert all(each.passed for each in run_intake(intake, Declarations(catalogue)))


def test_what_is_mapped_is_no_identity() -> None:
    """Another name, a condition, or an item left out makes it the partner's own words."""
    resource = SITE.resources["caseRating"]
    same = intake_of(identity_intake("anybody", resource, {}))
    (publish,) = same.publish
    less = {name: value for name, value in publish.map.items() if name != "ratingText"}

    def like(**changed: object) -> IntakeDeclaration:
        return same.model_copy(update={"publish": (publish.model_copy(update=changed),)})

    assert is_identity(like(), SITE.resources)
    assert not is_identity(like(map=less), SITE.resources)
    assert not is_identity(like(for_each="list"), SITE.resources)
    assert not is_identity(like(resource="noSuch"), SITE.resources)
