"""The binary log of MariaDB or MySQL, event after event, for one table.

Speaks to  MariaDB 10.5 and MySQL 8.0.14 and later, whose log has the columns' names (``binlog_row_metadata=FULL``);
           by the extra ``binlog`` (mysql-replication)
Form       blocking, for a thread: `BinlogStream.read` gives what came within its limits; values as text
Promises   nothing is skipped in silence: the library's own way of connecting anew in the middle of a transaction,
           which loses rows, is cut off; what it does not decode is told as strange, but for transactions that MySQL has
           compressed: see `front_db.binlog_payload`
Careful    TIMESTAMP is UTC in the log and Beijing time here; JSON, shapes and what has no text in the log are
           `UNCHANGED`, and so taken from the row
Tested on  MariaDB 10.11, MySQL 9.7
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymysql.err import Error
from pymysql.protocol import MysqlPacket

from front_db.binlog_groups import Spot, Told, What
from front_db.binlog_payload import unpacking
from front_db.logged import UNCHANGED, Kept, Row, Unchanged, Values
from schemas.errors import HubError, Misconfigured, Transient

__all__ = ["BinlogStream"]

BEIJING = timedelta(hours=8)
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the log's times have no zone
TIMESTAMPS, FLOAT = {7, 17}, 4
UNTOLD = {16, 245, 255}  # BIT, JSON, GEOMETRY: taken from the row
# Numbers of MySQL's and MariaDB's events that say nothing of rows, beside those that the library knows.
QUIET = {0, 3, 5, 7, 13, 14, 17, 27, 28, 34, 35, 36, 37, 41, 42, 160, 161, 163}
STRANGE = {
    18: "LOAD DATA",
    26: "INCIDENT",
    40: "binlog_transaction_compression",  # not to be unpacked
    **dict.fromkeys(range(165, 172), "log_bin_compress"),
}
STANDALONE = 1  # of MariaDB's GTID: no transaction begins with it
PLACES = {35, 161, 163}  # between transactions
NOT_TO_BE_READ, DENIED = 1236, {1044, 1045, 1227}
LOOKED_EVERY, TOLD_AT_ONCE = 64, 10_000


@dataclass(slots=True)
class BinlogStream:
    """*connect* makes a driver's connection; *wait_s*: so long the partner holds a line that we do not read."""

    connect: Callable[[], Any]
    schema: str
    table: str
    spot: Spot
    server_id: int
    wait_s: int = 600
    ended: bool = False
    _reader: Any = None
    _opened: bool = False
    _file: str = ""
    _pos: int = 0

    def read(self, rows: int, end: tuple[int, int], within_s: float) -> list[Told]:
        """What is next, up to about *rows* rows of ours, the place *end* or *within_s* seconds; then go on with it,
        unless it has *ended*."""
        if self._reader is None:
            self._open()
        found: list[Told] = []
        until, many, looked = time.monotonic() + within_s, 0, 0
        while many < rows and len(found) < TOLD_AT_ONCE:
            told = self._next()
            if self.ended and told is None:
                break
            if told is not None:
                found.append(told)
                many += len(told.rows)
            looked += 1
            if Spot(file=self._file, pos=self._pos).order >= end and _closes(told):
                self.ended = True
            if self.ended or (looked % LOOKED_EVERY == 0 and time.monotonic() > until):
                break
        return found

    def _next(self) -> Told | None:
        try:
            event = self._reader.fetchone()
            if event is not None:
                return self._told(event)
        except (HubError, Error) as error:
            told = self._refused(error)
            if told is None:
                raise
            self.ended = True
            return told
        except Exception as error:  # noqa: BLE001 - what the library makes of bytes that it does not know
            self.ended = True
            return self._plain(What.STRANGE, type(error).__name__)
        self.ended = True
        return None

    def _refused(self, error: Exception) -> Told | None:
        """What the partner said instead of an event; none: not of the log."""
        number = error.args[0] if error.args else None
        if number == NOT_TO_BE_READ:
            return self._plain(What.LOST, "unreadable")
        if number in DENIED:
            raise Misconfigured(
                "front-db.binlog-grant", "The log may not be read", table=self.table
            ) from error
        return None

    def _open(self) -> None:
        try:
            from pymysqlreplication import BinLogStreamReader  # noqa: PLC0415 - an extra
            from pymysqlreplication.event import QueryEvent  # noqa: PLC0415 - as above
        except ImportError:
            raise Misconfigured(
                "front-db.binlog-extra", "The extra is not installed", table=self.table
            ) from None
        # Its own way knows them one by one, and ends at the first that a newer server writes (MySQL 9).
        QueryEvent._read_status_vars_value_for_key = _past_surroundings  # noqa: SLF001 - it has no other door
        self._file, self._pos = self.spot.file, self.spot.pos
        self._reader = BinLogStreamReader(
            {},
            server_id=self.server_id,
            resume_stream=True,
            log_file=self.spot.file,
            log_pos=self.spot.pos,
            only_schemas=[self.schema],
            only_tables=[self.table],
            filter_non_implemented_events=False,
            verify_checksum=True,
            enable_logging=False,
            pymysql_wrapper=self._connected,
        )

    def _connected(self, **asked: Any) -> Any:
        """The library's own door to a connection: the log's is opened once."""
        asks = "cursorclass" in asked  # it asks for settings there
        if not asks and self._opened:
            raise Transient("target.down", "The line broke while the log was read")
        driver = self.connect()
        if asks:
            driver.cursorclass = asked["cursorclass"]
        else:
            self._opened = True
            with driver.cursor() as cursor:
                cursor.execute("SET SESSION net_write_timeout = %s", (self.wait_s,))
            # What the library asks the driver for; it knows no compressed transactions itself.
            driver._read_packet = unpacking(  # noqa: SLF001 - as above
                driver._read_packet,  # noqa: SLF001 - as above
                lambda data: MysqlPacket(data, driver.encoding),
            )
        return driver

    def _told(self, event: Any) -> Told | None:
        before = self._file
        self._move(event)
        if event._is_event_valid is False:  # noqa: SLF001 - the library has no other word for it
            return self._plain(What.STRANGE, "binlog_checksum")
        name = type(event).__name__
        match name:
            case "FormatDescriptionEvent":
                return self._plain(What.BORN, f"{event.packet.server_id}/{event.timestamp}")
            case "RotateEvent":
                # One of the same file only tells where reading begins.
                return self._plain(What.FILE) if self._file != before else None
            case "MariadbGtidEvent":
                return None if event.flags & STANDALONE else self._plain(What.BEGIN)
            case "XidEvent":
                return self._plain(What.COMMIT)
            case "XAPrepareEvent":
                return self._plain(What.COMMIT if event.one_phase else What.PREPARE)
            case "QueryEvent":
                return self._plain(What.STATEMENT, event.query, event.schema.decode())
            case "WriteRowsEvent" | "UpdateRowsEvent" | "DeleteRowsEvent":
                return self._rows(event)
            case "PartialUpdateRowsEvent":
                return self._plain(What.STRANGE, "binlog_row_value_options")
            case _:
                return self._other(event)

    def _other(self, event: Any) -> Told | None:
        number = event.event_type
        if number in STRANGE:
            return self._plain(What.STRANGE, STRANGE[number])
        known = type(event).__name__ != "NotImplementedEvent"
        if known or number in QUIET:
            return self._plain(What.OTHER) if number in PLACES else None
        return self._plain(What.STRANGE, str(number))

    def _plain(self, what: What, text: str = "", schema: str = "") -> Told:
        return Told(what=what, file=self._file, pos=self._pos, text=text, schema=schema)

    def _move(self, event: Any) -> None:
        file, pos = self._reader.log_file, self._reader.log_pos
        if file == self._file and pos < self._pos and not event.timestamp:
            return
        # The log tells 32 bits of a place, while one transaction may be larger.
        while file == self._file and pos < self._pos:
            pos += 2**32
        self._file, self._pos = file, pos

    def _rows(self, event: Any) -> Told:
        columns = {column.name: column for column in event.columns}
        if None in columns:
            return self._plain(What.STRANGE, "binlog_row_metadata")
        try:
            found = [_row(each, type(event).__name__, self.table, columns) for each in event.rows]
        except (UnicodeDecodeError, struct.error, IndexError) as error:
            return self._plain(What.STRANGE, type(error).__name__)
        if None in found:
            return self._plain(What.STRANGE, "binlog_row_image")
        rows = [row for row in found if row is not None]
        return Told(what=What.ROWS, file=self._file, pos=self._pos, rows=rows)


def _past_surroundings(event: Any, first: int) -> None:
    """Behind all that is told of a statement's session, of which the number of the *first* is read already."""
    del first
    event.packet.advance(event.status_vars_length - 1)


def _closes(told: Told | None) -> bool:
    """Whether reading may end there: not in the middle of a transaction."""
    return told is None or told.what not in {What.BEGIN, What.ROWS}


def _row(told: Any, kind: str, table: str, columns: Mapping[str, Any]) -> Row | None:
    """None where the log has not the whole row."""
    keys = frozenset(columns)
    match kind:
        case "WriteRowsEvent":
            new, old, kept = _values(told, "", columns), None, Kept.INSERT
        case "DeleteRowsEvent":
            new, old, kept = None, _values(told, "", columns), Kept.DELETE
        case _:
            new, old = _values(told, "after_", columns), _values(told, "before_", columns)
            kept = Kept.UPDATE
    whole = all(each is not None for each in ((old,) if kept is Kept.DELETE else (new,)))
    if not whole or (kept is Kept.UPDATE and old is None):
        return None
    return Row(table, keys, kept, new, old)


def _values(told: Any, side: str, columns: Mapping[str, Any]) -> Values | None:
    why = told[f"{side}none_sources"]
    if "cols bitmap" in why.values():
        return None
    found: dict[str, str | Unchanged | None] = {}
    for name, value in told[f"{side}values"].items():
        found[name] = _value(value, why.get(name, ""), columns[name])
    return found


def _value(value: Any, why: str, column: Any) -> str | Unchanged | None:
    if column.type in UNTOLD and value is not None:
        return UNCHANGED
    if value is None:
        # An empty set is a value; a day that is none has a text that only the row tells.
        return None if why == "null" else "" if why == "empty set" else UNCHANGED
    if column.enum_values and "" in column.enum_values[1:]:
        return UNCHANGED  # its words are of a character set that was not read
    match value:
        case datetime() if column.type in TIMESTAMPS:
            return UNCHANGED if value == EPOCH else (value + BEIJING).isoformat()
        case datetime():
            return value.isoformat()
        case set():
            return ",".join(each for each in column.set_values if each in value)
        case bytes():
            return value.hex()
        case float() if column.type == FLOAT:
            return repr(float(f"{value:.6g}"))  # as many digits as the database shows
        case _:
            return str(value)
