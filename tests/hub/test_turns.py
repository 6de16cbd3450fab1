"""Whose turn it is to call a system: bulk behind all others, and still not for ever (issue 3)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import groupby

import pytest

from hub.delivery import Turns
from hub.delivery.turns import BULK_EVERY


class Called:
    """Calls that take their turns, and in which order they came to them."""

    def __init__(self, turns: Turns) -> None:
        self._turns, self.order = turns, list[str]()
        self.go_on = asyncio.Event()

    async def call(self, name: str) -> None:
        async with self._turns.taken(bulk=name.startswith("b")):
            self.order.append(name)
            await self.go_on.wait()

    def start(self, names: Sequence[str]) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self.call(name)) for name in names]


async def come(called: Called, count: int) -> None:
    async with asyncio.timeout(10):
        while len(called.order) < count:
            await asyncio.sleep(0)


async def test_bulk_goes_behind_all_others() -> None:
    """What is under way ends; then whoever is not bulk, though it came last; each line in its order."""
    called = Called(Turns(2))
    tasks = called.start(["b1", "b2", "b3", "b4"])
    await come(called, 2)
    tasks += called.start(["o1", "o2"])
    await asyncio.sleep(0)

    called.go_on.set()
    await asyncio.gather(*tasks)

    assert ["b1", "b2", "o1", "o2", "b3", "b4"] == called.order


async def test_bulk_has_one_turn_in_ten_while_others_come() -> None:
    """Between two of bulk are nine of the others, as long as there are any."""
    called = Called(Turns(1))
    tasks = called.start(["o0"])
    await come(called, 1)
    tasks += called.start([f"b{n}" for n in range(5)] + [f"o{n}" for n in range(30)])
    await asyncio.sleep(0)

    called.go_on.set()
    await asyncio.gather(*tasks)

    runs = [(kind, len(list(run))) for kind, run in groupby(called.order[1:], lambda each: each[0])]
    nine = ("o", BULK_EVERY - 1)
    assert [nine, ("b", 1), nine, ("b", 1), nine, ("b", 1), ("o", 3), ("b", 2)] == runs


async def test_a_paced_turn_is_not_held_by_bulk_that_waits_for_its_moment() -> None:
    """Twenty a second, four at a time: of what waits for a moment, the one that is no bulk is next."""
    loop = asyncio.get_running_loop()
    called, started = Called(Turns(4, per_s=20)), loop.time()
    called.go_on.set()
    tasks = called.start([f"b{n}" for n in range(6)])
    await come(called, 1)
    tasks += called.start(["o1"])

    await asyncio.gather(*tasks)

    assert ["b0", "o1", "b1", "b2", "b3", "b4", "b5"] == called.order
    assert loop.time() - started >= 6 * 0.05 - 0.01


@pytest.mark.parametrize("when", ["waiting", "let in"])
async def test_who_is_cancelled_keeps_no_place(when: str) -> None:
    """Neither in line, nor at the very moment at which its turn has come."""
    turns = Turns(1)
    called = Called(turns)
    (first,) = called.start(["o1"])
    await come(called, 1)
    (second,) = called.start(["b2"])
    await asyncio.sleep(0)
    if when == "let in":
        first.cancel()
        await asyncio.sleep(0)  # its place is given on, and whoever got it has not run yet
    second.cancel()
    await asyncio.wait({second})
    assert ["o1"] == called.order
    called.go_on.set()
    await asyncio.wait({first})

    async with asyncio.timeout(10), turns.taken(bulk=True):
        pass
    assert second.cancelled()
