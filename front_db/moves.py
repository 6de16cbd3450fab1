"""Moves of rows carried out: one UPDATE a page, which names the state and the versions that were seen.

Promises   what the writer changed meanwhile is not touched: `move` tells which rows it really moved
Careful    a row id alone is written beside the pair of id and version: MariaDB finds no index by
           pairs, and would lock the whole table
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Table, and_, false, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from front_db.contract import ExchangeTable
from front_db.dialects import among
from front_db.states import MOVES, Move, Party, RowState
from schemas.errors import Misconfigured

__all__ = ["Seen", "id_value", "move", "seen_rows"]

# After these only a higher version comes again; what is held has not been handled yet.
HANDLED = (RowState.TAKEN, RowState.REFUSED, RowState.SUPERSEDED)
# SQLite allows 32,766 values in one statement, and an expression no deeper than 1,000.
MOST_ROWS = 500


@dataclass(frozen=True, slots=True)
class Seen:
    """A row at the version in which we saw it; none is a row that breaks the agreement."""

    row_id: str
    version: int | None


def move(
    connection: Connection,
    described: ExchangeTable,
    table: Table,
    seen: Sequence[Seen],
    source: RowState,
    target: RowState,
    values: Mapping[str | None, object] | None = None,
) -> list[Seen]:
    """
    Move those of *seen* that are still in *source* at that version; returns them, in order.

    *values* are set with it, by column; a column that the table has not is left out. Raises
    `Misconfigured` for a move that a reader may not make.
    """
    control = described.control
    if Move(source, target, Party.READER) not in MOVES:
        raise Misconfigured(
            "front-db.move", "No reader may move a row so", source=source, target=target
        )
    changed = {name: value for name, value in (values or {}).items() if name}
    changed[str(control.state)] = control.word(target)
    if control.handled_version and target in HANDLED:
        changed[control.handled_version] = table.c[str(control.version)]
    moved: list[Seen] = []
    for start in range(0, len(seen), MOST_ROWS):
        some = seen[start : start + MOST_ROWS]
        still = and_(
            table.c[str(control.state)] == control.word(source),
            seen_rows(described, table, some, connection.dialect.name),
        )
        moved += _moved(connection, described, table, some, still, changed)
    return moved


def _moved(
    connection: Connection,
    described: ExchangeTable,
    table: Table,
    seen: Sequence[Seen],
    still: ColumnElement[bool],
    changed: Mapping[str, object],
) -> list[Seen]:
    # Which of them are moved must be known, for their receipts.
    control = described.control
    change = update(table).where(still).values(dict(changed))
    if connection.dialect.name == "postgresql":
        row_ids = connection.scalars(change.returning(table.c[control.row_id]))
        found = {str(row_id) for row_id in row_ids}
        return [each for each in seen if each.row_id in found]
    asked = select(table.c[control.row_id]).where(still).with_for_update()
    found = {str(row_id) for row_id in connection.scalars(asked)}
    if found:
        connection.execute(change)
    return [each for each in seen if each.row_id in found]


def seen_rows(
    described: ExchangeTable, table: Table, seen: Sequence[Seen], dialect: str
) -> ColumnElement[bool]:
    """The rows of *seen*, each at its version."""
    control = described.control
    row_id, version = table.c[control.row_id], table.c[str(control.version)]
    pairs = [
        (id_value(described, each.row_id), each.version)
        for each in seen
        if each.version is not None
    ]
    torn = [id_value(described, each.row_id) for each in seen if each.version is None]
    those = among(dialect, (row_id, version), pairs) if pairs else false()
    parts = [and_(row_id.in_([first for first, _ in pairs]), those)]
    # What stands where a version should be cannot be compared with anything.
    parts += [row_id.in_(torn)] if torn else []
    return or_(*parts[0 if pairs else 1 :])


def id_value(described: ExchangeTable, row_id: str) -> str | int:
    """A row id as its column holds it."""
    return int(row_id) if described.control.counted else row_id
