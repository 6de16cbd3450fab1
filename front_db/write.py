"""Rows into a partner's exchange table, in batches, each message once however often it is repeated.

Promises   what returned is committed; a row whose id is there already is not written again; of a
           table that keeps the latest state, an older message never overwrites a newer one
Careful    no ``ON DUPLICATE KEY``: on a table with a second unique key it updates somebody else's
           row. We look first, and a race is decided by the primary key
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import Connection, Table, and_, insert, or_, select, update
from sqlalchemy.exc import DBAPIError

from front_db.contract import Control, ExchangeTable, Keeps
from front_db.rows import Row
from front_db.troubles import blames_a_row, is_taken, trouble
from schemas.errors import HubError, Misconfigured, Rejected

__all__ = ["Outcome", "Written", "row_id_of", "write_rows"]


@dataclass(frozen=True, slots=True)
class Written:
    """*repeated*: it was there already. *stale*: a newer state was there, so nothing changed."""

    row_id: str
    repeated: bool = False
    stale: bool = False


Outcome = Written | HubError


def row_id_of(message_id: str, key: str, control: Control) -> str:
    """
    The id of a delivery's row: the same for every attempt.

    Where the table has a batch column, that holds the route's name and the id is the message's own,
    so that a row and ``shuniu trace`` lead to each other; else it is derived from the whole *key*.
    """
    return message_id if control.batch else str(uuid5(NAMESPACE_URL, key))


def write_rows(
    connection: Connection, described: ExchangeTable, table: Table, rows: Sequence[Row]
) -> list[Outcome]:
    """Write *rows* (content and control columns); an outcome for each, in their order."""
    write = _append if described.keeps is Keeps.EVERY else _merge
    try:
        with connection.begin_nested():
            return write(connection, described, table, rows)
    except DBAPIError as error:
        if not blames_a_row(error):
            raise
    # One of them is at fault: alone, each is judged by itself.
    return [_alone(connection, described, table, row) for row in rows]


def _alone(
    connection: Connection, described: ExchangeTable, table: Table, row: Row, *, again: bool = True
) -> Outcome:
    write = _append if described.keeps is Keeps.EVERY else _merge
    try:
        with connection.begin_nested():
            return write(connection, described, table, [row])[0]
    except DBAPIError as error:
        if not blames_a_row(error):
            raise
        if not (again and is_taken(error)):
            return trouble(error, described)
    # Somebody wrote the same row, or its key, between our look and our insert: look once more.
    return _alone(connection, described, table, row, again=False)


def _append(
    connection: Connection, described: ExchangeTable, table: Table, rows: Sequence[Row]
) -> list[Outcome]:
    control = described.control
    held = _held(connection, described, table, rows)
    fresh = {str(row[control.row_id]): row for row in rows if row[control.row_id] not in held}
    if fresh:
        connection.execute(insert(table), [dict(row) for row in fresh.values()])
    outcomes: list[Outcome] = []
    for row in rows:
        row_id = str(row[control.row_id])
        if row_id in fresh:
            del fresh[row_id]  # a second one of the same batch is a repeat
            held[row_id] = row.get(control.batch) if control.batch else None
            outcomes.append(Written(row_id))
        else:
            outcomes.append(_repeat(row, held, control))
    return outcomes


def _held(
    connection: Connection, described: ExchangeTable, table: Table, rows: Sequence[Row]
) -> dict[str, object]:
    """Which of *rows* are there already: row id to batch."""
    control = described.control
    ids = {str(row[control.row_id]) for row in rows}
    columns = [table.c[control.row_id]] + ([table.c[control.batch]] if control.batch else [])
    asked = select(*columns).where(table.c[control.row_id].in_(ids))
    return {
        str(found[0]): found[1] if control.batch else None for found in connection.execute(asked)
    }


def _repeat(row: Row, held: dict[str, object], control: Control) -> Outcome:
    row_id = str(row[control.row_id])
    if control.batch and held[row_id] != row[control.batch]:
        return Misconfigured(
            "front-db.two-routes",
            "Two routes write the same messages into one table",
            route=str(row[control.batch]),
            other=str(held[row_id]),
        )
    return Written(row_id, repeated=True)


def _merge(
    connection: Connection, described: ExchangeTable, table: Table, rows: Sequence[Row]
) -> list[Outcome]:
    """One row for each business key. Row by row: each is guarded by its own version."""
    return [_merge_one(connection, described, table, row) for row in rows]


def _merge_one(connection: Connection, described: ExchangeTable, table: Table, row: Row) -> Outcome:
    control = described.control
    row_id, version = table.c[control.row_id], table.c[str(control.version)]
    ours, new = str(row[control.row_id]), row[str(control.version)]
    if any(row[name] is None for name in described.business_key):
        return Rejected("target.refused", "A part of the row's key is empty", table=described.name)
    same = and_(*(table.c[name] == row[name] for name in described.business_key))
    # Of two messages with the same order the later one counts: their ids are in order of time.
    older = or_(version < new, and_(version == new, row_id < ours))
    if connection.execute(update(table).where(same, older).values(dict(row))).rowcount:
        return Written(ours)
    found = connection.scalar(select(row_id).where(same))
    if found is None:
        connection.execute(insert(table), dict(row))
        return Written(ours)
    return Written(ours, repeated=found == ours, stale=found != ours)
