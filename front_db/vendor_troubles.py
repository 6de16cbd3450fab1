"""What the vendors' databases say when they refuse, as the words of `front_db.troubles`.

Speaks to  oracledb by ``code``, pymssql by error number, dmPython by the ``[CODE:-6602]`` before its
           sentence
Careful    from the vendors' documents; none of these databases runs in the tests. What is not listed
           is unclear, or down where the driver never reached the server
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["number_of", "vendor_kind"]

ORACLE: Mapping[int, str] = {
    1: "taken", 1400: "refused", 1407: "refused", 1438: "refused", 1722: "refused", 1830: "refused",
    1861: "refused", 12899: "refused", 2290: "refused", 2291: "parent", 2292: "parent",
    942: "no-table", 904: "no-column", 1031: "denied", 1017: "denied", 1045: "denied", 28000: "denied",
    28001: "denied", 54: "locked", 60: "locked", 30006: "locked", 1013: "timeout", 18: "busy", 20: "busy",
    1653: "busy", 1654: "busy", 1691: "busy", 1033: "down", 1034: "down", 1089: "down", 3113: "down",
    3114: "down", 3135: "down", 12170: "down", 12514: "down", 12541: "down",
}  # fmt: skip
SQL_SERVER: Mapping[int, str] = {
    2601: "taken", 2627: "taken", 515: "refused", 2628: "refused", 8152: "refused", 8114: "refused",
    8115: "refused", 241: "refused", 245: "refused", 547: "parent", 208: "no-table", 207: "no-column",
    229: "denied", 230: "denied", 262: "denied", 4060: "denied", 18452: "denied", 18456: "denied",
    1205: "locked", 1222: "locked", 3906: "denied", 701: "busy", 1105: "busy", 9002: "busy",
    20002: "down", 20003: "timeout", 20004: "down", 20006: "down", 20009: "down", 20047: "down",
}  # fmt: skip
DM: Mapping[int, str] = {
    -6602: "taken", -6604: "refused", -6609: "refused", -6169: "refused", -6108: "refused",
    -6607: "parent", -2106: "no-table", -2111: "no-column", -2501: "denied", -5504: "denied",
    -5515: "denied", -6403: "locked", -6407: "locked", -6001: "down", -70028: "down", -70019: "down",
}  # fmt: skip
_DM_CODE = re.compile(r"\[CODE:(-?\d+)\]")
_DRIVERS: Mapping[str, Mapping[int, str]] = {
    "oracledb": ORACLE,
    "pymssql": SQL_SERVER,
    "dmPython": DM,
}
UNREACHED = "DPY-"  # what oracledb finds out by itself
OUT_OF_TIME = "DPY-4024"


def vendor_kind(cause: BaseException) -> str | None:
    """The kind of what a vendor's driver raised; None where *cause* is of none of these drivers."""
    known = _DRIVERS.get(_driver_of(cause))
    if known is None:
        return None
    first = cause.args[0] if cause.args else None
    own = str(getattr(first, "full_code", ""))
    if own.startswith(UNREACHED):
        return "timeout" if own == OUT_OF_TIME else "down"
    number = number_of(cause)
    return "down" if number is None else known.get(number, "unclear")


def number_of(cause: BaseException) -> int | None:
    """The database's own number for it."""
    if _driver_of(cause) not in _DRIVERS or not cause.args:
        return None
    first = cause.args[0]
    if isinstance(first, int):
        return first
    if isinstance(code := getattr(first, "code", None), int):
        return code
    found = _DM_CODE.search(str(first))
    return int(found[1]) if found else None


def _driver_of(cause: BaseException) -> str:
    return type(cause).__module__.partition(".")[0]
