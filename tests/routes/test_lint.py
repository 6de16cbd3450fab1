"""The linter: one bad site for each rule, each found at its line; and a good one, in peace."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from routes.lint import Finding, lint
from schemas.texts import all_texts
from tests.routes.a_site import FILES, declared, with_files

TRY = "intakes/police.try.yaml"
ROUTE = "routes/try.yaml"
INTAKE_HEAD = """intake: police.try
examples: [{name: a, given: {}, refused: [{at: "", code: map.missing}]}]
publish:
  - resource: caseAcceptance
    operation: created
"""
ROUTE_HEAD = """route: try
from: [caseAcceptance.updated]
examples: [{name: a, given: {resource: caseAcceptance, operation: updated, body: {}}, expect: left out}]
"""


def found(files: dict[str, str]) -> list[Finding]:
    """What is found beside the small site's own findings."""
    usual = {(each.file, each.code) for each in lint(declared())}
    return [each for each in lint(with_files(files)) if (each.file, each.code) not in usual]


def in_map(values: str, above: str = "") -> set[tuple[str, int]]:
    text = INTAKE_HEAD + above + "    map:\n      caseNo: no\n      acceptTime: t\n" + values
    return {(each.code, each.line) for each in found({TRY: text})}


def in_route(values: str, above: str = "") -> set[tuple[str, int]]:
    text = f"{ROUTE_HEAD}{above}to:\n  - system: city\n    call: c\n    map:\n{values}"
    return {(each.code, each.line) for each in found({ROUTE: text})}


def test_a_good_site_has_no_errors() -> None:
    """The only warning is a table that nothing uses."""
    assert [("warning", "lint.unused-table")] == [(f.severity, f.code) for f in lint(declared())]


def test_an_example_that_could_be_somebodys_is_told() -> None:
    """At its line, once for each kind; examples are shown to partners. Made-up numbers are not."""
    given = """{a: ['13571934826', '13800000000'], b: 电话13571934827, c: '130102199001010004'}"""
    text = INTAKE_HEAD.replace("given: {}", f"given: {given}")
    text += "    map:\n      caseNo: no\n      acceptTime: t\n"
    told = [each for each in found({TRY: text}) if each.code == "lint.real-data"]

    assert [("warning", 2)] == [(each.severity, each.line) for each in told]
    assert "手机号码" in told[0].say("zh")
    assert not any("\u4e00" <= char for char in told[0].say("en"))


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ("      stepNr: x", "lint.unknown-item"),
        ("      Place.street: x", "lint.unknown-item"),
        ("      stepNo: {from: x, codes: police.steps}", "lint.unknown-table"),
        ("      acceptanceResult: {from: x, codes: police.operation}", "lint.wrong-table"),
        ('      acceptanceResult: {const: "7"}', "lint.unknown-code"),
        ('      acceptanceResult: {from: x, default: "7"}', "lint.unknown-code"),
        ('      acceptanceResult: {first: [x, {const: "7"}]}', "lint.unknown-code"),
        ('      stepNo: {const: "1"}', "lint.const-type"),
        ("      applicantName: {const: 1}", "lint.const-type"),
        ("      isCharged: {from: x, default: 0}", "lint.const-type"),
        ("      amount: {const: 12}", "lint.const-type"),
        ("      issueDate: {const: 2026年}", "lint.const-type"),
        ("      applicantName: {from: x, date: '%Y%m%d'}", "lint.date-target"),
        ("      acceptanceResult: {from: x, date: iso}", "lint.date-target"),
        ("      applicantName: {from: x, number: {}}", "lint.number-target"),
        ("      issueDate: {from: x, number: {}}", "lint.number-target"),
        ("      amount: {from: x, number: {places: 3}}", "lint.number-places"),
        ("      stepNo: {from: x, number: {places: 1}}", "lint.number-places"),
        ("      stepNo: {list: x}", "lint.list-into-single"),
        ("      Place: {each: x, map: {regionCode: '@.q'}}", "lint.list-into-single"),
        ("      supplementMaterial: x", "lint.single-into-list"),
        ("      Material.copies: x", "lint.single-into-list"),
        ("      Material: x", "lint.value-into-group"),
        ("      Place: x", "lint.value-into-group"),
        ("      stepNo: {each: x, map: {a: b}}", "lint.objects-into-values"),
        ("      stepNo: $.sequence", "lint.envelope-in-intake"),
        ("      stepNo: {when: [{if: {$.source: a}, then: x}]}", "lint.envelope-in-intake"),
        ("      stepNo: '@.x'", "lint.element-outside"),
        ("      stepNo: {when: [{if: {'@.a': b}, then: x}]}", "lint.element-outside"),
        ("      Material: {each: x, map: {copies: '@.n'}}", "lint.unmapped-item"),
    ],
)
def test_a_bad_value_of_an_intake_is_found_at_its_line(values: str, code: str) -> None:
    """Line 9 is where it stands."""
    assert {(code, 9)} == in_map(values)


def test_a_mandatory_item_that_is_not_mapped_is_found() -> None:
    """It would fail at every record."""
    text = f"{INTAKE_HEAD}    map: {{stepNo: x}}"

    assert {
        ("error", "lint.unmapped-item", "caseNo", 6),
        ("error", "lint.unmapped-item", "acceptTime", 6),
    } == {(f.severity, f.code, f.facts["item"], f.line) for f in found({TRY: text})}


def test_midnight_put_in_for_a_missing_time_is_a_warning() -> None:
    """Some partners have no more than the day; it should be known."""
    text = f"{INTAKE_HEAD}    map: {{caseNo: a, acceptTime: {{from: x, date: '%Y%m%d'}}}}"

    assert [("warning", "lint.time-invented")] == [(f.severity, f.code) for f in found({TRY: text})]


@pytest.mark.parametrize(
    ("above", "code"),
    [
        ("    sequence: {const: a}\n", "lint.const-type"),
        ("    for_each: '@.x'\n", "lint.element-outside"),
        ("    only: {$.source: a}\n", "lint.envelope-in-intake"),
        ("    only: {any: [{a: b}, {not: {'@.x': c}}]}\n", "lint.element-outside"),
    ],
)
def test_a_bad_publication_is_found_at_its_line(above: str, code: str) -> None:
    """Line 6 is where it stands."""
    assert {(code, 6)} == in_map("", above)


def test_an_unknown_resource_is_found_with_the_nearest_name() -> None:
    """A slip of the pen, most often."""
    text = INTAKE_HEAD.replace("caseAcceptance", "caseAcceptence") + "    map: {a: b}"

    (finding,) = (f for f in found({TRY: text}) if f.code == "lint.unknown-resource")

    assert (4, "caseAcceptance") == (finding.line, finding.facts["near"])
    assert "caseAcceptence" in finding.say("zh")
    assert f"{TRY}:4: error: " in str(finding)


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("{from: x, codes: police.acceptance}", "lint.unknown-operation"),
        ("{from: x, codes: police.operation, default: made}", "lint.unknown-operation"),
        ("{from: x, codes: police.nothing}", "lint.unknown-table"),
    ],
)
def test_an_operation_that_is_none_is_found(operation: str, code: str) -> None:
    """Codes 1 and 2 are results, not operations."""
    head = INTAKE_HEAD.replace("operation: created", f"operation: {operation}")

    assert {(code, 5)} == {
        (f.code, f.line) for f in found({TRY: f"{head}    map: {{caseNo: a, acceptTime: b}}"})
    }


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ("      a: caseNr", "lint.unknown-item"),
        ("      a: Place.street", "lint.unknown-item"),
        ("      a: {each: Material, map: {b: '@.street'}}", "lint.unknown-item"),
        ("      a: '@.copies'", "lint.element-outside"),
        ("      a: Material.copies", "lint.list-as-value"),
        ("      a: supplementMaterial", "lint.list-as-value"),
        ("      a: Place", "lint.group-as-value"),
        ("      a: {list: Material}", "lint.group-as-value"),
        ("      a: {each: supplementMaterial, map: {b: caseNo}}", "lint.each-of-values"),
        ("      a: {from: caseNo, date: '%Y%m%d'}", "lint.date-source"),
        ("      a: {from: isCharged, number: {}}", "lint.number-source"),
        ("      a: {from: applicantName, number: {}}", "lint.number-source"),
        ("      a: {from: caseNo, codes: police.steps}", "lint.unknown-table"),
        ("      a: {from: acceptanceResult, codes: police.operation}", "lint.wrong-table"),
        ("      a: {first: [caseNo, stepNr]}", "lint.unknown-item"),
        ('      a: {when: [{if: {acceptanceResult: "7"}, then: caseNo}]}', "lint.condition-never"),
    ],
)
def test_a_bad_value_of_a_route_is_found_at_its_line(values: str, code: str) -> None:
    """Line 8 is where it stands."""
    assert {(code, 8)} == in_route(values)


@pytest.mark.parametrize(
    ("only", "code"),
    [
        ('{acceptanceResult: ["1", "7"]}', "lint.condition-never"),
        ('{field: acceptanceResult, is: "7"}', "lint.condition-never"),
        ('{not: {field: acceptanceResult, in: ["7"]}}', "lint.condition-never"),
        ("{acceptanceResult: 1}", "lint.condition-type"),
        ('{stepNo: "1"}', "lint.condition-type"),
        ("{$.operation: made}", "lint.condition-never"),
        ("{$.resource: caseResult}", "lint.condition-never"),
        ("{caseNr: a}", "lint.unknown-item"),
        ("{supplementMaterial: a}", "lint.list-as-value"),
        ("{Place: a}", "lint.group-as-value"),
        ("{'@.copies': 1}", "lint.element-outside"),
        ("{field: {split: caseNr, on: '-', take: 1}, is: a}", "lint.unknown-item"),
    ],
)
def test_a_condition_that_cannot_hold_is_found_at_its_line(only: str, code: str) -> None:
    """Line 4 is where it stands."""
    assert {(code, 4)} == in_route("      a: caseNo", f"only: {only}\n")


def test_two_conditions_that_exclude_each_other_are_found() -> None:
    """The destination asks what the route has left out."""
    text = f"""{ROUTE_HEAD}only: {{acceptanceResult: "1"}}
to:
  - system: city
    only: {{acceptanceResult: "2"}}
    call: c
    map: {{a: caseNo}}
"""
    assert [("lint.condition-never", 7)] == [(f.code, f.line) for f in found({ROUTE: text})]


def test_a_code_that_cannot_be_told_is_a_warning() -> None:
    """Two of theirs mean "2"; which one is sent is not said."""
    tables = FILES["tables/police.yaml"].replace(', to_theirs: {"2": "02"}', "")
    text = f"""{ROUTE_HEAD}to:
  - system: city
    call: c
    map:
      a: {{from: acceptanceResult, codes: police.acceptance}}
"""
    findings = found({"tables/police.yaml": tables, ROUTE: text})

    assert [("warning", "lint.code-untranslated", 8, "2")] == [
        (f.severity, f.code, f.line, f.facts["codes"]) for f in findings
    ]


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ("{table: police.x, code_list: no-such-list, to_ours: {a: b}}", "lint.unknown-code-list"),
        ('{table: police.x, code_list: acceptance-result, to_ours: {a: "7"}}', "lint.unknown-code"),
        (
            '{table: police.x, code_list: acceptance-result, to_theirs: {"7": a}}',
            "lint.unknown-code",
        ),
        ("{table: fire.x, to_ours: {a: b}}", "lint.file-name"),
    ],
)
def test_a_bad_code_table_is_found(table: str, code: str) -> None:
    """Line 6, after those of the small site."""
    findings = found({"tables/police.yaml": f"{FILES['tables/police.yaml']}  - {table}\n"})

    assert (code, 6) in {(f.code, f.line) for f in findings}


@pytest.mark.parametrize(
    ("values", "tables", "code"),
    [
        ("stepNo: {from: x, codes: police.out}", 'to_theirs: {"1": a}', "lint.table-direction"),
        ("stepNo: {from: x, codes: police.out}", 'to_ours: {"1": "1"}', None),
    ],
)
def test_a_table_is_used_in_a_direction_it_has(values: str, tables: str, code: str | None) -> None:
    """An intake needs ``to_ours``."""
    files = {
        TRY: f"{INTAKE_HEAD}    map: {{caseNo: a, acceptTime: b, {values}}}",
        "tables/police.yaml": f"{FILES['tables/police.yaml']}  - {{table: police.out, {tables}}}\n",
    }

    assert ([code] if code else []) == [f.code for f in found(files)]


def test_a_route_to_an_unknown_system_is_found() -> None:
    """So is an intake from one."""
    route = f"{ROUTE_HEAD}to:\n  - {{system: police-office, call: c, map: {{a: caseNo}}}}\n"
    intake = INTAKE_HEAD.replace("police.try", "fire.try") + "    map: {caseNo: a, acceptTime: b}"
    findings = found({ROUTE: route, "intakes/fire.try.yaml": intake})

    assert {("lint.unknown-system", "police-office"), ("lint.unknown-system", "fire")} == {
        (f.code, f.facts["system"]) for f in findings
    }


def test_streams_that_hang_loose_are_warned_about() -> None:
    """Unless a domain service is at the other end."""
    route = ROUTE_HEAD.replace("caseAcceptance", "caseResult")
    intake = INTAKE_HEAD.replace("caseAcceptance", "caseResult")
    site = with_files({ROUTE: f"{route}to: [{{system: city, call: c, map: {{a: caseNo}}}}]\n"})

    assert ("warning", "lint.unfed-stream", 2) in {(f.severity, f.code, f.line) for f in lint(site)}
    assert "lint.unfed-stream" not in {f.code for f in lint(site, fed=["caseResult"])}

    site = with_files({TRY: f"{intake}    map: {{caseNo: a, acceptTime: b}}"})

    assert ("warning", "lint.untaken-stream", 4) in {
        (f.severity, f.code, f.line) for f in lint(site)
    }
    assert "lint.untaken-stream" not in {f.code for f in lint(site, taken=["caseResult"])}


def test_a_system_without_use_is_warned_about() -> None:
    """Nothing comes from it and nothing goes to it."""
    text = FILES["systems/city.yaml"].replace("system: city", "system: idle")

    assert [("warning", "lint.idle-system", "systems/idle.yaml")] == [
        (f.severity, f.code, f.file) for f in found({"systems/idle.yaml": text})
    ]


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ("", ["error"]),
        ('only: {acceptanceResult: "1"}\n', ["error"]),  # what comes back may be that as well
        ("only: {$.source: city}\n", []),
        ("only: {not: {$.source: police}}\n", []),
        ("only: {$.operation: updated}\n", []),  # the police sends created ones only
    ],
)
def test_a_message_that_comes_back_to_its_sender_is_found(only: str, expected: list[str]) -> None:
    """The police feeds the stream it would be sent: round and round for ever."""
    text = f"""route: try
from: [caseAcceptance]
{only}to: [{{system: police, call: c, map: {{a: caseNo}}}}]
examples: [{{name: a, given: {{resource: caseAcceptance, body: {{}}}}, expect: left out}}]
"""
    findings = found({ROUTE: text})

    assert expected == [f.severity for f in findings if f.code == "lint.cycle"]


def test_a_longer_way_round_is_a_warning_until_a_condition_is_on_it() -> None:
    """A notice and its reply go round on purpose; two unconditional routes do not."""
    files = {
        "intakes/city.back.yaml": INTAKE_HEAD.replace("police.try", "city.back").replace(
            "caseAcceptance", "caseResult"
        )
        + "    map: {caseNo: a, acceptTime: b}",
        "routes/there.yaml": ROUTE_HEAD.replace("route: try", "route: there").replace(
            "updated", "created"
        )
        + "to: [{system: city, call: c, map: {a: caseNo}}]",
        "routes/back.yaml": ROUTE_HEAD.replace("route: try", "route: back")
        .replace("caseAcceptance", "caseResult")
        .replace("updated", "created")
        + "to: [{system: police, call: c, map: {a: caseNo}}]",
    }

    circles = [f for f in found(files) if f.code == "lint.cycle"]

    assert {("warning", "city → police"), ("warning", "police → city")} == {
        (f.severity, f.facts["way"]) for f in circles
    }

    files["routes/back.yaml"] += "\nonly: {field: stepNo, exists: true}"

    assert [] == [f for f in found(files) if f.code == "lint.cycle"]


def test_a_file_has_the_name_of_what_it_declares() -> None:
    """Else nobody finds it."""
    findings = found(
        {
            "routes/other.yaml": FILES["routes/acceptances-to-city.yaml"].replace(
                "route: acceptances-to-city", "route: try"
            )
        }
    )

    assert [("lint.file-name", "routes/try.yaml")] == [
        (f.code, f.facts["wanted"]) for f in findings
    ]


def test_what_has_no_examples_is_found() -> None:
    """Neither an intake nor a route is taken on trust."""
    files = {
        TRY: INTAKE_HEAD.replace("examples", "# ") + "    map: {caseNo: a, acceptTime: b}",
        ROUTE: "route: try\nfrom: [caseAcceptance]\nto: [{system: city, call: c, map: {a: caseNo}}]",
    }

    assert [("lint.no-examples", ROUTE), ("lint.no-examples", TRY)] == sorted(
        (f.code, f.file) for f in found(files)
    )[::-1]


@pytest.mark.parametrize(
    "settings",
    [
        "{secret: abc}",
        "{receive: {app_secret: abc}}",
        "{list: [{password: abc}]}",
        "{url: 'postgresql://me:abc@db/x'}",
    ],
)
def test_a_secret_in_clear_is_found_and_not_repeated(settings: str) -> None:
    """Declarations are kept and shown; secrets are neither."""
    text = FILES["systems/police.yaml"].replace('{secret: "secret://police"}', settings)

    (finding,) = found({"systems/police.yaml": text})

    assert "lint.secret-in-clear" == finding.code
    assert "abc" not in str(finding)


def test_settings_that_only_look_like_secrets_are_left_alone() -> None:
    """A reference, a path, an address without a password."""
    settings = '{secret: "secret://a", key: path.of.key, url: "address://police/x:y@z"}'
    text = FILES["systems/police.yaml"].replace('{secret: "secret://police"}', settings)

    assert [] == found({"systems/police.yaml": text})


def test_every_code_of_ours_has_a_text_and_every_text_a_code() -> None:
    """In both languages, with the same facts; and nothing is left over."""
    folder = Path(__file__).resolve().parents[2]
    source = "".join(p.read_text(encoding="utf-8") for p in (folder / "routes").rglob("*.py"))
    texts = YAML(typ="safe").load(
        (folder / "schemas" / "texts" / "routes.yaml").read_text(encoding="utf-8")
    )
    known = all_texts()

    assert [] == [code for code in texts if f'"{code}"' not in source]
    for code, text in texts.items():
        assert {"zh", "en"} == set(text), code
        assert known[code] == text, "no other area has a text of the same code"
