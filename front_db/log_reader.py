"""Capture from a database's own log: first all rows as they are, then what the log tells behind them.

Form       a reader of one kind of log (`front_db.logical`, `front_db.binlog`) says where the log stands and
           what it tells; this is the rest. Versions: a row of a page has its own, an event of the log the next one
Promises   the log is let go only behind what is durable elsewhere. Where a part of it is lost, or tells what no
           reader can follow, the whole table is compared: what differs is told again, with deletes of what is no
           more, unless these are so many that the fuse melts
Careful    what a table's log is asked twice for is told twice under one version: to no effect
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import NoReturn

import orjson
import structlog
from sqlalchemy import Connection, select, type_coerce
from sqlalchemy.types import NullType

from front_db import told
from front_db.books import Capture
from front_db.changes import Change
from front_db.fuse import go_on, melted
from front_db.keys import among, behind, key_columns, key_text, key_values
from front_db.logged import (
    UNCHANGED,
    Doubtful,
    Kept,
    LogEvent,
    Reached,
    Row,
    Truncated,
    Unfollowed,
    key_of,
    lots,
    readable,
    row_of_log,
)
from front_db.modes import Fuse
from front_db.origin import Origin
from front_db.rows import content_of
from schemas.errors import Misconfigured
from schemas.message import Operation

__all__ = ["LogReader", "Start"]

MICROSECONDS = 1_000_000
TOLD_AT_ONCE, PROMISED_AT_ONCE = 500, 50
KEPT_EVERY_S = 20.0
log = structlog.get_logger("front_db.log_reader")


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """*at*: where the log stands now, for a table told anew; *lost*: why what is behind the place that is kept
    cannot be read any more, "" where it can; *wait_s*: rows are read so much later than *at*."""

    at: str
    lost: str = ""
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """*phase*: ``rows``, ``gone`` or ``log``; *at*: behind it the log is not told yet, in its own words; *after*:
    the key of the last row told; *floor*: the highest version given before the rows were told; *since*: when *at*
    was looked up, seconds since 1970."""

    phase: str = "rows"
    at: str = ""
    after: str = ""
    floor: int = 0
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class _Mark:
    given: int
    place: _Place
    version: int


@dataclass(slots=True)
class LogReader(ABC):
    """One table by its database's log: see `front_db.changes.ChangeReader`."""

    origin: Origin
    fuse: Fuse
    _given: int = 0
    _safe: int = 0
    _version: int = 0
    _capture: Capture | None = None
    _place: _Place = field(default_factory=_Place)
    _marks: deque[_Mark] = field(default_factory=deque)
    # What was given and is not safe yet: whether the key is there, and its number, in order.
    _alive: dict[str, tuple[bool, int]] = field(default_factory=dict)
    _figures: dict[str, int | float | str | None] = field(default_factory=dict)
    _settled_s: float = 0.0
    _rested: int = 0  # given when the last place was reached that may be gone on from

    @abstractmethod
    async def _begin(self, kept: str) -> Start:
        """Where the log stands; *kept*: the place to go on from, "" where there is none. Raises
        `Misconfigured` where it cannot be read."""

    @abstractmethod
    def _events(self, at: str) -> AsyncGenerator[LogEvent]:
        """What the log tells behind *at*, as far as it stands now."""

    @abstractmethod
    async def stand_still(self) -> None:
        """See `front_db.readers.StandsStill`."""

    async def _let_go(self, at: str) -> None:  # noqa: B027 - some logs keep nothing for us
        """What is before *at* is safe: the partner need not keep it for us."""

    @contextmanager
    def _session(self, connection: Connection) -> Iterator[Connection]:
        """The session in which rows are read."""
        yield connection

    async def changes(self) -> AsyncIterator[Change]:
        """See `front_db.changes.ChangeReader`."""
        capture = self._capture = await self.origin.book.open()
        self._given = self._safe = self._rested = 0
        self._marks.clear()
        self._alive.clear()
        self._version = capture.version
        self._figures = dict(capture.figures)
        if (error := capture.still()) and not capture.mended_there:
            await self.stand_still()
            raise error
        place = _placed(capture.position)
        async with self.origin.book.looking(capture):
            start = await self._begin(place.at if place else "")
        if place and start.lost:
            table = self.origin.described.name
            log.warning("capture.log_lost", table=table, why=start.lost)
            self._lost(start.lost)
            place = None
        if place is None:
            highest = await self.origin.book.read(lambda c: told.highest(c, capture.id))
            self._version = max(self._version, highest)
            place = _Place(at=start.at, floor=self._version, since=self._now_s())
            await self._keep(_Mark(0, place, self._version))
        self._place = place
        if place.phase == "rows" and self._now_s() < place.since + start.wait_s:
            return
        async for change in self._all():
            yield change
        await self._settle()

    async def safe(self, changes: Sequence[Change], /) -> None:
        """See `front_db.changes.ChangeReader`."""
        capture = self._capture
        if capture is None:
            return
        await self.origin.book.write(
            lambda connection: told.remember(connection, capture.id, changes)
        )
        self._safe += len(changes)
        while self._alive and (first := next(iter(self._alive.items())))[1][1] <= self._safe:
            del self._alive[first[0]]
        await self._settle()

    def between(self) -> bool:
        """See `front_db.readers.Unbroken`."""
        return self._rested == self._given - 1

    async def close(self) -> None:  # noqa: B027 - as it says
        """Nothing is held open between two calls."""

    async def _all(self) -> AsyncIterator[Change]:
        if self._place.phase == "rows":
            async for change in self._rows():
                yield change
        if self._place.phase == "gone":
            await self._judge()
            async for change in self._gone(self._place.floor):
                yield change
            self._jump()
            self._reached(replace(self._place, phase="log"))
        elif self._capture:
            await go_on(self._capture, self.origin)
        async for change in self._log():
            yield change

    async def _log(self) -> AsyncIterator[Change]:
        """What the log tells behind the place that was reached."""
        # Closed at once: what it reads from is a line of the partner's.
        async with aclosing(self._events(self._place.at)) as events:
            async for lot in lots(events, PROMISED_AT_ONCE):
                # Else nobody would look for them, were we killed now and the log lost.
                await self._promise(self._keys_of(lot))
                for event in lot:
                    if isinstance(event, Doubtful):
                        self._doubt(event)
                        return
                    if isinstance(event, Unfollowed):
                        await self._stop(event.error)
                    async for change in self._event(event):
                        yield change
                    await self._now_and_then()

    def _keys_of(self, lot: Sequence[LogEvent]) -> Sequence[str]:
        """Of the rows that are there behind *lot*, or were for a while."""
        rows = [each for each in lot if isinstance(each, Row) and self._is_named(each.table)]
        return [key_of(row.new, self.origin.described, row.keys) for row in rows if row.new]

    async def _promise(self, keys: Sequence[str]) -> None:
        capture, version = self._capture, self._version
        if capture is not None and keys:
            await self.origin.book.write(
                lambda connection: told.promise(connection, capture.id, keys, version)
            )

    async def _rows(self) -> AsyncIterator[Change]:
        """All rows as they are now, except those told so already. What changes meanwhile, the log tells later."""
        while True:
            after, first, limit = self._place.after, self._version, self.origin.limit
            page = await self.origin.page(partial(self._page, after=after, limit=limit))
            same = await self._same(page, first)
            keys = [key_text(row, self.origin.described) for row in page]
            await self._promise([key for key in keys if key not in same])
            for number, row in enumerate(page, 1):
                key = key_text(row, self.origin.described)
                if key not in same:
                    yield self._change(Operation.UPDATED, key, row, first + number)
                after = key
            # Whatever a page holds, the next one's versions are behind it.
            self._version = first + limit
            if len(page) < limit:
                self._jump()
                self._reached(replace(self._place, phase="gone", after=""))
                return
            self._reached(replace(self._place, after=after))

    async def _same(self, page: Sequence[Mapping[str, object]], first: int) -> frozenset[str]:
        """Keys of rows that receivers hold as they are; they count as told."""
        capture, described = self._capture, self.origin.described
        if capture is None or not page:
            return frozenset()
        rows = {
            key: told.digest_of(content_of(readable(row, described), described))
            for row in page
            if (key := key_text(row, described)) not in self._alive
        }
        return await self.origin.book.write(
            lambda connection: told.confirm(connection, capture.id, rows, first + 1)
        )

    def _page(self, connection: Connection, after: str, limit: int) -> list[dict[str, object]]:
        described, table = self.origin.described, self.origin.table
        keys = [table.c[name] for name in key_columns(described)]
        asked = select(*(type_coerce(c, NullType()).label(c.name) for c in table.c)).order_by(*keys)
        if after:
            asked = asked.where(behind(keys, key_values(after, described)))
        with self._session(connection):
            found = connection.execute(asked.limit(limit)).mappings()
            return [dict(row) for row in found]

    async def _judge(self) -> None:
        """May the rows that are no more be told? Raises `Misconfigured` where the fuse melts."""
        capture, floor = self._capture, self._place.floor
        if capture is None:
            return
        # Told in this poll, and not safe yet: in the book they are as they were.
        unsafe = list(self._alive)
        lost, known = await self.origin.book.read(
            lambda connection: (
                told.count_before(connection, capture.id, floor, unsafe),
                told.count_all(connection, capture.id),
            )
        )
        code = "front-db.fuse-log"
        if error := melted(self.fuse, capture, self.origin, lost=lost, known=known, code=code):
            await self._stop(error)
        await go_on(capture, self.origin)

    async def _stop(self, error: Misconfigured) -> NoReturn:
        """Stand still; once a person lets it go on, the whole table is compared again."""
        self._marks.clear()  # what is made safe after this must not move it
        await self.origin.book.keep(position="", version=self._version, figures=self._figures)
        await self.origin.book.stop(error)
        raise error

    async def _gone(self, floor: int) -> AsyncIterator[Change]:
        """Deletes of all that was told at *floor* or before, and not again since."""
        capture = self._capture
        self._version += 1
        version, after = self._version, ""
        unsafe = dict(self._alive)
        while capture is not None:
            keys = await self.origin.book.read(
                partial(
                    told.told_before,
                    capture=capture.id,
                    version=floor,
                    after=after,
                    limit=TOLD_AT_ONCE,
                )
            )
            for key in keys:
                if key not in unsafe:
                    yield self._change(Operation.DELETED, key, self._key_row(key), version)
            if len(keys) < TOLD_AT_ONCE:
                return
            after = keys[-1]

    def _doubt(self, event: Doubtful) -> None:
        """What the log tells there nobody can follow: the table is compared behind it."""
        name = self.origin.described.name
        log.warning("capture.log_doubtful", table=name, why=event.why)
        if event.lost:
            self._lost(event.why)
        else:
            self._count("compared")
        self._jump()
        self._reached(_Place(at=event.at, floor=self._version, since=self._now_s()))

    async def _event(self, event: LogEvent) -> AsyncIterator[Change]:
        if isinstance(event, Reached):
            self._reached(replace(self._place, at=event.at))
        elif isinstance(event, Truncated) and any(map(self._is_named, event.tables)):
            alive = [key for key, (there, _) in self._alive.items() if there]
            async for change in self._gone(self._version):
                yield change
            for key in alive:
                yield self._change(Operation.DELETED, key, self._key_row(key), self._version)
        elif isinstance(event, Row) and self._is_named(event.table):
            async for change in self._row(event):
                yield change

    def _is_named(self, table: str) -> bool:
        return table.lower() == self.origin.described.name.lower()

    async def _row(self, event: Row) -> AsyncIterator[Change]:
        """A row's change; a key that changes is a delete and an insert."""
        described = self.origin.described
        key = key_of(event.old or event.new or {}, described, event.keys)
        row = row_of_log(event, described)
        self._version += 1
        if event.kept is Kept.DELETE:
            yield self._change(Operation.DELETED, key, self._key_row(key), self._version)
            return
        now = key_of(event.new or {}, described, event.keys)
        if now != key:
            yield self._change(Operation.DELETED, key, self._key_row(key), self._version)
        known_as = Operation.CREATED if event.kept is Kept.INSERT or now != key else None
        if UNCHANGED in row.values():
            there = await self.origin.database.read(lambda c: self._now(c, now), described)
            if there is None:
                return  # its delete, or its next key, comes behind
            row = {name: there[name] if v is UNCHANGED else v for name, v in row.items()}
        yield self._change(known_as or Operation.UPDATED, now, row, self._version)

    def _now(self, connection: Connection, key: str) -> Mapping[str, object] | None:
        described, table = self.origin.described, self.origin.table
        asked = select(*(type_coerce(c, NullType()).label(c.name) for c in table.c))
        with self._session(connection):
            asked = asked.where(among(table, described, [key]))
            found = connection.execute(asked).mappings().first()
            return dict(found) if found else None

    def _key_row(self, key: str) -> dict[str, object]:
        described = self.origin.described
        return dict(zip(key_columns(described), key_values(key, described), strict=True))

    def _change(
        self, operation: Operation, key: str, row: Mapping[str, object], version: int
    ) -> Change:
        self._given += 1
        self._alive.pop(key, None)
        self._alive[key] = (operation is not Operation.DELETED, self._given)
        return Change(
            table=self.origin.described.name,
            key=key,
            operation=operation,
            version=version,
            content=content_of(readable(row, self.origin.described), self.origin.described),
        )

    def _now_s(self) -> float:
        return self.origin.now().timestamp()

    def _lost(self, why: str) -> None:
        self._count("log_lost")
        at = self.origin.now().isoformat(timespec="seconds")
        self._figures |= {"log_lost_why": why, "log_lost_at": at}

    def _count(self, name: str) -> None:
        self._figures[name] = int(self._figures.get(name) or 0) + 1

    def _jump(self) -> None:
        """Above all that a reading which broke off may have given: it was slower than the clock."""
        self._version = max(self._version, int(self._now_s() * MICROSECONDS))

    def _reached(self, place: _Place) -> None:
        self._place, self._rested = place, self._given
        mark = _Mark(self._given, place, self._version)
        if self._marks and self._marks[-1].given == self._given:
            self._marks[-1] = (
                mark  # nothing was given between: a log of other tables fills no memory
            )
        else:
            self._marks.append(mark)
        while len(self._marks) > 1 and self._marks[1].given <= self._safe:
            self._marks.popleft()

    async def _now_and_then(self) -> None:
        """In a long log of other tables: a reader that ends need not read it once more."""
        if self._now_s() > self._settled_s + KEPT_EVERY_S:
            self._settled_s = self._now_s()
            await self._settle()

    async def _settle(self) -> None:
        """Keep how far it is, then let the partner's log go so far."""
        reached: _Mark | None = None
        while self._marks and self._marks[0].given <= self._safe:
            reached = self._marks.popleft()
        if reached is not None:
            await self._keep(reached)

    async def _keep(self, mark: _Mark) -> None:
        place = mark.place
        figures = self._figures | {"phase": place.phase}
        await self.origin.book.keep(
            position=orjson.dumps(asdict(place)).decode(), version=mark.version, figures=figures
        )
        if place.phase == "log":
            await self._let_go(place.at)


def _placed(position: str) -> _Place | None:
    """The place that a position tells; none at the beginning, and for one that is not understood: the table is
    then told anew."""
    if not position:
        return None
    try:
        return _Place(**orjson.loads(position))
    except TypeError:
        return None
