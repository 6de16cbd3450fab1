"""Business keys of tables that are not ours: as one text that we keep, and as values to ask with.

Form       one column: its value as text; several: a JSON list of them
Careful    texts are compared as they are, while some databases hold "A", "a" and "A " for one key:
           what came back is compared again here. Order is the partner's: never sort keys on our side
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson
from sqlalchemy import FromClause, and_, or_, type_coerce
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import NullType

from front_db.contract import ExchangeTable, Kind

__all__ = ["among", "behind", "key_columns", "key_text", "key_values"]

KEYS_AT_ONCE = 500


def key_columns(described: ExchangeTable) -> tuple[str, ...]:
    """The columns that make up its key: the business key, or else the row id."""
    return described.key_columns or (described.control.row_id,)


def key_text(row: Mapping[str, object], described: ExchangeTable) -> str:
    """The key of *row* as one text."""
    values = [_text(row[name]) for name in key_columns(described)]
    return values[0] if len(values) == 1 else orjson.dumps(values).decode()


def key_values(key: str, described: ExchangeTable) -> tuple[str | int, ...]:
    """What `key_text` was made of, as the database takes it."""
    names = key_columns(described)
    texts = [key] if len(names) == 1 else orjson.loads(key)
    return tuple(_value(text, name, described) for text, name in zip(texts, names, strict=True))


def among(table: FromClause, described: ExchangeTable, keys: Sequence[str]) -> ColumnElement[bool]:
    """The rows of *keys*; at most `KEYS_AT_ONCE` of them."""
    columns = [table.c[name] for name in key_columns(described)]
    values = [key_values(key, described) for key in keys]
    if len(columns) == 1:
        return columns[0].in_([type_coerce(value, NullType()) for (value,) in values])
    same = (
        and_(*(c == type_coerce(v, NullType()) for c, v in zip(columns, each, strict=True)))
        for each in values
    )
    return or_(*same)


def behind(
    columns: Sequence[ColumnElement[object]], values: Sequence[object], *, equal: bool = False
) -> ColumnElement[bool]:
    """Rows whose *columns* come after *values*, in the database's own order; *equal*: or are them."""
    # Spelled out: MariaDB finds no index by a comparison of tuples.
    told = [type_coerce(value, NullType()) for value in values]
    parts = [
        and_(*(columns[m] == told[m] for m in range(n)), columns[n] > told[n])
        for n in range(len(columns))
    ]
    if equal:
        parts.append(and_(*(c == v for c, v in zip(columns, told, strict=True))))
    return or_(*parts)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _value(text: str, name: str, described: ExchangeTable) -> str | int:
    column = described.column(name)
    whole = column.kind is Kind.WHOLE if column else described.control.counted
    return int(text) if whole else text
