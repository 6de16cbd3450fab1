"""The failure store for programs, over real sockets and on real records (issue 3, failure store)."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from starlette.applications import Starlette

from hub.envelope import encode_body
from hub.store import Store
from hub.store.retries import claim
from hub.store.tables import failure_acts, failures
from monitoring.failure_api.app import failure_api
from tests.hub.conftest import now
from tests.hub.failing import SEAL, desk_of, fail, jobs_of
from tests.records import shape
from tests.web.pages import serving
from web.guard import CSRF_COOKIE, CSRF_HEADER
from web.shell import Shell

TOKEN = {"cookie": f"{CSRF_COOKIE}=mine", CSRF_HEADER: "mine"}


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    """The hub's records in a fresh SQLite database."""
    store = Store(sqlite_url)
    shape(store)
    yield store
    store.close()


@pytest.fixture
def changes() -> list[str]:
    """What open pages were told."""
    return []


@asynccontextmanager
async def served(store: Store, changes: list[str]) -> AsyncIterator[str]:
    shell = Shell()
    app = Starlette(
        routes=failure_api(
            desk_of(store),
            jobs_of(store),
            by=lambda _: "wang",
            changed=lambda: changes.append("failures"),
        ),
        middleware=shell.middleware(),
        exception_handlers=shell.exception_handlers(),
    )
    async with serving(app) as (url, _):
        yield url


@pytest.fixture
async def api(store: Store, changes: list[str]) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        served(store, changes) as url,
        httpx.AsyncClient(base_url=f"{url}/api", headers=TOKEN, timeout=30) as client,
    ):
        yield client


def states(store: Store) -> Counter[str]:
    return Counter(store.read_now(lambda c: c.scalars(select(failures.c.state)).all()))


async def test_failures_are_listed_by_what_fits_page_by_page(
    store: Store, api: httpx.AsyncClient
) -> None:
    """The newest first; a page names the next one; nothing is told twice."""
    left = fail(store, 5)
    fail(store, 2, route="steps-to-right", prefix="B", fingerprint="other")

    seen: list[str] = []
    query: dict[str, Any] = {"route": "steps-to-left", "limit": 2}
    while True:
        page = (await api.get("/failures", params=query)).json()
        seen += [each["id"] for each in page["failures"]]
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert left[::-1] == seen

    by_group = (await api.get("/failures", params={"group": "other"})).json()["failures"]
    assert {"B1", "B2"} == {each["subject"] for each in by_group}
    assert [] == (await api.get("/failures", params={"state": "resolved"})).json()["failures"]
    groups = (await api.get("/failures/groups")).json()["groups"]
    assert [("cause", 5), ("other", 2)] == [(g["fingerprint"], g["count"]) for g in groups]
    assert groups[0]["reasons"][0]["zh"]


async def test_one_failure_is_shown_whole_and_masked(store: Store, api: httpx.AsyncClient) -> None:
    """Both payloads, the reason in two languages, versions, history; nothing sealed, nothing in
    clear that is not open: at intake nobody knows which values are personal."""
    version = desk_of(store)._plan.routes["steps-to-left"].version
    given = SEAL.seal(encode_body({"no": "A1", "step": "受理"}))
    (one,) = fail(store, 1, version=version, mapped=given)
    (other,) = fail(store, 1, prefix="B", stage="intake")

    told = (await api.get(f"/failures/{one}")).json()
    assert {"no": "A1", "step": "受理"} == told["mapped"]
    assert (
        told["body"]
        == told["original"]
        == {
            "caseNo": "A1",
            "stepName": "受理",
            "regionCode": "130102",
        }
    )
    assert version == told["failure"]["version"]
    assert {"zh", "en", "at", "code", "facts"} == set(told["failure"]["reasons"][0])
    hidden = {"sealed", "edited", "mapped", "headers"} & set(told["failure"])
    assert not hidden
    masked = (await api.get(f"/failures/{other}")).json()["body"]
    assert {"＊＊＊"} == set(masked.values())


async def test_failures_are_retried_discarded_and_restored(
    store: Store, api: httpx.AsyncClient, changes: list[str]
) -> None:
    """As the command line does it: with who and why, once, and open pages are told."""
    first, second, third = fail(store, 3)

    done = await api.post("/failures/retry", json={"ids": [first], "reason": "mended"})
    again = await api.post("/failures/retry", json={"ids": [first]})
    gone = await api.post("/failures/discard", json={"ids": [second], "reason": "a test"})
    back = await api.post("/failures/restore", json={"ids": [second], "reason": "it was none"})

    assert [[first], [], [second], [second]] == [
        each.json()["done"] for each in (done, again, gone, back)
    ]
    assert {"retrying": 1, "waiting": 2} == states(store)
    acts = select(failure_acts.c.act, failure_acts.c.by, failure_acts.c.reason).where(
        failure_acts.c.failure_id == second
    )
    assert [
        ("failure.discarded", "wang", "a test"),
        ("failure.restored", "wang", "it was none"),
    ] == [tuple(row) for row in store.read_now(lambda c: c.execute(acts).all())]
    assert 4 == len(changes)
    assert third in {row["id"] for row in (await api.get("/failures")).json()["failures"]}


async def test_all_that_fit_are_retried_as_a_job(store: Store, api: httpx.AsyncClient) -> None:
    """A group, without naming each of them."""
    fail(store, 3)
    answer = await api.post("/failures/retry", json={"group": "cause"})
    assert (202, 3) == (answer.status_code, answer.json()["total"])
    job = (await api.get(f"/retry-jobs/{answer.json()['job']}")).json()["job"]
    assert ("running", {"fingerprint": "cause"}) == (job["state"], job["chosen"])


async def test_an_edit_is_validated_and_keeps_the_original(
    store: Store, api: httpx.AsyncClient
) -> None:
    """Every fault is told; then only what is wrong is changed."""
    (one,) = fail(store, 1)

    bad = await api.post(f"/failures/{one}/edit", json={"body": {"caseNo": "A1"}})
    both = await api.post(f"/failures/{one}/edit", json={"body": {}, "set": {}})
    good = await api.post(
        f"/failures/{one}/edit", json={"set": {"stepName": "办结"}, "reason": "by phone"}
    )

    assert 422 == bad.status_code
    assert {"/stepName", "/regionCode"} == {fault["at"] for fault in bad.json()["faults"]}
    assert "api.edit" == both.json()["code"]
    assert 200 == good.status_code
    told = (await api.get(f"/failures/{one}")).json()
    assert ("办结", "受理") == (told["body"]["stepName"], told["original"]["stepName"])
    assert [(1, "wang", "by phone")] == [(e["n"], e["by"], e["reason"]) for e in told["edits"]]


async def test_a_masked_value_is_never_delivered(store: Store, api: httpx.AsyncClient) -> None:
    """Who sends back what a page shows is told so: it is not what the record holds."""
    (one,) = fail(store, 1, stage="intake", resource="step")
    shown = (await api.get(f"/failures/{one}")).json()["body"]

    answer = await api.post(f"/failures/{one}/edit", json={"body": shown})

    assert (422, "failure.masked") == (answer.status_code, answer.json()["code"])
    assert answer.json()["at"]
    assert {"waiting": 1} == states(store)


async def test_a_retry_is_rehearsed_without_effect(store: Store, api: httpx.AsyncClient) -> None:
    """What would be sent where, by the names of its items."""
    ids = fail(store, 2)
    (gone,) = fail(store, 1, prefix="B", route="no-such")

    told = (await api.post("/failures/rehearse", json={"all": True})).json()

    assert {"pass": 2, "fail": 1} == told["counts"]
    by_id = {each["failure_id"]: each for each in told["failures"]}
    assert ["no", "step"] == by_id[ids[0]]["legs"][0]["items"]
    assert "retry.no-route" == by_id[gone]["code"]
    assert {"waiting": 3} == states(store)


async def test_a_failure_is_redirected_to_a_route_that_takes_it(
    store: Store, api: httpx.AsyncClient
) -> None:
    """Not to one that does not; the new failure is linked to the old."""
    (one,) = fail(store, 1)
    nowhere = await api.post(f"/failures/{one}/redirect", json={"route": "x", "reason": "r"})
    sent = await api.post(
        f"/failures/{one}/redirect", json={"route": "steps-to-right", "reason": "moved"}
    )

    assert (422, "redirect.no-route") == (nowhere.status_code, nowhere.json()["code"])
    (new,) = sent.json()["done"]
    told = (await api.get(f"/failures/{one}")).json()["failure"]
    assert ("redirected", new) == (told["state"], told["redirected_to"])


async def test_a_job_is_started_watched_and_changed(store: Store, api: httpx.AsyncClient) -> None:
    """Its steps, its rows in pages with the outcome of each, and who did what with it."""
    fail(store, 5)
    begun = await api.post(
        "/retry-jobs",
        json={"all": True, "steps": [1, 2], "stop_share": 0.5, "reason": "they are back"},
    )
    job_id = begun.json()["job"]["id"]
    assert (201, f"/api/retry-jobs/{job_id}") == (begun.status_code, begun.headers["location"])
    store.write_now(lambda c: claim(c, job_id, 0, 1, now()))

    numbers: list[int] = []
    after: int | None = 0
    while after is not None:
        query = {"after": after, "limit": 2}
        page = (await api.get(f"/retry-jobs/{job_id}/rows", params=query)).json()
        numbers += [row["n"] for row in page["rows"]]
        after = page["next"]
    assert [1, 2, 3, 4, 5] == numbers
    claimed = await api.get(f"/retry-jobs/{job_id}/rows", params={"state": "claimed"})
    assert [1] == [row["n"] for row in claimed.json()["rows"]]

    for change, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        answer = await api.post(f"/retry-jobs/{job_id}/{change}", json={"reason": change})
        assert state == answer.json()["job"]["state"]
    late = await api.post(f"/retry-jobs/{job_id}/resume", json={})
    assert (409, "retry.state") == (late.status_code, late.json()["code"])
    job = (await api.get(f"/retry-jobs/{job_id}")).json()["job"]
    assert ["retry.started", "retry.paused", "retry.resumed", "retry.cancelled"] == [
        act["act"] for act in job["acts"]
    ]
    assert {"wang"} == {act["by"] for act in job["acts"]}
    listed = (await api.get("/retry-jobs", params={"state": "cancelled"})).json()["jobs"]
    assert [job_id] == [each["id"] for each in listed]
    assert {"waiting": 5} == states(store)


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "places"),
    [
        ("/failures/discard", {"ids": ["x"]}, 422, "api.value", {"/reason"}),
        ("/failures/discard", {"ids": [], "reason": "r"}, 422, "api.value", {"/ids"}),
        (
            "/failures/discard",
            {"ids": ["x"], "reason": " "},
            422,
            "failure.reason-needed",
            {"/reason"},
        ),
        ("/failures/retry", {"id": ["x"], "stage": "s"}, 422, "api.value", {"/id", "/stage"}),
        ("/failures/retry", {}, 422, "retry.nothing-chosen", {""}),
        ("/failures/none/edit", {"set": {}}, 404, "failure.unknown", {""}),
        ("/retry-jobs", {"all": True, "steps": ["one"]}, 422, "api.value", {"/steps/0"}),
        ("/retry-jobs", {"all": True, "stop_share": 2}, 422, "retry.policy", {""}),
        ("/retry-jobs", {"all": True}, 409, "retry.nothing-waits", {""}),
        ("/retry-jobs/none/pause", {}, 404, "retry.unknown", {""}),
        ("/retry-jobs/none/explode", {}, 404, "web.not-found", {""}),
        ("/failures/retry", [1], 422, "api.value", {""}),
    ],
)
async def test_what_cannot_be_is_refused_by_name(
    api: httpx.AsyncClient, path: str, body: Any, status: int, code: str, places: set[str]
) -> None:
    """As problem details, every fault at its place, in both languages."""
    answer = await api.post(path, json=body)

    told = answer.json()
    assert (status, code) == (answer.status_code, told["code"])
    assert "application/problem+json" == answer.headers["content-type"]
    assert places == {fault["at"] for fault in told["faults"]}
    assert all(fault["zh"] != fault["en"] != fault["code"] for fault in told["faults"])


@pytest.mark.parametrize("path", ["/failures?limit=0", "/failures?state=odd", "/retry-jobs?x=1"])
async def test_queries_are_checked(api: httpx.AsyncClient, path: str) -> None:
    """A mistyped filter is no empty one."""
    assert (422, "api.value") == ((a := await api.get(path)).status_code, a.json()["code"])


async def test_a_body_that_is_no_json_is_refused(api: httpx.AsyncClient) -> None:
    """And said so."""
    headers = {"content-type": "application/json"}
    answer = await api.post("/failures/retry", content=b"{", headers=headers)
    assert (400, "api.not-json") == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"cookie": f"{CSRF_COOKIE}=mine"},
        {"cookie": f"{CSRF_COOKIE}=mine", CSRF_HEADER: "theirs"},
        {CSRF_HEADER: "mine"},
        {**TOKEN, "sec-fetch-site": "cross-site"},
        {**TOKEN, "origin": "https://evil.example"},
    ],
)
async def test_a_write_without_proof_changes_nothing(
    store: Store, changes: list[str], headers: dict[str, str]
) -> None:
    """As on the console's own pages: cookie and token, and from no other site."""
    (one,) = fail(store, 1)
    async with (
        served(store, changes) as url,
        httpx.AsyncClient(base_url=url, timeout=30) as stranger,
    ):
        answer = await stranger.post("/api/failures/retry", json={"ids": [one]}, headers=headers)
        as_form = await stranger.post("/api/failures/retry", data={"ids": one}, headers=headers)

    assert 403 == answer.status_code == as_form.status_code
    assert {"waiting": 1} == states(store)
    assert [] == changes


async def test_a_database_that_is_away_is_no_fault_of_the_asker(
    store: Store, api: httpx.AsyncClient
) -> None:
    """503, with when to come again."""
    store.write_now(failures.drop)
    answer = await api.get("/failures")
    assert 503 == answer.status_code
    assert answer.json()["code"].startswith("store.")
