"""A writer that behaves at random, on a table that we may only read, and a capture that dies at random."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, Engine, Transaction, delete, insert, update

from front_db.changes import Change
from front_db.contract import ExchangeTable
from front_db.database import Database
from front_db.modes import CaptureMode, Fuse, KeySetMode, WatermarkMode
from hub.store import Store
from schemas.message import Operation
from tests.front_db.plain import Plain, fresh_store

T = TypeVar("T")
TRANSACTIONS, KEYS = 50, 14
DELETE_SHARE, ROLLBACK_SHARE, LATE_SHARE, DEATH_SHARE = 0.3, 0.15, 0.25, 0.12
NAMES = ("民宿𠮷", "甲", "o'Brien", "a\\b%_", "空 格", "é́")
OPEN = Fuse(share=1.0)
MODES: dict[str, CaptureMode] = {
    "key-set": KeySetMode(every_s=5, range_rows=10, fuse=OPEN),
    "by-time": WatermarkMode(column="changed", window_s=30, again_s=5, keys_s=40, fuse=OPEN),
    "by-number": WatermarkMode(column="counter", gap_s=60, again_s=5, keys_s=40, fuse=OPEN),
}


class Killed(BaseException):
    """The process is no more: nothing may catch this."""


class Fate:
    """Kills before a transaction, or after it was committed and before anybody is told."""

    def __init__(self, rng: Random) -> None:
        self.rng, self.share, self.deaths = rng, 0.0, 0

    def strike(self) -> None:
        if self.rng.random() < self.share:
            self.deaths += 1
            raise Killed


class MortalStore:
    """The hub's records, as a process has them that may die at any time."""

    def __init__(self, store: Store, fate: Fate) -> None:
        self._store, self._fate = store, fate

    async def read(self, work: Callable[[Connection], T], /) -> T:
        self._fate.strike()
        return await self._store.read(work)

    async def write(self, work: Callable[[Connection], T], /) -> T:
        self._fate.strike()
        done = await self._store.write(work)
        self._fate.strike()
        return done


class MortalDatabase(Database):
    """The partner's database, read by the same process."""

    fate: Fate

    async def read(self, work: Callable[[Connection], T], table: ExchangeTable | None = None) -> T:
        self.fate.strike()
        return await super().read(work, table)


class Writer:
    """A partner's programs: *truth* is what they have committed. What is open keeps its keys."""

    def __init__(self, plain: Plain, rng: Random) -> None:
        self.plain, self.rng, self.counter = plain, rng, 0
        self.truth: dict[str, tuple[str, Decimal | None]] = {}
        self._late: list[tuple[Connection, Transaction, dict[str, Any]]] = []

    def step(self) -> None:
        """One transaction: committed, rolled back, or left open for a while."""
        rng = self.rng
        if self._late and rng.random() < 0.4:
            self.commit_late()
        open_keys = {key for *_, changes in self._late for key in changes}
        free = [key for n in range(KEYS) if (key := f"K{n:02}") not in open_keys]
        connection = self.plain.engine.connect().execution_options(shuniu_write=True)
        transaction = connection.begin()
        changes = {
            key: self._change(connection, key) for key in rng.sample(free, rng.randint(1, 3))
        }
        one_writer = self.plain.engine.dialect.name == "sqlite"
        if rng.random() < ROLLBACK_SHARE:
            transaction.rollback()
            connection.close()
        elif not one_writer and len(self._late) < 2 and rng.random() < LATE_SHARE:
            self._late.append((connection, transaction, changes))
        else:
            self._end(connection, transaction, changes)

    def commit_late(self) -> None:
        self._end(*self._late.pop(0))

    def finish(self) -> None:
        while self._late:
            self.commit_late()

    def _end(
        self, connection: Connection, transaction: Transaction, changes: dict[str, Any]
    ) -> None:
        transaction.commit()
        connection.close()
        for key, row in changes.items():
            if row is None:
                self.truth.pop(key, None)
            else:
                self.truth[key] = row

    def _change(self, connection: Connection, key: str) -> tuple[str, Decimal | None] | None:
        rng, table = self.rng, self.plain.table
        if key in self.truth and rng.random() < DELETE_SHARE:
            connection.execute(delete(table).where(table.c.code == key))
            return None
        self.counter += 1
        # The writers' clocks differ; one does not stamp its changes at all.
        skew = timedelta(seconds=rng.randint(-8, 8))
        stamp = None if rng.random() < 0.05 else (self.plain.now + skew).replace(tzinfo=None)
        fee = Decimal(rng.randrange(10**6)) / 100 if rng.random() < 0.7 else None
        row: dict[str, Any] = {
            "name": rng.choice(NAMES) + str(self.counter),
            "fee": fee,
            "changed": stamp,
        }
        row["counter"] = self.counter
        if key in self.truth:
            connection.execute(update(table).where(table.c.code == key).values(row))
        else:
            connection.execute(insert(table), {"code": key, **row})
        return str(row["name"]), fee


class Receiver:
    """What arrived: an older version never overwrites a newer one."""

    def __init__(self) -> None:
        self.rows: dict[str, Change] = {}
        self.seen: dict[str, Change] = {}

    def take(self, change: Change) -> None:
        first = self.seen.setdefault(change.id, change)
        assert (first.operation, first.content) == (change.operation, change.content)
        held = self.rows.get(change.key)
        if held is None or held.version < change.version:
            self.rows[change.key] = change

    def held(self) -> dict[str, tuple[str, Decimal | None]]:
        return {
            key: (str(each.content["name"]), _fee(each.content.get("fee")))
            for key, each in self.rows.items()
            if each.operation is not Operation.DELETED
        }


def _fee(told: object) -> Decimal | None:
    return None if told is None else Decimal(str(told))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = fresh_store(tmp_path)
    yield store
    store.close()


@pytest.mark.parametrize("mode", list(MODES))
async def test_both_sides_are_equal_in_the_end(partner: Engine, store: Store, mode: str) -> None:
    """
    Inserts, changes, deletes, keys used again, late commits, rollbacks, clocks that differ.

    Row for row what was committed; one id never stands for two contents. R-A6
    """
    rng = Random(f"20260302 {mode}")  # noqa: S311 - play, not secrets
    fate = Fate(rng)
    plain = Plain(partner, store, MODES[mode])
    plain.create()
    plain.store = MortalStore(store, fate)  # type: ignore[assignment] # all that a reader asks of it
    mortal = MortalDatabase(plain.database.url, plain.database.limits)
    mortal.fate = fate
    mortal.open()
    plain.database.close()
    plain.database = mortal
    writer, receiver = Writer(plain, rng), Receiver()
    plain.restart()
    for _ in range(TRANSACTIONS):
        writer.step()
        plain.later(rng.randint(0, 6))
        fate.share = DEATH_SHARE
        await captured(plain, receiver, rng)
    writer.finish()
    fate.share = 0.0
    for _ in range(3):
        plain.later(100)
        await captured(plain, receiver, rng)

    assert fate.deaths >= 10, "the seed kills it now and then"
    assert writer.truth == receiver.held()
    mortal.close()


async def captured(plain: Plain, receiver: Receiver, rng: Random) -> None:
    """One poll, in batches as the hub takes them; after a death the process begins anew."""
    batch: list[Change] = []
    size = rng.randint(1, 9)
    try:
        async for change in plain.poll_of.changes():
            receiver.take(change)
            batch.append(change)
            if len(batch) >= size:
                await plain.take(batch)
                batch = []
        await plain.take(batch)
    except Killed:
        plain.restart()
