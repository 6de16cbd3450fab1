"""What a failure tells: both payloads, the reason, and the versions of what handled it (issue 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping

from hub.broker import Outgoing
from hub.failure_desk import FailureDesk
from hub.failures import parked
from hub.store import Store
from schemas.errors import Rejected, Transient
from schemas.receipt import Event
from tests.hub.conftest import Running, a_step, eventually, now, running_engine
from tests.hub.failing import desk_of, ended, start, states_of
from tests.hub.site import small_plan


async def test_a_failed_delivery_tells_all(running: Running) -> None:
    """The original, what the system was given, why it failed, the route's version and that of the
    resource; the receipt names the same version."""
    running.left.trouble = lambda _: Rejected("target.refused", "Not so", at="/step")
    await running.send(a_step("A1"))
    (failure,) = await eventually(running.failed, bool, "the failure")
    desk = desk_of(running.store)

    version = running.engine.plan.routes["steps-to-left"].version
    assert ("steps-to-left", version) == (failure["route"], failure["version"])
    assert failure["dataschema"].startswith("caseStep/")
    body = {"caseNo": "A1", "stepName": "受理", "regionCode": "130102"}
    assert body == desk.masked(failure, failure["sealed"])
    assert {"no": "A1", "step": "受理"} == desk.mapped(failure)
    (told,) = await running.until(Event.DELIVERY_FAILED, 1)
    assert version == told["version"]


async def test_of_another_version_only_names_are_told(running: Running) -> None:
    """Today's route does not know which values of an older payload were personal."""
    running.left.trouble = lambda _: Rejected("target.refused", "Not so")
    await running.send(a_step("A1"))
    (failure,) = await eventually(running.failed, bool, "the failure")

    later = small_plan("order_by: subject")
    assert {"no": "＊＊＊", "step": "＊＊＊"} == desk_of(running.store, later).mapped(failure)


async def test_what_used_up_its_tries_tells_the_last_payload(running: Running) -> None:
    """Also after the ladder."""
    running.left.trouble = lambda _: Transient("target.down", "Away")
    await running.send(a_step("A1"))
    (failure,) = await eventually(running.failed, bool, "the failure")
    assert {"no": "A1", "step": "受理"} == desk_of(running.store).mapped(failure)


async def test_a_failure_at_intake_names_the_intakes_version(running: Running) -> None:
    """And so do the receipts of the records, good and bad."""
    await running.send({"bh": "A" * 21, "hj": "受理", "qh": "130102"})
    await running.send(a_step("A2"))
    (failure,) = await eventually(running.failed, bool, "the failure")
    (rejected,) = await running.until(Event.RECORD_REJECTED, 1)
    (accepted,) = await running.until(Event.RECORD_ACCEPTED, 1)

    version = running.engine.plan.intakes["sender", "step"].version
    assert {version} == {failure["version"], rejected["version"], accepted["version"]}
    assert {} == desk_of(running.store).mapped(failure)


async def test_a_retried_record_that_came_again_meanwhile_is_done_with(running: Running) -> None:
    """Its sender had mended it and sent it under the same key: the retry is a repeat, no failure."""
    await running.send({"bh": "", "hj": "受理", "qh": "130102"}, key="k1")
    (failure,) = await eventually(running.failed, bool, "the failure")
    await running.send(a_step("A1"), key="k1")
    await running.until(Event.RECORD_ACCEPTED, 1)

    desk = FailureDesk(running.store, running.engine.seal, running.engine.plan, now)
    await desk.edit(failure["id"], a_step("A1"), "tester")

    await running.until(Event.RECORD_REPEATED, 1)
    (resolved,) = await eventually(lambda: running.failed("resolved"), bool, "resolved")
    assert failure["id"] == resolved["id"]
    assert 1 == len(await running.rows(Event.MESSAGE_PUBLISHED))


async def test_a_retried_delivery_that_is_replaced_is_done_with(
    amqp_url: str, store: Store
) -> None:
    """``newest_only``: a newer message of its subject comes while the retry waits on its ladder."""
    newest = small_plan("order_by: subject\nnewest_only: true")
    async with running_engine(amqp_url, store, plan=newest) as running:
        running.left.trouble = lambda _: Rejected("target.refused", "No")
        await running.send(a_step("A1"))
        (failure,) = await eventually(running.failed, bool, "the failure")
        busy = Transient("target.busy", "Come back later", after_s=300)
        running.left.trouble = lambda delivery: busy if delivery.payload["step"] == "受理" else None
        job = await start(store)
        await running.until(Event.DELIVERY_RETRYING, 1)
        await running.send({**a_step("A1"), "hj": "办结"})

        await running.until(Event.DELIVERY_REPLACED, 1)
        (resolved,) = await eventually(lambda: running.failed("resolved"), bool, "resolved")
        assert failure["id"] == resolved["id"]
        await ended(store, job.id)
        assert {"done": 1} == await states_of(store, job.id)
        done = await running.until(Event.DELIVERY_DONE, 3)
        assert 3 == len(done), "twice at the other system"
        assert ["办结"] == [payload["step"] for payload in running.left.payloads]


async def test_a_refusal_repeated_after_a_crash_is_told_once(running: Running) -> None:
    """Its worker dies between saying so and acknowledging: the next one is refused again, later. It
    is the same failure; refused after a person's retry, it is another one."""
    running.left.trouble = lambda _: Rejected("target.refused", "No", at="/step")
    await running.send(a_step("A1"))
    (failure,) = await eventually(running.failed, bool, "the failure")
    await running.until(Event.DELIVERY_FAILED, 1)

    await running.publisher.publish(_refused_again(running, failure))
    await running.send({"bh": "", "hj": "受理", "qh": "130102"})
    rows = await eventually(running.failed, lambda rows: len(rows) == 2, "what came behind it")
    (same,) = (row for row in rows if row["id"] == failure["id"])
    assert (1, failure["last_at"]) == (same["attempts"], same["last_at"])

    job = await start(running.store, steps=(), stop_share=1.0)
    await ended(running.store, job.id)
    told = await running.until(Event.DELIVERY_FAILED, 2)
    assert 2 == len(told)
    assert {2} == {row["attempts"] for row in await running.failed() if row["id"] == failure["id"]}


@dataclass(frozen=True)
class Again:
    """A message that comes for a second time."""

    headers: Mapping[str, Any]
    body: bytes


def _refused_again(running: Running, failure: RowMapping) -> Outgoing:
    """What a worker tells of *failure* when it meets the message for a second time."""
    again = Again(failure["headers"], running.engine.seal.open(failure["sealed"]))
    error = Rejected("target.refused", "No", at="/step")
    route = {"route": failure["route"], "system": failure["system"]}
    return parked(again, error, stage="route", at=now(), attempts=1, **route)
