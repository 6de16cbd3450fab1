"""Rows of a table added up by bucket, in the partner's own SQL: what two sides compare first.

Form       a row's bucket is the first three hexadecimal digits of its id's hash, so there are 4,096
           at most, however many rows there are; of each: how many rows, the sum of their ids'
           hashes, the sum of their digests (`front_db.digest`), both modulo 2**64. Sums are in no
           order, so each side may add up as it likes
Promises   only sums cross the line, and then `rows_in` the rows of buckets that differ, as id and
           digest; both sides use bounded memory
Careful    a database that has no hash of its own (SQLite) reads its rows, and adds up in Python
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Select, String, Table, func, literal_column, select
from sqlalchemy.sql.elements import ColumnElement

from front_db.contract import ExchangeTable
from front_db.digest import column_texts, digest_columns, row_digest

__all__ = [
    "MODULUS",
    "Bucket",
    "Bucketed",
    "Slice",
    "add",
    "bucket_of",
    "differing",
    "rows_in",
    "sums",
    "total",
]

MODULUS = 2**64
PREFIX = 3
LOOK_UP = 500
ROWS_AT_ONCE = 1000


@dataclass(slots=True)
class Bucket:
    """What is in one bucket, or in many. *keys*, *content*: sums modulo 2**64."""

    count: int = 0
    keys: int = 0
    content: int = 0

    def add(self, other: Bucket) -> None:
        self.count += other.count
        self.keys = (self.keys + other.keys) % MODULUS
        self.content = (self.content + other.content) % MODULUS


Bucketed = Mapping[str, Bucket]


@dataclass(frozen=True, slots=True)
class Slice:
    """Some rows of one table: those for which *where* holds. Of *described* only the columns that
    both sides know are digested: take the others out first."""

    described: ExchangeTable
    table: Table
    where: Sequence[ColumnElement[bool]] = ()


def bucket_of(row_id: str) -> str:
    """
    >>> bucket_of("17")
    '452'
    """
    return sha256(row_id.encode()).hexdigest()[:PREFIX]


def add(to: dict[str, Bucket], row_id: str, digest: str) -> None:
    """Count one row of ours into its bucket. *digest*: 16 hexadecimal digits."""
    told = sha256(row_id.encode()).hexdigest()
    one = Bucket(1, int(told[:16], 16), int(digest, 16))
    to.setdefault(told[:PREFIX], Bucket()).add(one)


def total(found: Bucketed) -> Bucket:
    """All buckets in one."""
    whole = Bucket()
    for each in found.values():
        whole.add(each)
    return whole


def differing(ours: Bucketed, theirs: Bucketed) -> frozenset[str]:
    """The buckets in which the sides do not agree."""
    names = {*ours, *theirs}
    empty = Bucket()
    return frozenset(n for n in names if ours.get(n, empty) != theirs.get(n, empty))


def sums(connection: Connection, part: Slice) -> dict[str, Bucket]:
    """The sums of *part*, by bucket."""
    sql = _sql(connection, part.described)
    if sql is None:
        found: dict[str, Bucket] = {}
        for row_id, digest in _read(connection, part):
            add(found, row_id, digest)
        return found
    asked: Select[Any] = (
        select(
            literal_column(sql.bucket, String).label("bucket"),
            func.count().label("row_count"),
            literal_column(sql.key_sum).label("key_sum"),
            literal_column(sql.content_sum).label("content_sum"),
        )
        .select_from(part.table)
        .where(*part.where)
        .group_by(literal_column(sql.bucket))
    )
    return {
        str(row.bucket): Bucket(row.row_count, int(row.key_sum), int(row.content_sum))
        for row in connection.execute(asked)
    }


def rows_in(
    connection: Connection, part: Slice, buckets: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Row id and digest of each row of *part* that is in one of *buckets*."""
    sql = _sql(connection, part.described)
    if sql is None:
        yield from (each for each in _read(connection, part) if bucket_of(each[0]) in buckets)
        return
    names = sorted(buckets)
    for start in range(0, len(names), LOOK_UP):
        some = literal_column(sql.bucket).in_(names[start : start + LOOK_UP])
        yield from _digests(connection, part, sql, some)


@dataclass(frozen=True, slots=True)
class _Sql:
    """Expressions of one dialect: hexadecimal digest of a row, its bucket, and the sums."""

    digest: str
    bucket: str
    key_sum: str
    content_sum: str


_HASH = {
    "postgresql": "encode(sha256(convert_to({text}, 'UTF8')), 'hex')",
    "mysql": "SHA2({text}, 256)",
}
_SUM = {
    "postgresql": "mod(coalesce(sum(mod(('x' || substr({hash}, 1, 16))::bit(64)::bigint::numeric"
    " + 18446744073709551616, 18446744073709551616)), 0), 18446744073709551616)::text",
    "mysql": "CAST(MOD(COALESCE(SUM(CAST(CONV(LEFT({hash}, 16), 16, 10) AS DECIMAL(20))), 0),"
    " 18446744073709551616) AS CHAR)",
}
_JOINED = {
    "postgresql": "concat_ws(chr(31), {texts})",
    "mysql": "CONCAT_WS(CHAR(31 USING utf8mb4), {texts})",
}
_ID = {"postgresql": "{name}::text", "mysql": "CAST({name} AS CHAR CHARACTER SET utf8mb4)"}


def _sql(connection: Connection, described: ExchangeTable) -> _Sql | None:
    name = connection.dialect.name
    family = "mysql" if name == "mariadb" else name
    texts = column_texts(described, name)
    if texts is None or family not in _HASH:
        return None
    row = _HASH[family].format(text=_JOINED[family].format(texts=", ".join(texts)))
    row_id = _ID[family].format(name=described.control.row_id)
    key = _HASH[family].format(text=row_id)
    return _Sql(
        digest=f"substr({row}, 1, 16)",
        bucket=f"substr({key}, 1, {PREFIX})",
        key_sum=_SUM[family].format(hash=key),
        content_sum=_SUM[family].format(hash=row),
    )


def _digests(
    connection: Connection, part: Slice, sql: _Sql, which: ColumnElement[bool]
) -> Iterator[tuple[str, str]]:
    row_id = part.table.c[part.described.control.row_id]
    asked = select(row_id, literal_column(sql.digest)).where(*part.where, which)
    yield from ((str(found), str(digest)) for found, digest in _streamed(connection, asked))


def _read(
    connection: Connection, part: Slice, *which: ColumnElement[bool]
) -> Iterator[tuple[str, str]]:
    described = part.described
    names = dict.fromkeys((described.control.row_id, *digest_columns(described)))
    asked = select(*(part.table.c[name] for name in names)).where(*part.where, *which)
    for row in _streamed(connection, asked):
        told = dict(zip(names, row, strict=True))
        yield str(told[described.control.row_id]), row_digest(told, described)


def _streamed(
    connection: Connection, asked: Select[tuple[object, ...]]
) -> Iterable[Sequence[object]]:
    return connection.execute(asked, execution_options={"yield_per": ROWS_AT_ONCE})
