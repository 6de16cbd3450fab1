"""What all tests share: real servers, private to the session, fresh for each test.

Nothing starts unless a test asks for it. Servers are shared by the workers of one session and end
with it (`tests.servers.keeper`); what a test gets of them is its own and removed after it.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql

from shuniu.node import PrivateNode
from tests.servers.keeper import Facts, shared
from tests.servers.loopback import guard
from tests.servers.mysqld import administered
from tests.servers.rabbitmq import VirtualHosts

guard()
# How long an example takes is the machine's affair.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")
_numbers = itertools.count(1)


def _fresh_name() -> str:
    return f"test_{os.getpid()}_{next(_numbers)}"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A run that is cut off has named at once what failed in it."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ and sys.__stderr__:
        sys.__stderr__.write(f"\nfailed: {report.nodeid} ({report.when})\n")


@pytest.fixture(scope="session")
def servers_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which this session's workers find each other's servers."""
    base = tmp_path_factory.getbasetemp()
    # With xdist each worker's folder lies in the session's.
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "servers"


@pytest.fixture(scope="session")
def virtual_hosts(servers_root: Path) -> Iterator[VirtualHosts]:
    """A line to the session's broker: make, cut and remove virtual hosts."""
    facts = shared("rabbitmq", servers_root)
    with VirtualHosts(Path(facts["folder"])) as hosts:
        yield hosts


@pytest.fixture
def amqp_url(virtual_hosts: VirtualHosts) -> Iterator[str]:
    """The address of a fresh virtual host on the session's RabbitMQ."""
    url = virtual_hosts.add()
    yield url
    virtual_hosts.delete(url)


@dataclass(frozen=True, slots=True)
class BrokerNode:
    """A RabbitMQ that a test may maltreat: shared by the tests of one worker, never by workers."""

    node: PrivateNode
    hosts: VirtualHosts
    url: str  # a fresh virtual host

    def cut(self) -> None:
        """Close all connections to the virtual host, from the broker's side."""
        self.hosts.cut(self.url)

    async def stop(self) -> None:
        """Stop the broker in order, as a maintenance does; the address refuses connections."""
        await self.node.control("stop_app")

    async def start(self) -> None:
        """Start it again after `stop`."""
        await self.node.control("start_app")
        await self.node.control("await_startup")


@pytest.fixture(scope="session")
def _own_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateNode]:
    node = PrivateNode(tmp_path_factory.mktemp("broker") / "node")
    node.start_now()
    yield node
    node.stop_now()


@pytest.fixture
def broker_node(_own_node: PrivateNode) -> Iterator[BrokerNode]:
    """
    A broker of this worker's own, to be cut, stopped and started, with a fresh virtual host.

    Starting one takes seconds: mark the tests ``@pytest.mark.xdist_group("broker_node")``, so that
    one worker runs them all.
    """
    with VirtualHosts(_own_node.folder) as hosts:
        url = hosts.add()
        yield BrokerNode(_own_node, hosts, url)
    # On a line of its own: the test's ends with a node that is killed.
    with VirtualHosts(_own_node.folder) as hosts:
        hosts.delete(url)


@pytest.fixture(scope="session")
def _postgres(servers_root: Path) -> Facts:
    return shared("postgresql", servers_root)


@contextmanager
def fresh_postgres(facts: Facts) -> Iterator[str]:
    """The address of a fresh database on the server of *facts*."""
    name = _fresh_name()
    at = f"{facts['user']}:{facts['password']}@{facts['host']}:{facts['port']}"
    with psycopg.connect(f"postgresql://{at}/postgres", autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield f"postgresql+psycopg://{at}/{name}"
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def postgres_url(_postgres: Facts) -> Iterator[str]:
    """The address of a fresh PostgreSQL database, for SQLAlchemy with psycopg."""
    with fresh_postgres(_postgres) as url:
        yield url


@pytest.fixture(scope="session")
def _mariadb(servers_root: Path) -> Facts:
    return shared("mariadb", servers_root)


@pytest.fixture
def mariadb_url(_mariadb: Facts) -> Iterator[str]:
    """The address of a fresh MariaDB database, for SQLAlchemy with PyMySQL."""
    name, facts = _fresh_name(), _mariadb
    with administered(facts) as cursor:
        # A name of our own making: letters, digits and underscores.
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        at = f"{facts['user']}:{facts['password']}@{facts['host']}:{facts['port']}"
        yield f"mysql+pymysql://{at}/{name}?charset=utf8mb4"
        cursor.execute(f"DROP DATABASE {name}")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of a fresh SQLite file, for SQLAlchemy."""
    return f"sqlite:///{tmp_path / 'records.db'}"
