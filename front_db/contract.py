"""What an exchange table looks like: columns as data, in the names that the partner chose.

Form       a table has *columns* (what is exchanged) and *control* columns (how it is exchanged). A
           partner seldom has all control columns; each that is not named is done without
Units      lengths in characters; times as Beijing time, in the database's type or as text in
           a format
Careful    a row we read must carry a *version* (版本号) which the partner raises with every change:
           without it a change made between our reading and our marking would be swallowed
Not here   the table that we propose ourselves, made from a resource: `front_db.derived`
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from front_db.states import RowState

__all__ = [
    "NAME",
    "Column",
    "Control",
    "ControlValue",
    "ExchangeTable",
    "Keeps",
    "Kind",
    "Name",
]

NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
NAME_OR_NONE = r"^([A-Za-z_][A-Za-z0-9_]*)?$"
Name = Annotated[str, Field(pattern=NAME, max_length=63)]


class Kind(StrEnum):
    """What a column holds; each database has its own type for it."""

    TEXT = "text"
    WHOLE = "whole"  # an integer of 64 bits
    DECIMAL = "decimal"
    DATE = "date"
    MOMENT = "moment"  # date and time without zone: Beijing time
    FLAG = "flag"  # 0 or 1
    LONG = "long"  # text of any length; lists and groups as JSON


class Keeps(StrEnum):
    """Whether each message is a row of its own, or a business key has one row: its latest state."""

    EVERY = "every"
    LATEST = "latest"


class _Described(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(_Described):
    """
    One column of the exchanged content. *codes*: the values that the partner allows; *identifier*: a
    kind of `schemas.identifiers`; *example*: a right value, shown to whoever wrote a wrong one.
    """

    name: Name
    kind: Kind = Kind.TEXT
    length: Annotated[int, Field(ge=1, le=16383)] = 255
    digits: Annotated[int, Field(ge=1, le=38, description="Of a decimal, in all.")] = 18
    places: Annotated[int, Field(ge=0, le=18)] = 0
    needed: bool = False
    codes: tuple[str, ...] = ()
    identifier: str | None = None
    title: str = ""
    example: str = ""

    @property
    def shown(self) -> str:
        """Its name for a person: the title with the name, as in 企业名称（enterprise_name）."""
        return f"{self.title}（{self.name}）" if self.title else self.name


OWN_STATES: Mapping[RowState, str] = {
    RowState.NEW: "0",
    RowState.TAKEN: "1",
    RowState.REFUSED: "9",
}


class Control(_Described):
    """The partner's names of the control columns, and the words it uses in them."""

    row_id: Annotated[
        str,
        Field(
            pattern=NAME_OR_NONE,
            max_length=63,
            description="Of a table that is ours to mark or to write; else its business key.",
        ),
    ] = ""
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
    states: Annotated[
        Mapping[RowState, str],
        Field(description="The partner's words for the states that it knows, by our names."),
    ] = OWN_STATES
    error: Name | None = None
    error_length: Annotated[int, Field(ge=64)] = 500
    counted: Annotated[
        bool, Field(description="The row id is a number which the database counts up itself.")
    ] = False
    key: Annotated[Name | None, Field(description="Business key as one text, in one column.")] = (
        None
    )
    key_length: Annotated[int, Field(ge=16, le=200)] = 200
    corrects: Annotated[
        Name | None, Field(description="Id of the refused row that this one is written instead of.")
    ] = None
    digest: Annotated[
        Name | None, Field(description="The writer's digest of its row: see front_db.digest.")
    ] = None
    code: Annotated[Name | None, Field(description="Short code of the error; ours to fill.")] = None
    handled_at: Annotated[Name | None, Field(description="When we took or refused it.")] = None
    handled_version: Annotated[
        Name | None,
        Field(description="The version that we handled; a change that does not raise it is told."),
    ] = None

    told: Annotated[
        Name | None,
        Field(description="Of a table we write: the reader's state that we have seen last."),
    ] = None

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        if missing := {*OWN_STATES} - {*self.states}:
            raise ValueError(f"states: no word for {', '.join(sorted(missing))}")
        if len({*self.states.values()}) != len(self.states):
            raise ValueError("states: two states have the same word")
        return self

    def word(self, state: RowState) -> str:
        """The partner's word for *state*, one that it has."""
        return self.states[state]

    @property
    def names(self) -> tuple[str, ...]:
        """The control columns there are."""
        maybe = (
            self.row_id,
            self.batch,
            self.operation,
            self.key,
            self.version,
            self.written_at,
            self.source,
            self.corrects,
            self.digest,
            self.state,
            self.code,
            self.error,
            self.handled_at,
            self.handled_version,
            self.told,
        )
        return tuple(name for name in maybe if name)

    @property
    def ours(self) -> frozenset[str]:
        """What the reader of a row fills in: how far it is, and what is wrong with it."""
        maybe = (self.state, self.code, self.error, self.handled_at, self.handled_version)
        return frozenset(name for name in maybe if name)


class ExchangeTable(_Described):
    """
    One table, as both sides have agreed on it.

    *standard*: it is one of ours (`front_db.derived`), with the tables beside it (`front_db.beside`):
    batch headers, receipts, heartbeat, switch.
    """

    name: Name
    title: str = ""
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]
    control: Control = Control()
    keeps: Keeps = Keeps.EVERY
    business_key: tuple[Name, ...] = ()
    standard: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Self:
        names = [column.name for column in self.columns]
        every = [*names, *self.control.names]
        if len(set(map(str.lower, every))) != len(every):
            raise ValueError(f"table {self.name}: a column is named twice")
        if missing := set(self.business_key) - set(names):
            raise ValueError(f"table {self.name}: no such column: {', '.join(sorted(missing))}")
        if not (self.control.row_id or self.business_key):
            raise ValueError(f"table {self.name}: neither row id nor business key is named")
        if self.keeps is Keeps.LATEST and not (self.key_columns and self.control.version):
            raise ValueError(f"table {self.name}: 'latest' needs a business key and a version")
        return self

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The columns that say which thing a row is about; none where nobody has said so."""
        return (self.control.key,) if self.control.key else self.business_key

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)


class ControlValue(_Described):
    """What we write into the control columns of one row, before it is put in the partner's form."""

    row_id: str
    batch: str
    operation: str
    version: int
    key: str = ""
