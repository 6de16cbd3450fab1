"""Rows of applications and grants, read and written.

Promises   as with versions, a step is kept only if it was taken from where things stand
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, text, update

from catalog.lifecycle.grants import Application, Asked, Stage
from catalog.lifecycle.kept import Grant
from hub.store.catalogue import catalogue_applications, catalogue_grants
from schemas.calendar import beijing_day
from schemas.errors import Rejected

__all__ = [
    "application",
    "applications",
    "grant",
    "grants",
    "move_application",
    "move_grant",
    "new_number",
    "put_application",
    "put_grant",
]

LOCK = zlib.crc32(b"shuniu applications")
a, g = catalogue_applications.c, catalogue_grants.c


def new_number(connection: Connection, at: datetime) -> str:
    """The next of this year: ``A2026-000001``."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    head = f"A{beijing_day(at).year}-"
    last = connection.scalar(select(func.max(a.number)).where(a.number.startswith(head)))
    return f"{head}{int(last.removeprefix(head)) + 1 if last else 1:06}"


def put_application(connection: Connection, made: Application) -> None:
    connection.execute(insert(catalogue_applications), _application_row(made))


def move_application(connection: Connection, before: Application, after: Application) -> None:
    done = connection.execute(
        update(catalogue_applications)
        .where(a.number == before.number, a.state == before.stage.value, a.since == before.since)
        .values(**_application_row(after))
    )
    if done.rowcount != 1:
        raise Rejected("lifecycle.state", "Somebody was faster", state=before.stage.value)


def application(connection: Connection, number: str) -> Application:
    """Raises `Rejected` (``grant.unknown``)."""
    query = select(catalogue_applications).where(a.number == number)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise Rejected("grant.unknown", "No such application", number=number)
    return _application(row)


def applications(
    connection: Connection, *, stages: Sequence[Stage] = (), resource: str = ""
) -> list[Application]:
    """The newest first."""
    query = select(catalogue_applications).order_by(a.number.desc())
    if stages:
        query = query.where(a.state.in_([stage.value for stage in stages]))
    if resource:
        query = query.where(a.resource == resource)
    return [_application(row) for row in connection.execute(query).mappings()]


def put_grant(connection: Connection, made: Grant) -> None:
    connection.execute(insert(catalogue_grants), _grant_row(made))


def move_grant(connection: Connection, before: Grant, after: Grant) -> None:
    done = connection.execute(
        update(catalogue_grants)
        .where(g.number == before.number, g.state == before.state)
        .values(**_grant_row(after))
    )
    if done.rowcount != 1:
        raise Rejected("grant.over", "Somebody was faster", number=before.number)


def grant(connection: Connection, number: str) -> Grant:
    """Raises `Rejected` (``grant.unknown``)."""
    query = select(catalogue_grants).where(g.number == number)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise Rejected("grant.unknown", "No such grant", number=number)
    return _grant(row)


def grants(connection: Connection, *, state: str = "", resource: str = "") -> list[Grant]:
    """Those that end first come first."""
    query = select(catalogue_grants).order_by(g.ends, g.number)
    if state:
        query = query.where(g.state == state)
    if resource:
        query = query.where(g.resource == resource)
    return [_grant(row) for row in connection.execute(query).mappings()]


def _application(row: RowMapping) -> Application:
    told = dict(row["asked"])
    asked = Asked(
        resource=row["resource"],
        system=row["system"],
        call=told["call"],
        purpose=told["purpose"],
        legal_basis=told["legal_basis"],
        items=tuple(told["items"]),
        way=told["way"],
        until=date.fromisoformat(told["until"]),
        per_day=told["per_day"],
    )
    return Application(
        row["number"],
        row["unit"],
        row["provider"],
        Stage(row["state"]),
        row["since"],
        row["submitted_by"],
        asked,
    )


def _application_row(made: Application) -> dict[str, Any]:
    asked = made.asked
    return {
        "number": made.number,
        "resource": asked.resource,
        "system": asked.system,
        "unit": made.unit,
        "provider": made.provider,
        "state": made.stage.value,
        "since": made.since,
        "submitted_by": made.submitted_by[:64],
        "asked": {
            "call": asked.call,
            "purpose": asked.purpose,
            "legal_basis": asked.legal_basis,
            "items": list(asked.items),
            "way": asked.way,
            "until": asked.until.isoformat(),
            "per_day": asked.per_day,
        },
    }


_GRANT = tuple(Grant.__dataclass_fields__)


def _grant(row: RowMapping) -> Grant:
    return Grant(**{name: row[name] for name in _GRANT} | {"items": tuple(row["items"])})


def _grant_row(made: Grant) -> dict[str, Any]:
    return {name: getattr(made, name) for name in _GRANT} | {"items": list(made.items)}
