"""What both tables and the receipts say in the end.

Promises   the newest row of each key in the source is the one in the target, value for value; what was
           deleted is not there; every row was taken, and has the receipt that says so
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, RowMapping, func, select

from bench.front_soak.site import Shape

__all__ = ["Verdict", "equal", "judged", "waiting"]

PENDING = ("0", "3", "4")


@dataclass(frozen=True, slots=True)
class Verdict:
    """*rows* of the source; how many keys are *different* or *doubled* in the target; rows that were not
    taken, and those without the right receipt."""

    rows: int
    keys: int
    different: int
    doubled: int
    untaken: int
    unreceipted: int


def waiting(engine: Engine, shape: Shape) -> int:
    """Rows of the source that are new, refused or held."""
    table = shape.table
    with engine.connect() as connection:
        asked = select(func.count()).where(table.c.x_state.in_(PENDING))
        return connection.scalar(asked) or 0


def equal(source: Engine, target: Engine, shape: Shape) -> bool:
    """Whether both tables say the same by now."""
    with source.connect() as here, target.connect() as there:
        return _newest(here, shape) == _found(there, shape)[0]


def judged(source: Engine, target: Engine, shape: Shape) -> Verdict:
    """All of it, row for row."""
    with source.connect() as here, target.connect() as there:
        wanted, (found, doubled) = _newest(here, shape), _found(there, shape)
        table, receipt = shape.table, shape.beside.receipt
        rows = {
            (str(row_id), version): state
            for row_id, version, state in here.execute(
                select(table.c.x_id, table.c.x_ver, table.c.x_state)
            )
        }
        taken = here.execute(
            select(receipt.c.r_row, receipt.c.r_version).where(receipt.c.r_stage == "taken")
        )
        receipts = {(row, version) for row, version in taken}
    different = {key for key in {*wanted, *found} if wanted.get(key) != found.get(key)}
    return Verdict(
        rows=len(rows),
        keys=len(wanted),
        different=len(different),
        doubled=doubled,
        untaken=sum(state != "1" for state in rows.values()),
        unreceipted=len(set(rows) ^ receipts),
    )


_Content = dict[str, tuple[object, ...]]


def _newest(connection: Connection, shape: Shape) -> _Content:
    found: _Content = {}
    asked = select(shape.table).order_by(shape.table.c.x_ver)
    for row in connection.execute(asked).mappings():
        if row["x_op"] == "D":
            found.pop(row["x_key"], None)
        else:
            found[row["x_key"]] = (row["x_ver"], *_content(row))
    return found


def _found(connection: Connection, shape: Shape) -> tuple[_Content, int]:
    """By key, and how many keys are there more than once."""
    rows = connection.execute(select(shape.in_sql)).mappings().all()
    keys = [row["x_key"] for row in rows]
    there = {r["x_key"]: (r["x_ver"], *_content(r)) for r in rows if r["x_op"] != "D"}
    return there, len(keys) - len(set(keys))


def _content(row: RowMapping) -> tuple[object, ...]:
    names = ("permit_no", "permit_holder", "permit_fee", "permit_days")
    return tuple(row[name] for name in names)
