"""Claiming intake keys: of all records of one key, the first one keeps it.

Promises   set-based: one statement for a batch, and one more where something was claimed before.
           Each may be a transaction of its own: what an insert leaves out is there already, and stays
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import attrgetter

import msgspec
from sqlalchemy import Connection, bindparam, select, text, tuple_

from hub.store.tables import Moment, intake_keys

__all__ = ["Claim", "claim"]


class Claim(msgspec.Struct, frozen=True):
    """Record *record_id* came from *source* as *kind* under *key*."""

    source: str
    kind: str
    key: str
    record_id: str


_encode = msgspec.json.Encoder().encode
_in_order = attrgetter("source", "kind", "key")
_AT = bindparam("at", type_=Moment)
_POSTGRESQL = (
    text("""
    INSERT INTO intake_keys (source, kind, key, record_id, at)
    SELECT r.source, r.kind, r.key, r.record_id, :at
    FROM json_to_recordset(CAST(:claims AS json))
        AS r(source text, kind text, key text, record_id text)
    ON CONFLICT DO NOTHING
""")
    .bindparams(_AT)
    .execution_options(preserve_rowcount=True)
)
_SQLITE = (
    text("""
    INSERT INTO intake_keys (source, kind, key, record_id, at)
    SELECT json_extract(r.value, '$.source'), json_extract(r.value, '$.kind'),
        json_extract(r.value, '$.key'), json_extract(r.value, '$.record_id'), :at
    FROM json_each(:claims) AS r
    WHERE true
    ON CONFLICT DO NOTHING
""")
    .bindparams(_AT)
    .execution_options(preserve_rowcount=True)
)
_KEY = (intake_keys.c.source, intake_keys.c.kind, intake_keys.c.key)


def claim(connection: Connection, claims: Sequence[Claim], at: datetime) -> Mapping[str, str]:
    """For each record, the record that came first under its key: itself, or the one it repeats."""
    # In one order everywhere, so that two processes never wait for each other in a circle.
    told = _encode(sorted(claims, key=_in_order)).decode()
    insert = _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL
    if connection.execute(insert, {"claims": told, "at": at}).rowcount == len(claims):
        return {each.record_id: each.record_id for each in claims}
    wanted = [_in_order(each) for each in claims]
    rows = connection.execute(
        select(*_KEY, intake_keys.c.record_id).where(tuple_(*_KEY).in_(wanted))
    )
    first = {(source, kind, key): record_id for source, kind, key, record_id in rows}
    return {each.record_id: first[_in_order(each)] for each in claims}
