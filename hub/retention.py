"""How long what is kept: partitions made ahead, checkpoints, and what is old dropped.

Promises   a partition is dropped only after its chain was followed to the end and its closing
           checkpoint is kept; one whose chain is broken stays, and is alarmed
Careful    the ledger's rows and the bodies have terms of their own: without its body a message can
           be traced and proved, not replayed
Units      days; *by* whole partitions, so what is kept is up to one partition older
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, delete, select, text, update

from hub.audit import all_heads, verify_partition
from hub.store import Store
from hub.store.append import lock, mark_before
from hub.store.checkpoints import checkpoint
from hub.store.partitions import By, Head, create, names_table, span_of
from hub.store.tables import ledger, ledger_keys, ledger_partitions, payloads
from schemas.errors import HubError

__all__ = ["LedgerKeeper", "Retention", "keep"]

EVERY_S = 900.0
CHUNK = 5000
LOCK_S = 5
log = structlog.get_logger("hub.retention")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Three years of rows, half a year of bodies, unless a site decides otherwise."""

    ledger_days: int = 1095
    payload_days: int = 183
    by: By = "month"
    ahead: int = 2


@dataclass(frozen=True, slots=True)
class LedgerKeeper:
    """Looks after the ledger every quarter of an hour."""

    store: Store
    retention: Retention
    clock: Callable[[], datetime]

    async def run(self) -> None:
        while True:
            try:
                await asyncio.to_thread(keep, self.store, self.retention, self.clock())
            except HubError as error:
                log.warning("retention.waiting", code=error.code)
            await asyncio.sleep(EVERY_S)


def keep(store: Store, retention: Retention, now: datetime) -> None:
    """One round, in short transactions; it may be repeated, and end anywhere."""
    store.write_now(lambda connection: _ahead(connection, retention, now))
    store.write_now(lambda connection: _checkpoints(connection, now))
    ledger_end = now - timedelta(days=retention.ledger_days)
    payload_end = now - timedelta(days=min(retention.payload_days, retention.ledger_days))
    for head in store.read_now(all_heads).values():
        if head.until is None:
            continue
        if head.until <= payload_end and head.payloads == "kept":
            _drop_payloads(store, head.name)
        if head.until <= ledger_end:
            _drop_rows(store, head, now)
    before = mark_before(ledger_end)
    _delete(store, ledger_keys, ledger_keys.c.mark, ledger_keys.c.mark < before)


def _ahead(connection: Connection, retention: Retention, now: datetime) -> None:
    lock(connection)
    times = [now]
    for _ in range(retention.ahead):
        times.append(span_of(times[-1], retention.by).until)
    if made := create(connection, times, by=retention.by):
        log.info("ledger.partitions_made", names=made)


def _checkpoints(connection: Connection, now: datetime) -> None:
    lock(connection)
    for head in all_heads(connection).values():
        if head.state == "open":
            checkpoint(connection, head, now)


def _drop_payloads(store: Store, name: str) -> None:
    def drop(connection: Connection) -> None:
        lock(connection)
        if not store.is_sqlite:
            _drop_table(connection, "payloads", name)
        _mark(connection, name, payloads="dropped")

    store.write_now(drop)
    log.info("payloads.dropped", partition=name)
    if store.is_sqlite:
        _delete(store, payloads, payloads.c.digest, payloads.c.part == name)


def _drop_rows(store: Store, head: Head, now: datetime) -> None:
    """Verified first; closed and dropped where nothing was appended meanwhile."""
    if head.state == "open":
        verdict = store.read_now(lambda connection: verify_partition(connection, head.name))
        if not verdict.whole:
            log.error("ledger.broken", partition=head.name, breaks=verdict.break_count)
            return
        if not store.write_now(lambda connection: _close(connection, head.name, verdict.rows, now)):
            return
        log.info("ledger.dropped", partition=head.name, rows=verdict.rows)
    if store.is_sqlite:
        _delete(store, ledger, ledger.c.id, ledger.c.part == head.name)
        _delete(store, payloads, payloads.c.digest, payloads.c.part == head.name)


def _close(connection: Connection, name: str, verified: int, now: datetime) -> bool:
    lock(connection)
    head = all_heads(connection)[name]
    if head.state != "open" or head.rows != verified:
        return False
    checkpoint(connection, head, now, closing=True)
    if connection.dialect.name == "postgresql":
        _drop_table(connection, "ledger", name)
        _drop_table(connection, "payloads", name)
    _mark(connection, name, state="dropped", payloads="dropped")
    return True


def _mark(connection: Connection, name: str, **values: str) -> None:
    mine = update(ledger_partitions).where(ledger_partitions.c.name == name)
    connection.execute(mine.values(**values))


def _drop_table(connection: Connection, table: str, name: str) -> None:
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_S}s'"))
    connection.execute(text(f"DROP TABLE IF EXISTS {names_table(table, name)}"))


def _delete(store: Store, table: Any, key: Any, which: Any) -> None:
    """Some rows a transaction, so that nobody waits long."""
    some = select(key).where(which).limit(CHUNK)

    def once(connection: Connection) -> int:
        return connection.execute(delete(table).where(which, key.in_(some))).rowcount

    while store.write_now(once) >= CHUNK:
        pass
