"""From the description of an exchange table to SQLAlchemy's, and to DDL in a database's dialect.

Speaks to  SQLite, PostgreSQL, MariaDB and MySQL; any other dialect that SQLAlchemy knows
Form       `script` is what a partner's administrator is given: the tables of the standard contract
           with the tables beside them, every column with its comment in Chinese
Careful    a check on allowed codes is named ``ck_<table>_<column>``: the name is how a refusal of
           the database leads back to the column (`front_db.troubles`). A standard table has no such
           checks: a wrong row must fit into it, so that it can be answered
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    DateTime,
    Dialect,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    and_,
    column,
    or_,
    text,
)
from sqlalchemy import Column as SqlColumn
from sqlalchemy.dialects.mysql import LONGTEXT
from sqlalchemy.schema import (
    CreateIndex,
    CreateTable,
    DropTable,
    ExecutableDDLElement,
    SetColumnComment,
    SetTableComment,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeEngine

from front_db.beside import NO_BATCH, beside, table_options
from front_db.contract import Column, Control, ExchangeTable, Keeps, Kind
from front_db.dialects import product_named, spoken
from front_db.states import STANDARD_CODES, RowState

__all__ = ["check_name", "ddl_text", "drop_script", "script", "sql_table"]

TITLES = {
    "row_id": "行号",
    "batch": "批次号；不成批时为 -",
    "operation": "操作：I新增 U修改 D删除",
    "key": "业务主键",
    "version": "版本号：同一业务主键每次变更必须增大，删除后重新启用也不例外",
    "written_at": "写入时间（北京时间）",
    "source": "来源",
    "corrects": "更正：被本行代替的已驳回行的行号",
    "digest": "本行摘要（可空），算法见说明",
    "state": "状态",
    "code": "原因代码（读取方填写）",
    "error": "原因说明（读取方填写）",
    "handled_at": "处理时间（读取方填写）",
    "handled_version": "已处理的版本号（读取方填写）",
    "told": "已取走的回执状态（枢纽填写）",
}
STATE_TITLE = "状态：0待交换 1已接收 2已送达 3已驳回 4挂起 5已撤回 6已被取代 9编制中"


class _Exact(TypeDecorator[Decimal]):
    """A decimal as text: SQLite would keep it as a float."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, _: Dialect) -> str | None:
        return None if value is None else format(value, "f")

    def process_result_value(self, value: object, _: Dialect) -> Decimal | None:
        return None if value is None else Decimal(str(value))


def sql_table(table: ExchangeTable, metadata: MetaData) -> Table:
    """The table as SQLAlchemy sees it: control columns first, then the content."""
    columns = [
        *_control(table.control),
        *(_content(each, table) for each in table.columns),
    ]
    checks = [
        CheckConstraint(column(each.name).in_(each.codes), name=check_name(table.name, each.name))
        for each in table.columns
        if each.codes and not table.standard
    ]
    options = table_options()
    if not table.standard:
        # A partner's own; how it compares texts is its business.
        options = {name: value for name, value in options.items() if "collate" not in name}
    made = Table(
        table.name,
        metadata,
        *columns,
        *checks,
        comment=table.title or None,
        # Else the id of a row that was purged is given to the next one.
        sqlite_autoincrement=table.control.counted,
        **options,
    )
    if table.keeps is Keeps.LATEST:
        key = (made.c[name] for name in table.key_columns)
        made.append_constraint(UniqueConstraint(*key, name=f"uq_{table.name}_key"))
    _index(table, made)
    return made


def _index(table: ExchangeTable, made: Table) -> None:
    control = table.control
    if not control.state:
        return
    state = made.c[control.state]
    if not table.standard:
        Index(f"ix_{table.name}_state", state)
        return
    # Only what waits: a million rows that are done cost the index nothing.
    waits = state.in_([control.word(each) for each in WAITING])
    Index(
        f"ix_{table.name}_wait",
        state,
        made.c[control.row_id],
        postgresql_where=waits,
        sqlite_where=waits,
    )
    if table.keeps is Keeps.EVERY:
        key = (made.c[name] for name in table.key_columns)
        Index(f"ix_{table.name}_key", *key, made.c[str(control.version)])
    if control.told:
        told = made.c[control.told]
        Index(
            f"ix_{table.name}_told",
            state,
            told,
            postgresql_where=_tells(table, made),
            sqlite_where=_tells(table, made),
        )
    if control.batch:
        Index(f"ix_{table.name}_batch", made.c[control.batch])


def _tells(table: ExchangeTable, made: Table) -> ColumnElement[bool]:
    """The reader has come to an end with it, and we have not seen it yet."""
    words = [table.control.word(each) for each in (RowState.DELIVERED, RowState.REFUSED)]
    state, told = made.c[str(table.control.state)], made.c[str(table.control.told)]
    return and_(state.in_(words), or_(told.is_(None), told != state))


WAITING = (RowState.NEW, RowState.REFUSED, RowState.HELD)


def ddl_text(table: ExchangeTable, dialect: str) -> str:
    """The statements that create *table* in *dialect* (``sqlite``, ``postgresql``, ``mariadb`` …).

    Raises `Misconfigured` where SQLAlchemy has no such dialect here.
    """
    return _text_of([sql_table(table, MetaData())], dialect)


def script(tables: Sequence[ExchangeTable], dialect: str, *, alone: bool = False) -> str:
    """
    The statements that create *tables* of the standard contract and what stands beside them.

    *alone*: without the latter, which are there already in a database with other exchange tables.
    """
    metadata = MetaData()
    made = [sql_table(each, metadata) for each in tables]
    return _text_of([*(() if alone else beside(metadata).all), *made], dialect)


def drop_script(tables: Sequence[ExchangeTable], dialect: str) -> str:
    """The statements that take away *tables*, and nothing else; what is beside them stays."""
    metadata, tongue = MetaData(), spoken(dialect)
    made = [sql_table(each, metadata) for each in tables]
    return "".join(f"{str(DropTable(each).compile(dialect=tongue)).strip()};\n" for each in made)


def _text_of(tables: Sequence[Table], dialect: str) -> str:
    tongue, comments = spoken(dialect), product_named(dialect).comments
    said: list[str] = []
    for table in tables:
        if comments == "text":
            said += [f"-- {table.name} {table.comment or ''}".rstrip() + "\n"]
            said += [f"--   {each.name}: {each.comment}\n" for each in table.c if each.comment]
        statements: list[ExecutableDDLElement] = [CreateTable(table)]
        statements += [CreateIndex(index) for index in _indexes(table)]
        if comments == "statement":
            statements += [SetTableComment(table)] if table.comment else []
            statements += [SetColumnComment(each) for each in table.c if each.comment]
        said += [f"{str(each.compile(dialect=tongue)).strip()};\n" for each in statements]
    return "".join(said)


def _indexes(table: Table) -> list[Index]:
    """In order of name, so that the same description gives the same text."""
    return sorted(table.indexes, key=lambda index: str(index.name))


def check_name(table: str, column_name: str) -> str:
    """The name of the constraint that holds a column to its allowed codes."""
    return f"ck_{table}_{column_name}"


def _control(control: Control) -> list[SqlColumn[Any]]:
    made: list[SqlColumn[Any]] = [_row_id(control)] if control.row_id else []
    if control.batch:
        given = text(f"'{NO_BATCH}'") if control.counted else None
        made.append(_ruled("batch", control.batch, String(control.batch_length), default=given))
    if control.operation:
        made.append(_ruled("operation", control.operation, String(2), needed=True))
    if control.key:
        made.append(_ruled("key", control.key, String(control.key_length), needed=True))
    if control.version:
        made.append(_ruled("version", control.version, BigInteger(), needed=True))
    if control.written_at:
        kind: TypeEngine[Any] = String(32) if control.written_at_format else DateTime()
        made.append(_ruled("written_at", control.written_at, kind, needed=True))
    if control.source:
        made.append(_ruled("source", control.source, String(max(3, len(control.source_value)))))
    if control.corrects:
        made.append(_ruled("corrects", control.corrects, BigInteger()))
    if control.digest:
        made.append(_ruled("digest", control.digest, String(20)))
    return made + _ours(control)


def _row_id(control: Control) -> SqlColumn[Any]:
    if not control.counted:
        return SqlColumn(
            control.row_id,
            String(control.row_id_length),
            primary_key=True,
            comment=TITLES["row_id"],
        )
    return SqlColumn(
        control.row_id,
        # SQLite counts up only what it calls INTEGER; there that has 64 bits too.
        BigInteger().with_variant(Integer, "sqlite"),
        Identity(),
        primary_key=True,
        comment=TITLES["row_id"],
    )


def _ours(control: Control) -> list[SqlColumn[Any]]:
    """What the reader fills in."""
    made: list[SqlColumn[Any]] = []
    if control.state:
        standard = dict(control.states) == dict(STANDARD_CODES)
        given = text(f"'{control.word(RowState.NEW)}'") if standard else None
        title = STATE_TITLE if standard else TITLES["state"]
        made.append(
            SqlColumn(control.state, String(2), nullable=False, server_default=given, comment=title)
        )
    if control.code:
        made.append(_ruled("code", control.code, String(64)))
    if control.error:
        made.append(_ruled("error", control.error, String(control.error_length)))
    if control.handled_at:
        made.append(_ruled("handled_at", control.handled_at, DateTime()))
    if control.handled_version:
        made.append(_ruled("handled_version", control.handled_version, BigInteger()))
    if control.told:
        made.append(_ruled("told", control.told, String(2)))
    return made


def _ruled(
    rule: str, name: str, kind: TypeEngine[Any], *, needed: bool = False, default: Any = None
) -> SqlColumn[Any]:
    return SqlColumn(name, kind, nullable=not needed, server_default=default, comment=TITLES[rule])


def _content(described: Column, table: ExchangeTable) -> SqlColumn[Any]:
    said, free = described.title, table.standard
    if free:
        said = "；".join(
            part
            for part in (
                described.title,
                "必填" if described.needed else "",
                f"示例：{described.example}" if described.example else "",
            )
            if part
        )
    return SqlColumn(
        described.name,
        _type(described),
        # A partner's own table without a row id of ours is known by its business key.
        primary_key=not table.control.row_id and described.name in table.business_key,
        nullable=free or not (described.needed or described.name in table.business_key),
        comment=said or None,
    )


def _type(described: Column) -> TypeEngine[Any]:
    kinds: dict[Kind, TypeEngine[Any]] = {
        Kind.TEXT: String(described.length),
        Kind.WHOLE: BigInteger(),
        Kind.DECIMAL: Numeric(described.digits, described.places).with_variant(_Exact(), "sqlite"),
        Kind.DATE: Date(),
        Kind.MOMENT: DateTime(),
        Kind.FLAG: SmallInteger(),
        Kind.LONG: Text().with_variant(LONGTEXT(), "mysql").with_variant(LONGTEXT(), "mariadb"),
    }
    return kinds[described.kind]
