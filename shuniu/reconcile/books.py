"""The hub's books as a reconciliation reads them: records, declarations, and what may be shown.

Promises   memory is bounded by a page; bodies are opened one page at a time
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import RowMapping, Table
from sqlalchemy.sql.elements import ColumnElement

from catalog.derive.mask import mask_wholly
from front_db.contract import ExchangeTable
from front_db.modes import CaptureMode, StateMode
from hub import day as records
from hub.crypto import Seal
from hub.day import Told
from hub.plan import Plan
from hub.store import Store
from routes.route import CompiledRoute
from schemas.calendar import BEIJING
from schemas.message import Message

__all__ = ["Books", "Tables"]

PAGE = 500


@dataclass(frozen=True, slots=True)
class Tables:
    """One table of a partner. *results*: kinds of records in which its reader answers; *capture*: how its
    changes are noticed, where we read it."""

    described: ExchangeTable
    table: Table
    results: Sequence[str] = ()
    capture: CaptureMode = StateMode()  # noqa: RUF009 - frozen

    def between(
        self, column: str, since: datetime, until: datetime
    ) -> tuple[ColumnElement[bool], ...]:
        """The rows whose stamp in *column* falls into the span, in the partner's form."""
        control, found = self.described.control, self.table.c[column]
        first, last = (each.astimezone(BEIJING).replace(tzinfo=None) for each in (since, until))
        form = control.written_at_format if column == control.written_at else None
        if form:
            return found >= first.strftime(form), found < last.strftime(form)
        return found >= first, found < last


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """
    *idle*: routes whose queue is empty; *grace*: what is younger is under way; *most*: so many
    differences are named of a leg. *at*: now, aware.
    """

    store: Store
    seal: Seal
    plan: Plan
    at: datetime
    idle: Collection[str] = frozenset()
    grace: timedelta = timedelta(minutes=5)
    most: int = 1000

    def page(
        self,
        route: CompiledRoute,
        since: datetime,
        until: datetime,
        after: tuple[datetime, int] | None,
    ) -> tuple[Sequence[RowMapping], Mapping[str, Told]]:
        """Messages that *route* takes, and how far each of them is."""
        rows = self.store.read_now(
            lambda c: records.messages(c, route.bindings, since, until, after=after, limit=PAGE)
        )
        ids = [row["message_id"] for row in rows]
        return rows, self.store.read_now(lambda c: records.outcomes(c, ids, route.name))

    def message(self, row: RowMapping) -> Message | None:
        """None where its body is not kept any more."""
        found = records.opened(row, self.seal)
        return found[0] if found else None

    def subject(self, message: Message | None) -> str:
        """Whom or what *message* is about, masked where that is personal."""
        resource = self.plan.resources.get(message.resource) if message else None
        if message is None or resource is None:
            return ""
        mask = self.plan.masks.get(message.resource, mask_wholly)
        return str(mask(message.body).get(resource.subject, ""))

    def old_enough(self, ids: Sequence[str]) -> Iterator[str]:
        """Those that were given out before the grace began."""
        before = records.first_id(self.at - self.grace)
        return (each for each in ids if each < before)

    def answered(self, system: str, kinds: Sequence[str], row_ids: Sequence[str]) -> frozenset[str]:
        """Rows whose reader has told what became of them, in records of *kinds*."""
        found: set[str] = set()
        for kind in kinds:
            asked = partial(records.claimed_under, source=system, kind=kind, beginnings=row_ids)
            found |= self.store.read_now(asked).keys()
        return frozenset(found)
