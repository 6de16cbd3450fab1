"""Replays under way and done: what was asked, by whom, and how far it has got."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from hub.store.tables import replays

__all__ = ["Job", "advance", "begin", "find", "listed"]

MOST_ROWS = 200
c = replays.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """*step*: intake, stream, route or service; *place*: which route or service. *source*: history
    or ledger. *position*: the last message that is known to have been sent, in the source's form."""

    id: str
    resource: str
    since: datetime
    until: datetime
    step: str
    place: str
    source: str
    by: str
    at: datetime
    state: str = "running"
    position: str = ""
    sent: int = 0
    skipped: int = 0


def begin(connection: Connection, job: Job) -> None:
    connection.execute(insert(replays), asdict(job))


def advance(connection: Connection, job: Job) -> None:
    """Keep how far *job* has got."""
    values = {name: getattr(job, name) for name in ("state", "position", "sent", "skipped")}
    connection.execute(update(replays).where(c.id == job.id).values(values))


def find(connection: Connection, job_id: str) -> Job | None:
    row = connection.execute(select(replays).where(c.id == job_id)).mappings().first()
    return Job(**{str(name): value for name, value in row.items()}) if row else None


def listed(connection: Connection) -> Sequence[Job]:
    """The newest first."""
    rows = connection.execute(select(replays).order_by(c.at.desc()).limit(MOST_ROWS)).mappings()
    return [Job(**{str(name): value for name, value in row.items()}) for row in rows]
