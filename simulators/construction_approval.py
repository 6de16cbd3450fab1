"""The construction approval platform (工程建设项目审批监督平台): exchange tables, and an office behind them.

Speaks to  the hub by four tables only, see `simulators.construction_tables`; it has no API
Form       its own codes and times; a row that changes has its ``bbh`` raised and is new again
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from sqlalchemy import Connection, Engine, Table, func, insert, select, update
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette

from simulators.construction_plan import rows_of
from simulators.construction_tables import (
    APPLICATIONS,
    PROGRESS,
    REPLIES,
    RESULTS,
    cases,
    due,
    metadata,
)
from simulators.exchange_control import Switches, control_routes
from simulators.exchange_store import open_database

__all__ = ["ConstructionApproval"]

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")
LOOK_S, ROWS_A_LOOK = 0.1, 100
STAMP = "%Y%m%d%H%M%S"
LATE_S, CORRECTED_S, CORRECTED = 300, 0.05, "（更正）"
OUT = {"gcjs_sp_jdb": (PROGRESS, "jdid"), "gcjs_sp_jgb": (RESULTS, "jgid")}


class ConstructionApproval:
    """*url*: its database, any that SQLAlchemy knows; an SQLite file under *folder* by default."""

    name = "construction-approval"

    def __init__(self, folder: Path, *, url: str = "", seed: int = 1, speed: float = 1.0) -> None:
        self.database_url = url or f"sqlite:///{folder / 'construction-approval.db'}"
        self._seed, self._speed = seed, speed
        self._switches, self._taken, self._written = (
            Switches(),
            itertools.count(1),
            itertools.count(1),
        )
        self._awake_at = self._lock_s = 0.0
        self.app = Starlette(routes=control_routes(self))

    async def __aenter__(self) -> Self:
        self._engine: Engine = await asyncio.to_thread(open_database, self.database_url, metadata)
        self._stopped = asyncio.Event()
        self._office = asyncio.create_task(self._work(), name="construction-approval office")
        return self

    async def __aexit__(self, *exc: object) -> None:
        # Not cancelled: a look that is under way in its thread needs its database.
        self._stopped.set()
        await self._office
        await asyncio.to_thread(self._engine.dispose)

    @property
    def addresses(self) -> Mapping[str, str]:
        """Addresses of this partner besides its control's."""
        return {f"{self.name}-database": self.database_url}

    # The office.

    async def _work(self) -> None:
        while not self._stopped.is_set():
            if time.monotonic() >= self._awake_at:
                # Somebody holds a lock: the office looks again.
                with suppress(OperationalError):
                    await asyncio.to_thread(self._look)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._stopped.wait()

    def _look(self) -> None:
        lock_s, self._lock_s = self._lock_s, 0.0
        if not lock_s and not self._has_work():
            return
        with self._engine.begin() as connection:
            for row in _new(connection, APPLICATIONS):
                self._take(connection, row)
            for row in _new(connection, REPLIES):
                self._release(connection, row)
            for event in _due(connection):
                self._tell(connection, event)
            time.sleep(lock_s)  # with the tables locked: that is the fault

    def _has_work(self) -> bool:
        """Looked up by reading alone: an idle office is in nobody's way."""
        with self._reading() as connection:
            new = (_new(connection, table, limit=1) for table in (APPLICATIONS, REPLIES))
            return any(new) or bool(_due(connection, limit=1))

    def _take(self, connection: Connection, row: Mapping[str, Any]) -> None:
        """A new application: plan its course. One that is here already changes nothing."""
        _mark(connection, APPLICATIONS, row)
        if connection.scalar(select(cases.c.sxbh).where(cases.c.sxbh == row["sxbh"])):
            return
        connection.execute(insert(cases), {"sxbh": row["sxbh"]})
        refused = _nth(self._taken, self._switches.refuse_every)
        planned = rows_of(row, seed=self._seed, refused=refused)
        waiting = next((n for n, each in enumerate(planned) if each.waits_for_reply), len(planned))
        now, lines = time.time(), []
        for n, each in enumerate(planned):
            delay_s = each.after_s / self._speed
            now += delay_s
            lines.append(
                {
                    "sxbh": row["sxbh"],
                    "place": n,
                    "at": now if n < waiting else None,
                    "delay_s": delay_s,
                    "table_name": each.table,
                    "row_id": each.row_id,
                    "content": dict(each.content),
                }
            )
        if self._switches.out_of_order and waiting == len(lines):
            times = [line["at"] for line in lines]
            for line, at in zip(lines, reversed(times), strict=True):
                line["at"] = at
        connection.execute(insert(due), lines)

    def _release(self, connection: Connection, row: Mapping[str, Any]) -> None:
        """The applicant's reply is here: what waited for it goes on."""
        _mark(connection, REPLIES, row)
        at = time.time()
        waiting = select(due.c.id, due.c.delay_s).where(
            due.c.sxbh == row["sxbh"], due.c.at.is_(None)
        )
        for event_id, delay_s in connection.execute(waiting.order_by(due.c.place)).all():
            at += delay_s
            connection.execute(update(due).where(due.c.id == event_id).values(at=at))

    def _tell(self, connection: Connection, event: Mapping[str, Any]) -> None:
        """Write a row for the hub, or change the one that is there."""
        connection.execute(due.delete().where(due.c.id == event["id"]))
        table, id_name = OUT[event["table_name"]]
        stamp = datetime.now(BEIJING)
        nth = next(self._written)
        if _each(nth, self._switches.late_commit_every):
            stamp -= timedelta(seconds=LATE_S)  # it was stamped then, and is committed only now
        version = connection.scalar(select(table.c.bbh).where(table.c[id_name] == event["row_id"]))
        values = {
            **event["content"],
            "bbh": (version or 0) + 1,
            "czlx": "U" if version else "I",
            "gxsj": stamp.strftime(STAMP),
            "jhzt": "0",
        }
        if version:
            # What a later event does not say stays as it was.
            connection.execute(
                update(table).where(table.c[id_name] == event["row_id"]).values(values)
            )
        else:
            connection.execute(insert(table), {**values, id_name: event["row_id"]})
        if _each(nth, self._switches.duplicate_every):
            connection.execute(insert(table), {**values, id_name: str(uuid4())})
        opinion = str(event["content"].get("yj", ""))
        is_step = event["content"].get("jdlx") == "HJ" and not opinion.endswith(CORRECTED)
        if is_step and _each(nth, self._switches.change_every):
            self._correct(connection, event)

    def _correct(self, connection: Connection, event: Mapping[str, Any]) -> None:
        """Soon after, perhaps while the hub is reading, the opinion is put right."""
        content = {**event["content"], "yj": f"{event['content'].get('yj', '')}{CORRECTED}"}
        connection.execute(
            insert(due),
            {
                **{k: event[k] for k in ("sxbh", "place", "table_name", "row_id")},
                "at": time.time() + CORRECTED_S,
                "delay_s": CORRECTED_S,
                "content": content,
            },
        )

    # Control.

    async def misbehave(self, given: Mapping[str, object], /) -> None:
        self._switches = self._switches.changed(given)
        self._awake_at = time.monotonic() + self._switches.hang_for_s
        self._lock_s = self._switches.lock_for_s
        self._taken, self._written = itertools.count(1), itertools.count(1)

    async def counts(self) -> Mapping[str, int]:
        return await asyncio.to_thread(self._count)

    async def holds(self, call: str | None, /) -> list[dict[str, str]]:
        return await asyncio.to_thread(self._held, call)

    async def quiet(self) -> bool:
        return (await self.counts())["waiting"] == 0

    def _count(self) -> dict[str, int]:
        with self._reading() as connection:
            applications, replies = _rows(connection, APPLICATIONS), _rows(connection, REPLIES)
            taken = _rows(connection, cases)
            answered = connection.scalar(
                select(func.count()).select_from(
                    select(REPLIES.c.sxbh, REPLIES.c.bzxh).distinct().subquery()
                )
            )
            untaken = sum(
                _rows(connection, table, table.c.clzt == "0") for table in (APPLICATIONS, REPLIES)
            )
            # In the order in which all moves: what moves meanwhile is counted twice, and never missed.
            pending = _rows(connection, due)
            unread = sum(_rows(connection, table, table.c.jhzt == "0") for table, _ in OUT.values())
            told = sum(
                connection.scalar(select(func.coalesce(func.sum(table.c.bbh), 0))) or 0
                for table, _ in OUT.values()
            )
            different = connection.scalar(select(func.count(func.distinct(APPLICATIONS.c.sxbh))))
        return {
            "cases": taken,
            "deliveries": applications + replies,
            "repeats": 0,
            "doubled": applications - (different or 0) + replies - (answered or 0),
            "events_sent": int(told),
            "waiting": untaken + unread + pending,
            APPLICATIONS.name: applications,
            REPLIES.name: replies,
        }

    def _held(self, call: str | None) -> list[dict[str, str]]:
        with self._reading() as connection:
            return [
                {"key": f"{row_id}.{batch}", "case": case, "call": table.name}
                for table in (APPLICATIONS, REPLIES)
                if call in (None, table.name)
                for row_id, batch, case in connection.execute(
                    select(table.c.jhbh, table.c.jhpc, table.c.sxbh)
                )
            ]

    def _reading(self) -> Connection:
        return self._engine.connect().execution_options(reads=True)


def _new(connection: Connection, table: Table, limit: int = ROWS_A_LOOK) -> list[dict[str, Any]]:
    asked = select(table).where(table.c.clzt == "0").order_by(table.c.jhsj).limit(limit)
    return [dict(row) for row in connection.execute(asked).mappings()]


def _mark(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    connection.execute(update(table).where(table.c.jhbh == row["jhbh"]).values(clzt="1"))


def _due(connection: Connection, limit: int = ROWS_A_LOOK) -> list[dict[str, Any]]:
    asked = select(due).where(due.c.at <= time.time()).order_by(due.c.at, due.c.place)
    return [dict(row) for row in connection.execute(asked.limit(limit)).mappings()]


def _rows(connection: Connection, table: Table, only: Any = None) -> int:
    asked = select(func.count()).select_from(table)
    return connection.scalar(asked if only is None else asked.where(only)) or 0


def _nth(counter: itertools.count[int], every: int) -> bool:
    return bool(every) and next(counter) % every == 0


def _each(number: int, every: int) -> bool:
    return bool(every) and number % every == 0
