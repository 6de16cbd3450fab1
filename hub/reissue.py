"""Single messages and records sent once more because somebody counted and found them missing.

A message keeps its id, so a target that has had it all the same takes it for what it is; a record
keeps its sender's key. Who asked, and why, stands in the records; the ledger tells it too.

Promises   what was asked for and by whom is kept before anything is sent
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from hub.broker import Broker, Outgoing
from hub.crypto import Seal
from hub.day import by_ids, opened
from hub.envelope import REPLAY, Taken, encode_receipts
from hub.ids import new_id, new_trace
from hub.intake import taken_in
from hub.plan import Plan
from hub.receipts import sent_again
from hub.store import Store, acts
from hub.topology import RECEIPTS, is_bulk
from schemas.errors import Rejected
from schemas.message import Record, SystemCode
from schemas.receipt import Receipt

__all__ = ["Reissue", "Reissued"]

ACT = "reconcile.repaired"
BY = "x-replayed-by"
LOT = 200


@dataclass(frozen=True, slots=True)
class Reissued:
    """*id* of the whole; how many went, and the ids of messages whose body is not kept any more."""

    id: str
    sent: int
    without_body: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reissue:
    """*by* and *reason*: whose act it is."""

    broker: Broker
    store: Store
    seal: Seal
    plan: Plan
    clock: Callable[[], datetime]
    by: str
    reason: str

    async def messages(self, route: str, message_ids: Sequence[str]) -> Reissued:
        """Send messages on *route* once more. Raises `Rejected` where no reason is given or the
        route is declared no more."""
        if route not in self.plan.routes:
            raise Rejected("retry.no-route", "The route is declared no more", route=route)
        act = await self._begun()
        sent, without = 0, []
        queue = self.plan.queue_of(route, bulk=is_bulk(len(message_ids)))
        for start in range(0, len(message_ids), LOT):
            some = list(message_ids[start : start + LOT])
            rows = await self.store.read(partial(by_ids, message_ids=some))
            found = {each: opened(row, self.seal) for each, row in rows.items()}
            without += [each for each in some if found.get(each) is None]
            at = self.clock()
            outgoing: list[Outgoing] = []
            receipts: list[Receipt] = []
            for each in filter(None, found.values()):
                message, told = each
                headers = {**told.headers, REPLAY: act, BY: self.by}
                outgoing.append(Outgoing("", queue, told.body or b"", headers))
                receipts.append(sent_again(message, act=act, route=route, by=self.by, at=at))
            if outgoing:
                told_of = Outgoing(RECEIPTS, "receipts", encode_receipts(receipts))
                async with self.broker.publisher() as publisher:
                    await publisher.publish_all([*outgoing, told_of])
            sent += len(outgoing)
        return Reissued(act, sent, tuple(without))

    async def records(self, system: str, records: Sequence[Record]) -> Reissued:
        """Take *records* of *system* in once more, each under its sender's own key."""
        act = await self._begun()
        at = self.clock()
        taken = [
            Taken(
                id=new_id(at),
                system=SystemCode(system),
                received_at=at,
                traceparent=new_trace(),
                record=record,
            )
            for record in records
        ]
        async with self.broker.publisher() as publisher:
            bulk = is_bulk(len(taken))
            await publisher.publish_all(taken_in(each, self.plan, bulk=bulk) for each in taken)
        return Reissued(act, len(taken))

    async def _begun(self) -> str:
        if not self.reason.strip():
            raise Rejected("reconcile.reason-needed", "A repair needs a reason")
        at = self.clock()
        act = new_id(at)
        await self.store.write(
            lambda connection: acts.job_act(
                connection, ACT, act, by=self.by, at=at, reason=self.reason
            )
        )
        return act
