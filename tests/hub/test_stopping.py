"""An engine that is stopped at any instant of its start stops."""

from __future__ import annotations

import asyncio

from hub.store import Store
from tests.hub.conftest import running_engine


async def test_it_stops_whenever_it_is_asked(amqp_url: str, store: Store) -> None:
    """The AMQP library swallows a cancelling that meets an answer: one of these used to hang."""
    for milliseconds in range(0, 60, 4):
        async with asyncio.timeout(10), running_engine(amqp_url, store):
            # The instant of stopping is what is varied here; nothing is waited for.
            await asyncio.sleep(milliseconds / 1000)
