"""Append rows to the ledger: each once by its key, chained, with its body stored once.

Promises   one transaction; of several writers one appends at a time, so a chain never forks; a row
           whose key is known changes nothing, whatever its other values
Form       a key's mark: the 6 bytes of its id's time (UUIDv7), then 10 bytes of its SM3. Marks of
           one time stand together, so the index stays warm and old ones can be deleted as a range
Careful    text that a database refuses (too long, NUL) is cut to fit: a row must never be able to
           stop the ledger
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

import orjson
import psycopg
from sqlalchemy import Connection, String, insert, select, text

from hub.crypto import sm3_bytes
from hub.store import away, insert_once
from hub.store.chain import FIELDS, chained
from hub.store.partitions import REST, By, Head, heads, keep_heads
from hub.store.tables import ledger, ledger_keys, payloads

__all__ = ["Row", "append", "fitted", "lock", "mark", "mark_before"]

Row = dict[str, Any]
"""The values of `hub.store.chain.FIELDS`, and from here on also ``part``, ``seq`` and ``link``."""

LOCK = zlib.crc32(b"shuniu ledger")
PARAMETERS = 900
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-")
_LENGTHS = {
    column.name: column.type.length
    for column in ledger.c
    if isinstance(column.type, String) and column.type.length and column.name in FIELDS
}
_COLUMNS = ("part", "seq", "link", *FIELDS)
_NAMES = ", ".join(f'"{name}"' for name in _COLUMNS)
_INSERT = f"INSERT INTO ledger ({_NAMES}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - names of our own
_JSON = tuple(_COLUMNS.index(name) for name in ("faults", "doubts", "envelope"))
_AT = _COLUMNS.index("at")
_LOCKED = text("SELECT pg_advisory_xact_lock(:lock)")
# All marks in one value, and all bodies: arrays of them would be put together and taken apart one by
# one.
_MARK_BYTES = 16
_CLAIM = text("""
    WITH new AS (
        INSERT INTO ledger_keys (mark)
        SELECT substring(CAST(:marks AS bytea) FROM 1 + :size * n FOR :size)
        FROM generate_series(0, :count - 1) AS n
        ON CONFLICT DO NOTHING RETURNING mark
    )
    SELECT string_agg(mark, '') FROM new
""")
_BODIES = """
    INSERT INTO payloads (part, digest, sealed)
    SELECT part, digest, substring(%b FROM start FOR size)
    FROM unnest(%s::text[], %s::text[], %s::int[], %s::int[]) AS t (part, digest, start, size)
    ON CONFLICT DO NOTHING
"""


def append(
    connection: Connection,
    rows: Sequence[Row],
    bodies: Mapping[str, bytes],
    *,
    now: datetime,
    by: By = "month",
) -> int:
    """
    Append those of *rows* that are new, in their order; returns how many.

    *bodies*: sealed, by digest; kept for new rows of that digest. *now* says which partitions may be
    made.
    """
    if not rows:
        return 0
    lock(connection)
    marked = {mark(row["key"]): row for row in reversed(rows)}
    new = _claimed(connection, marked)
    fresh = [row for told, row in reversed(marked.items()) if told in new]
    if not fresh:
        return 0
    found = heads(connection, [row["at"] for row in fresh], now=now, by=by)
    changed = _chain(fresh, found)
    _insert(connection, [_values(connection, row) for row in fresh])
    _keep_bodies(connection, fresh, bodies)
    keep_heads(connection, changed)
    return len(fresh)


def lock(connection: Connection) -> None:
    """Be the only one that appends or drops until the transaction ends. In SQLite a writing
    transaction is that already."""
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCKED, {"lock": LOCK})


def mark(key: str) -> bytes:
    told = sm3_bytes(key.encode())[:10]
    time = bytes.fromhex(key[:8] + key[9:13]) if _ID.match(key) else b"\xff" * 6
    return time + told


def mark_before(at: datetime) -> bytes:
    """Less than every mark of *at* or later, and more than the earlier ones."""
    return int(at.timestamp() * 1000).to_bytes(6, "big")


def fitted(row: Row) -> Row:
    """*row*, with every text as long as its column takes at most."""
    for name, length in _LENGTHS.items():
        value = row[name]
        if len(value) > length or "\0" in value:
            row[name] = value.replace("\0", "\ufffd")[:length]
    return row


def _claimed(connection: Connection, marked: Mapping[bytes, Row]) -> set[bytes]:
    """Those marks that were not there yet; they are now."""
    marks = list(marked)
    if connection.dialect.name == "postgresql":
        told = {"marks": b"".join(marks), "size": _MARK_BYTES, "count": len(marks)}
        claimed = bytes(connection.scalar(_CLAIM, told) or b"")
        return {claimed[at : at + _MARK_BYTES] for at in range(0, len(claimed), _MARK_BYTES)}
    known: set[bytes] = set()
    for start in range(0, len(marks), PARAMETERS):
        some = ledger_keys.c.mark.in_(marks[start : start + PARAMETERS])
        known |= set(connection.scalars(select(ledger_keys.c.mark).where(some)))
    new = [each for each in marks if each not in known]
    if new:
        connection.execute(insert(ledger_keys), [{"mark": each} for each in new])
    return set(new)


def _chain(rows: Sequence[Row], found: Mapping[str, Head]) -> list[Head]:
    """Give each row its partition, place and link; returns the heads that have moved."""
    changed: dict[str, Head] = {}
    head = found[REST]
    for row in rows:
        at = row["at"]
        if not head.takes(at):
            head = next((each for each in found.values() if each.takes(at)), found[REST])
        head.rows += 1
        row["part"], row["seq"] = head.name, head.rows
        row["link"] = head.link = chained(head.link, row)
        changed[head.name] = head
    return list(changed.values())


def _values(connection: Connection, row: Row) -> list[Any]:
    values = [row[name] for name in _COLUMNS]
    for place in _JSON:
        if values[place] is not None:
            values[place] = orjson.dumps(values[place]).decode()
    if connection.dialect.name == "sqlite":
        at = values[_AT].astimezone(UTC)
        values[_AT] = f"{at:%Y-%m-%d %H:%M:%S.%f}"
    return values


def _keep_bodies(connection: Connection, rows: Sequence[Row], bodies: Mapping[str, bytes]) -> None:
    wanted = dict.fromkeys((row["part"], row["digest"]) for row in rows if row["digest"] in bodies)
    if not wanted:
        return
    if connection.dialect.name == "postgresql":
        parts, digests = zip(*wanted, strict=True)
        sealed = [bodies[digest] for digest in digests]
        sizes = [len(each) for each in sealed]
        starts = list(accumulate(sizes, initial=1))[:-1]
        told = [b"".join(sealed), list(parts), list(digests), starts, sizes]
        with _driver(connection) as cursor:
            cursor.execute(_BODIES, told)
        return
    rows_of = [{"part": p, "digest": d, "sealed": bodies[d]} for p, d in wanted]
    connection.execute(insert_once(connection, payloads), rows_of)


def _insert(connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
    """By COPY where there is one. Nothing can conflict: the lock is held and all are new."""
    if connection.dialect.name == "postgresql":
        _copy(connection, f"COPY ledger ({_NAMES}) FROM STDIN", rows)
    else:
        connection.exec_driver_sql(_INSERT, [tuple(row) for row in rows])


def _copy(connection: Connection, statement: str, rows: Sequence[Sequence[Any]]) -> None:
    with _driver(connection) as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


@contextmanager
def _driver(connection: Connection) -> Iterator[Any]:
    """A cursor of psycopg's own, in the same transaction."""
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor:
            yield cursor
    except psycopg.OperationalError as error:
        raise away(error, "The database connection broke") from error
