"""Exchange tables of the bench: a source with as many rows of 30 columns as asked, and an empty target.

Form       both are standard tables made from the bench's resource; the source's rows are the hub's own
           bodies, of about 1 KB, under business keys of their own
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

import psycopg
from psycopg import sql
from sqlalchemy import MetaData, Table

from bench.places import Place
from bench.records import BODIES, taken
from bench.site import RESOURCE, bench_plan
from front_db.beside import Beside, beside
from front_db.contract import ExchangeTable, Keeps
from front_db.ddl import script, sql_table
from front_db.derived import column_name, in_table, out_table
from hub.convert import convert
from schemas.message import Json

__all__ = ["AT", "Tables", "emptied", "front_databases", "tables"]

AT = "2026-03-02 09:00:00"
ROW_KB = 1.0
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Tables:
    """The two tables as they are described, and as SQLAlchemy sees them."""

    out: ExchangeTable
    into: ExchangeTable
    out_sql: Table
    in_sql: Table
    beside: Beside


def tables() -> Tables:
    plan = bench_plan()
    resource, catalogue = plan.resources[RESOURCE], plan.declarations.catalogue
    out, into = out_table(resource, catalogue), in_table(resource, catalogue, keeps=Keeps.LATEST)
    metadata = MetaData()
    return Tables(out, into, sql_table(out, metadata), sql_table(into, metadata), beside(metadata))


@contextmanager
def front_databases(place: Place, rows: int) -> Iterator[tuple[str, str]]:
    """Addresses (libpq's) of a source with *rows* rows and of an empty target."""
    names = [f"front_{os.getpid()}_{next(_numbers)}" for _ in range(2)]
    at = f"postgresql://{place.postgres}"
    with psycopg.connect(f"{at}/postgres", autocommit=True) as admin:
        for name in names:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            source, target = (f"{at}/{name}" for name in names)
            _fill(source, rows)
            with psycopg.connect(target, autocommit=True) as connection:
                _run(connection, script([tables().into], "postgresql"))
            yield source, target
        finally:
            for name in names:
                drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
                admin.execute(drop.format(sql.Identifier(name)))


def emptied(source: str, target: str) -> None:
    """As `front_databases` left them: the target empty, no row of the source marked."""
    out, into = (sql.Identifier(each.name) for each in (tables().out, tables().into))
    with psycopg.connect(target, autocommit=True) as connection:
        connection.execute(sql.SQL("TRUNCATE {}").format(into))
        connection.execute("DROP SCHEMA IF EXISTS peer CASCADE")
        connection.execute("DROP SCHEMA IF EXISTS peer_staging CASCADE")
        connection.execute("CHECKPOINT")
    with psycopg.connect(source, autocommit=True) as connection:
        marked = "UPDATE {} SET x_state = '0', x_done_ver = NULL WHERE x_state <> '0'"
        if connection.execute(sql.SQL(marked).format(out)).rowcount:
            connection.execute(sql.SQL("VACUUM ANALYZE {}").format(out))


def _run(connection: psycopg.Connection, statements: str) -> None:
    for each in statements.split(";\n"):
        lines = [line for line in each.splitlines() if not line.startswith("--")]
        if said := "\n".join(lines).strip():
            connection.execute(said.encode())


def _fill(source: str, rows: int) -> None:
    """By the database itself, from as many different bodies as the other benches send."""
    out = tables().out
    names = [each.name for each in out.columns]
    listed = sql.SQL(", ").join(map(sql.Identifier, names))
    with psycopg.connect(source, autocommit=True) as connection:
        _run(connection, script([out], "postgresql"))
        connection.execute(
            sql.SQL(
                "CREATE TEMP TABLE body AS SELECT 0 AS body_no, {} FROM {} WITH NO DATA"
            ).format(listed, sql.Identifier(out.name))
        )
        with connection.cursor() as cursor, cursor.copy("COPY body FROM STDIN") as copy:
            for n in range(BODIES):
                copy.write_row([n, *_values(n, names)])
        given = [
            sql.SQL("'P' || n") if name == "case_no" else sql.Identifier(name) for name in names
        ]
        connection.execute(
            sql.SQL(
                "INSERT INTO {} (x_op, x_key, x_ver, x_time, {}) SELECT 'I', 'P' || n, 1, {}, {}"
                " FROM generate_series(1, {}) AS n JOIN body ON body_no = n % {}"
            ).format(
                sql.Identifier(out.name),
                listed,
                sql.Literal(AT),
                sql.SQL(", ").join(given),
                sql.Literal(rows),
                sql.Literal(BODIES),
            )
        )
        connection.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(out.name)))


def _values(n: int, names: list[str]) -> list[Json]:
    body = convert(taken(n, ROW_KB), bench_plan()).messages[0].body
    given = {
        column_name(name): int(value) if isinstance(value, bool) else value
        for name, value in body.items()
    }
    return [given.get(name) for name in names]
