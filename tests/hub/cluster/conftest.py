"""Three nodes, joined, for all tests of this folder; and a system that keeps what it takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from sqlite3 import Connection, connect

import pytest

from schemas.message import Answer, Delivery
from tests.hub.conftest import System
from tests.servers.cluster import Cluster, three_nodes


class Keeper(System):
    """A system with a store of its own, which keeps a delivery once a key."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._store: Connection = connect(file, isolation_level=None)
        self._store.execute(
            "CREATE TABLE taken (at INTEGER PRIMARY KEY, key TEXT UNIQUE, no TEXT, step TEXT)"
        )

    async def deliver(self, delivery: Delivery, /) -> Answer:
        row = (delivery.key, delivery.payload["no"], delivery.payload["step"])
        insert = "INSERT OR IGNORE INTO taken (key, no, step) VALUES (?, ?, ?)"
        return Answer("", repeated=not self._store.execute(insert, row).rowcount)

    @property
    def steps(self) -> Mapping[str, Sequence[str]]:
        """What it holds of each case, in the order it came."""
        found: dict[str, list[str]] = defaultdict(list)
        for number, step in self._store.execute("SELECT no, step FROM taken ORDER BY at"):
            found[number].append(step)
        return dict(found)

    def close(self) -> None:
        self._store.close()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with three_nodes(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    keeper = Keeper(tmp_path / "partner.db")
    yield keeper
    keeper.close()
