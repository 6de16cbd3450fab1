"""A system's profile (系统配置) of exchange by tables: which tables, how they are read, within which limits.

Units      time in seconds; rows; shares from 0 to 1
Promises   what does not fit together is told when the profile is read, not at the first row
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from front_db.changes import CONTROL_NAMES
from front_db.contract import ExchangeTable, Name
from front_db.loads import LoadFrom
from front_db.modes import Mode, StateMode
from front_db.readers import marks
from front_db.windows import Hours

__all__ = ["ReadTable", "Settings"]


class ReadTable(BaseModel):
    """A table that we read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: Annotated[Name, Field(description="One of the tables.")]
    kind: Annotated[str, Field(min_length=1, max_length=64, description="Kind of its records.")]
    key: Annotated[
        tuple[Name, ...],
        Field(
            description="Columns that make two rows the same record, the version among them; "
            "none: row id and version. A partner that repeats itself in new rows needs them."
        ),
    ] = ()
    capture: Annotated[
        Mode,
        Field(
            description="How its changes are noticed: state, triggers, watermark, key-set, full-batch or logical, with "
            "settings of its own (see docs/front-db.md)."
        ),
    ] = StateMode()
    hours: Annotated[
        tuple[Hours, ...],
        Field(description="When it may be read, Beijing time: 22:00-06:00; none: at any time."),
    ] = ()
    rows_per_minute: Annotated[
        int | None,
        Field(ge=1, le=10_000_000, description="At most so many are handed on in a minute."),
    ] = None


class Settings(BaseModel):
    """A profile. The descriptions below *are* the manual: ``shuniu kit`` prints them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[
        SecretStr,
        Field(description="Database, as SQLAlchemy writes it: postgresql+psycopg://… (secret)."),
    ]
    tables: Annotated[
        tuple[ExchangeTable, ...], Field(min_length=1, description="All agreed exchange tables.")
    ]
    reads: Annotated[
        tuple[ReadTable, ...], Field(description="Tables that the partner fills for us.")
    ] = ()
    results: Annotated[
        tuple[ReadTable, ...],
        Field(
            description="Standard tables we write, whose reader's receipts are records of a kind."
        ),
    ] = ()
    loads: Annotated[
        tuple[LoadFrom, ...],
        Field(description="Loads by pages into our tables: shuniu front-db load --system …"),
    ] = ()
    connect_s: Annotated[float, Field(gt=0, le=30, description="Longest wait to connect, s.")] = 5.0
    lock_s: Annotated[float, Field(gt=0, le=30, description="Longest wait for a lock, s.")] = 3.0
    call_s: Annotated[float, Field(gt=0, le=60, description="Longest whole call, s.")] = 10.0
    connection_count: Annotated[int, Field(ge=1, le=32, description="At most so many at once.")] = 4
    batch_rows: Annotated[int, Field(ge=1, le=1000, description="Rows in one transaction.")] = 100
    page_rows: Annotated[
        int,
        Field(
            ge=1,
            le=5000,
            description="Rows read at once, at most: it adapts to how long they take.",
        ),
    ] = 200
    refused_value_rows: Annotated[
        int, Field(ge=0, description="Standard tables: stop above so many rows of wrong values.")
    ] = 1000
    refused_key_rows: Annotated[
        int, Field(ge=0, description="Likewise, of wrong keys, versions and batches.")
    ] = 200
    refused_form_rows: Annotated[
        int, Field(ge=0, description="Likewise, of rows that cannot be read at all.")
    ] = 200
    refused_value_share: Annotated[
        float | None,
        Field(
            ge=0, le=1, description="Likewise, as a share of all rows in the table, from 100 on."
        ),
    ] = None
    refused_key_share: Annotated[
        float | None,
        Field(ge=0, le=1, description="Likewise, of wrong keys, versions and batches."),
    ] = None
    refused_form_share: Annotated[
        float | None, Field(ge=0, le=1, description="Likewise, of rows that cannot be read at all.")
    ] = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [table.name for table in self.tables]
        if len(set(names)) != len(names):
            raise ValueError("a table is described twice")
        if unknown := {each.table for each in self.reads} - set(names):
            raise ValueError(f"reads: no such table: {', '.join(sorted(unknown))}")
        for each in self.reads:
            _fits(each, next(table for table in self.tables if table.name == each.table))
        kinds = [each.kind for each in (*self.reads, *self.results)]
        if len({*kinds}) != len(kinds):
            raise ValueError("reads: a kind stands twice")
        tell = {table.name for table in self.tables if table.control.told}
        if unknown := {each.table for each in self.results} - tell:
            raise ValueError(f"results: no such standard table: {', '.join(sorted(unknown))}")
        if unknown := {each.into for each in self.loads} - set(names):
            raise ValueError(f"loads: no such table: {', '.join(sorted(unknown))}")
        if len({each.name for each in self.loads}) != len(self.loads):
            raise ValueError("loads: a name stands twice")
        return self


def _fits(each: ReadTable, table: ExchangeTable) -> None:
    mode = each.capture.mode
    if mode == "triggers" and not table.standard:
        raise ValueError(f"table {table.name}: triggers fill a standard table")
    if mode == "full-batch" and not (table.standard and table.control.key):
        raise ValueError(f"table {table.name}: full batches come in a standard table")
    if marks(each.capture):
        return
    if table.standard:
        raise ValueError(f"table {table.name}: a standard table is read by state, not by {mode}")
    rising = getattr(each.capture, "column", None)
    if rising and table.column(rising) is None:
        raise ValueError(f"table {table.name}: no such column: {rising}")
    if taken := CONTROL_NAMES & {column.name for column in table.columns}:
        raise ValueError(f"table {table.name}: {', '.join(sorted(taken))} is a name of ours")
