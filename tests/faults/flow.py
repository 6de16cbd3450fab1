"""Records with every outcome that a record can have, and the check of what became of each of them.

The check reads the partners' own stores, the hub's ledger and its failure store: nothing lost,
nothing doubled, order kept where it is promised, everything told.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from hub.broker import Broker
from hub.envelope import Taken
from hub.ids import new_id, new_trace
from hub.intake import taken_in
from hub.plan import Plan
from hub.store import Store
from hub.store.tables import failures, held, ledger, outbox
from hub.topology import FAILURE_QUEUE, LEDGER, PIPELINE, depths, route_queue, service_queue
from schemas.errors import Transient
from schemas.message import Record, SystemCode
from schemas.receipt import Event
from tests.faults.receiver import BUSY, DENIED, REFUSED, Partner
from tests.faults.site import FOLLOWED, OUTSIDE, SICK_SERVICE, UNSENDABLE, UNSERVED
from tests.hub.conftest import now
from tests.hub.ledger_rows import breaks

__all__ = ["Flow", "ended", "send"]

PLAIN = "n"
STEPS = {PLAIN: 4, FOLLOWED: 3, BUSY: 4, DENIED: 1, SICK_SERVICE: 2, REFUSED: 1, UNSERVED: 1}
QUEUES = (
    *(*PIPELINE, LEDGER, FAILURE_QUEUE, service_queue("follow")),
    *(route_queue("steps-to-left", in_order=True), route_queue("steps-to-right", in_order=False)),
)
LOOK_EVERY_S = 0.15


@dataclass
class Flow:
    """The records of one case of the tests; *name* begins the numbers of all its cases."""

    name: str
    records: list[Taken] = field(default_factory=list)

    def __post_init__(self) -> None:
        longest = max(STEPS.values())
        for n in range(1, longest + 1):
            for letter, steps in STEPS.items():
                if n <= steps:
                    self._add(self._number(letter), str(n))
        self._add(self._number("o"), "1", region=OUTSIDE)
        self._add(self._number("w"), "1", region=UNSENDABLE)
        self._add(self._number("m"), "")  # lacks what is required
        self._add(self._number(PLAIN), "1")  # again

    def _number(self, letter: str) -> str:
        return f"{self.name}-{letter}"

    def _add(self, number: str, step: str, region: str = "130102") -> None:
        at = now()
        body = {"bh": number, "qh": region} | ({"hj": step} if step else {})
        self.records.append(
            Taken(
                id=new_id(at),
                system=SystemCode("sender"),
                received_at=at,
                traceparent=new_trace(),
                record=Record(kind="step", key=f"{number}{step}", body=body),
            )
        )

    @property
    def at_partners(self) -> Counter[tuple[str, str]]:
        """Numbers and steps that each partner must hold, once."""
        taken = {letter: steps for letter, steps in STEPS.items() if letter != REFUSED}
        own = {
            (self._number(letter), str(n))
            for letter, steps in taken.items()
            for n in range(1, steps + 1)
        }
        followed = {(f"{self._number(FOLLOWED)}x", str(n)) for n in range(1, STEPS[FOLLOWED] + 1)}
        return Counter(own | followed)

    @property
    def told(self) -> Counter[str]:
        """How many rows of which event the ledger must have."""
        own, followed = sum(STEPS.values()), STEPS[FOLLOWED]
        published = own + followed + 1
        return Counter(
            {
                # What a service publishes has no number of ours yet when it is received.
                Event.RECORD_RECEIVED: own + 4,
                Event.RECORD_ACCEPTED: own + followed + 1,
                Event.RECORD_REPEATED: 1,
                Event.RECORD_REJECTED: 2,
                Event.MESSAGE_PUBLISHED: published,
                Event.SERVICE_DONE: published - 1,
                Event.SERVICE_FAILED: 1,
                Event.DELIVERY_DONE: 2 * (own + followed - 1),
                Event.DELIVERY_LEFT_OUT: 2,
                Event.DELIVERY_FAILED: 2,
            }
        )

    @property
    def failed(self) -> Counter[tuple[str, str]]:
        return Counter(
            {
                ("intake", ""): 2,
                ("route", "steps-to-left"): 1,
                ("route", "steps-to-right"): 1,
                ("service", "follow"): 1,
            }
        )


async def send(broker: Broker, flow: Flow, plan: Plan) -> None:
    """As a gateway does: what was not confirmed is sent again under the same key."""
    async with broker.publisher() as publisher:
        for taken in flow.records:
            while True:
                try:
                    await publisher.publish(taken_in(taken, plan))
                    break
                except Transient:
                    await asyncio.sleep(LOOK_EVERY_S)


async def ended(
    broker: Broker, store: Store, partners: Mapping[str, Partner], flow: Flow, within_s: float
) -> None:
    """Wait until every record of *flow* has its outcome, and check all of them."""
    found: dict[str, Any] = {}
    try:
        async with asyncio.timeout(within_s):
            while found != _wanted(flow):
                await asyncio.sleep(LOOK_EVERY_S)
                # What is away now comes back, or the time runs out.
                with suppress(Transient, DBAPIError):
                    found = await _state(broker, store, partners, flow)
    except TimeoutError:
        wanted = _wanted(flow)
        differ = {
            name: (found.get(name), want)
            for name, want in wanted.items()
            if found.get(name) != want
        }
        raise AssertionError(f"{flow.name} does not end (found, wanted): {differ}") from None
    _in_order(partners["left"], flow)
    assert {} == await asyncio.to_thread(breaks, store)


def _wanted(flow: Flow) -> dict[str, Any]:
    return {
        "left": flow.at_partners,
        "right": flow.at_partners,
        "told": flow.told,
        "failed": flow.failed,
        "waiting": [(f"{flow.name}-{REFUSED}", None)],
        "outbox": 0,
        "queues": dict.fromkeys(QUEUES, 0),
    }


async def _state(
    broker: Broker, store: Store, partners: Mapping[str, Partner], flow: Flow
) -> dict[str, Any]:
    """What is known by now: what costs more to ask is asked when the rest is there."""
    found: dict[str, Any] = dict.fromkeys(_wanted(flow), "not asked yet")
    held = {name: Counter(partner.holds(flow.name)) for name, partner in partners.items()}
    found |= held
    if set(held["left"]) != set(flow.at_partners) != set(held["right"]):
        return found
    found |= await asyncio.to_thread(_recorded, store, flow)
    if found["told"] != flow.told:
        return found
    queues = await depths(broker, QUEUES)
    return found | {"queues": {name: ready for name, (ready, _) in queues.items()}}


def _recorded(store: Store, flow: Flow) -> dict[str, Any]:
    ours = f"{flow.name}-%"
    ids = [taken.id for taken in flow.records]
    f = failures.c
    with store.engine.connect() as connection:
        mine = ledger.c.subject.like(ours) | ledger.c.record_id.in_(ids)
        shown = [Event(each).value for each in flow.told]
        told = Counter(
            connection.scalars(select(ledger.c.event).where(mine, ledger.c.event.in_(shown)))
        )
        failed = connection.execute(
            select(f.stage, f.route).where(f.subject.like(ours) | f.record_id.in_(ids))
        )
        waiting = connection.execute(select(held.c.key, held.c.due).where(held.c.key.like(ours)))
        return {
            "told": told,
            "failed": Counter((row[0], row[1]) for row in failed),
            "waiting": [(row[0], row[1]) for row in waiting],
            "outbox": len(connection.execute(select(outbox.c.record_id)).all()),
        }


def _in_order(partner: Partner, flow: Flow) -> None:
    """Of each case, the first step came first."""
    taken: dict[str, list[str]] = {}
    for number, step in partner.holds(flow.name):
        taken.setdefault(number, []).append(step)
    own: Sequence[str] = [number for number in taken if not number.endswith("x")]
    for number in own:
        assert sorted(taken[number]) == taken[number], f"{number} in the order {taken[number]}"
