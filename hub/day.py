"""What the hub's records say of a span of time: messages with their outcome, and records by their keys.

Form       read in pages of one statement each, oldest first; bodies are opened where they are asked for
Careful    a message belongs to the time at which its record came: its id begins with that time, and so
           does the id of the row that it becomes in an exchange table
Not here   what a partner's table holds, and whether the two agree: `front_db.reconcile`
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, literal, or_, select, tuple_

from hub.crypto import Seal
from hub.envelope import decode_message
from hub.recorded import Recorded, recorded
from hub.resend import MAY_HAVE_ARRIVED
from hub.store.tables import Moment, failures, held, intake_keys, ledger, payloads
from schemas.message import Message
from schemas.receipt import Event

__all__ = [
    "Outcome",
    "RecordKey",
    "Told",
    "by_ids",
    "claimed_under",
    "claims",
    "first_id",
    "messages",
    "of_records",
    "opened",
    "outcomes",
    "refused_keys",
    "tallied",
]

PARAMETERS = 900
c = ledger.c


class Outcome(StrEnum):
    """How far a message is on one route."""

    DONE = "done"
    LEFT_OUT = "left-out"
    REPLACED = "replaced"
    WAITING = "waiting"  # on the ladder, held behind another, or being retried
    FAILED = "failed"
    IN_DOUBT = "in-doubt"
    SETTLED = "settled"  # discarded or redirected, by a person
    UNKNOWN = "unknown"  # not tried yet, or lost


@dataclass(frozen=True, slots=True)
class Told:
    """*version* of the route at that outcome; *edited*: a person changed the body before it went."""

    outcome: Outcome
    version: str = ""
    edited: bool = False


@dataclass(frozen=True, slots=True)
class RecordKey:
    """A record by the key of its sender."""

    key: str
    record_id: str


NOTHING = Told(Outcome.UNKNOWN)
_ENDS = {
    Event.DELIVERY_DONE.value: Outcome.DONE,
    Event.DELIVERY_LEFT_OUT.value: Outcome.LEFT_OUT,
    Event.DELIVERY_REPLACED.value: Outcome.REPLACED,
    Event.DELIVERY_RETRYING.value: Outcome.WAITING,
    Event.DELIVERY_FAILED.value: Outcome.UNKNOWN,
}
_FAILURES = {
    "waiting": Outcome.FAILED,
    "retrying": Outcome.WAITING,
    "discarded": Outcome.SETTLED,
    "redirected": Outcome.SETTLED,
}
_RANK = (
    Outcome.DONE,
    Outcome.LEFT_OUT,
    Outcome.REPLACED,
    Outcome.IN_DOUBT,
    Outcome.FAILED,
    Outcome.SETTLED,
    Outcome.WAITING,
    Outcome.UNKNOWN,
)


def first_id(at: datetime) -> str:
    """
    What no id that was given out at *at* (aware) or later is less than.

    >>> first_id(datetime.fromisoformat("2026-03-02T00:00:00+08:00"))
    '019caa20-c400-0000-0000-000000000000'
    """
    told = f"{int(at.timestamp() * 1000):012x}"
    return f"{told[:8]}-{told[8:]}-0000-0000-000000000000"


def messages(
    connection: Connection,
    bindings: Collection[str],
    since: datetime,
    until: datetime,
    *,
    after: tuple[datetime, int] | None = None,
    limit: int = 500,
) -> Sequence[RowMapping]:
    """A page of messages that *bindings* (``<resource>.<operation>``, ``<resource>.*``) mean, with
    their sealed bodies; *after* is time and id of the last one of the page before."""
    meant = and_(c.event == Event.MESSAGE_PUBLISHED.value, _bound(bindings))
    query = _with_bodies().where(meant, c.at >= since, c.at < until)
    if after:
        at, row_id = after
        query = query.where(
            c.at >= at, tuple_(c.at, c.id) > tuple_(literal(at, Moment), literal(row_id))
        )
    return connection.execute(query.order_by(c.at, c.id).limit(limit)).mappings().all()


def by_ids(connection: Connection, message_ids: Sequence[str]) -> dict[str, RowMapping]:
    """Messages by their ids, with their sealed bodies; one that nobody knows is left out."""
    found: dict[str, RowMapping] = {}
    for some in _lots(message_ids):
        query = _with_bodies().where(
            c.event == Event.MESSAGE_PUBLISHED.value, c.message_id.in_(some)
        )
        found |= {row["message_id"]: row for row in connection.execute(query).mappings()}
    return found


def of_records(connection: Connection, record_ids: Sequence[str]) -> dict[str, list[RowMapping]]:
    """The messages that records led to, with their sealed bodies."""
    found: dict[str, list[RowMapping]] = {}
    for some in _lots(record_ids):
        query = _with_bodies().where(
            c.event == Event.MESSAGE_PUBLISHED.value, c.record_id.in_(some)
        )
        for row in connection.execute(query).mappings():
            found.setdefault(row["record_id"], []).append(row)
    return found


def opened(row: RowMapping, seal: Seal) -> tuple[Message, Recorded] | None:
    """The message of *row*, and what it is sent again by; None where its body is not kept any more.
    Raises `Misconfigured` where the body was altered."""
    told = recorded(row, seal)
    return (decode_message(told.headers, told.body), told) if told.body is not None else None


def outcomes(connection: Connection, message_ids: Sequence[str], route: str) -> Mapping[str, Told]:
    """How far each message is on *route*; of which nothing is known is left out."""
    found: dict[str, Told] = {}
    for some in _lots(message_ids):
        query = select(c.message_id, c.event, c.version).where(
            c.message_id.in_(some), c.route == route, c.event.in_(_ENDS)
        )
        for message_id, event, version in connection.execute(query):
            _keep(found, message_id, Told(_ENDS[event], version))
        f = failures.c
        waiting = select(f.message_id, f.state, f.code, f.edited).where(
            f.message_id.in_(some), f.stage == "route", f.route == route
        )
        for message_id, state, code, edited in connection.execute(waiting):
            outcome = _FAILURES.get(state, Outcome.UNKNOWN)
            if outcome is Outcome.FAILED and code == MAY_HAVE_ARRIVED:
                outcome = Outcome.IN_DOUBT
            _keep(found, message_id, Told(outcome, edited=edited is not None))
        kept = select(held.c.message_id).where(held.c.message_id.in_(some), held.c.route == route)
        for message_id in connection.scalars(kept):
            _keep(found, message_id, Told(Outcome.WAITING))
    return found


def tallied(
    connection: Connection, bindings: Collection[str], route: str, since: datetime, until: datetime
) -> tuple[dict[Outcome, int], list[str]]:
    """How many messages of the span have which outcome on *route*, and the ids of those of which
    nothing is known."""
    counts: dict[Outcome, int] = {}
    lost: list[str] = []
    after: tuple[datetime, int] | None = None
    meant = and_(c.event == Event.MESSAGE_PUBLISHED.value, _bound(bindings))
    while True:
        query = select(c.message_id, c.at, c.id).where(meant, c.at >= since, c.at < until)
        if after:
            query = query.where(
                tuple_(c.at, c.id) > tuple_(literal(after[0], Moment), literal(after[1]))
            )
        rows = connection.execute(query.order_by(c.at, c.id).limit(PARAMETERS)).all()
        told = outcomes(connection, [row[0] for row in rows], route)
        for message_id, _, _ in rows:
            outcome = told.get(message_id, NOTHING).outcome
            counts[outcome] = counts.get(outcome, 0) + 1
            if outcome is Outcome.UNKNOWN:
                lost.append(message_id)
        if len(rows) < PARAMETERS:
            return counts, lost
        after = (rows[-1][1], rows[-1][2])


def claims(
    connection: Connection, source: str, kind: str, since: datetime, until: datetime
) -> Iterator[RecordKey]:
    """Records that were accepted, by the time at which they came; in order of their keys."""
    k = intake_keys.c
    mine = and_(
        k.source == source,
        k.kind == kind,
        k.record_id >= first_id(since),
        k.record_id < first_id(until),
    )
    last = ""
    while True:
        query = select(k.key, k.record_id).where(mine, k.key > last).order_by(k.key)
        rows = connection.execute(query.limit(PARAMETERS)).all()
        yield from (RecordKey(key, record_id) for key, record_id in rows)
        if len(rows) < PARAMETERS:
            return
        last = rows[-1][0]


def claimed_under(
    connection: Connection, source: str, kind: str, beginnings: Sequence[str]
) -> dict[str, list[RecordKey]]:
    """For each beginning, the records whose key is it with a slash and more behind it."""
    k = intake_keys.c
    found: dict[str, list[RecordKey]] = {}
    wanted = frozenset(beginnings)
    for some in _lots(beginnings, PARAMETERS // 2):
        # From "17/" up to "170": the character after the slash.
        spans = [and_(k.key >= f"{each}/", k.key < f"{each}0") for each in some]
        query = select(k.key, k.record_id).where(k.source == source, k.kind == kind, or_(*spans))
        for key, record_id in connection.execute(query):
            found.setdefault(_beginning(key, wanted), []).append(RecordKey(key, record_id))
    return found


def _beginning(key: str, wanted: Collection[str]) -> str:
    """An id may hold slashes itself: the longest that fits."""
    told = key
    while told and told not in wanted:
        told = told.rpartition("/")[0]
    return told


def refused_keys(
    connection: Connection, source: str, kind: str, since: datetime, until: datetime
) -> dict[str, str]:
    """Records that stand in the failure store at intake: their sender's key, and the state there."""
    f = failures.c
    query = select(f.headers, f.state).where(
        f.stage == "intake",
        f.source == source,
        f.resource == kind,
        f.first_at >= since,
        f.first_at < until,
    )
    return {str(h.get("x-key", "")): state for h, state in connection.execute(query)}


def _with_bodies() -> Any:
    joined = and_(payloads.c.part == c.part, payloads.c.digest == c.digest)
    return select(ledger, payloads.c.sealed).select_from(ledger.outerjoin(payloads, joined))


def _bound(bindings: Collection[str]) -> Any:
    parts = [each.partition(".") for each in sorted(bindings)]
    return or_(
        *(
            c.resource == resource
            if operation == "*"
            else and_(c.resource == resource, c.operation == operation)
            for resource, _, operation in parts
        )
    )


def _keep(found: dict[str, Told], message_id: str, told: Told) -> None:
    known = found.get(message_id)
    if known is None:
        found[message_id] = told
        return
    first, last = sorted((known, told), key=lambda each: _RANK.index(each.outcome))
    found[message_id] = Told(
        first.outcome, first.version or last.version, edited=first.edited or last.edited
    )


def _lots(ids: Sequence[str], many: int = PARAMETERS) -> Iterator[Sequence[str]]:
    yield from (ids[start : start + many] for start in range(0, len(ids), many))
