"""What failures of one cause have in common: error class, place, fields, and the text without values.

Promises   two failures that differ only in numbers, ids, dates or quoted values look alike
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hub.crypto import sm3
from schemas.errors import Misconfigured, Rejected, Transient
from schemas.texts import say

__all__ = ["fingerprint", "kind_of", "normalised"]

KINDS = {Transient: "transient", Rejected: "rejected", Misconfigured: "misconfigured"}
MOST_TEXT = 2000
_QUOTED = re.compile(r"""(["“'‘「`])(?:(?!["”'’」`]).){0,200}["”'’」`]""")
# A word with a digit in it: a number, a date, an id, a name with a number.
_NUMBERED = re.compile(r"[\w\-.:/+]*\d[\w\-.:/+]*")
_HEX = re.compile(r"\b[0-9a-fA-F]{8,}\b")
_SPACE = re.compile(r"\s+")


def kind_of(error: Exception) -> str:
    """The class of *error*, as it is kept: what is none of ours is a ``bug``."""
    return next((name for kind, name in KINDS.items() if isinstance(error, kind)), "bug")


def normalised(text: str) -> str:
    """*text* without what differs from one failure to the next.

    >>> normalised('Duplicate key "A-17" in 3 rows of case 0192f3c1')
    'Duplicate key … in # rows of case #'
    """
    text = _QUOTED.sub("…", text[:MOST_TEXT])
    text = _NUMBERED.sub("#", _HEX.sub("#", text))
    return _SPACE.sub(" ", text).strip()


def fingerprint(
    stage: str, route: str, faults: Sequence[Mapping[str, Any]], code: str, kind: str = ""
) -> str:
    """*faults* as they are kept: code, place and facts of each."""
    told = {
        f"{fault['code']}@{_without_indices(fault['at'])}"
        f" {normalised(say(fault['code'], fault['facts'], 'en'))}"
        for fault in faults
    }
    return sm3("\n".join((stage, route, kind, code, *sorted(told))).encode())[:16]


def _without_indices(pointer: str) -> str:
    return "/".join("*" if part.isdigit() else part for part in pointer.split("/"))
