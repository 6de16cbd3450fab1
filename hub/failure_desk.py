"""What a person does with failures: look, rehearse, retry, edit, redirect, discard, restore.

All of it is written to the database in one transaction with the entry of who did it and why; the
retry runner sends and tells the ledger (`hub.retry_runner`). So nothing here needs the broker, and
nothing is half done.

Promises   a failure is claimed in the transaction that decides to retry it, so two clicks are one
           retry; an edit is validated again, keeps the original and every earlier edit; what was
           discarded can be restored
Careful    retrying repeats the failed place alone: one route or service, or the record's intake
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, or_, select, update

from catalog.derive.mask import mask_wholly
from hub import failure_views
from hub.convert import convert, validate
from hub.crypto import Seal, sm3
from hub.envelope import CE, decode_body, decode_heading, decode_taken, encode_body
from hub.failure_views import MOST_ROWS, Group, History
from hub.plan import Plan
from hub.redirect import as_kind, place_at, to_route
from hub.rehearsal import Rehearsed, rehearse
from hub.resend import MAY_HAVE_ARRIVED
from hub.retry_jobs import open_job
from hub.retry_policy import Policy
from hub.store import Store, acts, retries
from hub.store.retries import STRANGERS, Chosen
from hub.store.tables import failure_edits, failures, retry_jobs
from schemas.errors import Rejected
from schemas.message import Body
from schemas.receipt import Event

__all__ = ["FailureDesk"]

REHEARSED_AT_ONCE, MOST_REHEARSED = 100, 1000
EVERY = Chosen(every=True)
c = failures.c


class FailureDesk:
    """*plan* validates edits, maps rehearsals and checks redirects."""

    def __init__(
        self,
        store: Store,
        seal: Seal,
        plan: Plan,
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._seal, self._plan, self._clock = store, seal, plan, clock

    async def groups(self, state: str = "waiting") -> Sequence[Group]:
        return await self._store.read(partial(failure_views.groups, state=state))

    async def listed(
        self,
        state: str = "waiting",
        chosen: Chosen = EVERY,
        limit: int = MOST_ROWS,
        *,
        after: str = "",
    ) -> Sequence[RowMapping]:
        """Those that fit *chosen*, newest first, without bodies; *after* the one of that id."""
        look = partial(failure_views.listed, state=state, chosen=chosen, limit=limit, after=after)
        return await self._store.read(look)

    async def row(self, failure_id: str) -> RowMapping:
        """Raises `Rejected` where there is no such failure."""
        return await self._store.read(partial(failure_views.one, failure_id=failure_id))

    async def history(self, failure_id: str) -> History:
        """What people did with it, oldest first."""
        return await self._store.read(partial(failure_views.history, failure_id=failure_id))

    def body(self, row: RowMapping) -> dict[str, Any]:
        """The body as it would be sent, in clear: mask it before it is shown."""
        return decode_body(self._seal.open(row["edited"] or row["sealed"]))

    def masked(self, row: RowMapping, sealed: bytes | None = None) -> Body:
        """The body as it may be shown, or that of an edit."""
        try:
            body = decode_body(self._seal.open(sealed)) if sealed else self.body(row)
        except Rejected:
            return {}
        mask = self._plan.masks.get(row["resource"]) if row["stage"] != "intake" else None
        return mask(body) if mask else mask_wholly(body)

    def mapped(self, row: RowMapping) -> Body:
        """What the target was given, as it may be shown; empty where mapping did not get that far.
        Of another version of its route than today's nobody knows which values are personal."""
        if row["mapped"] is None:
            return {}
        payload = decode_body(self._seal.open(row["mapped"]))
        route = self._plan.routes.get(row["route"])
        if route is None or route.version != row["version"]:
            return mask_wholly(payload)
        return route.shown(payload)

    async def rehearse(self, chosen: Chosen, most: int = MOST_REHEARSED) -> Sequence[Rehearsed]:
        """Waiting failures, run through today's declarations without any effect. Raises `Rejected`
        where the choice is empty."""
        if not chosen.told:
            raise Rejected("retry.nothing-chosen", "Say which failures, or all")
        found: list[Rehearsed] = []
        after = ""
        while room := min(REHEARSED_AT_ONCE, most - len(found)):
            rows = await self._store.read(
                partial(failure_views.with_bodies, chosen=chosen, after=after, most=room)
            )
            found += await asyncio.to_thread(self._rehearsed, rows)
            if len(rows) < room:
                break
            after = rows[-1]["id"]
        return found

    async def retry(self, ids: Sequence[str], by: str, reason: str = "") -> Sequence[str]:
        """Retry those of *ids* that wait; returns the ones that were sent on their way."""
        at = self._clock()
        return await self._store.write(partial(_retry, ids=ids, by=by, reason=reason, at=at))

    async def edit(self, failure_id: str, body: Body, by: str, reason: str = "") -> None:
        """Validate *body*, keep it beside the original and earlier edits, and retry with it."""
        row = await self.row(failure_id)
        self._check(row, body)
        sealed, at = self._seal.seal(encode_body(body)), self._clock()

        def keep(connection: Connection) -> None:
            _waiting(failure_views.one(connection, failure_id, lock=True))
            _keep_edit(connection, failure_id, sealed, by=by, reason=reason, at=at)
            _retry(connection, [failure_id], by, reason, at)

        await self._store.write(keep)

    async def redirect(
        self, failure_id: str, by: str, reason: str, *, route: str = "", kind: str = ""
    ) -> str:
        """Send it by another *route*, or a record through intake again as *kind*; checked first.
        Returns the failure that is being retried: a new one, linked both ways, on another route."""
        _needed(reason)
        row = await self.row(failure_id)
        _waiting(row)
        if bool(route) == bool(kind):
            raise Rejected("redirect.where", "Either a route or a kind of record")
        there = to_route(row, route, self._seal, self._plan) if route else None
        headers = as_kind(row, kind, self._seal, self._plan) if kind else {}
        at = self._clock()

        def send(connection: Connection) -> str:
            _waiting(failure_views.one(connection, failure_id, lock=True))
            new_id = failure_id
            if there:
                new_id = place_at(connection, row, there, at)
            else:
                mine = update(failures).where(c.id == failure_id)
                connection.execute(mine.values(headers=headers, resource=kind))
            told = f"{route or kind}: {reason.strip()}"
            acts.record(
                connection, Event.FAILURE_REDIRECTED, [failure_id], by=by, at=at, reason=told
            )
            _retry(connection, [new_id], by, reason, at)
            return new_id

        return await self._store.write(send)

    async def discard(self, ids: Sequence[str], reason: str, by: str) -> Sequence[str]:
        """Set aside until restored; a reason is needed and kept."""
        note = f"{by}: {_needed(reason)}"[:512]
        change = update(failures).where(c.id.in_(ids), c.state == "waiting")
        return await self._moved(
            change.values(state="discarded", note=note), Event.FAILURE_DISCARDED, by, reason
        )

    async def restore(self, ids: Sequence[str], reason: str, by: str) -> Sequence[str]:
        """Undo: what was discarded waits again; so does what a retry that is over has sent and
        nothing was heard of since."""
        _needed(reason)
        running = select(retry_jobs.c.id).where(
            retry_jobs.c.state.in_(("running", "paused", "stopped"))
        )
        over = or_(c.job_id.is_(None), c.job_id.not_in(running))
        change = update(failures).where(
            c.id.in_(ids), or_(c.state == "discarded", (c.state == "retrying") & over)
        )
        return await self._moved(
            change.values(state="waiting", note="", job_id=None),
            Event.FAILURE_RESTORED,
            by,
            reason,
        )

    async def _moved(self, change: Any, event: Event, by: str, reason: str) -> Sequence[str]:
        at = self._clock()

        def move(connection: Connection) -> list[str]:
            moved = list(connection.scalars(change.returning(c.id)))
            acts.record(connection, event, moved, by=by, at=at, reason=reason.strip())
            return moved

        return await self._store.write(move)

    def _rehearsed(self, rows: Sequence[RowMapping]) -> list[Rehearsed]:
        return [rehearse(row, self._seal, self._plan) for row in rows]

    def _check(self, row: RowMapping, body: Body) -> None:
        _waiting(row)
        if at := _still_masked(body, self.body(row), self.masked(row)):
            raise Rejected("failure.masked", "A value as it is shown, not as it is", at=at)
        if row["code"] in STRANGERS:
            raise Rejected(row["code"], "Not sent by the hub")
        if row["code"] == MAY_HAVE_ARRIVED:
            raise Rejected("failure.in-doubt", "The target may have the original")
        if row["stage"] not in retries.STAGES:
            raise Rejected("retry.no-place", "It can be sent nowhere", stage=row["stage"])
        if row["stage"] != "intake":
            validate(row["resource"], body, self._plan, decode_heading(row["headers"]).operation)
            return
        content = encode_body(body)
        headers = {**row["headers"], f"{CE}digest": sm3(content)}
        convert(decode_taken(headers, content), self._plan)


def _retry(
    connection: Connection, ids: Sequence[str], by: str, reason: str, at: datetime
) -> list[str]:
    """A job without canaries or brake, its failures claimed at once."""
    if not ids:
        return []
    chosen = Chosen(ids=tuple(dict.fromkeys(ids)))
    started = open_job(connection, chosen, Policy.at_once(), by=by, reason=reason, at=at)
    return retries.claim(connection, started.id, 0, started.total, at)


def _keep_edit(
    connection: Connection, failure_id: str, sealed: bytes, *, by: str, reason: str, at: datetime
) -> None:
    mine = failure_edits.c.failure_id == failure_id
    last = connection.scalar(select(func.max(failure_edits.c.n)).where(mine)) or 0
    row = {
        "failure_id": failure_id,
        "n": last + 1,
        "at": at,
        "by": by[: acts.BY_LENGTH],
        "reason": reason[: acts.REASON_LENGTH],
        "sealed": sealed,
    }
    connection.execute(insert(failure_edits), row)
    connection.execute(update(failures).where(c.id == failure_id).values(edited=sealed))
    acts.record(connection, Event.FAILURE_EDITED, [failure_id], by=by, at=at, reason=reason)


def _still_masked(new: Any, real: Any, shown: Any, at: str = "") -> str:
    """Where *new* holds what a page shows instead of the real value; "" where nowhere."""
    below: list[tuple[str, Any, Any, Any]] = []
    if isinstance(new, Mapping) and isinstance(real, Mapping) and isinstance(shown, Mapping):
        below = [(name, new[name], real.get(name), shown.get(name)) for name in new]
    elif isinstance(new, list) and isinstance(real, list) and isinstance(shown, list):
        triples = zip(new, real, shown, strict=False)
        below = [(str(n), *triple) for n, triple in enumerate(triples)]
    elif isinstance(new, str) and new == shown != real:
        return at
    found = (_still_masked(a, b, c, f"{at}/{name}") for name, a, b, c in below)
    return next((each for each in found if each), "")


def _waiting(row: RowMapping) -> None:
    if row["state"] != "waiting":
        raise Rejected("failure.not-waiting", "It does not wait", state=row["state"])


def _needed(reason: str) -> str:
    if not reason.strip():
        raise Rejected("failure.reason-needed", "A reason is needed", at="/reason")
    return reason.strip()
