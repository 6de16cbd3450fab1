"""Which of the pipeline's queues a process takes, so that all processes have their share.

Each process waits at every queue, so that another takes over at once where one is gone; but at those
that fall to another it lets that one go first. Who is there, the processes tell each other in the
database: where that is away, everything stays as it is.

Careful    a balance and no lock: that one process at a time takes of a queue is the broker's doing
Units      seconds
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import structlog
from sqlalchemy import Connection, delete, select, update

from hub.ids import new_id
from hub.store import Store, insert_once
from hub.store.tables import pipelines
from hub.topology import PIPELINE
from schemas.errors import Transient

__all__ = ["Leaves", "Shares", "seen"]

LOOK_S, GONE_S, FORGOTTEN_S = 1.0, 10.0, 3600.0
log = structlog.get_logger("hub.shares")


class Leaves(Protocol):
    def leave(self, queues: Sequence[str], /) -> None: ...


class Shares:
    """Of this process."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock
        self._process: str = new_id(clock())

    async def keep(self, shards: Leaves) -> None:
        """Until cancelled, have *shards* leave what falls to others whenever who is there changes."""
        there: Sequence[str] = (self._process,)
        while True:
            try:
                now = await self._store.write(
                    partial(seen, process=self._process, at=self._clock())
                )
            except Transient as error:
                log.warning("shares.unseen", code=error.code)
                now = there
            if now != there:
                there = now
                others = [
                    queue
                    for number, queue in enumerate(PIPELINE)
                    if there[number % len(there)] != self._process
                ]
                log.info("shares.changed", processes=len(there), left=others)
                shards.leave(others)
            await asyncio.sleep(LOOK_S)


def seen(connection: Connection, process: str, at: datetime) -> Sequence[str]:
    """Note that *process* is there; returns who is, in one order for all."""
    c = pipelines.c
    row = {"id": process, "at": at}
    connection.execute(insert_once(connection, pipelines), row)
    connection.execute(update(pipelines).where(c.id == process).values(at=at))
    connection.execute(delete(pipelines).where(c.at < at - timedelta(seconds=FORGOTTEN_S)))
    there = select(c.id).where(c.at >= at - timedelta(seconds=GONE_S)).order_by(c.id)
    return connection.scalars(there).all()
