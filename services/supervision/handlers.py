"""Supervision as a subscriber: each message may change its case's card; time alone may, too.

Promises   the gravest card of a case is kept, with the moment it was first deserved
Careful    a year without a calendar stops the judging, loudly: messages wait in the failure store
           until the year has been declared, and nothing of them is lost
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import structlog
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.streams import Subscriber
from schemas.message import Message, Publication, ResourceName
from services.supervision.calendar import Calendar
from services.supervision.case import CaseFacts, doubt, facts_of, merged
from services.supervision.rules import Card, SupervisionRules, cards
from services.supervision.tables import cards as card_rows
from services.supervision.tables import cases

__all__ = ["FOLLOWS", "NAME", "Supervisor"]

NAME = "supervision"
FOLLOWS = (
    "itemCase",
    "caseAcceptance",
    "caseSupplement",
    "caseSpecialProcedure",
    "caseResult",
)
BEIJING = timezone(timedelta(hours=8))
SWEEP_ROWS = 5000
LONGEST_JUDGED = 200
log = structlog.get_logger("supervision")


class Supervisor:
    """Keeps the cards of all cases, by *rules* and *calendar*."""

    def __init__(self, rules: SupervisionRules, calendar: Calendar) -> None:
        self._rules, self._calendar = rules, calendar

    @property
    def subscriber(self) -> Subscriber:
        return Subscriber(name=NAME, resources=tuple(map(ResourceName, FOLLOWS)), handle=self.take)

    def take(
        self, connection: Connection, message: Message, now: datetime
    ) -> Sequence[Publication]:
        """A `hub.streams.Handler`; publishes nothing."""
        case_no = str(message.body["caseNo"])
        made = sqlite if connection.dialect.name == "sqlite" else postgresql
        empty = {"case_no": case_no, "kept": {}, "open": 1}
        connection.execute(made.insert(cases).on_conflict_do_nothing(), empty)
        row = connection.execute(
            select(cases).where(cases.c.case_no == case_no).with_for_update()
        ).one()
        kept = merged(dict(row.kept), message.resource, message.body)
        case = facts_of(kept)
        if (why := doubt(case)) and why != doubt(facts_of(dict(row.kept))):
            log.warning("case.doubted", case=case_no, code=why)
        self._judge(connection, case_no, kept, case, now)
        return ()

    def sweep(self, connection: Connection, now: datetime) -> int:
        """
        Judge open cases that were not yet judged today, by these rules and this calendar.

        Takes up to `SWEEP_ROWS` cases; called again it goes on with the rest. Returns how many
        cards came, went or changed. A case that is just being changed is left to its message.
        """
        judged = self._judged(now)
        query = (
            select(cases.c.case_no, cases.c.kept)
            .where(cases.c.open == 1, cases.c.judged != judged)
            .order_by(cases.c.judged, cases.c.case_no)
            .limit(SWEEP_ROWS)
            .with_for_update(skip_locked=True)
        )
        changed = 0
        for case_no, kept in connection.execute(query).all():
            changed += self._judge(connection, case_no, kept, facts_of(kept), now)
        return changed

    def _judged(self, now: datetime) -> str:
        """What a judgement depends on, besides the case."""
        today = now.astimezone(BEIJING).date().isoformat()
        rules = f"{self._rules.rules}/{self._rules.version}"
        return f"{today} {rules} {self._calendar.version}"[:LONGEST_JUDGED]

    def _judge(
        self,
        connection: Connection,
        case_no: str,
        kept: dict[str, Any],
        case: CaseFacts,
        now: datetime,
    ) -> bool:
        today = now.astimezone(BEIJING).date()
        given = cards(case, today, self._rules, self._calendar)
        here = cases.c.case_no == case_no
        values = {"kept": kept, "open": int(case.is_open), "judged": self._judged(now)}
        connection.execute(update(cases).where(here).values(**values))
        return _keep(connection, case_no, given[0] if given else None, kept.get("case", {}), now)


def _keep(
    connection: Connection,
    case_no: str,
    card: Card | None,
    described: dict[str, Any],
    now: datetime,
) -> bool:
    """Make *card* the card of its case; True where it is another one than before."""
    mine = card_rows.c.case_no == case_no
    known = connection.execute(select(card_rows).where(mine)).first()
    if card is None:
        if known is not None:
            connection.execute(delete(card_rows).where(mine))
        return known is not None
    row = {
        "case_no": case_no,
        "colour": card.colour,
        "rule": card.rule,
        "facts": card.facts,
        "task_name": described.get("taskName") or "",
        "org": described.get("handlingOrgName") or "",
        "region": described.get("regionCode") or "",
    }
    if known is not None and known.rule == card.rule:
        connection.execute(update(card_rows).where(mine).values(**row))
        return False
    connection.execute(delete(card_rows).where(mine))
    since = now.astimezone(UTC).isoformat()
    connection.execute(insert(card_rows), {**row, "since": since})
    return True
