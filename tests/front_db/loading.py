"""A load between two databases as the tests run it, and as a process of its own that kills itself."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from front_db.bulk import Journal, Load, PageDone, Place, Take
from front_db.bulk_journal import LoadJournal
from front_db.bulk_plain import PlainSource
from front_db.bulk_postgres import PostgresSource
from front_db.bulk_run import Loader
from front_db.database import Limits, make_engine
from front_db.pace import PageSize
from hub.crypto import sm3
from hub.store import Store
from tests.front_db.standard import LEFT_AT, Shape

__all__ = ["AT", "Kept", "load_and_die", "loader"]

AT = LEFT_AT + timedelta(minutes=1)
PAGE_ROWS = 7


@dataclass
class Kept:
    """A journal in memory."""

    at: Place = field(default_factory=Place)
    pages: list[PageDone] = field(default_factory=list)

    def place(self, _: Load, /) -> Place:
        return self.at

    def keep(self, _: Load, place: Place, page: PageDone, /) -> None:
        self.at = place
        self.pages.append(page)


@dataclass
class Deadly:
    """A journal whose process is killed at its *dies_at*-th page, *before* or after that is kept."""

    journal: Journal
    dies_at: int
    before: bool

    def place(self, load: Load, /) -> Place:
        return self.journal.place(load)

    def keep(self, load: Load, place: Place, page: PageDone, /) -> None:
        self.dies_at -= 1
        if self.dies_at == 0 and self.before:
            os.kill(os.getpid(), signal.SIGKILL)
        self.journal.keep(load, place, page)
        if self.dies_at == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def loader(
    load: Load,
    shape: Shape,
    source: Engine,
    target: Engine,
    journal: Journal,
    rows: int = PAGE_ROWS,
) -> Loader:
    """As the command puts it together."""
    postgres = source.dialect.name == "postgresql"
    return Loader(
        load,
        PostgresSource(source, load)
        if postgres
        else PlainSource(source, load, shape.table, shape.beside),
        target,
        shape.in_sql,
        journal,
        sm3,
        lambda: AT,
        PageSize(rows),
    )


def load_and_die(
    urls: tuple[str, str, str], take: Take, dies_at: int, *, before: bool, untouched: bool = False
) -> None:
    """From the first address to the second, journaled in the third."""
    shape, (source, target) = Shape(), (make_engine(url, Limits()) for url in urls[:2])
    load = Load("test", shape.out, shape.into, take, untouched=untouched)
    journal = LoadJournal(Store(urls[2]), "tax", "library", lambda: datetime.now(UTC))
    loader(load, shape, source, target, Deadly(journal, dies_at, before)).run()
