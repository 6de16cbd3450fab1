"""Whether a text in an example could be a real person's: examples stand in documents that others read.

Standard   GB 11643-1999 (the order 000 is never given out), YD/T 1187 (numbers of mobile telephones)
Form       an identity number is made up where its order is 000, its check character does not fit, or a
           standard prints it; a mobile number where its last eight digits are of two kinds at most, or count up
Careful    a name cannot be told from a made-up one: nothing is said of names
"""

from __future__ import annotations

import re
from typing import Literal

from schemas.identifiers import Verdict, check_citizen_id

__all__ = ["Real", "real_in"]

Real = Literal["citizen-id", "mobile"]
# Samples of GB 11643 and GB/T 2261 themselves.
_PRINTED = frozenset({"11010519491231002X", "440524188001010014"})
_CITIZEN = re.compile(r"(?<![0-9A-Za-z])[1-9][0-9]{16}[0-9Xx](?![0-9A-Za-z])")
_MOBILE = re.compile(r"(?<![0-9A-Za-z])(?:\+?86[- ]?)?(1[3-9][0-9]{9})(?![0-9A-Za-z])")
_COUNTED = "0123456789"


def real_in(text: str) -> Real | None:
    """
    What in *text* could be somebody's.

    >>> real_in("电话13800000000"), real_in("13571934826"), real_in("130102199001010004")
    (None, 'mobile', None)
    """
    for found in _CITIZEN.finditer(text):
        number = found[0].upper()
        given_out = number[14:17] != "000" and number not in _PRINTED
        if given_out and check_citizen_id(number) is Verdict.FINE:
            return "citizen-id"
    for found in _MOBILE.finditer(text):
        last = found[1][3:]
        if len(set(last)) > 2 and last not in _COUNTED:
            return "mobile"
    return None
