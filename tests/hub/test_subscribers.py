"""Domain services: one transaction for inbox, state and outbox; publications go out once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, select

from hub.crypto import Sm4Seal
from hub.mailbox import Mailbox
from hub.store import Store
from hub.store.tables import outbox
from hub.streams import Subscriber
from schemas.errors import Rejected, Transient
from schemas.message import Message, Operation, Publication, ResourceName
from schemas.receipt import Event
from tests.hub.conftest import a_step, eventually, running_engine

STEP = ResourceName("caseStep")
seen = Table("seen", MetaData(), Column("subject", String(50), primary_key=True))


def echo(connection: Connection, message: Message, _: datetime) -> Sequence[Publication]:
    """Writes what it saw, and publishes one follow-up for each partner's message."""
    connection.execute(insert(seen), {"subject": message.subject})
    if message.source == "echo":
        return ()
    body = {**message.body, "caseNo": f"{message.subject}-x"}
    return [Publication(resource=STEP, operation=Operation.CREATED, key=message.subject, body=body)]


def a_service(store: Store) -> Subscriber:
    store.write_now(seen.create)
    return Subscriber(name="echo", resources=(STEP,), handle=echo)


async def test_a_service_writes_and_publishes(amqp_url: str, store: Store) -> None:
    """What it publishes passes the pipeline and reaches the routes like anybody's message."""
    async with running_engine(amqp_url, store, subscribers=[a_service(store)]) as running:
        await running.send(a_step("A1"))

        await running.until(Event.SERVICE_DONE, 2)
        await running.until(Event.DELIVERY_DONE, 4)

        subjects = await store.read(lambda c: c.scalars(select(seen.c.subject)).all())
        assert {"A1", "A1-x"} == set(subjects)
        assert {"A1", "A1-x"} == {payload["no"] for payload in running.left.payloads}
        assert [] == await store.read(lambda c: c.execute(select(outbox)).all())


async def test_what_a_crash_left_in_the_outbox_goes_out(amqp_url: str, store: Store) -> None:
    """Committed but not published: the next start publishes it, once."""
    service = a_service(store)
    roles = ("pipeline", "ledger", "delivery", "services")
    async with running_engine(amqp_url, store, roles=roles, subscribers=[service]) as running:
        await running.send(a_step("A1"))
        await running.until(Event.DELIVERY_DONE, 4)
    # As if the process had died between the commit and the publish: the row stands again.
    row = {
        "record_id": "019aa000-0000-7000-8000-000000000001",
        "service": "echo",
        "cause_id": "019aa000-0000-7000-8000-000000000002",
        "resource": "caseStep",
        "operation": "created",
        "key": "left-over",
        "traceparent": f"00-{'1' * 32}-{'2' * 16}-01",
        "at": datetime.fromisoformat("2026-11-21T09:00:00+00:00"),
    }
    body = b'{"caseNo":"B1","stepName":"x","regionCode":"130102"}'
    sealed = running.engine.seal.seal(body)
    await store_row(store, {**row, "sealed": sealed})

    async with running_engine(amqp_url, store, roles=roles, subscribers=[service]) as again:
        await eventually(
            lambda: again.rows(Event.DELIVERY_DONE),
            lambda rows: "B1" in {each["subject"] for each in rows},
            "the left-over",
        )


async def test_what_is_left_is_read_in_lots(store: Store) -> None:
    """Every row once, those of one message together, none of another service's."""
    mailbox = Mailbox("echo", Sm4Seal(bytes(16)))
    for n, service in enumerate(["echo", "other", "echo", "echo", "other", "echo", "echo"]):
        for part in range(1 + n % 3):
            row = {
                "record_id": f"record-{9 - n}-{part}",
                "service": service,
                "cause_id": f"cause-{n}",
                "resource": "caseStep",
                "operation": "created",
                "key": f"{n}-{part}",
                "traceparent": f"00-{'1' * 32}-{'2' * 16}-01",
                "at": datetime.fromisoformat("2026-11-21T09:00:00+00:00"),
                "sealed": mailbox.seal.seal(b"{}"),
            }
            await store_row(store, row)

    lots: list[tuple[Sequence[str], list[str]]] = []
    after = ""
    while (lot := await store.read(partial(mailbox.left_behind, after=after, most=2)))[0]:
        lots.append((lot[0], [each.record.key for each in lot[1]]))
        after = lot[0][-1]

    assert lots == [
        (["cause-0", "cause-2"], ["0-0", "2-0", "2-1", "2-2"]),
        (["cause-3", "cause-5"], ["3-0", "5-0", "5-1", "5-2"]),
        (["cause-6"], ["6-0"]),
    ]


async def test_a_service_in_trouble_tries_again_and_parks(amqp_url: str, store: Store) -> None:
    """Transient: the ladder; rejected: the failure store; the routes do not notice."""
    trouble = iter([Transient("store.busy", "Busy"), Rejected("rule.broken", "Never")])

    def troubled(_: Connection, __: Message, ___: datetime) -> Sequence[Publication]:
        raise next(trouble)

    service = Subscriber(name="troubled", resources=(STEP,), handle=troubled)
    async with running_engine(amqp_url, store, subscribers=[service]) as running:
        await running.send(a_step("A1"))

        (retrying,) = await running.until(Event.SERVICE_RETRYING, 1)
        (failed,) = await running.until(Event.SERVICE_FAILED, 1)

        assert ("store.busy", "rule.broken") == (retrying["code"], failed["code"])
        (failure,) = await eventually(running.failed, bool, "the failure")
        assert ("service", "troubled", 2) == (
            failure["stage"],
            failure["route"],
            failure["attempts"],
        )
        await running.until(Event.DELIVERY_DONE, 2)


async def store_row(store: Store, row: dict[str, object]) -> None:
    await store.write(lambda connection: connection.execute(insert(outbox), row))
