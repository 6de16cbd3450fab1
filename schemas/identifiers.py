"""Identifiers with a check character: is this one fine, doubtful (疑点), or no such thing?

Standard   GB 32100-2015 unified social credit code (统一社会信用代码), GB 11714-1997 organisation code,
           GB 11643-1999 citizen identity number (公民身份号码), GB/T 36904-2018 licence id (ISO 7064
           MOD 37,36), food licences SC, JY, YB (GB/T 17710-2008, ISO 7064 MOD 11,10)
Weights    GB 32100: 3**i mod 31; GB 11714: 3 7 9 10 5 8 4 2; GB 11643: 2**(17-i) mod 11
Careful    early pilot credit codes are legal and do not fit their check character: a misfit is a
           doubt to record, never a refusal. python-stdnum is right for ISO 7064 and is used for it;
           its credit code is right too and is what the tests compare with, for here it is on the
           hot path and its way there takes four times as long. Its ``cn.ric`` refuses the sample of
           GB 11643 itself, because it knows too few regions, and GB 11714 it does not have
Tested on  published numbers, every one-character slip, every swap of neighbours that can show
Not here   whether a code is *registered*: that is a question to the authority that gave it
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from enum import Enum, auto
from operator import mul

from stdnum.iso7064 import mod_11_10, mod_37_36

__all__ = [
    "CHECKS",
    "Verdict",
    "check_citizen_id",
    "check_food_licence",
    "check_licence_id",
    "check_organisation_code",
    "check_uscc",
    "citizen_check_character",
    "organisation_check_character",
    "uscc_check_character",
]


class Verdict(Enum):
    """What a look at an identifier alone can tell."""

    FINE = auto()
    DOUBT = auto()  # the form fits, the check character does not
    FAULT = auto()  # not even the form


_USCC = re.compile(r"[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}")
_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
# Indexed by the code of a character; 255 stands for what the alphabet does not have.
_USCC_VALUES = bytes(
    _USCC_ALPHABET.index(chr(n)) if chr(n) in _USCC_ALPHABET else 255 for n in range(256)
)
_USCC_WEIGHTS = tuple(pow(3, i, 31) for i in range(17))
_CITIZEN = re.compile(r"[1-9][0-9]{16}[0-9X]")
_ORGANISATION = re.compile(r"[0-9A-Z]{8}-?[0-9X]")
_LICENCE = re.compile(
    r"1\.2\.156\.3005\.2\.([0-9A-Z]{21})\.([0-9A-Z]{18})\.([0-9A-Z-]{1,40})\.([0-9]{3})\.([0-9A-Z])"
)
_FOOD = re.compile(r"(SC|JY|YB)([0-9]{14})")
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_CITIZEN_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CITIZEN_ZEROS = ord("0") * sum(_CITIZEN_WEIGHTS)


def check_uscc(code: str) -> Verdict:
    """
    Unified social credit code, GB 32100.

    >>> check_uscc("91350100M000100Y43"), check_uscc("91350100M0001TGQXM"), check_uscc("9135")
    (<Verdict.FINE: 1>, <Verdict.DOUBT: 2>, <Verdict.FAULT: 3>)
    """
    if not _USCC.fullmatch(code):
        return Verdict.FAULT
    return Verdict.FINE if uscc_check_character(code[:17]) == code[17] else Verdict.DOUBT


def uscc_check_character(first_17: str) -> str:
    """Raises KeyError for a character that is not in the standard's alphabet."""
    values = first_17.encode("latin-1", "replace").translate(_USCC_VALUES)
    if 255 in values:
        raise KeyError(first_17)
    return _USCC_ALPHABET[-sum(map(mul, values, _USCC_WEIGHTS)) % 31]


def check_organisation_code(code: str) -> Verdict:
    """Organisation code, GB 11714, with or without the dash it is printed with."""
    if not _ORGANISATION.fullmatch(code):
        return Verdict.FAULT
    fits = organisation_check_character(code[:8]) == code[-1]
    return Verdict.FINE if fits else Verdict.DOUBT


def organisation_check_character(first_8: str) -> str:
    """By the eight characters before it."""
    total = sum(int(c, 36) * w for c, w in zip(first_8, _ORGANISATION_WEIGHTS, strict=True))
    return "0X987654321"[total % 11]


def check_citizen_id(number: str) -> Verdict:
    """Citizen identity number, GB 11643. A birth date that does not exist makes it a fault."""
    if not _CITIZEN.fullmatch(number):
        return Verdict.FAULT
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return Verdict.FAULT
    return Verdict.FINE if citizen_check_character(number[:17]) == number[17] else Verdict.DOUBT


def citizen_check_character(first_17: str) -> str:
    """By the seventeen digits before it."""
    total = sum(map(mul, first_17.encode("ascii"), _CITIZEN_WEIGHTS)) - _CITIZEN_ZEROS
    return "10X98765432"[total % 11]


def check_licence_id(identifier: str) -> Verdict:
    """Electronic licence (电子证照标识): the parts without dots carry one check character."""
    found = _LICENCE.fullmatch(identifier)
    if not found:
        return Verdict.FAULT
    content = "".join(found.groups()[:4]).replace("-", "")
    fits = mod_37_36.calc_check_digit(content) == found[5]
    return Verdict.FINE if fits else Verdict.DOUBT


def check_food_licence(number: str) -> Verdict:
    """Food production (SC), food operation (JY) and its record (YB)."""
    found = _FOOD.fullmatch(number)
    if not found:
        return Verdict.FAULT
    fits = mod_11_10.calc_check_digit(found[2][:13]) == found[2][13]
    return Verdict.FINE if fits else Verdict.DOUBT


CHECKS: Mapping[str, Callable[[str], Verdict]] = {
    "uscc": check_uscc,
    "organisation-code": check_organisation_code,
    "citizen-id": check_citizen_id,
    "licence-id": check_licence_id,
    "food-licence": check_food_licence,
}
