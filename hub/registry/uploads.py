"""Spreadsheets that were uploaded and wait to be confirmed, where every process finds them.

Units      `KEPT`: how long one waits; of one person `MOST_OF_ONE` wait, of all `MOST`: the oldest make way
Careful    a token is known to who uploaded, and only that person gets the content again
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from hub.store.catalogue import catalogue_uploads

__all__ = ["KEPT", "MOST", "MOST_OF_ONE", "drop", "get", "put"]

KEPT = timedelta(minutes=10)
MOST, MOST_OF_ONE = 16, 3
TOKEN_BYTES = 16
c = catalogue_uploads.c


def put(connection: Connection, by: str, content: bytes, at: datetime) -> str:
    """Keep it; returns its token."""
    connection.execute(delete(catalogue_uploads).where(c.at < at - KEPT))
    newest = select(c.token).order_by(c.at.desc(), c.token)
    mine = connection.scalars(newest.where(c.by == by[:64]).offset(MOST_OF_ONE - 1)).all()
    others = connection.scalars(newest.offset(MOST - 1)).all()
    connection.execute(delete(catalogue_uploads).where(c.token.in_([*mine, *others])))
    token = secrets.token_urlsafe(TOKEN_BYTES)
    row = {"token": token, "by": by[:64], "at": at, "content": content}
    connection.execute(insert(catalogue_uploads), row)
    return token


def get(connection: Connection, token: str, by: str, at: datetime) -> bytes | None:
    """None where it waits no longer, or is somebody else's."""
    mine = (c.token == token[:32]) & (c.by == by[:64]) & (c.at >= at - KEPT)
    found: bytes | None = connection.scalar(select(c.content).where(mine))
    return found


def drop(connection: Connection, token: str) -> None:
    connection.execute(delete(catalogue_uploads).where(c.token == token[:32]))
