"""A table that is not ours, cut into ranges of keys in its own order; each compared for itself.

Promises   a range that is as it was is told by one row of numbers, where the database can hash; no more
           than a range is ever held in memory
Careful    only the partner's database puts keys in order: we keep where a range begins and ends, and
           which of the rows we know are in it
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, FromClause, insert, literal_column, select, type_coerce, update
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import NullType

from front_db.book_tables import parts
from front_db.contract import ExchangeTable
from front_db.digest import digest_sql, row_digest, sum_of
from front_db.keys import among, behind, key_columns, key_text, key_values
from schemas.errors import Misconfigured

__all__ = [
    "Part",
    "Row",
    "part_at",
    "put_part",
    "read_keys",
    "read_part",
    "same_as_before",
    "unsure",
]

OPEN = ""
p = parts.c


@dataclass(frozen=True, slots=True)
class Part:
    """A range of keys; *total*: the sum of its rows' digests when it was last read, if that holds."""

    low: str = OPEN
    high: str = OPEN
    id: int | None = None
    row_count: int = 0
    total: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One of the partner's rows as it is now. *raw*: none where only its digest was asked for."""

    key: str
    digest: str
    raw: Mapping[str, object] | None = None


def part_at(connection: Connection, capture: int, low: str) -> Part:
    """The range that begins behind *low*; a table that was never cut is one range."""
    asked = select(p.low, p.high, p.id, p.row_count, p.total)
    found = connection.execute(asked.where(p.capture == capture, p.low == low)).first()
    return Part(*found) if found else Part(low)


def put_part(
    connection: Connection, capture: int, part: Part, end: str, rows: Sequence[Row]
) -> int:
    """*part* was read up to *end*, and holds *rows*; what is behind them becomes a range of its own.
    Returns its id."""
    values = {"high": end, "row_count": len(rows), "total": sum_of(row.digest for row in rows)}
    if part.id is None:
        made = connection.execute(
            insert(parts).values(capture=capture, low=part.low, **values).returning(p.id)
        )
        number: int = made.scalar_one()
    else:
        number = part.id
        connection.execute(update(parts).where(p.id == number).values(**values))
    if end != part.high:
        rest = {"low": end, "high": part.high, "row_count": 0, "total": ""}
        connection.execute(insert(parts).values(capture=capture, **rest))
    return number


def unsure(connection: Connection, number: int) -> None:
    """What is known of a range is not what is there: it is read again next time."""
    connection.execute(update(parts).where(p.id == number).values(total=""))


def same_as_before(
    connection: Connection, described: ExchangeTable, table: FromClause, part: Part
) -> bool:
    """Whether the partner's rows in *part* have the count and sum of the last time."""
    told = digest_sql(described, connection.dialect.name)
    if told is None or not part.total:
        return False
    count: ColumnElement[Any] = literal_column("count(*)")
    total: ColumnElement[Any] = literal_column(told[1])
    asked = select(count, total).select_from(table).where(*_within(described, table, part))
    found = connection.execute(asked).one()
    return (part.row_count, part.total) == (found[0], str(found[1]))


def read_part(
    connection: Connection,
    described: ExchangeTable,
    table: FromClause,
    part: Part,
    limit: int,
    *,
    whole: bool,
) -> list[Row]:
    """
    Up to *limit* rows of *part*, in the partner's order. *whole*: with their content.

    Raises `Misconfigured` where two of them have one key.
    """
    names = key_columns(described)
    keys = [table.c[name] for name in names]
    told = digest_sql(described, connection.dialect.name)
    asked: list[ColumnElement[Any]] = [_plain(c) for c in (keys if told and not whole else table.c)]
    if told and not whole:
        digest: ColumnElement[Any] = literal_column(told[0])
        asked.append(digest.label("digest"))
    query = select(*asked).select_from(table).where(*_within(described, table, part))
    found = connection.execute(query.order_by(*keys).limit(limit)).mappings()
    rows = [_row(dict(each), described, whole=whole or not told) for each in found]
    if len({row.key for row in rows}) < len(rows):
        raise Misconfigured(
            "front-db.key-twice", "Two rows have one key", table=described.name, key=" ".join(names)
        )
    return rows


def read_keys(
    connection: Connection, described: ExchangeTable, table: FromClause, keys: Sequence[str]
) -> dict[str, Row]:
    """The rows of *keys* that are there now, with their content."""
    asked = select(*(_plain(c) for c in table.c)).where(among(table, described, keys))
    rows = [
        _row(dict(each), described, whole=True) for each in connection.execute(asked).mappings()
    ]
    return {row.key: row for row in rows}


def _plain(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """As the driver gives it: one value that does not fit its type must not spoil the whole page."""
    return type_coerce(column, NullType()).label(column.name)


def _row(raw: dict[str, object], described: ExchangeTable, *, whole: bool) -> Row:
    key = key_text(raw, described)
    return Row(key, row_digest(raw, described), raw) if whole else Row(key, str(raw["digest"]))


def _within(described: ExchangeTable, table: FromClause, part: Part) -> list[ColumnElement[bool]]:
    columns = [table.c[name] for name in key_columns(described)]
    limits: list[ColumnElement[bool]] = []
    if part.low != OPEN:
        limits.append(behind(columns, key_values(part.low, described)))
    if part.high != OPEN:
        limits.append(~behind(columns, key_values(part.high, described)))
    return limits
