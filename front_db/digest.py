"""Digests of rows, the same in Python and in a partner's own SQL: for batch headers and statements.

Standard   SHA-256 (GB/T 18238.3), because PostgreSQL, MariaDB and MySQL have it built in and SM3 not
Form       a row's text is operation, key, version and content joined by U+001F, in the order of the
           table: an empty column and NULL are alike, blanks at the end are cut, decimals have the
           scale of their column, times are ``YYYY-MM-DD hh:mm:ss``. Its digest is the first 64 bits
           of its hash, as 16 hexadecimal digits; that of many rows is their sum modulo 2**64, as a
           decimal: in no order, so that each database may add up as it likes
Careful    texts are compared as they are: é in one character and in two are two values
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Context, Decimal, InvalidOperation
from hashlib import sha256

from front_db.contract import Column, ExchangeTable, Kind
from front_db.dialects import family_of

__all__ = [
    "column_texts",
    "digest_columns",
    "digest_sql",
    "row_digest",
    "row_texts",
    "sum_of",
    "sum_sql",
]

SEPARATOR = "\x1f"
MODULUS = 2**64
HEX_DIGITS = 16
EXACT = Context(prec=76)  # a column has up to 38 digits, more than Python rounds by itself
NO_HASH = {"opengauss"}  # of an older line of PostgreSQL, without sha256()


def digest_columns(table: ExchangeTable) -> tuple[str, ...]:
    """The columns that a row's digest covers, in order."""
    control = table.control
    ruled = (control.operation, control.key, control.version)
    return (*(name for name in ruled if name), *(column.name for column in table.columns))


def row_digest(row: Mapping[str, object], table: ExchangeTable) -> str:
    """The digest of one row; *row* as the driver or `front_db.rows` gives it."""
    texts = row_texts(row, table).values()
    return sha256(SEPARATOR.join(texts).encode()).hexdigest()[:HEX_DIGITS]


def row_texts(row: Mapping[str, object], table: ExchangeTable) -> dict[str, str]:
    """The text of each column that is digested, in order."""
    columns = {column.name: column for column in table.columns}
    return {name: _text(row.get(name), columns.get(name)) for name in digest_columns(table)}


def sum_of(digests: Iterable[str]) -> str:
    """The digest of many rows; of none it is 0."""
    return str(sum(int(each, 16) for each in digests) % MODULUS)


def column_texts(table: ExchangeTable, dialect: str) -> tuple[str, ...] | None:
    """Each digested column of *table* as the text that is hashed, in SQL of *dialect*; None as in
    `sum_sql`. Only names that the contract has checked, and constants of ours."""
    parts = _PARTS.get(dialect)
    if parts is None:
        return None
    return tuple(_sql_text(name, table, parts) for name in digest_columns(table))


def digest_sql(table: ExchangeTable, dialect: str) -> tuple[str, str] | None:
    """
    Two expressions over a row's columns in the database's own SQL: the digest of a row, and the sum
    over many. None where its database has no hash of its own (SQLite).
    """
    parts = _PARTS.get(dialect)
    if parts is None:
        return None
    texts = _texts(table, parts)
    return parts["digest"].format(texts=texts), parts["sum"].format(texts=texts)


def sum_sql(table: ExchangeTable, dialect: str, where: str = "") -> str | None:
    """
    A SELECT that a partner can run: number of rows and their digest. None where its database has no
    hash of its own (SQLite).

    *where*: a condition on the table, in SQL of ours.
    """
    parts = _PARTS.get(dialect if dialect in NO_HASH else family_of(dialect))
    if parts is None:
        return None
    texts = _texts(table, parts)
    condition = f" WHERE {where}" if where else ""
    # Only names that the contract has checked, and constants of ours.
    summed = parts["sum"].format(texts=texts)
    return f"SELECT COUNT(*) AS row_count, {summed} AS row_digest FROM {table.name}{condition}"  # noqa: S608 - names checked by the contract


_BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "postgresql": {
        "separator": "chr(31)",
        "text": "coalesce(rtrim({name}), '')",
        "whole": "coalesce({name}::text, '')",
        "decimal": "coalesce(round({name}, {places})::text, '')",
        "date": "coalesce(to_char({name}, 'YYYY-MM-DD'), '')",
        "moment": "coalesce(to_char({name}, 'YYYY-MM-DD HH24:MI:SS'), '')",
        "digest": "substr(encode(sha256(convert_to(concat({texts}), 'UTF8')), 'hex'), 1, 16)",
        "sum": "mod(coalesce(sum(mod(('x' || substr(encode(sha256(convert_to(concat({texts}),"
        " 'UTF8')), 'hex'), 1, 16))::bit(64)::bigint::numeric + 18446744073709551616,"
        " 18446744073709551616)), 0), 18446744073709551616)::text",
    },
    "mysql": {
        "separator": "CHAR(31 USING utf8mb4)",
        "text": "COALESCE(RTRIM({name}), '')",
        "whole": "COALESCE(CAST({name} AS CHAR), '')",
        "decimal": "COALESCE(CAST(CAST({name} AS DECIMAL(38, {places})) AS CHAR), '')",
        "date": "COALESCE(DATE_FORMAT({name}, '%Y-%m-%d'), '')",
        "moment": "COALESCE(DATE_FORMAT({name}, '%Y-%m-%d %H:%i:%s'), '')",
        "digest": "LEFT(SHA2(CONCAT({texts}), 256), 16)",
        "sum": "CAST(MOD(COALESCE(SUM(CAST(CONV(LEFT(SHA2(CONCAT({texts}), 256), 16), 16, 10)"
        " AS DECIMAL(20))), 0), 18446744073709551616) AS CHAR)",
    },
}
_PARTS = {**_BUILT_IN, "mariadb": _BUILT_IN["mysql"]}
_FORMS = {
    Kind.WHOLE: "whole",
    Kind.FLAG: "whole",
    Kind.DECIMAL: "decimal",
    Kind.DATE: "date",
    Kind.MOMENT: "moment",
}


def _texts(table: ExchangeTable, parts: Mapping[str, str]) -> str:
    return f", {parts['separator']}, ".join(
        _sql_text(name, table, parts) for name in digest_columns(table)
    )


def _sql_text(name: str, table: ExchangeTable, parts: Mapping[str, str]) -> str:
    column = table.column(name)
    form = _FORMS.get(column.kind, "text") if column else "text"
    if name == table.control.version:
        form = "whole"
    return parts[form].format(name=name, places=column.places if column else 0)


def _text(value: object, column: Column | None) -> str:
    match value:
        case None:
            return ""
        case datetime() if column and column.kind is Kind.DATE:
            return value.date().isoformat()
        case datetime():
            return value.replace(microsecond=0, tzinfo=None).isoformat(" ")
        case date():
            return value.isoformat()
        case bool():
            return str(int(value))
        case _:
            return _told(str(value), column)


def _told(text: str, column: Column | None) -> str:
    if column is None:
        return text.rstrip(" ")
    if column.kind is Kind.DECIMAL:
        return _scaled(text, column.places)
    if column.kind is Kind.MOMENT:
        # SQLite keeps times as text, with a fraction.
        return text.partition(".")[0].replace("T", " ")
    return text.rstrip(" ")


def _scaled(text: str, places: int) -> str:
    try:
        number = EXACT.quantize(Decimal(text), Decimal(1).scaleb(-places))
        return format(number or abs(number), "f")  # no database has a zero below zero
    except InvalidOperation:
        return text
