"""Proves that a table is there, has its columns and grants us what we need, changing nothing."""

from __future__ import annotations

from sqlalchemy import Connection, Table, false, insert, select, update

from front_db.contract import ExchangeTable, Keeps

__all__ = ["prove"]


def prove(
    connection: Connection,
    described: ExchangeTable,
    table: Table,
    *,
    written: bool,
    marked: bool = True,
) -> None:
    """
    Ask for nothing, in every way that we shall ask for something: *written* by us, or read; and then
    *marked*, or only looked at.

    The database's refusal comes out as its driver raises it; `front_db.database` translates it.
    """
    columns = list(table.c)
    connection.execute(select(*columns).where(false())).close()
    if written:
        names = [column.name for column in columns]
        nothing = select(*columns).where(false())
        connection.execute(insert(table).from_select(names, nothing))
    if not (written or marked):
        return
    if not written or described.keeps is Keeps.LATEST:
        control = described.control
        # Of a table that we read: all that answers a row.
        touched = (control.ours if not written else ()) or (control.state or control.row_id,)
        same = {name: table.c[name] for name in touched}
        connection.execute(update(table).where(false()).values(same))
