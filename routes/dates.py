"""Dates and times in the forms partners use, to canonical text and back.

Standard   GB/T 7408-2005 (ISO 8601: basic and extended form, with or without zone)
Form       a pattern of ``%Y %m %d %H %M %S %f %z`` and the text between them, or by name ``iso``
           (any form of GB/T 7408 with year, month and day), ``epoch_s``, ``epoch_ms``
Units      all text is Beijing time (UTC+8); a value with a zone is converted to it
Promises   a date that does not exist is not read: the readers return None, they raise nothing
Careful    widths are strict where two fields touch (``%Y%m%d``), else one digit is taken for two
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache

__all__ = [
    "BEIJING",
    "SHAPES",
    "check_format",
    "has_time",
    "reader",
    "shape_of",
    "spoken",
    "writer",
]

BEIJING = timezone(timedelta(hours=8))
NAMED = ("epoch_ms", "epoch_s", "iso")
Reader = Callable[[object], str | int | None]
Writer = Callable[[object], str | int | None]

# Canonical shapes by the format of the element they are written to (GB/T 19488).
SHAPES = {
    "d10": "%Y-%m-%d",
    "YYYY-MM-DD": "%Y-%m-%d",
    "d8": "%Y%m%d",
    "YYYYMMDD": "%Y%m%d",
    "dt19": "%Y-%m-%dT%H:%M:%S",
    "dt14": "%Y%m%d%H%M%S",
    "YYYYMMDDhhmmss": "%Y%m%d%H%M%S",
    "dt15": "%Y%m%dT%H%M%S",
    "YYYYMMDDThhmmss": "%Y%m%dT%H%M%S",
}
_FIELDS = {
    "Y": "[0-9]{4}",
    "m": "[0-9]{1,2}",
    "d": "[0-9]{1,2}",
    "H": "[0-9]{1,2}",
    "M": "[0-9]{1,2}",
    "S": "[0-9]{1,2}",
    "f": "[0-9]{1,9}",
    "z": r"Z|[+-][0-9]{2}:?[0-9]{2}|[+-][0-9]{2}",
}
_ISO = re.compile(
    r"(?P<Y>[0-9]{4})(?:-(?P<m>[0-9]{2})-(?P<d>[0-9]{2})|(?P<m2>[0-9]{2})(?P<d2>[0-9]{2}))"
    r"(?:[T ](?P<H>[0-9]{2})(?::(?P<M>[0-9]{2})(?::(?P<S>[0-9]{2}))?"
    r"|(?P<M2>[0-9]{2})(?P<S2>[0-9]{2})?)?(?:[.,](?P<f>[0-9]{1,9}))?"
    r"(?P<z>Z|[+-][0-9]{2}:?[0-9]{2}|[+-][0-9]{2})?)?"
)
_CANONICAL = re.compile(
    r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})(?:T?([0-9]{2}):?([0-9]{2}):?([0-9]{2}))?"
)
_DIRECTIVE = re.compile("%[YmdHMSfz]")
_SPOKEN = dict(
    zip("YmdHMSfz", ("YYYY", "MM", "DD", "hh", "mm", "ss", "ffffff", "+08:00"), strict=True)
)
_EPOCH = re.compile(r"-?[0-9]{1,15}")
# Days come again and again: so many are remembered, of no longer texts.
DAYS, LONGEST_DAY = 2048, 20
_START = datetime(1970, 1, 1, tzinfo=UTC)


def check_format(text: str) -> None:
    """Raises `ValueError` where *text* is no format of ours, saying what would be one."""
    if text in NAMED:
        return
    found = re.findall(r"%(.?)", text)
    if unknown := [f"%{each}" for each in found if each not in {*_FIELDS, "%"}]:
        known = " ".join(f"%{each}" for each in _FIELDS)
        raise ValueError(f"a date has {known}, or is one of {NAMED}; found {' '.join(unknown)}")
    fields = [each for each in found if each != "%"]
    if missing := [f"%{each}" for each in "Ymd" if each not in fields]:
        raise ValueError(f"a date has year, month and day; {' '.join(missing)} not in {text!r}")
    if len(fields) != len(set(fields)):
        raise ValueError(f"a field of a date stands once; found {text!r}")


def has_time(text: str) -> bool:
    """Whether a value of this format carries a time of day."""
    return text in NAMED or "%H" in text


def shape_of(element_format: str) -> str | None:
    """The canonical shape of an element's format, None where it is no date."""
    return SHAPES.get(element_format)


def spoken(form: str) -> str:
    """*form* as people write it: ``YYYY-MM-DD hh:mm:ss``."""
    if form == "iso":
        return "YYYY-MM-DDThh:mm:ss"
    return _DIRECTIVE.sub(lambda found: _SPOKEN[found[0][1]], form)


def reader(form: str, shape: str) -> Reader:
    """
    Compile a function from a partner's value in *form* to text of *shape* (a pattern of `SHAPES`).

    *shape* ``epoch_ms`` gives milliseconds since 1970 as an integer, for sequence numbers.
    """
    read = _epoch(1000 if form == "epoch_s" else 1) if form.startswith("epoch") else _text(form)
    slow = _shaped(read, shape)
    if form in NAMED or "%z" in form:
        return slow
    return _straight(form, shape, slow)


def _shaped(read: Callable[[object], datetime | None], shape: str) -> Reader:
    if shape == "epoch_ms":
        return lambda value: _ms(read(value))
    template = _template(shape)

    def to_text(value: object) -> str | None:
        when = read(value)
        return None if when is None else template.format(**_parts(when))

    return to_text


def writer(form: str) -> Writer:
    """Compile a function from canonical text to a partner's value in *form*."""
    if form in ("epoch_ms", "epoch_s"):
        unit = 1 if form == "epoch_ms" else 1000
        return lambda value: None if (ms := _ms(_read_canonical(value))) is None else ms // unit
    template = _template("%Y-%m-%dT%H:%M:%S%z" if form == "iso" else form)
    if form == "iso":
        template = template.replace("{z}", "+08:00")

    def to_text(value: object) -> str | None:
        when = _read_canonical(value)
        return None if when is None else template.format(**_parts(when))

    return to_text


def _parts(when: datetime) -> dict[str, str]:
    return {
        "Y": f"{when.year:04}",
        "m": f"{when.month:02}",
        "d": f"{when.day:02}",
        "H": f"{when.hour:02}",
        "M": f"{when.minute:02}",
        "S": f"{when.second:02}",
        "f": "000",
        "z": "+0800",
    }


def _template(form: str) -> str:
    literal = form.replace("{", "{{").replace("}", "}}")
    named = re.sub(r"%([YmdHMSfz])", r"{\1}", literal.replace("%%", "\0"))
    return named.replace("\0", "%")


def _pattern(form: str) -> re.Pattern[str]:
    out, places = "", list(re.finditer(r"%(.)", form))
    at = 0
    for n, place in enumerate(places):
        out += re.escape(form[at : place.start()])
        at = place.end()
        field = place[1]
        if field == "%":
            out += "%"
            continue
        # Beside another field there is no separator to end at: the width decides.
        touches = (n + 1 < len(places) and places[n + 1].start() == at) or (
            n > 0 and places[n - 1].end() == place.start()
        )
        form_of = _FIELDS[field]
        if touches and form_of.endswith("{1,2}"):
            form_of = "[0-9]{2}"
        out += f"(?P<{field}>{form_of})"
    return re.compile(out + re.escape(form[at:]))


def _straight(form: str, shape: str, slow: Reader) -> Reader:
    """The hot path: a time without zone that exists, from text to text. What is anything else goes
    to *slow*, which alone decides."""
    pattern = _pattern(form)
    wanted = [each for each in "YmdHMS" if each in pattern.groupindex]
    cut = _CUTS.get(shape)
    if cut is None or wanted not in (list("Ymd"), list("YmdHMS")) or "f" in pattern.groupindex:
        return slow
    match, timed = pattern.fullmatch, len(wanted) == 6
    places = [pattern.groupindex[each] for each in wanted]

    def read(value: object) -> str | int | None:
        found = match(value) if isinstance(value, str) else None
        if found is None:
            return slow(value)
        if timed:
            year, month, day, hour, minute, second = found.group(*places)
            text = f"{year}-{month}-{day}T{hour}:{minute}:{second}"
        else:
            year, month, day = found.group(*places)
            text, hour = f"{year}-{month}-{day}T00:00:00", "00"
        # Some versions of Python read the 24th hour too; it is the next day's first.
        if len(text) != 19 or hour == "24":
            return slow(value)
        try:
            when = datetime.fromisoformat(text)
        except ValueError:
            return slow(value)
        return cut(text, when)

    if timed:
        return read
    remembered = lru_cache(maxsize=DAYS)(read)

    def read_day(value: object) -> str | int | None:
        if isinstance(value, str) and len(value) <= LONGEST_DAY:
            return remembered(value)
        return slow(value)

    return read_day


def _ms_of(_: str, when: datetime) -> int:
    gap = when - _START_HERE
    return gap.days * 86_400_000 + gap.seconds * 1000


_START_HERE = datetime(1970, 1, 1, 8)  # noqa: DTZ001 - Beijing time, without zone
# From the canonical text and the time it tells to each shape.
_CUTS: dict[str, Callable[[str, datetime], str | int]] = {
    "%Y-%m-%dT%H:%M:%S": lambda text, _: text,
    "%Y-%m-%d": lambda text, _: text[:10],
    "%Y%m%d": lambda text, _: text[:4] + text[5:7] + text[8:10],
    "epoch_ms": _ms_of,
}


def _text(form: str) -> Callable[[object], datetime | None]:
    pattern = _ISO if form == "iso" else _pattern(form)

    def read(value: object) -> datetime | None:
        found = pattern.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            return None
        parts = {name: text for name, text in found.groupdict().items() if text is not None}
        return _made(parts)

    return read


def _made(parts: dict[str, str]) -> datetime | None:
    """Beijing time of what was read, None where there is no such time."""

    def number(name: str) -> int:
        return int(parts.get(name) or parts.get(f"{name}2") or 0)

    try:
        day = date(number("Y"), number("m"), number("d"))
        hour, minute, second = number("H"), number("M"), number("S")
        midnight_after = (hour, minute, second) == (24, 0, 0)
        when = datetime(
            day.year,
            day.month,
            day.day,
            0 if midnight_after else hour,
            minute,
            second,
            int(parts.get("f", "0")[:6].ljust(6, "0")),
            tzinfo=BEIJING,
        )
        if midnight_after:  # GB/T 7408: 24:00 is the end of the day
            when += timedelta(days=1)
        if zone := parts.get("z"):
            when = when.replace(tzinfo=_zone(zone)).astimezone(BEIJING)
    except (ValueError, OverflowError):
        return None
    return when


def _zone(text: str) -> timezone:
    if text == "Z":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[3:].removeprefix(":") or 0)
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _epoch(unit_ms: int) -> Callable[[object], datetime | None]:
    def read(value: object) -> datetime | None:
        if isinstance(value, str) and _EPOCH.fullmatch(value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        try:
            return (_START + timedelta(milliseconds=value * unit_ms)).astimezone(BEIJING)
        except (OverflowError, ValueError):
            return None

    return read


def _read_canonical(value: object) -> datetime | None:
    found = _CANONICAL.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    numbers = [int(each) for each in found.groups() if each is not None]
    try:
        year, month, day, hour, minute, second = (*numbers, 0, 0, 0)[:6]
        return datetime(year, month, day, hour, minute, second, tzinfo=BEIJING)
    except ValueError:
        return None


def _ms(when: datetime | None) -> int | None:
    return None if when is None else (when - _START) // timedelta(milliseconds=1)
