"""Systems that are asked for what is new: poll, publish confirmed, then remember the cursor.

Promises   a record that can never be sent is refused with a receipt, and holds nothing up
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog
from sqlalchemy import Connection, delete, insert, select

from hub.broker import Broker, Publisher
from hub.envelope import Taken
from hub.ids import new_id, new_trace
from hub.intake import refusal, taken_in
from hub.pipeline import published
from hub.plan import Plan
from hub.port import Cursor, Source
from hub.route_states import RouteStates
from hub.store import Store
from hub.store.tables import cursors
from schemas.errors import HubError, Misconfigured, Rejected, Transient
from schemas.message import Record, SystemCode

__all__ = ["SourcePoll"]

BATCH = 200
WAIT_FIRST_S, WAIT_LAST_S = 1.0, 60.0
log = structlog.get_logger("hub.sources")


class SourcePoll:
    """Polls one system every *poll_s* seconds; one that is away is asked ever more rarely."""

    def __init__(  # noqa: PLR0913 - a source needs as much
        self,
        broker: Broker,
        store: Store,
        system: SystemCode,
        source: Source,
        *,
        poll_s: float,
        states: RouteStates,
        clock: Callable[[], datetime],
        plan: Callable[[], Plan],
    ) -> None:
        """*plan* gives the one in use."""
        self._broker, self._store, self._system = broker, store, system
        self._source, self._poll_s = source, poll_s
        self._states, self._clock, self._plan = states, clock, plan

    async def run(self) -> None:
        name = f"from {self._system}"
        wait_s, halted = WAIT_FIRST_S, False
        async with self._broker.publisher() as publisher:
            while True:
                try:
                    await self.once(publisher)
                except (Transient, Misconfigured) as error:
                    log.warning("source.failed", system=self._system, code=error.code)
                    if isinstance(error, Misconfigured) and not halted:
                        await self._states.halted(name, error, self._clock())
                        halted = True
                    await asyncio.sleep(wait_s)
                    wait_s = min(wait_s * 2, WAIT_LAST_S)
                    continue
                except HubError as error:
                    log.error("source.refused", system=self._system, code=error.code)
                    await asyncio.sleep(wait_s)
                    wait_s = min(wait_s * 2, WAIT_LAST_S)
                    continue
                if halted:
                    await self._states.flowing(name, self._clock())
                wait_s, halted = WAIT_FIRST_S, False
                await asyncio.sleep(self._poll_s)

    async def once(self, publisher: Publisher) -> None:
        """All that is new now, handed on and told to the source. Raises what hinders it."""
        after = await self._store.read(self._cursor)
        batch: list[Record] = []
        async for record in self._source.records(after):
            batch.append(record)
            if len(batch) >= BATCH:
                await self._take(batch, publisher)
                batch = []
        if batch:
            await self._take(batch, publisher)

    async def _take(self, records: Sequence[Record], publisher: Publisher) -> None:
        at, plan = self._clock(), self._plan()
        taken = [self._as_taken(record, at) for record in records]
        try:
            await publisher.publish_all([taken_in(each, plan) for each in taken])
        except Rejected:
            await self._take_singly(taken, plan, publisher)
        await self._source.taken(records)
        if cursor := records[-1].cursor:
            await self._store.write(lambda connection: self._remember(connection, cursor, at))

    async def _take_singly(self, taken: Sequence[Taken], plan: Plan, publisher: Publisher) -> None:
        """One of them can never be sent: it is refused, with a receipt, and those beside it go on."""
        for each in taken:
            try:
                await publisher.publish(taken_in(each, plan))
            except Rejected as error:
                log.warning("record.refused", system=self._system, code=error.code, record=each.id)
                told = refusal(
                    each.id,
                    each.system,
                    each.record.kind,
                    error,
                    at=each.received_at,
                    traceparent=each.traceparent,
                    key=each.record.key,
                )
                await publisher.publish(published(told))

    def _as_taken(self, record: Record, at: datetime) -> Taken:
        return Taken(
            id=new_id(at),
            system=self._system,
            received_at=at,
            traceparent=new_trace(),
            record=record,
        )

    def _cursor(self, connection: Connection) -> Cursor | None:
        found = connection.scalar(select(cursors.c.cursor).where(cursors.c.system == self._system))
        return Cursor(found) if found is not None else None

    def _remember(self, connection: Connection, cursor: str, at: datetime) -> None:
        connection.execute(delete(cursors).where(cursors.c.system == self._system))
        connection.execute(insert(cursors), {"system": self._system, "cursor": cursor, "at": at})
