"""Routes at run time: releases are applied under flow, agreed on by processes, and rolled back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from hub.follow import Follower, Opened
from hub.plan import Plan
from hub.preview import preview, recorded
from hub.releases import apply, listed, loaded, plan_of, queue_rows, report, running_processes
from hub.store import Store
from hub.topology import bulk_queue, depths
from routes.model import SystemDeclaration
from schemas.errors import Transient
from schemas.receipt import Event
from tests.hub.conftest import Running, System, a_step, eventually, now, running_engine
from tests.hub.site import small_texts
from tests.records import shape

TEXTS = small_texts()
RIGHT = "routes/steps-to-right.yaml"
LEFT = "routes/steps-to-left.yaml"


@pytest.fixture
def kept(database_url: str) -> Iterator[Store]:
    """The records on either database."""
    store = Store(database_url)
    shape(store)
    yield store
    store.close()


def other_words(texts: Mapping[str, str]) -> dict[str, str]:
    """The left route gives its system the step under another name."""
    left = texts[LEFT].replace("step: stepName", "stage: stepName")
    return {**texts, LEFT: left.replace("step: 受理}", "stage: 受理}")}


def without_right(texts: Mapping[str, str]) -> dict[str, str]:
    return {file: text for file, text in texts.items() if file != RIGHT}


async def applied(store: Store, texts: Mapping[str, str]) -> int:
    plan = plan_of(texts)
    return await store.write(lambda c: apply(c, texts, plan, at=now(), by="test"))


def following(running: Running, name: str) -> Follower:
    async def opened(_: Mapping[str, SystemDeclaration]) -> Opened:
        return Opened(running.engine.links)

    async def settled(_: Plan) -> None: ...

    return Follower(
        process=name,
        engine=running.engine,
        store=running.store,
        systems=opened,
        settled=settled,
        clock=now,
    )


@asynccontextmanager
async def flowing(running: Running) -> AsyncIterator[list[str]]:
    """Records keep coming until the block is left; their case numbers."""
    sent: list[str] = []
    stop = asyncio.Event()

    async def send() -> None:
        while not stop.is_set():
            number = f"F{len(sent)}"
            await running.send(a_step(number), key=number)
            sent.append(number)
            await asyncio.sleep(0.005)

    task = asyncio.create_task(send())
    try:
        yield sent
    finally:
        # Not cancelled: a record that is published must also be counted.
        stop.set()
        await task


async def grown(sent: list[str], by: int) -> None:
    wanted = len(sent) + by

    async def count() -> int:
        return len(sent)

    await eventually(count, lambda found: found >= wanted, f"{by} more records")


async def test_a_release_is_applied_under_flow(amqp_url: str, kept: Store) -> None:
    """None lost, none doubled: each case reaches each system once, in the old words or the new."""
    await applied(kept, TEXTS)
    async with running_engine(amqp_url, kept) as running:
        follower = following(running, "one")
        await follower.look()
        async with flowing(running) as sent:
            await grown(sent, 40)
            assert 2 == await applied(kept, other_words(TEXTS))
            await follower.look()
            await grown(sent, 40)
        done = await running.until(Event.DELIVERY_DONE, 2 * len(sent))

        assert 2 == follower.running
        assert 2 * len(sent) == len(done)
        assert sorted(sent) == sorted(str(p["no"]) for p in running.left.payloads)
        assert sorted(sent) == sorted(str(p["no"]) for p in running.right.payloads)
        words = [("stage" in payload) for payload in running.left.payloads]
        assert {True, False} == set(words), "both releases delivered"
        assert all("step" in payload for payload in running.right.payloads)
        assert not await running.failed()


async def test_receipts_tell_which_version_handled_each_message(amqp_url: str, kept: Store) -> None:
    """While a release is applied: who was given the old words tells the old version, and who was
    given the new ones the new; the route that did not change tells one version throughout."""
    await applied(kept, TEXTS)
    before, after = plan_of(TEXTS), plan_of(other_words(TEXTS))
    async with running_engine(amqp_url, kept) as running:
        follower = following(running, "one")
        await follower.look()
        async with flowing(running) as sent:
            await grown(sent, 40)
            await applied(kept, other_words(TEXTS))
            await follower.look()
            await grown(sent, 40)
        done = await running.until(Event.DELIVERY_DONE, 2 * len(sent))
        accepted = await running.until(Event.RECORD_ACCEPTED, len(sent))

    told = {row["message_id"]: row["version"] for row in done if row["route"] == "steps-to-left"}
    of = {True: after, False: before}
    given = {
        delivery.message.id: of["stage" in delivery.payload].routes["steps-to-left"].version
        for delivery in running.left.taken.values()
    }
    assert 2 == len(set(given.values())), "both releases delivered"
    assert given == told
    assert {after.routes["steps-to-right"].version} == {
        row["version"] for row in done if row["route"] == "steps-to-right"
    }
    assert {after.intakes["sender", "step"].version} == {row["version"] for row in accepted}


async def test_two_processes_agree(amqp_url: str, kept: Store) -> None:
    """Both go over to the same release while messages flow; each case reaches each system once."""
    await applied(kept, TEXTS)
    # One partner for both, as there is: what one process has delivered and could not write down
    # before it stopped, the other repeats under the same key.
    partner = System()
    async with (
        running_engine(amqp_url, kept, left=partner) as one,
        running_engine(amqp_url, kept, left=partner) as two,
    ):
        followers = [following(one, "one"), following(two, "two")]
        tasks = [asyncio.create_task(each.run()) for each in followers]
        try:
            started = now()
            async with flowing(one) as sent:
                await applied(kept, other_words(TEXTS))
                await eventually(
                    lambda: kept.read(lambda c: running_processes(c, started)),
                    lambda rows: (
                        [("one", 2), ("two", 2)] == [(r["id"], r["release"]) for r in rows]
                    ),
                    "both on release 2",
                )
                before = len(sent)
                await grown(sent, 20)
            await one.until(Event.DELIVERY_DONE, 2 * len(sent))

            payloads = partner.payloads
            assert sorted(sent) == sorted(str(each["no"]) for each in payloads)
            late = [each for each in payloads if int(str(each["no"])[1:]) > before]
            assert late
            assert all("stage" in each for each in late)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_removed_route_works_off_its_queue(amqp_url: str, kept: Store) -> None:
    """What it had taken is delivered, also by a process that starts after; nothing comes anew."""
    await applied(kept, TEXTS)
    async with running_engine(amqp_url, kept, roles=("pipeline", "ledger")) as running:
        await following(running, "first").look()
        await running.send(a_step("A1"), key="A1")
        await running.until(Event.RECORD_ACCEPTED, 1)
        await applied(kept, without_right(TEXTS))
        # The process ends before it has switched: the next one starts from the new release.
    async with running_engine(amqp_url, kept) as running:
        await following(running, "second").look()
        await running.send(a_step("A2"), key="A2")
        await running.until(Event.DELIVERY_DONE, 3)

        assert ["A1", "A2"] == sorted(str(p["no"]) for p in running.left.payloads)
        assert ["A1"] == [p["no"] for p in running.right.payloads]
        assert ["steps-to-right"] == [route.name for route in running.engine.retired]
        found = await depths(running.broker, ["route.steps-to-right"])
        assert 0 == found["route.steps-to-right"][0]


async def test_a_new_route_gets_messages_from_then_on(amqp_url: str, kept: Store) -> None:
    """Not those that were published before it."""
    await applied(kept, without_right(TEXTS))
    plan = plan_of(without_right(TEXTS))
    async with running_engine(amqp_url, kept, plan=plan) as running:
        follower = following(running, "one")
        await follower.look()
        await running.send(a_step("A1"), key="A1")
        await running.until(Event.DELIVERY_DONE, 1)
        await applied(kept, TEXTS)
        await follower.look()
        await running.send(a_step("A2"), key="A2")
        await running.until(Event.DELIVERY_DONE, 3)

        assert ["A2"] == [payload["no"] for payload in running.right.payloads]


async def test_going_back_is_a_new_number(kept: Store) -> None:
    """Nothing that was live is ever rewritten."""
    await applied(kept, TEXTS)
    await applied(kept, other_words(TEXTS))
    first = await kept.read(lambda c: loaded(c, 1))

    assert 3 == await applied(kept, first.texts)

    rows = await kept.read(listed)
    assert [3, 2, 1] == [row["number"] for row in rows]
    assert rows[0]["digest"] == rows[2]["digest"] != rows[1]["digest"]
    assert dict(TEXTS) == (await kept.read(lambda c: loaded(c, 3))).texts


async def test_what_cannot_be_taken_up_leaves_the_process_as_it_is(
    amqp_url: str, kept: Store
) -> None:
    """A release that this process cannot compile, as one of newer software would be."""
    await applied(kept, TEXTS)
    async with running_engine(amqp_url, kept) as running:
        follower = following(running, "one")
        await follower.look()
        strange = {**TEXTS, LEFT: TEXTS[LEFT] + "\nnever-heard-of: 1\n"}
        plan = plan_of(TEXTS)
        await kept.write(lambda c: apply(c, strange, plan, at=now(), by="test"))
        started = now()
        await follower.look()

        assert 1 == follower.running
        rows = await kept.read(lambda c: running_processes(c, started))
        assert [("one", 1, "declaration.invalid")] == [
            (r["id"], r["release"], r["code"]) for r in rows
        ]
        await running.send(a_step("A1"), key="A1")
        await running.until(Event.DELIVERY_DONE, 2)


async def test_a_preview_tells_what_a_draft_would_change(amqp_url: str, kept: Store) -> None:
    """Routes that gain and lose messages, payloads that differ; no value is told."""
    live = plan_of(TEXTS)
    async with running_engine(amqp_url, kept, plan=live) as running:
        await running.send(a_step("A1"), key="A1")
        await running.send(a_step("A2", region="130104"), key="A2")
        await running.until(Event.DELIVERY_DONE, 2)
        await running.until(Event.MESSAGE_PUBLISHED, 2)
        rows = await kept.read(lambda c: recorded(c, now() - timedelta(hours=1), 100))
        elsewhere = TEXTS[RIGHT].replace('["130102"]', '["130104"]')
        draft = plan_of({**other_words(TEXTS), RIGHT: elsewhere})
        calls = len(running.left.calls) + len(running.right.calls)
        found = preview(rows, {}, running.engine.seal, live, draft)

        subjects = {row["message_id"]: row["subject"] for row in rows}
        assert {
            ("A1", "steps-to-left", "differs", ("/stage", "/step")),
            ("A1", "steps-to-right", "lost", ()),
            ("A2", "steps-to-right", "gained", ()),
        } == {(subjects[c.message_id], c.route, c.what, c.items) for c in found.changes}
        assert (2, 0, 3) == (found.messages, found.unreadable, len(found.changes))
        assert not preview(rows, {}, running.engine.seal, live, live).changes
        assert calls == len(running.left.calls) + len(running.right.calls)


async def settled(running: Running, follower: Follower, queue: str) -> None:
    """Until *queue* is deleted, looking as the follower does each minute."""

    async def look() -> bool:
        await follower.look()
        await follower.tidy()
        return queue not in await depths(running.broker, [queue])

    await eventually(look, bool, f"{queue} deleted")


async def test_a_retired_queue_is_deleted_a_release_later(amqp_url: str, kept: Store) -> None:
    """Not by the release that removes its route, so that going back finds it; not while a process is
    behind, a message waits in it or on its ladder; and a route of its name begins anew."""
    queue = "route.steps-to-right"
    await applied(kept, TEXTS)
    async with running_engine(amqp_url, kept) as running:
        follower = following(running, "one")
        await follower.look()
        running.right.trouble = lambda _: Transient("target.busy", "Later", after_s=10)
        await running.send(a_step("A1"), key="A1")
        await running.until(Event.DELIVERY_RETRYING, 1)
        await applied(kept, without_right(TEXTS))
        await follower.look()
        await follower.tidy()
        both = {queue, bulk_queue(queue)}
        assert both == set(await depths(running.broker, [*both])), "unused for no release yet"

        await applied(kept, without_right(TEXTS))
        await follower.look()
        await follower.tidy()
        assert queue in await depths(running.broker, [queue]), "one waits on its ladder"
        running.right.trouble = lambda _: None
        await running.until(Event.DELIVERY_DONE, 2)

        await kept.write(lambda c: report(c, "another", 1, "", now()))
        await follower.tidy()
        assert queue in await depths(running.broker, [queue]), "a process is behind"
        await kept.write(lambda c: report(c, "another", 3, "", now()))
        await settled(running, follower, queue)
        assert {} == await depths(running.broker, [*both])
        assert "steps-to-right" not in {row.route for row in await kept.read(queue_rows)}

        await applied(kept, TEXTS)
        await follower.look()
        await running.send(a_step("A2"), key="A2")
        await running.until(Event.DELIVERY_DONE, 4)
        assert ["A1", "A2"] == [payload["no"] for payload in running.right.payloads]
