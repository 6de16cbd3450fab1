"""One message, one try: decoded, mapped, sent; tried again at once where that is likely to help.

Units      seconds
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.delivery.link import Link
from hub.envelope import ATTEMPT, DOUBT
from hub.port import Recalls
from routes.route import CompiledRoute
from schemas.errors import Transient
from schemas.message import Answer, Delivery, Message, RouteName

__all__ = ["Delivered", "attempt_of", "deliver"]

DEADLINE_S = 120.0
AT_ONCE_S = (0.05, 0.25)


@dataclass(frozen=True, slots=True)
class Delivered:
    """*answer* is None where the route leaves the message out."""

    answer: Answer | None
    took_ms: int


def attempt_of(headers: Mapping[str, Any]) -> int:
    """The number of the attempt that *headers* tell, from 1."""
    told = headers.get(ATTEMPT, 1)
    return told if isinstance(told, int) and told > 0 else 1


async def deliver(
    message: Message, headers: Mapping[str, Any], route: CompiledRoute, link: Link
) -> Delivered:
    """Raises what the connector raises, `Transient` (``target.timeout``) after two minutes, and
    `Rejected` where the message cannot be mapped."""
    payload = route.payload(message)
    if payload is None:
        return Delivered(None, 0)
    delivery = Delivery(
        message=message,
        route=RouteName(route.name),
        call=route.call,
        payload=payload,
        attempt=attempt_of(headers),
    )
    started = time.monotonic()
    answer = await _recalled(delivery, headers, link) or await _sent(delivery, link)
    return Delivered(answer, round((time.monotonic() - started) * 1000))


async def _sent(delivery: Delivery, link: Link) -> Answer:
    for wait_s in AT_ONCE_S:
        try:
            return await _once(delivery, link)
        except Transient as error:
            # Not again at once where it may have arrived, or where the system names a wait.
            if error.in_doubt or error.after_s:
                raise
        await asyncio.sleep(wait_s)
    return await _once(delivery, link)


async def _once(delivery: Delivery, link: Link) -> Answer:
    async with link.gate:
        await link.pace.turn()
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await link.sink.deliver(delivery)
        except TimeoutError as error:
            raise Transient("target.timeout", "No answer in time", in_doubt=True) from error


async def _recalled(delivery: Delivery, headers: Mapping[str, Any], link: Link) -> Answer | None:
    """What the system says it holds of an earlier try of which it is not known how it ended."""
    if not headers.get(DOUBT) or not isinstance(link.sink, Recalls):
        return None
    async with link.gate, asyncio.timeout(DEADLINE_S):
        return await link.sink.recall(delivery)
