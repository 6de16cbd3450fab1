"""The intake of a standard exchange table: what the hub's own people apply when a partner leaves rows.

Form       each column becomes the item that it was made from; operation and version are the table's
           control columns
Careful    lists and groups stand as JSON in one column, which an intake cannot take apart: such items
           are left out, and are told
"""

from __future__ import annotations

from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from catalog.model import Item, Resource
from front_db.contract import ExchangeTable
from front_db.derived import column_name
from schemas.message import Body, Json, Operation

__all__ = ["operation_codes", "table_intake", "taken_items"]


def taken_items(resource: Resource) -> tuple[Item, ...]:
    """The items that a column holds as they are."""
    return tuple(item for item in resource.items if item.group is None and not item.is_list)


def table_intake(
    system: str, kind: str, resource: Resource, table: ExchangeTable, example: Body
) -> str:
    """The text of ``intakes/<system>.<kind>.yaml`` for rows of *table*; *example*: a valid body."""
    control, items = table.control, taken_items(resource)
    names = {item.wire_name: column_name(item.wire_name) for item in items}
    body = {name: example[name] for name in names if name in example}
    row: dict[str, Json] = {names[name]: value for name, value in body.items()}
    row |= {str(control.operation): "I", str(control.version): 1}
    if control.key and isinstance(body.get(resource.subject), str):
        # A delete has it, and need have nothing else.
        names[resource.subject] = control.key
        row[control.key] = body[resource.subject]
    published = {"resource": resource.resource, "operation": "created", "sequence": 1, "body": body}
    return _written(
        {
            "intake": f"{system}.{kind}",
            "publish": [
                {
                    "resource": resource.resource,
                    "operation": {"from": control.operation, "codes": f"{system}.operation"},
                    "sequence": control.version,
                    "map": names,
                }
            ],
            "examples": [
                {"name": "a row as the partner leaves it", "given": row, "expect": [published]}
            ],
        }
    )


def operation_codes(system: str, table: ExchangeTable) -> str:
    """The text of ``tables/<system>.yaml``: the table's words for what happened to a row."""
    words = {word: Operation(name).value for name, word in table.control.operation_codes.items()}
    return _written({"tables": [{"table": f"{system}.operation", "to_ours": words}]})


def _written(declared: Any) -> str:
    writer: Any = YAML(typ="safe", pure=True)
    writer.default_flow_style, writer.allow_unicode, writer.width = False, True, 1000
    writer.sort_base_mapping_type_on_output = False
    writer.representer.ignore_aliases = lambda _: True
    text = StringIO()
    writer.dump(declared, text)
    return text.getvalue()
