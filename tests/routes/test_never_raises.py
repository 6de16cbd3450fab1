"""Whatever a partner sends: drafts or one `Rejected`; whatever a body holds: a payload or the same.

Tested on  arbitrary JSON, and records made of a mapping's own field names with arbitrary values
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.read import read_catalogue
from routes.intake import CompiledIntake, compile_intake
from routes.model import CodeTable
from routes.paths import Scope, parse_path
from routes.route import CompiledRoute, compile_route
from routes.site import Declarations, read_declarations
from routes.values import Value
from schemas.errors import Rejected
from schemas.message import Message, MessageId, Operation, ResourceName, SystemCode
from tests.routes.a_site import with_files

SITE = Path(__file__).resolve().parents[2] / "sites" / "reference"
# Each origin and modifier once, on each type of item.
EVERYTHING = """
intake: police.everything
publish:
  - resource: caseAcceptance
    operation: {first: [{from: op, codes: police.operation}, {const: updated}]}
    only: {any: [{a: ["1", "2"]}, {field: b, at_least: 3}, {field: c.d, exists: true}, {not: {e: true}}]}
    for_each: list
    sequence: {from: "@.f", date: epoch_ms}
    map:
      caseNo: {join: ["@.a", b, {const: x}, "@"], with: "-"}
      acceptanceResult: {from: "@.c.d", text: strip, codes: police.acceptance}
      acceptTime: {first: [{from: a, date: iso}, {from: b, date: epoch_ms}, {from: c, date: "%Y/%m/%d"}]}
      stepNo: {when: [{if: {field: b, below: 9}, then: {from: b, number: {times: "0.5", round: down}}}], else: f}
      isCharged: e
      amount: {from: b, number: {times: "0.01", places: 2, round: half-up}}
      issueDate: {from: "@.a", date: "%Y%m%d"}
      applicantName: {split: a, on: "-", take: 2}
      supplementMaterial: {list: list, text: upper}
      Material: {each: "@.list", map: {materialName: "@.a", copies: "@.b"}}
      Place.regionCode: list.0.a
"""
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["1", "01", "I", "20260301", "2026-03-01T09:00:00Z", "x-y", "", "12.5", "-0"])
)
JSON = st.recursive(
    LEAVES,
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(st.sampled_from("abcdef") | st.text(max_size=5), below, max_size=5)
    ),
    max_leaves=12,
)


def _declared(folder: str) -> list[str]:
    """Names by file: the linter sees to it that they are the same."""
    return sorted(path.stem for path in (SITE / folder).glob("*.yaml"))


@cache
def everything() -> CompiledIntake:
    site = with_files({"intakes/police.everything.yaml": EVERYTHING})
    return compile_intake(site.intakes["police.everything"], site)


@cache
def reference() -> Declarations:
    def texts(*folders: str) -> dict[str, str]:
        return {
            str(path.relative_to(SITE)): path.read_text(encoding="utf-8")
            for folder in folders
            for path in sorted((SITE / folder).glob("*.yaml"))
        }

    catalogue = read_catalogue(texts("elements", "codes", "resources"))
    return read_declarations(texts("systems", "tables", "intakes", "routes"), catalogue)


def mapped(intake: CompiledIntake, record: Any) -> None:
    try:
        drafts = intake.drafts(record)
    except Rejected:
        return
    for draft in drafts:
        orjson.dumps(draft.body)  # a body can be sent
        assert -(2**63) <= draft.sequence < 2**63


@given(JSON)
def test_arbitrary_json_gives_drafts_or_a_refusal(record: Any) -> None:
    """Of any shape and size."""
    mapped(everything(), record)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("op", "a", "b", "c", "e", "f"), JSON),
            "list": st.lists(st.dictionaries(st.sampled_from("abcf"), LEAVES), max_size=3) | JSON,
        },
    )
)
@settings(max_examples=300)
def test_its_own_fields_with_arbitrary_values_give_drafts_or_a_refusal(record: Any) -> None:
    """The likelier poison."""
    mapped(everything(), record)


@pytest.mark.parametrize("name", _declared("intakes"))
def test_every_reference_intake_takes_whatever_comes(name: str) -> None:
    """Records of each mapping's own fields, with codes of its tables and arbitrary values."""
    site = reference()
    declared = site.intakes[name]
    paths = {path for publish in declared.publish for path in _paths_of_publish(publish)}
    hold(compile_intake(declared, site), paths, _codes(site.tables, name))


@pytest.mark.parametrize("name", _declared("routes"))
def test_every_reference_route_takes_whatever_comes(name: str) -> None:
    """Bodies of each mapping's own fields, with arbitrary values."""
    site = reference()
    declared = site.routes[name]
    paths = {p for to in declared.to for v in to.map.values() for p in _paths(v)}
    for route in compile_route(declared, site):
        resource, _, operation = declared.streams[0].partition(".")
        carry(route, paths, resource, operation or "created")


def hold(intake: CompiledIntake, paths: set[str], codes: list[str]) -> None:
    @given(_records(paths, codes))
    @settings(max_examples=25, suppress_health_check=list(HealthCheck))
    def check(record: Any) -> None:
        mapped(intake, record)

    check()


def carry(route: CompiledRoute, paths: set[str], resource: str, operation: str) -> None:
    @given(_records(paths, ["1", "2"]))
    @settings(max_examples=25, suppress_health_check=list(HealthCheck))
    def check(body: Any) -> None:
        message = Message(
            id=MessageId("m"),
            source=SystemCode("s"),
            resource=ResourceName(resource),
            operation=Operation(operation),
            subject="x",
            time=datetime(2026, 3, 1, tzinfo=UTC),
            region="",
            sequence=0,
            dataschema="",
            digest="",
            traceparent="",
            body=body,
        )
        with suppress(Rejected):
            orjson.dumps(route.payload(message))

    check()


def _records(paths: set[str], codes: list[str]) -> st.SearchStrategy[Any]:
    """Objects in which the first steps of *paths* stand, with anything in them."""
    steps = [parse_path(path) for path in sorted(paths)]
    names = sorted({p.steps[0] for p in steps if p.scope is Scope.RECORD and p.steps}) or ["a"]
    inner = sorted({step for p in steps for step in p.steps}) or ["a"]
    leaf = LEAVES | st.sampled_from(codes or ["1"])
    below = st.dictionaries(st.sampled_from(inner), leaf, max_size=6)
    value = (
        leaf
        | below
        | st.lists(below | leaf, max_size=3)
        | st.dictionaries(st.sampled_from(inner), below | st.lists(below, max_size=2), max_size=4)
    )
    return st.dictionaries(st.sampled_from(names), value, max_size=len(names))


def _codes(tables: Any, intake: str) -> list[str]:
    system = intake.partition(".")[0]
    mine: list[CodeTable] = [t for name, t in tables.items() if name.startswith(f"{system}.")]
    return sorted({code for table in mine for code in table.to_ours})


def _paths_of_publish(publish: Any) -> Iterator[str]:
    if publish.for_each:
        yield publish.for_each
    for value in (*publish.map.values(), publish.operation):
        yield from _paths(value)


def _paths(value: Value) -> Iterator[str]:
    if own := value.path or value.split or value.each or value.list_of:
        yield own
    for part in value.parts():
        yield from _paths(part)
    for inner in (value.map or {}).values():
        yield from _paths(inner)


@pytest.mark.parametrize("record", [{"a": {}}, {"list": [[]]}, {"b": 10**400}, {"c": "x" * 10**6}])
def test_extremes_give_drafts_or_a_refusal(record: Any) -> None:
    """Of depth, size and emptiness."""
    mapped(everything(), record)
