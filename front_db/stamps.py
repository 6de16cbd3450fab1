"""The column that rises, of whatever type: as one text that sorts, and as the database compares it.

Form       a time as ``YYYY-MM-DDThh:mm:ss.ffffff``, a number as twenty digits
Units      seconds
Careful    what cannot be read as its type is no stamp: such a row is not skipped, but moves no mark
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from front_db.contract import Column, Kind

__all__ = ["Stamps"]

DIGITS = 20


@dataclass(frozen=True, slots=True)
class Stamps:
    """Of one column. *text_format*: of a time that is kept as text."""

    column: Column
    text_format: str | None = None

    @property
    def counts(self) -> bool:
        """It is a number, not a time."""
        return self.column.kind in {Kind.WHOLE, Kind.DECIMAL}

    def told(self, raw: object) -> str | None:
        """*raw* as a text that sorts; none where it is no stamp."""
        if self.counts:
            whole = isinstance(raw, int | Decimal | str) and str(raw).partition(".")[0].isdecimal()
            return str(raw).partition(".")[0].zfill(DIGITS) if whole else None
        found = self._time(raw)
        return found.isoformat(timespec="microseconds") if found else None

    def raw(self, told: str) -> object:
        """The value to compare the column with; at or below what *told* is."""
        if self.counts:
            return int(told)
        at = datetime.fromisoformat(told).replace(microsecond=0)
        if self.column.kind is Kind.DATE:
            return at.date()
        if self.column.kind is Kind.MOMENT:
            return at
        return at.strftime(self.text_format) if self.text_format else at.isoformat(" ")

    def below(self, told: str, seconds: float) -> str:
        """*seconds* before *told*, at the beginning of that second, or day; of a number, itself."""
        if self.counts:
            return told
        at = datetime.fromisoformat(told) - timedelta(seconds=seconds)
        if self.column.kind is Kind.DATE:
            at = datetime.combine(at.date(), time())
        return at.replace(microsecond=0).isoformat(timespec="microseconds")

    def _time(self, raw: object) -> datetime | None:
        try:
            match raw:
                case datetime():
                    return raw.replace(tzinfo=None)
                case date():
                    return datetime.combine(raw, time())
                case str() if self.text_format:
                    return datetime.strptime(raw, self.text_format)  # noqa: DTZ007 - Beijing time
                case str():
                    return datetime.fromisoformat(raw).replace(tzinfo=None)
                case _:
                    return None
        except ValueError:
            return None
