"""PostgreSQL's own log format (pgoutput, version 1), as `pg_logical_slot_peek_binary_changes` gives it.

Standard   PostgreSQL documentation, "Logical Replication Message Formats"
Form       `Decoder.read` takes one message after another and tells what it means; values are text as the
           database writes it, None where it is NULL, `UNCHANGED` where a large value was not logged again
Careful    a row's columns are named by the last description of its table: one comes before the first row
           of each reading, and again after the table was changed
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from front_db.logged import UNCHANGED, Kept, Row, Truncated, Unchanged, Values

__all__ = ["Began", "Committed", "Decoder", "Event"]


@dataclass(frozen=True, slots=True)
class Began:
    """A transaction that ended at *lsn*."""

    lsn: int


@dataclass(frozen=True, slots=True)
class Committed:
    """The end of a transaction; *lsn*: where the log goes on behind it."""

    lsn: int


Event = Began | Committed | Row | Truncated


@dataclass(frozen=True, slots=True)
class _Table:
    name: str
    columns: tuple[str, ...]
    keys: frozenset[str]


@dataclass(slots=True)
class _Bytes:
    data: bytes
    place: int = 0

    def take(self, shape: str) -> tuple[int, ...]:
        found: tuple[int, ...] = struct.unpack_from(shape, self.data, self.place)
        self.place += struct.calcsize(shape)
        return found

    def letter(self) -> str:
        (found,) = self.take("!B")
        return chr(found)

    def word(self) -> str:
        end = self.data.index(b"\0", self.place)
        found = self.data[self.place : end].decode()
        self.place = end + 1
        return found

    def text(self, length: int) -> str:
        found = self.data[self.place : self.place + length].decode()
        self.place += length
        return found

    @property
    def left(self) -> bool:
        return self.place < len(self.data)


@dataclass(slots=True)
class Decoder:
    """One reading of a slot, from its beginning."""

    tables: dict[int, _Table] = field(default_factory=dict)

    def read(self, data: bytes) -> Event | None:
        """What *data* means; None for what says nothing of rows (descriptions, origins)."""
        told = _Bytes(data)
        match told.letter():
            case "B":
                lsn, _, _ = told.take("!QQI")
                return Began(lsn)
            case "C":
                _, _, end, _ = told.take("!BQQQ")
                return Committed(end)
            case "R":
                self._describe(told)
                return None
            case "T":
                many, _ = told.take("!IB")
                numbers = told.take(f"!{many}I")
                return Truncated(tuple(self.tables[each].name for each in numbers))
            case "I" | "U" | "D" as letter:
                return self._row(told, Kept(letter))
            case _:
                return None

    def _describe(self, told: _Bytes) -> None:
        (number,) = told.take("!I")
        told.word()
        name = told.word()
        _, many = told.take("!BH")
        columns: list[str] = []
        keys: set[str] = set()
        for _ in range(many):
            (flags,) = told.take("!B")
            columns.append(column := told.word())
            told.take("!Ii")
            if flags & 1:
                keys.add(column)
        self.tables[number] = _Table(name, tuple(columns), frozenset(keys))

    def _row(self, told: _Bytes, kept: Kept) -> Row:
        (number,) = told.take("!I")
        table = self.tables[number]
        old: Values | None = None
        new: Values | None = None
        while told.left:
            letter = told.letter()
            values = _values(told, table)
            match letter:
                case "N":
                    new = values
                case "K":
                    old = {name: value for name, value in values.items() if name in table.keys}
                case _:
                    old = values
        return Row(table.name, table.keys, kept, new, old)


def _values(told: _Bytes, table: _Table) -> Values:
    (many,) = told.take("!H")
    found: dict[str, str | Unchanged | None] = {}
    for name in table.columns[:many]:
        match told.letter():
            case "n":
                found[name] = None
            case "u":
                found[name] = UNCHANGED
            case _:
                (length,) = told.take("!I")
                found[name] = told.text(length)
    return found
