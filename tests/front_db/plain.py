"""A partner's own table of the tests, which we may only read, and a reader of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, MetaData, delete, insert, update

from front_db import refusals, shape_tables
from front_db.books import Book, Capture, let_go_on
from front_db.changes import Change
from front_db.contract import Column, ExchangeTable, Kind
from front_db.database import Database, Limits
from front_db.ddl import sql_table
from front_db.modes import CaptureMode
from front_db.origin import Origin
from front_db.readers import ChangePoll, reader_of
from hub.store import Store
from hub.store import tables as hub_tables

__all__ = ["FIRMS", "STARTED", "Plain", "fresh_store"]

BEIJING = timezone(timedelta(hours=8))
STARTED = datetime(2026, 3, 2, 9, 0, 0, tzinfo=BEIJING)
FIRMS = ExchangeTable(
    name="qyss",
    columns=(
        Column(name="code", length=32),
        Column(name="name", length=60, needed=True),
        Column(name="fee", kind=Kind.DECIMAL, places=2),
        Column(name="changed", kind=Kind.MOMENT),
        Column(name="counter", kind=Kind.WHOLE),
        Column(name="gone", length=1),
    ),
    business_key=("code",),
)


def fresh_store(folder: Path) -> Store:
    """The hub's records, embedded."""
    store = Store(f"sqlite:///{folder}/hub.db")
    for each in (hub_tables.metadata, shape_tables.shapes.metadata, refusals.metadata):
        each.create_all(store.engine)
    return store


class Plain:
    """The partner's table, made by its owner; *reader* begins anew as after a restart."""

    def __init__(
        self, partner: Engine, store: Store, mode: CaptureMode, page_rows: int = 3
    ) -> None:
        self.engine, self.store, self.mode, self.page_rows = partner, store, mode, page_rows
        self.table = sql_table(FIRMS, MetaData())
        self.now = STARTED
        self.database = Database(partner.url.render_as_string(hide_password=False), Limits())
        self.database.open()
        self.restart()

    def restart(self) -> None:
        book = Book(self.store, "tax", FIRMS.name, self.mode.mode, lambda: self.now)
        origin = Origin(
            database=self.database,
            described=FIRMS,
            table=self.table,
            book=book,
            page_rows=self.page_rows,
            now=lambda: self.now,
        )
        self.book = book
        self.poll_of = ChangePoll(reader_of(origin, self.mode))

    def create(self) -> None:
        self.table.metadata.create_all(self.engine)

    def leave(self, *codes: str, at: datetime | None = None, **more: Any) -> None:
        changed = (at or self.now).replace(tzinfo=None)
        rows = [{"code": c, "name": f"企业{c}", "changed": changed} | more for c in codes]
        with self.engine.begin() as connection:
            connection.execute(insert(self.table), rows)

    def change(self, code: str, **values: Any) -> None:
        mine = self.table.c.code == code
        with self.engine.begin() as connection:
            connection.execute(update(self.table).where(mine).values(**values))

    def remove(self, *codes: str) -> None:
        mine = self.table.c.code.in_(codes)
        with self.engine.begin() as connection:
            connection.execute(delete(self.table).where(mine))

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    async def seen(self) -> list[Change]:
        """One poll, none of which is safe yet."""
        return [change async for change in self.poll_of.changes()]

    async def take(self, changes: Sequence[Change]) -> None:
        await self.poll_of.acknowledge([change.id for change in changes])

    async def poll(self) -> list[str]:
        """One poll, all of it made safe; what became of which key."""
        found = await self.seen()
        await self.take(found)
        return told(found)

    async def standing(self) -> Capture:
        return await self.book.open()

    async def go_on(self) -> None:
        assert await self.store.write(lambda c: let_go_on(c, "tax", FIRMS.name))


def told(changes: Sequence[Change]) -> list[str]:
    return [f"{change.body['x_op']} {change.key}" for change in changes]
