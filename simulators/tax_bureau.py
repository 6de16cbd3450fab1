"""A tax bureau with nothing but two tables, which it loads anew every night from its own system.

Speaks to  the hub by `simulators.tax_tables` only, which it never expects anybody to write to
Form       a day brings new taxpayers, changes of status, some that leave, a month's amounts, corrections
           of earlier ones; at its end both tables are loaded anew (see `Habits` for how badly)
Promises   what its tables hold when it rests is what its own system says
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, Table, select, update

from simulators.chance import chance
from simulators.enterprises import INDUSTRIES, REGIONS, amount, code_of, name_of, period_of
from simulators.tax_tables import AMOUNTS, TAXPAYERS
from simulators.writing import Habits, Writer

__all__ = ["TaxOffice"]

AT_FIRST, NEW_A_DAY = 40, 2
ACTIVE, SUSPENDED, CANCELLED = "03", "04", "07"
# Together less than what a fuse takes for a table that was emptied.
CHANGES_STATUS, LEAVES, CORRECTED = 0.05, 0.04, 0.05
CLERKS = 17  # each n-th taxpayer is looked after by the clerk
NIGHT_S = 60.0  # from a day's last change to the load
OFFICE = "测试市税务局"
Row = dict[str, Any]


@dataclass(slots=True)
class TaxOffice:
    """
    Its programs. *habits* may be changed at any time, for what is planned from then on.

    Finds what its tables hold when it begins, and goes on from there.
    """

    engine: Engine
    clock: Callable[[], datetime]
    seed: int = 1
    habits: Habits = field(default_factory=Habits)
    writer: Writer = field(init=False)
    _taxpayers: dict[str, Row] = field(default_factory=dict)
    _amounts: dict[tuple[str, str], Row] = field(default_factory=dict)
    _holders: dict[str, int] = field(default_factory=dict)
    _left: int = 0
    _number: int = 0
    _days: int = 0

    def __post_init__(self) -> None:
        self.writer = Writer(self.engine, self.clock)
        with self.engine.connect().execution_options(reads=True) as connection:
            for row in connection.execute(select(TAXPAYERS)).mappings():
                self._taxpayers[row["nsrsbh"]] = dict(row)
            for row in connection.execute(select(AMOUNTS)).mappings():
                self._amounts[row["nsrsbh"], row["ssq"]] = dict(row)
        self._days = len({period for _, period in self._amounts})
        self._number = len(self._taxpayers)

    @property
    def tables(self) -> tuple[Table, ...]:
        return (TAXPAYERS, AMOUNTS)

    def day(self) -> None:
        """Plan a day, from now on, and its night."""
        number, self._days = self._days, self._days + 1
        for _ in range(NEW_A_DAY if number else AT_FIRST):
            self._register(self._number)
            self._number += 1
        self._change(number)
        self._assess(number)
        open_s = self.habits.long_transaction_s
        if number and open_s:
            self._clerk(number, open_s)
        self.writer.later(open_s + NIGHT_S, self._night)

    # Its own system.

    def _register(self, number: int, holder: int = 0) -> None:
        code, draw = code_of(number), chance(self.seed, number, holder, "taxpayer")
        self._taxpayers[code] = {
            "nsrsbh": code,
            "nsrmc": name_of(self.seed, number, holder),
            "nsrzt": ACTIVE,
            "hydm": draw.choice((*INDUSTRIES, None)),
            "djrq": date(2010, 1, 1) + timedelta(days=draw.randrange(5000)),
            "zgjg": f"{OFFICE}第{draw.randrange(1, 4)}税务所",
            "xzqh": draw.choice(REGIONS),
        }

    def _change(self, day: int) -> None:
        """Status changes; who moves away leaves the table, with its amounts, and its code may be
        another's the same night."""
        for n in range(self._number if day else 0):
            code, draw = code_of(n), chance(self.seed, day, n, "change")
            if code not in self._taxpayers:
                continue
            if draw.random() < CHANGES_STATUS:
                self._taxpayers[code]["nsrzt"] = draw.choice((ACTIVE, SUSPENDED, CANCELLED))
            if draw.random() < LEAVES:
                del self._taxpayers[code]
                self._amounts = {k: row for k, row in self._amounts.items() if k[0] != code}
                self._left += 1
                every = self.habits.reuse_every
                if every and self._left % every == 0:
                    self._holders[code] = min(self._holders.get(code, 0) + 1, 4)
                    self._register(n, self._holders[code])

    def _assess(self, day: int) -> None:
        for code, taxpayer in self._taxpayers.items():
            draw = chance(self.seed, day, code, "amounts")
            if draw.random() < CORRECTED and (
                earlier := self._amounts.get((code, period_of(day - 1)))
            ):
                earlier["rkse"] = amount(draw)
            if taxpayer["nsrzt"] == ACTIVE:
                self._amounts[code, period_of(day)] = self._month(taxpayer, day)

    def _month(self, taxpayer: Row, day: int) -> Row:
        draw = chance(self.seed, day, taxpayer["nsrsbh"], "month")
        paid = amount(draw) * draw.choice((1, 1, 1, -1))
        return {
            **{name: taxpayer[name] for name in ("nsrsbh", "nsrmc", "hydm", "zgjg", "xzqh")},
            "ssq": period_of(day),
            "ysxse": amount(draw, 14),
            "zzs": amount(draw),
            "qysds": amount(draw),
            "rkse": paid,
            "bnlj": amount(draw, 30, 6),
            "sfl": draw.choice((None, Decimal(draw.randrange(10**18)).scaleb(-18))),
        }

    # Its tables.

    def _clerk(self, day: int, open_s: float) -> None:
        """Somebody corrects some amounts of the last month in the table itself, and forgets to commit."""
        period, paid = period_of(day - 1), amount(chance(self.seed, day, "clerk"))
        codes = [code_of(number) for number in range(0, self._number, CLERKS)]
        for code in codes:
            if row := self._amounts.get((code, period)):
                row["rkse"] = paid
        mine = (AMOUNTS.c.ssq == period, AMOUNTS.c.nsrsbh.in_(codes))
        changed = update(AMOUNTS).where(*mine).values(rkse=paid)
        self.writer.hold(lambda connection: connection.execute(changed), open_s)

    def _night(self) -> None:
        # As it is now: another day may begin before the last part is loaded.
        taxpayers = [dict(row) for row in self._taxpayers.values()]
        amounts = [dict(row) for row in self._amounts.values()]
        empty_s = self.habits.empty_for_s
        self.writer.load(TAXPAYERS, taxpayers, empty_s)
        self.writer.load(AMOUNTS, amounts, empty_s)
        if self.habits.lock_for_s:
            self.writer.later(
                empty_s, lambda: self.writer.lock(self.tables, self.habits.lock_for_s)
            )
