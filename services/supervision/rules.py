"""Which card (牌) a case deserves today. Pure; each card says by which rule and which calendar.

Standard   R-B3.3: near or past the promised limit yellow and red, past the statutory limit black;
           instant cases that take a working day; acceptance within five working days (article 32)
Not here   what is known of a case: `services.supervision.case`; the counting: `.clock`
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from pydantic import Field

from schemas.calendar import Calendar
from schemas.declarations import Declared
from services.supervision.case import CaseFacts, doubt
from services.supervision.clock import Limit, deadline, elapsed, is_near, is_over, paused

__all__ = ["COLOURS", "Card", "SupervisionRules", "cards"]

COLOURS = ("yellow", "red", "black")


class SupervisionRules(Declared):
    """Thresholds, as data; ``rules/supervision.yaml``."""

    rules: str
    version: int = Field(ge=1)
    accept_within_days: int = Field(ge=1, description="Working days to decide on acceptance.")
    yellow_before_days: int = Field(ge=0, description="Working days before the promised limit.")
    instant_days: int = Field(
        ge=1, description="Working days from which an instant case is warned."
    )


@dataclass(frozen=True, slots=True)
class Card:
    """*rule* with its version, and what it was reckoned from."""

    colour: str
    rule: str
    facts: dict[str, str | int] = field(default_factory=dict)


def cards(
    case: CaseFacts, today: date, rules: SupervisionRules, calendar: Calendar
) -> tuple[Card, ...]:
    """
    The cards *case* deserves, the gravest first. A finished case is judged at its end.

    Raises `Misconfigured` (``calendar.year-missing``) where the days to count are not declared.
    """
    if doubt(case):
        return ()
    judge = _Judge(case, today, rules, calendar)
    found = [*judge.handling(), *judge.acceptance()]
    return tuple(sorted(found, key=lambda card: COLOURS.index(card.colour), reverse=True))


@dataclass(frozen=True, slots=True)
class _Judge:
    case: CaseFacts
    today: date
    rules: SupervisionRules
    calendar: Calendar

    def acceptance(self) -> Iterator[Card]:
        """Too late in accepting, refusing or asking for a supplement; a full reply starts anew."""
        start, most = self.case.applied, self.rules.accept_within_days
        decided = self.case.decided
        if start is None:
            return
        before = [p for p in self.case.supplements if decided is None or p.start <= decided]
        for pause in [*before, None]:
            until = pause.start if pause else decided or self.today
            waited = elapsed(start, until, (), self.calendar)
            if waited > most:
                yield self._card("red", "accept-in-time", {"days": waited, "limit": most})
                return
            if pause is None or pause.end is None:
                return
            start = pause.end

    def handling(self) -> Iterator[Card]:
        case = self.case
        if case.accepted is None:
            return
        until = case.finished or self.today
        if card := self._overdue(case.accepted, until):
            yield card
        if case.instant:
            taken = elapsed(case.accepted, until, case.pauses, self.calendar)
            if taken >= self.rules.instant_days:
                yield self._card("yellow", "instant", {"days": taken})

    def _overdue(self, accepted: date, until: date) -> Card | None:
        case, calendar = self.case, self.calendar
        if case.promise is None or case.statutory is None:
            return None
        if is_over(accepted, case.statutory, case.pauses, until, calendar):
            return self._limited("black", "statutory", accepted, until, case.statutory)
        if is_over(accepted, case.promise, case.pauses, until, calendar):
            return self._limited("red", "promised", accepted, until, case.promise)
        # An instant case is warned by a rule of its own; near the limit it always is.
        if case.finished or case.instant:
            return None
        days = self.rules.yellow_before_days
        if is_near(accepted, case.promise, case.pauses, until, calendar, days=days):
            return self._limited("yellow", "near", accepted, until, case.promise)
        return None

    def _limited(self, colour: str, rule: str, start: date, until: date, limit: Limit) -> Card:
        pauses, calendar = self.case.pauses, self.calendar
        facts: dict[str, str | int] = {
            "days": elapsed(start, until, pauses, calendar),
            "paused": paused(pauses, start, until, calendar),
            "limit": limit.count,
            "unit": limit.unit,
            "extended": limit.extended,
            "deadline": deadline(start, limit, pauses, until, calendar).isoformat(),
        }
        return self._card(colour, rule, facts)

    def _card(self, colour: str, rule: str, facts: dict[str, str | int]) -> Card:
        told = {**facts, "calendar": self.calendar.version}
        return Card(colour, f"{self.rules.rules}.{rule}/{self.rules.version}", told)
