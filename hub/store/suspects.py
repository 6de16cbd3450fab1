"""Messages in whose hands a worker may die, noted before one is taken up and forgotten after.

A note that is still there when the message comes again was left by a process that died of it, or
while it gave it up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from hub.crypto import sm3
from hub.store import insert_once
from hub.store.tables import suspects

__all__ = ["Note", "forget", "given_up", "key_of", "note", "noted"]


@dataclass(frozen=True, slots=True)
class Note:
    """What was left of a message: *deaths* with it in hand, and whether it was *given_up*."""

    deaths: int
    given_up: bool


def key_of(route: str, message_id: str) -> str:
    """What a message is noted under on *route*."""
    return sm3(f"{route} {message_id}".encode())


def note(connection: Connection, key: str, at: datetime) -> Note:
    """Note that *key* is taken up; returns what was left of it before."""
    c = suspects.c
    connection.execute(
        insert_once(connection, suspects), {"key": key, "times": 0, "at": at, "given_up": False}
    )
    kept = connection.execute(
        select(c.times, c.given_up).where(c.key == key).with_for_update()
    ).one()
    connection.execute(update(suspects).where(c.key == key).values(times=kept.times + 1, at=at))
    return Note(kept.times, kept.given_up)


def given_up(connection: Connection, key: str) -> None:
    """Whoever finds the note of *key* does not check it again."""
    connection.execute(update(suspects).where(suspects.c.key == key).values(given_up=True))


def forget(connection: Connection, key: str) -> None:
    """It was taken up, and nobody died."""
    connection.execute(delete(suspects).where(suspects.c.key == key))


def noted(connection: Connection, keys: Collection[str]) -> Mapping[str, int]:
    """Those of *keys* that are noted, and how many times."""
    query = select(suspects.c.key, suspects.c.times).where(suspects.c.key.in_(keys))
    return {row.key: row.times for row in connection.execute(query)}
