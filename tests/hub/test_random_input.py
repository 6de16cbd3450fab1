"""Senders that repeat themselves, contradict themselves and come out of order: what results is what a model says.

The same draws go to the hub, by its door and by a polled source, and to a model of three lines: of
one key the first record counts, whatever came under it later (issue 3, "Faults as tests").
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

import httpx
import pytest
from starlette.applications import Starlette

from hub.engine import Polled
from hub.gateway import Gateway
from hub.port import Cursor, Traits
from hub.store import Store
from schemas.message import Record, SystemCode
from schemas.receipt import Event
from tests.hub.conftest import Running, eventually, now, running_engine
from tests.hub.ledger_rows import breaks
from tests.hub.site import small_plan
from tests.hub.test_gateway import Door
from tests.records import shape

SUBJECTS, STEPS, DRAWS, PAGE = 6, 8, 120, 7


@dataclass(frozen=True)
class Draw:
    """A record as a partner sends it."""

    key: str
    number: str
    step: str

    @property
    def body(self) -> dict[str, str]:
        return {"bh": self.number, "hj": self.step, "qh": "130102"}


def draws(chance: random.Random, prefix: str) -> Sequence[Draw]:
    """New ones in any order, late ones, repeats, and repeats that tell something else."""
    fresh = [
        Draw(f"{prefix}{n}/{step}", f"{prefix}{n}", f"{step}")
        for n in range(SUBJECTS)
        for step in range(STEPS)
    ]
    chance.shuffle(fresh)
    told: list[Draw] = []
    for _ in range(DRAWS):
        mood = chance.random()
        if fresh and (mood < 0.5 or not told):
            told.append(fresh.pop())
        elif mood < 0.75:
            told.append(chance.choice(told))
        else:
            old = chance.choice(told)
            told.append(Draw(old.key, old.number, f"{old.step}'"))
    return told + fresh


def model(told: Sequence[Draw]) -> dict[str, list[str]]:
    """The steps of each case that the partners hold, in the order of their coming."""
    first: dict[str, Draw] = {}
    for draw in told:
        first.setdefault(draw.key, draw)
    held: dict[str, list[str]] = defaultdict(list)
    for draw in first.values():
        held[draw.number].append(draw.step)
    return held


@dataclass
class Repeating:
    """A source that begins each poll a few entries before its cursor, as it may."""

    told: Sequence[Draw]
    chance: random.Random
    traits: Traits = field(default_factory=lambda: Traits(idempotent=True, says_why=True))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None: ...

    async def check(self) -> None: ...

    async def records(self, after: Cursor | None, /) -> AsyncIterator[Record]:
        known = int(after or 0)
        first = max(0, known - self.chance.randrange(PAGE))
        for n, draw in enumerate(self.told[first : known + PAGE], first + 1):
            cursor = f"{max(n, known)}"
            yield Record(kind="step", key=draw.key, body=draw.body, cursor=cursor)

    async def taken(self, records: Sequence[Record], /) -> None: ...


@pytest.fixture
def records(sqlite_url: str) -> Iterator[Store]:
    store = Store(sqlite_url)
    shape(store)
    yield store
    store.close()


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_what_results_is_what_the_model_says(
    seed: int, amqp_url: str, records: Store
) -> None:
    """Two systems hold of each case what came first under each key, once; the one with an order has
    it in the order of coming; every record has its receipt."""
    chance = random.Random(seed)  # noqa: S311 - play, not secrets
    pushed, polled = draws(chance, "P"), draws(chance, "Q")
    wanted = model(pushed) | model(polled)
    plan = small_plan("order_by: subject")
    async with running_engine(amqp_url, records, plan=plan) as running:
        source = Repeating(polled, chance)
        links = running.engine.links
        of_sender = Polled(SystemCode("sender"), source, 0.01)
        await running.engine.use(plan, links=links, polled=[of_sender])
        await _push(running, pushed)

        async def held() -> list[Counter[tuple[object, object]]]:
            return [
                Counter((payload["no"], payload["step"]) for payload in system.payloads)
                for system in (running.left, running.right)
            ]

        all_once = Counter((number, step) for number, steps in wanted.items() for step in steps)
        await eventually(held, lambda both: both == [all_once] * 2, "what the model says")
        count = all_once.total()
        accepted = await running.until(Event.RECORD_ACCEPTED, count)
        done = await running.until(Event.DELIVERY_DONE, 2 * count)
        repeats = len(pushed) - sum(map(len, model(pushed).values()))
        await running.until(Event.RECORD_REPEATED, repeats)
    assert (count, 2 * count) == (len(accepted), len(done))
    taken: dict[object, list[object]] = defaultdict(list)
    for payload in running.left.payloads:
        taken[payload["no"]].append(payload["step"])
    assert wanted == taken
    assert {} == breaks(records)


async def _push(running: Running, told: Sequence[Draw]) -> None:
    gateway = Gateway(
        {"sender": Door()}, running.publisher, running.store, now, lambda: running.engine.plan
    )
    app = Starlette(routes=gateway.routes())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://hub", headers={"x-word": "sesame"}
    ) as client:
        for draw in told:
            headers = {"idempotency-key": draw.key}
            answer = await client.post("/in/sender/step", json=draw.body, headers=headers)
            assert 202 == answer.status_code
            await asyncio.sleep(0)
