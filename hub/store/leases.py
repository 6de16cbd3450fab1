"""A grant's messages of a day, leased by several processes a few at a time.

Promises   what all leases together hold is never more than the day's number
"""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from hub.store import insert_once
from hub.store.catalogue import grant_days

__all__ = ["lease"]


def lease(connection: Connection, *, grant: str, day: str, most: int, per_day: int) -> int:
    """Take up to *most* of the *per_day* messages of *day*; returns how many. A negative *most*
    gives back."""
    c = grant_days.c
    mine = (c.grant == grant) & (c.day == day)
    row = {"grant": grant, "day": day, "taken": 0}
    connection.execute(insert_once(connection, grant_days), row)
    taken: int = connection.execute(select(c.taken).where(mine).with_for_update()).scalar_one()
    many = max(min(most, per_day - taken), -taken)
    connection.execute(update(grant_days).where(mine).values(taken=taken + many))
    return many
