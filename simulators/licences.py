"""Authorities and the licences they issue: names, codes with check characters, numbers.

Standard   GB 32100-2015 codes of authorities; GB/T 36904-2018 licence identifiers (ISO 7064 MOD 37,36);
           food licence numbers by GB/T 17710 (ISO 7064 MOD 11,10)
Careful    the codes are made up, only their check characters are right
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stdnum.iso7064 import mod_11_10, mod_37_36

from schemas.identifiers import uscc_check_character
from simulators.lifecycle import Licence

__all__ = ["ISSUERS", "Issuer", "licence_id", "licence_number"]


def _code(first_17: str) -> str:
    return first_17 + uscc_check_character(first_17)


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who decides an item, and what it issues. *pattern* takes the year and a serial."""

    name: str
    code: str
    licence: str
    licence_type: str
    pattern: str


POLICE = ("石家庄市公安局", _code("11130100000000019"))
APPROVAL = ("石家庄市行政审批局", _code("11130100000000027"))
MARKET = ("河北省市场监督管理局", _code("11130000000000035"))
FIRE = ("河北省消防救援总队", _code("11130000000000043"))
_MINISTRY = _code("11100000MB0000004")

# By catalogue code (基本编码) of the item.
ISSUERS: Mapping[str, Issuer] = {
    "000109001000": Issuer(
        *POLICE, "特种行业许可证", f"{_MINISTRY}001", "冀公特旅字第{year}{serial}号"
    ),
    "000123002000": Issuer(
        *APPROVAL, "公共场所卫生许可证", f"{_MINISTRY}002", "冀卫公证字〔{year}〕第{serial}号"
    ),
    "000131023000": Issuer(*MARKET, "食品经营许可证", f"{_MINISTRY}003", "JY2130102{serial}"),
    "000131024000": Issuer(
        *MARKET, "食品小餐饮登记证", f"{_MINISTRY}004", "冀小餐饮{year}{serial}"
    ),
    "000131025000": Issuer(*MARKET, "仅销售预包装食品备案", f"{_MINISTRY}005", "YB1130102{serial}"),
    "000195007000": Issuer(
        *FIRE,
        "公众聚集场所投入使用、营业前消防安全检查意见书",
        f"{_MINISTRY}007",
        "石消安检字〔{year}〕第{serial}号",
    ),
}


def licence_number(issuer: Issuer, licence: Licence) -> str:
    """The number printed on it; those of food licences end in a check digit."""
    number = issuer.pattern.format(year=licence.issued_on.year, serial=licence.serial)
    if number[:2] in ("JY", "YB"):
        number += mod_11_10.calc_check_digit(number[2:])
    return number


def licence_id(issuer: Issuer, licence: Licence) -> str:
    """The electronic licence's identifier (电子证照标识)."""
    serial = f"{licence.issued_on:%Y}{licence.serial}"
    parts = (issuer.licence_type, issuer.code, serial, "001")
    return ".".join(("1.2.156.3005.2", *parts, mod_37_36.calc_check_digit("".join(parts))))
