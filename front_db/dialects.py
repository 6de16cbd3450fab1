"""What differs between the databases that partners use, as data.

Speaks to  SQLite, PostgreSQL, MariaDB, MySQL; KingbaseES, openGauss, 达梦, Oracle, SQL Server
           (`front_db.vendors`); any other dialect that SQLAlchemy knows is taken with the most
           cautious of these
Careful    *text_unit*: where lengths are bytes, a Chinese character takes three or four of them
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, Dialect, and_, make_url, or_, tuple_
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from front_db.vendors import SCRIPTS
from schemas.errors import Misconfigured

__all__ = ["DIALECTS", "Product", "among", "family_of", "product_named", "spoken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """
    One kind of database.

    *driver*: SQLAlchemy's name with the driver; *family*: whose protocol and SQL it speaks; *comments*: where
    a column's comment stands; *empty_is_null*: it keeps '' as NULL, or may, by its mode; *checks_length*: it
    refuses what is too long; *collation*: compares texts character by character; blanks at the end
    still do not count there, so a key may not end with one; *tuples*: ``(a, b) IN (…)`` is known.
    """

    name: str
    driver: str
    comments: Literal["inline", "statement", "text"]
    family: str = ""
    text_unit: Literal["character", "byte", "utf-16"] = "character"
    empty_is_null: bool = False
    checks_length: bool = True
    collation: str | None = None
    tuples: bool = True


DIALECTS: Mapping[str, Product] = {
    each.name: each
    for each in (
        Product(name="sqlite", driver="sqlite", comments="text", checks_length=False),
        Product(name="postgresql", driver="postgresql+psycopg", comments="statement"),
        Product(
            name="mariadb",
            driver="mariadb+pymysql",
            comments="inline",
            collation="utf8mb4_bin",
        ),
        Product(name="mysql", driver="mysql+pymysql", comments="inline", collation="utf8mb4_bin"),
        Product(
            name="kingbase",
            driver="kingbase+ksycopg2",
            family="postgresql",
            comments="statement",
            empty_is_null=True,
        ),
        Product(
            name="opengauss",
            driver="opengauss+psycopg2",
            family="postgresql",
            comments="statement",
            empty_is_null=True,
        ),
        Product(
            name="dm",
            driver="dm+dmPython",
            comments="statement",
            text_unit="byte",
            empty_is_null=True,
            checks_length=False,
            tuples=False,
        ),
        Product(name="oracle", driver="oracle+oracledb", comments="statement", empty_is_null=True),
        Product(
            name="mssql",
            driver="mssql+pymssql",
            comments="statement",
            text_unit="utf-16",
            checks_length=False,
            tuples=False,
        ),
    )
}


def product_named(name: str) -> Product:
    """The database of this name; one that is not listed here is taken cautiously."""
    return DIALECTS.get(name) or Product(
        name=name, driver=name, comments="statement", text_unit="byte", empty_is_null=True
    )


def family_of(name: str) -> str:
    """
    Whose SQL the database of this name speaks.

    >>> family_of("kingbase"), family_of("mysql"), family_of("dm")
    ('postgresql', 'mysql', 'dm')
    """
    return product_named(name).family or name


def among(
    dialect: str, columns: Sequence[ColumnElement[Any]], rows: Sequence[Sequence[object]]
) -> ColumnElement[bool]:
    """Whether *columns* together are one of *rows*, as a database of that name can be asked."""
    if product_named(dialect).tuples:
        return tuple_(*columns).in_([tuple(row) for row in rows])
    return or_(
        *(and_(*(each == value for each, value in zip(columns, row, strict=True))) for row in rows)
    )


def spoken(name: str) -> Dialect:
    """SQLAlchemy's dialect of that name, to compile text by. Raises `Misconfigured` where it is not
    installed."""
    if own := SCRIPTS.get(name):
        return cast("type[DefaultDialect]", own)(paramstyle="named")
    try:
        made = make_url(f"{product_named(name).driver}://").get_dialect()
        # A driver's own style of parameters would have every "%" doubled in a text that no driver sees.
        # All dialects there are derive from this one; SQLAlchemy's types tell less.
        return cast("type[DefaultDialect]", made)(paramstyle="named")
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise Misconfigured(
            "front-db.dialect", "This database's dialect is not installed", dialect=name[:32]
        ) from error
