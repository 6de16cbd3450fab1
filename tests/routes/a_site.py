"""A small catalogue and declarations to test the language on: one stream of each sort of item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalog.model import Catalogue, CodeList, CodeListFile, DataElement, ElementFile, Resource
from routes.intake import Draft, compile_intake
from routes.site import Declarations, read_declarations
from schemas.declarations import parse
from schemas.errors import Rejected

__all__ = [
    "CATALOGUE",
    "FILES",
    "body_of",
    "catalogue",
    "declared",
    "faults_of",
    "mapped",
    "with_files",
]

_ELEMENTS = """
elements:
  - {identifier: HUB.OTH.0001, name: {zh: 办件编号, en: case number}, short_name: caseNo,
     definition: 办件编号。, type: string, format: an..50}
  - {identifier: HUB.OTH.0002, name: {zh: 受理结果, en: acceptance result}, type: string,
     short_name: acceptanceResult, definition: 受理结果。, format: n1,
     domain: {codes: acceptance-result}}
  - {identifier: HUB.OTH.0003, name: {zh: 受理时间, en: acceptance time}, short_name: acceptTime,
     definition: 受理时间。, type: datetime, format: dt19}
  - {identifier: HUB.OTH.0004, name: {zh: 办理步骤, en: step number}, short_name: stepNo,
     definition: 步骤。, type: number, format: n..4}
  - {identifier: HUB.OTH.0005, name: {zh: 是否收费, en: charged}, short_name: isCharged,
     definition: 是否收费。, type: boolean, format: bl}
  - {identifier: HUB.OTH.0006, name: {zh: 金额, en: amount}, short_name: amount,
     definition: 金额。, type: number, format: "n..16,2", unit: 元}
  - {identifier: HUB.OTH.0007, name: {zh: 颁证日期, en: issue date}, short_name: issueDate,
     definition: 颁证日期。, type: date, format: d10}
  - {identifier: HUB.OTH.0008, name: {zh: 申请人姓名, en: applicant name}, type: string,
     short_name: applicantName, definition: 申请人。, format: an..100, sensitivity: personal}
  - {identifier: HUB.OTH.0009, name: {zh: 补正材料, en: supplement material}, type: string,
     short_name: supplementMaterial, definition: 材料。, format: an..200}
  - {identifier: HUB.OTH.0010, name: {zh: 材料名称, en: material name}, short_name: materialName,
     definition: 材料名称。, type: string, format: an..200}
  - {identifier: HUB.OTH.0011, name: {zh: 份数, en: copies}, short_name: copies,
     definition: 份数。, type: number, format: n..2}
  - {identifier: HUB.LOC.0001, name: {zh: 行政区划代码, en: region code}, short_name: regionCode,
     definition: 行政区划。, type: string, format: n6}
"""
_CODES = """
code_lists:
  - name: acceptance-result
    title: {zh: 受理结果, en: acceptance result}
    codes: {"1": 受理, "2": 不予受理}
"""
_RESOURCE = """
resource: %s
code: "307013/00000%d"
name: {zh: 事项受理, en: acceptance}
summary: 事项受理。
provider: 市行政审批局
category: ZU
cycle: real-time
share: {type: unconditional, way: interface}
subject: caseNo
region: regionCode
items:
  - {element: caseNo, required: true}
  - {element: acceptanceResult}
  - {element: acceptTime, required: true}
  - {element: stepNo}
  - {element: isCharged}
  - {element: amount}
  - {element: issueDate}
  - {element: applicantName}
  - {element: supplementMaterial, max_occurs: N}
  - group: Material
    name: {zh: 材料, en: material}
    max_occurs: N
    items:
      - {element: materialName, required: true}
      - {element: copies}
  - group: Place
    name: {zh: 地点, en: place}
    items:
      - {element: regionCode, required: true}
"""
FILES: Mapping[str, str] = {
    "systems/police.yaml": """
system: police
name: {zh: 公安系统, en: police}
owner: 市公安局
connector: memory
settings: {secret: "secret://police"}
""",
    "systems/city.yaml": """
system: city
name: {zh: 市平台, en: city}
owner: 市政务局
connector: memory
""",
    "tables/police.yaml": """
tables:
  - {table: police.acceptance, code_list: acceptance-result,
     to_ours: {"01": "1", "02": "2", "03": "2"}, to_theirs: {"2": "02"}}
  - {table: police.operation, to_ours: {I: created, U: updated}}
""",
    "intakes/police.acceptance.yaml": """
intake: police.acceptance
publish:
  - resource: caseAcceptance
    operation: created
    map:
      caseNo: ywlsh
      acceptanceResult: {from: jdlx, codes: police.acceptance}
      acceptTime: {from: slsj, date: "%Y%m%d%H%M%S"}
examples:
  - name: an acceptance
    given: {ywlsh: A1, jdlx: "01", slsj: "20260301090000"}
    expect:
      - resource: caseAcceptance
        operation: created
        body: {caseNo: A1, acceptanceResult: "1", acceptTime: "2026-03-01T09:00:00"}
""",
    "routes/acceptances-to-city.yaml": """
route: acceptances-to-city
from: [caseAcceptance.created]
only: {acceptanceResult: ["1"]}
to:
  - {system: city, call: accept, map: {no: caseNo, at: {from: acceptTime, date: "%Y/%m/%d"}}}
retry: [2s, 10s]
examples:
  - name: an acceptance
    given:
      resource: caseAcceptance
      operation: created
      body: {caseNo: A1, acceptanceResult: "1", acceptTime: "2026-03-01T09:00:00"}
    expect: {city: {no: A1, at: 2026/03/01}}
""",
}


def catalogue() -> Catalogue:
    elements: dict[str, DataElement] = {
        e.short_name: e for e in parse(_ELEMENTS, ElementFile, file="elements/all.yaml").elements
    }
    lists: dict[str, CodeList] = {
        c.name: c for c in parse(_CODES, CodeListFile, file="codes/all.yaml").code_lists
    }
    resources = {
        name: parse(_RESOURCE % (name, n), Resource, file=f"resources/{name}.yaml")
        for n, name in enumerate(("caseAcceptance", "caseResult"))
    }
    return Catalogue(elements=elements, resources=resources, code_lists=lists)


CATALOGUE = catalogue()


def declared() -> Declarations:
    """The small site as it should be: nothing is wrong with it."""
    return read_declarations(FILES, CATALOGUE)


def with_files(files: Mapping[str, str]) -> Declarations:
    """The small site with *files* put in or replaced."""
    return read_declarations({**FILES, **files}, CATALOGUE)


def mapped(
    values: str,
    record: dict[str, Any],
    *,
    above: str = "",
    tables: str = FILES["tables/police.yaml"],
) -> list[Draft]:
    """What an intake of *values* (YAML, flow style) makes of *record*; *above*: more keys."""
    text = f"""
intake: police.try
publish:
  - resource: caseAcceptance
    operation: created
    {above}
    map: {values}
"""
    files = {"intakes/police.try.yaml": text, "tables/police.yaml": tables}
    site = with_files(files)
    return compile_intake(site.intakes["police.try"], site).drafts(record)


def body_of(values: str, record: dict[str, Any], **more: str) -> dict[str, Any]:
    """The body made, without the two items every one of them needs."""
    base = values.strip()[1:-1]
    whole = f"{{caseNo: no, acceptTime: time{', ' + base if base else ''}}}"
    (draft,) = mapped(whole, {"no": "A1", "time": "2026-03-01T09:00:00", **record}, **more)
    assert "A1" == draft.body.pop("caseNo")
    draft.body.pop("acceptTime")
    return draft.body


def faults_of(values: str, record: dict[str, Any], **more: str) -> list[tuple[str, str]]:
    """Place and code of all that is wrong with *record*."""
    try:
        body_of(values, record, **more)
    except Rejected as refusal:
        return [(fault.at, fault.code) for fault in refusal.faults]
    return []
