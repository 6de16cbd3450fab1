"""Made-up enterprises, as offices keep them: always the same for the same seed and number.

Not here   any real name: every enterprise is called a test enterprise, its code is only well formed
"""

from __future__ import annotations

from decimal import Decimal
from random import Random

from schemas.identifiers import uscc_check_character
from simulators.chance import chance

__all__ = ["INDUSTRIES", "REGIONS", "amount", "code_of", "name_of", "period_of"]

INDUSTRIES = ("C3411", "C1331", "C2710", "F5199", "I6510")
REGIONS = ("130102", "130104", "130105", "130108")
FIRST_YEAR = 2026


def code_of(number: int) -> str:
    """
    The unified social credit code (GB 32100) of enterprise *number*, from 0 on.

    >>> code_of(7)
    '91130100MA00000792'
    """
    first = f"91130100MA{number:06}9"
    return first + uscc_check_character(first)


def name_of(seed: int, number: int, holder: int = 0) -> str:
    """Its name; *holder*: how often its code was given to somebody else before."""
    trade = chance(seed, number, holder, "name").choice(("机械", "纺织", "制药", "商贸", "𠮷信息"))
    return f"测试企业{number:03}{'乙丙丁戊'[holder - 1] if holder else '甲'}{trade}有限公司"


def amount(draw: Random, digits: int = 9, places: int = 2) -> Decimal:
    """An amount of so many digits before the point at most; sometimes none, sometimes all nines."""
    kind = draw.random()
    if kind < 0.1:
        return Decimal(0).scaleb(-places)
    whole = 10**digits - 1 if kind > 0.95 else draw.randrange(10 ** draw.randint(1, digits))
    return Decimal(whole * 10**places + draw.randrange(10**places)).scaleb(-places)


def period_of(number: int) -> str:
    """
    The month *number* behind the first, as six digits.

    >>> period_of(0), period_of(13)
    ('202601', '202702')
    """
    return f"{FIRST_YEAR + number // 12}{number % 12 + 1:02}"
