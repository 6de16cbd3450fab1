"""A MariaDB, or MySQL, whose binary log we read, as its administrator has it."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pymysql
from sqlalchemy import MetaData, make_url

from front_db.beside import beside
from front_db.binlog import BinlogReader
from front_db.books import Book
from front_db.contract import Column, ExchangeTable, Kind
from front_db.database import Database, Limits, make_engine
from front_db.ddl import sql_table
from front_db.modes import BinlogMode
from front_db.origin import Origin
from front_db.selfcheck import Check, Checked, self_check
from hub.store import Store
from tests.servers.keeper import Facts
from tests.servers.mysqld import administered

__all__ = ["DESCRIBED", "ROWS", "BinlogPartner", "fresh_partner"]

_numbers = itertools.count(1)

ROWS = (
    "INSERT INTO qyss (tyshxydm, qymc)"
    " WITH RECURSIVE n (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < {})"
    " SELECT CONCAT('k', seq), 'v' FROM n"
)

DESCRIBED = ExchangeTable(
    name="qyss",
    columns=(
        Column(name="tyshxydm", length=18),
        Column(name="qymc", length=200),
        Column(name="zczb", kind=Kind.DECIMAL, digits=18, places=2),
        Column(name="clrq", kind=Kind.DATE),
        Column(name="gxsj", kind=Kind.MOMENT),
        Column(name="bz", kind=Kind.LONG),
    ),
    business_key=("tyshxydm",),
)
MADE = """
CREATE TABLE qyss (inside int, tyshxydm varchar(18) COLLATE utf8mb4_bin PRIMARY KEY, qymc varchar(200),
 zczb decimal(18,2), clrq date, gxsj timestamp NULL, bz longtext) ENGINE=InnoDB;
CREATE TABLE beside (id int) ENGINE={beside}
"""


@dataclass
class BinlogPartner:
    """*url*: the hub's account; *admin*: the administrator's."""

    url: str
    admin: str
    databases: list[Database] = field(default_factory=list)

    def __post_init__(self) -> None:
        # With GTIDs MySQL lets no table without transactions take part in one.
        only = self.setting("enforce_gtid_consistency") == "ON"
        for each in MADE.format(beside="InnoDB" if only else "MyISAM").split(";"):
            self.run(each)

    @property
    def name(self) -> str:
        return str(make_url(self.url).database)

    def connect(self, **more: Any) -> pymysql.Connection[Any]:
        url = make_url(self.admin)
        told: dict[str, Any] = {
            "host": url.host,
            "port": url.port,
            "user": url.username,
            "password": url.password,
            "database": url.database,
            "ssl_disabled": True,  # making ready for it takes longer than all else
        }
        made: pymysql.Connection[Any] = pymysql.connect(
            **told, charset="utf8mb4", **{"autocommit": True, **more}
        )
        return made

    def run(self, statement: str, *values: object) -> list[Any]:
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall())

    def setting(self, name: str) -> str | None:
        """None: this server has no such setting."""
        found = self.run("SHOW GLOBAL VARIABLES WHERE Variable_name = %s", name)
        return str(found[0][1]) if found else None

    def begin_anew(self) -> None:
        """A log of the same name, from its first file on."""
        mysql = self.setting("gtid_mode") is not None
        self.run("RESET BINARY LOGS AND GTIDS" if mysql else "RESET MASTER")

    def purge(self) -> None:
        """All files of the log but the newest; one that somebody reads, or that InnoDB needs, stays a moment."""
        self.run("FLUSH BINARY LOGS")
        deadline = time.monotonic() + 20
        while len(files := self.run("SHOW BINARY LOGS")) > 1:
            assert time.monotonic() < deadline, "the log is not purged"
            self.run(f"PURGE BINARY LOGS TO '{files[-1][0]}'")

    def cut(self) -> None:
        """End the lines by which the hub reads the log."""
        asked = "SELECT id FROM information_schema.processlist WHERE command = 'Binlog Dump' AND user = %s"
        for (line,) in self.run(asked, self.name):
            self.run("KILL %s", line)

    def rows(self) -> dict[str, Any]:
        return {row[0]: row[1] for row in self.run("SELECT tyshxydm, qymc FROM qyss")}

    def reader(
        self,
        records: Store,
        described: ExchangeTable = DESCRIBED,
        limits: Limits | None = None,
        **mode: Any,
    ) -> BinlogReader:
        """As a process that has just started makes it."""

        def now() -> datetime:
            return datetime.now(UTC)

        database = Database(self.url, limits or Limits())
        database.open()
        self.databases.append(database)
        origin = Origin(
            database=database,
            described=described,
            table=sql_table(described, MetaData()),
            book=Book(records, "tax", described.name, "binlog", now),
            page_rows=3,
            now=now,
        )
        return BinlogReader(origin, BinlogMode(**{"settle_s": 0, **mode}))

    def checked(self) -> list[Check]:
        """What the self-check says of the log, by the hub's account."""
        engine = make_engine(self.url, Limits())
        metadata = MetaData()
        table = Checked(
            DESCRIBED, sql_table(DESCRIBED, metadata), written=False, marked=False, logged=True
        )
        try:
            with engine.begin() as connection:
                at = datetime.now(UTC).replace(tzinfo=None)
                found = self_check(connection, [table], beside(metadata), at)
        finally:
            engine.dispose()
        return [each for each in found if each.item == f"{DESCRIBED.name}.binlog"]

    def close(self) -> None:
        for each in self.databases:
            each.close()


@contextmanager
def fresh_partner(facts: Facts) -> Iterator[BinlogPartner]:
    """A fresh database on the server of *facts*, with an account of the hub's that may do no more than it needs."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    server = f"{facts['host']}:{facts['port']}"
    admin = f"mysql+pymysql://{facts['user']}:{facts['password']}@{server}"
    with administered(facts) as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        cursor.execute(f"CREATE USER {name}@'127.0.0.1' IDENTIFIED BY %s", (facts["password"],))
        cursor.execute(f"GRANT SELECT ON {name}.* TO {name}@'127.0.0.1'")
        cursor.execute(f"GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO {name}@'127.0.0.1'")
        own = f"mysql+pymysql://{name}:{facts['password']}@{server}/{name}?charset=utf8mb4"
        partner = BinlogPartner(own, f"{admin}/{name}")
        yield partner
        partner.close()
        cursor.execute(f"DROP DATABASE {name}")
        cursor.execute(f"DROP USER {name}@'127.0.0.1'")
