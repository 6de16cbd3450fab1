"""A route in order that halts in one process while another waits for its queue: nothing overtakes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator

import pytest

from hub.store import Store
from hub.topology import depths, route_queue
from schemas.errors import Transient
from schemas.receipt import Event
from tests.hub.conftest import Running, System, a_step, eventually, running_engine
from tests.hub.site import small_plan

IN_ORDER = small_plan("order_by: subject")
CASES, STEPS = 60, 4
# Of a queue with one consumer at a time, the broker tells no others.
BESIDE = route_queue("steps-to-right", in_order=False)


@pytest.fixture
def other_store(sqlite_url: str, store: Store) -> Iterator[Store]:
    """The same records, from another process."""
    made = Store(sqlite_url)
    yield made
    made.close()


async def test_what_it_had_in_hand_comes_before_what_is_behind(
    amqp_url: str, store: Store, other_store: Store
) -> None:
    """Its system is down for the first, and well for the second: of each case the steps arrive in
    their order, and each of them once."""
    async with running_engine(
        amqp_url, store, plan=IN_ORDER, roles=("pipeline", "ledger")
    ) as before:
        for step in range(1, STEPS + 1):
            for case in range(CASES):
                await before.send({**a_step(f"A{case}"), "hj": f"{step}"})
        await before.until(Event.MESSAGE_PUBLISHED, CASES * STEPS)
        down, well = System(), System()
        down.trouble = lambda _: Transient("target.down", "Away")
        down.ill, down.gate = Transient("target.down", "Away"), asyncio.Event()
        async with running_engine(
            amqp_url, store, plan=IN_ORDER, left=down, roles=("delivery",)
        ) as halting:
            await _run(halting, 1)
            async with running_engine(
                amqp_url, other_store, plan=IN_ORDER, left=well, roles=("delivery",)
            ):
                await _run(halting, 2)
                down.gate.set()
                await before.until(Event.DELIVERY_DONE, 2 * CASES * STEPS)

    assert down.calls, "it had some in hand"
    arrived: dict[object, list[object]] = defaultdict(list)
    for payload in well.payloads:
        arrived[payload["no"]].append(payload["step"])
    wanted = [f"{step}" for step in range(1, STEPS + 1)]
    assert {f"A{case}": wanted for case in range(CASES)} == arrived


async def _run(hub: Running, processes: int) -> None:
    """Once so many consume the hub's queues."""
    await eventually(
        lambda: depths(hub.broker, [BESIDE]),
        lambda found: found[BESIDE][1] == processes,
        f"{processes} processes",
    )
