"""The tax bureau's front-end tables, as its own administrator created them. Invented: no bureau's are known.

Form       registration of taxpayers (``swj_nsrxx``), and their monthly amounts in 万元, with the sum of the
           year (``swj_qyss``). No states, no stamps: both are loaded anew every night
Not here   what a row means to the hub: ``sites/front-ends/systems/tax-bureau.yaml``
"""

from __future__ import annotations

from sqlalchemy import Column, Date, MetaData, Numeric, String, Table

__all__ = ["AMOUNTS", "TAXPAYERS", "metadata"]

metadata = MetaData()
TAXPAYERS = Table(
    "swj_nsrxx",
    metadata,
    Column("nsrsbh", String(18), primary_key=True),
    Column("nsrmc", String(100), nullable=False),
    Column("nsrzt", String(2), nullable=False),
    Column("hydm", String(5)),
    Column("djrq", Date(), nullable=False),
    Column("zgjg", String(100), nullable=False),
    Column("xzqh", String(6), nullable=False),
    comment="纳税人登记信息",
    mysql_engine="InnoDB",
    mysql_charset="utf8mb4",
    mysql_collate="utf8mb4_bin",
    mariadb_engine="InnoDB",
    mariadb_charset="utf8mb4",
    mariadb_collate="utf8mb4_bin",
)
AMOUNTS = Table(
    "swj_qyss",
    metadata,
    Column("nsrsbh", String(18), primary_key=True),
    Column("ssq", String(6), primary_key=True),
    Column("nsrmc", String(100), nullable=False),
    Column("hydm", String(5)),
    Column("ysxse", Numeric(18, 2), nullable=False),
    Column("zzs", Numeric(18, 2), nullable=False),
    Column("qysds", Numeric(18, 2), nullable=False),
    Column("rkse", Numeric(18, 2), nullable=False),
    Column("bnlj", Numeric(38, 6), nullable=False),
    Column("sfl", Numeric(20, 18)),
    Column("zgjg", String(100), nullable=False),
    Column("xzqh", String(6), nullable=False),
    comment="企业各月税收",
    mysql_engine="InnoDB",
    mysql_charset="utf8mb4",
    mysql_collate="utf8mb4_bin",
    mariadb_engine="InnoDB",
    mariadb_charset="utf8mb4",
    mariadb_collate="utf8mb4_bin",
)
