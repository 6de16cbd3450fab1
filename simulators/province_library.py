"""The provincial work-item library (省办件库): upload tables, a clerk that checks them, an API that tells.

Standard   C 0126.1 upload tables, see `simulators.province_tables`
Speaks to  ``GET /acks?after=<number>&limit=<n>``: ``{"code": "0", "items": […], "next": "…"}``; ``/ping``
Form       an item: ``lsh`` its number, ``bm`` table, ``hjbh`` row_guid, ``bjbh`` case, ``jszt`` 1 or 2,
           ``thyy`` reason, ``jssj`` time ``YYYY/MM/DD HH:mm:ss``
Not here   acknowledging the licence directory, which is the province's licence service's business
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine, Table, and_, exists, func, insert, null, select
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulators.exchange_control import Switches, control_routes
from simulators.exchange_store import open_database
from simulators.province_checks import Case, Verdict, judge
from simulators.province_tables import UPLOADED, acks, metadata
from simulators.switches import Misbehaving

__all__ = ["SAME", "ProvinceLibrary"]

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")
LOOK_S, ROWS_A_LOOK, PATIENCE_S = 0.2, 500, 60.0
PAGE_LIMIT = 500
OTHERS, ACCEPTED_AT = "_others", "_accepted_at"
ACCEPT = UPLOADED[0]
# What makes two rows say the same.
OF_THE_API = frozenset(
    ("slow_s", "error_every", "lose_answer_every", "half_answer_every", "malformed_every")
)
# Public: which tables there are, and when two rows are one.
SAME = {
    "up_pro_accept": ("project_no",),
    "up_pro_process": ("project_no", "process_name", "event_start_time"),
    "up_pro_result": ("project_no",),
    "up_pro_special_procedure": ("project_no", "special_name", "special_time"),
    "up_lic_data": ("certificate_source_id",),
}


class ProvinceLibrary:
    """*url*: its database, any that SQLAlchemy knows; an SQLite file under *folder* by default."""

    name = "province-library"

    def __init__(self, folder: Path, *, url: str = "", patience_s: float = PATIENCE_S) -> None:
        self.database_url = url or f"sqlite:///{folder / 'province-library.db'}"
        self._patience_s = patience_s
        self._switches, self._judged = Switches(), itertools.count(1)
        self._awake_at = self._lock_s = 0.0
        self._first_seen: dict[tuple[str, str], float] = {}
        self._told_up_to = 0
        self._told = 0
        self.app = Misbehaving(
            Starlette(
                routes=[
                    Route("/acks", self._acks),
                    Route("/ping", self._ping),
                    *control_routes(self),
                ]
            ),
            broken=lambda: JSONResponse({"code": "9", "msg": "系统繁忙"}, 500),
            refusal=lambda: JSONResponse({"code": "8", "msg": "无权访问"}, 403),
            refusable=lambda _: False,
        )

    async def __aenter__(self) -> Self:
        self._engine: Engine = await asyncio.to_thread(open_database, self.database_url, metadata)
        self._stopped = asyncio.Event()
        self._clerk = asyncio.create_task(self._work(), name="province-library clerk")
        return self

    async def __aexit__(self, *exc: object) -> None:
        # Not cancelled: a look that is under way in its thread needs its database.
        self._stopped.set()
        await self._clerk
        await asyncio.to_thread(self._engine.dispose)

    @property
    def addresses(self) -> Mapping[str, str]:
        """Addresses of this partner besides its API's."""
        return {f"{self.name}-database": self.database_url}

    # The clerk.

    async def _work(self) -> None:
        while not self._stopped.is_set():
            if time.monotonic() >= self._awake_at:
                # Somebody holds a lock: the clerk looks again.
                with suppress(OperationalError):
                    await asyncio.to_thread(self._look)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._stopped.wait()

    def _look(self) -> None:
        # Judged while only reading: the hub's writers need not wait for that.
        lines: list[dict[str, object]] = []
        with self._reading() as connection:
            for table in UPLOADED:
                accepted: set[tuple[object, ...]] = set()
                for row in _unjudged(connection, table):
                    verdict = self._judge(table, row, accepted)
                    if verdict is not None:
                        lines.append(_line(table, row, verdict))
        lock_s, self._lock_s = self._lock_s, 0.0
        if not lines and not lock_s:
            return
        with self._engine.begin() as connection:
            if lines:
                connection.execute(insert(acks), lines)
            time.sleep(lock_s)  # with the tables locked: that is the fault

    def _judge(
        self, table: Table, row: Mapping[str, Any], accepted: set[tuple[object, ...]]
    ) -> Verdict | None:
        """*accepted*: what was accepted in the same look, and is not written yet."""
        guid = (table.name, row["row_guid"])
        waited_s = time.monotonic() - self._first_seen.setdefault(guid, time.monotonic())
        same = tuple(row[name] for name in SAME[table.name])
        case = Case(row[ACCEPTED_AT], row[OTHERS] + (same in accepted))
        verdict = judge(table.name, row, case, patient=waited_s < self._patience_s)
        if verdict is None:
            return None
        del self._first_seen[guid]
        if self._nth(self._judged, self._switches.refuse_every):
            return Verdict("抽检不合格，请核实后重新上报")
        if not verdict.reason:
            accepted.add(same)
        return verdict

    # The acknowledging API.

    async def _acks(self, request: Request) -> Response:
        try:
            after = int(request.query_params.get("after") or 0)
            limit = min(int(request.query_params.get("limit") or PAGE_LIMIT), PAGE_LIMIT)
        except ValueError:
            return JSONResponse({"code": "1", "msg": "参数 after、limit 应为数字"}, 400)
        items = await asyncio.to_thread(self._items, after, limit)
        self._told_up_to = max(self._told_up_to, after)
        self._told += len(items)
        last = items[-1]["lsh"] if items else str(after)
        return JSONResponse({"code": "0", "items": items, "next": last})

    async def _ping(self, _: Request) -> Response:
        return JSONResponse({"code": "0"})

    def _items(self, after: int, limit: int) -> list[dict[str, str]]:
        with self._reading() as connection:
            found = connection.execute(
                select(acks)
                .where(acks.c.seq > after, acks.c.project_no != "")
                .order_by(acks.c.seq)
                .limit(limit)
            )
            items = [_item(dict(row)) for row in found.mappings()]
        if self._switches.duplicate_every:
            items = [
                each
                for item in items
                for each in (item, item)[
                    : 1 + (int(item["lsh"]) % self._switches.duplicate_every == 0)
                ]
            ]
        return items

    # Control.

    async def misbehave(self, given: Mapping[str, object], /) -> None:
        """Switches of the API go to the layer around it, all others to the clerk."""
        self._switches = self._switches.changed(
            {name: value for name, value in given.items() if name not in OF_THE_API}
        )
        self.app.turn({name: value for name, value in given.items() if name in OF_THE_API})
        self._awake_at = time.monotonic() + self._switches.hang_for_s
        self._lock_s = self._switches.lock_for_s
        self._judged = itertools.count(1)

    async def counts(self) -> Mapping[str, int]:
        return await asyncio.to_thread(self._count)

    async def holds(self, call: str | None, /) -> list[dict[str, str]]:
        return await asyncio.to_thread(self._held, call)

    async def quiet(self) -> bool:
        return (await self.counts())["waiting"] == 0

    def _count(self) -> dict[str, int]:
        with self._reading() as connection:
            rows = {table.name: _rows(connection, table) for table in UPLOADED}
            judged = connection.scalar(select(func.count()).select_from(acks)) or 0
            returned = _rows(connection, acks, acks.c.flag == "2")
            untold = _rows(
                connection, acks, and_(acks.c.seq > self._told_up_to, acks.c.project_no != "")
            )
            doubled = sum(_doubled(connection, table) for table in UPLOADED)
        return {
            "cases": rows["up_pro_accept"],
            "deliveries": sum(rows.values()),
            "repeats": 0,
            "doubled": doubled,
            "events_sent": self._told,
            "waiting": sum(rows.values()) - judged + untold,
            "returned": returned,
            **rows,
        }

    def _held(self, call: str | None) -> list[dict[str, str]]:
        with self._reading() as connection:
            return [
                {"key": f"{guid}.{batch}", "case": case, "call": table.name}
                for table in UPLOADED
                if call in (None, table.name)
                for guid, batch, case in connection.execute(
                    select(table.c.row_guid, table.c.cd_batch, _case_column(table))
                )
            ]

    def _reading(self) -> Connection:
        return self._engine.connect().execution_options(reads=True)

    def _nth(self, counter: itertools.count[int], every: int) -> bool:
        return bool(every) and next(counter) % every == 0


def _case_column(table: Table) -> Any:
    return table.c.project_no if "project_no" in table.c else table.c.certificate_source_id


def _unjudged(connection: Connection, table: Table) -> Sequence[Mapping[str, Any]]:
    """Rows to look at, each with what the library knows about it."""
    twin = table.alias()
    others = (
        select(func.count())
        .select_from(twin.join(acks, acks.c.row_guid == twin.c.row_guid))
        .where(
            acks.c.table_name == table.name,
            acks.c.flag == "1",
            twin.c.row_guid != table.c.row_guid,
            *(twin.c[name] == table.c[name] for name in SAME[table.name]),
        )
        .scalar_subquery()
    )
    accepted_at: Any = null()
    if "project_no" in table.c:
        accept = ACCEPT.alias()
        accepted_at = (
            select(func.min(accept.c.accept_date))
            .where(accept.c.project_no == table.c.project_no)
            .scalar_subquery()
        )
    judged = exists().where(acks.c.table_name == table.name, acks.c.row_guid == table.c.row_guid)
    asked = (
        select(table, others.label(OTHERS), accepted_at.label(ACCEPTED_AT))
        .where(~judged)
        .order_by(table.c.cd_time)
        .limit(ROWS_A_LOOK)
    )
    return [dict(row) for row in connection.execute(asked).mappings()]


def _line(table: Table, row: Mapping[str, Any], verdict: Verdict) -> dict[str, object]:
    return {
        "table_name": table.name,
        "row_guid": row["row_guid"],
        "project_no": row.get("project_no", ""),
        "flag": verdict.flag,
        "reason": verdict.reason,
        "at": datetime.now(BEIJING).replace(tzinfo=None, microsecond=0),
    }


def _item(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        "lsh": str(row["seq"]),
        "bm": row["table_name"],
        "hjbh": row["row_guid"],
        "bjbh": row["project_no"],
        "jszt": row["flag"],
        "thyy": row["reason"],
        "jssj": f"{row['at']:%Y/%m/%d %H:%M:%S}",
    }


def _rows(connection: Connection, table: Table, only: Any = None) -> int:
    asked = select(func.count()).select_from(table)
    return connection.scalar(asked if only is None else asked.where(only)) or 0


def _doubled(connection: Connection, table: Table) -> int:
    """Rows beyond the first that were inserted for the same thing."""
    groups = (
        select((func.count() - 1).label("more"))
        .where(table.c.cd_operation == "I")
        .group_by(*(table.c[name] for name in SAME[table.name]))
        .having(func.count() > 1)
        .subquery()
    )
    return int(connection.scalar(select(func.coalesce(func.sum(groups.c.more), 0))) or 0)
