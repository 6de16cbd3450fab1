"""Runs retry jobs: claims, sends and follows their rows, and tells the ledger what people did.

Every process may run one; a job is worked on by whoever holds its lease (`hub.retry_leases`). Each
step of the work is a transaction of its own, so that whoever comes after a crash finds how far it
went: rows that are claimed were not sent, rows that are sent were, and rows that are staged may have
been. Those are sent again, under the same key, where that does no harm; else their failures wait, in
doubt.

Promises   nothing is sent that is not claimed and staged; a failure is never forgotten between two
           states; one row that cannot be sent holds up no other; the rows of a large job wait for what
           is no bulk
Careful    *fault* is called between any two steps: tests stop the runner there
Units      seconds
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection, RowMapping

from hub.broker import Broker, Outgoing, Publisher
from hub.crypto import Seal
from hub.envelope import CE, encode_receipt
from hub.ids import trace_id
from hub.plan import Plan
from hub.resend import resent
from hub.retry_jobs import advance, look, policy_of
from hub.retry_leases import Lease, Stillness, Watch
from hub.retry_policy import Move, Policy, Send, Wait, chunk_rows
from hub.store import Store, acts, retries
from hub.topology import RECEIPTS, is_bulk
from schemas.errors import HubError, Transient
from schemas.receipt import Event, Receipt

__all__ = ["RetryRunner"]

# A lease is renewed while its process lives, whatever that waits for.
TICK_S, LEASE_S, BEATS = 0.2, 15.0, 5
JOBS_AT_ONCE, LEASES_SEEN, ACTS_AT_ONCE = 16, 500, 500
CHUNK_BYTES, ADOPTED_ROWS = 8 * 1_048_576, 100
UNROUTABLE, NO_QUEUE = "broker.unroutable", "retry.no-queue"
log = structlog.get_logger("hub.retries")


def _always(route: str) -> bool:
    del route
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRunner:
    """*repeatable* says of a route whether its system takes a repeat for what it is."""

    broker: Broker
    store: Store
    seal: Seal
    plan: Plan
    clock: Callable[[], datetime]
    repeatable: Callable[[str], bool] = _always
    lease_s: float = LEASE_S
    fault: Callable[[str], None] = lambda _: None
    owner: str = field(default_factory=lambda: os.urandom(16).hex())
    _running: set[str] = field(default_factory=set)
    _watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_watch", Watch(self.owner))

    async def run(self) -> None:
        """Work until cancelled. What is away ends it; whoever goes on finds everything as it is."""
        owner = self.owner
        self._running.clear()
        # While the database was away nobody could renew: what was seen before tells nothing.
        object.__setattr__(self, "_watch", Watch(owner))
        try:
            async with self.broker.publisher() as publisher, asyncio.TaskGroup() as jobs:
                while True:
                    await self._tell(publisher)
                    await self._settle()
                    for job_id in await self._leased(owner):
                        self._running.add(job_id)
                        jobs.create_task(_Work(self, publisher, job_id, owner).run())
                    await asyncio.sleep(TICK_S)
        except asyncio.CancelledError:
            async with asyncio.timeout(self.lease_s):
                await self.store.write(partial(retries.unlease, owner=owner))
            raise

    async def _tell(self, publisher: Publisher) -> None:
        """The ledger, of what people did."""
        while rows := await self.store.read(partial(acts.untold, most=ACTS_AT_ONCE)):
            await publisher.publish_all([_told(row) for row in rows])
            self.fault("told")
            ids = [row["id"] for row in rows]
            await self.store.write(partial(acts.mark_told, ids=ids))

    async def _settle(self) -> None:
        any_known = partial(retries.settle, at=self.clock(), look_only=True)
        while await self.store.read(any_known):
            settled = await self.store.write(partial(retries.settle, at=self.clock()))
            self.fault("settled")
            if not settled:  # another process is at it
                break

    async def _leased(self, owner: str) -> Sequence[str]:
        until = self.clock() + timedelta(seconds=self.lease_s)
        rows = await self.store.read(partial(retries.leases, owner=owner, most=LEASES_SEEN))
        seen = [Lease(*row.values()) for row in rows]
        free = self._watch.nobodys(seen, asyncio.get_running_loop().time(), self.lease_s)
        free = [each for each in free if each.job_id not in self._running]
        if left := [each.job_id for each in free if each.state == "cancelled"]:
            await self.store.write(partial(retries.orphans, job_ids=left, now=self.clock()))
        new = [each for each in free if each.state == "running"]
        taken = []
        for each in new[: JOBS_AT_ONCE - len(self._running)]:
            lease = partial(retries.lease, seen=each._asdict(), owner=owner, until=until)
            if await self.store.write(lease):
                taken.append(each.job_id)
        return taken

    def ended(self, job_id: str) -> None:
        self._running.discard(job_id)


class _Work:
    """One job, worked on until it waits for a person or is over."""

    def __init__(self, of: RetryRunner, publisher: Publisher, job_id: str, owner: str) -> None:
        self._of, self._publisher = of, publisher
        self._job, self._owner = job_id, owner
        self._free_at, self._renew_at = 0.0, 0.0
        self._stillness = Stillness()
        self._bulk = False

    async def run(self) -> None:
        log.info("retry.taken", job=self._job)
        self._of.fault("leased")
        beating = asyncio.create_task(self._beat())
        try:
            await self._adopt()
            while await self._step():
                pass
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
        await self._of.store.write(partial(retries.unlease, owner=self._owner, job_id=self._job))
        self._of.ended(self._job)

    async def _beat(self) -> None:
        """Renew the lease as long as this process lives, also while it waits for the broker."""
        while True:
            await asyncio.sleep(self._of.lease_s / BEATS)
            try:
                if not await self._of.store.write(self._renewed):
                    return
            except Transient as error:
                log.warning("retry.unrenewed", job=self._job, code=error.code)

    async def _step(self) -> bool:
        """One move of the job; False where there is nothing to do for us any more."""
        loop = asyncio.get_running_loop()
        if self._renew_at > loop.time() and await self._of.store.read(self._waits):
            await asyncio.sleep(TICK_S)
            return True
        self._renew_at = loop.time() + self._of.lease_s / 3
        moved = await self._of.store.write(self._advance)
        if moved is None:
            return False
        move, job = moved
        self._of.fault(type(move).__name__.lower())
        return await self._send(policy_of(job)) if isinstance(move, Send) else True

    def _waits(self, connection: Connection) -> bool:
        """Waiting costs no write, but for the lease now and then."""
        return isinstance(look(connection, self._job, self._still_s), Wait)

    def _advance(self, connection: Connection) -> tuple[Move, RowMapping] | None:
        now, until = self._of.clock(), self._until()
        return advance(connection, self._job, self._owner, now, until, self._still_s)

    def _still_s(self, what: object) -> float:
        return self._stillness.of(what, time.monotonic())

    def _until(self) -> datetime:
        return self._of.clock() + timedelta(seconds=self._of.lease_s)

    async def _send(self, policy: Policy) -> bool:
        await self._pause()
        rows = await self._of.store.write(partial(self._stage, most=chunk_rows(policy)))
        if rows is None:
            return False
        self._of.fault("staged")
        await self._forward(rows)
        if policy.pace_per_s:
            self._free_at = asyncio.get_running_loop().time() + len(rows) / policy.pace_per_s
        return True

    async def _pause(self) -> None:
        """Until the pace allows the next chunk; a long wait keeps the lease, and ends with it."""
        loop = asyncio.get_running_loop()
        while (wait_s := self._free_at - loop.time()) > 0:
            await asyncio.sleep(min(wait_s, self._of.lease_s / 3))
            if not await self._of.store.write(self._renewed):
                return

    def _renewed(self, connection: Connection) -> bool:
        job = retries.guard(connection, self._job, self._owner, self._until())
        self._bulk = job is not None and is_bulk(job["total"])
        return job is not None

    def _stage(self, connection: Connection, most: int) -> Sequence[RowMapping] | None:
        if not self._renewed(connection):
            return None
        rows = retries.staged(connection, self._job, most, CHUNK_BYTES)
        numbers = [row["n"] for row in rows]
        retries.mark(connection, self._job, numbers, "claimed", "staged", self._of.clock())
        return rows

    async def _adopt(self) -> None:
        """Rows that somebody staged and may have sent."""
        store, at = self._of.store, self._of.clock()
        await store.write(partial(retries.settle_staged, job_id=self._job, at=at))
        while rows := await store.write(self._doubtful):
            harmless = [row for row in rows if self._repeatable(row)]
            codes = {row["n"]: retries.IN_DOUBT for row in rows if row not in harmless}
            log.warning("retry.adopted", job=self._job, again=len(harmless), doubtful=len(codes))
            await self._given_back(codes)
            await self._forward(harmless, doubt=True)

    def _doubtful(self, connection: Connection) -> Sequence[RowMapping]:
        if not self._renewed(connection):
            return ()
        return retries.adopted(connection, self._job, ADOPTED_ROWS)

    def _repeatable(self, row: Mapping[Any, Any]) -> bool:
        # Intake and services know what they have seen.
        return row["stage"] != "route" or self._of.repeatable(row["route"])

    async def _forward(self, rows: Sequence[RowMapping], *, doubt: bool = False) -> None:
        """Send *rows*, which are staged, and say so; those that cannot be sent wait again."""
        codes: dict[int, str] = {}
        outgoing: dict[int, Outgoing] = {}
        for row in rows:
            try:
                outgoing[row["n"]] = resent(
                    row, self._of.seal, self._of.plan, doubt=doubt, bulk=self._bulk
                )
            except HubError as error:
                codes[row["n"]] = error.code
        codes |= await self._published(outgoing)
        self._of.fault("published")
        await self._given_back(codes)
        gone = [n for n in outgoing if n not in codes]
        at = self._of.clock()
        await self._of.store.write(partial(retries.sent, job_id=self._job, numbers=gone, at=at))
        self._of.fault("sent")

    async def _published(self, outgoing: Mapping[int, Outgoing]) -> dict[int, str]:
        """Those that no queue took, with the reason."""
        try:
            await self._publisher.publish_all(list(outgoing.values()))
        except Transient as error:
            if error.code != UNROUTABLE:
                raise
        else:
            return {}
        # One of them has no queue: which? The others may go twice; their keys are the same.
        refused: dict[int, str] = {}
        for n, each in outgoing.items():
            try:
                await self._publisher.publish(each)
            except Transient as error:
                if error.code != UNROUTABLE:
                    raise
                refused[n] = NO_QUEUE
        return refused

    async def _given_back(self, codes: Mapping[int, str]) -> None:
        if codes:
            at = self._of.clock()
            give = partial(retries.give_back, job_id=self._job, codes=codes, at=at)
            await self._of.store.write(give)


def _told(row: Mapping[Any, Any]) -> Outgoing:
    event = Event(row["act"])
    names = ("message_id", "record_id", "source", "resource", "subject", "route", "system", "code")
    receipt = Receipt(
        key=f"{row['failure_id']}.{event}.{row['id']}",
        event=event,
        at=row["at"],
        by=row["by"],
        trace=trace_id(str(row["headers"].get(f"{CE}traceparent", ""))),
        **{name: row[name] for name in names},
    )
    return Outgoing(RECEIPTS, event.value, encode_receipt(receipt))
