"""Rows into a partner's exchange table, in batches, each message once however often it is repeated.

Promises   what returned is committed; a row whose id is there already is not written again; of a
           table that keeps the latest state, an older message never overwrites a newer one. A bad
           row is found by halving its batch: the others are written in large parts all the same
Careful    no ``ON DUPLICATE KEY``: on a table with a second unique key it updates somebody else's
           row. We look first, with a lock, and a race is decided by the primary key. A delete stays
           as a row with its operation and version, so that a late older message revives nothing
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import Connection, Table, and_, bindparam, insert, or_, select, true, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.elements import BindParameter

from front_db.contract import Control, ExchangeTable, Keeps
from front_db.dialects import among
from front_db.rows import Row
from front_db.troubles import blames_a_row, is_taken, trouble
from schemas.errors import HubError, Misconfigured, Rejected

__all__ = ["Outcome", "Written", "row_id_of", "write_rows"]


LOOK_UP = 500


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
    if len(rows) == 1:
        return [_alone(connection, described, table, rows[0])]
    try:
        return _together(connection, described, table, rows)
    except DBAPIError as error:
        if not blames_a_row(error):
            raise
    # One of them is at fault. Half of them are written again as they are, and so on.
    middle = len(rows) // 2
    first = write_rows(connection, described, table, rows[:middle])
    return first + write_rows(connection, described, table, rows[middle:])


def _together(
    connection: Connection, described: ExchangeTable, table: Table, rows: Sequence[Row]
) -> list[Outcome]:
    write = _append if described.keeps is Keeps.EVERY else _merge
    with connection.begin_nested():
        return write(connection, described, table, rows)


def _alone(
    connection: Connection, described: ExchangeTable, table: Table, row: Row, *, again: bool = True
) -> Outcome:
    try:
        return _together(connection, described, table, [row])[0]
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


@dataclass(slots=True)
class _Latest:
    """What a key has, or will have after this batch. *row*: one of ours that is to be written."""

    row_id: str
    version: int
    there: bool
    row: Row | None = None


def _merge(
    connection: Connection, described: ExchangeTable, table: Table, rows: Sequence[Row]
) -> list[Outcome]:
    """One row for each business key: of several for one key the newest, if it is newer."""
    control, key = described.control, described.key_columns
    latest = _latest(connection, described, table, rows)
    outcomes: list[Outcome] = []
    for row in rows:
        same = tuple(row[name] for name in key)
        if any(part is None or part == "" for part in same):
            outcomes.append(
                Rejected("target.refused", "A part of the row's key is empty", table=described.name)
            )
            continue
        ours, version = str(row[control.row_id]), _version(row, control)
        found = latest.get(same)
        # Of two messages with the same order the later one counts: their ids are in order of time.
        if found is None:
            latest[same] = _Latest(ours, version, there=False, row=row)
        elif (found.version, found.row_id) < (version, ours):
            found.row_id, found.version, found.row = ours, version, row
        else:
            same_row = found.row_id == ours
            outcomes.append(Written(ours, repeated=same_row, stale=not same_row))
            continue
        outcomes.append(Written(ours))
    _write_latest(connection, described, table, list(latest.values()))
    return outcomes


def _latest(
    connection: Connection, described: ExchangeTable, table: Table, rows: Sequence[Row]
) -> dict[tuple[object, ...], _Latest]:
    """What is there of the keys of *rows*, locked until the transaction ends."""
    control, names = described.control, described.key_columns
    columns = [table.c[name] for name in names]
    wanted = sorted({tuple(row[name] for name in names) for row in rows}, key=repr)
    row_id, version = table.c[control.row_id], table.c[str(control.version)]
    found: dict[tuple[object, ...], _Latest] = {}
    for start in range(0, len(wanted), LOOK_UP):
        some = wanted[start : start + LOOK_UP]
        first = columns[0].in_([each[0] for each in some])
        others = among(connection.dialect.name, columns, some) if len(columns) > 1 else true()
        same = and_(first, others)
        asked = select(row_id, version, *columns).where(same).with_for_update()
        for row in connection.execute(asked):
            found[tuple(row[2:])] = _Latest(str(row[0]), int(row[1] or 0), there=True)
    return found


def _write_latest(
    connection: Connection, described: ExchangeTable, table: Table, latest: Sequence[_Latest]
) -> None:
    control, key = described.control, described.key_columns
    changed = [dict(each.row) for each in latest if each.row and each.there]
    fresh = [dict(each.row) for each in latest if each.row and not each.there]
    if changed:
        row_id, version = table.c[control.row_id], table.c[str(control.version)]
        new: BindParameter[int] = bindparam("new_version")
        older = or_(version < new, and_(version == new, row_id < bindparam("new_id")))
        same = and_(*(table.c[name] == bindparam(f"same_{name}") for name in key))
        asked = update(table).where(same, older).values({n: bindparam(n) for n in changed[0]})
        connection.execute(
            asked,
            [
                {
                    **row,
                    **{f"same_{name}": row[name] for name in key},
                    "new_version": row[str(control.version)],
                    "new_id": row[control.row_id],
                }
                for row in changed
            ],
        )
    if fresh:
        connection.execute(insert(table), fresh)


def _version(row: Row, control: Control) -> int:
    told = row[str(control.version)]
    return told if isinstance(told, int) else 0
