"""From the description of an exchange table to SQLAlchemy's, and to DDL in a database's dialect.

Speaks to  SQLite, PostgreSQL, MariaDB and MySQL; any other dialect that SQLAlchemy knows
Careful    a check on allowed codes is named ``ck_<table>_<column>``: the name is how a refusal of
           the database leads back to the column (`front_db.troubles`)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    DateTime,
    Dialect,
    Index,
    MetaData,
    Numeric,
    String,
    Table,
    UniqueConstraint,
    column,
    make_url,
)
from sqlalchemy import Column as SqlColumn
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.types import TypeEngine

from front_db.contract import Column, Control, ExchangeTable, Keeps, Kind
from schemas.errors import Misconfigured

__all__ = ["check_name", "ddl_text", "sql_table"]

DECIMAL_DIGITS = 18
DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "mariadb": "mariadb+pymysql",
    "mysql": "mysql+pymysql",
}


def sql_table(table: ExchangeTable, metadata: MetaData) -> Table:
    """The table as SQLAlchemy sees it: control columns first, then the content."""
    columns = [*_control(table.control), *(_content(each) for each in table.columns)]
    checks = [
        CheckConstraint(column(each.name).in_(each.codes), name=check_name(table.name, each.name))
        for each in table.columns
        if each.codes
    ]
    made = Table(
        table.name,
        metadata,
        *columns,
        *checks,
        comment=table.title or None,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
    )
    if table.keeps is Keeps.LATEST:
        key = (made.c[name] for name in table.business_key)
        made.append_constraint(UniqueConstraint(*key, name=f"uq_{table.name}_key"))
    if table.control.state:
        Index(f"ix_{table.name}_state", made.c[table.control.state])
    return made


def ddl_text(table: ExchangeTable, dialect: str) -> str:
    """The statements that create *table* in *dialect* (``sqlite``, ``postgresql``, ``mariadb`` …).

    Raises `Misconfigured` where SQLAlchemy has no such dialect here.
    """
    spoken = _dialect(dialect)
    made = sql_table(table, MetaData())
    statements: Sequence[CreateTable | CreateIndex] = [
        CreateTable(made),
        *(CreateIndex(index) for index in _indexes(made)),
    ]
    texts = (str(statement.compile(dialect=spoken)).strip() for statement in statements)
    return "".join(f"{text};\n" for text in texts)


def _indexes(table: Table) -> list[Index]:
    """In order of name, so that the same description gives the same text."""
    return sorted(table.indexes, key=lambda index: str(index.name))


def check_name(table: str, column_name: str) -> str:
    """The name of the constraint that holds a column to its allowed codes."""
    return f"ck_{table}_{column_name}"


def _dialect(name: str) -> Dialect:
    try:
        return make_url(f"{DRIVERS.get(name, name)}://").get_dialect()()
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise Misconfigured(
            "front-db.dialect", "This database's dialect is not installed", dialect=name[:32]
        ) from error


def _control(control: Control) -> list[SqlColumn[Any]]:
    made: list[SqlColumn[Any]] = [
        SqlColumn(control.row_id, String(control.row_id_length), primary_key=True)
    ]
    if control.batch:
        made.append(SqlColumn(control.batch, String(control.batch_length)))
    if control.operation:
        made.append(SqlColumn(control.operation, String(2), nullable=False))
    if control.written_at:
        kind: TypeEngine[Any] = String(32) if control.written_at_format else DateTime()
        made.append(SqlColumn(control.written_at, kind, nullable=False))
    if control.source:
        made.append(SqlColumn(control.source, String(max(3, len(control.source_value)))))
    if control.version:
        made.append(SqlColumn(control.version, BigInteger, nullable=False))
    if control.state:
        made.append(SqlColumn(control.state, String(2), nullable=False))
    if control.error:
        made.append(SqlColumn(control.error, String(control.error_length)))
    return made


def _content(described: Column) -> SqlColumn[Any]:
    return SqlColumn(
        described.name,
        _type(described),
        nullable=not described.needed,
        comment=described.title or None,
    )


def _type(described: Column) -> TypeEngine[Any]:
    kinds: dict[Kind, TypeEngine[Any]] = {
        Kind.TEXT: String(described.length),
        Kind.WHOLE: BigInteger(),
        Kind.DECIMAL: Numeric(DECIMAL_DIGITS, described.places),
        Kind.DATE: Date(),
        Kind.MOMENT: DateTime(),
    }
    return kinds[described.kind]
