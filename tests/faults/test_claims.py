"""What a live process has in hand on an ordered route is its own; what a killed one had is taken over soon."""

from __future__ import annotations

import signal
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select

from hub.broker import Broker
from hub.crypto import Mac
from hub.intake import taken_in
from hub.store import Store
from hub.store.tables import held
from hub.topology import declare
from tests.faults.bad_city import a_record
from tests.faults.bad_partner import Bad, BadPartner, on_sockets
from tests.faults.conftest import Placing
from tests.faults.process import KEY, Life, Nursery
from tests.faults.site import bindings, plan
from tests.hub.conftest import eventually

LOOKS = "hub.delivery.held Order.due > self._store.read"
# Each is a look, one a second: longer than a claim of these processes holds by itself.
RENEWALS = 5


async def test_a_call_in_hand_is_its_process_own_until_it_is_killed(
    placing: Placing, nursery: Nursery
) -> None:
    """A message waited, and its second call takes long: the other process leaves it alone, however
    long that is; the first killed, it is called again within seconds, not minutes."""
    place = placing("sqlite")
    left, right = BadPartner(Bad.BUSY, 1, then=Bad.HANGS_UNREAD), BadPartner()
    store = Store(place.database_url)
    async with (
        on_sockets([left, right]),
        Broker(place.amqp_url, name="test", mac=Mac(KEY)) as broker,
        broker.publisher() as publisher,
    ):
        await declare(broker, bindings())
        life = Life(
            amqp_url=place.amqp_url,
            database_url=place.database_url,
            systems={"left": left.url, "right": right.url},
            log=str(place.folder / "log"),
        )
        first, notes = nursery.start(life), place.folder / "passed"
        await publisher.publish(taken_in(a_record("A", "1"), plan()))

        async def calls() -> int:
            return left.connections

        await eventually(calls, lambda n: n == 2, "the long call")
        second = nursery.start(replace(life, notes=str(notes)))

        async def passed() -> str:
            return notes.read_text(encoding="utf-8") if notes.exists() else ""

        await eventually(passed, lambda points: LOOKS in points, "the other process")
        seen: set[datetime] = set()

        async def renewals() -> int:
            seen.update(await store.read(lambda c: c.scalars(select(held.c.due)).all()))
            return len(seen)

        await eventually(renewals, lambda n: n >= RENEWALS, "a claim that goes on")
        assert 2 == left.connections
        assert -signal.SIGKILL == first.kill()

        async def at_left() -> list[tuple[str, str]]:
            return list(left.held)

        await eventually(at_left, bool, "taken over", within_s=15)
        second.kill()
    store.close()
    assert [("A", "1")] == left.held == right.held
    assert 3 == left.connections
