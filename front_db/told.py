"""Which keys of a table receivers were told of, at which version and with what: so that what is no more, or is
different, is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import orjson
from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from front_db.book_tables import rows as rows_of
from front_db.changes import Change
from schemas.message import Json, Operation

__all__ = [
    "confirm",
    "count_all",
    "count_before",
    "digest_of",
    "highest",
    "promise",
    "remember",
    "told_before",
]

AT_ONCE = 500
DIGEST_BYTES = 8
PROMISED = ""  # no row has this digest
c = rows_of.c


def digest_of(content: Mapping[str, Json]) -> str:
    """Of what is told of a row, in 16 hexadecimal digits."""
    told = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return blake2b(told, digest_size=DIGEST_BYTES).hexdigest()


def remember(connection: Connection, capture: int, changes: Sequence[Change]) -> None:
    """*changes*, in their order, are safe."""
    last = {change.key: change for change in changes}
    gone = [key for key, each in last.items() if each.operation is Operation.DELETED]
    for start in range(0, len(gone), AT_ONCE):
        some = c.key.in_(gone[start : start + AT_ONCE])
        connection.execute(delete(rows_of).where(c.capture == capture, some))
    there = [
        {
            "capture": capture,
            "key": key,
            "digest": digest_of(each.content),
            "version": each.version,
        }
        for key, each in last.items()
        if each.operation is not Operation.DELETED
    ]
    if there:
        insert: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        made = insert(rows_of)
        changed = {"version": made.excluded.version, "digest": made.excluded.digest}
        connection.execute(
            made.on_conflict_do_update(index_elements=[c.capture, c.key], set_=changed), there
        )


def promise(connection: Connection, capture: int, keys: Sequence[str], version: int) -> None:
    """*keys* may be handed on from now on: whoever dies before they are safe has them looked for. What
    is known of them already stays; *version*: the highest given before."""
    insert: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    made = insert(rows_of).on_conflict_do_nothing(index_elements=[c.capture, c.key])
    told = [
        {"capture": capture, "key": key, "digest": PROMISED, "version": version}
        for key in dict.fromkeys(keys)
    ]
    if told:
        connection.execute(made, told)


def told_before(
    connection: Connection, capture: int, version: int, after: str, limit: int
) -> list[str]:
    """Keys behind *after* that were last told of at *version* or before."""
    mine = (c.capture == capture, c.version <= version, c.key > after)
    return list(connection.scalars(select(c.key).where(*mine).order_by(c.key).limit(limit)))


def confirm(
    connection: Connection, capture: int, rows: Mapping[str, str], version: int
) -> frozenset[str]:
    """Of *rows*, digests by key, those that receivers hold just so; they count as told at *version*."""
    same: set[str] = set()
    keys = list(rows)
    for start in range(0, len(keys), AT_ONCE):
        some = keys[start : start + AT_ONCE]
        asked = select(c.key, c.digest).where(c.capture == capture, c.key.in_(some))
        right = [key for key, digest in connection.execute(asked) if rows[key] == digest]
        mine = (c.capture == capture, c.key.in_(right), c.version < version)
        connection.execute(update(rows_of).where(*mine).values(version=version))
        same.update(right)
    return frozenset(same)


def count_before(
    connection: Connection, capture: int, version: int, except_of: Sequence[str]
) -> int:
    """How many keys `told_before` tells, without *except_of*."""
    mine = (c.capture == capture, c.version <= version)
    total = connection.scalar(select(func.count()).where(*mine)) or 0
    for start in range(0, len(except_of), AT_ONCE):
        some = c.key.in_(except_of[start : start + AT_ONCE])
        total -= connection.scalar(select(func.count()).where(*mine, some)) or 0
    return total


def highest(connection: Connection, capture: int) -> int:
    """The highest version that receivers hold, or may: a reading that broke off has told more than its place says."""
    return connection.scalar(select(func.max(c.version)).where(c.capture == capture)) or 0


def count_all(connection: Connection, capture: int) -> int:
    """How many rows receivers hold."""
    return connection.scalar(select(func.count()).where(c.capture == capture)) or 0
