"""The databases that partners use: each test that asks for `url` runs on all of them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pymysql
import pytest
from sqlalchemy import Engine

from front_db.binlog import BinlogReader
from front_db.database import Limits, make_engine
from hub.store import Store
from shuniu.service_list import MIGRATIONS
from tests.front_db.binlog_partner import BinlogPartner
from tests.records import shape
from tests.servers.keeper import Facts, shared

_numbers = itertools.count(1)


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def url(request: pytest.FixtureRequest) -> str:
    """The address of a fresh database."""
    address: str = request.getfixturevalue(f"{request.param}_url")
    return address


@pytest.fixture
def partner(url: str) -> Iterator[Engine]:
    """The partner's own line to its database."""
    engine = make_engine(url, Limits())
    yield engine
    engine.dispose()


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Store]:
    """The hub's own records, embedded and whole."""
    store = Store(f"sqlite:///{tmp_path}/hub.db")
    shape(store, MIGRATIONS)
    yield store
    store.close()


@pytest.fixture(scope="session")
def _mariadb_log(servers_root: Path) -> Facts:
    return shared("mariadb_log", servers_root)


@pytest.fixture
def logged_partner(_mariadb_log: Facts) -> Iterator[BinlogPartner]:
    """
    A fresh database on a MariaDB with a binary log, with an account of the hub's that may do no more than it needs.

    Tests that change the server itself: mark them ``@pytest.mark.xdist_group("mariadb_log")``.
    """
    facts, name = _mariadb_log, f"test_{os.getpid()}_{next(_numbers)}"
    server = f"{facts['host']}:{facts['port']}"
    admin = f"mysql+pymysql://{facts['user']}:{facts['password']}@{server}"
    with (
        pymysql.connect(
            host=facts["host"],
            port=int(facts["port"]),
            user=facts["user"],
            password=facts["password"],
            autocommit=True,
        ) as line,
        line.cursor() as cursor,
    ):
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


@pytest.fixture(name="fresh_binlog")
def _fresh_binlog(logged_partner: BinlogPartner, records: Store) -> Callable[[], BinlogReader]:
    """A reader as a process that has just started makes it."""
    return lambda: logged_partner.reader(records)
