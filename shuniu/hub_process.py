"""One process of the hub: connectors opened, engine and web server started, stopped in good order.

Promises   a process starts with the live release, and follows it from then on
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import AsyncExitStack, contextmanager
from functools import partial

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from catalog.pages.app import LINK, catalogue_pages
from catalog.pages.desk import PageDesk
from hub.broker import Broker
from hub.engine import ROLES, Engine
from hub.failure_desk import FailureDesk
from hub.follow import Follower
from hub.gateway import Gateway
from hub.ids import new_id
from hub.plan import Plan
from hub.releases import plan_of
from hub.retry_jobs import RetryJobs
from hub.store import Store
from hub.topology import declare
from monitoring.console.app import console
from monitoring.console.desk import words
from monitoring.failure_api.app import failure_api
from schemas.errors import HubError, Misconfigured
from shuniu.broker_policies import check_policies, hub_queues
from shuniu.catalogue import build_catalogue
from shuniu.clock import now
from shuniu.console import ConsoleFailures, ConsoleLedger, ConsoleTopology
from shuniu.instance import Instance, open_broker, open_store
from shuniu.interpreter import tune_interpreter
from shuniu.reconcile.books import Books
from shuniu.reconcile.run import Partners, partner_of
from shuniu.reconcile.statements import keep_stating
from shuniu.releases import live_at_start
from shuniu.service_list import Composed, build_services, keep_sweeping
from shuniu.settings import Settings
from shuniu.systems import OpenSystems
from web.shell import Shell

__all__ = ["ALL_ROLES", "run_hub"]

ALL_ROLES = (*ROLES, "web")
GRACE_S = 5


class _Pages:
    """The application of the release that runs; requests under way end on the one they began on."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.app:
            await self.app(scope, receive, send)


async def run_hub(
    settings: Settings, roles: Sequence[str] = ALL_ROLES, *, apply_site: bool = False
) -> None:
    """Run until cancelled. *apply_site*: the site folder is applied first, where it differs."""
    instance = Instance.of(settings)
    store = open_store(settings)
    async with AsyncExitStack() as stack:
        stack.callback(store.close)
        live = await asyncio.to_thread(live_at_start, instance, store, apply_site=apply_site)
        broker, url = await stack.enter_async_context(open_broker(settings, "hub"))
        systems = await stack.enter_async_context(OpenSystems(instance, store))
        shell = Shell(clock=now)
        services = build_services(settings.site, store, instance.seal(), shell)
        plan = plan_of(live.texts)
        if settings.management_url:
            queues = hub_queues(plan, [service.subscriber.name for service in services])
            await check_policies(settings.management_url, url, queues)
        catalogue = build_catalogue(settings, store, instance.seal(), shell)
        engine = Engine(
            url=url,
            broker=broker,
            store=store,
            seal=instance.seal(),
            plan=plan,
            clock=now,
            subscribers=[service.subscriber for service in services],
            changed=lambda events: shell.signals.announce(*words(events)),
            retention=settings.retention,
        )
        catalogue.versions.releaser.know(live.number, plan)
        # The exchanges that the publisher needs; the rest when the live release is taken up.
        await declare(broker, [])
        publisher = await stack.enter_async_context(broker.publisher())
        gateway = Gateway(systems.receivers, publisher, store, now, lambda: engine.plan)
        pages = _Pages()

        async def settled(plan: Plan) -> None:
            desk = FailureDesk(store, instance.seal(), plan, now)
            doors = [*gateway.routes(), *catalogue.door.routes()]
            pages.app = _app(doors, engine, desk, services, catalogue.desk)
            await systems.settle()

        follower = Follower(
            process=new_id(now()),
            engine=engine,
            store=store,
            systems=systems.open,
            settled=settled,
            clock=now,
        )
        await follower.start()
        tune_interpreter()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(engine.run([role for role in roles if role in ROLES]))
            tasks.create_task(follower.run())
            for service in services:
                tasks.create_task(keep_sweeping(service, store))
            if "ledger" in roles:
                tasks.create_task(keep_stating(*_compared(instance, engine), now))
            if "web" in roles:
                tasks.create_task(catalogue.keep())
                tasks.create_task(_serve(pages, settings, shell))


def _compared(
    instance: Instance, engine: Engine
) -> tuple[Callable[[], Books], Callable[[], Partners]]:
    """The hub's books and the partners' databases, by the release that runs at the time."""

    def books() -> Books:
        return Books(store=engine.store, seal=engine.seal, plan=engine.plan, at=now())

    return books, lambda: partial(partner_of, instance, engine.plan)


def _app(
    doors: Sequence[BaseRoute],
    engine: Engine,
    desk: FailureDesk,
    services: Sequence[Composed],
    catalogue: PageDesk,
) -> Starlette:
    shell = catalogue.shell
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
        links=(LINK,),
    )
    return Starlette(
        routes=[
            *doors,
            *(route for service in services for route in service.routes),
            *catalogue_pages(catalogue),
            *_health(engine.broker, engine.store),
            *failure_api(
                desk,
                RetryJobs(engine.store, now),
                by=lambda _: "api",
                changed=partial(shell.signals.announce, "failures", "flow"),
            ),
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


async def _serve(app: ASGIApp, settings: Settings, shell: Shell) -> None:
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
