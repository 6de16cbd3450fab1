"""The site of the bench's flows by row: a system that leaves rows, and one that is given them.

Form       the intake is the one that a partner's kit holds for the table; the route gives each column
           the item that it was made from
"""

from __future__ import annotations

from functools import cache

from bench.site import RESOURCE, bench_plan
from bench.tables import tables
from catalog.derive.example import example_body
from front_db.derived import column_name
from hub.plan import Plan, compile_plan
from routes.site import read_declarations
from shuniu.kit.table_intake import operation_codes, table_intake

__all__ = ["FROM", "ROUTE", "ROWS", "TO", "front_plan"]

FROM, TO, ROWS, ROUTE = "library-out", "library-in", "rows", "rows-in"
_SYSTEM = """
system: {name}
name: {{zh: 前置库, en: front-end database}}
owner: 市行政审批局
connector: memory
parallel: {parallel}
"""


@cache
def front_plan() -> Plan:
    """From `FROM` to `TO` by `ROUTE`."""
    catalogue = bench_plan().declarations.catalogue
    resource, both = catalogue.resources[RESOURCE], tables()
    example = example_body(resource, catalogue)
    items = [item.wire_name for item in resource.items]
    mapped = "\n".join(f"      {column_name(name)}: {name}" for name in items)
    files = {
        f"systems/{FROM}.yaml": _SYSTEM.format(name=FROM, parallel=1),
        f"systems/{TO}.yaml": _SYSTEM.format(name=TO, parallel=64),
        f"tables/{FROM}.yaml": operation_codes(FROM, both.out),
        f"intakes/{FROM}.{ROWS}.yaml": table_intake(FROM, ROWS, resource, both.out, example),
        f"routes/{ROUTE}.yaml": f"route: {ROUTE}\nfrom: [{RESOURCE}]\nto:\n"
        f"  - system: {TO}\n    call: {both.into.name}\n    map:\n{mapped}\nretry: [1s, 5s]\n",
    }
    return compile_plan(read_declarations(files, catalogue))
