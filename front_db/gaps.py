"""Numbers left out of a column that counts up: transactions under way, or rolled back.

Form       a gap is a range of numbers, both ends included, and when it was seen first
Promises   a number that comes late is found as long as its gap is open; how many were given up is told
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from front_db.book_tables import gaps

__all__ = ["MOST", "fill", "gap_count", "give_up", "note", "open_gaps"]

MOST = 20_000
AT_ONCE = 500
g = gaps.c


def note(connection: Connection, capture: int, numbers: Sequence[int], at: datetime) -> None:
    """Between *numbers*, which were read one after another, others are missing."""
    missing = [
        {"capture": capture, "low": one + 1, "high": other - 1, "since": at}
        for one, other in pairwise(numbers)
        if other > one + 1
    ]
    _open(connection, capture, missing)


def open_gaps(
    connection: Connection, capture: int, after: int, limit: int
) -> list[tuple[int, int]]:
    """Up to *limit* gaps behind the number *after*."""
    asked = select(g.low, g.high).where(g.capture == capture, g.low > after)
    return [(low, high) for low, high in connection.execute(asked.order_by(g.low).limit(limit))]


def fill(connection: Connection, capture: int, numbers: Iterable[int]) -> None:
    """*numbers* have come."""
    for number in numbers:
        mine = (g.capture == capture, g.low <= number, g.high >= number)
        found = connection.execute(select(g.low, g.high, g.since).where(*mine)).all()
        if not found:
            continue
        connection.execute(delete(gaps).where(*mine))
        left = [
            {"capture": capture, "low": low, "high": high, "since": gap.since}
            for gap in found
            for low, high in ((gap.low, number - 1), (number + 1, gap.high))
            if low <= high
        ]
        _open(connection, capture, left)


def _open(connection: Connection, capture: int, missing: Sequence[dict[str, Any]]) -> None:
    """Add gaps; of those that begin alike, read twice after a crash, the longest stays."""
    lows = sorted({each["low"] for each in missing})
    longest = {each["low"]: each for each in sorted(missing, key=itemgetter("high"))}
    for start in range(0, len(lows), AT_ONCE):
        some = (g.capture == capture, g.low.in_(lows[start : start + AT_ONCE]))
        for gap in connection.execute(select(g.low, g.high, g.since).where(*some)):
            if gap.high >= longest[gap.low]["high"]:
                longest[gap.low] = {"capture": capture, **gap._asdict()}
        connection.execute(delete(gaps).where(*some))
    if longest:
        connection.execute(insert(gaps), list(longest.values()))


def give_up(connection: Connection, capture: int, before: datetime) -> int:
    """Wait no longer for gaps seen before *before*, nor for the oldest of too many; how many numbers
    that were."""
    mine = g.capture == capture
    newest = select(g.low).where(mine).order_by(g.low.desc()).offset(MOST).limit(1)
    last = connection.scalar(newest)
    old = g.since < before if last is None else (g.since < before) | (g.low <= last)
    numbers = select(func.coalesce(func.sum(g.high - g.low + 1), 0)).where(mine, old)
    many = int(connection.scalar(numbers) or 0)
    if many:
        connection.execute(delete(gaps).where(mine, old))
    return many


def gap_count(connection: Connection, capture: int) -> int:
    """Numbers that are waited for."""
    numbers = select(func.coalesce(func.sum(g.high - g.low + 1), 0)).where(g.capture == capture)
    return int(connection.scalar(numbers) or 0)
