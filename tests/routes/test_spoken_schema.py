"""The partner's side of a mapping as JSON Schema: what is asked of a record, what is in a payload."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import pytest

from catalog.model import Resource
from routes.intake import compile_intake
from routes.site import Declarations
from routes.spoken_schema import payload_schema, record_schema
from schemas.errors import Rejected
from shuniu.site import read_site
from tests.routes.a_site import declared, with_files
from tests.shuniu.a_gateway import SITE

REFERENCE = read_site(SITE)
# An XML reader gives a list of one as the one; the schema asks for the list.
LONE = "a supplement notice that asks for one thing, which XML readers give without a list"


def plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def judge_of(schema: Any) -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def holes(record: Any, schema: Any, here: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Places of what *schema* asks for and *record* has, lists apart."""
    for name in schema.get("required", ()):
        if name in record:
            yield (*here, name)
    for name, below in schema.get("properties", {}).items():
        if isinstance(record.get(name), dict):
            yield from holes(record[name], below, (*here, name))


def without(record: Any, place: tuple[str, ...]) -> Any:
    less = copy.deepcopy(record)
    node = less
    for step in place[:-1]:
        node = node[step]
    del node[place[-1]]
    return less


@pytest.mark.parametrize("name", sorted(REFERENCE.intakes))
def test_what_an_intake_takes_is_valid(name: str) -> None:
    """Every good example; and whatever the schema asks for is refused by the intake when it lacks."""
    intake = REFERENCE.intakes[name]
    schema = record_schema(intake, REFERENCE)
    judge, compiled = judge_of(schema), compile_intake(intake, REFERENCE)
    good = [each for each in intake.examples if each.refused is None and each.name != LONE]
    assert good

    for example in good:
        record = plain(example.given)
        assert [] == [each.message for each in judge.iter_errors(record)], example.name
        for place in holes(record, schema):
            with pytest.raises(Rejected):
                compiled.drafts(without(record, place))


@pytest.mark.parametrize("name", sorted(REFERENCE.routes))
def test_what_a_route_writes_is_valid(name: str) -> None:
    """Each example's payload, for each of its systems."""
    route = REFERENCE.routes[name]
    for to in route.to:
        judge = judge_of(payload_schema(to, route, REFERENCE))
        for example in route.examples:
            expected = example.expect if isinstance(example.expect, Mapping) else {}
            if to.system in expected:
                wrong = [each.message for each in judge.iter_errors(plain(expected[to.system]))]
                assert [] == wrong, example.name


INTAKE = """
intake: police.acceptance
publish:
  - resource: caseAcceptance
    operation: {from: op, codes: police.operation}
    for_each: rows
    map:
      caseNo: "@.no"
      acceptTime: {from: at, date: "%Y%m%d"}
      acceptanceResult: {from: "@.result", codes: police.acceptance}
      supplementMaterial: {list: "@.lacks"}
      stepNo: steps.0.no
      applicantName: {first: [who.name, who.nick]}
      Material: {each: "@.papers", map: {materialName: "@.name", copies: {from: "@.n", default: 1}}}
"""


def properties(schema: Any, *steps: str) -> Any:
    for step in steps:
        schema = schema["items"] if step == "*" else schema["properties"][step]
    return schema


def test_a_record_is_described_in_its_own_words() -> None:
    """Lists, lists in lists, nested names, codes, forms of dates, and the Chinese names of items."""
    site = with_files({"intakes/police.acceptance.yaml": INTAKE})
    schema: Any = record_schema(site.intakes["police.acceptance"], site)

    assert {"type": "string", "title": "办件编号"} == {
        **properties(schema, "rows", "*", "no"),
        "type": "string",
    }
    assert ["no"] == properties(schema, "rows", "*")["required"]
    assert ["at"] == schema["required"]
    assert "YYYYMMDD" == properties(schema, "at")["description"]
    assert ["01", "02", "03"] == properties(schema, "rows", "*", "result")["enum"]
    assert ["I", "U"] == properties(schema, "op")["enum"]
    assert "array" == properties(schema, "rows", "*", "lacks")["type"]
    assert "array" == properties(schema, "steps")["type"]
    assert ["integer", "string"] == properties(schema, "steps", "*", "no")["type"]
    assert {"name", "nick"} == set(properties(schema, "who")["properties"])
    assert ["name"] == properties(schema, "rows", "*", "papers", "*")["required"]


def test_what_only_some_records_need_is_not_asked_of_all() -> None:
    """A second sort of message, on a condition: its fields are known and not required."""
    site = with_files(
        {
            "intakes/police.acceptance.yaml": INTAKE
            + """
  - resource: caseResult
    operation: created
    only: {all: [{kind: end}, {field: sum, above: 0}, {not: {any: [{void: "1"}]}}]}
    map: {caseNo: endNo, acceptTime: endAt, amount: sum}
"""
        }
    )
    schema: Any = record_schema(site.intakes["police.acceptance"], site)

    assert ["at"] == schema["required"]
    assert {"kind", "sum", "void", "endNo", "endAt"} <= set(schema["properties"])


ROUTE = """
route: acceptances-to-city
from: [caseAcceptance, caseResult]
to:
  - system: city
    call: accept
    map:
      head.no: caseNo
      head.kind: {const: A}
      head.source: $.source
      result: {from: acceptanceResult, codes: police.acceptance}
      at: {from: acceptTime, date: iso}
      step: stepNo
      lacks: {list: supplementMaterial}
      papers: {each: Material, map: {name: "@.materialName", n: "@.copies"}}
"""


def test_a_payload_is_described_in_the_targets_words() -> None:
    """What is always there, what it may hold, and what it is called with us."""
    site = with_files({"routes/acceptances-to-city.yaml": ROUTE})
    route = site.routes["acceptances-to-city"]
    schema: Any = payload_schema(route.to[0], route, site)

    assert {"title": "办件编号", "type": "string"} == properties(schema, "head", "no")
    assert {"const": "A"} == properties(schema, "head", "kind")
    assert {} == properties(schema, "head", "source")
    assert ["no", "kind"] == properties(schema, "head")["required"]
    assert {"01", "02"} == set(properties(schema, "result")["enum"])
    assert "YYYY-MM-DDThh:mm:ss" == properties(schema, "at")["description"]
    assert "integer" == properties(schema, "step")["type"]
    assert {"type": "array", "title": "补正材料", "items": {"type": "string"}} == properties(
        schema, "lacks"
    )
    assert ["name"] == properties(schema, "papers", "*")["required"]
    assert ["head"] == schema["required"]


def test_what_is_unknown_is_not_described() -> None:
    """A resource that is not declared: lint tells it; here it asks for nothing."""
    site = declared()
    bare = Declarations(systems=site.systems, intakes=site.intakes, routes=site.routes)
    route = bare.routes["acceptances-to-city"]

    assert {"type": "object"} == record_schema(bare.intakes["police.acceptance"], bare)
    assert "title" not in properties(payload_schema(route.to[0], route, bare), "no")
    assert isinstance(site.catalogue.resources["caseAcceptance"], Resource)
