"""The bench ``soak``: the whole hub as processes for many minutes, under load and random faults.

Two workers, of which one is killed again and again, and a gateway take what is pushed, in two classes;
broker and database are killed and come back, receivers are ill. Then it must come to rest, and what
the receivers hold is held against what was sent.

Form       figures: ``lost``, ``doubled``, ``out_of_order``, ``failures``; memory of the two processes
           that live, with its slope; queue depths; delays of what is no bulk, at the median and at 99 in 100
Careful    a slope of a few minutes is that of a process that still warms up
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from time import monotonic
from typing import IO, Any

import httpx

from bench.children import ROOT
from bench.options import Options
from bench.places import Place
from bench.report import Report, Target
from bench.rounds import Spread
from bench.soak.faults import Faults
from bench.soak.hubs import Hub, slope_per_hour
from bench.soak.partners import WELL, Partner, listening
from bench.soak.sender import Sender
from bench.soak.site import BULK, ORDERED, PLAIN, SENDER, write_site
from bench.soak.verdict import Told, judged, told_by
from hub.broker import Broker
from hub.plan import Plan
from hub.store import Store
from hub.topology import FAILURE_QUEUE, LEDGER, PIPELINE, depths
from schemas.errors import HubError, Transient
from shuniu.instance import Instance
from shuniu.node import PrivateNode
from shuniu.node_identity import free_port
from shuniu.settings import Settings
from tests.faults.database import PrivateDatabase
from tests.servers import postgresql

__all__ = ["going", "soak", "until_ready"]

MINUTES, PER_S, SEED = 10.0, 20.0, 1
LOOK_S, READY_S, REST_S = 2.0, 90.0, 420.0
WORKER = ("pipeline", "delivery", "ledger", "services", "jobs")
TARGETS = {
    name: Target(must=0, aim=0, below=True) for name in ("lost", "doubled", "out_of_order")
} | {"steady_mb_per_hour": Target(must=60, aim=20, below=True)}


@dataclass
class _Soaked:
    """A hub under soak, and what was seen of it."""

    settings: Settings
    plan: Plan
    hubs: Mapping[str, Hub]
    sender: Sender
    partners: Mapping[str, Partner]
    faults: Faults
    log: IO[bytes]
    deepest: dict[str, int] = field(default_factory=dict)

    @property
    def queues(self) -> list[str]:
        routes = [queue for name in self.plan.routes for queue in self.plan.queues_of(name)]
        return [*PIPELINE, LEDGER, FAILURE_QUEUE, *routes]

    async def watch(self) -> None:
        """Until cancelled: memory, and what waits in the queues."""
        while True:
            for hub in self.hubs.values():
                hub.look()
            with suppress(HubError):  # the broker may be away now
                await self.waiting()
            await asyncio.sleep(LOOK_S)

    async def waiting(self) -> int:
        """Messages in the queues, of all together."""
        async with Broker(self.settings.amqp_url or "", name="soak") as broker:
            found = await depths(broker, self.queues)
        for queue, (ready, _) in found.items():
            self.deepest[queue] = max(ready, self.deepest.get(queue, 0))
        return sum(ready for ready, _ in found.values())

    async def rests(self, told: Callable[[str], None]) -> Told:
        """Until nothing waits and all is told; what is so far when `REST_S` are over."""
        store = Store(self.settings.database_url)
        wanted = len(self.sender.sent) * len(self.partners)
        ends = monotonic() + REST_S
        try:
            while True:
                try:
                    found = await store.read(told_by)
                    left = await self.waiting()
                except HubError:
                    left, found = 1, Told(0, 0, 0, 0)
                if (not left and found.done >= wanted) or monotonic() > ends:
                    told(f"{wanted} deliveries wanted, {found.done} told, {left} waiting")
                    return found
                await asyncio.sleep(LOOK_S)
        finally:
            store.close()


async def soak(place: Place, options: Options, told: Callable[[str], None]) -> Report:
    """Has a broker and a database of its own, which it may kill."""
    del place
    minutes = options.minutes or MINUTES
    async with _soaked(options, told) as soaked:
        sending = asyncio.create_task(soaked.sender.run())
        going_wrong = asyncio.create_task(soaked.faults.run())
        began = monotonic()
        while (left_s := began + minutes * 60 - monotonic()) > 0:
            await asyncio.wait((sending, going_wrong), timeout=min(60.0, left_s))
            for task in (sending, going_wrong):
                if task.done():
                    task.result()
            told(f"{len(soaked.sender.sent)} taken, {dict(soaked.faults.happened)}")
        slopes = {name: slope_per_hour(hub.memory) for name, hub in soaked.hubs.items()}
        going_wrong.cancel()
        await asyncio.gather(going_wrong, return_exceptions=True)
        for partner in soaked.partners.values():
            partner.mood = WELL
        soaked.sender.end()
        async with asyncio.timeout(REST_S):
            await sending
        took_s = monotonic() - began
        found = await soaked.rests(told)
        chained = await _chain_is_whole(soaked)
    return _report(soaked, options, minutes, took_s, found, slopes, chained=chained)


@asynccontextmanager
async def _soaked(options: Options, told: Callable[[str], None]) -> AsyncIterator[_Soaked]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shuniu-soak-")))
        folder.chmod(0o755)  # the database server runs as a user of its own
        log = stack.enter_context((folder / "log").open("wb"))
        facts = stack.enter_context(postgresql.serving(folder, durable=True, output=log))
        database = PrivateDatabase(facts, folder / "pg" / "data")
        node = await stack.enter_async_context(PrivateNode(folder / "node"))
        partners = {name: Partner() for name in (ORDERED, PLAIN)}
        urls = {
            name: await stack.enter_async_context(listening(partner))
            for name, partner in partners.items()
        }
        await asyncio.to_thread(write_site, folder / "site", urls)
        environment = {
            "SHUNIU_HOME": str(folder / "home"),
            "SHUNIU_SITE": str(folder / "site"),
            "SHUNIU_AMQP_URL": await node.ensure_vhost("soak"),
            "SHUNIU_DATABASE_URL": f"postgresql+psycopg{database.at}",
            "SHUNIU_PORT": str(free_port()),
            "SHUNIU_LOG": "WARNING",
        }
        settings = Settings.read(environment)
        settings.home.mkdir(mode=0o700)
        instance = Instance.of(settings)
        plan = instance.plan()
        instance.secrets.make_missing(plan.declarations.systems)
        secrets = {name: instance.secrets.get(name) for name in (SENDER, BULK)}
        url = f"http://{settings.host}:{settings.port}"
        web = Hub("web", ("web",), environment, log, ("--apply",))
        steady = Hub("steady", WORKER, environment, log)
        mortal = Hub("mortal", WORKER, environment, log)
        faults = Faults(SEED, [mortal], partners, node, database, told)
        hubs = {hub.name: hub for hub in (web, steady, mortal)}
        sender = Sender(url, secrets, options.messages or PER_S)
        soaked = _Soaked(settings, plan, hubs, sender, partners, faults, log)
        stack.callback(_stop_database, faults)
        await stack.enter_async_context(going(web.run()))
        await until_ready(url)
        for hub in (steady, mortal):
            await stack.enter_async_context(going(hub.run()))
        await stack.enter_async_context(going(soaked.watch()))
        yield soaked


def _stop_database(faults: Faults) -> None:
    """The one that was started last; nobody else holds it."""
    if faults.server is not None:
        faults.server.send_signal(signal.SIGINT)
        faults.server.wait(30)


@asynccontextmanager
async def going(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """*work* goes on beside the block."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_ready(url: str) -> None:
    """Raises `Transient` where the hub at *url* does not take anything."""
    ends = monotonic() + READY_S
    async with httpx.AsyncClient(trust_env=False) as client:
        while monotonic() < ends:
            try:
                if (await client.get(f"{url}/readyz")).is_success:
                    return
            except httpx.HTTPError:
                pass  # it does not listen yet
            await asyncio.sleep(0.2)
    raise Transient("bench.child", "The hub does not start")


async def _chain_is_whole(soaked: _Soaked) -> bool:
    """As `shuniu audit verify` finds it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "shuniu", "audit", "verify", "--json"),
        cwd=ROOT,
        env=dict(soaked.hubs["steady"].environment) | {"PATH": "/usr/bin:/bin"},
        stdout=soaked.log,
        stderr=soaked.log,
    )
    return await process.wait() == 0


def _report(
    soaked: _Soaked,
    options: Options,
    minutes: float,
    took_s: float,
    found: Told,
    slopes: Mapping[str, float | None],
    *,
    chained: bool,
) -> Report:
    sender, partners = soaked.sender, soaked.partners
    verdict = judged(sender, partners)
    figures: dict[str, float] = {
        "sent": len(sender.sent),
        "sent_per_s": len(sender.sent) / took_s,
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "out_of_order": verdict.out_of_order,
        "failures": found.failures,
        "held_back": found.held,
        "untold": len(sender.sent) * len(partners) - found.done,
        "told_twice": found.twice,
        "chain_broken": float(not chained),
        "repeats_at_partners": sum(each.repeats for each in partners.values()),
        "ended_by_themselves": sum(hub.ended_itself for hub in soaked.hubs.values()),
    }
    for name, delays in verdict.delays_s.items():
        cuts = quantiles(delays, n=100) if len(delays) > 1 else [0.0] * 99
        figures |= {f"{name}_delay_median_s": cuts[49], f"{name}_delay_99_s": cuts[98]}
    for name, hub in soaked.hubs.items():
        figures[f"{name}_peak_mb"] = hub.peak_mb
        if (slope := slopes[name]) is not None and not hub.killed:
            figures[f"{name}_mb_per_hour"] = slope
    figures |= {f"deepest {queue}": deep for queue, deep in soaked.deepest.items() if deep}
    conditions = _conditions(soaked, options, minutes)
    if verdict.examples:
        conditions["out_of_order"] = verdict.examples
    report = Report("soak", conditions, targets=TARGETS)
    report.figures = {name: Spread.of([float(value)]) for name, value in figures.items()}
    return report


def _conditions(soaked: _Soaked, options: Options, minutes: float) -> dict[str, object]:
    return {
        "minutes": minutes,
        "load": f"{options.messages or PER_S:g} records a second of 2 KB through the gateway, in cases of"
        " four steps, and now and then a burst of 300 of bulk; two receivers, one of them in order",
        "hub": "three processes on RabbitMQ and PostgreSQL, one of them killed again and again",
        "faults": dict(soaked.faults.happened),
        "seed": SEED,
    }
