"""Messages in whose hands a worker may die, noted before one is taken up and forgotten after.

A note that is still there when the message comes again was left by a process that died of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from hub.crypto import sm3
from hub.store import insert_once
from hub.store.tables import suspects

__all__ = ["forget", "key_of", "note", "noted"]


def key_of(route: str, message_id: str) -> str:
    """What a message is noted under on *route*."""
    return sm3(f"{route} {message_id}".encode())


def note(connection: Connection, key: str, at: datetime) -> int:
    """Note that *key* is taken up; returns how many times it was noted before."""
    c = suspects.c
    connection.execute(insert_once(connection, suspects), {"key": key, "times": 0, "at": at})
    before: int = connection.scalar(select(c.times).where(c.key == key).with_for_update()) or 0
    connection.execute(update(suspects).where(c.key == key).values(times=before + 1, at=at))
    return before


def forget(connection: Connection, key: str) -> None:
    """It was taken up, and nobody died."""
    connection.execute(delete(suspects).where(suspects.c.key == key))


def noted(connection: Connection, keys: Collection[str]) -> Mapping[str, int]:
    """Those of *keys* that are noted, and how many times."""
    query = select(suspects.c.key, suspects.c.times).where(suspects.c.key.in_(keys))
    return {row.key: row.times for row in connection.execute(query)}
