"""What a database's log tells of a table, whichever kind of log it is, and its rows as a driver would give them.

Form       values are text as the database writes it, None where it is NULL, `UNCHANGED` where the log does not
           tell one: it is then taken from the row as it is now
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum

from front_db.contract import Column, ExchangeTable, Kind
from front_db.keys import key_columns, key_text
from schemas.errors import Misconfigured

__all__ = [
    "UNCHANGED",
    "Doubtful",
    "Kept",
    "LogEvent",
    "Reached",
    "Row",
    "Truncated",
    "Unchanged",
    "Unfollowed",
    "Values",
    "key_of",
    "lots",
    "readable",
    "row_of_log",
]

FLAGS = {"t": 1, "f": 0}


class Unchanged(Enum):
    """A value that is not in the log, as of a large one that an update did not touch."""

    UNCHANGED = "unchanged"


UNCHANGED = Unchanged.UNCHANGED
Values = Mapping[str, str | Unchanged | None]


class Kept(StrEnum):
    """What became of a row."""

    INSERT = "I"
    UPDATE = "U"
    DELETE = "D"


@dataclass(frozen=True, slots=True)
class Row:
    """
    *new*: the row now; *old*: as it was, its *keys* alone or with ``REPLICA IDENTITY FULL`` all of it, where
    it is told.
    """

    table: str
    keys: frozenset[str]
    kept: Kept
    new: Values | None
    old: Values | None


@dataclass(frozen=True, slots=True)
class Truncated:
    """These tables were emptied."""

    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reached:
    """All before *at* was told; only between two transactions, or two parts of a large one."""

    at: str


@dataclass(frozen=True, slots=True)
class Doubtful:
    """What the log tells before *at* cannot be followed, or is *lost*; *why* in a word."""

    at: str
    why: str
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Unfollowed:
    """The log tells what needs a person."""

    error: Misconfigured


LogEvent = Row | Truncated | Reached | Doubtful | Unfollowed


async def lots(events: AsyncIterator[LogEvent], most: int) -> AsyncIterator[Sequence[LogEvent]]:
    """*events* in their order, up to *most* together; what was truncated stands alone."""
    lot: list[LogEvent] = []
    async for event in events:
        alone = isinstance(event, Truncated)
        if lot and (alone or len(lot) >= most):
            yield lot
            lot = []
        if alone:
            yield [event]
        else:
            lot.append(event)
    if lot:
        yield lot


def readable(row: Mapping[str, object], described: ExchangeTable) -> dict[str, object]:
    """*row* with bytes and times of day as text: the resource's rules judge it, and nothing is held back."""
    return {name: _readable(value, described.column(name)) for name, value in row.items()}


def _readable(value: object, column: Column | None) -> object:
    match value:
        case bytes() if column and column.kind in {Kind.FLAG, Kind.WHOLE}:
            return int.from_bytes(value)  # MySQL's BIT
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
        case timedelta():
            return str(value)
        case int() if column and column.kind is Kind.DECIMAL and not isinstance(value, bool):
            return Decimal(value)
        case _:
            return value


def key_of(values: Values, described: ExchangeTable, told: frozenset[str]) -> str:
    """
    The key of a row. *told*: the columns that the log names of a row which is no more (``REPLICA IDENTITY``).

    Raises `Misconfigured` where the key is not among them.
    """
    names = key_columns(described)
    if missing := {name.lower() for name in names} - {name.lower() for name in told}:
        raise Misconfigured(
            "front-db.identity",
            "The log does not tell the key of a row that is deleted",
            table=described.name,
            missing=" ".join(sorted(missing)),
        )
    row = _named(values, described, names)
    if untold := [name for name, value in row.items() if value is UNCHANGED]:
        raise Misconfigured(
            "front-db.identity",
            "The log does not tell the key of a row",
            table=described.name,
            missing=" ".join(untold),
        )
    return key_text(row, described)


def row_of_log(event: Row, described: ExchangeTable) -> dict[str, object]:
    """
    The columns of *described*, with values of their kinds; `UNCHANGED` where the log does not tell one, as
    when the table lacked that column for a while.
    """
    if event.new is None:
        return {}
    names = [column.name for column in described.columns]
    row = _named(event.new, described, names)
    if event.old:
        # All of it is told where the identity is FULL.
        old = {name.lower(): value for name, value in event.old.items()}
        row = {
            name: _value(old[name.lower()], described.column(name))
            if value is UNCHANGED and name.lower() in old
            else value
            for name, value in row.items()
        }
    return row


def _named(values: Values, described: ExchangeTable, names: Sequence[str]) -> dict[str, object]:
    told: Mapping[str, str | Unchanged | None] = {n.lower(): v for n, v in values.items()}
    return {
        name: _value(told.get(name.lower(), UNCHANGED), described.column(name)) for name in names
    }


def _value(told: str | Unchanged | None, column: Column | None) -> object:
    if told is None or told is UNCHANGED:
        return told
    text = str(told)
    try:
        match column.kind if column else Kind.TEXT:
            case Kind.WHOLE:
                return int(text)
            case Kind.FLAG:
                return FLAGS.get(text) if text in FLAGS else int(text)
            case Kind.DECIMAL:
                return Decimal(text)
            case Kind.DATE:
                return date.fromisoformat(text[:10])
            case Kind.MOMENT:
                return datetime.fromisoformat(text).replace(tzinfo=None)
            case _:
                return text
    except (ValueError, ArithmeticError):
        return text  # the resource's rules judge it
