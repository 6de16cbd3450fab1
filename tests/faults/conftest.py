"""A nursery of hub processes, and places for hubs on the session's servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hub.store import Store
from tests.conftest import fresh_postgres
from tests.faults.hub_process import seen
from tests.faults.lane import Place
from tests.faults.process import Nursery
from tests.records import shape
from tests.servers.keeper import Facts, shared
from tests.servers.rabbitmq import VirtualHosts

Placing = Callable[[str], Place]


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Where hub processes are forked."""
    with Nursery() as nursery:
        yield nursery


def migrated(url: str) -> str:
    """*url*, with the tables of the hub and of the one service."""
    store = Store(url)
    shape(store)
    store.write_now(seen.create)
    store.close()
    return url


@pytest.fixture
def placing(virtual_hosts: VirtualHosts, servers_root: Path, tmp_path: Path) -> Iterator[Placing]:
    """Makes places with a database of the named kind, each with a virtual host of its own."""
    with ExitStack() as stack:
        made = 0

        def place(database: str) -> Place:
            nonlocal made
            made += 1
            folder = tmp_path / f"hub{made}"
            folder.mkdir()
            broker = virtual_hosts.add()
            stack.callback(virtual_hosts.delete, broker)
            if database == "sqlite":
                url = f"sqlite:///{folder / 'records.db'}"
            else:
                facts: Facts = shared("postgresql", servers_root)
                url = stack.enter_context(fresh_postgres(facts))
            return Place(broker, migrated(url), folder)

        yield place
