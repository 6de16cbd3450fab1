"""A resource of the tests, and the standard exchange tables that are made from it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, MetaData, Table, insert, text

from catalog.model import Catalogue, Resource
from catalog.read import read_catalogue
from front_db.beside import Beside, beside
from front_db.contract import ExchangeTable, Keeps
from front_db.ddl import script, sql_table
from front_db.derived import in_table, out_table

__all__ = ["CATALOGUE", "LEFT_AT", "RESOURCE", "Shape", "Standard", "good_row", "made"]

LEFT_AT = datetime(2026, 3, 2, 9, 0, 0)  # noqa: DTZ001 - rows hold Beijing time without zone
ELEMENTS = """
elements:
  - {identifier: HUB.TST.0001, short_name: caseNo, name: {zh: 办件编号, en: case number},
     definition: 办件的编号。, type: string, format: an..40, example: BJ-2026-001}
  - {identifier: HUB.TST.0002, short_name: applicantName, name: {zh: 申请人, en: applicant},
     definition: 申请人名称。, type: string, format: an..10, sensitivity: personal, example: 甲某}
  - {identifier: HUB.TST.0003, short_name: fee, name: {zh: 费用, en: fee},
     definition: 费用。, type: number, format: "n..16,2", example: "12.50"}
  - {identifier: HUB.TST.0004, short_name: level, name: {zh: 等级, en: level},
     definition: 等级。, type: string, format: an1, domain: {codes: level}}
  - {identifier: HUB.TST.0005, short_name: acceptDate, name: {zh: 受理日期, en: accept date},
     definition: 受理日期。, type: date, format: d10, example: "2026-03-02"}
  - {identifier: HUB.TST.0006, short_name: updateTime, name: {zh: 更新时间, en: update time},
     definition: 更新时间。, type: datetime, format: dt19}
  - {identifier: HUB.TST.0007, short_name: days, name: {zh: 天数, en: days},
     definition: 天数。, type: number, format: "n..4", example: "5"}
"""
CODES = """
code_lists:
  - {name: level, title: {zh: 等级, en: level}, codes: {A: 优, B: 良}}
"""
RESOURCES = """
resource: testCase
code: "307013/000900"
name: {zh: 测试办件, en: test case}
summary: 测试用。
provider: 测试局
category: ZU
cycle: real-time
share: {type: unconditional, way: front-database}
subject: caseNo
items:
  - {element: caseNo, required: true}
  - {element: applicantName, required: true}
  - {element: fee}
  - {element: level}
  - {element: acceptDate}
  - {element: updateTime}
  - {element: days}
"""
CATALOGUE: Catalogue = read_catalogue(
    {"elements/t.yaml": ELEMENTS, "codes/t.yaml": CODES, "resources/t.yaml": RESOURCES}
)
RESOURCE: Resource = CATALOGUE.resources["testCase"]


class Shape:
    """The tables as they are described. *left*: how rows are left for the receiver."""

    def __init__(self, *, keeps: Keeps = Keeps.EVERY, left: Keeps | None = None) -> None:
        self.out: ExchangeTable = out_table(RESOURCE, CATALOGUE, keeps=keeps)
        self.into: ExchangeTable = in_table(RESOURCE, CATALOGUE, keeps=left or keeps)
        metadata = MetaData()
        self.beside: Beside = beside(metadata)
        self.table: Table = sql_table(self.out, metadata)
        self.in_sql: Table = sql_table(self.into, metadata)


class Standard(Shape):
    """The tables as an administrator made them, from the script alone."""

    def __init__(
        self, engine: Engine, *, keeps: Keeps = Keeps.EVERY, left: Keeps | None = None
    ) -> None:
        super().__init__(keeps=keeps, left=left)
        self.engine = engine
        run(engine, script([self.out, self.into], engine.dialect.name))

    def leave(self, key: str, version: int = 1, **more: Any) -> None:
        """A row that the partner writes and commits."""
        with self.engine.execution_options(shuniu_write=True).begin() as connection:
            connection.execute(insert(self.table), {**good_row(key, version), **more})


def run(engine: Engine, statements: str) -> None:
    """Each statement as an administrator's tool sends it."""
    with engine.begin() as connection:
        for each in statements.split(";\n"):
            lines = [line for line in each.splitlines() if not line.startswith("--")]
            if said := "\n".join(lines).strip():
                connection.execute(text(said.replace(":", "\\:")))


def made(engine: Engine, *, keeps: Keeps = Keeps.EVERY) -> Standard:
    return Standard(engine, keeps=keeps)


def good_row(key: str, version: int = 1) -> Mapping[str, object]:
    """What a writer that knows the contract leaves."""
    return {
        "x_op": "I" if version == 1 else "U",
        "x_key": key,
        "x_ver": version,
        "x_time": LEFT_AT,
        "case_no": key,
        "applicant_name": "测试民宿",
    }
