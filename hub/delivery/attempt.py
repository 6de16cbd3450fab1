"""One mapped message, one try: sent; tried again at once where that is likely to help.

Units      seconds
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from hub.delivery.link import Link
from hub.envelope import ATTEMPT, DOUBT
from hub.port import Recalls
from routes.route import CompiledRoute
from schemas.errors import Transient
from schemas.message import Answer, Body, Delivery, Message, RouteName

__all__ = ["Delivered", "Try", "Untried", "attempt_of", "deliver"]

DEADLINE_S = 120.0
AT_ONCE_S = (0.05, 0.25)


class Untried(Exception):
    """When its first turn came, the system was not to be called any more."""


@dataclass(frozen=True, slots=True)
class Try:
    """How a message takes its turns at *link*; *open* says whether to begin when the first comes."""

    link: Link
    open: Callable[[], bool]
    bulk: bool = False

    @asynccontextmanager
    async def turn(self, *, first: bool) -> AsyncIterator[None]:
        async with self.link.turns.taken(bulk=self.bulk):
            if first and not self.open():
                raise Untried
            yield


@dataclass(frozen=True, slots=True)
class Delivered:
    """*took_ms*: the call that was answered, without the wait for its turn."""

    answer: Answer
    took_ms: int


def attempt_of(headers: Mapping[str, Any]) -> int:
    """The number of the attempt that *headers* tell, from 1."""
    told = headers.get(ATTEMPT, 1)
    return told if isinstance(told, int) and told > 0 else 1


async def deliver(
    message: Message, payload: Body, headers: Mapping[str, Any], route: CompiledRoute, by: Try
) -> Delivered:
    """*payload*: *message* in the system's words. Raises what the connector raises, `Transient`
    (``target.timeout``) after two minutes, and `Untried`."""
    delivery = Delivery(
        message=route.passed(message),
        route=RouteName(route.name),
        call=route.call,
        payload=payload,
        attempt=attempt_of(headers),
    )
    return await _recalled(delivery, headers, by) or await _sent(delivery, by)


async def _sent(delivery: Delivery, by: Try) -> Delivered:
    for n, wait_s in enumerate(AT_ONCE_S):
        try:
            return await _once(delivery, by, first=n == 0)
        except Transient as error:
            # Not again at once where it may have arrived, or where the system names a wait.
            if error.in_doubt or error.after_s:
                raise
        await asyncio.sleep(wait_s)
    return await _once(delivery, by, first=False)


async def _once(delivery: Delivery, by: Try, *, first: bool) -> Delivered:
    async with by.turn(first=first):
        started = time.monotonic()
        try:
            async with asyncio.timeout(DEADLINE_S):
                answer = await by.link.sink.deliver(delivery)
        except TimeoutError as error:
            raise Transient("target.timeout", "No answer in time", in_doubt=True) from error
        return Delivered(answer, _since_ms(started))


async def _recalled(delivery: Delivery, headers: Mapping[str, Any], by: Try) -> Delivered | None:
    """What the system says it holds of an earlier try of which it is not known how it ended."""
    sink = by.link.sink
    if not headers.get(DOUBT) or not isinstance(sink, Recalls):
        return None
    async with by.turn(first=True), asyncio.timeout(DEADLINE_S):
        started = time.monotonic()
        answer = await sink.recall(delivery)
    return Delivered(answer, _since_ms(started)) if answer else None


def _since_ms(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
