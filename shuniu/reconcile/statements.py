"""Daily statements written by the hub: after a day has ended, for each partner's standard tables.

Promises   every hub process may run it: the same figures are written once; a partner that is away is
           asked again at the next round
Units      seconds; days of Beijing
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

import structlog

from front_db.beside import beside
from front_db.statement import Figures, Statement, StatementState, can_state, write_statement
from front_db.sums import MODULUS
from schemas.calendar import BEIJING
from schemas.errors import HubError
from shuniu.reconcile.books import Books
from shuniu.reconcile.report import Found, LegReport, Sums
from shuniu.reconcile.run import Partners, legs_of, reconciled

__all__ = ["keep_stating", "stated", "statement_of", "write_statements"]

EVERY_S = 900.0
# What was published in a day's last seconds has its outcome by then.
SETTLES = timedelta(minutes=30)
LACKING = {
    Found.MISSING_AT_HUB,
    Found.MISSING_AT_RECEIVER,
    Found.NEVER_DELIVERED,
    Found.NOT_CAPTURED,
}
EXTRA = {Found.EXTRA_AT_RECEIVER, Found.GONE_AT_SENDER}
log = structlog.get_logger("shuniu.reconcile")


def stated(at: datetime) -> date:
    """The last day that has ended and settled at *at* (aware).

    >>> stated(datetime.fromisoformat("2026-03-03T00:10:00+08:00")).isoformat()
    '2026-03-01'
    """
    return (at.astimezone(BEIJING) - SETTLES).date() - timedelta(days=1)


def statement_of(reports: Sequence[LegReport], *, repaired: bool = False) -> Statement:
    """One table's statement of all its legs: several routes may write into it."""
    first = reports[0]
    kinds = [each.kind for report in reports for each in report.differences]
    if any(report.error for report in reports):
        state = StatementState.UNKNOWN
    elif not all(report.agrees for report in reports):
        state = StatementState.DIFFERS
    else:
        state = StatementState.REPAIRED if repaired else StatementState.AGREES
    return Statement(
        table=first.leg.table,
        day=first.day,
        state=state,
        theirs=_together([each.partner or Sums(0) for each in reports]),
        ours=_together([each.hub for each in reports]),
        missing=sum(kind in LACKING for kind in kinds),
        extra=sum(kind in EXTRA for kind in kinds),
        differ=sum(kind is Found.FIELDS_DIFFER for kind in kinds),
        refused=sum(each.counts.get(n, 0) for each in reports for n in ("refused", "failed")),
        under_way=sum(each.counts.get(n, 0) for each in reports for n in ("waiting", "unknown")),
    )


def write_statements(
    reports: Sequence[LegReport], partners: Partners, at: datetime, *, repaired: bool = False
) -> dict[str, bool]:
    """Write the statements of *reports* where the partner has a place for them; by system and table,
    whether a line was added. Raises what a database raises. *at*: aware."""
    by_table: dict[tuple[str, str], list[LegReport]] = {}
    for report in reports:
        if report.leg.table:
            by_table.setdefault((report.leg.system, report.leg.table), []).append(report)
    written: dict[str, bool] = {}
    for (system, table), some in by_table.items():
        partner = partners(system)
        if table not in partner.tables or not partner.tables[table].described.standard:
            continue
        statement = statement_of(some, repaired=repaired)
        places = beside(partner.metadata)
        told = at.astimezone(BEIJING).replace(tzinfo=None)
        with partner.line(writes=True) as connection:
            if can_state(connection, places):
                name = f"{system}.{table}"
                written[name] = write_statement(connection, places, statement, told)
    return written


async def keep_stating(
    books: Callable[[], Books], partners: Callable[[], Partners], clock: Callable[[], datetime]
) -> None:
    """Write each day's statements after it has ended, until cancelled. *books*, *partners*: as they
    are now; another release may have come meanwhile."""
    done: tuple[date, frozenset[str]] | None = None
    while True:
        day = stated(clock())
        ready = done[1] if done and done[0] == day else frozenset()
        try:
            ready |= await asyncio.to_thread(_round, books(), partners(), day, ready, clock())
        except HubError as error:
            log.warning("statements.waiting", code=error.code)
        done = (day, ready)
        await asyncio.sleep(EVERY_S)


def _round(
    books: Books, partners: Partners, day: date, ready: frozenset[str], at: datetime
) -> frozenset[str]:
    """State all systems but *ready*; which of them are done now."""
    found: set[str] = set()
    legs = [leg for leg in legs_of(books.plan) if leg.table and leg.system not in ready]
    for system in sorted({leg.system for leg in legs}):
        try:
            tables = partners(system).tables
            mine = [
                leg
                for leg in legs
                if leg.system == system
                and leg.table in tables
                and tables[leg.table].described.standard
            ]
            reports = reconciled(books, partners, day, mine)
            lines = write_statements(reports, partners, at)
        except HubError as error:
            # Away; or another process has written the same line: the next round sees.
            log.warning("statements.waiting", system=system, code=error.code)
            continue
        _tell(reports)
        log.info("statements.written", system=system, lines=sum(lines.values()))
        if not any(each.error for each in reports):
            found.add(system)
    return frozenset(found)


def _tell(reports: Sequence[LegReport]) -> None:
    """Somebody must look at what does not agree."""
    for report in reports:
        if not report.agrees:
            log.warning(
                "reconcile.differs",
                system=report.leg.system,
                table=report.leg.table,
                day=report.day.isoformat(),
                differences=len(report.differences),
                code=report.error,
            )


def _together(sides: Sequence[Sums]) -> Figures:
    keys = sum(int(each.keys or "0", 16) for each in sides) % MODULUS
    content = sum(int(each.content or "0", 16) for each in sides) % MODULUS
    return Figures(sum(each.count for each in sides), f"{keys:016x}", f"{content:016x}")
