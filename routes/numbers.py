"""Numbers in partners' units to ours and back: 分 to 元, hours to minutes, exactly.

Form       `scale` is compiled once from ``times`` and ``places``; decimals are text, never floats
Promises   nothing is rounded unless the declaration says how: a value that does not fit is not read
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal, InvalidOperation

__all__ = ["Written", "decimal_of", "scale"]

Written = str | int | float
_DECIMAL = re.compile(r"[+-]?[0-9]{1,30}(?:\.[0-9]{1,30})?")
# What `_by_integers` reads and writes has at most so many digits.
_MOST_DIGITS = 18
_ROUNDING = {"half-up": ROUND_HALF_UP, "down": ROUND_DOWN}
# Wide enough for every product of two numbers taken, so that none is rounded unseen.
_EXACTLY = Context(prec=130)
MOST = Decimal(10) ** 30


def decimal_of(value: object) -> Decimal | None:
    """*value* as an exact number, None where it is none: blanks, exponents, NaN, true."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value) if abs(value) < MOST else None
    if isinstance(value, float):
        # The shortest text that reads back the same: what the partner wrote.
        number = Decimal(repr(value))
        return number if number.is_finite() and abs(number) < MOST else None
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return Decimal(value)
    return None


def scale(
    times: str, places: int, rounding: str | None, write: str
) -> Callable[[object], Written | None]:
    """
    Compile ``value * times`` with *places* decimals, written as ``integer``, ``text`` or ``number``.

    The function returns None for what is no number, and for what does not fit in *places* unless
    *rounding* (``half-up`` or ``down``) allows it.
    """
    factor, unit = Decimal(times), Decimal(1).scaleb(-places)
    mode = _ROUNDING.get(rounding or "")

    def scaled(value: object) -> Written | None:
        number = decimal_of(value)
        if number is None:
            return None
        exact = _EXACTLY.multiply(number, factor)
        try:
            fitted = exact.quantize(unit, rounding=mode or ROUND_DOWN, context=_EXACTLY)
        except InvalidOperation:
            return None
        if mode is None and fitted != exact:
            return None
        if write == "integer":
            return int(fitted)
        if write == "number":
            return float(fitted) if places else int(fitted)
        return format(_EXACTLY.plus(fitted), "f")  # -0.00 becomes 0.00

    units = factor.scaleb(places)
    if write != "text" or not places or units != int(units) or not 0 < units < MOST:
        return scaled
    return _by_integers(int(units), places, scaled)


def _by_integers(
    units: int, places: int, slow: Callable[[object], Written | None]
) -> Callable[[object], Written | None]:
    """The hot path: whole numbers and plain decimals, to text. What is anything else goes to *slow*,
    which alone decides. *units*: what one becomes, counted in the last decimal."""
    most = 10**_MOST_DIGITS

    def scaled(value: object) -> Written | None:
        count, over = -1, 0
        if value.__class__ is int:
            count = value * units
        elif value.__class__ is str and len(value) <= _MOST_DIGITS:
            whole, point, part = value.partition(".")
            if whole.isdecimal() and value.isascii() and (part.isdecimal() or not point):
                count, over = divmod(int(whole + part) * units, 10 ** len(part))
        if over or not 0 <= count < most:
            return slow(value)
        text = str(count).zfill(places + 1)
        return f"{text[:-places]}.{text[-places:]}"

    return scaled
