"""A grant by way of a database: a view with what is granted, an account that sees nothing else.

Standard   R-A6, R-C8; RFC 5802 and RFC 7677 (the password's verifier in PostgreSQL; MySQL's: `shuniu.mysql_verifier`)
Form       view ``shared_2026_000001``, account ``shuniu_g2026_000001``, both told from the grant's number; over
           the standard exchange table of the resource. `granting` may be run again: after a new secret
           it changes the account
Speaks to  PostgreSQL, MariaDB, MySQL from 8.0.17 on
Promises   the view shows nothing from the moment the grant ends, by the database's own clock, whether or
           not anybody runs `ending`; a script holds no secret, only what a secret is checked by
Not here   what is granted of a list or group, which is JSON in one column: `shuniu.granted_parts`
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, MetaData, inspect, literal_column, select, text

from catalog.lifecycle.items import covered, reduced
from catalog.lifecycle.kept import ACTIVE, Grant
from catalog.model import Catalogue, Resource
from front_db.contract import ExchangeTable
from front_db.ddl import sql_table
from front_db.derived import column_name, in_table, out_table
from front_db.dialects import spoken
from front_db.states import STANDARD_CODES, RowState
from schemas.errors import Misconfigured
from shuniu.granted_parts import granted_part
from shuniu.mysql_verifier import mysql_verifier

__all__ = ["WAYS", "Over", "account_name", "bring_in_line", "ending", "granting", "view_name"]

WAYS = frozenset({"database", "front-database"})
CONTROL = ("x_op", "x_ver", "x_time")
ITERATIONS, SALT_BYTES, SESSIONS = 4096, 16, 10
_VIEW = re.compile(r"shared_(\d{4})_(\d{6})")


class Over(StrEnum):
    """Which of the resource's tables the view is over."""

    OUT = "out"  # its provider's, of which the rows count that the hub has taken
    IN = "in"  # one that the hub fills


_SHOWN = {
    Over.OUT: (RowState.TAKEN, RowState.DELIVERED),
    Over.IN: (RowState.NEW, RowState.TAKEN, RowState.DELIVERED, RowState.HELD),
}


def view_name(number: str) -> str:
    return f"shared_{number[1:].replace('-', '_')}"


def account_name(number: str) -> str:
    return f"shuniu_{number.lower().replace('-', '_')}"


def granting(
    grant: Grant,
    resource: Resource,
    catalogue: Catalogue,
    *,
    secret: str,
    dialect: str,
    over: Over = Over.OUT,
) -> list[str]:
    """The statements that give the grantee what is granted. Raises `Misconfigured` for a database
    that has no accounts, or none that we know."""
    account, view = account_name(grant.number), view_name(grant.number)
    select_text = _select(grant, resource, catalogue, dialect, over)
    if dialect == "postgresql":
        return _postgresql(account, view, select_text, _scram(secret), grant.ends)
    return _mysql(account, view, select_text, _identified(dialect, secret))


def ending(number: str, dialect: str) -> list[str]:
    """The statements that take it away again; to be run as often as one likes."""
    account, view = account_name(number), view_name(number)
    if dialect == "postgresql":
        gone = (
            f"REVOKE ALL ON SCHEMA %I FROM {account}",
            f"DROP ROLE {account}",
        )
        work = f"EXECUTE format('{gone[0]}', current_schema()); {gone[1]};"
        return [f"DROP VIEW IF EXISTS {view}", _if_role(account, work, there=True)]
    _known(dialect)
    return [f"DROP VIEW IF EXISTS {view}", f"DROP USER IF EXISTS '{account}'@'%'"]


def bring_in_line(
    connection: Connection,
    grants: Sequence[tuple[Grant, str]],
    catalogue: Catalogue,
    *,
    at: datetime,
    over: Over = Over.OUT,
) -> tuple[list[str], list[str]]:
    """
    Make the database of *connection* as *grants*, with their secrets, say; returns the numbers of
    those that were granted there, and of those that were ended.

    Only grants whose resource has its table there are of this database's concern; what is of no grant that
    is in force goes.
    """
    dialect = connection.dialect.name
    dialect = "mariadb" if getattr(connection.dialect, "is_mariadb", False) else dialect
    seen = inspect(connection)
    tables, views = set(seen.get_table_names()), set(seen.get_view_names())
    made: list[str] = []
    for grant, secret in grants:
        resource = catalogue.resources.get(grant.resource)
        if grant.state != ACTIVE or grant.ends <= at or grant.way not in WAYS or not resource:
            continue
        if _table(resource, catalogue, over).name in tables:
            said = granting(grant, resource, catalogue, secret=secret, dialect=dialect, over=over)
            _run(connection, said)
            made.append(grant.number)
    theirs = {view_name(number) for number in made}
    ended = [
        f"G{found[1]}-{found[2]}"
        for view in sorted(views - theirs)
        if (found := _VIEW.fullmatch(view))
    ]
    for number in ended:
        _run(connection, ending(number, dialect))
    return made, ended


def _run(connection: Connection, statements: Sequence[str]) -> None:
    for each in statements:
        # Without parameters, so that no driver reads a sign of one in a name or verifier.
        connection.execution_options(no_parameters=True).exec_driver_sql(each)


def _table(resource: Resource, catalogue: Catalogue, over: Over) -> ExchangeTable:
    return (in_table if over is Over.IN else out_table)(resource, catalogue)


def _select(
    grant: Grant, resource: Resource, catalogue: Catalogue, dialect: str, over: Over
) -> str:
    _known(dialect)
    table = _table(reduced(resource, grant.items), catalogue, over)
    made = sql_table(table, MetaData())
    columns = {each.name for each in table.columns}
    shown: list[ColumnElement[object]] = [made.c[name] for name in CONTROL]
    for item in resource.items:
        name = column_name(item.wire_name)
        if covered(item.wire_name, grant.items) and name in columns:
            shown.append(made.c[name])
        elif item.items and (
            part := granted_part(item, grant.items, f"{made.name}.{name}", dialect)
        ):
            shown.append(literal_column(part).label(name))
    states = [STANDARD_CODES[state] for state in _SHOWN[over]]
    query = select(*shown).where(made.c.x_state.in_(states), text(_before(grant.ends, dialect)))
    tongue = spoken(dialect)
    return str(query.compile(dialect=tongue, compile_kwargs={"literal_binds": True}))


def _before(ends: datetime, dialect: str) -> str:
    until = f"{ends.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    if dialect == "postgresql":
        return f"CURRENT_TIMESTAMP < TIMESTAMP WITH TIME ZONE '{until}+00'"
    return f"UTC_TIMESTAMP() < '{until}'"


def _known(dialect: str) -> None:
    if dialect not in {"postgresql", "mariadb", "mysql"}:
        raise Misconfigured("share.dialect", "Nothing is known of its accounts", dialect=dialect)


def _postgresql(account: str, view: str, query: str, verifier: str, ends: datetime) -> list[str]:
    until = f"{ends.astimezone(UTC):%Y-%m-%d %H:%M:%S}+00"
    limits = f"VALID UNTIL '{until}' CONNECTION LIMIT {SESSIONS}"
    usage = f"format('GRANT USAGE ON SCHEMA %I TO {account}', current_schema())"
    return [
        _if_role(account, f"CREATE ROLE {account} LOGIN;", there=False),
        f"ALTER ROLE {account} LOGIN PASSWORD '{verifier}' {limits}",
        # A barrier: else a function of the account's own could look at rows before they are left out.
        f"CREATE OR REPLACE VIEW {view} WITH (security_barrier) AS\n{query}",
        f"REVOKE ALL ON {view} FROM PUBLIC",
        f"GRANT SELECT ON {view} TO {account}",
        f"DO $$ BEGIN EXECUTE {usage}; END $$",
    ]


def _if_role(account: str, work: str, *, there: bool) -> str:
    asked = "EXISTS" if there else "NOT EXISTS"
    return (
        f"DO $$ BEGIN IF {asked} (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{account}') "
        f"THEN {work} END IF; END $$"
    )


def _mysql(account: str, view: str, query: str, identified: str) -> list[str]:
    return [
        f"CREATE USER IF NOT EXISTS '{account}'@'%' {identified}",
        f"ALTER USER '{account}'@'%' {identified}",
        f"CREATE OR REPLACE SQL SECURITY DEFINER VIEW {view} AS\n{query}",
        f"GRANT SELECT ON {view} TO '{account}'@'%'",
    ]


def _identified(dialect: str, secret: str) -> str:
    if dialect == "mysql":
        return f"IDENTIFIED WITH caching_sha2_password AS {mysql_verifier(secret)}"
    # MariaDB's own form; of 256 random bits no digest is guessed, however quick it is.
    once = hashlib.sha1(secret.encode(), usedforsecurity=False).digest()
    return (
        f"IDENTIFIED BY PASSWORD '*{hashlib.sha1(once, usedforsecurity=False).hexdigest().upper()}'"
    )


def _scram(secret: str) -> str:
    """What PostgreSQL keeps of a password, so that it need not be told the password."""
    salt = os.urandom(SALT_BYTES)
    salted = hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    told = [b64encode(each).decode() for each in (salt, stored, server)]
    return f"SCRAM-SHA-256${ITERATIONS}:{told[0]}${told[1]}:{told[2]}"
