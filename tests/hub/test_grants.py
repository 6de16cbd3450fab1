"""A route that carries a grant: only what is granted passes, so many a day, until it ends (R-C8)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from hub.releases import plan_of
from hub.store import Store
from hub.topology import depths, route_queue
from routes.lint import lint
from schemas.calendar import BEIJING
from schemas.declarations import InvalidDeclaration
from schemas.receipt import Event
from tests.hub.conftest import Running, System, a_step, eventually, now, running_engine
from tests.hub.site import small_plan, small_texts
from tests.records import shape

NOON = datetime(2026, 3, 4, 4, tzinfo=UTC)


@pytest.fixture
def either(database_url: str) -> Iterator[Store]:
    """The records on both databases."""
    store = Store(database_url)
    shape(store)
    yield store
    store.close()


def granted(items: str = "caseNo, regionCode, stepName", more: str = "") -> str:
    """The lines that make the first route one with a grant."""
    return f"grant: {{number: G2026-000001, items: [{items}]{more}}}"


def until(moment: datetime) -> str:
    return f', ends: "{moment.astimezone(BEIJING):%Y-%m-%dT%H:%M:%S}"'


async def delivered(running: Running, to: System, many: int) -> None:
    async def count() -> int:
        return len(to.payloads)

    await eventually(count, lambda found: found >= many, f"{many} deliveries")


async def test_an_item_that_is_not_granted_never_leaves(amqp_url: str, store: Store) -> None:
    """Neither by the mapping, nor in the message that the connector is handed; others get all."""
    plan = small_plan(granted("caseNo, regionCode"))
    async with running_engine(amqp_url, store, plan=plan) as running:
        await running.send(a_step("A1"), key="A1")
        await running.until(Event.DELIVERY_DONE, 2)

        assert [{"no": "A1"}] == running.left.payloads
        assert [{"caseNo": "A1", "regionCode": "130102"}] == [
            call.message.body for call in running.left.calls
        ]
        assert [{"no": "A1", "step": "受理"}] == running.right.payloads


async def test_a_grant_that_ends_under_flow_stops_its_subscriber_alone(
    amqp_url: str, store: Store
) -> None:
    """What comes before its end is delivered, what comes after is left out and told; the other
    route goes on, and every message is accounted for on both."""
    ends = now().replace(microsecond=0) + timedelta(seconds=3)
    plan = small_plan(granted(more=until(ends)))
    sent: list[str] = []
    async with running_engine(amqp_url, store, plan=plan) as running:
        while now() < ends + timedelta(seconds=1):
            number = f"A{len(sent)}"
            await running.send(a_step(number), key=number)
            sent.append(number)
            await asyncio.sleep(0.02)
        await delivered(running, running.right, len(sent))
        done = await running.until(Event.DELIVERY_DONE, len(sent) + 1)
        left_out = await eventually(
            lambda: running.rows(Event.DELIVERY_LEFT_OUT),
            lambda rows: len(rows) + len(running.left.payloads) >= len(sent),
            "every message on the ended route",
        )

        mine = [row for row in done if row["route"] == "steps-to-left"]
        assert mine
        assert left_out
        assert sorted(sent) == sorted(row["subject"] for row in [*mine, *left_out])
        assert {"grant.ended"} == {row["code"] for row in left_out}
        assert {"steps-to-left"} == {row["route"] for row in left_out}
        assert all(row["at"] >= ends for row in left_out)
        assert sorted(sent) == sorted(str(p["no"]) for p in running.right.payloads)
        assert not await running.failed()


@pytest.mark.parametrize("order", ["order_by: none", "order_by: subject"])
async def test_no_more_a_day_than_granted(amqp_url: str, either: Store, order: str) -> None:
    """Two processes together deliver three; the rest waits, and comes the next day."""
    store = either
    plan = small_plan(f"{granted(more=', per_day: 3')}\n{order}")
    clock = [NOON]
    async with (
        running_engine(amqp_url, store, plan=plan, clock=lambda: clock[0]) as one,
        running_engine(amqp_url, store, plan=plan, clock=lambda: clock[0]) as two,
    ):
        for n in range(5):
            await one.send(a_step(f"A{n}"), key=f"A{n}")
        await one.until(Event.DELIVERY_DONE, 8)

        async def all_right() -> int:
            return len(one.right.payloads) + len(two.right.payloads)

        await eventually(all_right, lambda found: found == 5, "all on the other route")
        assert 3 == len(one.left.payloads) + len(two.left.payloads)
    clock[0] += timedelta(days=1)
    queue = route_queue("steps-to-left", in_order="subject" in order)
    async with running_engine(amqp_url, store, plan=plan, clock=lambda: clock[0]) as later:
        await delivered(later, later.left, 2)
        payloads = [*one.left.payloads, *two.left.payloads, *later.left.payloads]

        assert [f"A{n}" for n in range(5)] == sorted(str(p["no"]) for p in payloads)
        found = await eventually(
            lambda: depths(later.broker, [queue]),
            lambda found: found[queue][0] == 0,
            "an empty queue",
        )
        assert found


@pytest.mark.parametrize(
    ("clause", "said"),
    [
        ("number: G2026-000001, items: []", "at least 1 item"),
        ("number: G1, items: [caseNo]", "pattern"),
        ('number: G2026-000001, items: [caseNo], ends: "2026-12-31"', "a time such as"),
    ],
)
def test_a_grant_that_says_nothing_is_refused(clause: str, said: str) -> None:
    """With the place and what would do."""
    with pytest.raises(InvalidDeclaration, match=said):
        small_plan(f"grant: {{{clause}}}")


def test_a_route_that_reads_more_than_granted_is_found() -> None:
    """By lint, in its mapping and in its condition; and a grant of what no resource has."""
    plan = small_plan(granted("caseNo, no-such"))
    found = {(each.code, each.facts["item"]) for each in lint(plan.declarations)}

    assert {
        ("lint.not-granted", "stepName"),
        ("lint.not-granted", "regionCode"),
        ("lint.unknown-item", "no-such"),
    } <= found


def test_a_grant_of_what_is_not_shared_any_more_is_found() -> None:
    """So that no version closes an item while a grant still lets it pass (R-A5)."""
    texts = small_texts(granted())
    file = "resources/caseStep.yaml"
    share = "share: {type: none, condition: 《统计法》第九条, way: interface}"
    texts[file] = texts[file].replace("{element: stepName", f"{{element: stepName, {share}")

    found = [each for each in lint(plan_of(texts).declarations) if each.code == "lint.not-shared"]
    assert [("stepName", "G2026-000001")] == [
        (each.facts["item"], each.facts["number"]) for each in found
    ]
