"""What was granted, fetched as a file over a socket, by us and by the programs of a partner's kit (R-C8)."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from catalog.lifecycle.grants import Decision
from catalog.lifecycle.kept import Grant
from catalog.lifecycle.steps import Act, State
from connectors.signing import Nonces, signed_headers, sm3, verify
from hub.grant_door import GrantDoor
from hub.port import Inbound
from hub.registry.grant_rows import grant, move_grant
from hub.registry.grants import GrantDesk
from hub.registry.meters import WHOLE, use_of
from hub.registry.versions import VersionDesk
from hub.releases import plan_of
from hub.store import Store
from schemas.errors import Rejected
from schemas.receipt import Event
from tests.hub.conftest import a_step, now, running_engine
from tests.hub.registry.people import AUTHORITY, EDITOR, REVIEWER, TERMS
from tests.hub.registry.test_grants import (
    APPLICANT,
    PROVIDER,
    SEAL,
    TEXTS,
    a_store,
    asked,
    desk_of,
    tomorrow,
)
from tests.hub.test_grant_door import Clock
from tests.web.pages import serving

MANY, PAGE = 7, 3
FILED = {f: t.replace("way: interface", "way: file") for f, t in TEXTS.items()}


@pytest.fixture
def kept(database_url: str) -> Iterator[Store]:
    """On both databases."""
    yield from a_store(database_url, FILED)


@pytest.fixture
def embedded(sqlite_url: str) -> Iterator[Store]:
    yield from a_store(sqlite_url, FILED)


async def granted(
    desk: GrantDesk, per_day: int | None = None, *, way: str = "file"
) -> tuple[Grant, str]:
    """A grant, of which nothing is sent, and its secret; *way*: instead of its resource's."""
    wish = replace(asked(tomorrow()), way="file", call="", per_day=per_day)
    made = await desk.apply(wish, APPLICANT)
    await desk.decide(made.number, Decision.PASS, AUTHORITY)
    held = await desk.store.read(partial(grant, number=f"G{made.number[1:]}"))
    if way != "file":
        changed = replace(held, way=way)
        await desk.store.write(lambda c: move_grant(c, held, changed))
        held = changed
    return held, await desk.secret(held.number, APPLICANT)


async def flowed(amqp_url: str, store: Store) -> None:
    """Messages of the granted resource, past its neighbour's route alone."""
    async with running_engine(amqp_url, store, plan=plan_of(TEXTS)) as running:
        for n in range(MANY):
            await running.send(a_step(f"A{n}"), key=f"A{n}")
        await running.until(Event.DELIVERY_DONE, MANY)


@asynccontextmanager
async def door(store: Store, clock: Clock) -> AsyncIterator[str]:
    """Where it is reached; a page is so short that a file has several."""
    nonces = Nonces()

    def proven(secret: str, app_id: str, request: Inbound, /) -> None:
        verify(secret, app_id, request, nonces, door="out")

    routes = GrantDoor(store, SEAL, clock, proven, page_records=PAGE).routes()
    async with serving(Starlette(routes=routes)) as (url, _):
        yield url


async def ask(url: str, held: Grant, secret: str, clock: Clock, query: str = "") -> httpx.Response:
    address = f"{url}/out/{held.number}/file{query}"
    headers = signed_headers(
        secret, method="GET", url=address, body=b"", at=clock(), app_id=held.number
    )
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        return await client.get(address, headers=headers, timeout=30)


def told(answer: httpx.Response) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The records, and what the last line tells of them, which is true."""
    lines = answer.content.splitlines(keepends=True)
    end = json.loads(lines.pop())["end"]
    assert len(lines) == end["records"]
    assert sm3(b"".join(lines)) == end["sm3"]
    assert hashlib.sha256(b"".join(lines)).hexdigest() == end["sha256"]
    return [json.loads(line) for line in lines], end


async def test_a_file_has_all_that_was_granted(amqp_url: str, kept: Store) -> None:
    """Over several pages, each record once, the granted items alone, metered as those fetched by
    interface are; a cursor goes on where a file ended; what is of the other way stays shut."""
    desk, clock = desk_of(kept), Clock()
    held, secret = await granted(desk)
    other, its_secret = await granted(desk, way="interface")
    await flowed(amqp_url, kept)
    async with door(kept, clock) as url:
        whole = await ask(url, held, secret, clock)
        records, end = told(whole)
        first, cut = told(await ask(url, held, secret, clock, "?limit=5"))
        rest, last = told(await ask(url, held, secret, clock, f"?after={cut['after']}"))
        shut = await ask(url, other, its_secret, clock)
        forged = await ask(url, held, "not-it", clock)
        clock.off = held.ends - now() + timedelta(hours=1)
        ended = await ask(url, held, secret, clock)

    assert "application/x-ndjson" == whole.headers["content-type"]
    assert [f"A{n}" for n in range(MANY)] == sorted(each["subject"] for each in records)
    assert {("caseNo", "regionCode")} == {tuple(sorted(each["body"])) for each in records}
    assert (5, True, MANY - 5, False) == (len(first), cut["more"], len(rest), last["more"])
    assert records == first + rest
    assert not end["more"]
    assert [401, 401, 403] == [each.status_code for each in (shut, forged, ended)]
    assert {WHOLE: 2 * MANY, "caseNo": 2 * MANY, "regionCode": 2 * MANY} == await kept.read(
        partial(use_of, number=held.number)
    )


async def test_a_file_ends_with_the_days_number(amqp_url: str, kept: Store) -> None:
    """The day's number is used up in the middle: the file is whole and says that there is more."""
    desk, clock = desk_of(kept), Clock()
    held, secret = await granted(desk, per_day=4)
    await flowed(amqp_url, kept)
    async with door(kept, clock) as url:
        records, end = told(await ask(url, held, secret, clock))
        refused = await ask(url, held, secret, clock, f"?after={end['after']}")
        clock.off = timedelta(days=1)
        rest, last = told(await ask(url, held, secret, clock, f"?after={end['after']}"))

    assert (4, True, 429) == (len(records), end["more"], refused.status_code)
    assert (MANY - 4, False) == (len(rest), last["more"])


async def test_a_grant_that_ends_cuts_the_file_under_way(amqp_url: str, kept: Store) -> None:
    """Its end comes between two pages: nothing of the pages after it goes out."""
    desk = desk_of(kept)
    held, secret = await granted(desk)
    await flowed(amqp_url, kept)

    class Ending(Clock):
        """It has ended by the time that the second page is asked for."""

        asked = 0

        def __call__(self) -> Any:
            self.asked += 1
            self.off = held.ends - now() + timedelta(hours=1) if self.asked > 1 else timedelta()
            return super().__call__()

    async with door(kept, Ending()) as url:
        records, end = told(await ask(url, held, secret, Clock()))

    assert (PAGE, True) == (len(records), end["more"])


async def run(
    url: str, held: Grant, secret: str, folder: Path, *command: str
) -> tuple[int, bytes, bytes]:
    """A program of the kit, in a process of its own: exit code, what it wrote, what it said."""
    names = {"SHUNIU_URL": url, "SHUNIU_SYSTEM": held.number, "SHUNIU_SECRET": secret}
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, **names, "PYTHONIOENCODING": "utf-8"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    wrote, said = await process.communicate()
    return process.returncode or 0, wrote, said


async def test_an_item_that_a_grant_holds_open_is_not_closed(kept: Store) -> None:
    """A grant that is fetched has no route of which the linter could tell: publishing is refused all the
    same, and nothing is changed, until the grant is revoked."""
    desk = desk_of(kept)
    held, _ = await granted(desk)
    versions = VersionDesk(store=kept, releaser=desk.releaser, terms=TERMS, clock=now)
    await versions.adopt()
    (file,) = (f for f in FILED if f.startswith("resources/"))
    closed = (
        FILED[file]
        .replace("name:", "version: 2\nname:", 1)
        .replace(
            "{element: regionCode, required: true}",
            "{element: regionCode, required: true,"
            " share: {type: none, condition: 《统计法》第九条, way: file}}",
        )
    )
    await versions.draft(closed, EDITOR)
    await versions.act("caseStep", 2, Act.SUBMIT, EDITOR)
    await versions.act("caseStep", 2, Act.PASS, REVIEWER)
    with pytest.raises(Rejected) as refused:
        await versions.act("caseStep", 2, Act.PUBLISH, AUTHORITY)
    before = {v.standing.number: v.standing.state for v in await versions.versions("caseStep")}
    await desk.revoke(held.number, PROVIDER, "信息项不再共享")
    await versions.act("caseStep", 2, Act.PUBLISH, AUTHORITY)
    after = {v.standing.number: v.standing.state for v in await versions.versions("caseStep")}

    assert ("lint.not-shared", {"item": "regionCode", "number": held.number}) == (
        refused.value.code,
        refused.value.facts,
    )
    assert {1: State.PUBLISHED, 2: State.AUTHORITY_REVIEW} == before
    assert {1: State.SUPERSEDED, 2: State.PUBLISHED} == after


async def test_a_grantees_first_call_is_in_the_kit(
    amqp_url: str, embedded: Store, tmp_path: Path
) -> None:
    """Python and curl fetch records page by page, and the whole as a file with its digest checked; a
    wrong secret is told by the exit code."""
    for name in ("exchange.py", "exchange.sh"):
        (tmp_path / name).write_bytes((files("shuniu.kit.files") / name).read_bytes())
    desk = desk_of(embedded)
    pulled, secret = await granted(desk, way="interface")
    filed, its_secret = await granted(desk)
    await flowed(amqp_url, embedded)
    python, shell = (sys.executable, "exchange.py"), ("sh", "exchange.sh")
    async with door(embedded, Clock()) as url:
        by_pull, by_file = (
            partial(run, url, held, key, tmp_path)
            for held, key in ((pulled, secret), (filed, its_secret))
        )
        code, wrote, said = await by_pull(*python, "fetch", "--limit", "4")
        assert 0 == code, said
        first = json.loads(wrote)["answer"]
        code, wrote, said = await by_pull(*python, "fetch", "--after", first["after"])
        assert 0 == code, said
        rest = json.loads(wrote)["answer"]["records"]
        code, wrote, said = await by_file(*python, "file", "out.ndjson")
        assert 0 == code, said
        denied, _, _ = await run(url, filed, "another", tmp_path, *python, "file", "no.ndjson")
        if shutil.which("curl") and shutil.which("openssl"):
            code, curled, said = await by_pull(*shell, "fetch", "0", "500")
            assert 0 == code, said
            assert MANY == len(json.loads(curled)["records"])
            code, curled, said = await by_file(*shell, "file")
            assert 0 == code, said
            assert MANY == json.loads(curled.splitlines()[-1])["end"]["records"]

    assert (4, MANY - 4) == (len(first["records"]), len(rest))
    lines = (tmp_path / "out.ndjson").read_bytes().splitlines()
    assert first["records"] + rest == [json.loads(line) for line in lines]
    assert (1, False) == (denied, (tmp_path / "no.ndjson").exists())
