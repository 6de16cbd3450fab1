"""A hub to be killed: its broker's virtual host, its database, its partners, one process at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from hub.broker import Broker
from hub.crypto import Mac
from hub.store import Store
from hub.topology import declare
from tests.connectors.socket_system import on_a_socket
from tests.faults.flow import Flow, ended, send
from tests.faults.process import KEY, Life, Nursery, Worker
from tests.faults.receiver import Partner
from tests.faults.site import bindings, plan

__all__ = ["LOOK_EVERY_S", "Lane", "Place", "lane_at"]

LOOK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Place:
    """Where a hub lives."""

    amqp_url: str
    database_url: str
    folder: Path


@dataclass
class Lane:
    place: Place
    nursery: Nursery
    broker: Broker
    store: Store
    partners: Mapping[str, Partner]
    systems: dict[str, str]
    flows: int = 0

    feed: str = ""
    door: int = 0

    def start(self, dies_at: str = "", passing: int = 1) -> Worker:
        life = Life(
            amqp_url=self.place.amqp_url,
            database_url=self.place.database_url,
            systems=self.systems,
            log=str(self.place.folder / "log"),
            dies_at=dies_at,
            passing=passing,
            notes=str(self.place.folder / "passed"),
            feed=self.feed,
            door=self.door,
        )
        return self.nursery.start(life)

    def passed(self) -> set[str]:
        """The points that its processes have passed."""
        notes = self.place.folder / "passed"
        return set(notes.read_text(encoding="utf-8").splitlines()) if notes.exists() else set()

    def said(self) -> str:
        """The end of what its processes logged."""
        log = self.place.folder / "log"
        return log.read_text(encoding="utf-8")[-2000:] if log.exists() else ""

    async def send(self, name: str = "") -> Flow:
        self.flows += 1
        flow = Flow(name or f"F{self.flows}")
        await send(self.broker, flow, plan())
        return flow

    async def ended(self, flow: Flow, within_s: float = 60.0) -> None:
        await ended(self.broker, self.store, self.partners, flow, within_s)

    async def died(self, worker: Worker, within_s: float = 30.0) -> int:
        """The exit status of *worker*, which is about to die."""
        async with asyncio.timeout(within_s):
            while not worker.ended:
                await asyncio.sleep(LOOK_EVERY_S)
        return worker.wait()


@asynccontextmanager
async def lane_at(place: Place, nursery: Nursery) -> AsyncIterator[Lane]:
    partners = {name: Partner() for name in ("left", "right")}
    store = Store(place.database_url)
    async with (
        on_a_socket(partners["left"]) as left,
        on_a_socket(partners["right"]) as right,
        Broker(place.amqp_url, name="test", mac=Mac(KEY)) as broker,
    ):
        await declare(broker, bindings())
        systems = {"left": left.url, "right": right.url}
        yield Lane(place, nursery, broker, store, partners, systems)
    await asyncio.to_thread(store.close)
