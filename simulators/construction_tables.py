"""The construction approval platform's front-end tables, as its own administrator created them.

Form       in-tables are written by the hub (``clzt``: 0 new, 1 taken); out-tables by the platform
           (``jhzt``: 0 new, 1 taken by the hub, 9 refused); all times are text ``yyyyMMddHHmmss``
Not here   what a row means to the hub: ``sites/reference/systems/construction-approval.yaml``
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Column, Double, Index, Integer, MetaData, String, Table

__all__ = ["APPLICATIONS", "PROGRESS", "REPLIES", "RESULTS", "cases", "due", "metadata"]

metadata = MetaData()
STAMP = 14


def _text(name: str, length: int, *, needed: bool = False) -> Column[Any]:
    return Column(name, String(length), nullable=not needed)


def _whole(name: str, *, needed: bool = False) -> Column[Any]:
    return Column(name, Integer, nullable=not needed)


def _in_table(name: str, *columns: Column[Any], title: str) -> Table:
    table = Table(
        name,
        metadata,
        Column("jhbh", String(50), primary_key=True),
        _text("jhpc", 64),
        _text("czlx", 2, needed=True),
        _text("jhsj", STAMP, needed=True),
        _text("clzt", 2, needed=True),
        _text("cwyy", 500),
        *columns,
        comment=title,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    Index(f"ix_{name}_clzt", table.c.clzt)
    return table


def _out_table(name: str, row_id: str, *columns: Column[Any], title: str) -> Table:
    table = Table(
        name,
        metadata,
        Column(row_id, String(50), primary_key=True),
        _whole("bbh", needed=True),
        _text("czlx", 2, needed=True),
        _text("gxsj", STAMP, needed=True),
        _text("jhzt", 2, needed=True),
        _text("cwyy", 500),
        *columns,
        comment=title,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    Index(f"ix_{name}_jhzt", table.c.jhzt)
    return table


APPLICATIONS = _in_table(
    "gcjs_sp_sqb",
    _text("sxbh", 50, needed=True),
    _text("sqbh", 50, needed=True),
    _text("sxdm", 12, needed=True),
    _text("ssbm", 31, needed=True),
    _text("sxmc", 200, needed=True),
    _text("blms", 2, needed=True),
    _text("bjlx", 2, needed=True),
    _text("sqrmc", 100, needed=True),
    _text("sqrlx", 2, needed=True),
    _text("zjlx", 3, needed=True),
    _text("zjhm", 50, needed=True),
    _text("tyshxydm", 18),
    _text("fddbr", 30),
    _text("lxdh", 18, needed=True),
    _text("xmmc", 100, needed=True),
    _text("jsdd", 400, needed=True),
    _text("xzqh", 6, needed=True),
    _text("sqsj", STAMP, needed=True),
    _whole("cnsx", needed=True),
    _text("cnsxdw", 2, needed=True),
    _whole("fdsx", needed=True),
    _text("fdsxdw", 2, needed=True),
    _text("bljgmc", 100, needed=True),
    _text("lqfs", 2, needed=True),
    _text("sjr", 30),
    _text("sjdz", 100),
    title="审批事项申请表",
)
REPLIES = _in_table(
    "gcjs_sp_bzb",
    _text("sxbh", 50, needed=True),
    _whole("bzxh", needed=True),
    _text("hfsj", STAMP, needed=True),
    _text("hfnr", 1000),
    title="补正回复表",
)
PROGRESS = _out_table(
    "gcjs_sp_jdb",
    "jdid",
    _text("sxbh", 50, needed=True),
    _text("sxdm", 12, needed=True),
    _text("jdlx", 2, needed=True),
    _whole("xh", needed=True),
    _text("mc", 100),
    _text("lx", 2),
    _text("zt", 2),
    _text("jg", 2),
    _text("jbr", 30),
    _text("dwmc", 100),
    _text("dwdm", 18),
    _text("kssj", STAMP),
    _text("jssj", STAMP),
    _text("yj", 1000),
    _text("jlsm", 1000),
    _text("wsh", 30),
    _whole("ts"),
    _text("ydh", 50),
    _text("cyr", 100),
    _text("xzqh", 6, needed=True),
    title="审批进度表",
)
RESULTS = _out_table(
    "gcjs_sp_jgb",
    "jgid",
    _text("sxbh", 50, needed=True),
    _text("jg", 2, needed=True),
    _text("bjsj", STAMP, needed=True),
    _text("jbr", 30),
    _text("sm", 1000),
    _text("sfyj", 1, needed=True),
    _text("sfsf", 1, needed=True),
    _text("zzbs", 100),
    _text("zzlxdm", 21),
    _text("zzmc", 200),
    _text("zzbh", 50),
    _text("czr", 100),
    _text("czrlx", 3),
    _text("czrdm", 50),
    _text("fzjg", 100),
    _text("fzjgdm", 18),
    _text("fzrq", 8),
    _text("yxqz", 8),
    _text("wjzy", 64),
    _text("xzqh", 6, needed=True),
    title="审批结果表",
)

# The platform's own business: the cases it has taken, and what it will do about them.
cases = Table(
    "gc_case",
    metadata,
    Column("sxbh", String(50), primary_key=True),
    mysql_engine="InnoDB",
)
due = Table(
    "gc_due",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("sxbh", String(50), nullable=False),
    Column("place", Integer, nullable=False),  # order within its case
    Column("at", Double, nullable=True),  # seconds since 1970; none: it waits for the reply
    Column("delay_s", Double, nullable=False),
    Column("table_name", String(50), nullable=False),
    Column("row_id", String(50), nullable=False),
    Column("content", JSON, nullable=False),
    mysql_engine="InnoDB",
    mysql_charset="utf8mb4",
)
Index("ix_gc_due_at", due.c.at)
