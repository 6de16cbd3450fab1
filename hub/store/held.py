"""What waits on ordered routes: the first of each subject is tried when it is due, the rest follow.

Form       a row whose ``due`` is none stands for a failure that a person has not dealt with yet
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from hub.store import insert_once
from hub.store.tables import failures, held

__all__ = ["Waiting", "claim", "due", "first", "free", "hold", "release", "waiting_keys"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that waits, sealed."""

    id: int
    key: str
    message_id: str
    due: datetime | None
    headers: Mapping[str, Any]
    sealed: bytes


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
        update(held).where(mine).values(due=row["due"], headers=row["headers"])
    )
    if not kept.rowcount:
        connection.execute(insert_once(connection, held), row)
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
    found = connection.execute(mine).first()
    return Waiting(*found) if found else None


def due(connection: Connection, route: str, now: datetime, most: int) -> Sequence[Waiting]:
    """The first of each key, where its time has come."""
    firsts = select(func.min(c.id)).where(c.route == route).group_by(c.key)
    query = select(*_SHOWN).where(c.id.in_(firsts), c.due <= now).order_by(c.due).limit(most)
    return [Waiting(*row) for row in connection.execute(query)]


def free(connection: Connection, route: str) -> bool:
    """Forget the failures that a person has dealt with. True where there were any."""
    over = select(failures.c.message_id).where(
        failures.c.stage == "route", failures.c.route == route, failures.c.state.in_(_OVER)
    )
    gone = delete(held).where(c.route == route, c.due.is_(None), c.message_id.in_(over))
    return connection.execute(gone).rowcount > 0


def claim(connection: Connection, row_id: int, was: datetime, until: datetime) -> bool:
    """Let it be until then. False where somebody else was quicker."""
    mine = update(held).where(c.id == row_id, c.due == was).values(due=until)
    return connection.execute(mine).rowcount == 1


def release(connection: Connection, route: str, message_id: str) -> None:
    """It was delivered."""
    connection.execute(delete(held).where(c.route == route, c.message_id == message_id))
