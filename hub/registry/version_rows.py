"""Rows of versions and acts, read and written.

Promises   a step is kept only if the version still stands where it was seen: of two people who act at
           once, the second is told
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from catalog.lifecycle.kept import Done, Version
from catalog.lifecycle.people import Actor
from catalog.lifecycle.steps import LIVE, OPEN, Reason, Standing, State
from hub.ids import new_id
from hub.store import insert_once
from hub.store.catalogue import catalogue_acts, catalogue_codes, catalogue_versions
from schemas.errors import Rejected

__all__ = [
    "Entry",
    "acts_of",
    "claim_code",
    "last_number",
    "listed",
    "live_version",
    "moved",
    "note",
    "one",
    "open_version",
    "put",
]

c = catalogue_versions.c


@dataclass(frozen=True, slots=True)
class Entry:
    """One act as it is kept. *state*: after it; *release*: that it led to."""

    subject: str
    act: str
    state: str
    reasons: Sequence[Reason] = ()
    release: int | None = None


def one(connection: Connection, resource: str, number: int) -> Version:
    """Raises `Rejected` (``lifecycle.unknown``)."""
    query = select(catalogue_versions).where(c.resource == resource, c.number == number)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise Rejected("lifecycle.unknown", "No such version", resource=resource, number=number)
    return _version(row)


def listed(
    connection: Connection, *, resource: str = "", states: Sequence[State] = ()
) -> list[Version]:
    """By resource, the newest version first."""
    query = select(catalogue_versions).order_by(c.resource, c.number.desc())
    if resource:
        query = query.where(c.resource == resource)
    if states:
        query = query.where(c.state.in_([state.value for state in states]))
    return [_version(row) for row in connection.execute(query).mappings()]


def live_version(connection: Connection, resource: str) -> Version | None:
    return next(iter(listed(connection, resource=resource, states=tuple(LIVE))), None)


def open_version(connection: Connection, resource: str) -> Version | None:
    return next(iter(listed(connection, resource=resource, states=tuple(OPEN))), None)


def last_number(connection: Connection, resource: str) -> int:
    """0 where there is none."""
    found = connection.scalar(select(func.max(c.number)).where(c.resource == resource))
    return found or 0


def put(connection: Connection, version: Version) -> None:
    """A version that is new."""
    connection.execute(insert(catalogue_versions), _row(version))


def moved(connection: Connection, before: Standing, after: Version) -> None:
    """Keep *after* where the version still stands as *before*; else `Rejected`."""
    done = connection.execute(
        update(catalogue_versions)
        .where(
            c.resource == before.resource,
            c.number == before.number,
            c.state == before.state.value,
            c.since == before.since,
        )
        .values(**_row(after))
    )
    if done.rowcount != 1:
        raise Rejected("lifecycle.state", "Somebody was faster", state=before.state.value)


def claim_code(connection: Connection, code: str, resource: str) -> None:
    """Give *code* to *resource* for ever. Raises `Rejected` (``lifecycle.code``) where it has been
    another's."""
    connection.execute(
        insert_once(connection, catalogue_codes), {"code": code, "resource": resource}
    )
    codes = catalogue_codes.c
    owner = connection.scalar(select(codes.resource).where(codes.code == code))
    if owner != resource:
        raise Rejected("lifecycle.code", "The code is another's", code=code, owner=owner)


def note(connection: Connection, entry: Entry, actor: Actor, at: datetime) -> None:
    """What *actor* did, for good: rows of this table are never changed."""
    row = {
        "id": new_id(at),
        "at": at,
        "by": actor.name[:64],
        "unit": actor.unit[:200],
        "subject": entry.subject,
        "act": entry.act,
        "state": entry.state,
        "reasons": [{"item": each.item, "text": each.text[:512]} for each in entry.reasons],
        "release": entry.release,
    }
    connection.execute(insert(catalogue_acts), row)


def acts_of(connection: Connection, subject: str) -> list[Done]:
    """Oldest first."""
    acts = catalogue_acts.c
    query = select(catalogue_acts).where(acts.subject == subject).order_by(acts.at, acts.id)
    return [
        Done(
            row.at,
            row.by,
            row.unit,
            row.subject,
            row.act,
            row.state,
            tuple(Reason(each["item"], each["text"]) for each in row.reasons),
            row.release,
        )
        for row in connection.execute(query)
    ]


def _version(row: RowMapping) -> Version:
    standing = Standing(
        row["resource"],
        row["number"],
        row["provider"],
        State(row["state"]),
        row["since"],
        row["submitted_by"],
        row["ends"],
    )
    return Version(standing, row["text"], row["accepted"])


def _row(version: Version) -> dict[str, object]:
    standing = version.standing
    return {
        "resource": standing.resource,
        "number": standing.number,
        "provider": standing.provider,
        "state": standing.state.value,
        "since": standing.since,
        "submitted_by": standing.submitted_by[:64],
        "ends": standing.ends,
        "text": version.text,
        "accepted": version.accepted,
    }
