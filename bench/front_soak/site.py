"""The site of the soak: both systems' tables are standard ones, its intake that of a partner's kit."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from sqlalchemy import MetaData, Table

from catalog.derive.example import example_body
from catalog.model import Catalogue, Resource
from catalog.read import read_catalogue
from front_db.beside import Beside, beside
from front_db.contract import ExchangeTable, Keeps
from front_db.ddl import sql_table
from front_db.derived import column_name, in_table, out_table
from shuniu.kit.table_intake import operation_codes, table_intake
from shuniu.settings import REFERENCE

__all__ = ["FROM", "KIND", "ROUTE", "TO", "Shape", "write_site"]

FROM, TO, KIND, ROUTE, RESOURCE = "soak-out", "soak-in", "permit", "permits", "soakPermit"
_TAKEN = ("elements", "codes", "resources", "calendars", "rules")
_ELEMENTS = """
elements:
  - {identifier: HUB.SOK.0011, name: {zh: 浸泡许可编号, en: soak permit}, short_name: permitNo,
     definition: 浸泡测试的许可编号。, type: string, format: an..40, example: XK-1}
  - {identifier: HUB.SOK.0012, name: {zh: 浸泡持证人, en: soak holder}, short_name: permitHolder,
     definition: 浸泡测试的持证人。, type: string, format: an..40, example: 甲}
  - {identifier: HUB.SOK.0013, name: {zh: 浸泡费用, en: soak fee}, short_name: permitFee,
     definition: 浸泡测试的费用。, type: number, format: "n..16,2", example: "12.50"}
  - {identifier: HUB.SOK.0014, name: {zh: 浸泡天数, en: soak days}, short_name: permitDays,
     definition: 浸泡测试的天数。, type: number, format: "n..4", example: "5"}
"""
_RESOURCE = """
resource: soakPermit
code: "307013/900011"
name: {zh: 浸泡许可, en: soak permit}
summary: 浸泡测试的许可。
provider: 市行政审批局
category: ZU
cycle: real-time
share: {type: unconditional, way: front-database}
subject: permitNo
items:
  - {element: permitNo, required: true}
  - {element: permitHolder, required: true}
  - {element: permitFee}
  - {element: permitDays}
"""


@dataclass
class Shape:
    """Both tables as they are described, and as SQLAlchemy sees them."""

    catalogue: Catalogue = field(
        default_factory=lambda: read_catalogue(
            {"elements/soak.yaml": _ELEMENTS, "resources/soak.yaml": _RESOURCE}
        )
    )
    out: ExchangeTable = field(init=False)
    into: ExchangeTable = field(init=False)
    table: Table = field(init=False)
    in_sql: Table = field(init=False)
    beside: Beside = field(init=False)

    def __post_init__(self) -> None:
        resource, metadata = self.resource, MetaData()
        self.out = out_table(resource, self.catalogue)
        self.into = in_table(resource, self.catalogue, keeps=Keeps.LATEST)
        self.beside = beside(metadata)
        self.table, self.in_sql = sql_table(self.out, metadata), sql_table(self.into, metadata)

    @property
    def resource(self) -> Resource:
        return self.catalogue.resources[RESOURCE]


def write_site(folder: Path, shape: Shape, source: str, target: str) -> None:
    """*source*, *target*: addresses of the two databases, as SQLAlchemy writes them."""
    for each in _TAKEN:
        shutil.copytree(REFERENCE / each, folder / each)
    reads = [{"table": shape.out.name, "kind": KIND}]
    example = example_body(shape.resource, shape.catalogue)
    mapped = {column_name(item.wire_name): item.wire_name for item in shape.resource.items}
    route = {
        "route": ROUTE,
        "from": [RESOURCE],
        "to": [{"system": TO, "call": shape.into.name, "map": mapped}],
        "order_by": "subject",
        "retry": ["1s", "2s", "5s", "10s", *["30s"] * 6],
    }
    files = {
        "elements/soak.yaml": _ELEMENTS,
        f"resources/{RESOURCE}.yaml": _RESOURCE,
        f"systems/{FROM}.yaml": _system(FROM, source, shape.out, reads),
        f"systems/{TO}.yaml": _system(TO, target, shape.into, []),
        f"tables/{FROM}.yaml": operation_codes(FROM, shape.out),
        f"intakes/{FROM}.{KIND}.yaml": table_intake(FROM, KIND, shape.resource, shape.out, example),
        f"routes/{ROUTE}.yaml": _yaml(route),
    }
    for file, text in files.items():
        place = folder / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")


def _system(name: str, url: str, table: ExchangeTable, reads: list[dict[str, str]]) -> str:
    described = table.model_dump(mode="json", exclude_defaults=True)
    return _yaml(
        {
            "system": name,
            "name": {"zh": "浸泡前置库", "en": "soak database"},
            "owner": "市行政审批局",
            "connector": "front-library",
            "parallel": 8,
            "poll_s": 0.5,
            "settings": {"url": url, "tables": [described], "reads": reads},
        }
    )


def _yaml(declared: Any) -> str:
    writer: Any = YAML(typ="safe", pure=True)
    writer.default_flow_style, writer.allow_unicode = False, True
    writer.representer.ignore_aliases = lambda _: True
    text = StringIO()
    writer.dump(declared, text)
    return text.getvalue()
