"""What a database says when it refuses, in the three kinds of `schemas.errors`. The one place.

Speaks to  PostgreSQL and its like by SQLSTATE, MariaDB and MySQL by error number, SQLite by message; the
           others: `front_db.vendor_troubles`
Careful    a database's own message is never passed on: it may quote the row. Only names of columns
           that we know ourselves leave this module
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    NoSuchModuleError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from front_db.contract import ExchangeTable
from front_db.ddl import check_name
from front_db.vendor_troubles import number_of, vendor_kind
from schemas.errors import HubError, Misconfigured, Rejected, Transient

__all__ = ["blames_a_row", "is_taken", "translated", "trouble"]

Kinds = Mapping[str, str]

# PostgreSQL: SQLSTATE or its class.
STATES: Kinds = {
    "08": "down", "57P": "down", "53": "busy", "55P03": "locked", "57014": "timeout",
    "40": "locked", "23505": "taken", "23503": "parent", "23": "refused", "22": "refused", "42501": "denied",
    "28": "denied", "3D": "denied", "42P01": "no-table", "42703": "no-column", "25006": "denied",
    "XX": "gibberish",
}  # fmt: skip
# MariaDB and MySQL: error number.
NUMBERS: Kinds = {
    "1205": "locked", "1213": "locked", "1969": "timeout", "3024": "timeout", "1317": "timeout",
    "1040": "busy", "1203": "busy", "1226": "busy", "1021": "busy", "1114": "busy",
    "1044": "denied", "1045": "denied", "1142": "denied", "1143": "denied", "1049": "denied",
    "1227": "denied", "1290": "denied", "1698": "denied",
    "1146": "no-table", "1054": "no-column",
    "1062": "taken", "1586": "taken",
    "1048": "refused", "1364": "refused", "1406": "refused", "1264": "refused", "1265": "refused",
    "1292": "refused", "1366": "refused", "4025": "refused", "3819": "refused",
    "1216": "parent", "1217": "parent", "1451": "parent", "1452": "parent",
}  # fmt: skip
# SQLite, and what libpq says before there is a SQLSTATE (it passes none on while connecting).
SENTENCES: Kinds = {
    "no such table": "no-table", "has no column named": "no-column", "no such column": "no-column",
    "is locked": "locked", "unable to open": "down", "readonly database": "denied",
    "not a database": "gibberish", "malformed": "gibberish", "is full": "busy",
    "disk I/O": "down", "UNIQUE constraint": "taken", "FOREIGN KEY": "parent", "constraint failed": "refused",
    "datatype mismatch": "refused", "authentication failed": "denied", "no password": "denied",
    "pg_hba.conf": "denied", "does not exist": "denied", "too many clients": "busy",
    "starting up": "down", "timeout expired": "timeout", "timed out": "timeout",
    "sends": "gibberish", "Packet sequence": "gibberish", "protocol": "gibberish",
}  # fmt: skip
TRANSIENTS: Kinds = {
    "down": "The database does not answer",
    "busy": "The database has no room now",
    "locked": "Somebody else holds the table or the row",
    "timeout": "The database did not answer in time",
    "gibberish": "Not the answers of a database",
    # The row it refers to may be on its way: tried again, then parked.
    "parent": "A row that this one refers to is not there, or one that refers to it still is",
    # Tried again, then parked: dropping it, or stopping the route, would take us at our ignorance.
    "unclear": "The database refuses for a reason that we do not know",
}
PROFILES: Kinds = {
    "denied": "The database refuses this account",
    "no-table": "The agreed table is not there",
    "no-column": "The table lacks an agreed column",
}
_COLUMN = re.compile(r"(?:[Cc]olumn|failed:)\s+[`'\"]?(?:[\w`]+\.)*`?(\w+)")


@contextmanager
def translated(table: ExchangeTable | None = None) -> Iterator[None]:
    """Raise what SQLAlchemy and the drivers raise as one of our kinds. *table*: the one asked."""
    try:
        yield
    except (PoolTimeout, DisconnectionError) as error:
        raise Transient("target.busy", "No connection to the database is free") from error
    except (ArgumentError, NoSuchModuleError) as error:
        raise Misconfigured("front-db.url", "Not the address of a database") from error
    except StatementError as error:
        # `from None`: the driver's words, and SQLAlchemy's parameters, hold the citizen.
        raise trouble(error, table) from None


def trouble(error: StatementError, table: ExchangeTable | None = None) -> HubError:
    """The error of ours that *error* stands for."""
    kind = _kind(error)
    name = table.name if table else None
    if said := TRANSIENTS.get(kind):
        return Transient(f"target.{kind}", said, table=name, said=_number(error))
    if said := PROFILES.get(kind):
        return Misconfigured(f"target.{kind}", said, table=name, said=_number(error))
    column = _column(error, table)
    return Rejected(
        "target.refused",
        "The database refuses the row",
        at=f"/{column}" if column else "",
        column=column,
        table=name,
    )


def blames_a_row(error: StatementError) -> bool:
    """Whether a single row is at fault, so that the others of its batch can still be written."""
    return _kind(error) in ("refused", "taken", "parent")


def is_taken(error: StatementError) -> bool:
    """Whether a unique key was there already."""
    return _kind(error) == "taken"


def _kind(error: StatementError) -> str:
    cause = error.orig
    if not isinstance(error, DBAPIError):
        return "refused"  # a value that the driver's type cannot take
    if cause and (kind := vendor_kind(cause)):
        return kind
    first = cause.args[0] if cause and cause.args else ""
    if isinstance(first, int):
        # From 2000 on, and 0, it is the client's own: refused, broken, lost, half an answer.
        return NUMBERS.get(str(first), "down" if first >= 2000 or first == 0 else "unclear")
    # After the number: PyMySQL has a state too, and there it says less.
    if state := _state(cause):
        return next((STATES[state[:n]] for n in (5, 3, 2) if state[:n] in STATES), "unclear")
    said = str(first)
    found = next((kind for words, kind in SENTENCES.items() if words in said), None)
    return found or ("unclear" if isinstance(cause, sqlite3.Error) else "down")


def _state(cause: BaseException | None) -> str | None:
    """SQLSTATE; psycopg2 and its forks call it otherwise."""
    return getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)


def _number(error: StatementError) -> str | None:
    """The database's own number or state for it: all of its words that may be shown."""
    cause = error.orig
    if state := _state(cause) or getattr(cause, "sqlite_errorname", None):
        return str(state)
    if cause and (number := number_of(cause)) is not None:
        return str(number)
    first = cause.args[0] if cause and cause.args else None
    return str(first) if isinstance(first, int) else None


def _column(error: StatementError, table: ExchangeTable | None) -> str | None:
    """The column of *table* that the database points at, if it says so."""
    if table is None:
        return None
    diagnosis = getattr(error.orig, "diag", None)
    said = " ".join(
        str(part)
        for part in (
            getattr(diagnosis, "column_name", None),
            getattr(diagnosis, "constraint_name", None),
            *(error.orig.args if error.orig else ()),
        )
        if part
    )
    names = [column.name for column in table.columns]
    words = {word.strip("`'") for word in said.split()}  # MariaDB's quotes, and MySQL's
    for name in names:
        if check_name(table.name, name) in words:
            return name
    if diagnosis is not None and diagnosis.column_name in names:
        return str(diagnosis.column_name)
    found = _COLUMN.search(said)
    return found[1] if found and found[1] in names else None
