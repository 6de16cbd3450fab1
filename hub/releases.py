"""Releases: one immutable set of declarations each, and which of them is live.

A release is the texts of a site's files. The database keeps them all; going back is applying the
texts of an older one under a new number, so that numbers only grow.

Promises   a release is written and made live in one transaction, or not at all; two that are applied
           together get one number each, and both are kept
Careful    a route that begins or ceases to keep an order has a second queue; the one it had is worked
           off as the last release with it said
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, delete, insert, select, text, update

from catalog.read import read_catalogue
from hub.plan import Plan, compile_plan
from hub.store import insert_once
from hub.store.tables import processes, release_state, releases, route_queues
from hub.topology import ORDERED, route_queue
from routes.site import read_declarations
from schemas.errors import Misconfigured

__all__ = [
    "QueueRow",
    "Release",
    "apply",
    "digest_of",
    "forget_queue",
    "listed",
    "live_number",
    "loaded",
    "locked",
    "plan_of",
    "queue_rows",
    "report",
    "running_processes",
]

CATALOGUE = ("elements", "codes", "resources", "earlier")
LOCK = zlib.crc32(b"shuniu releases")


@dataclass(frozen=True, slots=True)
class Release:
    """*texts*: path below the site to YAML."""

    number: int
    digest: str
    at: datetime
    by: str
    note: str
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A queue of a route: what it was ever bound to, and the last release that declares it."""

    route: str
    in_order: bool
    types: tuple[str, ...]
    release: int

    @property
    def queue(self) -> str:
        return route_queue(self.route, in_order=self.in_order)


def digest_of(texts: Mapping[str, str]) -> str:
    return hashlib.sha256(_packed(texts)).hexdigest()


def plan_of(texts: Mapping[str, str]) -> Plan:
    """Raises `InvalidDeclaration` with every problem, `Misconfigured` where it does not compile."""
    of_catalogue = {f: t for f, t in texts.items() if f.split("/")[0] in CATALOGUE}
    others = {f: t for f, t in texts.items() if f not in of_catalogue}
    return compile_plan(read_declarations(others, read_catalogue(of_catalogue)))


def apply(
    connection: Connection,
    texts: Mapping[str, str],
    plan: Plan,
    *,
    at: datetime,
    by: str,
    note: str = "",
    only_first: bool = False,
) -> int:
    """Keep *texts*, of which *plan* was compiled, as a new release and make it live. Returns its
    number; *only_first*: that of the live one, unchanged, where there is one."""
    locked(connection)
    live = live_number(connection)
    if only_first and live is not None:
        return live
    number = (live or 0) + 1
    row = {"number": number, "digest": digest_of(texts), "at": at, "by": by[:64]}
    packed = zlib.compress(_packed(texts))
    connection.execute(insert(releases), row | {"note": note[:512], "texts": packed})
    _register(connection, plan, number)
    if live is None:
        connection.execute(insert(release_state), {"id": 1, "live": number})
    else:
        connection.execute(update(release_state).values(live=number))
    return number


def locked(connection: Connection) -> None:
    """Until the end of the transaction no release is applied by anybody else. In SQLite every
    transaction that writes is alone."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


def live_number(connection: Connection) -> int | None:
    """None before the first."""
    return connection.scalar(select(release_state.c.live))


def loaded(connection: Connection, number: int) -> Release:
    row = connection.execute(select(releases).where(releases.c.number == number)).mappings().first()
    if row is None:
        raise Misconfigured("release.unknown", "No such release", number=number)
    texts: dict[str, str] = json.loads(zlib.decompress(row["texts"]))
    return Release(number, row["digest"], row["at"], row["by"], row["note"], texts)


def listed(connection: Connection) -> Sequence[RowMapping]:
    """All, newest first, without their texts."""
    c = releases.c
    query = select(c.number, c.digest, c.at, c.by, c.note).order_by(c.number.desc())
    return connection.execute(query).mappings().all()


def queue_rows(connection: Connection) -> list[QueueRow]:
    return [
        QueueRow(row.route.removesuffix(ORDERED), row.in_order, tuple(row.types), row.release)
        for row in connection.execute(select(route_queues).order_by(route_queues.c.route))
    ]


def forget_queue(connection: Connection, row: QueueRow) -> None:
    """It is deleted."""
    mine = route_queues.c.route == f"{row.route}{ORDERED if row.in_order else ''}"
    connection.execute(delete(route_queues).where(mine))


def report(connection: Connection, process: str, release: int, code: str, at: datetime) -> None:
    """Note that *process* runs *release*; *code*: why it runs no newer one."""
    row = {"id": process, "release": release, "code": code[:64], "at": at}
    connection.execute(insert_once(connection, processes), row)
    connection.execute(update(processes).where(processes.c.id == process).values(**row))


def running_processes(connection: Connection, since: datetime) -> Sequence[RowMapping]:
    """Those that reported *since*."""
    query = select(processes).where(processes.c.at >= since).order_by(processes.c.id)
    return connection.execute(query).mappings().all()


def _register(connection: Connection, plan: Plan, number: int) -> None:
    known = {(row.route, row.in_order): row for row in queue_rows(connection)}
    rows = []
    for route in plan.routes.values():
        before = known.get((route.name, route.in_order))
        types = sorted({*route.bindings, *(before.types if before else ())})
        rows.append(
            {
                "route": f"{route.name}{ORDERED if route.in_order else ''}",
                "in_order": route.in_order,
                "types": types,
                "release": number,
            }
        )
    if rows:
        names = [row["route"] for row in rows]
        connection.execute(delete(route_queues).where(route_queues.c.route.in_(names)))
        connection.execute(insert(route_queues), rows)


def _packed(texts: Mapping[str, str]) -> bytes:
    return json.dumps(dict(texts), ensure_ascii=False, sort_keys=True).encode()
