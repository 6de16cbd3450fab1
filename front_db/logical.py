"""Capture from PostgreSQL's log, by a slot and a publication that the partner's administrator made.

Speaks to  PostgreSQL 13 and later, by SQL alone: nothing is installed there, no replication connection
Promises   a slot that was lost, made anew or read by another is noticed
Careful    a slot keeps the partner's log until it moves: while the table stands still and more than
           *keep_mb* wait, the log is given up and the table compared as a whole later
Units      places in the log are bytes (LSN)
Not here   the first load, and what is told when: `front_db.log_reader`
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import partial

import structlog

from front_db.books import Capture
from front_db.log_reader import LogReader, Start
from front_db.logged import LogEvent, Reached
from front_db.modes import LogicalMode
from front_db.origin import Origin
from front_db.pgoutput import Began, Committed, Decoder
from front_db.slots import MESSAGES, Slot, advance, look, peek
from schemas.errors import Misconfigured

__all__ = ["LogicalReader"]

MIB = 1024 * 1024
log = structlog.get_logger("front_db.logical")


class LogicalReader(LogReader):
    """One table by one slot."""

    def __init__(self, origin: Origin, mode: LogicalMode) -> None:
        super().__init__(origin, mode.fuse)
        self.mode = mode
        self._slot: Slot | None = None

    async def stand_still(self) -> None:
        """See `front_db.readers.StandsStill`."""
        slot = await self._look(await self.origin.book.open())
        if slot is None or slot.waiting <= self.mode.keep_mb * MIB:
            return
        log.error(
            "capture.log_given_up",
            table=self.origin.described.name,
            slot=slot.name,
            bytes=slot.waiting,
        )
        # First the book: a slot that is ahead of it is one whose log is lost.
        self._count("log_given_up")
        await self.origin.book.keep(position="", figures=self._figures)
        await self.origin.database.read(
            lambda connection: advance(connection, slot.name, slot.end), self.origin.described
        )

    async def _begin(self, kept: str) -> Start:
        capture = self._capture or await self.origin.book.open()
        slot = self._slot = self._usable(await self._look(capture))
        return Start(at=str(slot.confirmed), lost=slot.lost_since(int(kept)) if kept else "")

    async def _look(self, capture: Capture) -> Slot | None:
        slot = await self.origin.database.read(
            lambda connection: look(connection, self.mode.slot), self.origin.described
        )
        waiting = slot.waiting if slot else 0
        self._figures = {**capture.figures, "waiting_bytes": waiting}
        if abs(waiting - int(capture.figures.get("waiting_bytes") or 0)) > MIB:
            await self.origin.book.keep(figures=self._figures)
        return slot

    def _usable(self, slot: Slot | None) -> Slot:
        name, table = self.mode.slot, self.origin.described.name
        if slot is None or slot.plugin != "pgoutput":
            raise Misconfigured("front-db.no-slot", "No such slot", slot=name, table=table)
        if slot.state == "lost":
            raise Misconfigured("front-db.slot-lost", "The slot is lost", slot=name, table=table)
        if slot.waiting > self.mode.keep_mb * MIB:
            log.warning("capture.log_waits", table=table, slot=name, bytes=slot.waiting)
        return slot

    async def _events(self, at: str) -> AsyncGenerator[LogEvent]:
        slot, publication, before = self._slot, self.mode.publication, int(at)
        if slot is None:
            return
        if before > slot.confirmed:
            await self.origin.database.read(lambda c: advance(c, slot.name, before))
        decoder, offset, skip, some, reached = Decoder(), 0, False, MESSAGES, before
        while some == MESSAGES:
            messages = await self.origin.database.read(
                partial(peek, slot=slot.name, publication=publication, before=offset),
                self.origin.described,
            )
            some, offset = len(messages), offset + len(messages)
            for data in messages:
                event = decoder.read(data)
                if isinstance(event, Began):
                    skip = event.lsn < before
                elif event is None or skip:
                    continue
                elif isinstance(event, Committed):
                    reached = event.lsn
                    yield Reached(str(reached))
                else:
                    yield event
        if slot.end - reached > MIB:
            yield Reached(str(slot.end))

    async def _let_go(self, at: str) -> None:
        await self.origin.database.read(
            lambda connection: advance(connection, self.mode.slot, int(at))
        )
