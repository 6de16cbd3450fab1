"""The door at which grantees fetch what they were granted (R-C8)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from starlette.applications import Starlette

from catalog.derive.openapi_pulls import PULLS, pulls
from catalog.lifecycle.grants import Decision
from catalog.lifecycle.kept import Grant
from connectors.signing import Nonces, signed_headers, verify
from hub.grant_door import GrantDoor
from hub.port import Inbound
from hub.registry.grant_rows import grant
from hub.registry.grant_secrets import OVERLAP
from hub.registry.grants import GrantDesk
from hub.registry.meters import WHOLE, use_of
from hub.releases import plan_of
from hub.store import Store
from schemas.errors import Rejected
from schemas.receipt import Event
from tests.hub.conftest import a_step, now, running_engine
from tests.hub.registry.people import AUTHORITY
from tests.hub.registry.test_grants import (
    APPLICANT,
    PROVIDER,
    SEAL,
    TEXTS,
    a_store,
    acts,
    asked,
    desk_of,
    tomorrow,
)

HOUR = timedelta(hours=1)


@pytest.fixture
def kept(database_url: str) -> Iterator[Store]:
    """On both databases."""
    yield from a_store(database_url)


class Clock:
    """The door's; a request is stamped by the same one."""

    def __init__(self) -> None:
        self.off = timedelta()

    def __call__(self) -> datetime:
        return now() + self.off


class Grantee:
    """Whoever holds the secret, over HTTP."""

    def __init__(self, client: httpx.AsyncClient, clock: Clock, number: str, secret: str) -> None:
        self._client, self._clock = client, clock
        self.number, self.secret = number, secret

    async def ask(self, query: str = "") -> httpx.Response:
        """The answer, which is as it is described."""
        url = f"http://hub/out/{self.number}/records{query}"
        at = self._clock()
        headers = signed_headers(
            self.secret, method="GET", url=url, body=b"", at=at, app_id=self.number
        )
        answer = await self._client.get(url, headers=headers)
        described: Any = pulls(str, ["caseStep"], [])[PULLS[0]]
        told = described["get"]["responses"][str(answer.status_code)]
        schema = told["content"]["application/json"]["schema"]
        assert [] == list(Draft202012Validator(schema).iter_errors(answer.json()))
        return answer

    async def all(self, limit: int) -> list[dict[str, Any]]:
        """Page by page, to the end."""
        records: list[dict[str, Any]] = []
        after = "0"
        while page := (answer := (await self.ask(f"?after={after}&limit={limit}")).json())[
            "records"
        ]:
            records += page
            after = answer["after"]
        return records


@asynccontextmanager
async def door(store: Store, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    nonces = Nonces()

    def proven(secret: str, app_id: str, request: Inbound, /) -> None:
        verify(secret, app_id, request, nonces, door="out")

    app = Starlette(routes=GrantDoor(store, SEAL, clock, proven).routes())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        yield client


async def granted(desk: GrantDesk, per_day: int | None = None) -> Grant:
    made = await desk.apply(replace(asked(tomorrow()), per_day=per_day), APPLICANT)
    await desk.decide(made.number, Decision.PASS, AUTHORITY)
    return await desk.store.read(partial(grant, number=f"G{made.number[1:]}"))


async def test_a_grant_is_fetched_until_it_ends(amqp_url: str, kept: Store) -> None:
    """The secret is shown once; with it every message comes once, the granted items alone; another
    one's, a repeat and an old stamp do not pass; a replaced one is good a day more; from its end on,
    whether or not anybody took note of it, nothing comes, while the pushed route's neighbour goes on."""
    desk, clock = desk_of(kept), Clock()
    held = await granted(desk)
    plan = plan_of((await desk.releaser.live())[1])
    async with running_engine(amqp_url, kept, plan=plan) as running:
        for n in range(5):
            await running.send(a_step(f"A{n}"), key=f"A{n}")
        await running.until(Event.DELIVERY_DONE, 10)
    secret = await desk.secret(held.number, APPLICANT)
    with pytest.raises(Rejected, match="grant\\.collected"):
        await desk.secret(held.number, APPLICANT)
    with pytest.raises(Rejected, match="lifecycle\\.role"):
        await desk.secret(held.number, PROVIDER)
    async with door(kept, clock) as client:
        grantee = Grantee(client, clock, held.number, secret)
        got = await grantee.all(limit=2)
        assert [f"A{n}" for n in range(5)] == sorted(each["body"]["caseNo"] for each in got)
        assert {("caseNo", "regionCode")} == {tuple(sorted(each["body"])) for each in got}
        assert ["A3"] == [
            r["subject"] for r in (await grantee.ask("?subject=A3")).json()["records"]
        ]
        assert {WHOLE: 6, "caseNo": 6, "regionCode": 6} == await kept.read(
            partial(use_of, number=held.number)
        )
        forged = Grantee(client, clock, held.number, "not-it")
        unknown = Grantee(client, clock, "G2026-999999", secret)
        denied = [(await each.ask()) for each in (forged, unknown)]
        assert [401, 401] == [each.status_code for each in denied]
        # The number apart, which the stranger knows: nothing tells them apart.
        assert 1 == len({a.text.replace(n, "") for a, n in zip(
            denied, (held.number, "G2026-999999"), strict=True)})  # fmt: skip
        assert 400 == (await grantee.ask("?limit=501")).status_code

        fresh = Grantee(
            client, clock, held.number, await desk.secret(held.number, APPLICANT, anew=True)
        )
        assert [200, 200] == [(await each.ask()).status_code for each in (grantee, fresh)]
        clock.off = OVERLAP + HOUR
        assert [401, 200] == [(await each.ask()).status_code for each in (grantee, fresh)]

        # Nobody has swept: the end itself cuts.
        clock.off = held.ends - now() + HOUR
        ended = await fresh.ask()
        assert (403, "grant.ended") == (ended.status_code, ended.json()["code"])
    assert [("grant", "孙"), ("collect", "李"), ("rotate", "李")] == acts(kept, held.number)


async def test_a_revoked_secret_opens_nothing(kept: Store) -> None:
    """At once, and for good: it is not kept any more."""
    desk, clock = desk_of(kept), Clock()
    held, other = await granted(desk), await granted(desk)
    secrets = [await desk.secret(each.number, APPLICANT) for each in (held, other)]
    async with door(kept, clock) as client:
        mine, theirs = (
            Grantee(client, clock, each.number, secret)
            for each, secret in zip((held, other), secrets, strict=True)
        )
        before = [(await each.ask()).status_code for each in (mine, theirs)]
        await desk.revoke(held.number, PROVIDER, "用途变更")
        after = [(await each.ask()).status_code for each in (mine, theirs)]

    assert [200, 200] == before
    assert [401, 200] == after
    with pytest.raises(Rejected, match="grant\\.over"):
        await desk.secret(held.number, APPLICANT, anew=True)


async def test_no_more_a_day_is_fetched_than_granted(amqp_url: str, kept: Store) -> None:
    """What is pushed and what is fetched share the day's number; the next day there is more."""
    desk, clock = desk_of(kept), Clock()
    held = await granted(desk, per_day=3)
    # The neighbour's route alone: all three are left for fetching.
    plan = plan_of(TEXTS)
    async with running_engine(amqp_url, kept, plan=plan) as running:
        for n in range(5):
            await running.send(a_step(f"A{n}"), key=f"A{n}")
        await running.until(Event.DELIVERY_DONE, 5)
    secret = await desk.secret(held.number, APPLICANT)
    async with door(kept, clock) as client:
        grantee = Grantee(client, clock, held.number, secret)
        first = (await grantee.ask()).json()
        refused = await grantee.ask(f"?after={first['after']}")
        clock.off = timedelta(days=1)
        rest = (await grantee.ask(f"?after={first['after']}")).json()

    assert [3, 2] == [len(each["records"]) for each in (first, rest)]
    assert (429, "grant.used-up") == (refused.status_code, refused.json()["code"])
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
