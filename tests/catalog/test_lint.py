"""The linter of the catalogue: each rule finds its planted slip, at its line, and nothing else."""

from __future__ import annotations

import pytest

from catalog.lint import Finding, lint
from catalog.lint.wording import is_placeholder
from catalog.short_names import plural_in
from tests.catalog.a_catalogue import FILES, small, with_text


def test_nothing_is_found_in_a_sound_catalogue() -> None:
    """No rule barks at what is right."""
    assert [] == lint(small())


ELEMENT = "elements/all.yaml"
RESOURCE = "resources/caseAcceptance.yaml"
SHARE = """\
  type: conditional
  condition: 经授权后用于办件办理。
  way: interface
  open: false
"""
SLIPS = [
    # names of elements
    ("short_name: shipNo", "short_name: ship_no", "catalog.short-name-form", ELEMENT),
    ("short_name: shipNo", "short_name: ShipNo", "catalog.short-name-form", ELEMENT),
    ("short_name: shipNo", "short_name: shipNumbers", "catalog.short-name-plural", ELEMENT),
    (
        "identifier: HUB.TST.0013",
        "identifier: HUB.TST.0012",
        "catalog.duplicate-identifier",
        ELEMENT,
    ),
    ("zh: 船舶号", "zh: 材料名称", "catalog.duplicate-name", ELEMENT),
    ("en: ship number", "en: Material name", "catalog.duplicate-english", ELEMENT),
    ("definition: 申请材料的名称。", "definition: 待定", "catalog.placeholder", ELEMENT),
    ("unit: 元", 'unit: "-"', "catalog.placeholder", ELEMENT),
    # formats and domains
    ('format: "an5(aannn)"', 'format: "an5(aan)"', "format.unknown", ELEMENT),
    ('format: "bl"', 'format: "n1"', "catalog.format-type", ELEMENT),
    ('format: "n..4"', 'format: "an..4"', "catalog.format-type", ELEMENT),
    ('format: "dt19"', 'format: "d10"', "catalog.format-type", ELEMENT),
    ("{codes: acceptance-result}", "{codes: acceptance}", "catalog.unknown-codes", ELEMENT),
    ('format: "n1"', 'format: "n2"', "catalog.code-format", ELEMENT),
    (
        "{identifier: uscc}",
        "{identifier: uscc, codes: acceptance-result}",
        "catalog.domain-conflict",
        ELEMENT,
    ),
    (', identifiers: {"111": citizen-id}', "", "catalog.domain-conflict", ELEMENT),
    ('{minimum: "1"}', '{minimum: "2", maximum: "1"}', "catalog.limits", ELEMENT),
    ('{minimum: "1"}', "{minimum: one}", "catalog.limits", ELEMENT),
    ('{minimum: "1"}', "{identifier: uscc}", "catalog.domain-type", ELEMENT),
    ('example: "A-1"', 'example: "A"', "catalog.example", ELEMENT),
    ("    sensitivity: sensitive\n", "", "catalog.not-marked-personal", ELEMENT),
    # code lists
    ('"2": 不予受理', '"2": 受理', "catalog.duplicate-label", "codes/all.yaml"),
    ('"2": refused', '"3": refused', "catalog.english-of-nothing", "codes/all.yaml"),
    # resources
    ("summary: 受理或不予受理的决定。", "summary: 暂无", "catalog.placeholder", RESOURCE),
    ("- {element: shipNo}", "- {element: shipNumber}", "catalog.unknown-element", RESOURCE),
    ("- {element: shipNo}", "- {element: uscc}", "catalog.duplicate-item", RESOURCE),
    ("- {element: shipNo}", "- {required: true}", "catalog.item-kind", RESOURCE),
    ("- {element: shipNo}", "- {element: shipNo, group: Ship}", "catalog.item-kind", RESOURCE),
    ("group: Place", "group: place", "catalog.short-name-form", RESOURCE),
    ("group: Place", "group: Places", "catalog.short-name-plural", RESOURCE),
    ("    name: {zh: 地点, en: place}\n", "", "catalog.group-unnamed", RESOURCE),
    (
        "- {element: shipNo}",
        "- {group: Ship, name: {zh: 船, en: ship}}",
        "catalog.group-empty",
        RESOURCE,
    ),
    ("  - {element: certTypeCode}\n", "", "catalog.identifier-by", RESOURCE),
    ("subject: caseNo", "subject: caseNumber", "catalog.key-missing", RESOURCE),
    ("subject: caseNo", "subject: uscc", "catalog.key-optional", RESOURCE),
    ("region: regionCode", "region: Place", "catalog.key-optional", RESOURCE),
    ("  condition: 经授权后用于办件办理。\n", "", "catalog.condition-missing", RESOURCE),
    ("type: conditional", "type: unconditional", "catalog.condition-idle", RESOURCE),
    ("type: conditional", "type: unconditional", "catalog.personal-shared", RESOURCE),
    ("open: false", "open: true", "catalog.personal-shared", RESOURCE),
    (
        "open: false",
        "open: false\n  open_condition: 依申请。",
        "catalog.open-condition-idle",
        RESOURCE,
    ),
    (
        SHARE,
        SHARE.replace("conditional", "none").replace("false", "true"),
        "catalog.open-unshared",
        RESOURCE,
    ),
    ("  - {element: shipNo}\n", "", "catalog.element-unused", ELEMENT),
    # words of names, synonyms and states (GB/T 19488.1)
    (
        "short_name: shipNo",
        "short_name: shipNo\n    object_class: 船舶\n    property: 航行\n    representation: 号",
        "catalog.name-words",
        ELEMENT,
    ),
    ("zh: 船舶号", "zh: 材料 名称", "catalog.near-synonym", ELEMENT),
    (
        "short_name: shipNo",
        "short_name: shipNo\n    synonyms: [材料名称]",
        "catalog.near-synonym",
        ELEMENT,
    ),
    (
        "short_name: shipNo",
        "short_name: shipNo\n    status: retired",
        "catalog.element-retired",
        RESOURCE,
    ),
    (
        "short_name: shipNo",
        "short_name: shipNo\n    replaced_by: uscc",
        "catalog.replaced-alive",
        ELEMENT,
    ),
    # metadata and sharing after the 2017 guide, on the item too (R-A5)
    ('code: "307013/900001"', 'code: "907013/900001"', "catalog.resource-code", RESOURCE),
    ('code: "307013/900001"', 'code: "309013/900001"', "catalog.resource-code", RESOURCE),
    (
        "provider: 市行政审批局",
        "provider: 市行政审批局\nprovider_code: 91350100M000100Y44",
        "catalog.provider-code",
        RESOURCE,
    ),
    (
        "cycle: real-time",
        'cycle: real-time\npublished: "2026-02-30"',
        "catalog.published",
        RESOURCE,
    ),
    (SHARE, SHARE.replace("conditional", "none"), "catalog.ground-missing", RESOURCE),
    (
        "- {element: shipNo}",
        "- {element: shipNo, share: {type: unconditional, way: interface}}",
        "catalog.item-looser",
        RESOURCE,
    ),
    (
        "- {element: shipNo}",
        "- {element: shipNo, share: {type: conditional, condition: 待定, way: interface}}",
        "catalog.placeholder",
        RESOURCE,
    ),
]


def found(old: str, new: str) -> list[Finding]:
    return lint(with_text(old, new))


@pytest.mark.parametrize(("old", "new", "code", "file"), SLIPS, ids=lambda each: each[:40])
def test_a_slip_is_found_in_its_file(old: str, new: str, code: str, file: str) -> None:
    """And told in both languages, every fact in its place."""
    (finding,) = [each for each in found(old, new) if each.code == code][:1]

    assert file == finding.file
    for lang in ("zh", "en"):
        assert finding.code != finding.say(lang)
        assert "?" not in finding.say(lang)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("short_name: shipNo", "short_name: shipNumbers", "short_name: shipNumbers"),
        ("- {element: shipNo}", "- {element: shipNumber}", "element: shipNumber"),
        ("group: Place", "group: place", "group: place"),
        ("subject: caseNo", "subject: caseNumber", "resource: caseAcceptance"),
        ('"2": 不予受理', '"2": 受理', "name: acceptance-result"),
    ],
)
def test_a_finding_has_its_line(old: str, new: str, text: str) -> None:
    """The declaration's own, or the item's."""
    findings = [each for each in found(old, new) if each.severity == "error"]
    file = next(f for f, t in FILES.items() if old in t)
    lines = FILES[file].replace(old, new, 1).splitlines()

    assert next(n for n, line in enumerate(lines, 1) if text in line) in {f.line for f in findings}


def test_the_nearest_name_is_offered() -> None:
    """Most unknown names are slips of the pen."""
    (finding,) = [
        f for f in found("{element: shipNo}", "{element: shipN0}") if f.severity == "error"
    ]

    assert {"element": "shipN0", "near": "shipNo"} == finding.facts


@pytest.mark.parametrize(
    ("name", "word"),
    [
        *(("caseNos", "nos"), ("materialsName", "materials"), ("cases", "cases")),
        *(("address", None), ("uscc", None), ("premisesName", None), ("isListed", None)),
        *(("businessScope", None), ("applyStatus", None), ("customsCode", None)),
    ],
)
def test_a_plural_is_known_from_its_end(name: str, word: str | None) -> None:
    """Words that only look like plurals are listed."""
    assert word == plural_in(name)


@pytest.mark.parametrize("text", ["待定", "暂无。", "TODO", "n/a", "—", "xxx", "tbd."])
def test_placeholders_are_known(text: str) -> None:
    """What people type where a field is mandatory."""
    assert is_placeholder(text)


@pytest.mark.parametrize(
    "text", ["无犯罪记录证明", "空气质量", "略阳县", "test report", "测试方法", "A"]
)
def test_texts_that_begin_like_them_are_values(text: str) -> None:
    """The whole text decides."""
    assert not is_placeholder(text)
