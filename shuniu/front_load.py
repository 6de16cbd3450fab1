"""Loads by pages as the command line runs them: both profiles, the route between, the hub's journal.

Form       ``loads:`` in the profile of the system whose tables are filled
Careful    a load that reads by state takes what capture would take: of one table one of the two runs
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event

from pydantic import ValidationError
from sqlalchemy import Engine, MetaData

from connectors.front_library import BEIJING, Settings
from front_db.beside import beside
from front_db.bulk import Convert, Load, Place
from front_db.bulk_journal import LoadJournal
from front_db.bulk_plain import PlainSource
from front_db.bulk_postgres import PostgresSource
from front_db.bulk_run import Loaded, Loader
from front_db.database import Limits, make_engine
from front_db.ddl import sql_table
from front_db.loads import LoadFrom
from front_db.pace import PageSize
from front_db.parents import parents_first, references
from front_db.troubles import translated
from hub.convert import convert
from hub.crypto import sm3
from hub.envelope import Taken
from hub.ids import new_id, new_trace
from hub.plan import Plan
from schemas.errors import Misconfigured, Rejected
from schemas.message import Body, Json, Record, SystemCode
from shuniu.addresses import resolved
from shuniu.clock import now
from shuniu.instance import Instance, open_store
from shuniu.interpreter import tune_interpreter
from shuniu.site import read_site

__all__ = ["load_tables"]

LIMITS = Limits(connect_s=5, lock_s=10, call_s=600, connections=2)
Told = Callable[[str, Place], None]


def load_tables(
    instance: Instance, system: str, names: tuple[str, ...], told: Told
) -> Mapping[str, Loaded]:
    """
    Run the loads of *system* (those of *names*; none: all), tables that others refer to first.

    Raises one of the three kinds at the first that stops; what was journaled stays.
    """
    tune_interpreter()
    settings = _profile(instance, system)
    loads = {each.name: each for each in settings.loads}
    if unknown := set(names) - set(loads):
        raise Misconfigured(
            "front-db.no-load", "No such load", system=system, load=", ".join(sorted(unknown))
        )
    wanted = [loads[name] for name in names] or list(loads.values())
    if not wanted:
        raise Misconfigured("front-db.no-load", "No such load", system=system, load="")
    found: dict[str, Loaded] = {}
    with _open(settings) as target, translated():
        tables = list(dict.fromkeys(each.into for each in wanted))
        order = parents_first(tables, references(target, tables))
        for each in sorted(wanted, key=lambda load: order.index(load.into)):
            found[each.name] = _run(instance, system, settings, each, target, told)
    return found


def _run(
    instance: Instance, system: str, settings: Settings, each: LoadFrom, target: Engine, told: Told
) -> Loaded:
    other = _profile(instance, each.system)
    described = {table.name: table for table in other.tables}
    if each.table not in described:
        raise Misconfigured("front-db.no-tables", "No exchange tables", system=each.system)
    into = next(table for table in settings.tables if table.name == each.into)
    load = Load(
        each.name,
        described[each.table],
        into,
        each.take,
        _converting(instance, other, each) if each.route else None,
        each.untouched,
    )
    metadata, store = MetaData(), open_store(instance.settings)
    try:
        with _open(other) as source:
            postgres = source.dialect.name == "postgresql"
            loader = Loader(
                load,
                PostgresSource(source, load)
                if postgres
                else PlainSource(source, load, sql_table(load.source, metadata), beside(metadata)),
                target,
                sql_table(into, metadata),
                LoadJournal(store, each.system, system, now),
                sm3,
                lambda: now().astimezone(BEIJING).replace(tzinfo=None),
                PageSize(each.page_rows, rows=min(2_000, each.page_rows)),
                wait=_paced(each.rate_rows_s),
                told=lambda place: told(each.name, place),
            )
            return loader.run()
    finally:
        store.close()


def _paced(rate: int) -> Callable[[int], None]:
    """Lets pages begin no sooner than the rate allows."""
    free_at, pause = [time.monotonic()], Event()

    def wait(rows: int) -> None:
        if not rate:
            return
        at = time.monotonic()
        pause.wait(max(0.0, free_at[0] - at))
        free_at[0] = max(free_at[0], at) + rows / rate

    return wait


def _profile(instance: Instance, system: str) -> Settings:
    profile = read_site(instance.settings.site).systems.get(system)
    if profile is None or profile.connector != "front-library":
        raise Misconfigured("front-db.no-tables", "No exchange tables", system=system)
    told = resolved(profile.settings, instance.addresses, instance.secrets, instance.settings.site)
    try:
        return Settings.model_validate(told)
    except ValidationError as error:
        raise Misconfigured("front-db.no-tables", "No profile", system=system) from error


@contextmanager
def _open(settings: Settings) -> Iterator[Engine]:
    with translated():
        engine = make_engine(settings.url.get_secret_value(), LIMITS)
        try:
            yield engine
        finally:
            engine.dispose()


@dataclass(frozen=True, slots=True)
class _Converting:
    """A source row by way of its intake, its resource's validator and the route."""

    plan: Plan
    system: SystemCode
    kind: str
    route: str

    def __call__(self, row: Mapping[str, Json]) -> Body:
        at = now()
        record = Record(kind=self.kind, key="", body=dict(row))
        taken = Taken(
            id=new_id(at),
            system=self.system,
            received_at=at,
            traceparent=new_trace(),
            record=record,
        )
        route = self.plan.routes[self.route]
        messages = [
            each
            for each in convert(taken, self.plan).messages
            if {f"{each.resource}.{each.operation}", f"{each.resource}.*"} & set(route.bindings)
        ]
        payload = route.payload(messages[0]) if len(messages) == 1 else None
        if payload is None:
            # None of it goes here, or several: not a row for a row.
            raise Rejected("row.not-one", "The row is not one row of the target")
        return payload


def _converting(instance: Instance, other: Settings, each: LoadFrom) -> Convert:
    kind = next((read.kind for read in other.reads if read.table == each.table), "")
    plan = instance.plan()
    if not kind or each.route not in plan.routes:
        raise Misconfigured("front-db.no-load", "No such load", system=each.system, load=each.route)
    return _Converting(plan, SystemCode(each.system), kind, each.route)
