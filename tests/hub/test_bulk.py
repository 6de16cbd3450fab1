"""Interactive before bulk at a destination: a load of thousands, and one that somebody waits for (issue 3)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from hub.broker import Broker
from hub.envelope import Taken
from hub.ids import new_id, new_trace
from hub.intake import taken_in
from hub.plan import Plan
from hub.releases import plan_of
from hub.replay import Replay, Wanted
from hub.store import Store
from hub.topology import depths
from schemas.errors import Misconfigured, Transient
from schemas.message import Record, SystemCode
from schemas.receipt import Event
from tests.hub.conftest import Running, System, a_step, eventually, now, running_engine
from tests.hub.failing import a_runner, fail, start
from tests.hub.mortal_delivery import Mortal, taken
from tests.hub.site import SYSTEM, small_plan, small_texts

LEFT, LEFT_BULK = "route.steps-to-left", "route.steps-to-left:bulk"
BACKLOG, PARALLEL = 2000, 4


@cache
def nightly_plan() -> Plan:
    """The small site, and one more system that sends steps: declared as bulk."""
    texts = small_texts()
    sender = texts["intakes/sender.step.yaml"]
    texts["systems/nightly.yaml"] = SYSTEM.format(name="nightly") + "bulk: true\n"
    texts["intakes/nightly.step.yaml"] = sender.replace("sender.step", "nightly.step")
    # One route is enough here.
    return plan_of({f: text for f, text in texts.items() if "steps-to-right" not in f})


async def load(running: Running, count: int) -> None:
    """As many records of the system that is bulk."""
    at = now()
    await running.publisher.publish_all(
        taken_in(
            Taken(
                id=new_id(at),
                system=SystemCode("nightly"),
                received_at=at,
                traceparent=new_trace(),
                record=Record(kind="step", key=f"b{n}", body=a_step(f"b{n}")),
            ),
            nightly_plan(),
        )
        for n in range(count)
    )


async def waiting(broker: Broker) -> tuple[int, int]:
    """In the route's queue, and in its second one."""
    found = await depths(broker, [LEFT, LEFT_BULK])
    return found[LEFT][0], found[LEFT_BULK][0]


async def until_waiting(broker: Broker, wanted: tuple[int, int]) -> None:
    await eventually(lambda: waiting(broker), lambda found: found == wanted, f"{wanted} waiting")


def numbers(system: System) -> list[str]:
    return [str(delivery.payload["no"]) for delivery in system.calls]


async def test_one_that_somebody_waits_for_goes_before_thousands(
    amqp_url: str, store: Store
) -> None:
    """It comes when two thousand of a nightly load wait for the same system, and is called next,
    after what was under way; then the load goes on, and all of it arrives, once."""
    plan, left = nightly_plan(), System()
    left.gate = asyncio.Event()
    async with running_engine(amqp_url, store, plan=plan, left=left) as running:
        await load(running, BACKLOG)

        async def under_way() -> int:
            return len(left.calls)

        await eventually(under_way, lambda calls: calls == PARALLEL, "the first calls")
        await running.until(Event.RECORD_ACCEPTED, BACKLOG)
        await running.send(a_step("citizen"))
        await running.until(Event.RECORD_ACCEPTED, BACKLOG + 1)
        await eventually(lambda: waiting(running.broker), lambda found: not found[0], "taken up")
        assert (await waiting(running.broker))[1] > BACKLOG // 2

        left.gate.set()
        left.gate = None
        await running.until(Event.DELIVERY_DONE, BACKLOG + 1)

        # The worker may have had it in hand and not in line yet as the gate was opened.
        assert "citizen" in numbers(left)[: 4 * PARALLEL]
        everybody = sorted(["citizen", *(f"b{n}" for n in range(BACKLOG))])
        assert everybody == sorted(numbers(left))
        assert (0, 0) == await waiting(running.broker)


async def test_what_is_bulk_stays_so_when_it_is_tried_again(amqp_url: str, store: Store) -> None:
    """By the ladder, and back from a route that has halted, it comes to the second queue again."""
    left = System()
    away = Misconfigured("target.denied", "Wrong key")
    answers = iter([Transient("target.busy", "Later", in_doubt=True)])
    left.trouble, left.ill = lambda _: next(answers, away), away
    async with running_engine(amqp_url, store, plan=nightly_plan(), left=left) as running:
        await load(running, 1)
        await running.until(Event.DELIVERY_RETRYING, 1)

        await until_waiting(running.broker, (0, 1))
        assert [1, 2] == [delivery.attempt for delivery in left.calls]
        await running.send(a_step("citizen"))
        await until_waiting(running.broker, (1, 1))


async def test_a_replay_is_bulk(amqp_url: str, store: Store) -> None:
    """To a route, to the streams, and through intake: what it sends waits in the second queue."""
    since = now() - timedelta(hours=1)
    roles = ("pipeline", "ledger")
    async with running_engine(amqp_url, store, roles=roles) as running:
        await running.send(a_step("A1"))
        await running.until(Event.MESSAGE_PUBLISHED, 1)
        await until_waiting(running.broker, (1, 0))
        engine = running.engine
        replay = Replay(running.broker, store, engine.seal, engine.plan, now)
        for count, (step, place) in enumerate(
            [("route", "steps-to-left"), ("stream", ""), ("intake", "")]
        ):
            wanted = Wanted(
                resource="caseStep",
                since=since,
                until=now() + timedelta(hours=1),
                step=step,
                place=place,
                source="ledger",
            )
            await replay.run(await replay.begin(wanted))
            await until_waiting(running.broker, (1, count + 1))


@pytest.mark.parametrize(("rows", "wanted"), [(100, (100, 0)), (101, (0, 101))])
async def test_a_large_retry_job_is_bulk(
    amqp_url: str, store: Store, rows: int, wanted: tuple[int, int]
) -> None:
    """More than a hundred failures sent again wait for others; a few, which somebody looks at, do not."""
    async with running_engine(amqp_url, store, roles=()) as running:
        fail(store, rows)
        await start(store, steps=(), stop_share=1.0, step_timeout_s=0.0)
        runner = asyncio.create_task(a_runner(running).run())

        await until_waiting(running.broker, wanted)
        runner.cancel()
        await asyncio.gather(runner, return_exceptions=True)


async def test_a_route_in_order_has_one_queue(amqp_url: str, store: Store) -> None:
    """What is bulk and what is not stays in the order in which it came, of one subject above all."""
    left = System()
    plan = small_plan("order_by: subject")
    async with running_engine(amqp_url, store, plan=plan, left=left) as running:
        for n in range(40):
            body = {"bh": "A1", "hj": f"{n}", "qh": "130102"}
            await running.send(body, key=f"{n}", bulk=n < 20)
            if n == 19:
                await running.until(Event.RECORD_ACCEPTED, 20)
        await running.until(Event.DELIVERY_DONE, 80)

        assert [f"{n}" for n in range(40)] == [call.payload["step"] for call in left.calls]
        assert LEFT_BULK not in await depths(running.broker, [LEFT_BULK])


async def test_killed_with_both_queues_full(
    amqp_url: str, store: Store, sqlite_url: str, tmp_path: Path
) -> None:
    """``kill -9`` of the worker, three times: what it had in hand of either queue comes again, and the
    system holds each message once."""
    cases = [f"{kind}{n}" for kind in "ob" for n in range(300)]
    mortal = Mortal(amqp_url, sqlite_url, "", tmp_path)
    async with running_engine(amqp_url, store, roles=("pipeline", "ledger")) as running:
        for case in cases:
            await running.send(a_step(case), bulk=case.startswith("b"))
        await until_waiting(running.broker, (300, 300))
        for share in (0.25, 0.5, 0.75, 1.0):
            process = mortal.start()
            try:
                await _until_held(tmp_path, round(len(cases) * share))
            finally:
                process.kill()
                await asyncio.to_thread(process.join)
                process.close()

        assert sorted((case, "受理") for case in cases) == sorted(taken(tmp_path))
        # What it had delivered and not acknowledged as it was killed is there still.
        async with running_engine(amqp_url, store, roles=("delivery",)):
            await until_waiting(running.broker, (0, 0))
            await running.until(Event.DELIVERY_DONE, 2 * len(cases))
        assert not await running.failed()


async def _until_held(folder: Path, count: int) -> None:
    async def held() -> int:
        return len(taken(folder))

    await eventually(held, lambda found: found >= count, f"{count} delivered", within_s=40)
