"""Cases and cards, read and written many at a time: a statement for each kind, whatever their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from services.supervision.case import Kept
from services.supervision.rules import Card
from services.supervision.tables import cards, cases

__all__ = ["Judged", "held", "keep"]


@dataclass(frozen=True, slots=True)
class Judged:
    """A case, all that is kept of it, and the card it deserves now."""

    case_no: str
    kept: Kept
    is_open: bool
    card: Card | None


def held(connection: Connection, numbers: Sequence[str]) -> dict[str, Kept]:
    """What is kept of the cases *numbers* (sorted), held until the end of the transaction; rows are
    made where there are none yet."""
    made = sqlite if connection.dialect.name == "sqlite" else postgresql
    empty = [{"case_no": number, "kept": {}, "open": 1} for number in numbers]
    connection.execute(made.insert(cases).on_conflict_do_nothing(), empty)
    query = select(cases.c.case_no, cases.c.kept).where(cases.c.case_no.in_(numbers))
    rows = connection.execute(query.order_by(cases.c.case_no).with_for_update())
    return {row.case_no: dict(row.kept) for row in rows}


def keep(connection: Connection, judged: Sequence[Judged], *, by: str, now: datetime) -> int:
    """Write the cases *judged*, whose rows are held, and make their cards what they deserve.
    Returns how many cards came, went or changed. *by* names what they were judged by."""
    if not judged:
        return 0
    _keep_cases(connection, judged, by)
    numbers = [case.case_no for case in judged]
    found = select(cards.c.case_no, cards.c.rule).where(cards.c.case_no.in_(numbers))
    known = {row.case_no: row.rule for row in connection.execute(found)}
    wanted = {case.case_no: _row(case, case.card) for case in judged if case.card}
    same = {number for number, row in wanted.items() if known.get(number) == row["rule"]}
    if gone := [number for number in known if number not in same]:
        connection.execute(delete(cards).where(cards.c.case_no.in_(gone)))
    if same:
        _refresh(connection, [wanted[number] for number in sorted(same)])
    since = now.astimezone(UTC).isoformat()
    if new := [{**row, "since": since} for number, row in wanted.items() if number not in same]:
        connection.execute(insert(cards), new)
    return len({*gone, *wanted} - same)


def _keep_cases(connection: Connection, judged: Sequence[Judged], by: str) -> None:
    statement = (
        update(cases)
        .where(cases.c.case_no == bindparam("of"))
        .values(kept=bindparam("now_kept"), open=bindparam("now_open"), judged=by)
    )
    rows = [
        {"of": case.case_no, "now_kept": case.kept, "now_open": int(case.is_open)}
        for case in judged
    ]
    connection.execute(statement, rows)


def _refresh(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """The same card, told by what is known now; it stays as old as it is."""
    told: dict[str, Any] = {name: bindparam(f"now_{name}") for name in rows[0] if name != "case_no"}
    statement = update(cards).where(cards.c.case_no == bindparam("of")).values(**told)
    values = [
        {"of" if name == "case_no" else f"now_{name}": value for name, value in row.items()}
        for row in rows
    ]
    connection.execute(statement, values)


def _row(case: Judged, card: Card) -> dict[str, Any]:
    described = case.kept.get("case", {})
    return {
        "case_no": case.case_no,
        "colour": card.colour,
        "rule": card.rule,
        "facts": card.facts,
        "task_name": described.get("taskName") or "",
        "org": described.get("handlingOrgName") or "",
        "region": described.get("regionCode") or "",
    }
