"""What a partner keeps: deliveries it took, its files of cases, and what it told or has still to tell.

Promises   a key is taken once; what `take` and `tell` return from is on disk
Careful    every call blocks: partners call it in a thread
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Float,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    func,
    insert,
    select,
    update,
)

from simulators.exchange_store import open_database

__all__ = ["File", "Store", "Taken", "Told", "Wanted"]

Content = Mapping[str, Any]

metadata = MetaData()
taken = Table(
    "taken",
    metadata,
    Column("key", String(128), primary_key=True),
    Column("call", String(64), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("case_no", String(64), nullable=False),
    Column("number", String(64), nullable=False),
    Column("at", Float, nullable=False),
    Column("repeats", Integer, nullable=False, default=0),
)
files = Table(
    "files",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("case_no", String(64), nullable=False, unique=True),
    Column("content", JSON, nullable=False),
    Column("told", Integer, nullable=False, default=0),
    Column("replied", Integer, nullable=False, default=0),
)
told = Table(
    "told",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("key", String(128), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("case_no", String(64), nullable=False),
    Column("content", JSON, nullable=False),
    Column("state", String(8), nullable=False, default="waiting"),  # waiting, done, refused
    Column("answer", String(400), nullable=False, default=""),
)


@dataclass(frozen=True, slots=True)
class Taken:
    """*repeated*: this key was here already, and nothing has changed. *fresh*: a new case."""

    number: str
    repeated: bool
    fresh: bool


@dataclass(frozen=True, slots=True)
class File:
    """A case as the partner keeps it, and how far its course has been told."""

    case_no: str
    content: Content
    told: int
    replied: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Something to be told: for the feed, or to be pushed. *event*: its number in the course."""

    key: str
    kind: str
    case_no: str
    content: Content
    event: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    seq: int
    key: str
    kind: str
    content: Content


class Store:
    """One partner's records, in an SQLite file of its own. *prefix* starts its numbers."""

    def __init__(self, url: str, prefix: str) -> None:
        self._engine, self._prefix = open_database(url, metadata), prefix

    def close(self) -> None:
        self._engine.dispose()

    def take(
        self,
        *,
        key: str,
        call: str,
        subject: str,
        case_no: str,
        content: Content | None = None,
        replies: bool = False,
    ) -> Taken:
        """Take a delivery. *content* opens a file; *replies*: it answers a supplement notice."""
        with self._engine.begin() as connection:
            known = connection.scalar(select(taken.c.number).where(taken.c.key == key))
            if known is not None:
                again = update(taken).where(taken.c.key == key)
                connection.execute(again.values(repeats=taken.c.repeats + 1))
                return Taken(known, repeated=True, fresh=False)
            fresh = content is not None and not _has_file(connection, case_no)
            count = connection.scalar(select(func.count()).select_from(taken)) or 0
            number = f"{self._prefix}{count + 1:08}"
            row = {"key": key, "call": call, "subject": subject, "case_no": case_no}
            connection.execute(insert(taken), {**row, "number": number, "at": time.time()})
            if fresh:
                connection.execute(insert(files), {"case_no": case_no, "content": content})
            if replies:
                connection.execute(
                    update(files).where(files.c.case_no == case_no).values(replied=1)
                )
            return Taken(number, repeated=False, fresh=fresh)

    def open_files(self) -> list[File]:
        """All files, for a partner that starts again."""
        with self._engine.connect().execution_options(reads=True) as connection:
            rows = connection.execute(select(files).order_by(files.c.id)).mappings()
            return [_file(row) for row in rows]

    def contents(self, numbers: AbstractSet[str]) -> dict[str, Content]:
        """The applications of these cases, as they came in."""
        asked = select(files.c.case_no, files.c.content).where(files.c.case_no.in_(numbers))
        with self._engine.connect().execution_options(reads=True) as connection:
            return dict(connection.execute(asked).tuples().all())

    def tell(self, wanted: Sequence[Wanted]) -> list[Told]:
        """Put down what shall be told; returns it with its numbers."""
        rows = []
        with self._engine.begin() as connection:
            for each in wanted:
                row = {"key": each.key, "kind": each.kind, "case_no": each.case_no}
                done = connection.execute(insert(told), {**row, "content": dict(each.content)})
                seq = int(done.inserted_primary_key[0])  # type: ignore[index]  # an insert has one
                rows.append(Told(seq, each.key, each.kind, each.content))
                if each.event:
                    # The later of a pair may come first: told counts as far as it got.
                    connection.execute(
                        update(files)
                        .where(files.c.case_no == each.case_no, files.c.told < each.event)
                        .values(told=each.event)
                    )
        return rows

    def after(self, seq: int, limit: int) -> list[Told]:
        """What the feed has behind *seq*; what stands up to it is known to have arrived."""
        with self._engine.begin() as connection:
            arrived = update(told).where(told.c.seq <= seq, told.c.state == "waiting")
            connection.execute(arrived.values(state="done"))
            asked = select(told).where(told.c.seq > seq).order_by(told.c.seq).limit(limit)
            return [_told(row) for row in connection.execute(asked).mappings()]

    def waiting(self) -> list[Told]:
        with self._engine.connect().execution_options(reads=True) as connection:
            asked = select(told).where(told.c.state == "waiting").order_by(told.c.seq)
            return [_told(row) for row in connection.execute(asked).mappings()]

    def settle(self, seq: int, state: str, answer: str) -> None:
        with self._engine.begin() as connection:
            settled = update(told).where(told.c.seq == seq)
            connection.execute(settled.values(state=state, answer=answer[:400]))

    def told_of(self, kind: str) -> int:
        """How much of *kind* it has told, or is about to."""
        asked = select(func.count()).select_from(told).where(told.c.kind == kind)
        with self._engine.connect().execution_options(reads=True) as connection:
            return connection.scalar(asked) or 0

    def counts(self) -> dict[str, int]:
        """Cases, deliveries and what became of the events; besides, deliveries per call."""
        with self._engine.connect().execution_options(reads=True) as connection:
            by_call: dict[str, int] = dict(
                connection.execute(select(taken.c.call, func.count()).group_by(taken.c.call))
                .tuples()
                .all()
            )
            states: dict[str, int] = dict(
                connection.execute(select(told.c.state, func.count()).group_by(told.c.state))
                .tuples()
                .all()
            )
            different = select(taken.c.call, taken.c.subject).distinct().subquery()
            once = connection.scalar(select(func.count()).select_from(different)) or 0
            repeats = connection.scalar(select(func.coalesce(func.sum(taken.c.repeats), 0))) or 0
            cases = connection.scalar(select(func.count()).select_from(files)) or 0
        return {
            "cases": cases,
            "deliveries": sum(by_call.values()),
            "repeats": int(repeats),
            "doubled": sum(by_call.values()) - once,
            "events_sent": states.get("done", 0),
            "events_refused": states.get("refused", 0),
            "waiting": states.get("waiting", 0),
            **by_call,
        }

    def holds(self, call: str | None) -> list[dict[str, str]]:
        asked = select(taken.c.key, taken.c.case_no, taken.c.call).order_by(taken.c.at)
        if call is not None:
            asked = asked.where(taken.c.call == call)
        with self._engine.connect().execution_options(reads=True) as connection:
            return [
                {"key": key, "case": case, "call": name}
                for key, case, name in connection.execute(asked).tuples()
            ]


def _has_file(connection: Connection, case_no: str) -> bool:
    return connection.scalar(select(files.c.id).where(files.c.case_no == case_no)) is not None


def _file(row: RowMapping) -> File:
    return File(row["case_no"], row["content"], row["told"], bool(row["replied"]))


def _told(row: RowMapping) -> Told:
    return Told(row["seq"], row["key"], row["kind"], row["content"])
