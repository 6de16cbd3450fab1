"""SQLAlchemy's dialects for the vendors' databases: what their scripts say otherwise than its own.

Speaks to  KingbaseES and openGauss (PostgreSQL's protocol), 达梦 DM8, Oracle 12.2 and later, SQL Server
           2016 and later. None of them runs in the tests: the guide says what was run and what parsed
Form       scripts are compiled without any driver; to a database of theirs go SQLAlchemy's own dialect
           (Oracle, SQL Server), the vendor's (openGauss, 达梦), or for KingbaseES the one here:
           ``kingbase+ksycopg2://``
Units      a column's length is in characters of whatever size: where a database counts bytes it gets four
           for each, where it counts UTF-16 units two; what is longer than its longest text is its
           large one
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar

from sqlalchemy import Dialect, Identity, Table
from sqlalchemy import types as sql
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.mssql.base import MSDialect, MSTypeCompiler
from sqlalchemy.dialects.oracle.base import OracleDDLCompiler, OracleDialect, OracleTypeCompiler
from sqlalchemy.dialects.postgresql.base import PGDialect, PGTypeCompiler
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2

__all__ = ["SCRIPTS", "KingbaseKsycopg2", "KingbasePsycopg"]

BYTES, UNITS = 4, 2
ORACLE_BYTES = 4000
DM_BYTES = 3900  # of a page of 8 KiB, which is what most are made with
SQL_SERVER_UNITS = 4000
BY_CHARACTER = "Latin1_General_100_BIN2"
DM_ROW = " STORAGE(USING LONG ROW)"  # else a row may not be longer than half a page


class _KingbaseTypes(PGTypeCompiler):
    def visit_VARCHAR(self, type_: sql.String, **kw: Any) -> str:
        # Without the unit it depends on the server's settings.
        return (
            f"VARCHAR({type_.length} CHAR)" if type_.length else super().visit_VARCHAR(type_, **kw)
        )


class _OpenGaussTypes(PGTypeCompiler):
    def visit_VARCHAR(self, type_: sql.String, **kw: Any) -> str:
        # VARCHAR counts bytes unless the database was made compatible with PostgreSQL.
        return f"NVARCHAR2({type_.length})" if type_.length else super().visit_VARCHAR(type_, **kw)


class _OracleTypes(OracleTypeCompiler):
    def visit_string(self, type_: sql.String, **kw: Any) -> str:
        if (type_.length or 0) * BYTES > ORACLE_BYTES:
            return "CLOB"
        return f"VARCHAR2({type_.length} CHAR)"


class _DmTypes(OracleTypeCompiler):
    def visit_string(self, type_: sql.String, **kw: Any) -> str:
        length = (type_.length or DM_BYTES) * BYTES
        return f"VARCHAR({length})" if length <= DM_BYTES else "CLOB"

    def visit_big_integer(self, type_: Any, **kw: Any) -> str:
        return "BIGINT"

    def visit_small_integer(self, type_: Any, **kw: Any) -> str:
        return "SMALLINT"

    def visit_datetime(self, type_: Any, **kw: Any) -> str:
        # DATE has no time of day there.
        return "TIMESTAMP(0)"


class _DmStatements(OracleDDLCompiler):
    def visit_identity_column(self, identity: Identity, **kw: Any) -> str:
        return "IDENTITY(1, 1)"

    def post_create_table(self, table: Table) -> str:
        return DM_ROW


class _SqlServerTypes(MSTypeCompiler):
    def visit_VARCHAR(self, type_: sql.String, **kw: Any) -> str:
        # VARCHAR holds what the server's code page has; most servers take "a" and "A" for one key.
        length = (type_.length or SQL_SERVER_UNITS) * UNITS
        return f"NVARCHAR({length if length <= SQL_SERVER_UNITS else 'max'}) COLLATE {BY_CHARACTER}"

    def visit_text(self, type_: Any, **kw: Any) -> str:
        return f"NVARCHAR(max) COLLATE {BY_CHARACTER}"

    def visit_datetime(self, type_: Any, **kw: Any) -> str:
        # DATETIME rounds to three hundredths of a second.
        return "DATETIME2(0)"


class _KingbaseScript(PGDialect):
    name = "kingbase"
    type_compiler_cls = _KingbaseTypes


class _OpenGaussScript(PGDialect):
    name = "opengauss"
    supports_identity_columns = False  # it is of PostgreSQL 9.2's line: BIGSERIAL
    type_compiler_cls = _OpenGaussTypes


class _OracleScript(OracleDialect):
    type_compiler_cls = _OracleTypes


class _DmScript(OracleDialect):
    name = "dm"
    type_compiler_cls = _DmTypes
    ddl_compiler = _DmStatements


class _SqlServerScript(MSDialect):
    type_compiler_cls = _SqlServerTypes
    server_version_info: Any = (13,)
    default_schema_name = "dbo"


SCRIPTS: dict[str, type[Dialect]] = {
    "kingbase": _KingbaseScript,
    "opengauss": _OpenGaussScript,
    "oracle": _OracleScript,
    "dm": _DmScript,
    "mssql": _SqlServerScript,
}


class KingbaseKsycopg2(PGDialect_psycopg2):
    """By the vendor's own driver, a fork of psycopg2 (extra ``kingbase``)."""

    name = "kingbase"
    driver = "ksycopg2"
    supports_statement_cache = True
    type_compiler_cls: ClassVar[Any] = _KingbaseTypes

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        return import_module("ksycopg2")

    def _get_server_version_info(self, connection: Any) -> tuple[int, ...]:
        return KINGBASE_AS


class KingbasePsycopg(PGDialect_psycopg):
    """By PostgreSQL's own driver, where the server lets it in."""

    name = "kingbase"
    supports_statement_cache = True
    type_compiler_cls: ClassVar[Any] = _KingbaseTypes

    def _get_server_version_info(self, connection: Any) -> tuple[int, ...]:
        return KINGBASE_AS


# "KingbaseES V008R006" says nothing of it: it is of PostgreSQL 12's line.
KINGBASE_AS = (12,)
registry.register("kingbase", __name__, "KingbaseKsycopg2")
registry.register("kingbase.ksycopg2", __name__, "KingbaseKsycopg2")
registry.register("kingbase.psycopg", __name__, "KingbasePsycopg")
