"""The demo's course: start partners and hub, submit applications, watch, wait for rest, reckon."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from hub.broker import Broker
from hub.plan import Plan
from hub.store import Store
from hub.topology import FAILURE_QUEUE, LEDGER, PIPELINE, depths, service_queue
from schemas.errors import Misconfigured, Transient
from shuniu.demo.children import child, ended
from shuniu.demo.partners import Partners
from shuniu.demo.reckoning import LedgerCounts, Summary, count_ledger, last_row, reckon
from shuniu.instance import Instance, open_store
from shuniu.node import PrivateNode
from shuniu.service_list import FOLLOWED
from shuniu.settings import Settings

__all__ = ["Demo", "open_demo"]

READY_S, LOOK_S = 90.0, 0.5
CORE_QUEUES = (*PIPELINE, LEDGER, FAILURE_QUEUE)


@dataclass(slots=True)
class Demo:
    """A running demo. *faults*: system to what its simulator shall do wrong."""

    settings: Settings
    instance: Instance
    plan: Plan
    store: Store
    broker: Broker
    partners: Partners
    children: Mapping[str, asyncio.subprocess.Process]
    after: int
    counts: LedgerCounts | None = field(default=None)

    @property
    def address(self) -> str:
        return f"http://{self.settings.host}:{self.settings.port}/"

    async def submit(self, cases: int, faults: Mapping[str, Mapping[str, Any]]) -> None:
        for system, switches in faults.items():
            await self.partners.misbehave(system, switches)
        await self.partners.submit(cases)

    async def rest(
        self, cases: int, seconds: float, looked: Callable[[LedgerCounts], None]
    ) -> bool:
        """Wait until nothing is under way any more; False when *seconds* were not enough."""
        still: tuple[int, int] | None = None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    counts = await self.look()
                    looked(counts)
                    now = (counts.last_id, counts.open_count)
                    done = counts.published.get("oneThingApplication", 0) >= cases
                    resting = done and not counts.open_count and still == now
                    if resting and await self.partners.quiet() and await self._drained():
                        return True
                    still = now
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            return False

    async def look(self) -> LedgerCounts:
        for name, process in self.children.items():
            ended(process, name)
        self.counts = await self.store.read(
            lambda connection: count_ledger(connection, self.plan, FOLLOWED, self.after)
        )
        return self.counts

    async def summary(self, cases: int, seconds: float) -> Summary:
        counts = await self.look()
        held = [await self.partners.held(system) for system in self.partners.systems]
        return reckon(counts, held, self.plan, cases=cases, seconds=seconds)

    async def _drained(self) -> bool:
        found = await depths(self.broker, _queues(self.plan))
        return not any(ready for ready, _ in found.values())


@asynccontextmanager
async def open_demo(settings: Settings, *, seed: int, speed: float) -> AsyncIterator[Demo]:
    """Partners and hub as processes of their own, in a fresh folder ``<home>/demo``."""
    home = settings.home / "demo"
    await asyncio.to_thread(shutil.rmtree, home, ignore_errors=True)
    home.mkdir(parents=True, mode=0o700)
    port = settings.port if _is_free(settings.host, settings.port) else _free_port(settings.host)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(_virtual_host(settings))
        broker = await stack.enter_async_context(Broker(url, name="demo"))
        own = replace(settings, home=home, port=port, amqp_url=url)
        if settings.database_url == f"sqlite:///{settings.home / 'hub.db'}":
            own = replace(own, database_url=f"sqlite:///{home / 'hub.db'}")
        instance = Instance.of(own)
        plan = instance.plan()
        await _refuse_leftovers(broker, plan)
        instance.secrets.make_missing(plan.declarations.systems)
        store = open_store(own)
        stack.callback(store.close)
        after = await store.read(last_row)
        environment = _environment(own)
        partners = await stack.enter_async_context(
            child("simulate", "--seed", str(seed), "--speed", str(speed), environment=environment)
        )
        addresses = await _addresses(home / "addresses.json", partners)
        hub = await stack.enter_async_context(child("run", "--apply", environment=environment))
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        await _ready(client, own, hub)
        yield Demo(
            settings=own,
            instance=instance,
            plan=plan,
            store=store,
            broker=broker,
            partners=Partners(
                {name: url for name, url in addresses.items() if url.startswith("http")}, client
            ),
            children={"simulate": partners, "run": hub},
            after=after,
        )


@asynccontextmanager
async def _virtual_host(settings: Settings) -> AsyncIterator[str]:
    """The given broker; or on the private node a virtual host of this demo's own."""
    if settings.amqp_url:
        yield settings.amqp_url
        return
    async with PrivateNode(settings.home / "broker") as node:
        name = f"demo-{os.urandom(4).hex()}"
        yield await node.ensure_vhost(name)
        await node.control("delete_vhost", name)


def _environment(settings: Settings) -> dict[str, str]:
    return {
        "SHUNIU_HOME": str(settings.home),
        "SHUNIU_SITE": str(settings.site),
        "SHUNIU_AMQP_URL": settings.amqp_url or "",
        "SHUNIU_DATABASE_URL": settings.database_url,
        "SHUNIU_HOST": settings.host,
        "SHUNIU_PORT": str(settings.port),
        "SHUNIU_LANG": settings.lang,
        "SHUNIU_LOG": settings.log_level,
    }


async def _refuse_leftovers(broker: Broker, plan: Plan) -> None:
    """Messages of another run in the queues would be counted as this run's."""
    found = await depths(broker, _queues(plan))
    if waiting := sum(ready for ready, _ in found.values()):
        raise Misconfigured(
            "demo.queues-not-empty", "The broker holds messages of another run", messages=waiting
        )


def _queues(plan: Plan) -> list[str]:
    routes = [queue for name in plan.routes for queue in plan.queues_of(name)]
    return [*CORE_QUEUES, *routes, *map(service_queue, FOLLOWED)]


async def _addresses(file: Path, partners: asyncio.subprocess.Process) -> dict[str, str]:
    try:
        async with asyncio.timeout(READY_S):
            while not file.exists():
                ended(partners, "simulate")
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise Transient("demo.too-slow", "The simulators did not start in time") from error
    addresses: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return addresses


async def _ready(
    client: httpx.AsyncClient, settings: Settings, hub: asyncio.subprocess.Process
) -> None:
    url = f"http://{settings.host}:{settings.port}/readyz"
    try:
        async with asyncio.timeout(READY_S):
            while True:
                ended(hub, "run")
                try:
                    if (await client.get(url, timeout=2)).is_success:
                        return
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
    except TimeoutError as error:
        raise Transient("demo.too-slow", "The hub did not start in time") from error


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
