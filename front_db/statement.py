"""Daily statements (对账单): what both sides have of a day, where the partner can select it.

Form       a line of ``xch_statement`` for each table and day; a correction is another line with the
           next number, never a change of one that is there. The partner may write a line of its own
           (``s_side = 'partner'``) with its count and digest: they are compared with what we found
Units      *day*: of Beijing; *at*: Beijing time without zone
Promises   the same figures are never written twice in a row, whoever compares how often
Careful    the text is Chinese: it is read in the partner's own database tool
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import Connection, RowMapping, insert, inspect, select

from front_db.beside import HUB, PARTNER, Beside
from schemas.texts import say

__all__ = [
    "Figures",
    "Statement",
    "StatementState",
    "can_state",
    "partner_agrees",
    "statements",
    "write_statement",
]

REASON_LENGTH = 1000


class StatementState(StrEnum):
    AGREES = "agrees"
    DIFFERS = "differs"
    REPAIRED = "repaired"  # agrees, after something was sent once more
    UNKNOWN = "unknown"  # could not be compared


@dataclass(frozen=True, slots=True)
class Figures:
    """One side. *keys*, *digest*: sums in no order (`front_db.sums`), as 16 hexadecimal digits."""

    rows: int
    keys: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One table on one day. *under_way* is no difference; *refused* waits for the writer."""

    table: str
    day: date
    state: StatementState
    theirs: Figures
    ours: Figures
    missing: int = 0
    extra: int = 0
    differ: int = 0
    refused: int = 0
    under_way: int = 0


def can_state(connection: Connection, beside: Beside) -> bool:
    """Whether the partner has the table of statements."""
    return inspect(connection).has_table(beside.statement.name)


def statements(
    connection: Connection, beside: Beside, table: str, day: date
) -> Sequence[RowMapping]:
    """All lines of one table and day, ours before the partner's, each side's in order."""
    t = beside.statement
    asked = select(t).where(t.c.s_table == table, t.c.s_day == day)
    return connection.execute(asked.order_by(t.c.s_side, t.c.s_no)).mappings().all()


def partner_agrees(lines: Sequence[RowMapping], found: Figures) -> bool | None:
    """Whether the partner's own last line has the figures that we found in its table; None where it
    has written none."""
    theirs = [line for line in lines if line["s_side"] == PARTNER]
    if not theirs:
        return None
    last = theirs[-1]
    told = ((last["s_rows"], found.rows), (last["s_digest"] or None, found.digest or None))
    return all(mine is None or mine == ours for mine, ours in told)


def write_statement(
    connection: Connection, beside: Beside, statement: Statement, at: datetime
) -> bool:
    """Add a line, unless the last one of ours says the same; whether one was added."""
    lines = statements(connection, beside, statement.table, statement.day)
    agrees = partner_agrees(lines, statement.theirs)
    mine = [line for line in lines if line["s_side"] == HUB]
    row = _row(statement, agrees=agrees)
    if mine and all(mine[-1][name] == value for name, value in row.items()):
        return False
    number = mine[-1]["s_no"] + 1 if mine else 1
    stamped = {"s_no": number, "s_at": at.replace(microsecond=0)}
    connection.execute(insert(beside.statement), row | stamped)
    return True


def _row(statement: Statement, *, agrees: bool | None) -> dict[str, object]:
    facts = {
        name: value
        for name, value in asdict(statement).items()
        if name in {"missing", "extra", "differ", "refused", "under_way"}
    }
    facts |= {"rows": statement.theirs.rows, "hub_rows": statement.ours.rows}
    said = say(f"statement.{statement.state}", facts, "zh")
    if agrees is not None:
        said += say("statement.partner-same" if agrees else "statement.partner-other", {}, "zh")
    return {
        "s_table": statement.table,
        "s_day": statement.day,
        "s_side": HUB,
        "s_state": statement.state.value,
        "s_rows": statement.theirs.rows,
        "s_hub_rows": statement.ours.rows,
        "s_keys": statement.theirs.keys or None,
        "s_hub_keys": statement.ours.keys or None,
        "s_digest": statement.theirs.digest or None,
        "s_hub_digest": statement.ours.digest or None,
        "s_missing": statement.missing,
        "s_extra": statement.extra,
        "s_differ": statement.differ,
        "s_refused": statement.refused,
        "s_under_way": statement.under_way,
        "s_msg": said[:REASON_LENGTH],
    }
