"""PostgreSQL's replication slots by plain SQL: how one stands, what it holds, and letting it go on."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

__all__ = ["MESSAGES", "Slot", "advance", "look", "peek"]

MESSAGES = 20_000  # read at once; a transaction that is larger is read in parts


@dataclass(frozen=True, slots=True)
class Slot:
    """
    *confirmed*: what is before it is let go; *end*: of the log now; *waiting*: bytes that the partner keeps
    for it; *state*: ``reserved``, ``extended``, ``unreserved`` or ``lost``.
    """

    name: str
    plugin: str
    confirmed: int
    end: int
    waiting: int
    state: str

    def lost_since(self, lsn: int) -> str:
        """Why what happened behind *lsn* cannot be read from it any more; "" where it can."""
        if self.confirmed > lsn:
            return "moved"  # made anew, or somebody else has read it
        return "restored" if lsn > self.end else ""


_LOOK = text(r"""
SELECT plugin, (confirmed_flush_lsn - '0/0')\:\:bigint, (pg_current_wal_flush_lsn() - '0/0')\:\:bigint,
 (pg_current_wal_flush_lsn() - restart_lsn)\:\:bigint, wal_status
 FROM pg_replication_slots WHERE slot_name = :slot AND database = current_database()
""")
_PEEK = text("""
SELECT data FROM pg_logical_slot_peek_binary_changes(CAST(:slot AS name), NULL, :many,
 'proto_version', '1', 'publication_names', CAST(:publication AS text)) LIMIT :many OFFSET :before
""")
_ADVANCE = text("""
SELECT pg_replication_slot_advance(slot_name, CAST(:lsn AS pg_lsn)) FROM pg_replication_slots
 WHERE slot_name = :slot AND confirmed_flush_lsn < CAST(:lsn AS pg_lsn)
""")
# How values are written down depends on the session.
_FORMS = ("SET LOCAL datestyle = 'ISO'", "SET LOCAL timezone = 'Asia/Shanghai'")


def look(connection: Connection, slot: str) -> Slot | None:
    """How *slot* stands; None where this database has none of that name."""
    found = connection.execute(_LOOK, {"slot": slot}).first()
    if found is None:
        return None
    plugin, confirmed, end, waiting, state = found
    return Slot(slot, str(plugin), confirmed or 0, end, waiting or 0, state or "reserved")


def peek(connection: Connection, slot: str, publication: str, before: int) -> list[bytes]:
    """Messages of the slot, from the one with number *before*, and the slot stays where it is."""
    for each in _FORMS:
        connection.exec_driver_sql(each)
    told = {"slot": slot, "publication": publication, "many": MESSAGES, "before": before}
    return [bytes(data) for data in connection.scalars(_PEEK, told)]


def advance(connection: Connection, slot: str, lsn: int) -> None:
    """Let go what is before *lsn*; never back."""
    told = f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
    connection.execute(_ADVANCE, {"slot": slot, "lsn": told}).all()
