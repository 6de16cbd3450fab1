"""Is the ledger as it was written? Every chain is followed; what breaks it is named.

Promises   found is any row that was changed, removed, added or moved, at the end of a chain too;
           memory is bounded, whatever the size of a partition
Careful    whoever may write to the database and knows this code can write a whole new chain, head
           and checkpoints with it: only a signature of a checkpoint kept elsewhere tells then
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Connection, MetaData, RowMapping, inspect, select, text

from hub.store import Store
from hub.store.chain import chained, first_link
from hub.store.checkpoints import FIRST, Checkpoint, checkpoints, next_link
from hub.store.partitions import Head, names_table
from hub.store.tables import ledger, ledger_partitions

__all__ = ["Break", "Verdict", "all_heads", "verify", "verify_partition"]

MOST_BREAKS = 100
CHUNK = 2000


@dataclass(frozen=True, slots=True)
class Break:
    """*what* is a code of `schemas.texts`; *seq* to *last*: places in the chain; *key*: of the row
    that stands there now."""

    what: str
    seq: int
    last: int
    key: str = ""


@dataclass(slots=True)
class Verdict:
    """Of one partition, or of the checkpoints (*partition* is "checkpoints")."""

    partition: str
    state: str
    rows: int = 0
    breaks: list[Break] = field(default_factory=list)
    break_count: int = 0

    @property
    def whole(self) -> bool:
        return not self.break_count

    def broken(self, what: str, seq: int, last: int = 0, key: str = "") -> None:
        self.break_count += 1
        if len(self.breaks) < MOST_BREAKS:
            self.breaks.append(Break(what, seq, last or seq, key))


def verify(store: Store) -> Iterator[Verdict]:
    """The checkpoints, then each partition, oldest first; each as it stands at one moment."""
    yield store.read_now(_verify_checkpoints)
    for name in store.read_now(_names):
        yield store.read_now(partial(verify_partition, name=name))


def verify_partition(connection: Connection, name: str) -> Verdict:
    """On a connection that has not read anything yet."""
    if connection.dialect.name == "postgresql":
        # Head and rows of one moment, while the writer goes on.
        mode = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
        connection.execute(text(mode))
    head = all_heads(connection).get(name)
    kept = list(checkpoints(connection, name))
    verdict = Verdict(name, head.state if head else "unknown")
    if head is None:
        verdict.broken("audit.partition", 0)
    elif head.state == "dropped":
        _verify_dropped(head, kept, verdict)
        return verdict
    walk = _Walk(verdict, name, {each.rows: each.link for each in kept})
    for row in _rows(connection, name):
        walk.step(row)
    walk.end(head, kept)
    return verdict


def all_heads(connection: Connection) -> dict[str, Head]:
    c = ledger_partitions.c
    query = select(c.name, c.since, c.until, c.rows, c.link, c.state, c.payloads)
    return {row.name: Head(*row) for row in connection.execute(query.order_by(c.name))}


class _Walk:
    """Along one chain. *links*: what the next row may be chained to: the link that stands at the row
    before, and the one it ought to have, so that one bad row does not blame its neighbour too."""

    def __init__(self, verdict: Verdict, name: str, marks: dict[int, bytes]) -> None:
        self._verdict, self._marks = verdict, marks
        self._next = 1
        self._links: tuple[bytes, ...] = (first_link(name),)
        self._last = self._links[0]
        self._gaps: list[tuple[int, int]] = []

    def step(self, row: RowMapping) -> None:
        self._verdict.rows += 1
        seq, link = row["seq"], bytes(row["link"])
        if seq < self._next:
            self._verdict.broken(
                "audit.moved" if self._fills(seq) else "audit.added", seq, key=row["key"]
            )
            return
        if seq > self._next:
            self._gaps.append((self._next, seq - 1))
            self._links = (link,)  # what it was chained to is not there
        else:
            due = [chained(each, row) for each in self._links]
            if link not in due:
                self._verdict.broken("audit.changed", seq, key=row["key"])
            self._links = tuple({link, *due})
        if self._marks.get(seq, link) != link:
            self._verdict.broken("audit.checkpoint", seq, key=row["key"])
        self._next, self._last = seq + 1, link

    def end(self, head: Head | None, kept: Sequence[Checkpoint]) -> None:
        reached = self._next - 1
        most = max([head.rows if head else 0, *(each.rows for each in kept)])
        if reached < most:
            self._gaps.append((self._next, most))
        for first, last in self._gaps:
            self._verdict.broken("audit.removed", first, last)
        if head and reached > head.rows:
            self._verdict.broken("audit.added", head.rows + 1, reached)
        elif head and (head.rows < most or (reached == head.rows and self._last != head.link)):
            self._verdict.broken("audit.head", head.rows)

    def _fills(self, seq: int) -> bool:
        for place, (first, last) in enumerate(self._gaps):
            if first <= seq <= last:
                rest = [(first, seq - 1), (seq + 1, last)]
                self._gaps[place : place + 1] = [(a, b) for a, b in rest if a <= b]
                return True
        return False


def _verify_dropped(head: Head, kept: Sequence[Checkpoint], verdict: Verdict) -> None:
    """Its rows are gone; its closing checkpoint must tell what its head tells."""
    verdict.rows = head.rows
    last = kept[-1] if kept else None
    if last is None or not last.closing or (last.rows, last.link) != (head.rows, head.link):
        verdict.broken("audit.checkpoint", head.rows)


def _verify_checkpoints(connection: Connection) -> Verdict:
    verdict = Verdict("checkpoints", "open")
    links: tuple[bytes, ...] = (FIRST,)
    for each in checkpoints(connection):
        verdict.rows += 1
        due = [
            next_link(link, each.part, each.rows, each.link, each.at, closing=each.closing)
            for link in links
        ]
        if each.chained not in due:
            verdict.broken("audit.checkpoint", each.id, key=each.part)
        links = tuple({each.chained, *due})
    return verdict


def _names(connection: Connection) -> list[str]:
    """Of every partition that is known, or that holds rows."""
    known = set(all_heads(connection))
    if connection.dialect.name == "postgresql":
        names = {names_table("ledger", name): name for name in known}
        tables = text(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = 'ledger'::regclass"
        )
        found = {names.get(each, each) for each in connection.scalars(tables)}
    else:
        found = set(connection.scalars(select(ledger.c.part).distinct()))
    kept = {each.part for each in checkpoints(connection)}
    return sorted(known | found | kept)


def _rows(connection: Connection, name: str) -> Iterator[RowMapping]:
    """In the order in which they were written, some at a time."""
    stream = {"stream_results": True, "yield_per": CHUNK}
    if connection.dialect.name == "postgresql":
        # The partition itself: nobody who changes the whole table waits for us.
        table_name = name if name.startswith("ledger_") else names_table("ledger", name)
        if not inspect(connection).has_table(table_name):
            return
        table: Any = ledger.to_metadata(MetaData(), name=table_name)
        query = select(table).order_by(table.c.id)
    else:
        query = select(ledger).where(ledger.c.part == name).order_by(ledger.c.id)
    yield from connection.execute(query, execution_options=stream).mappings()
