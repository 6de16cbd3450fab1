"""In what order tables are read and loaded, and rows taken away: what others refer to comes first, and goes last.

Promises   pure but for looks at the database's own references. Tables that refer to each other in a
           circle, or to themselves, stay in the order that was given
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from sqlalchemy import Connection, Engine, Table, column, exists, inspect, text
from sqlalchemy import table as sql_table
from sqlalchemy.sql.elements import ColumnElement

__all__ = ["not_referred_to", "parents_first", "references"]


def references(engine: Engine | Connection, tables: Sequence[str]) -> dict[str, set[str]]:
    """Each of *tables* with those of them that it refers to; one that is not there refers to none."""
    known = set(tables)
    found = inspect(engine).get_multi_foreign_keys(filter_names=list(tables))
    keys = {name: each for (_, name), each in found.items()}
    return {
        table: {key["referred_table"] for key in keys.get(table, ())} & known - {table}
        for table in tables
    }


def not_referred_to(connection: Connection, table: Table) -> list[ColumnElement[bool]]:
    """Conditions on *table*: no row of any table of its database refers to the row, be it by a reference
    that would take that one away too."""
    conditions: list[ColumnElement[bool]] = []
    for number, (child, pairs) in enumerate(_referring(connection, table.name)):
        made = sql_table(child, *(column(ours) for ours, _ in pairs)).alias(f"child_{number}")
        same = [made.c[ours] == table.c[theirs] for ours, theirs in pairs if theirs in table.c]
        conditions.append(~exists().select_from(made).where(*same))
    return conditions


_Pairs = list[tuple[str, str]]


def _referring(connection: Connection, name: str) -> list[tuple[str, _Pairs]]:
    """Each reference to the table *name*: the table it is in, and its columns with those they refer to."""
    if connection.dialect.name in {"mariadb", "mysql"}:
        # Asked for all tables, SQLAlchemy has each one's definition written out.
        asked = text(
            "SELECT table_name, constraint_name, column_name, referenced_column_name"
            " FROM information_schema.key_column_usage WHERE referenced_table_schema = DATABASE()"
            " AND referenced_table_name = :name ORDER BY table_name, constraint_name, ordinal_position"
        )
        keys: dict[tuple[str, str], _Pairs] = {}
        for child, key, ours, theirs in connection.execute(asked, {"name": name}):
            keys.setdefault((child, key), []).append((ours, theirs))
        return [(child, pairs) for (child, _), pairs in keys.items()]
    found = inspect(connection).get_multi_foreign_keys()
    return [
        (str(child), list(zip(key["constrained_columns"], key["referred_columns"], strict=True)))
        for (_, child), several in found.items()
        for key in several
        if key["referred_table"] == name
    ]


def parents_first(tables: Sequence[str], refers: Mapping[str, set[str]]) -> list[str]:
    """
    *tables*, each behind those it refers to; the order in which deletes go is the other way round.

    >>> parents_first(["case", "office"], {"case": {"office"}})
    ['office', 'case']
    """
    sorter = TopologicalSorter({table: refers.get(table, set()) for table in tables})
    try:
        return [table for table in sorter.static_order() if table in tables]
    except CycleError:
        return list(tables)
