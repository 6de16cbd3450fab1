"""What is made up is valid, what is spoilt is refused for its one fault, and the schema agrees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from catalog.derive.json_schema import FORMATS, json_schema
from catalog.derive.sample import sample_body
from catalog.derive.spoil import spoilt_bodies
from catalog.derive.validator import Findings, compile_validator
from catalog.model import Catalogue
from tests.catalog.a_catalogue import VALID, dice, reference_site, small
from tests.catalog.any_resource import JSON, catalogues, near_misses

SITE, SMALL = reference_site(), small()


# The same examples each time: a run that fails can be repeated, and takes as long as the last one.
def steady(examples: int) -> settings:
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
    )


SEEDS = st.integers(0, 2**32)


def checked_by(catalogue: Catalogue, name: str) -> jsonschema.Draft202012Validator:
    checker = jsonschema.FormatChecker(formats=())
    for form, verify in FORMATS.items():
        checker.checks(form)(verify)
    schema = json_schema(catalogue.resources[name], catalogue)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, format_checker=checker)


def assert_agreed(catalogue: Catalogue, name: str, body: Any) -> None:
    found = compile_validator(catalogue.resources[name], catalogue)(body)
    said = [each.message for each in checked_by(catalogue, name).iter_errors(body)]
    assert bool(said) == bool(found.faults), (body, said, found)


def changed(body: Any, data: st.DataObject) -> Any:
    """*body* with one thing in it replaced, left out or put in, at any depth."""
    if isinstance(body, list) and body and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(body) - 1))
        return [*body[:at], changed(body[at], data), *body[at + 1 :]]
    if isinstance(body, Mapping) and body and data.draw(st.integers(0, 4)):
        name = data.draw(st.sampled_from(sorted(body)))
        if not data.draw(st.integers(0, 5)):
            return {key: each for key, each in body.items() if key != name}
        return {**body, name: changed(body[name], data)}
    if isinstance(body, Mapping) and data.draw(st.booleans()):
        return {**body, data.draw(st.text(max_size=4)): data.draw(JSON)}
    if isinstance(body, str) and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(body)))
        return (
            body[:at] + data.draw(st.sampled_from(["", "0", "\n", "X", "-", "名"])) + body[at + 1 :]
        )
    return data.draw(near_misses() | JSON)


@steady(150)
@given(catalogues(), SEEDS)
def test_what_is_made_up_is_valid(catalogue: Catalogue, seed: int) -> None:
    """Of any resource: no fault, no doubt, and the schema accepts it."""
    body = sample_body(catalogue.resources["any"], catalogue, dice(seed))

    assert Findings((), ()) == compile_validator(catalogue.resources["any"], catalogue)(body)
    assert [] == list(checked_by(catalogue, "any").iter_errors(body))


@steady(60)
@given(catalogues(), SEEDS)
def test_what_is_spoilt_has_its_one_fault(catalogue: Catalogue, seed: int) -> None:
    """Of any resource: the fault that is owed, where it is owed, and the schema refuses it too."""
    validate = compile_validator(catalogue.resources["any"], catalogue)
    schema = checked_by(catalogue, "any")

    for each in spoilt_bodies(catalogue.resources["any"], catalogue, dice(seed)):
        found = validate(each.body)
        assert [(each.code, each.at)] == [(fault.code, fault.at) for fault in found.faults]
        assert not schema.is_valid(each.body), each


@pytest.mark.parametrize("name", sorted(SITE.resources))
def test_each_item_we_ship_can_be_spoilt(name: str) -> None:
    """Every item of every resource in at least one way, each told as it is owed."""
    resource = SITE.resources[name]
    validate, schema = compile_validator(resource, SITE), checked_by(SITE, name)
    spoilt = list(spoilt_bodies(resource, SITE, dice(1)))

    for each in spoilt:
        found = validate(each.body)
        assert [(each.code, each.at)] == [(fault.code, fault.at) for fault in found.faults]
        assert not schema.is_valid(each.body), each
    first_steps = {each.at.split("/")[1] for each in spoilt}
    assert {item.wire_name for item in resource.items} <= first_steps


def test_each_fault_of_an_item_is_owed_somewhere() -> None:
    """The small catalogue has each sort of element: no rule of the validator goes without a body."""
    spoilt = list(spoilt_bodies(SMALL.resources["caseAcceptance"], SMALL, dice(1)))
    codes = {each.code for each in spoilt}

    assert {
        *("item.missing", "item.type", "item.unknown", "item.too-many", "item.too-long"),
        *("item.too-short", "item.blank", "item.characters", "item.control", "item.code"),
        *("item.identifier", "item.date", "item.range", "item.places"),
    } == codes
    assert ("/certNumber", "111") in [
        (each.at, each.body["certTypeCode"]) for each in spoilt if each.code == "item.identifier"
    ]
    assert "/Material/0/materialName" in {each.at for each in spoilt}


def test_the_same_dice_spoil_alike() -> None:
    """A partner who was sent the file twice was sent one file."""
    resource = SITE.resources["itemCase"]

    assert [*spoilt_bodies(resource, SITE, dice(3))] == [*spoilt_bodies(resource, SITE, dice(3))]


@steady(300)
@given(catalogues(), SEEDS, st.data())
def test_they_agree_on_what_was_changed(
    catalogue: Catalogue, seed: int, data: st.DataObject
) -> None:
    """Accepted by one, accepted by the other: any resource, a valid body, and one change."""
    body = sample_body(catalogue.resources["any"], catalogue, dice(seed))

    assert_agreed(catalogue, "any", changed(body, data))


SMALL_SCHEMA = checked_by(SMALL, "caseAcceptance")
SMALL_VALIDATE = compile_validator(SMALL.resources["caseAcceptance"], SMALL)


@steady(300)
@given(
    st.dictionaries(st.sampled_from(sorted(VALID)), near_misses() | JSON, min_size=1, max_size=2)
)
@example({"issueDate": "2026-02-28\n"})
@example({"issueDate": "0000-01-01"})
@example({"stepNo": 3.0})
@example({"stepNo": None, "foreign": None})
@example({"applicantName": "\x85"})
@example({"applicantName": "\ufeff"})
@example({"applicantName": "a\n"})
@example({"sealImage": "5qC3\n"})
@example({"certNumber": "110105194902300021"})
@example({"certTypeCode": None, "certNumber": "E1"})
@example({"feeAmount": "-0.00"})
@example({"feeAmount": "0" * 61 + ".10"})
@example({"feeAmount": "0" * 62 + ".10"})
@example({"feeAmount": "005000.00"})
@example({"feeAmount": "5000.01"})
def test_they_agree_on_any_value(changes: Mapping[str, Any]) -> None:
    """Any JSON in the place of any item, with the known traps as examples."""
    body = {**VALID, **changes}

    assert SMALL_SCHEMA.is_valid(body) == (not SMALL_VALIDATE(body).faults)


@steady(100)
@given(JSON)
def test_they_agree_on_anything(body: Any) -> None:
    """Also on what is no record at all."""
    assert SMALL_SCHEMA.is_valid(body) == (not SMALL_VALIDATE(body).faults)
