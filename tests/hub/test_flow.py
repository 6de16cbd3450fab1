"""One record's way through a real broker: intake, stream, routes, receipts, ledger (design §3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hub.broker import Broker, Outgoing
from hub.convert import convert
from hub.envelope import Taken, encode_message
from hub.failure_desk import FailureDesk
from hub.ids import new_id, new_trace
from hub.intake import taken_in
from hub.store import Store
from hub.topology import STREAMS, route_queue
from schemas.errors import Misconfigured, Rejected, Transient
from schemas.message import Delivery, Record, SystemCode
from schemas.receipt import Event
from tests.hub.conftest import Running, System, a_step, eventually, now, running_engine
from tests.records import shape


async def test_a_record_reaches_every_system(amqp_url: str, database_url: str) -> None:
    """Mapped in, validated, published, mapped out, delivered, told; SQLite and PostgreSQL alike."""
    store = Store(database_url)
    shape(store)
    async with running_engine(amqp_url, store) as running:
        record = await running.send(a_step("A1"))

        done = await running.until(Event.DELIVERY_DONE, 2)

        assert [{"no": "A1", "step": "受理"}] == running.left.payloads == running.right.payloads
        assert {"steps-to-left", "steps-to-right"} == {row["route"] for row in done}
        (accepted,) = await running.until(Event.RECORD_ACCEPTED, 1)
        assert (record, "1") == (accepted["message_id"], accepted["number"])
        assert 1 == len({row["trace"] for row in [*done, accepted]})
    store.close()


async def test_what_a_route_leaves_out_is_told_too(running: Running) -> None:
    """Another region: no delivery, and no silence either."""
    await running.send(a_step("A1", region="130105"))

    left_out = await running.until(Event.DELIVERY_LEFT_OUT, 2)

    assert 2 == len(left_out)
    assert not running.left.calls


async def test_the_same_key_again_changes_nothing(running: Running) -> None:
    """A sender that repeats gets the receipt of the first."""
    first = await running.send(a_step("A1"), key="k1")
    await running.until(Event.RECORD_ACCEPTED, 1)
    await running.send(a_step("A1"), key="k1")

    (repeated,) = await running.until(Event.RECORD_REPEATED, 1)

    assert first == repeated["number"]
    await running.until(Event.DELIVERY_DONE, 2)
    assert 1 == len(running.left.calls)
    assert 1 == len(await running.rows(Event.MESSAGE_PUBLISHED))


async def test_a_bad_record_is_rejected_with_every_fault(running: Running) -> None:
    """Straight to the failure store, with the items and reasons; good ones go on."""
    await running.send({"bh": "A" * 21, "hj": "一二三四五六七八九十一", "qh": "130102"})
    await running.send(a_step("A2"))

    (rejected,) = await running.until(Event.RECORD_REJECTED, 1)
    await running.until(Event.DELIVERY_DONE, 2)

    assert {"/bh", "/hj"} == {fault["at"] for fault in rejected["faults"]}
    (failure,) = await eventually(running.failed, bool, "the failure")
    assert ("intake", 1) == (failure["stage"], failure["attempts"])
    (group,) = await a_desk(running).groups()
    assert ("intake", "sender", "step", 1) == (
        group.stage,
        group.source,
        group.resource,
        group.count,
    )
    assert [{"no": "A2", "step": "受理"}] == running.left.payloads


async def test_an_unknown_kind_is_rejected_by_name(running: Running) -> None:
    """A stream nobody declared is no reason to fall over."""
    await running.send({"x": 1}, kind="nothing")

    (rejected,) = await running.until(Event.RECORD_REJECTED, 1)

    assert "record.unknown-kind" == rejected["code"]


async def test_a_system_in_trouble_is_tried_again(running: Running) -> None:
    """A few tries at once, then the ladder; the other system is not kept waiting."""
    failing = iter([Transient("target.busy", "Busy")] * 3)
    running.left.trouble = lambda _: next(failing, None)
    await running.send(a_step("A1"))

    done = await running.until(Event.DELIVERY_DONE, 2)

    (retrying,) = await running.rows(Event.DELIVERY_RETRYING)
    assert ("target.busy", 1) == (retrying["code"], retrying["attempt"])
    assert [("steps-to-right", 1), ("steps-to-left", 2)] == [
        (row["route"], row["attempt"]) for row in done
    ]
    assert [1, 1, 1, 2] == [delivery.attempt for delivery in running.left.calls]
    assert 1 == len({delivery.key for delivery in running.left.calls})


async def test_what_may_have_arrived_is_not_repeated_at_once(running: Running) -> None:
    """A time-out after sending: the ladder's wait lies between the tries."""
    failing = iter([Transient("target.timeout", "No answer", in_doubt=True)])
    running.left.trouble = lambda _: next(failing, None)
    await running.send(a_step("A1"))

    await running.until(Event.DELIVERY_DONE, 2)

    assert [1, 2] == [delivery.attempt for delivery in running.left.calls]


async def test_a_used_up_ladder_ends_in_the_failure_store(running: Running) -> None:
    """Three tries here; then a person's retry, which succeeds and resolves the failure."""
    running.left.trouble = lambda _: Transient("target.down", "Away")
    await running.send(a_step("A1"))
    (failure,) = await eventually(running.failed, bool, "the failure")
    assert ("route", "steps-to-left", 3) == (
        failure["stage"],
        failure["route"],
        failure["attempts"],
    )

    running.left.trouble = lambda _: None
    desk = a_desk(running)
    assert [failure["id"]] == await desk.retry([failure["id"]], "tester")
    assert [] == await desk.retry([failure["id"]], "tester"), "claimed once"

    await eventually(lambda: running.failed("resolved"), bool, "resolved")
    assert [{"no": "A1", "step": "受理"}] == running.left.payloads


async def test_a_refusal_goes_straight_to_the_failure_store(running: Running) -> None:
    """Rejected: no second try; the reason names the item; one system's refusal is its own."""
    running.left.trouble = lambda _: Rejected("target.refused", "Not so", at="/step")
    await running.send(a_step("A1"))

    (failed,) = await running.until(Event.DELIVERY_FAILED, 1)

    assert [{"code": "target.refused", "at": "/step", "facts": {}}] == failed["faults"]
    assert 1 == len(running.left.calls)
    await running.until(Event.DELIVERY_DONE, 1)


async def test_an_edited_failure_is_checked_and_delivered(running: Running) -> None:
    """Edit and retry: a bad edit is refused, a good one delivered; the original is kept."""

    def only_a2(delivery: Delivery) -> Exception | None:
        return (
            None if delivery.payload["no"] == "A2" else Rejected("target.refused", "No", at="/no")
        )

    running.left.trouble = only_a2
    await running.send(a_step("A1"))
    (failure,) = await eventually(running.failed, bool, "the failure")
    desk = a_desk(running)

    try:
        await desk.edit(failure["id"], {"caseNo": "A2"}, "tester")
        refused = set()
    except Rejected as error:
        refused = {fault.at for fault in error.faults}
    good = {"caseNo": "A2", "stepName": "受理", "regionCode": "130102"}
    await desk.edit(failure["id"], good, "tester")

    assert {"/stepName", "/regionCode"} == refused
    (resolved,) = await eventually(lambda: running.failed("resolved"), bool, "resolved")
    assert [{"no": "A2", "step": "受理"}] == running.left.payloads
    assert resolved["sealed"] == failure["sealed"] != resolved["edited"]


async def test_a_denied_route_halts_and_goes_on_by_itself(running: Running) -> None:
    """Misconfigured: messages wait in the queue, nothing is lost, the other system is served."""
    denied = Misconfigured("target.denied", "Wrong key")
    running.left.trouble = lambda _: denied
    running.left.ill = denied
    for n in range(6):
        await running.send(a_step(f"A{n}"))
    await eventually(_all(running.right, 6), bool, "the other system")
    assert not await running.failed()

    running.left.trouble = lambda _: None
    running.left.ill = None

    await eventually(_all(running.left, 6), bool, "the halted system")


def _all(system: System, count: int) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return len(system.taken) == count

    return look


def a_desk(running: Running) -> FailureDesk:
    engine = running.engine
    return FailureDesk(running.store, engine.seal, engine.plan, now)


async def test_a_strangers_message_is_refused(running: Running) -> None:
    """Published by somebody who got at the broker, or changed on its way: no effect anywhere."""
    at = now()
    taken = Taken(
        id=new_id(at),
        system=SystemCode("sender"),
        received_at=at,
        traceparent=new_trace(),
        record=Record(kind="step", key="", body=a_step("A1")),
    )
    message = convert(taken, running.engine.plan).messages[0]
    headers, body = encode_message(message, taken.id)
    queue = route_queue("steps-to-left", in_order=False)
    async with (
        Broker(running.engine.url, name="stranger") as broker,
        broker.publisher() as stranger,
    ):
        await stranger.publish(taken_in(taken, running.engine.plan))
        await stranger.publish(Outgoing("", queue, body, headers))
        await stranger.publish(Outgoing(STREAMS, f"{message.type}.{message.region}", body, headers))
    await running.send(a_step("A2"))

    await running.until(Event.DELIVERY_DONE, 2)

    failed = await eventually(running.failed, lambda rows: len(rows) >= 3, "three failures")
    assert {"envelope.signature"} == {row["code"] for row in failed}
    assert {"A2"} == {payload["no"] for payload in running.left.payloads}
    assert {"A2"} == {payload["no"] for payload in running.right.payloads}
