"""The secrets of grants: drawn when a grant is made, shown once, sealed at rest, gone with the grant.

What a secret opens depends on the grant's way: the door of `hub.grant_door`, or the account of a view in
a database. Its app id, there the account, is told from the grant's number.

Standard   R-C8; GB/T 39786-2021 (secrets at rest are sealed)
Units      a secret has 256 random bits; the one before a rotation is good for `OVERLAP`
Careful    `collect` and `rotate` give out plain text: to whoever is entitled, and nowhere else
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, delete, insert, select, update

from catalog.lifecycle.kept import Credential
from hub.crypto import Seal
from hub.store.catalogue import grant_secrets
from schemas.errors import Rejected

__all__ = ["OVERLAP", "collect", "credential", "forget", "make", "rotate", "secrets_of"]

OVERLAP = timedelta(hours=24)
SECRET_BYTES = 32
t = grant_secrets.c


def make(connection: Connection, number: str, seal: Seal, at: datetime) -> str:
    """Draw the secret of a new grant; nobody has seen it yet."""
    drawn = secrets.token_urlsafe(SECRET_BYTES)
    row = {"grant": number, "sealed": seal.seal(drawn.encode()), "made_at": at}
    connection.execute(insert(grant_secrets).values(row))
    return drawn


def collect(connection: Connection, number: str, seal: Seal, at: datetime) -> str:
    """The secret, the only time it is shown. Raises `Rejected` (``grant.collected``)."""
    row = _row(connection, number)
    # None: granted before grants had secrets.
    secret = seal.open(row.sealed).decode() if row else make(connection, number, seal, at)
    mine = (t.grant == number) & t.collected_at.is_(None)
    done = connection.execute(update(grant_secrets).where(mine).values(collected_at=at))
    if done.rowcount != 1:
        raise Rejected("grant.collected", "It was shown already", number=number)
    return secret


def rotate(connection: Connection, number: str, seal: Seal, at: datetime) -> str:
    """A new secret instead, shown now; the former one is good a while longer, where it was in use."""
    row = _row(connection, number)
    if row is None or row.collected_at is None:
        return collect(connection, number, seal, at)
    drawn = secrets.token_urlsafe(SECRET_BYTES)
    changed = {
        "sealed": seal.seal(drawn.encode()),
        "made_at": at,
        "collected_at": at,
        "former": row.sealed,
        "former_until": at + OVERLAP,
    }
    # Whoever rotates at the same moment has the other one, and must not believe it good.
    mine = (t.grant == number) & (t.made_at == row.made_at)
    if connection.execute(update(grant_secrets).where(mine).values(changed)).rowcount != 1:
        raise Rejected("lifecycle.state", "Somebody was faster", act="rotate", state="active")
    return drawn


def secrets_of(connection: Connection, number: str, seal: Seal, at: datetime) -> tuple[str, ...]:
    """Those that are good at *at*, the newest first; none of a grant that is over."""
    row = _row(connection, number)
    if row is None:
        return ()
    sealed = [row.sealed]
    if row.former is not None and row.former_until > at:
        sealed.append(row.former)
    return tuple(seal.open(each).decode() for each in sealed)


def credential(connection: Connection, number: str) -> Credential | None:
    row = _row(connection, number)
    return Credential(row.made_at, row.collected_at, row.former_until) if row else None


def forget(connection: Connection, number: str) -> None:
    """Of a grant that is over."""
    connection.execute(delete(grant_secrets).where(t.grant == number))


def _row(connection: Connection, number: str) -> Row[tuple[object, ...]] | None:
    query = select(grant_secrets).where(t.grant == number)
    return connection.execute(query).first()
