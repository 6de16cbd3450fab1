"""A small site for engine tests: one stream, one partner's record, two routes."""

from __future__ import annotations

from functools import cache

from hub.plan import Plan
from hub.releases import plan_of

__all__ = ["small_plan", "small_texts"]

ELEMENTS = """
elements:
  - identifier: HUB.OTH.0001
    name: {zh: 办件编号, en: case number}
    short_name: caseNo
    definition: 办件的唯一编号。
    type: string
    format: an..20
  - identifier: HUB.OTH.0002
    name: {zh: 环节名称, en: step name}
    short_name: stepName
    definition: 办理环节的名称。
    type: string
    format: an..10
  - identifier: HUB.LOC.0001
    name: {zh: 行政区划代码, en: region code}
    short_name: regionCode
    definition: 行政区划的代码。
    type: string
    format: n6
"""
RESOURCE = """
resource: caseStep
code: "307013/000001"
name: {zh: 事项办理, en: case step}
summary: 办件的办理环节。
provider: 市行政审批局
category: ZU 文秘、行政
cycle: real-time
share: {type: unconditional, way: interface, open: false}
subject: caseNo
region: regionCode
items:
  - {element: caseNo, required: true}
  - {element: stepName, required: true}
  - {element: regionCode, required: true}
"""
SYSTEM = """
system: {name}
name: {{zh: 系统, en: system}}
owner: 市行政审批局
connector: memory
parallel: 4
settings: {{}}
"""
INTAKE = """
intake: sender.step
publish:
  - resource: caseStep
    operation: created
    map: {caseNo: bh, stepName: hj, regionCode: qh}
examples:
  - name: a step
    given: {bh: A1, hj: 受理, qh: "130102"}
    expect:
      - resource: caseStep
        operation: created
        body: {caseNo: A1, stepName: 受理, regionCode: "130102"}
"""
ROUTE = """
route: steps-to-{name}
from: [caseStep.created]
only: {{regionCode: ["130102"]}}
to:
  - system: {name}
    call: step
    map: {{no: caseNo, step: stepName}}
retry: [1s, 1s]
{more}
examples:
  - name: a step of the district
    given:
      resource: caseStep
      operation: created
      body: {{caseNo: A1, stepName: 受理, regionCode: "130102"}}
    expect:
      {name}: {{no: A1, step: 受理}}
"""


def small_texts(left: str = "", region: str = "n6") -> dict[str, str]:
    """The files of `small_plan`."""
    files = {
        "elements/all.yaml": ELEMENTS.replace("format: n6", f"format: {region}"),
        "resources/caseStep.yaml": RESOURCE,
        "intakes/sender.step.yaml": INTAKE,
    }
    for name in ("sender", "left", "right"):
        files[f"systems/{name}.yaml"] = SYSTEM.format(name=name)
    for name in ("left", "right"):
        files[f"routes/steps-to-{name}.yaml"] = ROUTE.format(
            name=name, more=left if name == "left" else ""
        )
    return files


@cache
def small_plan(left: str = "", region: str = "n6") -> Plan:
    """Systems ``sender``, ``left`` and ``right``; routes ``steps-to-left`` and ``steps-to-right``.
    *left*: further lines for the first of them; *region*: the format of the region."""
    return plan_of(small_texts(left, region))
