r"""Regular expressions that say what the validator asks, for those who only have the expressions.

Standard   ECMA-262 with the flag ``u``, as JSON Schema 2020-12 asks; Python's ``re`` reads them alike
Promises   an expression matches exactly what the validator accepts: days that exist, decimals within
           their limits, texts that are not blank in any script and can be carried
Careful    Python's ``$`` also matches before a line break at the end, so every one ends in `END`
"""

from __future__ import annotations

from decimal import Decimal

from catalog.derive.checks import LONGEST_DECIMAL
from catalog.model import Domain
from schemas.formats import Format

__all__ = ["BASE64", "END", "IDENTIFIERS", "MOMENTS", "TEXT", "decimal_pattern"]

END = r"$(?!\n)"

# A leap year is divisible by four, a century by four hundred; the year 0000 is none.
_LEAP = "(?:0[48]|[2468][048]|[13579][26])"
_YEAR = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9][0-9]|[0-9][1-9][0-9]{2}|[1-9][0-9]{3})"
_CLOCK = "(?:[01][0-9]|2[0-3]){0}[0-5][0-9]{0}[0-5][0-9]"


def _day(dash: str) -> str:
    """Days of the Gregorian calendar from 0001 on, with *dash* between year, month and day."""
    common = (
        f"(?:(?:0[13578]|1[02]){dash}(?:0[1-9]|[12][0-9]|3[01])"
        f"|(?:0[469]|11){dash}(?:0[1-9]|[12][0-9]|30)|02{dash}(?:0[1-9]|1[0-9]|2[0-8]))"
    )
    return f"(?:{_YEAR}{dash}{common}|(?:[0-9]{{2}}{_LEAP}|{_LEAP}00){dash}02{dash}29)"


_DAY, _COMPACT_DAY, _COMPACT_CLOCK = _day("-"), _day(""), _CLOCK.format("")
MOMENTS = {
    "d8": _COMPACT_DAY,
    "YYYYMMDD": _COMPACT_DAY,
    "d10": _DAY,
    "t6": _COMPACT_CLOCK,
    "dt14": _COMPACT_DAY + _COMPACT_CLOCK,
    "YYYYMMDDhhmmss": _COMPACT_DAY + _COMPACT_CLOCK,
    "YYYYMMDDThhmmss": f"{_COMPACT_DAY}T{_COMPACT_CLOCK}",
    "dt19": f"{_DAY}T{_CLOCK.format(':')}",
}
BASE64 = f"^(?:[A-Za-z0-9+/]{{4}})*(?:[A-Za-z0-9+/]{{2}}==|[A-Za-z0-9+/]{{3}}=)?{END}"
IDENTIFIERS = {
    "uscc": f"^[0-9A-HJ-NPQRTUWXY]{{2}}[0-9]{{6}}[0-9A-HJ-NPQRTUWXY]{{10}}{END}",
    "organisation-code": f"^[0-9A-Z]{{8}}-?[0-9X]{END}",
    "citizen-id": f"^[1-9][0-9]{{5}}{_COMPACT_DAY}[0-9]{{3}}[0-9X]{END}",
    "licence-id": (
        r"^1\.2\.156\.3005\.2\.[0-9A-Z]{21}\.[0-9A-Z]{18}\.[0-9A-Z-]{1,40}\.[0-9]{3}\.[0-9A-Z]"
        + END
    ),
    "food-licence": f"^(?:SC|JY|YB)[0-9]{{14}}{END}",
}

# The blanks of all scripts; of the controls among them only tab and line breaks are typed.
_BLANK = r"\t\n\r\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_CONTROL = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ud800-\udfff\ufffe\uffff"
TEXT = f"^[{_BLANK}]*[^{_BLANK}{_CONTROL}][^{_CONTROL}]*{END}"


def decimal_pattern(form: Format, domain: Domain) -> str:
    """
    Decimals as text: digits of *form*, limits of *domain*; leading zeros do not count.

    The length in all, `LONGEST_DECIMAL`, is left to ``maxLength``.
    """
    low = Decimal(domain.minimum) if domain.minimum else None
    high = Decimal(domain.maximum) if domain.maximum else None
    positive, negative = _within(low, high), _within(_minus(high), _minus(low))
    sign = "-?" if not (positive or negative) else f"(?:{positive}|-{negative})"
    most, places = min(form.most, LONGEST_DECIMAL), form.places or 0
    form_of = f"[0-9]{{0,{most}}}"
    if places:
        # One character more than digits, for the point.
        form_of += rf"|(?=[0-9.]{{1,{most + 1}}}{END})[0-9]*\.[0-9]{{1,{places}}}"
    return f"^{sign}(?=[0-9])0*(?:{form_of}){END}"


def _minus(limit: Decimal | None) -> Decimal | None:
    return -limit if limit is not None else None


def _within(low: Decimal | None, high: Decimal | None) -> str:
    """Looks ahead at a magnitude, a decimal without sign; "" where nothing is asked of it."""
    if high is not None and high < 0:
        return "(?!)"
    asked = []
    if low is not None and low > 0:
        asked.append(_at_least(low))
    if high is not None:
        asked.append(_at_most(high))
    return "".join(f"(?={each}{END})" for each in asked)


def _digits(limit: Decimal) -> tuple[str, str]:
    whole, _, part = f"{limit:f}".partition(".")
    return whole.lstrip("0"), part.rstrip("0")


def _at_most(limit: Decimal) -> str:
    whole, part = _digits(limit)
    parts = [f"{part[:n]}[0-{int(d) - 1}][0-9]*" for n, d in enumerate(part) if d != "0"]
    parts += [part[:n] for n in range(1, len(part))] + [f"{part}0*" if part else "0+"]
    same = rf"{whole}(?:\.(?:{'|'.join(parts)}))?"
    wholes = [f"[0-9]{{0,{len(whole) - 1}}}"] if whole else []
    for n, digit in enumerate(whole):
        if digit != "0":
            wholes.append(f"{whole[:n]}[0-{int(digit) - 1}][0-9]{{{len(whole) - n - 1}}}")
    below = rf"|(?:{'|'.join(wholes)})(?:\.[0-9]+)?" if wholes else ""
    return f"0*(?:{same}{below})"


def _at_least(limit: Decimal) -> str:
    whole, part = _digits(limit)
    parts = [f"{part[:n]}[{int(d) + 1}-9][0-9]*" for n, d in enumerate(part) if d != "9"]
    parts.append(f"{part}[0-9]*")
    same = rf"{whole}\.(?:{'|'.join(parts)})" if part else rf"{whole}(?:\.[0-9]+)?"
    wholes = [f"[1-9][0-9]{{{len(whole)},}}"]
    for n, digit in enumerate(whole):
        if digit != "9":
            wholes.append(f"{whole[:n]}[{int(digit) + 1}-9][0-9]{{{len(whole) - n - 1}}}")
    return rf"0*(?:{same}|(?:{'|'.join(wholes)})(?:\.[0-9]+)?)"
