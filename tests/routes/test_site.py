"""Declarations are read, or refused with file, line and what was expected: all of it at once."""

from __future__ import annotations

import pytest

from routes.site import read_declarations
from schemas.declarations import InvalidDeclaration
from tests.routes.a_site import CATALOGUE, FILES, declared

INTAKE = """intake: police.acceptance
publish:
  - resource: caseAcceptance
    operation: created
    map:
      caseNo: {value}
"""


def problems_of(**files: str) -> list[tuple[str, int, str]]:
    texts = {name.replace("__", "/") + ".yaml": text for name, text in files.items()}
    with pytest.raises(InvalidDeclaration) as caught:
        read_declarations(texts, CATALOGUE)
    return [(p.file, p.line, p.said) for p in caught.value.problems]


def test_a_site_is_read_by_name() -> None:
    """Systems, intakes, routes and single tables; each knows its text."""
    site = declared()

    assert {"police", "city"} == set(site.systems)
    assert {"police.acceptance"} == set(site.intakes)
    assert {"acceptances-to-city"} == set(site.routes)
    assert {"police.acceptance", "police.operation"} == set(site.tables)
    assert "tables/police.yaml" == site.texts["table police.operation"].file
    assert (2.0, 10.0) == site.routes["acceptances-to-city"].retry


def test_files_of_other_folders_are_passed_over() -> None:
    """A site holds calendars and rules too."""
    files = {**FILES, "calendars/2026.yaml": "not: for us"}

    assert set(declared().systems) == set(read_declarations(files, CATALOGUE).systems)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("12", "expected a path or a value"),
        ("[a, b]", "expected a path or a value"),
        ("{}", "found none"),
        ("{from: a, const: b}", "found from and const"),
        ("{from: a, with: b}", "with goes with join"),
        ("{from: a, else: b}", "else goes with when"),
        ("{split: a, on: '-'}", "take: 1 is the first"),
        ("{split: a, on: '-', take: 0}", "take: 1 is the first"),
        ("{each: a}", "each needs map"),
        ("{each: a, map: {b: c}, codes: d}", "modifiers belong"),
        ("{list: a, default: b}", "a list has no default"),
        ("{from: a, date: '%Q'}", "%Q"),
        ("{from: a, date: '%Y%m%d', codes: b}", "a date is no code"),
        ("{from: a, number: {times: 100}}", "in quotes"),
        ("{from: a..b}", "a name is missing"),
        ("$.secret", "the envelope has"),
        ("{form: a}", "unknown key"),
        ("{const: null}", "found none"),
        ("{join: []}", "at least 1"),
        ("{when: [{if: {a: 1.5}, then: b}]}", "a text, a whole number"),
        ("{when: [{if: {field: a}, then: b}]}", "a test needs"),
        ("{when: [{if: {a: []}, then: b}]}", "allows nothing"),
        ("{when: [{then: b}]}", "this key is needed"),
    ],
)
def test_a_value_that_means_nothing_is_refused_at_its_line(value: str, told: str) -> None:
    """Line 6 is where it stands."""
    ((file, line, said),) = problems_of(intakes__a=INTAKE.format(value=value))

    assert ("intakes/a.yaml", 6) == (file, line)
    assert told in said


@pytest.mark.parametrize(
    ("line", "text", "told"),
    [
        (2, "operation: create", "expected created, updated, deleted"),
        (2, "operation: 1", "expected a path"),
        (2, "only: {01: x}", "in quotes"),
        (2, "map: {a: x, a.b: y}", "mapped twice"),
        (2, "map: {a b: x}", "is no name"),
        (2, "map: {}", "an empty map"),
        (2, "otherwise: maybe", "unknown key"),
    ],
)
def test_a_publication_is_refused_at_its_line(line: int, text: str, told: str) -> None:
    """A slip is told, never ignored."""
    rest = {"operation": "operation: created", "map": "map: {caseNo: a}"}
    rest = {key: part for key, part in rest.items() if not text.startswith(key)}
    body = "".join(f"    {part}\n" for part in (text, *rest.values()))

    ((_, found, said),) = problems_of(
        intakes__a=f"publish:\n  - resource: x\n{body}intake: police.a\n"
    )

    assert line + 1 == found
    assert told in said


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("retry: [10s, 2s]", "must not get shorter"),
        ("retry: [10]", "written 500ms"),
        ("from: [Case Acceptance]", "pattern"),
        ("to: [{system: a, call: b, map: {x: y}}, {system: a, call: c, map: {x: y}}]", "twice"),
        ("to: []", "at least 1"),
        ("examples: [{name: a, given: {resource: x, body: {}}}]", "expect or refused"),
    ],
)
def test_a_route_that_cannot_be_is_refused(change: str, told: str) -> None:
    """Each part says what it should have been."""
    key = change.partition(":")[0]
    parts = {
        "route": "route: a-route",
        "from": "from: [caseAcceptance]",
        "to": "to: [{system: city, call: b, map: {x: y}}]",
    }
    found = problems_of(routes__a="\n".join((parts | {key: change}).values()))

    assert any(told in said for _, _, said in found)


def test_all_problems_of_all_files_are_told() -> None:
    """A person mends them in one go."""
    found = problems_of(
        systems__one="system: One",
        intakes__two=INTAKE.format(value="12") + "publishes: []\n",
        routes__three="route: [",
    )

    assert {"systems/one.yaml", "intakes/two.yaml", "routes/three.yaml"} == {f for f, _, _ in found}
    assert 2 == len([file for file, _, _ in found if file == "intakes/two.yaml"])


def test_a_name_declared_twice_is_told_with_the_first_file() -> None:
    """Else the later file would win unseen."""
    found = problems_of(
        systems__a=FILES["systems/city.yaml"], systems__b=FILES["systems/city.yaml"]
    )

    assert [("systems/b.yaml", "system 'city' is declared already in systems/a.yaml")] == [
        (file, said) for file, _, said in found
    ]


def test_codes_without_quotes_are_refused_as_keys_and_as_values() -> None:
    """YAML reads 01 as the number one; then ``"01"`` would never match."""
    found = problems_of(tables__police="tables: [{table: police.a, to_ours: {01: '1'}}]")

    assert "in quotes" in found[0][2]

    found = problems_of(tables__police="tables: [{table: police.a, to_ours: {'01': 1}}]")

    assert "in quotes" in found[0][2]


@pytest.mark.parametrize(
    ("to_ours", "to_theirs", "expected"),
    [
        ({"01": "1", "02": "2"}, {}, {"1": "01", "2": "02"}),
        ({"01": "1", "02": "2", "03": "2"}, {}, {"1": "01"}),  # two of theirs: which one to send?
        ({"01": "1", "02": "2", "03": "2"}, {"2": "03"}, {"1": "01", "2": "03"}),
        ({}, {"1": "9"}, {"1": "9"}),
    ],
)
def test_a_code_table_is_turned_round_where_that_is_plain(
    to_ours: dict[str, str], to_theirs: dict[str, str], expected: dict[str, str]
) -> None:
    """Where it is not, ``to_theirs`` decides or nothing does."""
    text = f"tables: [{{table: police.a, to_ours: {to_ours}, to_theirs: {to_theirs}}}]"
    site = read_declarations({"tables/police.yaml": text}, CATALOGUE)

    assert expected == dict(site.tables["police.a"].theirs())
