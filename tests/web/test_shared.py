"""Many readers, one question."""

from __future__ import annotations

import asyncio

import pytest

from schemas.errors import Transient
from web.shared import Shared


class Counted:
    def __init__(self) -> None:
        self.asked = 0
        self.fails = False

    async def ask(self) -> int:
        self.asked += 1
        await asyncio.sleep(0)
        if self.fails:
            raise Transient("store.down", "The database does not answer")
        return self.asked


async def test_readers_at_one_time_share_one_answer() -> None:
    """Three hundred open pages must be one query."""
    counted = Counted()
    shared = Shared(counted.ask, 60)

    answers = await asyncio.gather(*(shared.get() for _ in range(300)))

    assert {1} == set(answers)


async def test_an_answer_grows_old() -> None:
    """After its time, or when something was changed by hand."""
    now = 0.0
    counted = Counted()
    shared = Shared(counted.ask, 10, lambda: now)

    first = await shared.get()
    now = 9.9
    again = await shared.get()
    now = 10.0
    later = await shared.get()
    shared.forget()

    assert (1, 1, 2, 3) == (first, again, later, await shared.get())


async def test_an_error_is_not_kept() -> None:
    """The next reader asks again, and may have more luck."""
    counted = Counted()
    counted.fails = True
    shared = Shared(counted.ask, 60)

    with pytest.raises(Transient):
        await shared.get()
    counted.fails = False

    assert 2 == await shared.get()
