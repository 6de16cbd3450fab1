"""The statistics bureau's front-end table, as its own administrator created it. Invented: no bureau's is known.

Form       ``tj_gyqy``: a row for each industrial unit and month of the set of tables that all units report
           (一套表); a revision changes the row, counts it up (``xdcs``) and stamps it (``gxsj``), by the
           clock of the machine that wrote it. Amounts in 万元
Not here   what a row means to the hub: ``sites/front-ends/systems/statistics-bureau.yaml``
"""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Index, Integer, MetaData, Numeric, String, Table

__all__ = ["REPORTS", "metadata"]

metadata = MetaData()
REPORTS = Table(
    "tj_gyqy",
    metadata,
    Column("tyshxydm", String(18), primary_key=True),
    Column("bgq", String(6), primary_key=True),
    Column("dwmc", String(100), nullable=False),
    Column("hydm", String(5), nullable=False),
    Column("gyzcz", Numeric(18, 2), nullable=False),
    Column("xscz", Numeric(18, 2)),
    Column("yysr", Numeric(18, 2), nullable=False),
    Column("lrze", Numeric(18, 2), nullable=False),
    Column("cyrs", Integer),
    Column("ydl", Numeric(18, 2)),
    Column("zhnh", Numeric(30, 10)),
    Column("xzqh", String(6), nullable=False),
    Column("xdcs", Integer, nullable=False),
    Column("gxsj", DateTime()),
    comment="工业企业一套表",
    mysql_engine="InnoDB",
    mysql_charset="utf8mb4",
    mysql_collate="utf8mb4_bin",
    mariadb_engine="InnoDB",
    mariadb_charset="utf8mb4",
    mariadb_collate="utf8mb4_bin",
)
Index("ix_tj_gyqy_gxsj", REPORTS.c.gxsj)
