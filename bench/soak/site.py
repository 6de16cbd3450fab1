"""The site of the soak: the reference site's catalogue, and systems, intakes and routes of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

from shuniu.settings import REFERENCE

__all__ = ["BULK", "KIND", "ORDERED", "PLAIN", "ROUTES", "SENDER", "write_site"]

SENDER, BULK, KIND = "soak-sender", "soak-bulk", "step"
ORDERED, PLAIN = "soak-ordered", "soak-plain"
ROUTES = {ORDERED: "steps-ordered", PLAIN: "steps-plain"}
# Without systems of other people: nobody is there to answer for them.
_TAKEN = ("elements", "codes", "resources", "calendars", "rules")
_ELEMENTS = """
elements:
  - {identifier: HUB.SOK.0001, name: {zh: 浸泡办件编号, en: soak case}, short_name: soakCase,
     definition: 浸泡测试的办件编号。, type: string, format: an..40}
  - {identifier: HUB.SOK.0002, name: {zh: 浸泡环节序号, en: soak step}, short_name: soakStep,
     definition: 浸泡测试的环节序号。, type: string, format: an..10}
  - {identifier: HUB.SOK.0003, name: {zh: 浸泡办理意见, en: soak opinion}, short_name: soakOpinion,
     definition: 浸泡测试的办理意见。, type: string, format: an..2000}
"""
_RESOURCE = """
resource: soakStep
code: "307013/900001"
name: {zh: 浸泡环节, en: soak step}
summary: 浸泡测试的办理环节。
provider: 市行政审批局
category: ZU
cycle: real-time
share: {type: unconditional, way: interface}
subject: soakCase
items:
  - {element: soakCase, required: true}
  - {element: soakStep, required: true}
  - {element: soakOpinion, required: true}
"""
_SYSTEM = """
system: {name}
name: {{zh: 浸泡系统, en: soak system}}
owner: 市行政审批局
connector: http-json
parallel: 8
{more}
settings: {{url: "{url}", secret: "secret://{name}", timeout_s: 5, receives: {receives}}}
"""
_INTAKE = """
intake: {name}.step
publish:
  - resource: soakStep
    operation: created
    map: {{soakCase: bh, soakStep: hj, soakOpinion: yj}}
"""
_ROUTE = """
route: {route}
from: [soakStep.created]
to:
  - system: {name}
    call: step
    map: {{no: soakCase, step: soakStep, opinion: soakOpinion}}
retry: [1s, 2s, 5s, 10s, 10s, 30s, 30s, 60s, 60s, 60s, 60s]
{more}
"""


def write_site(folder: Path, urls: dict[str, str]) -> None:
    """*urls*: of the receivers, by system."""
    for each in _TAKEN:
        shutil.copytree(REFERENCE / each, folder / each)
    files = {"elements/soak.yaml": _ELEMENTS, "resources/soakStep.yaml": _RESOURCE}
    for name in (SENDER, BULK):
        more = "bulk: true" if name == BULK else ""
        url = "http://127.0.0.1:9/"
        files[f"systems/{name}.yaml"] = _SYSTEM.format(
            name=name, url=url, receives="true", more=more
        )
        files[f"intakes/{name}.step.yaml"] = _INTAKE.format(name=name)
    for name, route in ROUTES.items():
        more = "order_by: subject" if name == ORDERED else ""
        files[f"systems/{name}.yaml"] = _SYSTEM.format(
            name=name, url=urls[name], receives="false", more=""
        )
        files[f"routes/{route}.yaml"] = _ROUTE.format(route=route, name=name, more=more)
    for file, text in files.items():
        place = folder / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
