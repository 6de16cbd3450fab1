"""A writer that behaves at random, a capture process killed at random: both sides equal in the end."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from random import Random
from threading import Event
from time import monotonic
from typing import Any

from sqlalchemy import Connection, Engine, Transaction, func, insert, select, update

from front_db.contract import Keeps
from front_db.database import Limits, make_engine
from tests.front_db.capturing import capture_for_ever
from tests.front_db.standard import LEFT_AT, Shape, Standard

TRANSACTIONS = 100
KEYS = 12
KILLS = 4
BAD_SHARE, ROLLBACK_SHARE, LATE_SHARE, DELETE_SHARE = 0.08, 0.1, 0.15, 0.25
SOON_S = 30.0
VERSION_STEP = 10
NAMES = ("民宿𠮷", "甲", "o'Brien", "a\\b%_", "空 格", "é́")
Truth = dict[str, dict[str, Any]]


class Writer:
    """
    A partner's programs: *truth* is what they have committed, by key.

    What is committed late keeps its keys to itself until then, as a row lock would.
    """

    def __init__(self, standard: Standard, rng: Random) -> None:
        self.standard, self.rng = standard, rng
        self.truth: Truth = {}
        self.bad: list[int] = []
        self._version = 0
        self._late: list[tuple[Connection, Transaction, Truth, list[str]]] = []

    def step(self) -> None:
        """One transaction: committed, rolled back, or left open for a while."""
        rng = self.rng
        if self._late and rng.random() < 0.4:
            self.commit_late()
        taken = {key for *_, keys in self._late for key in keys}
        free = [f"K{n:02}" for n in range(KEYS) if f"K{n:02}" not in taken]
        keys = rng.sample(free, min(len(free), rng.randint(1, 3)))
        connection = self.standard.engine.connect().execution_options(shuniu_write=True)
        transaction = connection.begin()
        changes: Truth = {}
        bad = [row for key in keys for row in self._change(connection, key, changes)]
        one_writer = self.standard.engine.dialect.name == "sqlite"
        if rng.random() < ROLLBACK_SHARE:
            transaction.rollback()
            connection.close()
        elif not one_writer and not bad and len(self._late) < 2 and rng.random() < LATE_SHARE:
            self._late.append((connection, transaction, changes, keys))
        else:
            transaction.commit()
            connection.close()
            self.truth |= changes
            self.bad += bad

    def commit_late(self) -> None:
        connection, transaction, changes, _ = self._late.pop(0)
        transaction.commit()
        connection.close()
        self.truth |= changes

    def finish(self) -> None:
        while self._late:
            self.commit_late()

    def _change(self, connection: Connection, key: str, changes: Truth) -> list[int]:
        """A change of *key*; the id of its row, if it was written wrong at first."""
        rng = self.rng
        self._version += VERSION_STEP
        before = self.truth.get(key)
        row: dict[str, Any] = {"x_key": key, "x_ver": self._version, "x_time": LEFT_AT}
        if before and before["x_op"] != "D" and rng.random() < DELETE_SHARE:
            row |= {"x_op": "D"}
        else:
            row |= {
                "x_op": "U" if before and before["x_op"] != "D" else "I",
                "case_no": key,
                "applicant_name": rng.choice(NAMES),
                "fee": Decimal(rng.randrange(10**6)) / 100 if rng.random() < 0.7 else None,
                "days": rng.randrange(1000),
            }
        changes[key] = row
        if row["x_op"] == "D" or rng.random() > BAD_SHARE:
            connection.execute(insert(self.standard.table), row)
            return []
        made = connection.execute(insert(self.standard.table), {**row, "applicant_name": None})
        (row_id,) = made.inserted_primary_key or (0,)
        return [row_id]

    def mend(self) -> int:
        """What was refused gets its name and the next version; how many rows it was."""
        table, mended = self.standard.table, 0
        with self.standard.engine.connect().execution_options(shuniu_write=True) as connection:
            for row_id in list(self.bad):
                with connection.begin():
                    values = {
                        "applicant_name": "更正",
                        "x_ver": table.c.x_ver + 1,
                        "x_state": "0",
                    }
                    refused = (table.c.x_id == row_id, table.c.x_state == "3")
                    if connection.execute(update(table).where(*refused).values(values)).rowcount:
                        self.bad.remove(row_id)
                        mended += 1
                        key, version = connection.execute(
                            select(table.c.x_key, table.c.x_ver).where(table.c.x_id == row_id)
                        ).one()
                        if self.truth[key]["x_ver"] == version - 1:
                            self.truth[key] |= {"applicant_name": "更正", "x_ver": version}
        return mended


@contextmanager
def capture(url: str, shape: Shape) -> Iterator[None]:
    """A process of its own, killed at the end without a chance to tidy up."""
    process = multiprocessing.get_context("fork").Process(
        target=capture_for_ever, args=(url, shape), daemon=True
    )
    process.start()
    try:
        yield
    finally:
        assert process.is_alive(), "it ended by itself"
        process.kill()
        process.join()
        assert -signal.SIGKILL == process.exitcode


def waits(standard: Standard) -> int:
    table = standard.table
    with standard.engine.connect() as connection:
        pending = table.c.x_state.in_(["0", "3", "4"])
        return connection.scalar(select(func.count()).where(pending)) or 0


def test_both_sides_are_equal_in_the_end(partner: Engine) -> None:
    """
    Inserts, updates, deletes, keys used again, late commits, rollbacks, rows that are wrong at first.

    Row for row what was committed, nothing that was not, and a receipt for every row. R-A6
    """
    # SQLite's locks know no queue: on a machine that is busy a writer may be unlucky for long.
    patient = make_engine(partner.url.render_as_string(hide_password=False), Limits(lock_s=30))
    standard = Standard(patient, left=Keeps.LATEST)
    rng, url = Random(20260302), partner.url.render_as_string(hide_password=False)  # noqa: S311 - play, not secrets
    writer, mended, pause = Writer(standard, rng), 0, Event()
    for _ in range(KILLS):
        with capture(url, standard_shape()):
            for _ in range(TRANSACTIONS // KILLS):
                writer.step()
            mended += writer.mend()
            # A moment of its own choosing, so that the kill falls anywhere.
            pause.wait(rng.random() * 0.15)
    writer.finish()
    deadline = monotonic() + SOON_S
    with capture(url, standard_shape()):
        while waits(standard) and monotonic() < deadline:
            mended += writer.mend()
            pause.wait(0.02)

    assert mended >= 3, "the seed gives some rows that are wrong at first"
    assert [] == writer.bad
    assert expected(writer.truth) == held(standard)
    assert_answered(standard)
    patient.dispose()


def standard_shape() -> Shape:
    return Shape(left=Keeps.LATEST)


def expected(truth: Truth) -> dict[str, tuple[Any, ...]]:
    return {
        key: (row["x_ver"], row["applicant_name"], row["fee"], row["days"])
        for key, row in truth.items()
        if row["x_op"] != "D"
    }


def held(standard: Standard) -> dict[str, tuple[Any, ...]]:
    table = standard.in_sql
    with standard.engine.connect() as connection:
        rows = connection.execute(select(table).where(table.c.x_op != "D")).all()
    return {r.x_key: (r.x_ver, r.applicant_name, r.fee, r.days) for r in rows}


def assert_answered(standard: Standard) -> None:
    """Every row was taken, at the version that its receipt tells; each refusal has its reason."""
    table, receipt = standard.table, standard.beside.receipt
    with standard.engine.connect() as connection:
        rows = {(str(r.x_id), r.x_ver): r.x_state for r in connection.execute(select(table))}
        told = connection.execute(select(receipt)).all()
    assert {"1"} == set(rows.values())
    assert set(rows) == {(r.r_row, r.r_version) for r in told if r.r_stage == "taken"}
    refused = [r for r in told if r.r_stage == "refused"]
    assert {("row.missing", "applicant_name")} == {(r.r_code, r.r_field) for r in refused}
    assert all((r.r_row, r.r_version + 1) in rows for r in refused)
    assert all(r.r_code == "row.held" for r in told if r.r_stage == "held")
