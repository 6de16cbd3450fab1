"""Is everything in place? One check a thing the hub needs; each says what to do when it is not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from shutil import disk_usage

from sqlalchemy import text

import catalog.lint
import routes.lint
from hub.amqp import node_urls
from hub.audit import all_heads
from hub.broker import Broker, Outgoing, safe_url
from hub.plan import Plan, compile_plan
from hub.releases import live_number
from hub.store.partitions import REST
from schemas.calendar import read_calendars
from schemas.declarations import InvalidDeclaration
from schemas.errors import Facts, Fault, HubError, Misconfigured, Transient
from shuniu.addresses import resolved
from shuniu.broker_nodes import node_states
from shuniu.broker_policies import check_policies, hub_queues
from shuniu.clock import now
from shuniu.instance import Instance, open_broker, open_store
from shuniu.node import running_url
from shuniu.plugins import make_connector
from shuniu.releases import differs
from shuniu.service_list import FED, FOLLOWED, TAKEN
from shuniu.site import read_site, texts_of

__all__ = ["Check", "examine"]

PACKAGES = (
    "schemas",
    "web",
    "catalog",
    "routes",
    "hub",
    "front_db",
    "connectors",
    "services",
    "monitoring",
    "simulators",
    "shuniu",
)
ROOT = Path(__file__).resolve().parent.parent
SKEW_S = 2.0
AHEAD_DAYS = 1
CHECK_S = 10.0
MB = 1_048_576
LEAST_FREE_MB = 1024


@dataclass(frozen=True, slots=True)
class Check:
    """*fault* is None where all is well; *shown* says what was found."""

    name: str
    shown: str
    fault: Fault | None = None
    took_ms: int = 0


async def examine(instance: Instance) -> list[Check]:
    checks: list[Check] = []
    for name, examine_one in (
        ("packages", _packages),
        ("home", _home),
        ("disk", _disk),
        ("declarations", _declarations),
        ("broker", _broker),
        ("policies", _policies),
        ("database", _database),
        ("ledger", _ledger),
        ("release", _release),
        ("clock", _clock),
        ("calendar", _calendar),
    ):
        checks.append(await _timed(name, instance, examine_one))
    checks += await _nodes(instance)
    checks += await _systems(instance)
    return checks


async def _timed(
    name: str, instance: Instance, examine_one: Callable[[Instance], Awaitable[str]]
) -> Check:
    started = time.monotonic()
    try:
        async with asyncio.timeout(60):
            shown, fault = await examine_one(instance), None
    except InvalidDeclaration as error:
        shown, fault = str(error.problems[0]), Fault(error.code, "", error.facts)
    except HubError as error:
        shown, fault = "", Fault(error.code, "", error.facts)
    except TimeoutError:
        shown, fault = "", Fault("doctor.too-slow", "", {"check": name})
    return Check(name, shown, fault, round((time.monotonic() - started) * 1000))


async def _packages(_: Instance) -> str:
    for name in PACKAGES:
        place = import_module(name).__file__
        if not place or not Path(place).resolve().is_relative_to(ROOT):
            raise Misconfigured("doctor.shadowed", "A foreign package hides ours", package=name)
    return f"{len(PACKAGES)} packages"


async def _home(instance: Instance) -> str:
    home = instance.settings.home
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = home / ".doctor"
        probe.write_text("", encoding="ascii")
        probe.unlink()
    except OSError as error:
        raise Misconfigured(
            "doctor.home", "The hub's folder cannot be written", folder=str(home)
        ) from error
    return str(home)


async def _disk(instance: Instance) -> str:
    """Room where the hub's folder is: for its secrets and logs, its own broker and its own records."""
    home = instance.settings.home
    try:
        free_mb = disk_usage(home).free // MB
    except OSError as error:
        raise Misconfigured(
            "doctor.home", "The hub's folder cannot be read", folder=str(home)
        ) from error
    if free_mb < LEAST_FREE_MB:
        raise Misconfigured(
            "doctor.disk", "Little room", folder=str(home), free=free_mb, least=LEAST_FREE_MB
        )
    return f"{free_mb:,} MB"


async def _declarations(instance: Instance) -> str:
    declarations = read_site(instance.settings.site)
    severities = [str(each.severity) for each in catalog.lint.lint(declarations.catalogue)]
    severities += [each.severity for each in routes.lint.lint(declarations, fed=FED, taken=TAKEN)]
    if errors := severities.count("error"):
        raise Misconfigured("doctor.lint", "Declarations have errors", errors=errors)
    return f"{len(declarations.catalogue.resources)} resources, {len(declarations.routes)} routes"


async def _broker(instance: Instance) -> str:
    settings = instance.settings
    if settings.amqp_url is None:
        url = running_url(settings.home / "broker")
        if url is None:
            # Started for the check alone: also tells when RabbitMQ is not installed.
            async with open_broker(settings, "doctor") as (broker, _):
                return f"private node, RabbitMQ {broker.version}"
    else:
        url = settings.amqp_url
    async with Broker(url, name="doctor") as broker, broker.publisher() as publisher:
        # To nobody. A broker whose disk or memory is nearly full takes one message and says so then.
        probe = Outgoing("", "", b"", {}, mandatory=False)
        try:
            async with asyncio.timeout(CHECK_S):
                await publisher.publish(probe)
                if not broker.blocked:
                    await publisher.publish(probe)
        except TimeoutError as error:
            raise Transient("broker.refused", "The broker does not confirm") from error
        if broker.blocked:
            raise Transient("broker.refused", "The broker takes nothing now")
        return f"{safe_url(url)}, RabbitMQ {broker.version}"


async def _policies(instance: Instance) -> str:
    """Of the broker: none that would lose messages."""
    settings = instance.settings
    if settings.management_url is None or settings.amqp_url is None:
        return "not looked at" if settings.amqp_url else "private node"
    plan = compile_plan(read_site(settings.site))
    queues = hub_queues(plan, list(FOLLOWED))
    return f"{await check_policies(settings.management_url, settings.amqp_url, queues)} policies"


async def _nodes(instance: Instance) -> list[Check]:
    """Each node of a cluster: one that is away takes the hub's safety with it, not the hub."""
    url = instance.settings.amqp_url
    if url is None or not _is_cluster(url):
        return []
    return [
        Check(
            f"broker {state.place}",
            f"RabbitMQ {state.version} {state.cluster}" if state.version else "",
            Fault(state.error.code, "", state.error.facts) if state.error else None,
        )
        for state in await node_states(url)
    ]


def _is_cluster(url: str) -> bool:
    try:
        return len(node_urls(url)) > 1
    except Misconfigured:
        return False  # told by the check of the broker


async def _database(instance: Instance) -> str:
    store = open_store(instance.settings)
    try:
        await store.write(lambda connection: connection.execute(text("SELECT 1")))
        return store.shown_url
    finally:
        store.close()


async def _ledger(instance: Instance) -> str:
    """Partitions stand ready, and nothing fell into the rest."""
    store = open_store(instance.settings)
    try:
        heads = await store.read(all_heads)
    finally:
        store.close()
    if rows := heads[REST].rows:
        raise Misconfigured("ledger.rest", "Rows of no partition", rows=rows)
    dated = [head for head in heads.values() if head.until]
    soon = now() + timedelta(days=AHEAD_DAYS)
    if dated and not any(head.takes(soon) for head in dated):
        raise Misconfigured("ledger.not-ahead", "No partition for tomorrow", days=AHEAD_DAYS)
    return f"{len(dated)} partitions, {sum(head.rows for head in dated)} rows"


async def _release(instance: Instance) -> str:
    """The live release; and whether the site folder holds something else."""

    def look() -> str:
        store = open_store(instance.settings)
        try:
            live = store.read_now(live_number)
            if differs(instance, store):
                return f"{live}; the site folder differs: shuniu routes apply"
            return str(live or "none yet")
        finally:
            store.close()

    return await asyncio.to_thread(look)


async def _clock(instance: Instance) -> str:
    """The database server's clock against ours; with SQLite they are one."""
    if instance.settings.database_url.startswith("sqlite"):
        return now().isoformat(timespec="seconds")
    store = open_store(instance.settings)
    try:
        theirs = await store.read(lambda c: c.scalar(text("SELECT clock_timestamp()")))
    finally:
        store.close()
    if theirs is None:
        raise Transient("store.down", "The database does not answer")
    skew_s = abs((now() - theirs).total_seconds())
    if skew_s > SKEW_S:
        raise Misconfigured("doctor.clock", "Clocks differ", seconds=round(skew_s, 1))
    return f"{skew_s:.2f} s"


async def _calendar(instance: Instance) -> str:
    calendar = read_calendars(texts_of(instance.settings.site, "calendars"))
    year = now().year
    if year not in calendar.years:
        raise Misconfigured("calendar.year-missing", "No calendar for this year", year=year)
    return ", ".join(map(str, sorted(calendar.years)))


async def _systems(instance: Instance) -> list[Check]:
    """Each profile: settings fit, and the system's own check passes."""
    try:
        plan = instance.plan()
    except HubError:
        return []
    return list(
        await asyncio.gather(*(_system(instance, plan, name) for name in plan.declarations.systems))
    )


async def _system(instance: Instance, plan: Plan, name: str) -> Check:
    declared = plan.declarations.systems[name]
    started = time.monotonic()
    facts: Facts = {"system": name}
    try:
        settings = resolved(
            declared.settings, instance.addresses, instance.secrets, instance.settings.site
        )
        async with asyncio.timeout(CHECK_S), make_connector(declared, settings) as connector:
            await connector.check()
        fault = None
    except HubError as error:
        fault = Fault(error.code, "", {**facts, **error.facts})
    except TimeoutError:
        fault = Fault("target.timeout", "", facts)
    took_ms = round((time.monotonic() - started) * 1000)
    return Check(f"system {name}", declared.connector, fault, took_ms)
