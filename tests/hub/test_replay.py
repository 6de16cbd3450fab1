"""Recorded messages sent once more: from the history or the ledger, in order, with effect once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, event
from sqlalchemy.exc import OperationalError

from hub.broker import Broker, Incoming, Outgoing, acknowledge
from hub.convert import convert
from hub.envelope import Taken, encode_message
from hub.ids import new_id, new_trace
from hub.replay import Replay, Wanted
from hub.store import Store, replays
from hub.store.replays import Job
from hub.store.tables import payloads
from hub.topology import HISTORY, Binding, declare, depths, service_queue
from schemas.errors import HubError, Misconfigured, Rejected, Transient
from schemas.message import Record, SystemCode
from schemas.receipt import Event
from tests.hub.conftest import Running, a_step, eventually, now, running_engine
from tests.hub.ledger_rows import whole
from tests.records import shape

COUNT = 12
SOURCES = ("history", "ledger")
NEW = Binding(service_queue("new"), ())  # fed by the replay alone


async def _delivered(running: Running, count: int = COUNT) -> datetime:
    """Messages A0 to A11, delivered everywhere; returns when the first was sent."""
    since = now()
    for n in range(count):
        await running.send(a_step(f"A{n}"))
    await running.until(Event.DELIVERY_DONE, 2 * count)
    await running.until(Event.MESSAGE_PUBLISHED, count)
    return since


async def _in_order_of(running: Running, source: str) -> list[str]:
    """Ids of what was published, as *source* keeps them: the stream as they came from the pipeline,
    the ledger by their times. Messages of different subjects may pass each other before."""
    published = await running.rows(Event.MESSAGE_PUBLISHED)
    if source == "ledger":
        published = sorted(published, key=lambda row: row["at"])
    return [row["message_id"] for row in published]


def _replay(running: Running, **more: Any) -> Replay:
    engine = running.engine
    return Replay(engine.broker, engine.store, engine.seal, engine.plan, now, **more)


def _wanted(since: datetime, **told: Any) -> Wanted:
    usual: dict[str, Any] = {"resource": "caseStep", "until": now(), "step": "stream", "by": "wang"}
    told = usual | told
    return Wanted(since=since, **told)


async def _run(running: Running, wanted: Wanted) -> Job:
    replay = _replay(running)
    return await replay.run(await replay.begin(wanted))


async def _taken(running: Running, queue: str, count: int) -> Sequence[Incoming]:
    found: list[Incoming] = []
    async with running.broker.consumer(queue, prefetch=500) as consumer, asyncio.timeout(15):
        while len(found) < count:
            batch = await consumer.batch(100)
            await acknowledge(batch)
            found += batch
    return found


@asynccontextmanager
async def _with_new(url: str, store: Store) -> AsyncIterator[Running]:
    async with running_engine(url, store) as running:
        await declare(running.broker, [NEW])
        yield running


@pytest.mark.parametrize("source", SOURCES)
async def test_a_new_subscriber_gets_all_of_before(
    amqp_url: str, database_url: str, source: str
) -> None:
    """In order, with their ids and bodies as they were, marked; in no other queue."""
    store = Store(database_url)
    shape(store)
    async with _with_new(amqp_url, store) as running:
        since = await _delivered(running)

        job = await _run(running, _wanted(since, step="service", place="new", source=source))

        assert ("done", COUNT, 0) == (job.state, job.sent, job.skipped)
        got = await _taken(running, NEW.queue, COUNT)
        published = await running.rows(Event.MESSAGE_PUBLISHED)
        ids = [each.headers["cloudEvents:id"] for each in got]
        assert await _in_order_of(running, source) == ids
        assert {job.id} == {each.headers["x-replay"] for each in got}
        assert {"wang"} == {each.headers["x-replayed-by"] for each in got}
        digests = {row["message_id"]: row["digest"] for row in published}
        for each in got:
            assert digests[each.headers["cloudEvents:id"]] == each.headers["cloudEvents:digest"]
            assert b"caseNo" in each.body
        told = await running.until(Event.MESSAGE_REPLAYED, COUNT)
        assert {("wang", job.id, "new")} == {(r["by"], r["number"], r["route"]) for r in told}
        assert COUNT == len(running.left.calls) == len(running.right.calls)
        await running.until(Event.REPLAY_DONE, 1)
        assert whole(store)
    store.close()


@pytest.mark.parametrize("source", SOURCES)
async def test_both_sources_tell_the_same(amqp_url: str, store: Store, source: str) -> None:
    """Header by header, what the ledger rebuilds is what the stream holds."""
    async with _with_new(amqp_url, store) as running:
        await declare(running.broker, [Binding(service_queue("live"), ("caseStep.*",))])
        since = await _delivered(running, 3)
        live = {
            str(m.headers["cloudEvents:id"]): m for m in await _taken(running, "service.live", 3)
        }

        await _run(running, _wanted(since, step="service", place="new", source=source))

        for each in await _taken(running, NEW.queue, 3):
            first = live[str(each.headers["cloudEvents:id"])]
            marks = ("x-replay", "x-replayed-by")
            assert dict(first.headers) == {k: v for k, v in each.headers.items() if k not in marks}
            assert first.body == each.body


@pytest.mark.parametrize("source", SOURCES)
async def test_a_route_that_had_it_takes_no_effect_twice(
    amqp_url: str, store: Store, source: str
) -> None:
    """The system is asked again under the same key, holds it once, and its neighbour is not asked."""
    async with running_engine(amqp_url, store) as running:
        since = await _delivered(running)

        await _run(running, _wanted(since, step="route", place="steps-to-left", source=source))

        async def calls() -> int:
            return len(running.left.calls)

        await eventually(calls, lambda many: many == 2 * COUNT, "every message again")
        assert COUNT == len(running.left.taken)
        assert COUNT == len(running.right.calls)
        assert 2 * COUNT == len(await running.rows(Event.DELIVERY_DONE))


@pytest.mark.parametrize("step", ["stream", "intake"])
async def test_from_an_earlier_step(amqp_url: str, store: Store, step: str) -> None:
    """Through the stream, or validated again: every route is asked again, nothing is doubled; a
    second replay from the history does not send the first one's messages too."""
    async with running_engine(amqp_url, store) as running:
        since = await _delivered(running)
        until = now()

        await _run(running, _wanted(since, until=until, step=step, source="ledger"))

        async def calls() -> tuple[int, int]:
            return len(running.left.calls), len(running.right.calls)

        again = (2 * COUNT, 2 * COUNT)
        await eventually(calls, lambda many: many == again, "every message again")
        assert COUNT == len(running.left.taken) == len(running.right.taken)
        assert COUNT == len(await running.rows(Event.MESSAGE_PUBLISHED))
        assert not await running.failed()


async def test_messages_of_a_replay_are_not_history(amqp_url: str, store: Store) -> None:
    """Published again to the stream, they stand in it twice; a replay sends each once."""
    async with _with_new(amqp_url, store) as running:
        since = await _delivered(running, 5)
        await _run(running, _wanted(since, step="stream", source="history"))

        job = await _run(running, _wanted(since, step="service", place="new", source="history"))

        assert 5 == job.sent


async def test_a_strangers_message_is_not_sent_on(amqp_url: str, store: Store) -> None:
    """Put into the history by somebody who got at the broker: a replay does not sign it for him."""
    async with _with_new(amqp_url, store) as running:
        since = await _delivered(running, 2)
        at = now()
        taken = Taken(
            id=new_id(at),
            system=SystemCode("sender"),
            received_at=at,
            traceparent=new_trace(),
            record=Record(kind="step", key="", body=a_step("forged")),
        )
        headers, body = encode_message(convert(taken, running.engine.plan).messages[0])
        async with Broker(amqp_url, name="stranger") as line, line.publisher() as stranger:
            await stranger.publish(Outgoing("", HISTORY, body, headers))

        job = await _run(running, _wanted(since, step="service", place="new", source="history"))

        assert 2 == job.sent
        got = await _taken(running, NEW.queue, 2)
        assert ["A0", "A1"] == sorted(m.headers["cloudEvents:subject"] for m in got)
        for each in got:
            running.broker.check(each)


class _Cut(Exception):
    """The operator's terminal is closed."""


@pytest.mark.parametrize("source", SOURCES)
async def test_an_interrupted_replay_goes_on(amqp_url: str, store: Store, source: str) -> None:
    """After each of its first lots it dies; resumed, it sends the rest, in order, each once."""
    async with _with_new(amqp_url, store) as running:
        since = await _delivered(running)

        def die(_: Job) -> None:
            raise _Cut

        dying, sound = _replay(running, told=die), _replay(running)
        job = await sound.begin(_wanted(since, step="service", place="new", source=source))
        sent = [0]
        for _ in (1, 2):
            with pytest.raises(_Cut):
                # Five a second: lots of five, or of what the stream had ready.
                await dying.run(await dying.resume(job.id), pace=5)
            sent.append((await sound.resume(job.id)).sent)
        assert sent[0] < sent[1] < sent[2] <= 10
        done = await sound.run(await sound.resume(job.id))

        assert ("done", COUNT) == (done.state, done.sent)
        got = [m.headers["cloudEvents:id"] for m in await _taken(running, NEW.queue, COUNT)]
        assert await _in_order_of(running, source) == got
        assert 0 == (await depths(running.broker, [NEW.queue]))[NEW.queue][0]


@pytest.mark.parametrize("source", SOURCES)
async def test_it_dies_before_it_has_kept_how_far_it_got(
    amqp_url: str, store: Store, source: str
) -> None:
    """Sent and confirmed, not remembered: the lot comes again, and takes no effect twice."""

    def lose(_: Any, __: Any, statement: str, *___: Any) -> None:
        if statement.startswith("UPDATE replays"):
            raise OperationalError(statement, {}, OSError("disk I/O error"))

    async with running_engine(amqp_url, store) as running:
        since = await _delivered(running)
        replay = _replay(running)
        wanted = _wanted(since, step="route", place="steps-to-left", source=source)
        job = await replay.begin(wanted)
        event.listen(store.engine, "before_cursor_execute", lose)
        with pytest.raises(Transient):
            await replay.run(job)
        event.remove(store.engine, "before_cursor_execute", lose)

        done = await replay.run(await replay.resume(job.id))

        async def subjects() -> set[str]:
            return {call.message.subject for call in running.left.calls[COUNT:]}

        assert COUNT == done.sent
        wanted_subjects = {f"A{n}" for n in range(COUNT)}
        await eventually(subjects, lambda got: got == wanted_subjects, "every message again")
        assert COUNT == len(running.left.taken)
        assert whole(store)


async def test_a_replay_keeps_its_pace(amqp_url: str, store: Store) -> None:
    """Twelve at ten a second: the second lot waits for the second second."""
    async with _with_new(amqp_url, store) as running:
        since = await _delivered(running)
        replay = _replay(running)
        job = await replay.begin(_wanted(since, step="service", place="new", source="ledger"))
        loop = asyncio.get_running_loop()
        began = loop.time()

        await replay.run(job, pace=10)

        assert 1.0 <= loop.time() - began


async def test_a_span_is_kept_to(amqp_url: str, store: Store) -> None:
    """Only what came since then and before then; the count says so beforehand."""
    async with _with_new(amqp_url, store) as running:
        await _delivered(running, 3)
        middle = now()
        for n in range(3, 7):
            await running.send(a_step(f"A{n}"))
        await running.until(Event.MESSAGE_PUBLISHED, 7)
        end = now()
        await running.send(a_step("A7"))
        await running.until(Event.MESSAGE_PUBLISHED, 8)

        for source in SOURCES:
            wanted = _wanted(middle, until=end, step="service", place="new", source=source)
            assert (4, 4) == await _replay(running).count(wanted)
            await _run(running, wanted)
            got = [m.headers["cloudEvents:subject"] for m in await _taken(running, NEW.queue, 4)]
            assert ["A3", "A4", "A5", "A6"] == got


async def test_a_message_without_its_body_is_passed_over(amqp_url: str, store: Store) -> None:
    """Retention dropped it: counted, and the others are sent."""
    async with _with_new(amqp_url, store) as running:
        since = await _delivered(running, 3)
        digest = (await running.rows(Event.MESSAGE_PUBLISHED))[1]["digest"]
        gone = delete(payloads).where(payloads.c.digest == digest)
        await store.write(lambda c: c.execute(gone))

        wanted = _wanted(since, step="service", place="new", source="ledger")
        assert (3, 2) == await _replay(running).count(wanted)
        job = await _run(running, wanted)

        assert (2, 1) == (job.sent, job.skipped)


async def test_auto_takes_the_ledger_where_the_history_is_too_young(
    amqp_url: str, store: Store
) -> None:
    """And the history where it reaches back to the beginning of the span."""
    async with _with_new(amqp_url, store) as running:
        before = now() - timedelta(days=1)
        await _delivered(running, 2)
        after = now()
        told = {"step": "service", "place": "new"}

        old = await _replay(running).begin(_wanted(before, **told))
        young = await _replay(running).begin(_wanted(after, until=now() + timedelta(1), **told))

        assert ("ledger", "history") == (old.source, young.source)


REFUSED: dict[str, tuple[dict[str, Any], type[HubError], str]] = {
    "resource": ({"resource": "nothing"}, Rejected, "record.unknown-resource"),
    "route": ({"step": "route", "place": "no"}, Rejected, "replay.no-route"),
    "queue": ({"step": "service", "place": "no"}, Misconfigured, "replay.no-queue"),
    "step": ({"step": "sideways"}, Rejected, "replay.step"),
    "span": ({"until": now() - timedelta(days=9)}, Rejected, "replay.span"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_cannot_be_replayed(running: Running, what: str) -> None:
    """Refused before anything is sent, with a code that says why."""
    told, kind, code = REFUSED[what]

    with pytest.raises(kind) as refused:
        await _replay(running).begin(_wanted(now() - timedelta(days=1), **told))

    assert code == refused.value.code
    assert () == tuple(await running.store.read(replays.listed))
