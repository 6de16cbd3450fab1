"""Rows handed on as changes, by the modes that compare: written down first, settled once they are safe.

Promises   a change that is read again after a crash is the same message. How far a reader is, is kept
           no sooner than all that was handed on before is safe
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from front_db import known
from front_db.books import Figures
from front_db.changes import Change
from front_db.contract import ExchangeTable
from front_db.keys import key_columns, key_values
from front_db.known import GONE, Hand
from front_db.origin import Origin
from front_db.rows import Unreadable, content_of
from schemas.message import Json, Operation

__all__ = ["Hander", "Raws"]

Raws = Mapping[str, Mapping[str, object] | None]
log = structlog.get_logger("front_db.handing")


@dataclass(slots=True)
class Hander:
    """
    *position* tells how far its reader is, in its own words; *figures* what its status shows; *kept*:
    the position that a restart begins at; *unreadable*: keys of this poll that cannot be told.
    """

    origin: Origin
    position: Callable[[], str]
    figures: Callable[[], Figures]
    kept: str = ""
    unreadable: set[str] = field(default_factory=set)
    _given: int = 0
    _safe: int = 0
    _marks: deque[tuple[int, str]] = field(default_factory=deque)

    def begin(self, kept: str) -> None:
        """A poll begins at *kept*: what was given before and is not safe is given again."""
        self.kept = kept
        self._given = self._safe = 0
        self.unreadable.clear()
        self._marks.clear()

    async def hand(self, capture: int, hands: Sequence[Hand], raws: Raws) -> AsyncIterator[Change]:
        """*hands* as changes; *raws*: the rows that are there, by key."""
        described = self.origin.described
        told = [(each, _content(each, raws.get(each.key), described)) for each in hands]
        good = [(each, content) for each, content in told if content is not None]
        if torn := {each.key: each.digest for each, content in told if content is None}:
            self.unreadable.update(torn)
            log.warning("rows.unreadable", table=described.name, count=len(torn))
            # Tried again when what was found different is told.
            await self.origin.book.write(lambda connection: known.find(connection, capture, torn))
        if not good:
            return
        some = [each for each, _ in good]
        versions = await self.origin.book.write(
            lambda connection: known.hand(connection, capture, some)
        )
        for (each, content), version in zip(good, versions, strict=True):
            self._given += 1
            yield Change(
                table=described.name,
                key=each.key,
                operation=_operation(each),
                version=version,
                content=content,
            )

    def reached(self) -> None:
        """The reader is behind all that it has given."""
        self._marks.append((self._given, self.position()))
        while len(self._marks) > 1 and self._marks[1][0] <= self._safe:
            self._marks.popleft()

    async def safe(self, capture: int, changes: Sequence[Change]) -> None:
        """*changes*, the next ones of those given."""
        told = [(change.key, change.version) for change in changes]
        await self.origin.book.write(lambda connection: known.settle(connection, capture, told))
        self._safe += len(changes)
        await self.keep()

    async def keep(self) -> None:
        """Keep how far the reader may go on from, and its figures."""
        position: str | None = None
        while self._marks and self._marks[0][0] <= self._safe:
            position = self._marks.popleft()[1]
        if position is not None:
            await self.origin.book.keep(
                position=position, figures={**self.figures(), "unreadable": len(self.unreadable)}
            )
            self.kept = position


def _operation(each: Hand) -> Operation:
    if each.deleted or each.digest == GONE:
        return Operation.DELETED
    return Operation.UPDATED if each.known and each.known.digest else Operation.CREATED


def _content(
    each: Hand, raw: Mapping[str, object] | None, described: ExchangeTable
) -> dict[str, Json] | None:
    """What is told of a row, of a delete its key alone; none where it cannot be read."""
    if raw is None or _operation(each) is Operation.DELETED:
        raw = dict(zip(key_columns(described), key_values(each.key, described), strict=True))
    try:
        return content_of(raw, described)
    except Unreadable:
        return None
