"""A city of partners on sockets: one stream, and a route of its own to each of them."""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx
from sqlalchemy import select

from connectors.http_json import HttpJson, Settings
from hub.broker import Broker, Publisher
from hub.crypto import Mac, Sm4Seal
from hub.delivery import Link, Turns
from hub.engine import Engine
from hub.envelope import Taken
from hub.ids import new_id, new_trace
from hub.intake import taken_in
from hub.plan import Plan
from hub.port import Traits
from hub.releases import plan_of
from hub.store import Store
from hub.store.tables import failures, ledger
from schemas.message import Answer, Delivery, Record, SystemCode
from schemas.receipt import Event
from tests.faults.bad_partner import BadPartner
from tests.hub.conftest import now
from tests.hub.site import ROUTE, SYSTEM, small_texts

__all__ = ["AsksFirst", "City", "NeverTwice", "a_record", "city_of"]

ROLES = ("pipeline", "delivery", "ledger")
PARALLEL = 4


class NeverTwice(HttpJson):
    """A system that takes each call for a new one."""

    traits = Traits(idempotent=False, says_why=True)


class AsksFirst(NeverTwice):
    """Such a system, which can be asked what it holds."""

    async def recall(self, delivery: Delivery, /) -> Answer | None:
        reply = await self._ask("GET", "held", headers={"Idempotency-Key": delivery.key})
        document, _ = self._judge(reply, delivery.payload)
        number = document.get("number")
        return Answer(str(number), repeated=True) if number is not None else None


def a_record(subject: str, step: str, key: str = "") -> Taken:
    """As the gateway hands it over."""
    at = now()
    body = {"bh": subject, "hj": step, "qh": "130102"}
    return Taken(
        id=new_id(at),
        system=SystemCode("sender"),
        received_at=at,
        traceparent=new_trace(),
        record=Record(kind="step", key=key, body=body),
    )


@dataclass
class City:
    """*partners* by the name of their system; a route is named ``steps-to-<system>``."""

    partners: Mapping[str, BadPartner]
    store: Store
    publisher: Publisher
    plan: Plan

    async def send(self, subjects: Sequence[str], steps: Sequence[str]) -> None:
        """Each step of each of *subjects*, first all first ones."""
        for step in steps:
            for subject in subjects:
                await self.publisher.publish(taken_in(a_record(subject, step), self.plan))

    async def until(self, event: Event, wanted: Mapping[str, int], within_s: float) -> None:
        """Until the ledger has so many rows of *event* for each system."""
        found: Mapping[str, int] = {}
        try:
            async with asyncio.timeout(within_s):
                while found != wanted:
                    await asyncio.sleep(0.1)
                    rows = await self.told(event)
                    found = {name: len(rows[name]) for name in wanted}
        except TimeoutError:
            differ = {name: (found.get(name), n) for name, n in wanted.items() if found[name] != n}
            raise AssertionError(f"{event} (found, wanted): {differ}") from None

    async def told(self, event: Event) -> Mapping[str, list[str]]:
        """The numbers that the ledger tells of *event*, by system."""
        query = select(ledger.c.system, ledger.c.number).where(ledger.c.event == event.value)
        found: dict[str, list[str]] = defaultdict(list)
        for system, number in await self.store.read(lambda c: c.execute(query).all()):
            found[system].append(number)
        return found

    async def failed(self) -> Sequence[tuple[str, str, str]]:
        """System, subject and code of what is in the failure store."""
        f = failures.c
        query = select(f.system, f.subject, f.code).order_by(f.system, f.subject)
        rows = await self.store.read(lambda c: c.execute(query).all())
        return [(row[0], row[1], row[2]) for row in rows]


def _plan(names: Sequence[str], more: str) -> Plan:
    texts = small_texts()
    for name in ("left", "right"):
        del texts[f"systems/{name}.yaml"], texts[f"routes/steps-to-{name}.yaml"]
    for name in names:
        texts[f"systems/{name}.yaml"] = SYSTEM.format(name=name)
        route = ROUTE.format(name=name, more=more)
        texts[f"routes/steps-to-{name}.yaml"] = route.replace("[1s, 1s]", "[1s, 1s, 1s, 1s, 1s]")
    return plan_of(texts)


@asynccontextmanager
async def city_of(
    url: str,
    store: Store,
    partners: Mapping[str, BadPartner],
    *,
    more: str,
    timeout_s: float,
    kinds: Mapping[str, type[HttpJson]] | None = None,
    trust: ssl.SSLContext | None = None,
) -> AsyncIterator[City]:
    """The hub at work for *partners*, which listen already. *more*: further lines of each route;
    *kinds*: of connectors, by system; *trust*: for those with TLS."""
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(Broker(url, name="city", mac=Mac(b"city")))
        links = {}
        for name, partner in partners.items():
            told = {"url": partner.url, "secret": "secret", "timeout_s": timeout_s}
            kind = (kinds or {}).get(name, HttpJson)
            sink = kind(SystemCode(name), Settings.model_validate(told))
            await stack.enter_async_context(sink)
            if trust and partner.tls:
                await sink._http.aclose()
                sink._http = httpx.AsyncClient(verify=trust, trust_env=False)
            links[name] = Link(name, sink, Turns(PARALLEL), PARALLEL)
        engine = Engine(
            url=url,
            broker=broker,
            store=store,
            seal=Sm4Seal(bytes(16)),
            plan=_plan(tuple(partners), more),
            clock=now,
            links=links,
        )
        await engine.declare()
        publisher = await stack.enter_async_context(broker.publisher())
        working = asyncio.create_task(engine.run(ROLES))
        try:
            yield City(partners, store, publisher, engine.plan)
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
