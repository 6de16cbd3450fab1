"""Applications as the API and the pages show them: masked, in words, with every item in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from services.one_thing.rules import view
from services.one_thing.tables import applications, items
from services.one_thing.timeline import timeline

__all__ = ["application", "by_state", "newest"]

MOST_ROWS = 200


def newest(connection: Connection, *, state: str = "", limit: int = 50) -> list[dict[str, Any]]:
    """The applications changed last, each with its items."""
    query = select(applications).order_by(applications.c.updated_at.desc())
    query = query.where(applications.c.state == state) if state else query
    found = connection.execute(query.limit(min(limit, MOST_ROWS))).mappings().all()
    by_number = _items(connection, [row["number"] for row in found])
    return [_shown(row, by_number.get(row["number"], [])) for row in found]


def application(connection: Connection, number: str) -> dict[str, Any] | None:
    """One application with all that was reported of its items; None where there is none."""
    row = (
        connection.execute(select(applications).where(applications.c.number == number))
        .mappings()
        .first()
    )
    if row is None:
        return None
    found = _items(connection, [number]).get(number, [])
    shown = _shown(row, found)
    for item, each in zip(shown["items"], found, strict=True):
        item["timeline"] = timeline(each["facts"])
    return shown


def by_state(connection: Connection) -> dict[str, int]:
    query = select(applications.c.state, func.count()).group_by(applications.c.state)
    return {row[0]: row[1] for row in connection.execute(query)}


def _items(connection: Connection, numbers: Sequence[str]) -> dict[str, list[Mapping[str, Any]]]:
    query = select(items).where(items.c.application.in_(numbers)).order_by(items.c.number)
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in connection.execute(query).mappings():
        found.setdefault(row["application"], []).append(dict(row))
    return found


def _shown(row: Mapping[Any, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "number": row["number"],
        "theme": row["theme"],
        "applicant": row["applicant_masked"],
        "region": row["region"],
        "apply_time": row["apply_time"],
        "delivery_mode": row["delivery_mode"],
        "state": row["state"],
        "version": row["version"],
        "updated_at": row["updated_at"],
        "items": [_item(each) for each in rows],
    }


def _item(row: Mapping[str, Any]) -> dict[str, Any]:
    seen = view(dict(row["facts"]))
    facts = row["facts"]
    return {
        "case_no": row["case_no"],
        "number": row["number"],
        "name": row["task_name"],
        "org": row["org"],
        "state": seen.state,
        "result_code": seen.result_code,
        "licence_number": seen.licence_number,
        "dispatch_state": seen.dispatch_state,
        "refusal": facts.get("acceptance", {}).get("refusalReason", ""),
    }
