"""The hub as one process runs it: all roles that a message meets, real connectors, one service.

Careful    imported in the nursery alone, after the loader of `tests.faults.steps` is in place
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from typing import Any

import uvicorn
from sqlalchemy import Column, Connection, MetaData, String, Table, insert
from starlette.applications import Starlette

from connectors.http_json import Feed, HttpJson, Kind, Settings
from hub import sources
from hub.broker import Broker, Publisher
from hub.crypto import Mac, Sm4Seal
from hub.delivery import Link, Turns, attempt, held, worker
from hub.engine import Engine, Polled
from hub.gateway import Gateway
from hub.store import Store
from hub.streams import Subscriber
from schemas.errors import Rejected, Transient
from schemas.message import Message, Operation, Publication, ResourceName, SystemCode
from schemas.texts import all_texts
from shuniu.logs import set_up_logs
from tests.faults.process import KEY, SEAL_KEY, Life
from tests.faults.site import FOLLOWED, SICK_SERVICE, UNSERVED, plan

__all__ = ["live", "prepare", "seen"]

ROLES = ("pipeline", "delivery", "ledger", "sources", "services")
STEP = ResourceName("caseStep")
SENDER, SECRET, NOBODY = "sender", "secret", "http://127.0.0.1:9"
PARALLEL = 8
# What a killed process had claimed is free again after this: its calls have ended with it.
CLAIM_S = 2.0
# Waits that no step depends on: a walk of many processes would be nothing but these.
LOOK_S, PROBE_S, AT_ONCE_S, POLL_S = 0.2, 0.1, (0.01, 0.05), 0.05
# Few at a time, so that what comes in takes many steps.
PAGE_ROWS = 2
FEED = Feed(path="feed", kind=Kind(const="step"), key="key", page_rows=PAGE_ROWS)
seen = Table("seen", MetaData(), Column("message_id", String(36), primary_key=True))
_tried: set[str] = set()


def follow(connection: Connection, message: Message, _: datetime) -> Sequence[Publication]:
    """Writes what it saw, which twice would fail; publishes a follow-up for the cases that have one;
    fails with one case at first, and with one for good."""
    connection.execute(insert(seen), {"message_id": message.id})
    if message.subject.endswith(UNSERVED):
        raise Rejected("field.required", "Never", at="/stepName")
    if message.subject.endswith(SICK_SERVICE) and message.id not in _tried:
        _tried.add(message.id)
        raise Transient("store.busy", "Not now")
    if not message.subject.endswith(FOLLOWED):
        return ()
    body = {**message.body, "caseNo": f"{message.subject}x"}
    key = f"{message.subject}{message.body['stepName']}"
    return [Publication(resource=STEP, operation=Operation.CREATED, key=key, body=body)]


def prepare() -> None:
    """What every process would read and compile for itself."""
    plan()
    all_texts()
    with suppress(Transient):
        asyncio.run(_call_nobody())


async def _call_nobody() -> None:
    """What calls load by themselves when the first one is made, and whom they trust."""
    async with _system("nobody", NOBODY) as sink:
        await sink.check()


def _system(name: str, url: str, **more: Any) -> HttpJson:
    told = {"url": url, "secret": SECRET, "timeout_s": 20.0, **more}
    return HttpJson(SystemCode(name), Settings.model_validate(told))


async def _polled(life: Life, stack: AsyncExitStack) -> Sequence[Polled]:
    if not life.feed:
        return ()
    source = await stack.enter_async_context(_system(SENDER, life.feed, feed=FEED))
    return [Polled(SystemCode(SENDER), source, POLL_S)]


async def _door(port: int, publisher: Publisher, store: Store) -> None:
    receiver = _system(SENDER, NOBODY, receives=True)
    gateway = Gateway({SENDER: receiver}, publisher, store, lambda: datetime.now(UTC), plan)
    app = Starlette(routes=gateway.routes())
    config = uvicorn.Config(app, "127.0.0.1", port, log_config=None, lifespan="off")
    await uvicorn.Server(config).serve()


async def live(life: Life) -> None:
    """Run until killed."""
    attempt.AT_ONCE_S = AT_ONCE_S
    sources.WAIT_FIRST_S, sources.BATCH = POLL_S, PAGE_ROWS
    held.CLAIM_S, worker.RELEASE_S, worker.PROBE_FIRST_S = CLAIM_S, LOOK_S, PROBE_S
    set_up_logs("INFO")
    store = Store(life.database_url)
    try:
        async with AsyncExitStack() as stack:
            broker = await stack.enter_async_context(
                Broker(life.amqp_url, name="faults", mac=Mac(KEY))
            )
            links = {}
            for name, url in life.systems.items():
                sink = await stack.enter_async_context(_system(name, url))
                links[name] = Link(name, sink, Turns(PARALLEL), PARALLEL)
            engine = Engine(
                url=life.amqp_url,
                broker=broker,
                store=store,
                seal=Sm4Seal(SEAL_KEY),
                plan=plan(),
                clock=lambda: datetime.now(UTC),
                links=links,
                polled=await _polled(life, stack),
                subscribers=[Subscriber(name="follow", resources=(STEP,), handle=follow)],
            )
            await engine.declare()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(engine.run(ROLES))
                if life.door:
                    publisher = await stack.enter_async_context(broker.publisher())
                    tasks.create_task(_door(life.door, publisher, store))
    except BaseException:
        traceback.print_exc()
        raise
