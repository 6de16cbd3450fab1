"""Capture from the binary log of MariaDB or MySQL, as one of their replicas would read it.

Speaks to  MariaDB 10.5 and MySQL 8.0.14 and later, whose log tells whole rows (ROW, FULL)
Promises   the place is kept on our side, between two transactions or two parts of a large one. A log that was
           purged, begun anew, or is another server's is noticed, and the whole table compared. A poll ends where the
           log stood when it began
Careful    a transaction stands in the log before it shows in the table: rows are read *settle_s* after the place was
           looked up
Tested on  MariaDB 10.11, MySQL 9.7
Not here   the first load, and what is told when: `front_db.log_reader`
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256

from sqlalchemy import Connection

from front_db.binlog_groups import Grouping, Spot
from front_db.binlog_stream import BinlogStream
from front_db.binlog_survey import Survey, carried, survey
from front_db.log_reader import LogReader, Start
from front_db.logged import LogEvent
from front_db.modes import BinlogMode
from front_db.origin import Origin
from schemas.errors import Misconfigured

__all__ = ["BinlogReader"]

OWN_NUMBERS = 2**30  # behind it are those that we make: no administrator counts so far


class BinlogReader(LogReader):
    """One table in the mode ``binlog``."""

    def __init__(self, origin: Origin, mode: BinlogMode) -> None:
        super().__init__(origin, mode.fuse)
        self.mode = mode
        self._survey: Survey | None = None

    async def stand_still(self) -> None:
        """Nothing is kept for us alone: the partner purges its log when it likes."""

    @property
    def server_id(self) -> int:
        """Ours among the partner's replicas: always the same for this table."""
        book = self.origin.book
        told = sha256(f"{book.system}/{book.table}".encode()).digest()
        return self.mode.server_id or OWN_NUMBERS + int.from_bytes(told[:4]) % (3 * OWN_NUMBERS)

    async def _begin(self, kept: str) -> Start:
        described = self.origin.described
        found = self._survey = await self.origin.database.read(
            partial(survey, described=described), described
        )
        if self.server_id == found.server_id:
            raise Misconfigured(
                "front-db.binlog-number", "It is the server's own", table=described.name
            )
        spot = Spot.of(kept) if kept else found.end
        self._figures["waiting_bytes"] = found.waiting(spot)
        lost = found.lost_since(spot)
        if not kept or lost:
            trouble = await self.origin.database.read(
                lambda connection: carried(connection, described), described
            )
            if trouble:
                raise trouble
        return Start(at=found.end.at, lost=lost, wait_s=self.mode.settle_s)

    async def _events(self, at: str) -> AsyncGenerator[LogEvent]:
        spot, found = Spot.of(at), self._survey
        if found is None or spot.order >= found.end.order:
            return
        database = self.origin.database
        with database.line() as line:
            stream = BinlogStream(line.connect, found.schema, found.table, spot, self.server_id)
            grouping = Grouping(
                found.schema, self.origin.described.name, spot, found.end, self.mode.part_rows
            )
            read = partial(
                stream.read, self.mode.part_rows, found.end.order, database.limits.call_s / 3
            )
            while not stream.ended:
                for told in await line.run(read, self.origin.described):
                    for event in grouping.feed(told):
                        yield event

    @contextmanager
    def _session(self, connection: Connection) -> Iterator[Connection]:
        """As the log's times are told: Beijing's."""
        connection.exec_driver_sql("SET time_zone = '+08:00'")
        try:
            yield connection
        finally:
            connection.exec_driver_sql("SET time_zone = DEFAULT")
