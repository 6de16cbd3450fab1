"""A resource's exchange tables as they may be looked at: views in which what is personal is masked.

Form       ``<table>_masked``, with the columns of the table: a name keeps its first character, a
           number of eight characters or more its first three and last two; anything else that is
           personal is hidden whole. Empty stays empty
Promises   how a column is shown comes from the classification of its element, as on the pages
Careful    databases do not search text alike: numbers that somebody typed into an open text are
           masked on the pages, and not here. SQL Server has no ``substr`` and is not served
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Column, MetaData, Select, case, func, literal, null, select

from catalog.derive.mask import HIDDEN, Showing, showing_of
from catalog.model import Catalogue, Item, Resource
from front_db.contract import ExchangeTable
from front_db.ddl import sql_table
from front_db.dialects import spoken
from schemas.errors import Misconfigured
from shuniu.tables import items_of_columns, resource_tables

__all__ = ["masked_views"]

SUFFIX = "_masked"
LONGEST_NAME, SHORTEST_NUMBER = 63, 8


def masked_views(resource: Resource, catalogue: Catalogue, dialect: str) -> str:
    """The statements that create them. Raises `Misconfigured` for a dialect that is not there, and
    where an item is bound to nothing known."""
    return "\n".join(_views(resource, catalogue, dialect))


def _views(resource: Resource, catalogue: Catalogue, dialect: str) -> Iterator[str]:
    tongue, items = spoken(dialect), items_of_columns(resource)
    for table in resource_tables(resource, catalogue):
        name = tongue.identifier_preparer.quote(
            f"{table.name[: LONGEST_NAME - len(SUFFIX)]}{SUFFIX}"
        )
        shown = {column: _showing(item, catalogue) for column, item in items.items()}
        query = _query(table, shown).compile(dialect=tongue, compile_kwargs={"literal_binds": True})
        yield f"CREATE VIEW {name} AS\n{query};\n"


def _showing(item: Item, catalogue: Catalogue) -> Showing:
    """A list or group is JSON in one column: it is hidden whole where a part of it is personal."""
    if item.items:
        parts = {_showing(below, catalogue) for below in item.items}
        return Showing.ALL if parts <= {Showing.ALL, Showing.TEXT} else Showing.NOTHING
    element = catalogue.elements.get(item.element or "")
    if element is None:
        raise Misconfigured("catalog.unknown-element", "No such element", element=item.wire_name)
    shown = showing_of(element)
    return Showing.NOTHING if item.is_list and shown not in {Showing.ALL, Showing.TEXT} else shown


def _query(table: ExchangeTable, shown: Mapping[str, Showing]) -> Select[Any]:
    made = sql_table(table, MetaData())
    key = next((shown[name] for name in table.business_key if name in shown), Showing.ALL)
    # Of the control columns the key alone repeats what the item says.
    also = {table.control.key: key} if table.control.key else {}
    showings = {**shown, **also}
    return select(
        *(
            _shown(each, showings.get(each.name, Showing.ALL)).label(each.name)
            for each in made.columns
        )
    )


def _shown(column: Column[Any], showing: Showing) -> Any:
    # Not all databases keep an empty value empty when something is put behind it.
    empty = (column.is_(None), null())
    match showing:
        case Showing.ALL | Showing.TEXT:
            return column
        case Showing.NAME:
            return case(empty, else_=func.substr(column, 1, 1) + literal(HIDDEN))
        case Showing.NUMBER:
            length = func.char_length(column)
            ends = func.substr(column, 1, 3) + literal(HIDDEN) + func.substr(column, length - 1, 2)
            return case(empty, (length >= SHORTEST_NUMBER, ends), else_=literal(HIDDEN))
        case Showing.ADDRESS | Showing.EMAIL | Showing.NOTHING:
            return case(empty, else_=literal(HIDDEN))
