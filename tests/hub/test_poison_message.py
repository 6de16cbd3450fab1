"""A message that kills every process which delivers it: it alone is given up (design §3)."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hub.broker import SUSPECT_AFTER, Broker, Outgoing
from hub.convert import convert
from hub.envelope import Taken, encode_message
from hub.failure_desk import FailureDesk
from hub.ids import new_id, new_trace
from hub.store import Store
from hub.store.suspects import given_up, key_of, note
from hub.suspects import DEATHS
from schemas.message import Record, SystemCode
from tests.hub.conftest import Running, a_step, eventually, now, running_engine
from tests.hub.failing import SEAL
from tests.hub.mortal_delivery import LATER, POISON, Mortal, deadly_service, taken
from tests.hub.site import small_plan

ROLES = ("pipeline", "ledger")
GOOD = [(f"A{n % 5}", str(n)) for n in range(24)]
BEHIND = [("P", "1"), ("P", "2")]
Steps = Sequence[tuple[str, str]]


async def _until_given_up(running: Running, mortal: Mortal, there: Steps) -> int:
    """Deliver, process after process, until the poison is a failure and the system holds *there*;
    returns how many processes died."""
    deaths = 0

    async def settled() -> bool:
        return not process.is_alive() or (
            bool(await running.failed()) and set(there) <= set(taken(mortal.folder))
        )

    while True:
        process = mortal.start()
        try:
            await eventually(settled, bool, "a death, or the poison given up", within_s=40)
            if process.is_alive():
                return deaths
            assert -signal.SIGKILL == process.exitcode
            deaths += 1
        finally:
            process.kill()
            await asyncio.to_thread(process.join)
            process.close()


@asynccontextmanager
async def _set_out(amqp_url: str, store: Store, steps: Steps, order: str) -> AsyncIterator[Running]:
    plan = small_plan(order)
    async with running_engine(amqp_url, store, plan=plan, roles=ROLES) as running:
        for number, step in steps:
            await running.send({"bh": number, "hj": step, "qh": "130102"})
        yield running


@pytest.mark.parametrize(
    ("order", "waits"),
    [
        ("", []),
        ("order_by: subject", BEHIND),
        ("order_by: route", [*GOOD[12:], *BEHIND]),
    ],
    ids=["unordered", "by-subject", "by-route"],
)
async def test_only_the_poison_is_a_failure(
    order: str, waits: Steps, amqp_url: str, store: Store, sqlite_url: str, tmp_path: Path
) -> None:
    """It stands between good ones and before later ones of its subject. After five deaths it alone is
    in the failure store; what the route's order holds behind it waits for a person, and then comes."""
    steps = [*GOOD[:12], ("P", POISON), *GOOD[12:], *BEHIND]
    mortal = Mortal(amqp_url, sqlite_url, order, tmp_path)
    there = [each for each in (*GOOD, *BEHIND) if each not in waits]
    async with _set_out(amqp_url, store, steps, order) as running:
        assert SUSPECT_AFTER + DEATHS == await _until_given_up(running, mortal, there)
        (failure,) = await running.failed()
        told = ("route", "steps-to-left", "broker.delivery-limit", "P")
        assert told == tuple(failure[name] for name in ("stage", "route", "code", "subject"))
        assert set(there) == set(taken(tmp_path))

        await FailureDesk(store, SEAL, small_plan(order), now).discard(
            [failure["id"]], "poison", "me"
        )
        assert 0 == await _until_given_up_is_over(running, mortal)
        found = taken(tmp_path)
        assert sorted((*GOOD, *BEHIND)) == sorted(found)
        for number in {number for number, _ in found} if order else ():
            assert [each for each in (*GOOD, *BEHIND) if each[0] == number] == [
                each for each in found if each[0] == number
            ]


async def _until_given_up_is_over(running: Running, mortal: Mortal) -> int:
    """Deliver what waited behind it; returns how many processes died."""
    process = mortal.start()

    async def all_there() -> bool:
        return not process.is_alive() or len(taken(mortal.folder)) == len(GOOD) + len(BEHIND)

    try:
        await eventually(all_there, bool, "all the others")
        assert not await running.failed()
        return int(not process.is_alive())
    finally:
        process.kill()
        await asyncio.to_thread(process.join)
        process.close()


@pytest.mark.parametrize(
    "order",
    ["", "order_by: subject", "order_by: route"],
    ids=["unordered", "by-subject", "by-route"],
)
async def test_killed_while_giving_up(
    order: str, amqp_url: str, store: Store, sqlite_url: str, tmp_path: Path
) -> None:
    """It stands in the failure store, and is not acknowledged yet. A person discards it before the
    next process comes: that one finds nothing new, and holds nothing."""
    steps = [*GOOD[:12], ("P", POISON), *GOOD[12:], *BEHIND]
    mortal = Mortal(amqp_url, sqlite_url, order, tmp_path, at_end=True)
    async with _set_out(amqp_url, store, steps, order) as running:
        for _ in range(SUSPECT_AFTER + DEATHS + 1):
            assert -signal.SIGKILL == await _until_dead(mortal)
        (failure,) = await eventually(running.failed, bool, "the poison given up")
        assert ("broker.delivery-limit", "P") == (failure["code"], failure["subject"])

        await FailureDesk(store, SEAL, small_plan(order), now).discard(
            [failure["id"]], "poison", "me"
        )
        assert 0 == await _until_given_up_is_over(running, mortal)
        assert sorted((*GOOD, *BEHIND)) == sorted(taken(tmp_path))


async def _until_dead(mortal: Mortal) -> int | None:
    process = mortal.start()
    try:
        await asyncio.to_thread(process.join, 40)
        return process.exitcode
    finally:
        process.kill()
        await asyncio.to_thread(process.join)
        process.close()


async def test_a_stranger_with_the_id_of_one_that_was_given_up(amqp_url: str, store: Store) -> None:
    """The note of a process that died while giving up is still there: what bears the same id and nobody
    of the hub has signed is a stranger's all the same, and no retry would sign it."""
    async with running_engine(amqp_url, store) as running:
        at = now()
        record = Record(kind="step", key="", body=a_step("forged"))
        taken_up = Taken(
            id=new_id(at),
            system=SystemCode("sender"),
            received_at=at,
            traceparent=new_trace(),
            record=record,
        )
        message = convert(taken_up, running.engine.plan).messages[0]
        headers, body = encode_message(message)
        key = key_of("steps-to-left", message.id)
        store.write_now(lambda c: note(c, key, now()))
        store.write_now(lambda c: given_up(c, key))
        headers["x-delivery-count"] = SUSPECT_AFTER
        async with Broker(amqp_url, name="stranger") as line, line.publisher() as stranger:
            await stranger.publish(Outgoing("", "route.steps-to-left", body, headers))

        (failure,) = await eventually(running.failed, bool, "the stranger's message kept")
        assert "envelope.signature" == failure["code"]
        assert message.id != failure["message_id"]


async def test_one_that_waited_and_then_kills(
    amqp_url: str, store: Store, sqlite_url: str, tmp_path: Path
) -> None:
    """The system was busy with it and with others at first: all of them wait in the database, and are
    taken up again together. Nobody's queue counts these deaths; it alone is given up all the same."""
    others = [(f"B{n}", LATER) for n in range(3)]
    steps = [*others, ("P", f"{LATER}{POISON}"), *BEHIND]
    mortal = Mortal(amqp_url, sqlite_url, "order_by: subject", tmp_path)
    async with _set_out(amqp_url, store, steps, mortal.order) as running:
        assert SUSPECT_AFTER + DEATHS == await _until_given_up(running, mortal, others)
        (failure,) = await running.failed()
        assert ("broker.delivery-limit", "P") == (failure["code"], failure["subject"])
        assert sorted(others) == sorted(taken(tmp_path))


@pytest.mark.parametrize("order", ["", "order_by: subject"], ids=["unordered", "by-subject"])
async def test_one_that_kills_whoever_checks_its_signature(
    order: str, amqp_url: str, store: Store, sqlite_url: str, tmp_path: Path
) -> None:
    """One death more than other poison: the last one is of the check before it is given up. Nobody
    knows who sent it, so it holds no subject, and no retry sends it again."""
    steps = [*GOOD[:12], ("P", POISON), *GOOD[12:], *BEHIND]
    mortal = Mortal(amqp_url, sqlite_url, order, tmp_path, by_check=True)
    async with _set_out(amqp_url, store, steps, order) as running:
        deaths = await _until_given_up(running, mortal, [*GOOD, *BEHIND])

        assert SUSPECT_AFTER + DEATHS + 1 == deaths
        (failure,) = await running.failed()
        assert ("route", "envelope.unchecked") == (failure["stage"], failure["code"])
        desk = FailureDesk(store, SEAL, running.engine.plan, now)
        assert not await desk.retry([failure["id"]], "tester")


async def test_one_that_kills_a_service(
    amqp_url: str, store: Store, sqlite_url: str, tmp_path: Path
) -> None:
    """It alone is in the failure store, after as many deaths as on a route; others are taken once."""
    mortal = Mortal(amqp_url, sqlite_url, "", tmp_path, role="services")
    async with running_engine(
        amqp_url, store, roles=ROLES, subscribers=[deadly_service(tmp_path)]
    ) as running:
        for number, step in [*GOOD[:12], ("P", POISON), *GOOD[12:]]:
            await running.send({"bh": number, "hj": step, "qh": "130102"})

        assert SUSPECT_AFTER + DEATHS == await _until_given_up(running, mortal, GOOD)
        (failure,) = await running.failed()
        told = (failure["stage"], failure["route"], failure["code"])
        assert ("service", "deadly", "broker.delivery-limit") == told
        assert sorted(GOOD) == sorted(taken(tmp_path))
