"""Claiming intake keys: of all records of one key, the first one keeps it.

Promises   set-based: one statement for a batch, and one more for what was claimed before
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, bindparam, select, text, tuple_

from hub.store.tables import Moment, intake_keys

__all__ = ["Claim", "claim"]


class Claim(NamedTuple):
    """Record *record_id* came from *source* as *kind* under *key*."""

    source: str
    kind: str
    key: str
    record_id: str


_AT = bindparam("at", type_=Moment)
_POSTGRESQL = text("""
    INSERT INTO intake_keys (source, kind, key, record_id, at)
    SELECT r.source, r.kind, r.key, r.record_id, :at
    FROM json_to_recordset(CAST(:claims AS json))
        AS r(source text, kind text, key text, record_id text)
    ON CONFLICT DO NOTHING
    RETURNING record_id
""").bindparams(_AT)
_SQLITE = text("""
    INSERT INTO intake_keys (source, kind, key, record_id, at)
    SELECT json_extract(r.value, '$.source'), json_extract(r.value, '$.kind'),
        json_extract(r.value, '$.key'), json_extract(r.value, '$.record_id'), :at
    FROM json_each(:claims) AS r
    WHERE true
    ON CONFLICT DO NOTHING
    RETURNING record_id
""").bindparams(_AT)
_KEY = (intake_keys.c.source, intake_keys.c.kind, intake_keys.c.key)


def claim(connection: Connection, claims: Sequence[Claim], at: datetime) -> Mapping[str, str]:
    """For each record, the record that came first under its key: itself, or the one it repeats."""
    # In one order everywhere, so that two processes never wait for each other in a circle.
    ordered = sorted(claims, key=attrgetter("source", "kind", "key"))
    told = orjson.dumps([each._asdict() for each in ordered]).decode()
    insert = _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL
    first = {
        record_id: record_id for record_id in connection.scalars(insert, {"claims": told, "at": at})
    }
    if repeated := [each for each in claims if each.record_id not in first]:
        wanted = [each[:3] for each in repeated]
        rows = connection.execute(
            select(*_KEY, intake_keys.c.record_id).where(tuple_(*_KEY).in_(wanted))
        )
        known = {(source, kind, key): record_id for source, kind, key, record_id in rows}
        first |= {each.record_id: known[each[:3]] for each in repeated}
    return first
