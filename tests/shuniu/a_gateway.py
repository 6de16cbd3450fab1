"""The hub's door on a real socket, with the reference site's declarations, a broker and records.

It has one system more, `PARTNER`, which sends a resource in the catalogue's own words.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.applications import Starlette

from catalog.derive.example import example_body
from catalog.derive.interface import Interface
from catalog.read import read_catalogue
from connectors.http_json import HttpJson, Settings
from hub.broker import Broker
from hub.crypto import Mac, Sm4Seal
from hub.engine import Engine
from hub.gateway import Gateway
from hub.plan import compile_plan
from hub.store import Store
from routes.identity import identity_intake
from routes.site import Declarations, read_declarations
from schemas.message import SystemCode
from shuniu.clock import now
from shuniu.interface import interface_of
from shuniu.site import release_texts
from tests.web.pages import serving

__all__ = ["PARTNER", "RESOURCE", "SECRET", "Door", "declarations", "open_door"]

PARTNER, RESOURCE, SECRET = "water-office", "caseAcceptance", "a secret of tests"
SITE = Path(__file__).parents[2] / "sites" / "reference"
SYSTEM = f"""
system: {PARTNER}
name: {{zh: 水务服务系统, en: Water office}}
owner: 石家庄市水务局
connector: http-json
settings: {{url: "address://{PARTNER}", secret: "secret://{PARTNER}", receives: true, delivers: false}}
"""


@dataclass(frozen=True, slots=True)
class Door:
    """*url*: where the hub listens."""

    url: str
    declarations: Declarations
    interface: Interface


@cache
def declarations() -> Declarations:
    """The reference site, and `PARTNER`, whose intake is derived."""
    texts = release_texts(SITE)
    catalogue = read_catalogue(texts)
    resource = catalogue.resources[RESOURCE]
    example = example_body(resource, catalogue)
    texts[f"systems/{PARTNER}.yaml"] = SYSTEM
    texts[f"intakes/{PARTNER}.{RESOURCE}.yaml"] = identity_intake(PARTNER, resource, example)
    return read_declarations(texts, catalogue)


@asynccontextmanager
async def open_door(
    amqp_url: str, store: Store, signing: Mapping[str, str] | None = None
) -> AsyncIterator[Door]:
    """Pipeline and ledger work behind it; every system that pushes JSON has the same secret, or signs
    as *signing* says."""
    declared = declarations()
    interface = interface_of(declared)
    systems = {each.system for each in interface.inward if not each.xml}
    agreed = signing or {"secret": SECRET}
    settings = Settings.model_validate({"url": "http://127.0.0.1:9/", "receives": True, **agreed})
    receivers = {code: HttpJson(SystemCode(code), settings) for code in systems}
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(Broker(amqp_url, name="t", mac=Mac(b"test")))
        publisher = await stack.enter_async_context(broker.publisher())
        engine = Engine(
            url=amqp_url,
            broker=broker,
            store=store,
            seal=Sm4Seal(bytes(16)),
            plan=compile_plan(declared),
            clock=now,
        )
        await engine.declare()
        work = asyncio.create_task(engine.run(("pipeline", "ledger")))
        gateway = Gateway(receivers, publisher, store, now, lambda: engine.plan)
        app = Starlette(routes=gateway.routes())
        url, _ = await stack.enter_async_context(serving(app))
        try:
            yield Door(url, declared, interface)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
