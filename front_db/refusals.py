"""What the hub refused after it had taken it, told where its writer looks: in the row itself.

Form       a record of a standard table is known by its row id and version; its failure is in the hub's
           failure store, and is told once
Promises   the row goes from taken to refused only while it stands at the version that was refused: one
           that was mended meanwhile is not touched. Later rows of its key are held behind it then
Careful    the hub decides when the row was acknowledged long ago: its batch may be closed already
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Column, Connection, MetaData, String, Table, exists, select

from front_db.books import Keeping
from front_db.capture import Outgoing
from front_db.database import Database
from front_db.moves import Seen, id_value, move
from front_db.receipts import Receipt, batch_of_row, example_of, reason_of, write_receipts
from front_db.states import RowState
from hub.store import insert_once
from hub.store.tables import Moment, failures
from schemas.errors import Fault
from schemas.texts import all_texts, say

__all__ = ["LateRefusals", "Refusal", "metadata", "refuse", "told_refusals", "untold"]

AT_ONCE = 200
metadata = MetaData()
# Changed by migrations only (`front_db/migrations`).
told_refusals = Table(
    "front_refusals",
    metadata,
    Column("failure_id", String(36), primary_key=True),
    Column("at", Moment, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One record that the hub refused. *key*: of the record, its row's id and version."""

    failure: str
    key: str
    faults: tuple[Fault, ...]

    @property
    def seen(self) -> Seen | None:
        """The row; none where the key is not made of it."""
        row_id, _, version = self.key.rpartition("/")
        return Seen(row_id, int(version)) if row_id.isdecimal() and version.isdecimal() else None


def untold(connection: Connection, system: str, kind: str) -> list[Refusal]:
    """Records of *kind* that wait in the failure store and whose rows nobody has marked."""
    f = failures.c
    told = exists().where(told_refusals.c.failure_id == f.id)
    asked = (
        select(f.id, f.headers, f.faults)
        .where(f.source == system, f.stage == "intake", f.resource == kind, f.state == "waiting")
        .where(~told)
        .order_by(f.id)
        .limit(AT_ONCE)
    )
    return [
        Refusal(row.id, str(row.headers.get("x-key", "")), tuple(Fault(**f) for f in row.faults))
        for row in connection.execute(asked)
    ]


def refuse(
    connection: Connection, outgoing: Outgoing, refusals: Sequence[Refusal], at: datetime
) -> int:
    """Move their rows to "refused", with reason and receipts; how many were. *at*: Beijing time."""
    described, table = outgoing.described, outgoing.table
    control = described.control
    by_seen = {seen: each for each in refusals if (seen := each.seen)}
    ids = [id_value(described, seen.row_id) for seen in by_seen]
    rows = {
        str(row[control.row_id]): row
        for row in connection.execute(
            select(table).where(table.c[control.row_id].in_(ids))
        ).mappings()
    }
    receipts: list[Receipt] = []
    for seen, each in by_seen.items():
        values = {
            control.code: each.faults[0].code if each.faults else None,
            control.error: reason_of(each.faults, described),
            control.handled_at: at,
        }
        states = (RowState.TAKEN, RowState.REFUSED)
        if move(connection, described, table, [seen], *states, values):
            row = rows[seen.row_id]
            receipts += [
                Receipt(
                    table=described.name,
                    batch=batch_of_row(dict(row), described),
                    row=seen.row_id,
                    key=str(row[control.key])[:200] if control.key else "",
                    version=seen.version,
                    stage=RowState.REFUSED,
                    field=fault.at[1:],
                    code=fault.code,
                    reason=say(fault.code, fault.facts, "zh"),
                    example=example_of(described.column(fault.at[1:])),
                )
                for fault in each.faults
            ]
    write_receipts(connection, outgoing.beside, receipts, at)
    return len({receipt.row for receipt in receipts})


@dataclass(slots=True)
class LateRefusals:
    """Of one standard table, whose rows are records of *kind* of *system*."""

    records: Keeping
    database: Database
    outgoing: Outgoing
    system: str
    kind: str

    async def tell(self, at: datetime, now: datetime) -> int:
        """Mark the rows of all that is not told yet; how many rows. *at*: Beijing time without
        zone; *now*: aware."""
        count = 0
        while True:
            found = await self.records.read(
                lambda connection: untold(connection, self.system, self.kind)
            )
            if not found:
                return count
            some = tuple(found)
            # Read for the first time while the row is locked, they would keep its writer waiting.
            await asyncio.to_thread(all_texts)
            count += await self.database.write(
                partial(refuse, outgoing=self.outgoing, refusals=some, at=at),
                self.outgoing.described,
            )
            rows = [{"failure_id": each.failure, "at": now} for each in found]
            await self.records.write(partial(_note, rows=rows))


def _note(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    connection.execute(insert_once(connection, told_refusals), rows)
