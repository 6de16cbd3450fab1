"""Capture behind a mark, where a table has only a time of change, or a number that counts up.

Promises   a row committed late is found within the window, a number left out as long as its gap is
           open; rows of one stamp are not lost at a page's edge; a stamp in the future moves the mark
           no further than now
Units      *at*: Beijing time without zone; seconds
Careful    what is committed later than the window, or changed without its stamp, is not seen, nor is a
           delete: only a comparison of all keys (``keys_s``) finds these, and counts them as missed
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta, timezone
from functools import partial
from typing import Any

import orjson
from sqlalchemy import FromClause, and_, or_, select, type_coerce
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import NullType

from front_db import gaps, known
from front_db.books import Capture
from front_db.changes import Change
from front_db.digest import row_digest
from front_db.handing import Hander
from front_db.key_set import Comparison, Place
from front_db.keys import behind, key_columns, key_text
from front_db.known import Hand
from front_db.modes import WatermarkMode
from front_db.origin import Origin
from front_db.stamps import Stamps
from schemas.errors import Misconfigured

__all__ = ["WatermarkReader"]

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")
DELETED = "deleted"  # in the place of a digest
GAPS_AT_ONCE = 100
RANGE_ROWS = 2000
PAGES_KEPT = 50  # between two times that what is behind the window is forgotten
Raw = Mapping[str, object]


@dataclass(slots=True)
class _State:
    """Where it is. *mark*: the highest stamp; *again_at*: when the window was read last."""

    mark: str | None = None
    again_at: float = 0.0
    sweep: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class WatermarkReader:
    """One table in the mode ``watermark``: see `front_db.changes.ChangeReader`."""

    origin: Origin
    mode: WatermarkMode
    _stamps: Stamps = field(init=False)
    _hander: Hander = field(init=False)
    _sweep: Comparison | None = field(init=False, default=None)
    _state: _State = field(default_factory=_State)
    _figures: dict[str, int | float | str | None] = field(default_factory=dict)
    _capture: int = 0

    def __post_init__(self) -> None:
        column = self.origin.described.column(self.mode.column)
        if column is None:
            raise Misconfigured(
                "front-db.no-column",
                "The column that rises is not described",
                table=self.origin.described.name,
                column=self.mode.column,
            )
        self._stamps = Stamps(column, self.mode.format)
        self._hander = Hander(self.origin, self._position, lambda: self._figures)
        if self.mode.keys_s is not None:
            self._sweep = Comparison(
                self.origin, self._hander, RANGE_ROWS, self.mode.fuse, self.mode.keys_s
            )

    async def changes(self) -> AsyncIterator[Change]:
        """What is behind the mark, and now and then what is within the window, or all."""
        capture = await self._open()
        now = self.origin.now()
        if (error := capture.still()) and not self._sweeps(capture):
            raise error
        again = now.timestamp() >= self._state.again_at + self.mode.again_s
        if not error:
            async for change in self._read(again=again):
                yield change
        if again:
            self._state.again_at = now.timestamp()
        if self._sweep and self._sweeps(capture):
            async for change in self._sweep.changes(capture):
                self._count("missed")
                yield change
            self._figures |= self._sweep.figures
        await self._tidy()
        self._hander.reached()
        await self._hander.keep()

    async def safe(self, changes: Sequence[Change], /) -> None:
        if self._stamps.counts:
            told = (self._stamps.told(each.content.get(self.mode.column)) for each in changes)
            numbers = [int(each) for each in told if each]
            await self.origin.book.write(lambda c: gaps.fill(c, self._capture, numbers))
        await self._hander.safe(self._capture, changes)

    async def close(self) -> None:
        """Nothing is held open between two calls."""

    async def _open(self) -> Capture:
        capture = await self.origin.book.open()
        self._capture = capture.id
        self._hander.begin(capture.position)
        self._state = _State(**orjson.loads(capture.position)) if capture.position else _State()
        self._figures = dict(capture.figures)
        if self._sweep:
            # At the beginning the mark itself reads all there is.
            begun = Place(at=self.origin.now().timestamp())
            self._sweep.place = Place(**self._state.sweep) if self._state.sweep else begun
            self._sweep.figures = {}
        return capture

    def _position(self) -> str:
        if self._sweep:
            self._state.sweep = asdict(self._sweep.place)
        return orjson.dumps(asdict(self._state)).decode()

    def _sweeps(self, capture: Capture) -> bool:
        now = self.origin.now()
        return self._sweep is not None and self._sweep.due(now, allowed=capture.allowed)

    async def _read(self, *, again: bool) -> AsyncIterator[Change]:
        rising = self.origin.table.c[self.mode.column]
        if self._stamps.counts:
            async for change in self._late_numbers():
                yield change
        since = self._lowest(self.mode.window_s if again else self.mode.grain_s)
        wanted = rising.is_not(None) if since is None else rising >= self._stamps.raw(since)
        async for change in self._pages(wanted, [rising], moves=True):
            yield change
        if again:
            self._figures["unstamped"] = 0
            async for change in self._pages(rising.is_(None), [], moves=False):
                yield change

    def _lowest(self, seconds: float) -> str | None:
        mark = self._state.mark
        return None if mark is None else self._stamps.below(mark, seconds)

    async def _late_numbers(self) -> AsyncIterator[Change]:
        """Rows whose numbers were left out when those behind them were read."""
        rising, after = self.origin.table.c[self.mode.column], -1
        while True:
            found = await self.origin.book.read(
                partial(gaps.open_gaps, capture=self._capture, after=after, limit=GAPS_AT_ONCE)
            )
            if not found:
                return
            after = found[-1][0]
            wanted = or_(*(and_(rising >= low, rising <= high) for low, high in found))
            async for change in self._pages(wanted, [rising], moves=False):
                yield change

    async def _pages(
        self, wanted: ColumnElement[bool], leading: Sequence[ColumnElement[Any]], *, moves: bool
    ) -> AsyncIterator[Change]:
        """All rows that are *wanted*, in the order of *leading* and key; *moves*: they move the mark."""
        origin, pages = self.origin, 0
        place: tuple[object, ...] = ()
        described = origin.described
        order = [*leading, *(origin.table.c[name] for name in key_columns(described))]
        while True:
            part = wanted if not place else and_(wanted, behind(order, place))
            limit = origin.limit
            rows = await origin.page(
                partial(_rows, table=origin.table, wanted=part, order=order, limit=limit)
            )
            async for change in self._compared(rows, moves=moves):
                yield change
            if moves:
                await self._moved(rows)
            if len(rows) < limit:
                return
            place, pages = tuple(rows[-1][each.name] for each in order), pages + 1
            if pages % PAGES_KEPT == 0:
                await self._tidy()

    async def _compared(self, rows: Sequence[Raw], *, moves: bool) -> AsyncIterator[Change]:
        described, column = self.origin.described, self.mode.column
        keys = [key_text(row, described) for row in rows]
        before = await self.origin.book.read(lambda c: known.known_of(c, self._capture, keys))
        hands: list[Hand] = []
        for key, row in zip(keys, rows, strict=True):
            gone = self._is_deleted(row)
            digest = DELETED if gone else row_digest(row, described)
            was, stamp = before.get(key), self._stamps.told(row[column])
            if was is None or not was.is_told(digest):
                hands.append(Hand(key=key, digest=digest, known=was, stamp=stamp, deleted=gone))
                self._count("late", moves and self._behind(stamp))
            self._count("unstamped", row[column] is None)
        raws = dict(zip(keys, rows, strict=True))
        async for change in self._hander.hand(self._capture, hands, raws):
            yield change

    def _behind(self, stamp: str | None) -> bool:
        """The mark was past it already, by more than is read at every poll."""
        lowest = self._lowest(self.mode.grain_s)
        return stamp is not None and lowest is not None and stamp < lowest

    def _is_deleted(self, row: Raw) -> bool:
        column = self.mode.deleted
        return column is not None and str(row[column]).strip() in self.mode.deleted_values

    async def _moved(self, rows: Sequence[Raw]) -> None:
        """The mark moves to the last of *rows*, but no further than now; numbers left out are noted."""
        stamps = [each for row in rows if (each := self._stamps.told(row[self.mode.column]))]
        if not stamps:
            return
        mark, last = self._state.mark, max(stamps)
        if self._stamps.counts:
            numbers = sorted({int(each) for each in stamps} | ({int(mark)} if mark else set()))
            at = self.origin.now()
            await self.origin.book.write(lambda c: gaps.note(c, self._capture, numbers, at))
        else:
            here = self.origin.now().astimezone(BEIJING).replace(tzinfo=None)
            last = min(last, here.isoformat(timespec="microseconds"))
        self._state.mark = max(mark or last, last)
        self._hander.reached()

    async def _tidy(self) -> None:
        """Forget what is not read again, and numbers that were waited for long enough."""
        # A restart reads from the mark that is kept, not from the one that this poll has come to.
        kept = orjson.loads(self._hander.kept)["mark"] if self._hander.kept else None
        window = max(self.mode.window_s, self.mode.grain_s)
        lowest = None if kept is None else self._stamps.below(kept, window)
        before = self.origin.now() - timedelta(seconds=self.mode.gap_s)

        def tidied(connection: Any) -> tuple[int, int]:
            if lowest is not None and self._sweep is None:
                known.forget(connection, self._capture, lowest)
            given_up = gaps.give_up(connection, self._capture, before)
            return given_up, gaps.gap_count(connection, self._capture)

        given_up, waiting = await self.origin.book.write(tidied)
        self._count("given_up", given_up)
        self._figures |= {"mark": self._state.mark, "waiting_numbers": waiting}

    def _count(self, name: str, many: int = 1) -> None:
        if many:
            self._figures[name] = int(self._figures.get(name) or 0) + many


def _rows(
    connection: Any,
    table: FromClause,
    wanted: ColumnElement[bool],
    order: Sequence[ColumnElement[Any]],
    limit: int,
) -> list[Raw]:
    # As the driver gives it: one value that does not fit its type must not spoil the whole page.
    columns = [type_coerce(c, NullType()).label(c.name) for c in table.c]
    asked = select(*columns).where(wanted).order_by(*order).limit(limit)
    return [dict(row) for row in connection.execute(asked).mappings()]
