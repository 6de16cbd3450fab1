"""A lot of records, each with as many faults as are told: what is told of them fits the broker."""

from __future__ import annotations

from functools import cache

from hub.envelope import decode_receipts, encode_receipts, receipts_in_lots
from hub.plan import Plan
from hub.releases import plan_of
from hub.store import Store
from schemas.errors import Fault
from schemas.receipt import Event, Receipt
from tests.hub.conftest import a_step, now, running_engine
from tests.hub.site import small_texts

BROKER_BYTES = 16 * 1024 * 1024
RECORDS, FAULTS = 150, 200
CODES = [f"{n:02}-of-a-list-of-long-codes" for n in range(30)]


@cache
def listing_plan() -> Plan:
    """A step may carry a list of codes; a wrong one is told with all that are right."""
    files = small_texts()
    files["elements/all.yaml"] += """
  - identifier: HUB.OTH.0003
    name: {zh: 材料类别, en: kind of paper}
    short_name: paperKind
    definition: 申请材料的类别。
    type: string
    format: an..40
    domain: {codes: paper-kind}
"""
    listed = ", ".join(f'"{code}": 类别' for code in CODES)
    files["codes/all.yaml"] = (
        "code_lists:\n  - {name: paper-kind, title: {zh: 材料类别, en: papers},"
        f" codes: {{{listed}}}}}\n"
    )
    files["resources/caseStep.yaml"] += "  - {element: paperKind, max_occurs: N}\n"
    intake = files["intakes/sender.step.yaml"]
    files["intakes/sender.step.yaml"] = intake.replace(
        "regionCode: qh}", "regionCode: qh, paperKind: {list: cl}}"
    )
    return plan_of(files)


def refused(number: int, faults: int) -> Receipt:
    told = tuple(
        Fault("item.code", f"/cl/{n}", {"allowed": " ".join(CODES)}) for n in range(faults)
    )
    return Receipt(
        key=f"{number}", event=Event.RECORD_REJECTED, at=now(), message_id=f"{number}", faults=told
    )


def test_receipts_are_told_in_lots_that_fit() -> None:
    """All of them, in their order, and no more messages than are needed."""
    many = [refused(n, FAULTS) for n in range(RECORDS)]
    few = [refused(n, 0) for n in range(RECORDS)]

    assert len(encode_receipts(many)) > BROKER_BYTES, "or nothing is shown here"
    lots = list(receipts_in_lots(many))
    assert max(map(len, lots)) < BROKER_BYTES
    assert many == [each for lot in lots for each in decode_receipts(lot)]
    assert [few] == [decode_receipts(lot) for lot in receipts_in_lots(few)]
    assert [] == list(receipts_in_lots([]))


async def test_a_lot_of_very_wrong_records_is_refused_one_by_one(
    amqp_url: str, store: Store
) -> None:
    """And does not stand in the way of what comes behind it."""
    plan = listing_plan()
    async with running_engine(amqp_url, store, plan=plan, roles=["ledger"]) as before:
        for n in range(RECORDS):
            wrong = {**a_step("A1"), "cl": ["x"] * FAULTS}
            await before.send(wrong, key=f"wrong-{n}")
        await before.send(a_step("A1"), key="right")
    async with running_engine(amqp_url, store, plan=plan) as running:
        await running.until(Event.RECORD_ACCEPTED, 1)
        rejected = await running.until(Event.RECORD_REJECTED, RECORDS)

    assert RECORDS == len(rejected)
    assert {FAULTS} == {len(row["faults"]) for row in rejected}
