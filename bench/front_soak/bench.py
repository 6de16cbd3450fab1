"""The bench ``front_soak``: captured change for many minutes, with everything killed now and then.

A partner's programs write at random; a hub of two processes takes their rows and writes them into another
partner's table. The worker, the broker, the hub's database and the partners' are killed and come back. Then
what was refused is mended, it must come to rest, and both tables and the receipts are held together.

Form       figures: ``different``, ``doubled``, ``untaken``, ``unreceipted``: rows or keys, none in the end; and
           what was done and went wrong
"""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from bench.front_soak.partner import KINDS, PartnerServer, partner_server
from bench.front_soak.site import Shape, write_site
from bench.front_soak.verdict import Verdict, equal, judged, waiting
from bench.front_soak.writer import Writer
from bench.options import Options
from bench.places import Place
from bench.report import Report, Target
from bench.rounds import Spread
from bench.soak.bench import going, until_ready
from bench.soak.faults import Act, going_wrong, killed
from bench.soak.hubs import Hub
from front_db.ddl import script
from shuniu.instance import Instance
from shuniu.node import PrivateNode
from shuniu.node_identity import free_port
from shuniu.settings import Settings
from tests.faults.database import PrivateDatabase
from tests.servers import postgresql

__all__ = ["front_soak"]

MINUTES, PER_S, SEED, REST_S, LOOK_S = 10.0, 8.0, 1, 300.0, 1.0
# Between two of a kind, about.
WORKER_S, BROKER_S, DATABASE_S, PARTNER_S = 20.0, 110.0, 90.0, 75.0
WORKER = ("sources", "pipeline", "delivery", "services", "jobs")
TARGETS = {
    name: Target(must=0, aim=0, below=True)
    for name in ("different", "doubled", "untaken", "unreceipted")
}


@dataclass
class _Soaked:
    shape: Shape
    source: Engine
    target: Engine
    writer: Writer
    kinds: dict[str, tuple[float, Act]]
    happened: Counter[str] = field(default_factory=Counter)


async def front_soak(place: Place, options: Options, told: Callable[[str], None]) -> Report:
    """Has servers of its own, which it may kill. Half of the time is each kind of partner's."""
    del place
    minutes = options.minutes or MINUTES
    report = Report("front_soak", _conditions(minutes), targets={})
    for kind in KINDS:
        verdict, soaked = await _one(kind, minutes / len(KINDS), told)
        figures: dict[str, float] = {f"{kind}_{n}": v for n, v in asdict(verdict).items()}
        did = soaked.writer.did | soaked.happened
        figures |= {f"{kind} {name}": count for name, count in did.items()}
        report.targets = {
            **report.targets,
            **{f"{kind}_{name}": target for name, target in TARGETS.items()},
        }
        report.figures |= {n: Spread.of([float(value)]) for n, value in figures.items()}
    return report


async def _one(kind: str, minutes: float, told: Callable[[str], None]) -> tuple[Verdict, _Soaked]:
    async with _soaked(kind, told) as soaked:
        writing = asyncio.create_task(asyncio.to_thread(soaked.writer.run))
        wrong = asyncio.create_task(going_wrong(SEED, soaked.kinds, soaked.happened))
        ends = monotonic() + minutes * 60
        try:
            while (left_s := ends - monotonic()) > 0:
                await asyncio.wait((writing, wrong), timeout=min(60.0, left_s))
                for task in (writing, wrong):
                    if task.done():
                        task.result()
                told(f"{kind}: {dict(soaked.writer.did)}, {dict(soaked.happened)}")
        finally:
            wrong.cancel()
            await asyncio.gather(wrong, return_exceptions=True)
            soaked.writer.ended.set()
            await writing
        await _rests(soaked)
        verdict = await asyncio.to_thread(judged, soaked.source, soaked.target, soaked.shape)
        told(f"{kind}: {verdict}")
        return verdict, soaked


async def _rests(soaked: _Soaked) -> None:
    """Until nothing waits and both tables say the same; or until there was time enough."""
    ends = monotonic() + REST_S
    while monotonic() < ends:
        try:
            await asyncio.to_thread(soaked.writer.mend)
            left = await asyncio.to_thread(waiting, soaked.source, soaked.shape)
            if not left and await asyncio.to_thread(
                equal, soaked.source, soaked.target, soaked.shape
            ):
                return
        except SQLAlchemyError:
            pass  # it has just come back
        await asyncio.sleep(LOOK_S)


@asynccontextmanager
async def _soaked(kind: str, told: Callable[[str], None]) -> AsyncIterator[_Soaked]:
    shape = Shape()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shuniu-soak-")))
        folder.chmod(0o755)  # the database servers run as users of their own
        log = stack.enter_context((folder / "log").open("wb"))
        partners = folder / "partners"
        partners.mkdir(mode=0o755)
        server = stack.enter_context(partner_server(kind, partners, log))
        facts = stack.enter_context(postgresql.serving(folder, durable=True, output=log))
        records = PrivateDatabase(facts, folder / "pg" / "data")
        node = await stack.enter_async_context(PrivateNode(folder / "node"))
        source, target = server.engine("soak_source"), server.engine("soak_target")
        stack.callback(source.dispose)
        stack.callback(target.dispose)
        for engine, table in ((source, shape.out), (target, shape.into)):
            _run(engine, script([table], engine.dialect.name))
        urls = server.url("soak_source"), server.url("soak_target")
        await asyncio.to_thread(write_site, folder / "site", shape, *urls)
        environment = {
            "SHUNIU_HOME": str(folder / "home"),
            "SHUNIU_SITE": str(folder / "site"),
            "SHUNIU_AMQP_URL": await node.ensure_vhost("soak"),
            "SHUNIU_DATABASE_URL": f"postgresql+psycopg{records.at}",
            "SHUNIU_PORT": str(free_port()),
            "SHUNIU_LOG": "WARNING",
        }
        settings = Settings.read(environment)
        settings.home.mkdir(mode=0o700)
        instance = Instance.of(settings)
        instance.secrets.make_missing(instance.plan().declarations.systems)
        web = Hub("web", ("web", "ledger"), environment, log, ("--apply",))
        worker = Hub("worker", WORKER, environment, log)
        writer = Writer(source, shape, PER_S, random.Random(SEED))  # noqa: S311 - play, not secrets
        kinds = _faults(worker, node, records, server, stack, told)
        await stack.enter_async_context(going(web.run()))
        await until_ready(f"http://{settings.host}:{settings.port}")
        await stack.enter_async_context(going(worker.run()))
        yield _Soaked(shape, source, target, writer, kinds)


def _faults(
    worker: Hub,
    node: PrivateNode,
    records: PrivateDatabase,
    server: PartnerServer,
    stack: AsyncExitStack,
    told: Callable[[str], None],
) -> dict[str, tuple[float, Act]]:
    async def worker_killed(_: random.Random) -> None:
        worker.kill()

    async def broker_killed(_: random.Random) -> None:
        told("the broker is killed")
        await killed(node.broker_pid)
        await node.revive()

    async def records_killed(_: random.Random) -> None:
        told("the hub's database is killed")
        await asyncio.to_thread(records.kill)
        again = await asyncio.to_thread(records.start)
        stack.callback(_ended, again)

    async def partner_killed(_: random.Random) -> None:
        told("the partners' database is killed")
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)

    return {
        "worker killed": (WORKER_S, worker_killed),
        "broker killed": (BROKER_S, broker_killed),
        "database killed": (DATABASE_S, records_killed),
        "partners' database killed": (PARTNER_S, partner_killed),
    }


def _ended(server: subprocess.Popen[bytes]) -> None:
    """Of several that were started one after another, the last one runs."""
    if server.poll() is None:
        server.send_signal(signal.SIGINT)
        server.wait(30)


def _run(engine: Engine, statements: str) -> None:
    with engine.begin() as connection:
        for each in statements.split(";\n"):
            lines = [line for line in each.splitlines() if not line.startswith("--")]
            if said := "\n".join(lines).strip():
                connection.execute(text(said.replace(":", "\\:")))


def _conditions(minutes: float) -> dict[str, object]:
    return {
        "minutes": minutes,
        "writer": f"{PER_S:g} transactions a second of up to four rows over 200 keys: a quarter deletes, a tenth"
        " rolled back, a tenth committed late, one row in twenty wrong at first",
        "hub": "two processes on RabbitMQ and PostgreSQL; capture by state, a route in order",
        "partners": "each kind half of the time; source and target in databases of one server",
        "seed": SEED,
    }
