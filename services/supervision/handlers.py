"""Supervision as a subscriber: each message may change its case's card; time alone may, too.

Promises   the gravest card of a case is kept, with the moment it was first deserved
Careful    a year without a calendar stops the judging, loudly: messages wait in the failure store
           until the year has been declared, and nothing of them is lost
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone

import structlog
from sqlalchemy import Connection, select

from hub.streams import Subscriber
from schemas.calendar import Calendar
from schemas.message import Message, Publication, ResourceName
from services.supervision.case import Kept, doubt, facts_of, merged
from services.supervision.rows import Judged, held, keep
from services.supervision.rules import SupervisionRules, cards
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
        resources = tuple(map(ResourceName, FOLLOWS))
        return Subscriber(name=NAME, resources=resources, handle_all=self.take)

    def take(
        self, connection: Connection, messages: Sequence[Message], now: datetime
    ) -> Sequence[Sequence[Publication]]:
        """A `hub.streams.BatchHandler`; publishes nothing. A case is judged once, by all that is
        told of it."""
        numbers = [str(message.body["caseNo"]) for message in messages]
        known = held(connection, sorted(set(numbers)))
        kept = dict(known)
        for number, message in zip(numbers, messages, strict=True):
            kept[number] = merged(kept[number], message.resource, message.body)
        for number, facts in kept.items():
            why = doubt(facts_of(facts))
            if why and why != doubt(facts_of(known[number])):
                log.warning("case.doubted", case=number, code=why)
        self._judge(connection, kept, now)
        return [()] * len(messages)

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
        found = {row.case_no: row.kept for row in connection.execute(query)}
        return self._judge(connection, found, now)

    def _judged(self, now: datetime) -> str:
        """What a judgement depends on, besides the case."""
        today = now.astimezone(BEIJING).date().isoformat()
        rules = f"{self._rules.rules}/{self._rules.version}"
        return f"{today} {rules} {self._calendar.version}"[:LONGEST_JUDGED]

    def _judge(self, connection: Connection, kept: Mapping[str, Kept], now: datetime) -> int:
        """Give the cases *kept* their cards; how many came, went or changed."""
        today = now.astimezone(BEIJING).date()
        judged = []
        for case_no, told in kept.items():
            case = facts_of(told)
            given = cards(case, today, self._rules, self._calendar)
            card = given[0] if given else None
            judged.append(Judged(case_no, told, is_open=case.is_open, card=card))
        return keep(connection, judged, by=self._judged(now), now=now)
