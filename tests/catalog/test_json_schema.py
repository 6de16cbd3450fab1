"""The JSON Schema of a resource and its validator agree on what a schema can say."""

from __future__ import annotations

from random import Random
from typing import Any

import jsonschema
import pytest

from catalog.derive.json_schema import DIALECT, json_schema
from catalog.derive.sample import sample_body
from catalog.derive.validator import compile_validator
from catalog.model import Catalogue
from schemas.errors import Misconfigured
from tests.catalog.a_catalogue import VALID, dice, reference_site, small

SITE = reference_site()
SMALL = small()
# What only the validator knows: a day that exists, the length of a number with leading zeros,
# limits of decimals, the kind of a number told beside it, and characters that cannot be carried.
BEYOND_A_SCHEMA = {
    *("item.date", "item.too-long", "item.range", "item.identifier", "item.blank", "item.control"),
    *("item.more", "item.places"),
}


def schema_of(name: str, catalogue: Catalogue) -> jsonschema.Draft202012Validator:
    schema = json_schema(catalogue.resources[name], catalogue)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def spoiled(body: dict[str, Any], rng: Random) -> dict[str, Any]:
    """One thing changed, for the worse or not."""
    name = rng.choice(sorted(body))
    value = body[name]
    wrong: list[Any] = [5, -1, 3.5, True, "", "x", "9" * 60, [], {}, "2026-02-30", "名" * 5000]
    if isinstance(value, list) and value and isinstance(value[0], dict) and rng.random() < 0.7:
        return {**body, name: [spoiled(value[0], rng), *value[1:]]}
    match rng.randrange(4):
        case 0:
            return {key: each for key, each in body.items() if key != name}
        case 1:
            return {**body, f"{name}X": value}
        case _:
            return {**body, name: rng.choice(wrong)}


@pytest.mark.parametrize("name", sorted(SITE.resources))
def test_they_agree(name: str) -> None:
    """On valid bodies wholly; on spoiled ones the schema never refuses what we accept."""
    schema = schema_of(name, SITE)
    validate = compile_validator(SITE.resources[name], SITE)

    for seed in range(25):
        body = dict(sample_body(SITE.resources[name], SITE, dice(seed)))
        assert schema.is_valid(body), list(schema.iter_errors(body))
        other = spoiled(body, dice(seed))
        codes = {fault.code for fault in validate(other).faults}
        if schema.is_valid(other):
            assert codes <= BEYOND_A_SCHEMA, (other, codes)
        else:
            assert codes, (other, [each.message for each in schema.iter_errors(other)])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("caseNo", "A1"), ("caseNo", "A2345678901"), ("caseNo", 5), ("caseNo", "   ")),
        *(("acceptanceResult", "3"), ("stepNo", 0), ("stepNo", 10000), ("stepNo", "3")),
        *(("feeAmount", "1.234"), ("feeAmount", 1.5), ("isCharged", "true")),
        *(("issueDate", "2026-13-01"), ("acceptTime", "2026-02-28T25:00:00")),
        *(("uscc", "91350100I000100Y43"), ("shipNo", "A1234"), ("dayTime", "246060")),
        *(("sealImage", "5qC"), ("Material", [{}] * 4), ("Material", [{}]), ("Place", {})),
        *(("regionCode", "13010"), ("regionCode", "一三零一零二"), ("foreign", 1)),
    ],
)
def test_the_schema_refuses_too(name: str, value: Any) -> None:
    """What a partner's own validator can find, it should."""
    body = {**VALID, name: value}

    assert not schema_of("caseAcceptance", SMALL).is_valid(body)
    assert compile_validator(SMALL.resources["caseAcceptance"], SMALL)(body).faults


def test_people_can_read_it() -> None:
    """Titles, definitions, units and the meaning of codes, in Chinese."""
    schema: Any = json_schema(SMALL.resources["caseAcceptance"], SMALL)
    items = schema["properties"]

    assert (DIALECT, "事项受理") == (schema["$schema"], schema["title"])
    assert ("办件编号", "一个办件的唯一编号。") == (
        items["caseNo"]["title"],
        items["caseNo"]["description"],
    )
    assert "收取的金额。单位：元。" == items["feeAmount"]["description"]
    assert {"const": "2", "title": "不予受理"} in items["acceptanceResult"]["oneOf"]
    assert (3, "申请材料") == (items["Material"]["maxItems"], items["Material"]["items"]["title"])


@pytest.mark.parametrize(
    ("catalogue", "code"),
    [
        (Catalogue(), "catalog.unknown-element"),
        (Catalogue(elements=SMALL.elements), "catalog.unknown-codes"),
    ],
)
def test_what_is_bound_to_nothing_has_no_schema(catalogue: Catalogue, code: str) -> None:
    """As with the validator."""
    with pytest.raises(Misconfigured) as caught:
        json_schema(SMALL.resources["caseAcceptance"], catalogue)

    assert code == caught.value.code
