"""One process of the hub: connectors opened, engine and web server started, stopped in good order.

Promises   a system whose profile is wrong or whose connector does not open halts its own routes and
           nothing else
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import time
from typing import cast

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub.broker import Broker
from hub.delivery import Hours, Link, Pace
from hub.engine import ROLES, Engine, Polled
from hub.failure_desk import FailureDesk
from hub.gateway import Gateway
from hub.plan import Plan
from hub.port import Connector, Receiver, Sink, Source, abilities
from hub.route_states import RouteStates
from hub.store import Store
from monitoring.console.app import console
from monitoring.console.desk import words
from routes.model import SystemDeclaration
from schemas.errors import HubError, Misconfigured
from schemas.message import SystemCode
from shuniu.addresses import resolved
from shuniu.clock import now
from shuniu.console import ConsoleFailures, ConsoleLedger, ConsoleTopology
from shuniu.instance import Instance, open_broker, open_store
from shuniu.plugins import make_connector
from shuniu.service_list import Composed, build_services, keep_sweeping
from shuniu.settings import Settings
from web.shell import Shell

__all__ = ["ALL_ROLES", "run_hub"]

ALL_ROLES = (*ROLES, "web")
GRACE_S = 5
log = structlog.get_logger("shuniu.process")


@dataclass(frozen=True, slots=True)
class _Systems:
    links: Mapping[str, Link]
    polled: Sequence[Polled]
    receivers: Mapping[str, Receiver]


async def run_hub(settings: Settings, roles: Sequence[str] = ALL_ROLES) -> None:
    """Run until cancelled."""
    instance = Instance.of(settings)
    plan = instance.plan()
    store = open_store(settings)
    async with AsyncExitStack() as stack:
        stack.callback(store.close)
        broker, url = await stack.enter_async_context(open_broker(settings, "hub"))
        systems = await stack.enter_async_context(_systems(instance, plan, store))
        shell = Shell(clock=now)
        services = build_services(settings.site, store, instance.seal(), shell)
        engine = Engine(
            url=url,
            broker=broker,
            store=store,
            seal=instance.seal(),
            plan=plan,
            clock=now,
            links=systems.links,
            polled=systems.polled,
            subscribers=[service.subscriber for service in services],
            changed=lambda events: shell.signals.announce(*words(events)),
            retention=settings.retention,
        )
        await engine.declare()
        publisher = await stack.enter_async_context(broker.publisher())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(engine.run([role for role in roles if role in ROLES]))
            for service in services:
                tasks.create_task(keep_sweeping(service, store))
            if "web" in roles:
                gateway = Gateway(systems.receivers, publisher, store, now)
                desk = FailureDesk(store, instance.seal(), plan, now)
                app = _app(gateway, engine, desk, services, shell)
                tasks.create_task(_serve(app, settings, shell))


def _app(
    gateway: Gateway,
    engine: Engine,
    desk: FailureDesk,
    services: Sequence[Composed],
    shell: Shell,
) -> Starlette:
    topology = ConsoleTopology(
        engine.store, engine.broker, engine.plan, [service.facts for service in services], now
    )
    pages = console(
        shell,
        ledger=ConsoleLedger(engine.store, engine.seal, engine.plan),
        failures=ConsoleFailures(desk, engine.plan),
        topology=topology,
        panels=[panel for service in services for panel in service.panels],
        tallies=[service.tallies for service in services if service.tallies],
    )
    return Starlette(
        routes=[
            *gateway.routes(),
            *(route for service in services for route in service.routes),
            *_health(engine.broker, engine.store),
            *pages,
        ],
        middleware=shell.middleware(),
        exception_handlers=shell.exception_handlers(),
    )


class _Server(uvicorn.Server):
    """Signals are the command's business: it cancels us."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


async def _serve(app: Starlette, settings: Settings, shell: Shell) -> None:
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
        server_header=False,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        await asyncio.shield(serving)
    finally:
        shell.signals.close()
        server.should_exit = True
        await serving


@asynccontextmanager
async def _systems(instance: Instance, plan: Plan, store: Store) -> AsyncIterator[_Systems]:
    links: dict[str, Link] = {}
    polled: list[Polled] = []
    receivers: dict[str, Receiver] = {}
    states = RouteStates(store)
    async with AsyncExitStack() as stack:
        for code, declared in plan.declarations.systems.items():
            try:
                settings = resolved(
                    declared.settings, instance.addresses, instance.secrets, instance.settings.site
                )
                connector = make_connector(declared, settings)
                opened = await stack.enter_async_context(connector)
            except HubError as error:
                log.error("system.unusable", system=code, code=error.code, **error.facts)
                await states.halted(f"system {code}", error, now())
                continue
            await states.flowing(f"system {code}", now())
            _place(opened, declared, links, polled, receivers)
        yield _Systems(links, polled, receivers)


def _place(
    connector: Connector,
    declared: SystemDeclaration,
    links: dict[str, Link],
    polled: list[Polled],
    receivers: dict[str, Receiver],
) -> None:
    """Use *connector* for all that it says it can do."""
    can, code = abilities(connector), declared.system
    if "deliver" in can:
        sink = cast("Sink", connector)
        links[code] = Link(
            code,
            sink,
            asyncio.Semaphore(declared.parallel),
            declared.parallel,
            Pace(declared.rate_per_s or 0.0),
            _hours(declared.hours),
        )
    if "records" in can:
        polled.append(Polled(SystemCode(code), cast("Source", connector), declared.poll_s))
    if "receive" in can:
        receivers[code] = cast("Receiver", connector)


def _hours(told: str | None) -> Hours | None:
    if told is None:
        return None
    start, _, end = told.partition("-")
    return Hours(time.fromisoformat(start), time.fromisoformat(end))


def _health(broker: Broker, store: Store) -> list[Route]:
    async def alive(_: Request) -> Response:
        return JSONResponse({"alive": True})

    async def ready(_: Request) -> Response:
        try:
            await store.read(lambda _: None)
            if not broker.connected:
                raise Misconfigured("broker.down", "The broker is away")
        except HubError as error:
            return JSONResponse({"ready": False, "code": error.code}, 503)
        return JSONResponse({"ready": True})

    return [Route("/healthz", alive), Route("/readyz", ready)]
