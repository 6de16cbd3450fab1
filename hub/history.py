"""Recorded messages, from the history stream: as long as the broker still holds them.

Form       the stream holds what the pipeline tapped (`hub.tap`): many messages in one. A position
           is an offset, and the place in what stands there. Reading ends at a marker that was put
           there when it began: what comes after it was published meanwhile, and reaches every
           queue by itself
Careful    the stream also holds markers, and whatever a stranger put there: they are passed over;
           sent once more, it would bear our signature
Units      seconds
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from hub.broker import Broker, Incoming, Outgoing, Publisher, acknowledge
from hub.envelope import CE, REPLAY
from hub.recorded import Recorded
from hub.store.replays import Job
from hub.tap import copies
from hub.topology import HISTORY
from schemas.errors import Rejected, Transient

__all__ = ["MARKER", "REPLAY", "holds", "read"]

MARKER = "x-replay-end"
PREFETCH = 50
FIRST_S, SILENT_S = 3.0, 60.0
SKEW = timedelta(minutes=10)
OFFSET = "x-stream-offset"
log = structlog.get_logger("hub.history")


async def holds(broker: Broker, since: datetime) -> bool:
    """Whether the stream reaches back to *since*. Where that is not seen soon, it does not."""
    first = {OFFSET: "first"}
    try:
        async with broker.consumer(HISTORY, prefetch=1, arguments=first) as consumer:
            async with asyncio.timeout(FIRST_S):
                while True:
                    incoming = await consumer.one()
                    if (at := _time(incoming.headers)) is not None:
                        return at <= since
                    await acknowledge([incoming])
    except TimeoutError:
        return False


async def read(
    broker: Broker, publisher: Publisher, job: Job, token: str
) -> AsyncGenerator[Sequence[Recorded], None]:
    """What *job* means, after its position, some at a time. *token* names the marker: another for
    each reading."""
    await publisher.publish(Outgoing("", HISTORY, b"{}", {MARKER: token}))
    begin: Any = _place(job.position)[0] if job.position else job.since - SKEW
    arguments = {OFFSET: begin}
    async with broker.consumer(HISTORY, prefetch=PREFETCH, arguments=arguments) as consumer:
        ended = False
        while not ended:
            try:
                async with asyncio.timeout(SILENT_S):
                    batch = await consumer.batch(PREFETCH)
            except TimeoutError as error:
                raise Transient("broker.lost", "The history stream is silent") from error
            found: list[Recorded] = []
            for incoming in batch:
                if incoming.headers.get(MARKER) == token:
                    ended = True
                    break
                if MARKER not in incoming.headers and _ours(broker, incoming):
                    found += _meant(incoming, job)
            if found:
                yield found
            await acknowledge(batch)


def _meant(incoming: Incoming, job: Job) -> Iterator[Recorded]:
    offset = int(incoming.headers.get(OFFSET, 0))
    # A stream may begin a little before the offset that was asked for.
    after = _place(job.position) if job.position else (-1, -1)
    for index, (headers, body) in enumerate(copies(incoming)):
        kind = str(headers.get(f"{CE}type", "")).partition(".")[0]
        at = _time(headers)
        if kind != job.resource or at is None or not job.since <= at < job.until:
            continue
        if (offset, index) > after:
            yield Recorded(f"{offset}.{index}", headers, body)


def _place(position: str) -> tuple[int, int]:
    offset, _, index = position.partition(".")
    return int(offset), int(index)


def _ours(broker: Broker, incoming: Incoming) -> bool:
    try:
        broker.check(incoming)
    except Rejected as error:
        log.warning("history.stranger", code=error.code, offset=incoming.headers.get(OFFSET))
        return False
    return True


def _time(headers: Mapping[str, Any]) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(headers.get(f"{CE}time", "")))
    except ValueError:
        return None
    return at if at.tzinfo else None
