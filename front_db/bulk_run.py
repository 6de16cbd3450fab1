"""A load carried out: page after page, each written, merged, journaled and only then left behind.

Form       the source's transaction of a page ends after the target's: whatever is killed in between,
           the page comes again, and its rows have the ids that they had
Units      seconds; rows
Promises   one page at a time in memory, and the one that is read ahead where nothing is marked; pages
           grow and shrink with the time they take (`front_db.pace`)
Careful    blocks: for a thread, or a command
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

import structlog
from sqlalchemy import Connection, Engine, Table
from sqlalchemy.exc import DBAPIError

from front_db.bulk import Aside, Journal, Load, PageDone, Place, Take, key_sum, loadable
from front_db.bulk_pages import Good, Prepared, Preparer
from front_db.bulk_postgres import Bytes, PostgresTarget, Texts
from front_db.pace import MOST_ROWS, PageSize
from front_db.troubles import blames_a_row, is_taken
from front_db.write import write_rows
from schemas.errors import Fault, HubError, Misconfigured, Rejected, Transient

__all__ = ["Loaded", "Loader", "PagesFrom"]

log = structlog.get_logger("front_db.load")
ROWS_AT_ONCE = 500
Page = Texts | Bytes


class PagesFrom(Protocol):
    """A source: `front_db.bulk_postgres`, `front_db.bulk_plain`."""

    def bound(self) -> int: ...
    def page(
        self, after: int, bound: int, rows: int, at: datetime, /
    ) -> AbstractContextManager[tuple[Page | None, list[int]]]: ...


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one run did. *aside*: the first of the rows that were left for the ordinary way."""

    rows: int
    pages: int
    left: int
    took_s: float
    aside: Sequence[Aside]


MOST_SHOWN = 200
MOST_ASIDE = 10_000


@dataclass(slots=True)
class Loader:
    """
    One load. *digest*: SM3 of bytes, as hexadecimal digits; *now*: Beijing time without zone;
    *wait*: called before a page of so many rows is read; *told*: hears how far it is; *most_aside*:
    above so many rows left aside the load stops.
    """

    load: Load
    source: PagesFrom
    engine: Engine
    table: Table
    journal: Journal
    digest: Callable[[bytes], str]
    now: Callable[[], datetime]
    size: PageSize = field(default_factory=lambda: PageSize(MOST_ROWS, rows=2_000))
    most_aside: int = MOST_ASIDE
    wait: Callable[[int], None] = lambda _: None
    told: Callable[[Place], None] = lambda _: None
    _preparer: Preparer = field(init=False)
    _target: PostgresTarget = field(init=False)

    def __post_init__(self) -> None:
        loadable(self.load)
        self._preparer = Preparer(self.load)
        self._target = PostgresTarget(self.load)

    def run(self) -> Loaded:
        """
        Load what there is now. Raises one of the three kinds; what was journaled stays.

        By state it begins at the first new row, by position behind the journal's place.
        """
        began, place = time.monotonic(), self.journal.place(self.load)
        start = place
        if self.load.take is Take.STATE:
            place = replace(place, after=0)
        aside: list[Aside] = []
        with closing(self._pages(place.after)) as pages:
            for done in pages:
                place = Place(
                    done.last,
                    place.pages + 1,
                    place.rows + done.rows,
                    place.aside + len(done.aside),
                )
                self.journal.keep(self.load, place, done)
                aside += done.aside[: MOST_SHOWN - len(aside)]
                self.told(place)
                if (left := place.aside - start.aside) > self.most_aside:
                    raise Misconfigured(
                        "front-db.too-dirty",
                        "More rows were left aside than agreed",
                        table=self.load.source.name,
                        kind="load",
                        count=left,
                        limit=self.most_aside,
                    )
        found = Loaded(
            rows=place.rows - start.rows,
            pages=place.pages - start.pages,
            left=place.aside - start.aside,
            took_s=time.monotonic() - began,
            aside=aside,
        )
        log.info(
            "load.done", load=self.load.name, rows=found.rows, pages=found.pages, left=found.left
        )
        return found

    def _pages(self, after: int) -> Generator[PageDone, None, None]:
        bound = self.source.bound()
        if self.load.take is Take.STATE:
            yield from self._marking(after, bound)
        else:
            yield from self._reading_ahead(after, bound)

    def _marking(self, after: int, bound: int) -> Iterator[PageDone]:
        """Journaled before the source commits. What was journaled and not committed there comes first,
        in a page of its own, so that it is the same page again."""
        before = min(self.journal.place(self.load).after, bound)
        while after < bound:
            self.wait(self.size.rows)
            at, began = self.now(), time.monotonic()
            again = after < before
            rows, end = (self.size.most, before) if again else (self.size.rows, bound)
            with self.source.page(after, end, rows, at) as (page, back):
                if page is None:
                    after = end
                    continue
                done = self._written(after, page, at)
                back.extend(each.row_id for each in done.aside)
                if done.rows or done.aside:
                    yield done
            if not again:
                self.size.took(time.monotonic() - began, done.rows)
            after = page.last

    def _reading_ahead(self, after: int, bound: int) -> Iterator[PageDone]:
        with ThreadPoolExecutor(1, "load") as ahead:
            coming = ahead.submit(self._read, after, bound)
            while (page := coming.result()) is not None:
                at, began = self.now(), time.monotonic()
                coming = ahead.submit(self._read, page.last, bound)
                done = self._written(after, page, at)
                self.size.took(time.monotonic() - began, self.size.rows)
                yield done
                after = page.last

    def _read(self, after: int, bound: int) -> Page | None:
        if after >= bound:
            return None
        self.wait(self.size.rows)
        with self.source.page(after, bound, self.size.rows, self.now()) as (page, _):
            return page

    def _written(self, after: int, page: Page, at: datetime) -> PageDone:
        """Write *page* and commit it."""
        if isinstance(page, Bytes):
            keys, ids, content, aside = page.keys, page.ids, page.content, []
            with self._transaction() as connection:
                self._target.write(connection, content, at)
        else:
            prepared = self._preparer.prepare(page.rows, at)
            with self._transaction() as connection:
                good, refused = self._write(connection, prepared, at)
            keys = [each.key for each in good]
            ids = [f"{each.row_id}/{each.version}" for each in good]
            content = Prepared(good, ()).text
            aside = [*prepared.aside, *refused]
        by_state = self.load.take is Take.STATE
        return PageDone(
            first=after + 1,
            last=page.last,
            rows=len(keys),
            mark=str(key_sum(ids)) if by_state else f"{after + 1}-{page.last}",
            keys=str(key_sum(keys)),
            digest=self.digest(content),
            aside=aside,
        )

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with (
            self.engine.connect().execution_options(shuniu_write=True) as connection,
            connection.begin(),
        ):
            yield connection

    def _write(
        self, connection: Connection, prepared: Prepared, at: datetime
    ) -> tuple[Sequence[Good], list[Aside]]:
        if not prepared.good:
            return [], []
        if connection.dialect.name == "postgresql":
            for _ in range(2):  # somebody wrote the same key between the look and the insert
                try:
                    self._target.write(connection, prepared.text, at)
                except DBAPIError as error:
                    if not blames_a_row(error):
                        raise
                    if not is_taken(error):
                        break
                else:
                    return prepared.good, []
        return self._row_by_row(connection, prepared, at)

    def _row_by_row(
        self, connection: Connection, prepared: Prepared, at: datetime
    ) -> tuple[list[Good], list[Aside]]:
        """In parts that are halved around a bad row; the others of the page are written all the same."""
        good: list[Good] = []
        aside: list[Aside] = []
        for start in range(0, len(prepared.good), ROWS_AT_ONCE):
            some = prepared.good[start : start + ROWS_AT_ONCE]
            rows = [self._preparer.row(each, at) for each in some]
            outcomes = write_rows(connection, self.load.target, self.table, rows)
            for each, outcome in zip(some, outcomes, strict=True):
                if isinstance(outcome, HubError):
                    self._preparer.blocked.add(each.key)
                    aside.append(Aside(each.row_id, each.key, _faults(outcome)))
                else:
                    good.append(each)
        return good, aside


def _faults(error: HubError) -> tuple[Fault, ...]:
    """Of a row that the target refuses. Raises *error* where it is not the row's."""
    if isinstance(error, Misconfigured):
        raise error
    if isinstance(error, Transient) and error.code != "target.parent":
        raise error
    told = tuple(error.faults) if isinstance(error, Rejected) else ()
    return told or (Fault(error.code, "", {}),)
