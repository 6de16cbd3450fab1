"""The receiver's own receipts: what became of the rows that we left, as their reader says.

Form       the reader of an ``i_`` table sets the state to taken, then delivered (applied) or refused,
           with a code and a reason; each such end is told once, and again when it changes
Promises   `results` and `told` are apart: what was read and not marked comes again
Careful    the reader's words are its own, and may quote a citizen: they go to the sender, not to a log
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Table, and_, or_, select, update

from front_db.contract import ExchangeTable
from front_db.dialects import among
from front_db.moves import MOST_ROWS
from front_db.states import RowState

__all__ = ["Result", "mark_told", "results"]

ENDS = (RowState.DELIVERED, RowState.REFUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one row. *route*: its batch column; *at*: Beijing time without zone."""

    row_id: str
    route: str
    key: str
    version: int
    state: RowState
    code: str
    reason: str
    at: datetime | None

    @property
    def applied(self) -> bool:
        return self.state is RowState.DELIVERED


def results(
    connection: Connection, described: ExchangeTable, table: Table, limit: int
) -> list[Result]:
    """Up to *limit* ends that were not told yet, in order of the rows' ids."""
    control = described.control
    words = {control.word(each): each for each in ENDS}
    names = {
        "row_id": control.row_id,
        "route": control.batch,
        "key": control.key,
        "version": control.version,
        "state": control.state,
        "code": control.code,
        "reason": control.error,
        "at": control.handled_at,
    }
    columns = [table.c[name].label(label) for label, name in names.items() if name]
    state, told = table.c[str(control.state)], table.c[str(control.told)]
    asked = (
        select(*columns)
        .where(state.in_(list(words)), or_(told.is_(None), told != state))
        .order_by(table.c[control.row_id])
        .limit(limit)
    )
    return [
        Result(
            row_id=str(row["row_id"]),
            route=str(row.get("route") or ""),
            key=str(row.get("key") or ""),
            version=int(row["version"] or 0),
            state=words[row["state"]],
            code=str(row.get("code") or ""),
            reason=str(row.get("reason") or ""),
            at=row.get("at"),
        )
        for row in connection.execute(asked).mappings()
    ]


def mark_told(
    connection: Connection, described: ExchangeTable, table: Table, seen: Sequence[Result]
) -> None:
    """*seen* are safe elsewhere; an end that changed since is told again."""
    control = described.control
    row_id, state = table.c[control.row_id], table.c[str(control.state)]
    for start in range(0, len(seen), MOST_ROWS):
        pairs = [(r.row_id, control.word(r.state)) for r in seen[start : start + MOST_ROWS]]
        those = among(connection.dialect.name, (row_id, state), pairs)
        same = and_(row_id.in_([first for first, _ in pairs]), those)
        connection.execute(update(table).where(same).values({control.told: state}))
