"""The databases that partners use: each test that asks for `url` runs on all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from front_db.binlog import BinlogReader
from front_db.database import Limits, make_engine
from hub.store import Store
from shuniu.service_list import MIGRATIONS
from tests.front_db.binlog_partner import BinlogPartner, fresh_partner
from tests.records import shape
from tests.servers.keeper import Facts, shared


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
    """See `fresh_partner`. Tests that change the server itself: mark them
    ``@pytest.mark.xdist_group("mariadb_log")``."""
    with fresh_partner(_mariadb_log) as partner:
        yield partner


@pytest.fixture(name="fresh_binlog")
def _fresh_binlog(logged_partner: BinlogPartner, records: Store) -> Callable[[], BinlogReader]:
    """A reader as a process that has just started makes it."""
    return lambda: logged_partner.reader(records)
