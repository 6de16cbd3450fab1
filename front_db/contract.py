"""What an exchange table looks like: columns as data, in the names that the partner chose.

Form       a table has *columns* (what is exchanged) and *control* columns (how it is exchanged). A
           partner seldom has all control columns; each that is not named is done without
Units      lengths in characters; times as Beijing time, in the database's type or as text in
           a format
Careful    a row we read must carry a *version* (版本号) which the partner raises with every change:
           without it a change made between our reading and our marking would be swallowed
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Column", "Control", "ControlValue", "ExchangeTable", "Keeps", "Kind", "Name"]

NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
Name = Annotated[str, Field(pattern=NAME, max_length=63)]


class Kind(StrEnum):
    """What a column holds; each database has its own type for it."""

    TEXT = "text"
    WHOLE = "whole"  # an integer of 64 bits
    DECIMAL = "decimal"
    DATE = "date"
    MOMENT = "moment"  # date and time without zone: Beijing time


class Keeps(StrEnum):
    """Whether each message is a row of its own, or a business key has one row: its latest state."""

    EVERY = "every"
    LATEST = "latest"


class _Described(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(_Described):
    """One column of the exchanged content. *codes*: the values that the partner allows."""

    name: Name
    kind: Kind = Kind.TEXT
    length: Annotated[int, Field(ge=1, le=16383)] = 255
    places: Annotated[int, Field(ge=0, le=18)] = 0
    needed: bool = False
    codes: tuple[str, ...] = ()
    title: str = ""


class Control(_Described):
    """The partner's names of the control columns, and the words it uses in them."""

    row_id: Name
    row_id_length: Annotated[int, Field(ge=36)] = 50
    batch: Name | None = None
    batch_length: Annotated[int, Field(ge=8)] = 64
    operation: Name | None = None
    operation_codes: Mapping[str, str] = {"created": "I", "updated": "U", "deleted": "D"}
    written_at: Name | None = None
    written_at_format: Annotated[
        str | None, Field(description="Of a text column, as strftime; none: a date-time column.")
    ] = None
    source: Name | None = None
    source_value: str = ""
    version: Name | None = None
    state: Name | None = None
    state_new: str = "0"
    state_taken: str = "1"
    state_refused: str = "9"
    error: Name | None = None
    error_length: Annotated[int, Field(ge=64)] = 500

    @property
    def names(self) -> tuple[str, ...]:
        """The control columns there are."""
        maybe = (
            self.row_id,
            self.batch,
            self.operation,
            self.written_at,
            self.source,
            self.version,
            self.state,
            self.error,
        )
        return tuple(name for name in maybe if name)


class ExchangeTable(_Described):
    """One table, as both sides have agreed on it."""

    name: Name
    title: str = ""
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]
    control: Control
    keeps: Keeps = Keeps.EVERY
    business_key: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        names = [column.name for column in self.columns]
        every = [*names, *self.control.names]
        if len(set(map(str.lower, every))) != len(every):
            raise ValueError(f"table {self.name}: a column is named twice")
        if missing := set(self.business_key) - set(names):
            raise ValueError(f"table {self.name}: no such column: {', '.join(sorted(missing))}")
        if self.keeps is Keeps.LATEST and not (self.business_key and self.control.version):
            raise ValueError(f"table {self.name}: 'latest' needs a business key and a version")
        return self

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)


class ControlValue(_Described):
    """What we write into the control columns of one row, before it is put in the partner's form."""

    row_id: str
    batch: str
    operation: str
    version: int
