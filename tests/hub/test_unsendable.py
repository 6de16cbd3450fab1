"""What no frame of AMQP can carry further stands aside alone, and the rest goes on."""

from __future__ import annotations

import pytest

from connectors.memory import Memory, Settings
from hub.amqp.declare import declare_queue
from hub.broker import Outgoing
from hub.engine import Polled
from hub.envelope import CE
from hub.failures import parked
from hub.store import Store
from schemas.errors import Fault, Rejected
from schemas.message import Body, Record, SystemCode
from schemas.receipt import Event
from tests.hub.conftest import Running, a_step, eventually, now, running_engine
from tests.hub.site import small_plan


async def test_a_region_too_long_for_a_key(amqp_url: str, store: Store) -> None:
    """The catalogue allows it, AMQP does not: its record fails, those around it are delivered."""
    async with running_engine(amqp_url, store, plan=small_plan(region="an..400")) as running:
        await running.send(a_step("A1"))
        await running.send(a_step("A2", region="1" * 300))
        await running.send(a_step("A3"))

        await running.until(Event.DELIVERY_DONE, 4)
        (failed,) = await eventually(running.failed, bool, "a failure")
        (told,) = await running.until(Event.RECORD_REJECTED, 1)

    assert ("broker.unsendable", "intake") == (failed["code"], failed["stage"])
    assert "broker.unsendable" == told["code"]
    assert ["A1", "A3"] == sorted(str(each["no"]) for each in running.left.payloads)


async def test_a_polled_record_that_can_never_be_sent(amqp_url: str, store: Store) -> None:
    """It is refused with a receipt that says why; its source is asked for what comes behind it."""
    source = Memory(SystemCode("sender"), Settings())
    endless, half, good = {"no": 2**70}, {"no": "\ud800"}, a_step("A1")
    bodies: list[tuple[str, Body]] = [
        ("1", good),
        ("2", endless),
        ("k" * 200_000, good),
        ("3", half),
        ("4", a_step("A4")),
    ]
    source.told = [Record(kind="step", key=key, body=body) for key, body in bodies]

    async with running_engine(amqp_url, store) as running:
        polled = Polled(SystemCode("sender"), source, 0.01)
        engine = running.engine
        await engine.use(engine.plan, links=engine.links, polled=[polled])
        await running.until(Event.DELIVERY_DONE, 4)
        refused = await running.until(Event.RECORD_REFUSED, 3)
        source.told.append(Record(kind="step", key="5", body=a_step("A5")))
        await running.until(Event.DELIVERY_DONE, 6)

    unsendable = ["body.unsendable", "broker.unsendable", "body.unsendable"]
    assert unsendable == [row["code"] for row in refused]
    assert {("sender", "step")} == {(row["source"], row["resource"]) for row in refused}
    assert ["2", "k" * 64, "3"] == [row["subject"] for row in refused]
    assert ["A1", "A4", "A5"] == sorted(str(each["no"]) for each in running.left.payloads)


@pytest.mark.parametrize("count", [1, 20_000])
async def test_more_faults_than_a_header_holds(running: Running, count: int) -> None:
    """The failure is kept with the first of them; one alone, of any length, with its code."""
    long = "办" * 50_000 if count == 1 else "办"
    faults = [Fault("record.unknown-kind", f"/{n}", {"kind": long}) for n in range(count)]
    error = Rejected("record.invalid", "All wrong", faults=faults)
    channel = await running.broker.channel()
    await declare_queue(channel, "aside", {"x-queue-type": "quorum"})
    headers = {f"{CE}id": "R1", f"{CE}source": "sender", f"{CE}type": "step"}
    await running.publisher.publish(Outgoing("", "aside", b"{}", headers))
    async with running.broker.consumer("aside", prefetch=1) as consumer:
        incoming = await consumer.one()

    await running.publisher.publish(parked(incoming, error, stage="intake", at=now(), attempts=1))
    (failed,) = await eventually(running.failed, bool, "a failure")

    assert "record.invalid" == failed["code"]
    assert len(failed["faults"]) >= min(count, 100)
    assert {"record.unknown-kind"} == {each["code"] for each in failed["faults"]}
