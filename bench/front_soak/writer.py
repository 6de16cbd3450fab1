"""A partner's programs, which write at random and behave badly, whatever becomes of their database.

Form       every change is a row of its own; versions rise over all keys. A transaction that is committed late
           keeps its keys to itself until then, as a row lock would
Careful    blocks: for a thread. Where the database goes away, what was open is rolled back by it
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from random import Random
from threading import Event
from typing import Any

from sqlalchemy import Connection, Engine, Transaction, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from bench.front_soak.site import Shape

__all__ = ["Writer"]

KEYS, MOST_LATE = 200, 3
BAD_SHARE, ROLLBACK_SHARE, LATE_SHARE, DELETE_SHARE, MEND_SHARE = 0.05, 0.1, 0.1, 0.25, 0.05
VERSION_STEP, AGAIN_S = 10, 0.5
NAMES = ("民宿𠮷", "甲", "o'Brien", "a\\b%_", "空 格", "é́")
BEIJING = timezone(timedelta(hours=8))


@dataclass
class Writer:
    """*per_s*: transactions a second, about. *did*: how many of each kind."""

    engine: Engine
    shape: Shape
    per_s: float
    rng: Random
    did: Counter[str] = field(default_factory=Counter)
    ended: Event = field(default_factory=Event)
    _version: int = 0
    _late: list[tuple[Connection, Transaction, list[str]]] = field(default_factory=list)

    def run(self) -> None:
        """Until `ended` is set; then nothing is left open."""
        while not self.ended.wait(self.rng.expovariate(self.per_s)):
            try:
                self._step()
                if self.rng.random() < MEND_SHARE:
                    self.mend()
            except SQLAlchemyError:
                self._cut_off()
        try:
            while self._late:
                self._commit_late()
        except SQLAlchemyError:
            self._cut_off()

    def mend(self) -> int:
        """What was refused gets its name and the next version; how many rows it was."""
        table = self.shape.table
        values = {"permit_holder": "更正", "x_ver": table.c.x_ver + 1, "x_state": "0"}
        with self._connected() as connection, connection.begin():
            change = update(table).where(table.c.x_state == "3").values(values)
            mended = connection.execute(change).rowcount
        self.did["mended"] += mended
        return mended

    def _connected(self) -> Connection:
        return self.engine.connect().execution_options(shuniu_write=True)

    def _step(self) -> None:
        """One transaction: committed, rolled back, or left open for a while."""
        rng = self.rng
        if self._late and rng.random() < 0.3:
            self._commit_late()
        taken = {key for *_, keys in self._late for key in keys}
        free = [f"K{n:03}" for n in range(KEYS) if f"K{n:03}" not in taken]
        keys = rng.sample(free, rng.randint(1, 4))
        connection = self._connected()
        try:
            transaction = connection.begin()
            for key in keys:
                connection.execute(insert(self.shape.table), self._row(key))
            if rng.random() < ROLLBACK_SHARE:
                self.did["rolled back"] += 1
                transaction.rollback()
            elif len(self._late) < MOST_LATE and rng.random() < LATE_SHARE:
                self._late.append((connection, transaction, keys))
                return
            else:
                transaction.commit()
                self.did["committed"] += 1
        except SQLAlchemyError:
            connection.invalidate()
            raise
        connection.close()

    def _row(self, key: str) -> dict[str, Any]:
        rng = self.rng
        self._version += VERSION_STEP
        now = datetime.now(BEIJING).replace(tzinfo=None, microsecond=0)
        row: dict[str, Any] = {"x_key": key, "x_ver": self._version, "x_time": now}
        if rng.random() < DELETE_SHARE:
            return row | {"x_op": "D"}
        return row | {
            "x_op": rng.choice("IU"),
            "permit_no": key,
            "permit_holder": rng.choice(NAMES) if rng.random() > BAD_SHARE else None,
            "permit_fee": Decimal(rng.randrange(10**6)) / 100 if rng.random() < 0.7 else None,
            "permit_days": rng.randrange(1000),
        }

    def _commit_late(self) -> None:
        connection, transaction, _ = self._late.pop(0)
        try:
            transaction.commit()
        except SQLAlchemyError:
            connection.invalidate()
            raise
        connection.close()
        self.did["committed late"] += 1

    def _cut_off(self) -> None:
        """The database has gone: what was open is no more, and what was written is looked up."""
        self.did["cut off"] += 1
        for connection, *_ in self._late:
            connection.invalidate()
        self._late.clear()
        while not self.ended.wait(AGAIN_S):
            try:
                with self.engine.connect() as connection:
                    highest = connection.scalar(select(func.max(self.shape.table.c.x_ver)))
            except SQLAlchemyError:
                continue
            self._version = max(self._version, int(highest or 0) + VERSION_STEP)
            return
