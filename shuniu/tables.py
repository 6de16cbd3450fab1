"""Exchange tables: the standard ones of a resource, and those that a system has agreed on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from catalog.model import Catalogue, Item, Resource
from front_db.contract import ExchangeTable
from front_db.ddl import ddl_text, script
from front_db.derived import column_name, in_table, out_table
from routes.model import SystemDeclaration
from schemas.errors import Misconfigured

__all__ = ["agreed_tables", "items_of_columns", "resource_tables", "tables_text"]

_AGREED = TypeAdapter(tuple[ExchangeTable, ...])


def resource_tables(resource: Resource, catalogue: Catalogue) -> tuple[ExchangeTable, ...]:
    """The one in which a partner leaves rows, and the one in which it finds ours. Raises
    `Misconfigured` where an item is bound to nothing known."""
    return out_table(resource, catalogue), in_table(resource, catalogue)


def items_of_columns(resource: Resource) -> Mapping[str, Item]:
    """By the column of its standard tables, each item of *resource*."""
    return {column_name(item.wire_name): item for item in resource.items}


def agreed_tables(system: SystemDeclaration) -> tuple[ExchangeTable, ...]:
    """Those that the system's profile declares; none where it exchanges in another way."""
    told: Any = system.settings.get("tables", ())
    try:
        return _AGREED.validate_python(told)
    except ValidationError as error:
        raise Misconfigured(
            "connector.settings",
            "The profile's settings do not fit the connector",
            system=system.system,
            setting="tables",
            said=error.errors(include_input=False, include_url=False)[0]["msg"],
        ) from error


def tables_text(tables: Sequence[ExchangeTable], dialect: str) -> str:
    """The statements that create *tables*, and what stands beside the standard ones. Raises
    `Misconfigured` for a dialect that is not there."""
    standard = [each for each in tables if each.standard]
    said = [ddl_text(each, dialect) for each in tables if not each.standard]
    return "\n".join([*said, script(standard, dialect)] if standard else said)
