"""All legs of a day compared: which there are, and each partner's database asked once.

Promises   a partner that is away is told as that, and keeps no other from being compared
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from pydantic import ValidationError
from sqlalchemy import Connection, MetaData

from connectors.front_library import Settings
from front_db.database import Limits, make_engine
from front_db.ddl import sql_table
from front_db.modes import StateMode
from front_db.readers import by_state
from front_db.troubles import translated
from hub.day import tallied
from hub.plan import Plan
from routes.model import SystemDeclaration
from schemas.errors import HubError, Misconfigured
from shuniu.addresses import resolved
from shuniu.instance import Instance
from shuniu.reconcile.books import Books, Tables
from shuniu.reconcile.receiver import check_receiver, silent
from shuniu.reconcile.report import Leg, LegReport, Sums, day_span
from shuniu.reconcile.sender import check_sender
from shuniu.reconcile.unmarked import check_unmarked

__all__ = ["Partner", "Partners", "check_leg", "legs_of", "partner_of", "reconciled"]

CONNECTOR = "front-library"
# A day of a large table is added up in one statement.
LIMITS = Limits(connect_s=5, lock_s=5, call_s=300, connections=1)


@dataclass(frozen=True, slots=True)
class Partner:
    """A database and its tables, by name. *url* is secret."""

    url: str
    tables: Mapping[str, Tables]
    metadata: MetaData

    def __repr__(self) -> str:
        return "Partner(…)"

    @contextmanager
    def line(self, *, writes: bool = False) -> Iterator[Connection]:
        """One transaction. Raises one of the three kinds."""
        with translated():
            engine = make_engine(self.url, LIMITS)
            try:
                with engine.connect() as plain:
                    connection = plain.execution_options(shuniu_write=writes)
                    with connection.begin():
                        yield connection
            finally:
                engine.dispose()


class Partners(Protocol):
    """Finds the database of a system."""

    def __call__(self, system: str) -> Partner: ...


def partner_of(instance: Instance, plan: Plan, system: str) -> Partner:
    """Raises `Misconfigured` where the profile names no database."""
    declared = plan.declarations.systems[system]
    told = resolved(declared.settings, instance.addresses, instance.secrets, instance.settings.site)
    try:
        settings = Settings.model_validate(told)
    except ValidationError as error:
        raise Misconfigured("front-db.no-tables", "No profile", system=system) from error
    metadata = MetaData()
    results: dict[str, list[str]] = {}
    for each in settings.results:
        results.setdefault(each.table, []).append(each.kind)
    captures = {each.table: each.capture for each in settings.reads}
    tables = {
        each.name: Tables(
            each,
            sql_table(each, metadata),
            tuple(results.get(each.name, ())),
            captures.get(each.name, StateMode()),
        )
        for each in settings.tables
    }
    return Partner(settings.url.get_secret_value(), tables, metadata)


def legs_of(plan: Plan, *, system: str = "", resource: str = "") -> list[Leg]:
    """Every leg there is: a sender's tables, then the routes; of one system or resource."""
    legs: list[Leg] = []
    for code, declared in sorted(plan.declarations.systems.items()):
        legs += _sent(plan, code, declared)
    for route in sorted(plan.routes.values(), key=lambda each: each.name):
        resources = tuple(sorted({each.partition(".")[0] for each in route.bindings}))
        has_table = plan.declarations.systems[route.system].connector == CONNECTOR
        table = route.call if has_table else ""
        legs.append(Leg(route.system, "to", resources, table=table, route=route.name))
    return [
        each
        for each in legs
        if (not system or each.system == system) and (not resource or resource in each.resources)
    ]


def _sent(plan: Plan, code: str, declared: SystemDeclaration) -> Iterator[Leg]:
    reads = declared.settings.get("reads", ()) if declared.connector == CONNECTOR else ()
    for each in reads if isinstance(reads, list | tuple) else ():
        # Where columns of its own make a record, no row can be told from the record's key.
        if not isinstance(each, Mapping) or each.get("key"):
            continue
        kind, table = str(each.get("kind", "")), str(each.get("table", ""))
        intake = plan.intakes.get((code, kind))
        if intake is not None:
            yield Leg(code, "from", tuple(sorted(intake.resources)), table=table, kind=kind)


def reconciled(books: Books, partners: Partners, day: date, legs: Sequence[Leg]) -> list[LegReport]:
    """Compare *legs* on *day*, one after another."""
    return [check_leg(books, partners, day, leg) for leg in legs]


def check_leg(books: Books, partners: Partners, day: date, leg: Leg) -> LegReport:
    """Compare one; what goes wrong is its error."""
    report = LegReport(leg=leg, day=day, hub=Sums(0))
    try:
        if not leg.table:
            _tally(books, report)
            return report
        partner = partners(leg.system)
        tables = partner.tables.get(leg.table)
        if tables is None:
            raise Misconfigured("target.unknown-table", "No such table", table=leg.table)
        if leg.direction == "to":
            check = check_receiver
        else:
            check = check_sender if by_state(tables.capture) else check_unmarked
        with partner.line() as connection:
            check(books, leg, tables, connection, report)
    except HubError as error:
        report.error, report.facts = error.code, error.facts
    return report


def _tally(books: Books, report: LegReport) -> None:
    """A receiver that has no table is compared by its receipts."""
    route = books.plan.routes[report.leg.route]
    since, until = day_span(report.day)
    counts, lost = books.store.read_now(
        lambda c: tallied(c, route.bindings, route.name, since, until)
    )
    report.counts = {outcome.value: many for outcome, many in counts.items()}
    report.hub = Sums(sum(counts.values()))
    silent(books, route.name, lost, report)
