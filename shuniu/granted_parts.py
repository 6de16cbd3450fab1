"""Of a group or list, which is JSON in one column of a table, what is granted: as an expression of a view.

Standard   R-A6, R-C8; RFC 7396 (what is null is taken out, in MariaDB and MySQL)
Form       nothing of a group whose granted parts are all absent; a list keeps its order and its length
Careful    of a row whose column is no JSON the view fails; the hub has read the rows that it shows
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import count

from catalog.lifecycle.items import covered
from catalog.model import Item
from catalog.short_names import is_group_name, is_item_name
from schemas.errors import Misconfigured

__all__ = ["granted_part"]


def granted_part(item: Item, granted: Collection[str], column: str, dialect: str) -> str | None:
    """
    SQL for what of *item*, a group at the top of its resource, is *granted*; None where nothing is.

    *column*: the quoted name of its column, JSON as text.
    """
    kept = _kept(item, granted, "")
    if kept is None:
        return None
    if dialect == "postgresql":
        return f"({_postgresql(kept, f'({column})::jsonb', count())})::text"
    order = " ORDER BY {n}" if dialect == "mariadb" else ""
    return _mysql(kept, column, count(), order)


def _name(item: Item) -> str:
    """As it may stand within quotes. Raises `Misconfigured` for one that the linter would not pass."""
    name = item.wire_name
    if not (is_item_name(name) or is_group_name(name)):
        raise Misconfigured(
            "catalog.short-name-form", "Not a short name", name=name[:64], wanted="camelCase"
        )
    return name


def _kept(item: Item, granted: Collection[str], above: str) -> Item | None:
    """*item* with the granted items alone; what is granted whole has none inside any more."""
    path = f"{above}{item.wire_name}"
    if covered(path, granted):
        return item.model_copy(update={"items": ()})
    inside = (_kept(each, granted, f"{path}/") for each in item.items)
    found = tuple(each for each in inside if each is not None)
    return item.model_copy(update={"items": found}) if found else None


def _postgresql(item: Item, value: str, numbers: count[int]) -> str:
    if not item.items:
        return value
    if not item.is_list:
        return _postgresql_object(item, value, numbers)
    a = f"a{next(numbers)}"
    inside = _postgresql_object(item, f"{a}.x", numbers)
    return (
        f"CASE jsonb_typeof({value}) WHEN 'array' THEN (SELECT jsonb_agg(coalesce({inside}, '{{}}')"  # noqa: S608 - short names
        f" ORDER BY {a}.n) FROM jsonb_array_elements({value}) WITH ORDINALITY AS {a}(x, n)) END"
    )


def _postgresql_object(item: Item, value: str, numbers: count[int]) -> str:
    e = f"e{next(numbers)}"
    names = ", ".join(f"'{_name(each)}'" for each in item.items)
    parts = " ".join(
        f"WHEN '{_name(each)}' THEN {_postgresql(each, f'{e}.v', numbers)}"
        for each in item.items
        if each.items
    )
    told = f"CASE {e}.k {parts} ELSE {e}.v END" if parts else f"{e}.v"
    return (
        f"CASE jsonb_typeof({value}) WHEN 'object' THEN (SELECT jsonb_object_agg({e}.k, {told})"  # noqa: S608 - short names
        f" FROM jsonb_each({value}) AS {e}(k, v) WHERE {e}.k IN ({names})) END"
    )


def _mysql(item: Item, value: str, numbers: count[int], order: str) -> str:
    if not item.items:
        return value
    if not item.is_list:
        return _mysql_object(item, value, numbers, order)
    a = f"a{next(numbers)}"
    inside = _mysql_object(item, f"{a}.x", numbers, order)
    return (
        f"CASE JSON_TYPE({value}) WHEN 'ARRAY' THEN (SELECT JSON_ARRAYAGG({inside}"  # noqa: S608 - short names
        f"{order.format(n=f'{a}.n')}) FROM JSON_TABLE({value}, '$[*]' COLUMNS"
        f" (n FOR ORDINALITY, x JSON PATH '$')) AS {a}) END"
    )


def _mysql_object(item: Item, value: str, numbers: count[int], order: str) -> str:
    parts = ", ".join(
        f"'{_name(each)}', "
        + _mysql(each, f"JSON_EXTRACT({value}, '$.{_name(each)}')", numbers, order)
        for each in item.items
    )
    return f"JSON_MERGE_PATCH('{{}}', JSON_OBJECT({parts}))"
