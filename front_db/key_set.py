"""Capture by comparison of keys and digests, for tables that nobody may touch.

Promises   every difference is found, deletes too, whatever the partner's programs do; none is told
           before the whole table was compared and the fuse has held: a table that was emptied at
           night, or is half loaded, changes nothing. The first load tells range by range, and goes
           on where it stopped
Units      *at* of a place: seconds since 1970
Careful    what changes twice between two comparisons is one change. Rows are read a second time when
           they are told, so a transaction that was open meanwhile is seen as it ended
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial

import orjson
from sqlalchemy import Connection

from front_db import known
from front_db.books import Capture
from front_db.changes import Change
from front_db.fuse import go_on, melted
from front_db.handing import Hander
from front_db.known import GONE, Hand, Known
from front_db.modes import Fuse, KeySetMode
from front_db.origin import Origin
from front_db.parts import (
    OPEN,
    Part,
    Row,
    part_at,
    put_part,
    read_keys,
    read_part,
    same_as_before,
    unsure,
)

__all__ = ["Comparison", "KeySetReader", "Place", "placed"]

TOLD_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """
    How far comparing is. *phase*: ``idle``, ``compare`` or ``tell``; *low*: the key behind which it
    goes on; *first*: the table was never compared to its end; *at*: when it last was.
    """

    phase: str = "idle"
    low: str = OPEN
    first: bool = True
    at: float = 0.0


@dataclass(slots=True)
class Comparison:
    """
    One table compared, a range of keys at a time. *figures*: of the last comparison. *held*: keys that
    are not there and not gone either. *certain*: asked before anything is told that takes rows away;
    raises where what was compared is not what was agreed on.
    """

    origin: Origin
    hander: Hander
    range_rows: int
    fuse: Fuse
    every_s: float
    place: Place = field(default_factory=Place)
    figures: dict[str, int | float | str | None] = field(default_factory=dict)
    held: frozenset[str] = frozenset()
    certain: Callable[[], Awaitable[None]] | None = None

    def due(self, now: datetime, *, allowed: bool) -> bool:
        """Whether there is anything to do."""
        if self.place.phase != "idle":
            return True
        return allowed or not self.place.at or now.timestamp() >= self.place.at + self.every_s

    async def changes(self, capture: Capture) -> AsyncIterator[Change]:
        """Compare and tell; its `place` moves along. Raises `Misconfigured` where the fuse melts."""
        if self.place.phase == "idle":
            self.place = Place(phase="compare", first=self.place.first, at=self.place.at)
            self.figures = {"ranges": 0, "same": 0}
        if self.place.phase == "compare":
            async for change in self._compare(capture):
                yield change
            await self._judge(capture)
        async for change in self._tell(capture):
            yield change
        self.place = Place(first=False, at=self.origin.now().timestamp())
        self.figures["compared_at"] = self.origin.now().isoformat(timespec="seconds")
        self.hander.reached()

    async def _compare(self, capture: Capture) -> AsyncIterator[Change]:
        book = self.origin.book
        while True:
            low = self.place.low
            part = await book.read(partial(part_at, capture=capture.id, low=low))
            # The first load hands on as it goes: what it was stopped in the middle of looks the same.
            if not self.place.first and await self._same(part):
                self._count("same")
                end = part.high
            else:
                rows, end = await self._rows(part)
                async for change in self._weigh(capture, part, rows, end):
                    yield change
            self._count("ranges")
            if end == OPEN:
                await book.write(lambda connection: known.orphans(connection, capture.id))
                return
            self.place = Place(phase="compare", low=end, first=self.place.first, at=self.place.at)
            self.hander.reached()

    async def _same(self, part: Part) -> bool:
        origin = self.origin
        return await origin.database.read(
            lambda connection: same_as_before(connection, origin.described, origin.table, part),
            origin.described,
        )

    async def _rows(self, part: Part) -> tuple[list[Row], str]:
        """The rows of *part* as they are now, and where they end."""
        origin, limit, whole = self.origin, self.range_rows, self.place.first
        rows = await origin.database.read(
            lambda connection: read_part(
                connection, origin.described, origin.table, part, limit, whole=whole
            ),
            origin.described,
        )
        return rows, rows[-1].key if len(rows) == limit else part.high

    async def _weigh(
        self, capture: Capture, part: Part, rows: Sequence[Row], end: str
    ) -> AsyncIterator[Change]:
        """Write down what is different; in the first load tell what nobody was told of."""
        number, new = await self.origin.book.write(
            lambda connection: _weighed(
                connection, capture.id, part, rows, end, self.place.first, self.held
            )
        )
        hands = [
            Hand(key=row.key, digest=row.digest, known=before, part=number) for row, before in new
        ]
        raws = {row.key: row.raw for row, _ in new}
        async for change in self.hander.hand(capture.id, hands, raws):
            yield change

    async def _judge(self, capture: Capture) -> None:
        """May what was found be told? Raises `Misconfigured` where the fuse melts."""
        if self.certain:
            await self.certain()
        book, at = self.origin.book, self.origin.now().timestamp()
        lost, total = await book.read(
            lambda connection: (
                known.lost_count(connection, capture.id),
                known.known_count(connection, capture.id),
            )
        )
        self.figures |= {"rows": total, "different": lost}
        if error := melted(self.fuse, capture, self.origin, lost=lost, known=total):
            self.place = Place(first=self.place.first, at=at)
            self.hander.reached()
            await self.hander.keep()
            await book.stop(error)
            raise error
        await go_on(capture, self.origin)
        self.place = Place(phase="tell", first=self.place.first, at=self.place.at)
        self.hander.reached()

    async def _tell(self, capture: Capture) -> AsyncIterator[Change]:
        after = ""
        while True:
            page = await self.origin.book.read(
                partial(known.different, capture=capture.id, after=after, limit=TOLD_AT_ONCE)
            )
            if not page:
                return
            after = page[-1].key
            async for change in self._told(capture, page):
                yield change

    async def _told(self, capture: Capture, page: Sequence[Known]) -> AsyncIterator[Change]:
        origin = self.origin
        now = await origin.database.read(
            lambda connection: read_keys(
                connection, origin.described, origin.table, [each.key for each in page]
            ),
            origin.described,
        )
        if self.certain and any(each.found and each.key not in now for each in page):
            await self.certain()
        hands = [
            Hand(key=each.key, digest=now[each.key].digest if each.key in now else GONE, known=each)
            for each in page
        ]
        # It is again as it was told: a transaction was rolled back, or the row changed back.
        back = {each.key for each in hands if each.known and each.known.is_told(each.digest)}
        if back:
            right = {each.key: None if each.digest else GONE for each in hands if each.key in back}
            await origin.book.write(lambda connection: known.find(connection, capture.id, right))
        raws = {key: row.raw for key, row in now.items()}
        rest = [each for each in hands if each.key not in back]
        async for change in self.hander.hand(capture.id, rest, raws):
            yield change

    def _count(self, name: str) -> None:
        self.figures[name] = int(self.figures.get(name) or 0) + 1


def _weighed(
    connection: Connection,
    capture: int,
    part: Part,
    rows: Sequence[Row],
    end: str,
    first: bool,  # noqa: FBT001 - one of the facts that a range is weighed by
    held: frozenset[str],
) -> tuple[int, list[tuple[Row, Known | None]]]:
    """Write down what is different in a range; its id, and what the first load tells at once."""
    number = put_part(connection, capture, part, end, rows)
    there = known.known_of(connection, capture, [row.key for row in rows])
    gone = known.known_part(connection, capture, number)
    new: list[tuple[Row, Known | None]] = []
    found: dict[str, str | None] = {}
    for row in rows:
        gone.pop(row.key, None)
        before = there.get(row.key)
        if before is not None and before.is_told(row.digest):
            if before.found is not None or before.part != number:
                found[row.key] = None
        elif first and (before is None or before.digest == GONE):
            new.append((row, before))
        else:
            found[row.key] = row.digest
    gone = {key: before for key, before in gone.items() if key not in held}
    changed = [key for key, digest in found.items() if digest]
    known.find(connection, capture, found, number)
    # What was in the range is gone, or was cut off to the next one, which then finds it there.
    known.find(connection, capture, dict.fromkeys(gone, GONE))
    if changed or gone:
        unsure(connection, number)
    return number, new


@dataclass(slots=True)
class KeySetReader:
    """One table in the mode ``key-set``: see `front_db.changes.ChangeReader`."""

    origin: Origin
    mode: KeySetMode
    _comparison: Comparison = field(init=False)
    _capture: int = 0

    def __post_init__(self) -> None:
        hander = Hander(self.origin, self._position, lambda: self._comparison.figures)
        self._comparison = Comparison(
            self.origin, hander, self.mode.range_rows, self.mode.fuse, self.mode.every_s
        )

    async def changes(self) -> AsyncIterator[Change]:
        """What the last comparison, or a new one when it is due, has found."""
        capture = await self.origin.book.open()
        self._capture = capture.id
        comparison = self._comparison
        comparison.hander.begin(capture.position)
        comparison.place = placed(capture.position)
        comparison.figures = dict(capture.figures)
        if comparison.due(self.origin.now(), allowed=capture.allowed):
            async for change in comparison.changes(capture):
                yield change
            await comparison.hander.keep()
        elif error := capture.still():
            raise error

    async def safe(self, changes: Sequence[Change], /) -> None:
        await self._comparison.hander.safe(self._capture, changes)

    async def close(self) -> None:
        """Nothing is held open between two calls."""

    def _position(self) -> str:
        return orjson.dumps(asdict(self._comparison.place)).decode()


def placed(position: str) -> Place:
    """The place that a position tells; none at the beginning."""
    return Place(**orjson.loads(position)) if position else Place()
