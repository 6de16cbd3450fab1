"""A partner's exchange tables as the command line meets them: of a system, or of a resource.

Form       a system's tables are those of its profile; a resource's are the standard ones, in the
           database that ``--url`` names
Careful    an address holds a password: it is never printed, and may stand in the environment
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pydantic import ValidationError
from sqlalchemy import Connection, Engine, MetaData

from catalog.model import Catalogue, Resource
from connectors.front_library import BEIJING, Settings
from front_db.beside import Beside, beside
from front_db.contract import ExchangeTable, Keeps
from front_db.database import Limits, make_engine
from front_db.ddl import sql_table
from front_db.derived import in_table, out_table
from front_db.modes import BinlogMode, StateMode
from front_db.profile import ReadTable
from front_db.readers import by_state
from front_db.selfcheck import Checked
from front_db.troubles import translated
from schemas.errors import Misconfigured
from shuniu.addresses import resolved
from shuniu.clock import now
from shuniu.instance import Instance
from shuniu.site import read_site

__all__ = ["Target", "in_one", "standard_tables", "target_of"]

T = TypeVar("T")
LIMITS = Limits(connect_s=5, lock_s=5, call_s=60, connections=1)


@dataclass(frozen=True, slots=True)
class Target:
    """A database and its exchange tables. *url* is secret; *reads*: of a system's profile."""

    url: str
    tables: Sequence[Checked]
    beside: Beside
    reads: Sequence[ReadTable] = ()

    def __repr__(self) -> str:
        return "Target(…)"

    @property
    def at(self) -> datetime:
        """Beijing time without zone."""
        return now().astimezone(BEIJING).replace(tzinfo=None)


def standard_tables(
    catalogue: Catalogue, names: Sequence[str], keeps: Keeps, sides: str
) -> list[ExchangeTable]:
    """The exchange tables of resources. *sides*: ``out``, ``in`` or ``both``, as the partner sees it."""
    made: list[ExchangeTable] = []
    for name in names:
        resource: Resource | None = catalogue.resources.get(name)
        if resource is None:
            raise Misconfigured("catalog.unknown-resource", "No such resource", resource=name)
        if sides in {"out", "both"}:
            made.append(out_table(resource, catalogue, keeps=keeps))
        if sides in {"in", "both"}:
            made.append(in_table(resource, catalogue, keeps=keeps))
    return made


def target_of(
    instance: Instance, *, system: str, resources: Sequence[str], keeps: Keeps, sides: str, url: str
) -> Target:
    """Raises `Misconfigured` where neither names a database, or the profile is none of tables."""
    declared = read_site(instance.settings.site)
    metadata = MetaData()
    url = resolved(url, instance.addresses, instance.secrets, instance.settings.site)
    if system:
        profile = declared.systems.get(system)
        if profile is None or profile.connector != "front-library":
            raise Misconfigured("front-db.no-tables", "No exchange tables", system=system)
        told = resolved(
            profile.settings, instance.addresses, instance.secrets, instance.settings.site
        )
        try:
            settings = Settings.model_validate(told)
        except ValidationError as error:
            raise Misconfigured("front-db.no-tables", "No profile", system=system) from error
        reads = {each.table: each.capture for each in settings.reads}
        tables = [
            Checked(
                each,
                sql_table(each, metadata),
                written=each.name not in reads,
                marked=by_state(reads.get(each.name, StateMode())),
                logged=isinstance(reads.get(each.name), BinlogMode),
            )
            for each in settings.tables
        ]
        address = url or settings.url.get_secret_value()
        return Target(address, tables, beside(metadata), settings.reads)
    if not (resources and url):
        raise Misconfigured("front-db.no-target", "Neither system nor database is named")
    found = standard_tables(declared.catalogue, resources, keeps, sides)
    tables = [
        Checked(each, sql_table(each, metadata), written=each.name.startswith("i_"))
        for each in found
    ]
    return Target(url, tables, beside(metadata))


@contextmanager
def _engine(target: Target) -> Iterator[Engine]:
    with translated():
        engine = make_engine(target.url, LIMITS)
        try:
            yield engine
        finally:
            engine.dispose()


def in_one(target: Target, work: Callable[[Connection], T]) -> T:
    """Do *work* in one transaction; raises one of the three kinds."""
    with (
        _engine(target) as engine,
        engine.connect() as plain,
        plain.execution_options(shuniu_write=True) as connection,
        connection.begin(),
    ):
        return work(connection)
