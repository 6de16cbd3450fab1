"""Whether a partner's binary log can be read by us, and what its administrator must type where it cannot.

Speaks to  MariaDB 10.5 and MySQL 8.0.14 and later, by SQL
Promises   nothing is changed; what is missing is told with the statement that mends it
Careful    InnoDB does what a foreign key carries on (CASCADE, SET NULL) without a word in the log: a table of such a
           key is not read by it, but from MySQL 9.6 on, whose log has it unless innodb_native_foreign_keys is ON
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.exc import DBAPIError

from front_db.binlog_groups import Spot, number_of
from front_db.contract import ExchangeTable
from front_db.dialects import family_of
from schemas.errors import Misconfigured

__all__ = ["Survey", "carried", "survey", "troubles"]

# Name, what it must be, and whether a server may lack it (and then behaves so).
WANTED = (
    ("binlog_format", "ROW", False),
    ("binlog_row_image", "FULL", False),
    ("binlog_row_metadata", "FULL", False),
    ("log_bin_compress", "OFF", True),
    ("binlog_row_value_options", "", True),
)
NO_SUCH_STATEMENT, DENIED = 1064, {1044, 1045, 1227}
_VARIABLES = text("SHOW GLOBAL VARIABLES WHERE Variable_name IN :names").bindparams(
    bindparam("names", ("log_bin", "server_id", *(name for name, _, _ in WANTED)), expanding=True)
)
_TABLE = text(
    "SELECT table_schema, table_name FROM information_schema.tables"
    " WHERE table_schema = DATABASE() AND LOWER(table_name) = LOWER(:name)"
    " ORDER BY table_name = :name DESC LIMIT 1"
)
_BY_INNODB = text("SHOW GLOBAL VARIABLES WHERE Variable_name = 'innodb_native_foreign_keys'")
# Asked of the table itself: whoever may only SELECT sees no foreign keys in the catalogue.
_CARRIED = re.compile(
    r"CONSTRAINT `([^`]+)` FOREIGN KEY [^\n]* ON (?:DELETE|UPDATE) (?:CASCADE|SET NULL|SET DEFAULT)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Survey:
    """How the log stands. *files*: their sizes in bytes; *end*: of the log now."""

    schema: str
    table: str
    end: Spot
    server_id: int
    files: Mapping[str, int] = field(default_factory=dict)

    def lost_since(self, spot: Spot) -> str:
        """Why what is behind *spot* cannot be read any more; "" where it can."""
        if spot.file not in self.files:
            return "purged" if number_of(spot.file) < self.end.order[0] else "moved"
        return "restored" if spot.pos > self.files[spot.file] else ""

    def waiting(self, spot: Spot) -> int:
        """Bytes behind *spot*."""
        behind = (s for f, s in self.files.items() if number_of(f) > spot.order[0])
        return max(0, self.files.get(spot.file, 0) - spot.pos) + sum(behind)


def survey(connection: Connection, described: ExchangeTable) -> Survey:
    """How the log stands. Raises `Misconfigured` where it cannot be read."""
    name = described.name
    if family_of(connection.dialect.name) not in {"mysql", "mariadb"}:
        raise Misconfigured("front-db.binlog-none", "Not a database with such a log", table=name)
    variables = {str(k).lower(): str(v) for k, v in connection.execute(_VARIABLES)}
    for trouble in _settings(variables, name):
        raise trouble
    place = connection.execute(_TABLE, {"name": name}).first()
    if place is None:
        raise Misconfigured("target.no-table", "The agreed table is not there", table=name)
    status = _status(connection, name)
    _filtered(status, str(place[0]), name)
    files = {
        str(row[0]): int(str(row[1]))
        for row in _asked(connection, name, "SHOW BINARY LOGS")
        if "." in str(row[0])
    }
    end = Spot(file=str(status[0]), pos=int(str(status[1])))
    return Survey(str(place[0]), str(place[1]), end, int(variables["server_id"]), files)


def troubles(connection: Connection, described: ExchangeTable) -> list[Misconfigured]:
    """All that keeps us from reading the log, for whoever can mend it."""
    name = described.name
    if family_of(connection.dialect.name) not in {"mysql", "mariadb"}:
        return [Misconfigured("front-db.binlog-none", "Not such a database", table=name)]
    variables = {str(k).lower(): str(v) for k, v in connection.execute(_VARIABLES)}
    found = _settings(variables, name)
    if found:
        return found
    try:
        survey(connection, described)
    except Misconfigured as error:
        found.append(error)
    if not found and not _may_read(connection):
        found.append(Misconfigured("front-db.binlog-grant", "The log may not be read", table=name))
    key = carried(connection, described)
    return [*found, key] if key else found


def _may_read(connection: Connection) -> bool:
    """Whether this account, or a role of it, has the right to read the log as a replica does."""
    grants = " ".join(str(row[0]) for row in connection.exec_driver_sql("SHOW GRANTS")).upper()
    return "REPLICATION SLAVE" in grants or "ALL PRIVILEGES ON *.*" in grants


def carried(connection: Connection, described: ExchangeTable) -> Misconfigured | None:
    """A foreign key that changes rows without a word in the log."""
    quoted = connection.dialect.identifier_preparer.quote_identifier(described.name)
    made = connection.exec_driver_sql(f"SHOW CREATE TABLE {quoted}").one()
    keys = _CARRIED.findall(str(made[1]))
    if not keys or _told(connection):
        return None
    return Misconfigured(
        "front-db.binlog-cascade",
        "A foreign key changes rows that the log does not tell",
        table=described.name,
        keys=" ".join(keys),
    )


def _told(connection: Connection) -> bool:
    """Whether the log has what a foreign key carries on."""
    by_innodb = connection.execute(_BY_INNODB).first()
    return by_innodb is not None and str(by_innodb[1]).upper() == "OFF"


def _settings(variables: Mapping[str, str], name: str) -> list[Misconfigured]:
    if variables.get("log_bin", "OFF").upper() not in {"ON", "1"}:
        return [Misconfigured("front-db.binlog-off", "There is no binary log", table=name)]
    found: list[Misconfigured] = []
    for setting, wanted, may_lack in WANTED:
        value = variables.get(setting)
        if value is None and not may_lack:
            error = Misconfigured(
                "front-db.binlog-old", "The server is too old", table=name, setting=setting
            )
            found.append(error)
        elif value is not None and value.upper() != wanted:
            error = Misconfigured(
                "front-db.binlog-setting",
                "The log does not tell enough",
                table=name,
                setting=setting,
                found=value,
                wanted=wanted or "''",
            )
            found.append(error)
    return found


def _status(connection: Connection, name: str) -> tuple[object, ...]:
    try:
        found = _asked(connection, name, "SHOW BINARY LOG STATUS")  # MySQL 8.2 and later
    except DBAPIError as error:
        if _number(error) != NO_SUCH_STATEMENT:
            raise
        found = _asked(connection, name, "SHOW MASTER STATUS")
    if not found:
        raise Misconfigured("front-db.binlog-off", "There is no binary log", table=name)
    return found[0]


def _asked(connection: Connection, name: str, statement: str) -> list[tuple[object, ...]]:
    try:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]
    except DBAPIError as error:
        if _number(error) not in DENIED:
            raise
        raise Misconfigured(
            "front-db.binlog-grant", "The log may not be read", table=name
        ) from None


def _filtered(status: tuple[object, ...], schema: str, name: str) -> None:
    """Raises `Misconfigured` where the server leaves this database out of its log."""
    only, never = (
        {each.strip().lower() for each in str(told or "").split(",") if each.strip()}
        for told in (*status[2:4], "", "")[:2]
    )
    if schema.lower() in never or (only and schema.lower() not in only):
        raise Misconfigured(
            "front-db.binlog-filter", "The log leaves this database out", table=name, schema=schema
        )


def _number(error: DBAPIError) -> object:
    return error.orig.args[0] if error.orig and error.orig.args else None
