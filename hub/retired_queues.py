"""Queues of routes that are declared no longer: deleted once nothing can be in them or come to them.

Promises   a queue is deleted only while no release can be applied, and only where the live one and the
           one before do not declare its route, every process runs the live one, nothing is in it, waits
           on its ladder or is held, and nobody consumes it
Careful    a queue has no consumers while it is empty (`hub.delivery`): so none is in anybody's hand
Units      seconds
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from hub.broker import Broker
from hub.gates import remove_gate
from hub.ledger_views import retrying
from hub.releases import QueueRow, forget_queue, live_number, locked, queue_rows, running_processes
from hub.store import Store
from hub.store.held import waiting_keys
from hub.topology import LEDGER, RUNGS, delete_queue, depths, queues_with_bulk

__all__ = ["remove_unused"]

ALIVE = timedelta(seconds=15)
LADDER = timedelta(seconds=RUNGS[-1] + 3600)
BROKER_S = 10.0
log = structlog.get_logger("hub.releases")


async def remove_unused(
    broker: Broker, store: Store, *, running: int, clock: Callable[[], datetime]
) -> Sequence[str]:
    """Delete what is unused by release *running*, where that is the live one; returns the queues."""
    removed = []
    for row in await store.read(partial(_candidates, running=running)):
        if await _empty(broker, row):
            remove = partial(
                _remove,
                row=row,
                running=running,
                at=clock(),
                delete=partial(_delete, broker, row, asyncio.get_running_loop()),
            )
            if await store.write(remove):
                log.info("queue.deleted", queue=row.queue, release=row.release)
                removed.append(row.queue)
    return removed


def _candidates(connection: Connection, running: int) -> list[QueueRow]:
    """Those of routes that neither the live release nor the one before it declares."""
    rows = queue_rows(connection)
    used = {row.route for row in rows if row.release >= running - 1}
    return [row for row in rows if row.route not in used]


def _remove(
    connection: Connection,
    row: QueueRow,
    running: int,
    at: datetime,
    delete: Callable[[], bool],
) -> bool:
    locked(connection)
    if live_number(connection) != running or row not in queue_rows(connection):
        return False
    if any(each["release"] != running for each in running_processes(connection, at - ALIVE)):
        return False
    if row.in_order:
        waits = bool(waiting_keys(connection, row.route))
    else:
        waits = row.route in retrying(connection, at - LADDER)
    if waits or not delete():
        return False
    forget_queue(connection, row)
    return True


def _delete(broker: Broker, row: QueueRow, loop: asyncio.AbstractEventLoop) -> bool:
    """In the transaction's thread; the broker is spoken to on the loop's."""

    async def deleted() -> bool:
        if not await _empty(broker, row):
            return False
        await remove_gate(broker, row.route)
        for queue in queues_with_bulk(row.queue):
            await delete_queue(broker, queue)
        return True

    async def in_time() -> bool:
        async with asyncio.timeout(BROKER_S):
            return await deleted()

    return asyncio.run_coroutine_threadsafe(in_time(), loop).result(BROKER_S * 2)


async def _empty(broker: Broker, row: QueueRow) -> bool:
    """Nothing is in it or in anybody's hand, and the ledger knows of all that was tried again."""
    queues = queues_with_bulk(row.queue)
    found = await depths(broker, [*queues, LEDGER])
    used = any(any(found.get(queue, (0, 0))) for queue in queues)
    return not used and not found.get(LEDGER, (0, 0))[0]
