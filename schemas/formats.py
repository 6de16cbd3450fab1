"""Formats of data elements in the notation of GB/T 19488 and GB/T 39046, parsed.

Standard   GB/T 19488.1-2004, GB/T 39046-2020 table 3, GB/T 7408 for dates and times
Form       ``a..10`` ``an18`` ``an3..8`` ``n6`` ``n..16,2`` ``an5(aannn)`` ``a..ul`` ``..ul`` ``c18``
           ``bl`` truth value · ``bn`` binary · ``d8`` YYYYMMDD · ``d10`` YYYY-MM-DD · ``t6`` hhmmss ·
           ``dt14`` YYYYMMDDhhmmss · ``dt19`` YYYY-MM-DDThh:mm:ss; also spelled out, as in
           ``YYYYMMDDThhmmss``
Units      lengths in characters: a Chinese character counts as one; digits for ``n..16,2``, of which
           the second number are decimals
Careful    in practice ``a`` and ``an`` hold any text (names carry "·", addresses carry "-"): they
           limit length, and only a pattern in brackets limits the characters. ``n`` is ASCII digits
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from schemas.errors import Misconfigured

__all__ = ["UNLIMITED", "Format", "Kind", "parse_format"]

Kind = Literal["text", "number", "date", "time", "datetime", "boolean", "binary"]
UNLIMITED = 10_000_000
_NUMBER = r"[1-9][0-9]{0,5}"
_FIXED = re.compile(
    rf"(?P<of>an|a|n|c)(?P<length>{_NUMBER})(?:,(?P<places>[0-9]{{1,2}}))?(?:\((?P<pattern>[an]+)\))?"
)
_UP_TO = re.compile(
    rf"(?P<of>an|a|n|c)(?P<least>{_NUMBER})?\.\.(?P<most>{_NUMBER}|ul)(?:,(?P<places>[0-9]{{1,2}}))?"
)
_TEXTS_OF_ANY_LENGTH = frozenset({"ul", "..ul"})
_CHARACTERS = {"a": "[A-Za-z]", "n": "[0-9]"}
_MOMENTS: dict[str, tuple[Kind, str, int]] = {
    "d8": ("date", "%Y%m%d", 8),
    "d10": ("date", "%Y-%m-%d", 10),
    "YYYYMMDD": ("date", "%Y%m%d", 8),
    "t6": ("time", "%H%M%S", 6),
    "dt14": ("datetime", "%Y%m%d%H%M%S", 14),
    "YYYYMMDDhhmmss": ("datetime", "%Y%m%d%H%M%S", 14),
    "YYYYMMDDThhmmss": ("datetime", "%Y%m%dT%H%M%S", 15),
    "dt19": ("datetime", "%Y-%m-%dT%H:%M:%S", 19),
}


@dataclass(frozen=True, slots=True)
class Format:
    """
    A format as it is checked.

    *least* and *most* characters (digits, for a number); *places*: decimals; *layout*: of a date or
    time, as strftime; *digits*: ASCII digits only; *pattern*: a regular expression.
    """

    notation: str
    kind: Kind
    least: int = 0
    most: int = UNLIMITED
    places: int | None = None
    digits: bool = False
    layout: str = ""
    pattern: str = ""


@cache
def parse_format(notation: str) -> Format:
    """
    Read one format. Raises `Misconfigured` for what is none.

    >>> parse_format("an3..8").least, parse_format("n..16,2").places, parse_format("an5(aannn)").most
    (3, 2, 5)
    """
    if notation in _MOMENTS:
        kind, layout, length = _MOMENTS[notation]
        return Format(notation, kind, length, length, layout=layout)
    if notation == "bl":
        return Format(notation, "boolean")
    if notation == "bn":
        return Format(notation, "binary")
    if notation in _TEXTS_OF_ANY_LENGTH:
        return Format(notation, "text")
    if found := _FIXED.fullmatch(notation):
        length = int(found["length"])
        return _built(notation, found["of"], (length, length), found["places"], found["pattern"])
    if found := _UP_TO.fullmatch(notation):
        most = UNLIMITED if found["most"] == "ul" else int(found["most"])
        return _built(
            notation, found["of"], (int(found["least"] or 0), most), found["places"], None
        )
    raise _none(notation)


def _built(
    notation: str, of: str, length: tuple[int, int], places: str | None, pattern: str | None
) -> Format:
    least, most = length
    if least > most:
        raise _none(notation)
    if places is not None:
        # More decimals than digits, decimals of letters, or a pattern beside them: no format.
        if of != "n" or pattern or int(places) > most or most == UNLIMITED:
            raise _none(notation)
        return Format(notation, "number", least, most, int(places), digits=True)
    if pattern and (len(pattern) != most or (of in _CHARACTERS and set(pattern) != {of})):
        raise _none(notation)
    characters = "".join(_CHARACTERS[each] for each in pattern or "")
    return Format(notation, "text", least, most, digits=of == "n", pattern=characters)


def _none(notation: str) -> Misconfigured:
    return Misconfigured("format.unknown", "Not a format of GB/T 19488", format=notation[:40])
