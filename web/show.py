"""How figures and times are written on a page. Pure; the templates use these as filters.

Units      times are aware `datetime`s, shown in Beijing time (UTC+8); spans come in milliseconds
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

__all__ = [
    "BEIJING",
    "clock",
    "day_start",
    "instant",
    "moment",
    "number",
    "points",
    "short",
    "span",
    "stamp",
]

BEIJING = timezone(timedelta(hours=8))
_SECOND, _MINUTE, _HOUR, _DAY = 1_000, 60_000, 3_600_000, 86_400_000


def clock(at: datetime) -> str:
    """The time of day: ``14:03:21``."""
    return f"{at.astimezone(BEIJING):%H:%M:%S}"


def moment(at: datetime) -> str:
    """Month, day and time: ``11-21 14:03:21``."""
    return f"{at.astimezone(BEIJING):%m-%d %H:%M:%S}"


def stamp(at: datetime) -> str:
    """To the millisecond, for a journey: ``2026-11-21 14:03:21.042``."""
    local = at.astimezone(BEIJING)
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d}"


def instant(at: datetime) -> str:
    """The time of day to the millisecond: ``14:03:21.042``."""
    return stamp(at)[11:]


def day_start(at: datetime) -> datetime:
    """Midnight of the Beijing day that *at* is in, in UTC."""
    return at.astimezone(BEIJING).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def number(value: float) -> str:
    """Grouped by thousands; at most one decimal, and none where it says nothing."""
    if isinstance(value, int) or value == int(value):
        return f"{int(value):,}"
    return f"{value:,.1f}"


def short(value: float) -> str:
    """In four characters or so: ``950``, ``1.2k``, ``38k``, ``1.2M``."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            scaled = value / size
            return f"{scaled:.0f}{letter}" if scaled >= 10 else f"{scaled:.1f}{letter}"
    return _brief(value)


def span(milliseconds: float) -> str:
    """A span in the unit that fits: ``31 ms``, ``2.4 s``, ``1.2 min``, ``2 h``, ``5 d``."""
    ms = abs(milliseconds)
    if ms < _SECOND:
        return f"{milliseconds:.0f} ms"
    if ms < _MINUTE:
        return f"{milliseconds / _SECOND:.1f} s"
    if ms < _HOUR:
        return f"{_brief(milliseconds / _MINUTE)} min"
    if ms < 2 * _DAY:
        return f"{_brief(milliseconds / _HOUR)} h"
    return f"{_brief(milliseconds / _DAY)} d"


def _brief(value: float) -> str:
    """One decimal below ten, where it still says something."""
    return number(round(value, 1) if abs(value) < 10 else round(value))


def points(values: Sequence[float], width: int = 100, height: int = 24) -> str:
    """*values* as the points of an SVG polyline in a box; nought lies on the floor."""
    if not values:
        return ""
    top = max(1, *values)
    step = width / max(len(values) - 1, 1)
    return " ".join(
        f"{index * step:.1f},{height - value / top * height:.1f}"
        for index, value in enumerate(values)
    )
