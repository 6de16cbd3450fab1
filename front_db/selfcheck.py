"""The self-check (自检) of a partner's database: is all there that an exchange needs, and no more?

Form       one `Check` an item: PASS, WARN or FAIL, what was found, and what to do about it
Units      *at*: Beijing time without zone; differences of clocks in seconds
Promises   nothing of the partner's is changed: rows are asked for, never written, and what must be
           tried is taken back. Results go to ``xch_check`` where that is there
Careful    each item is tried in a savepoint: PostgreSQL refuses everything after an error
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import (
    Connection,
    Inspector,
    Table,
    Unicode,
    case,
    delete,
    false,
    func,
    insert,
    inspect,
    literal,
    select,
)
from sqlalchemy.exc import DBAPIError

from front_db.beside import PARTNER, Beside
from front_db.binlog_survey import troubles
from front_db.check import prove
from front_db.contract import ExchangeTable
from front_db.troubles import trouble
from schemas.errors import Fact
from schemas.texts import say

__all__ = ["Check", "Checked", "self_check"]

CLOCK_S = 60
SILENT_S = 3600
RARE = "民宿𠮷𝄞é "
Result = Literal["PASS", "WARN", "FAIL"]


@dataclass(frozen=True, slots=True)
class Check:
    """One item. *found* and *remedy* are codes of texts with their *facts*; none when it passes."""

    item: str
    result: Result
    code: str = ""
    facts: tuple[tuple[str, Fact], ...] = ()

    def say(self, lang: str) -> str:
        return say(self.code, dict(self.facts), lang) if self.code else ""


@dataclass(frozen=True, slots=True)
class Checked:
    """A table to be checked: *written* by us, or read; and then *marked*, or only looked at. *logged*: captured from
    the database's binary log."""

    described: ExchangeTable
    table: Table
    written: bool
    marked: bool = True
    logged: bool = False


def self_check(
    connection: Connection, tables: Sequence[Checked], beside: Beside, at: datetime
) -> list[Check]:
    """All items, those of the database first. Writes them to ``xch_check`` where that can be."""
    found = [_characters(connection), _empty(connection), _clock(connection, at)]
    inspector = inspect(connection)
    standard = any(each.described.standard for each in tables)
    if standard:
        found += [_there(inspector, each) for each in beside.needed]
        found.append(_there(inspector, beside.statement, failing="WARN"))
        found.append(_partner_beats(connection, beside, at))
    for each in tables:
        found += _table(connection, inspector, each)
    if standard and inspector.has_table(beside.check.name):
        _keep(connection, beside, found, at)
    return found


def _characters(connection: Connection) -> Check:
    """A four-byte character goes through the line and back unharmed."""
    back = connection.scalar(select(literal(RARE, Unicode())))
    return _judged("characters", "check.characters", fine=back == RARE)


def _empty(connection: Connection) -> Check:
    """Whether '' is kept as NULL: known, and harmless in the standard contract."""
    # A condition is no value in Oracle and SQL Server.
    kept = connection.scalar(select(case((literal("").is_(None), 1), else_=0)))
    return Check("empty-text", "WARN", "check.empty") if kept else Check("empty-text", "PASS")


def _clock(connection: Connection, at: datetime) -> Check:
    told = connection.scalar(select(func.current_timestamp()))
    there = datetime.fromisoformat(told) if isinstance(told, str) else told
    if connection.dialect.name == "sqlite" or there is None:
        return Check("clock", "PASS")  # the same machine's; SQLite tells UTC
    if there.tzinfo is not None:
        # Of an instant only the difference matters, of a wall clock the zone does too.
        offset = there.utcoffset()
        there = there.replace(tzinfo=None)
        if offset is not None and offset.total_seconds() == 0:
            return Check("clock", "WARN", "check.zone")
    seconds = round(abs((there - at).total_seconds()))
    if seconds <= CLOCK_S:
        return Check("clock", "PASS")
    return Check("clock", "WARN", "check.clock", (("seconds", seconds),))


def _there(inspector: Inspector, table: Table, *, failing: Result = "FAIL") -> Check:
    return _judged(
        table.name,
        "check.no-table",
        fine=inspector.has_table(table.name),
        failing=failing,
        table=table.name,
    )


def _partner_beats(connection: Connection, beside: Beside, at: datetime) -> Check:
    asked = select(beside.beat.c.h_at).where(beside.beat.c.h_side == PARTNER)
    try:
        with connection.begin_nested():
            last = connection.scalar(asked)
    except DBAPIError:
        return Check("heartbeat", "FAIL", "check.no-table", (("table", "xch_beat"),))
    if last is None:
        return Check("heartbeat", "WARN", "check.no-beat")
    seconds = round((at - last).total_seconds())
    if seconds <= SILENT_S:
        return Check("heartbeat", "PASS")
    return Check("heartbeat", "WARN", "check.silent", (("minutes", seconds // 60),))


def _table(connection: Connection, inspector: Inspector, each: Checked) -> list[Check]:
    name = each.described.name
    if not inspector.has_table(name):
        return [Check(name, "FAIL", "check.no-table", (("table", name),))]
    found = [_columns(inspector, each), _granted(connection, each)]
    if each.logged:
        found += _log_checks(connection, each)
    if each.described.standard:
        found += [_indexed(inspector, each), _too_much(connection, each)]
    return found


def _columns(inspector: Inspector, each: Checked) -> Check:
    name = each.described.name
    there = {column["name"].lower() for column in inspector.get_columns(name)}
    missing = [column.name for column in each.table.c if column.name.lower() not in there]
    return _judged(
        f"{name}.columns", "check.columns", fine=not missing, table=name, missing=" ".join(missing)
    )


def _granted(connection: Connection, each: Checked) -> Check:
    name = each.described.name

    def tried() -> None:
        prove(connection, each.described, each.table, written=each.written, marked=each.marked)

    refused = _refusal(connection, tried)
    if refused is None:
        return Check(f"{name}.grants", "PASS")
    error = trouble(refused, each.described)
    code = "check.grants" if error.code == "target.denied" else "check.unusable"
    return Check(f"{name}.grants", "FAIL", code, (("table", name), ("said", error.code)))


def _log_checks(connection: Connection, each: Checked) -> list[Check]:
    """The binary log: all that keeps us from reading it, with what its administrator must type."""
    item = f"{each.described.name}.binlog"
    found = troubles(connection, each.described)
    if not found:
        return [Check(item, "PASS")]
    return [Check(item, "FAIL", error.code, tuple(error.facts.items())) for error in found]


def _indexed(inspector: Inspector, each: Checked) -> Check:
    """Without the index every poll reads the whole table."""
    name = each.described.name
    wanted = f"ix_{name}_wait"
    there = {index["name"] for index in inspector.get_indexes(name)}
    return _judged(
        f"{name}.index",
        "check.index",
        fine=wanted in there,
        failing="WARN",
        table=name,
        index=wanted,
    )


def _too_much(connection: Connection, each: Checked) -> Check:
    """The hub's account needs no right to delete; in SQLite there are no accounts."""
    name = each.described.name
    if connection.dialect.name == "sqlite":
        return Check(f"{name}.least-rights", "PASS")
    refused = _refusal(
        connection, lambda: connection.execute(delete(each.table).where(false())).close()
    )
    return _judged(
        f"{name}.least-rights",
        "check.too-much",
        fine=refused is not None,
        failing="WARN",
        table=name,
    )


def _refusal(connection: Connection, tried: Callable[[], None]) -> DBAPIError | None:
    """What the database says against it; whatever it did is taken back."""
    nested = connection.begin_nested()
    try:
        tried()
    except DBAPIError as error:
        nested.rollback()
        return error
    nested.rollback()
    return None


def _judged(item: str, code: str, *, fine: bool, failing: Result = "FAIL", **facts: Fact) -> Check:
    return Check(item, "PASS") if fine else Check(item, failing, code, tuple(facts.items()))


def _keep(connection: Connection, beside: Beside, found: Sequence[Check], at: datetime) -> None:
    rows = [
        {
            "c_run": at.strftime("%Y%m%d%H%M%S%f"),
            "c_item": each.item[:64],
            "c_result": each.result,
            "c_remedy": each.say("zh") or None,
            "c_at": at.replace(microsecond=0),
        }
        for each in found
    ]
    nested = connection.begin_nested()
    try:
        connection.execute(insert(beside.check), rows)
    except DBAPIError:
        nested.rollback()  # a grant is missing, which an item above has said
        return
    nested.commit()
