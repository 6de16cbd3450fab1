"""A statistics bureau with one table of reports, in which rows are revised for months.

Speaks to  the hub by `simulators.statistics_tables` only, which it never expects anybody to write to
Form       a day brings the reports of a month, revisions of earlier ones, and units that are struck off
Careful    a row's stamp is that of the machine that wrote it (see `Habits.clock_skew_s`): each second one is
           ahead, the others behind
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, insert, select, update

from simulators.chance import chance
from simulators.enterprises import INDUSTRIES, REGIONS, amount, code_of, name_of, period_of
from simulators.statistics_tables import REPORTS
from simulators.writing import Habits, Writer

__all__ = ["StatisticsOffice"]

UNITS, FORGETFUL = 28, 4  # each n-th unit's rows are those that are committed late
# Together less than what a fuse takes for a table that was emptied.
REVISED, STRUCK_OFF = 0.08, 0.05
REVISIONS_S, STRUCK_S, NIGHT_S = 300.0, 600.0, 900.0
Row = dict[str, Any]


@dataclass(slots=True)
class StatisticsOffice:
    """
    Its programs. *habits* may be changed at any time, for what is planned from then on.

    Finds what its table holds when it begins, and goes on from there.
    """

    engine: Engine
    clock: Callable[[], datetime]
    seed: int = 1
    habits: Habits = field(default_factory=Habits)
    writer: Writer = field(init=False)
    _holders: dict[int, int] = field(default_factory=dict)
    _struck: int = 0
    _days: int = 0

    def __post_init__(self) -> None:
        self.writer = Writer(self.engine, self.clock)
        with self.engine.connect().execution_options(reads=True) as connection:
            self._days = len(connection.execute(select(REPORTS.c.bgq).distinct()).all())

    @property
    def tables(self) -> tuple[Table, ...]:
        return (REPORTS,)

    def day(self) -> None:
        """Plan a day, from now on."""
        number, self._days = self._days, self._days + 1
        self._report(number)
        # Behind the last commit: they would wait for its locks.
        open_s = self.habits.long_transaction_s
        if number:
            self.writer.later(open_s + REVISIONS_S, lambda: self._revise(number))
            self.writer.later(open_s + STRUCK_S, lambda: self._strike_off(number))
        self.writer.later(open_s + NIGHT_S, self._night)

    def _report(self, day: int) -> None:
        """A month's rows. Some units' machines write first and commit last."""
        rows = [self._row(unit, day) for unit in range(UNITS)]
        late, others = rows[::FORGETFUL], [row for n, row in enumerate(rows) if n % FORGETFUL]
        self.writer.hold(
            lambda connection: connection.execute(insert(REPORTS), late),
            self.habits.long_transaction_s,
        )
        # Stamped and committed while the others are still open: the mark goes past those.
        self.writer.later(self.habits.long_transaction_s / 2, lambda: self._write_stamped(others))

    def _write_stamped(self, rows: Sequence[Row]) -> None:
        stamped = [{**row, "gxsj": self._stamp(n)} for n, row in enumerate(rows)]
        self.writer.write(lambda connection: connection.execute(insert(REPORTS), stamped))

    def _row(self, unit: int, day: int) -> Row:
        holder = self._holders.get(unit, 0)
        draw = chance(self.seed, unit, day, holder, "report")
        return {
            "tyshxydm": code_of(unit),
            "bgq": period_of(day),
            "dwmc": name_of(self.seed, unit, holder),
            "hydm": INDUSTRIES[unit % len(INDUSTRIES)],
            "gyzcz": amount(draw, 14),
            "xscz": draw.choice((None, amount(draw))),
            "yysr": amount(draw, 14),
            "lrze": amount(draw) * draw.choice((1, -1)),
            "cyrs": draw.choice((None, 0, draw.randrange(10**6))),
            "ydl": draw.choice((None, amount(draw))),
            "zhnh": Decimal(draw.randrange(10**29)).scaleb(-10),
            "xzqh": REGIONS[unit % len(REGIONS)],
            "xdcs": 0,
            "gxsj": self._stamp(unit),
        }

    def _stamp(self, machine: int) -> datetime:
        skew_s = self.habits.clock_skew_s * (1 if machine % 2 else -1)
        return (self.clock() + timedelta(seconds=skew_s)).replace(microsecond=0)

    def _revise(self, day: int) -> None:
        def revised(connection: Connection) -> None:
            for unit in range(UNITS):
                draw = chance(self.seed, unit, day, "revise")
                if draw.random() >= REVISED:
                    continue
                mine = (REPORTS.c.tyshxydm == code_of(unit), REPORTS.c.bgq < period_of(day))
                values = {"lrze": amount(draw), "xdcs": REPORTS.c.xdcs + 1}
                connection.execute(
                    update(REPORTS).where(*mine).values(**values, gxsj=self._stamp(unit))
                )

        self.writer.write(revised)

    def _strike_off(self, day: int) -> None:
        """Units are gone with all their rows; a code may be another's in the same transaction."""

        def struck(connection: Connection) -> None:
            for unit in range(UNITS):
                if chance(self.seed, unit, day, "strike").random() >= STRUCK_OFF:
                    continue
                connection.execute(delete(REPORTS).where(REPORTS.c.tyshxydm == code_of(unit)))
                self._struck += 1
                every = self.habits.reuse_every
                if every and self._struck % every == 0:
                    self._holders[unit] = min(self._holders.get(unit, 0) + 1, 4)
                    connection.execute(insert(REPORTS), self._row(unit, day))

        self.writer.write(struck)

    def _night(self) -> None:
        """Where the table is loaded anew, every row has the stamp that it had."""
        if self.habits.empty_for_s:
            with self.engine.connect().execution_options(reads=True) as connection:
                rows = [dict(row) for row in connection.execute(select(REPORTS)).mappings()]
            self.writer.load(REPORTS, rows, self.habits.empty_for_s)
        if self.habits.lock_for_s:
            self.writer.later(
                self.habits.empty_for_s,
                lambda: self.writer.lock(self.tables, self.habits.lock_for_s),
            )
