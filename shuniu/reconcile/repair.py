"""What is missing sent once more, and nothing else: the act of a person with a reason.

Promises   a repeat changes nothing at a target that has had it; extra rows, rows that differ and what
           waits for a person are left alone. Above a number of rows nothing is sent: a table that
           was emptied is no case for a repair by the way
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from front_db.reconcile import rows_by_id
from front_db.rows import Unreadable, content_of
from front_db.states import RowState
from front_db.sums import Slice
from hub.reissue import Reissue
from schemas.errors import Rejected
from schemas.message import Record
from shuniu.reconcile.report import Difference, Found, Leg, LegReport
from shuniu.reconcile.run import Partner, Partners

__all__ = ["Repaired", "missing", "repair"]

AT_RECEIVER = frozenset((Found.MISSING_AT_RECEIVER, Found.NEVER_DELIVERED))
MISSING = AT_RECEIVER | {Found.MISSING_AT_HUB}


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was done for one leg. *act*: its id in the records."""

    leg: Mapping[str, object]
    act: str
    sent: int
    not_kept: int = 0


def missing(reports: Sequence[LegReport]) -> int:
    """How many rows a repair would send."""
    return sum(each.kind in MISSING for report in reports for each in report.differences)


async def repair(
    reports: Sequence[LegReport], partners: Partners, reissue: Reissue, *, most: int
) -> list[Repaired]:
    """Send what *reports* say is missing. Raises `Rejected` (``reconcile.too-many``) above *most*."""
    if (count := missing(reports)) > most:
        raise Rejected("reconcile.too-many", "Too much is missing", missing=count, most=most)
    done: list[Repaired] = []
    for report in reports:
        lacking = [each for each in report.differences if each.kind in MISSING]
        if not lacking:
            continue
        leg = report.leg
        shown = {"system": leg.system, "table": leg.table, "route": leg.route}
        if leg.direction == "to":
            ids = [each.message_id for each in lacking]
            told = await reissue.messages(leg.route, ids)
        else:
            records = await asyncio.to_thread(_records, partners(leg.system), leg, lacking)
            told = await reissue.records(leg.system, records)
        done.append(Repaired(shown, told.id, told.sent, len(told.without_body)))
    return done


def _records(partner: Partner, leg: Leg, lacking: Sequence[Difference]) -> list[Record]:
    """The rows as the connector hands them over; one that was changed meanwhile comes by itself."""
    tables = partner.tables[leg.table]
    described, control = tables.described, tables.described.control
    with partner.line() as connection:
        part = Slice(described, tables.table)
        rows = rows_by_id(connection, part, [each.row_id for each in lacking])
    found: list[Record] = []
    for row_id, row in rows.items():
        if row[str(control.state)] == control.word(RowState.NEW):
            continue
        shown = {name: value for name, value in row.items() if name not in control.ours}
        try:
            body = content_of(shown, described)
        except Unreadable:
            continue
        key = f"{row_id}/{row[str(control.version)]}"
        found.append(Record(kind=leg.kind, key=key, body=body))
    return found
