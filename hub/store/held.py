"""What waits on ordered routes: the first of each subject is tried when it is due, the rest follow.

Form       ``at`` is when ``due`` was set, by a retry, a claim or a person's failure; a row whose ``due`` is none stands for a failure that a person has not dealt with yet
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update

from hub.store import insert_once
from hub.store.suspects import forget, key_of, note, noted
from hub.store.tables import failures, held

__all__ = [
    "Waiting",
    "due",
    "first",
    "hold",
    "let_go",
    "release",
    "take",
    "tend",
    "waiting_keys",
]

# By how much the clocks of the hub's processes may differ.
SKEW_S = 60.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that waits, sealed. *broke*: how many processes have died with it in hand."""

    id: int
    key: str
    message_id: str
    due: datetime | None
    headers: Mapping[str, Any]
    sealed: bytes
    broke: int = 0


c = held.c
_SHOWN = (c.id, c.key, c.message_id, c.due, c.headers, c.sealed)
_OVER = ("resolved", "discarded", "redirected")


def waiting_keys(connection: Connection, route: str) -> set[str]:
    return set(connection.scalars(select(c.key).where(c.route == route).distinct()))


def hold(connection: Connection, row: dict[str, Any], *, newest_only: bool) -> Sequence[str]:
    """Keep *row*, behind what waits of its key; one that is kept already gets its new headers and
    due time. Returns the messages that *newest_only* lets it replace."""
    mine = (c.route == row["route"]) & (c.message_id == row["message_id"])
    kept = connection.execute(
        update(held).where(mine).values(due=row["due"], at=row["at"], headers=row["headers"])
    )
    if not kept.rowcount:
        connection.execute(insert_once(connection, held), row)
    forget(connection, key_of(row["route"], row["message_id"]))
    if not newest_only:
        return ()
    older = delete(held).where(
        c.route == row["route"],
        c.key == row["key"],
        c.message_id != row["message_id"],
        c.sequence <= row["sequence"],
        c.due.is_not(None),
    )
    return list(connection.scalars(older.returning(c.message_id)))


def first(connection: Connection, route: str, key: str) -> Waiting | None:
    mine = select(*_SHOWN).where(c.route == route, c.key == key).order_by(c.id).limit(1)
    found = _found(connection, route, connection.execute(mine).all())
    return found[0] if found else None


def due(connection: Connection, route: str, now: datetime, most: int) -> Sequence[Waiting]:
    """The first of each key, where its time has come."""
    firsts = select(func.min(c.id)).where(c.route == route).group_by(c.key)
    query = select(*_SHOWN).where(c.id.in_(firsts), c.due <= now).order_by(c.due).limit(most)
    return _found(connection, route, connection.execute(query).all())


def _found(connection: Connection, route: str, rows: Sequence[Row[Any]]) -> Sequence[Waiting]:
    """*rows* of `_SHOWN`, with the notes that were left of them."""
    keys = [key_of(route, row.message_id) for row in rows]
    left = noted(connection, keys) if keys else {}
    return [
        Waiting(r.id, r.key, r.message_id, r.due, r.headers, r.sealed, left.get(key, 0))
        for r, key in zip(rows, keys, strict=True)
    ]


def _free(connection: Connection, route: str) -> None:
    over = select(failures.c.message_id).where(
        failures.c.stage == "route", failures.c.route == route, failures.c.state.in_(_OVER)
    )
    connection.execute(
        delete(held).where(c.route == route, c.due.is_(None), c.message_id.in_(over))
    )


def _count_anew(connection: Connection, route: str, now: datetime) -> None:
    """What was put off at a time that is yet to come was so before the clock was set back: it waits
    as long as it was to wait then, from now."""
    ahead = now + timedelta(seconds=SKEW_S)
    late = select(c.id, c.at, c.due).where(c.route == route, c.at > ahead, c.due.is_not(None))
    for row_id, at, due in connection.execute(late).all():
        anew = update(held).where(c.id == row_id, c.due == due)
        connection.execute(anew.values(due=now + max(due - at, timedelta()), at=now))


def take(connection: Connection, row: Waiting, route: str, now: datetime, until: datetime) -> bool:
    """Claim *row* until then, with a note that is forgotten when it has an end: `hold`, `release` or
    `let_go`. False where somebody else was quicker."""
    if row.due is None or not _claim(connection, row.id, row.due, now=now, until=until):
        return False
    note(connection, key_of(route, row.message_id), now)
    return True


def let_go(connection: Connection, route: str, message_ids: Collection[str]) -> None:
    """They were taken and had no end, but nobody died of them."""
    # In one order everywhere, so that no two wait for each other in a circle.
    for key in sorted(key_of(route, each) for each in message_ids):
        forget(connection, key)


def _claim(
    connection: Connection, row_id: int, was: datetime, now: datetime, until: datetime
) -> bool:
    mine = update(held).where(c.id == row_id, c.due == was).values(due=until, at=now)
    return connection.execute(mine).rowcount == 1


def tend(
    connection: Connection,
    route: str,
    claims: Sequence[tuple[int, datetime]],
    now: datetime,
    until: datetime,
) -> Sequence[int]:
    """Forget the failures that a person has dealt with; let *claims* (row and when it ends) go on
    *until* then; returns those that were still held."""
    _free(connection, route)
    renewed = [
        row_id for row_id, was in claims if _claim(connection, row_id, was, now=now, until=until)
    ]
    _count_anew(connection, route, now)
    return renewed


def release(connection: Connection, route: str, message_id: str) -> None:
    """It was delivered."""
    connection.execute(delete(held).where(c.route == route, c.message_id == message_id))
    forget(connection, key_of(route, message_id))
