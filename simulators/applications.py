"""Made-up applications for the guest-house one-thing (民宿一件事): persons and enterprises that do not exist.

Form       in the words of the integrated platform, see `simulators.integrated_platform`; identity
           numbers and credit codes have right check characters (GB 11643, GB 32100)
Promises   the same seed and number give the same application
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from schemas.identifiers import (
    citizen_check_character,
    organisation_check_character,
    uscc_check_character,
)
from simulators.chance import chance
from simulators.lifecycle import FAMILY_NAMES, GIVEN_NAMES
from simulators.signing import sm3

__all__ = ["STAMP", "application"]

STAMP = "%Y-%m-%d %H:%M:%S"
FIRST_DAY, DAYS = date(2026, 1, 5), 240
BOTH_MODES = ("000109001000", "000123002000", "000131024000", "000195007000")
ORDINARY_ONLY = ("000131023000", "000131025000", "000117006000")
AREAS = {
    "130102": "长安区",
    "130104": "桥西区",
    "130105": "新华区",
    "130108": "裕华区",
    "130110": "鹿泉区",
    "130123": "正定县",
    "130129": "赞皇县",
    "130131": "平山县",
}
PREMISES = ("云栖", "山语", "滹沱人家", "西柏坡小院", "隆兴客舍", "青砖巷", "太行驿", "荷塘里")
STREETS = ("测试路", "样例街", "示范巷", "模拟大街")
MATERIALS = (
    "营业场所平面图",
    "房屋租赁合同",
    "申请书",
    "消防安全承诺书",
    "从业人员健康证明",
    "排水平面图",
)
CODE_CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def application(seed: int, number: str) -> dict[str, Any]:
    """The application *number*."""
    rng = chance(seed, number, "application")
    area = rng.choice(tuple(AREAS))
    applied_at = datetime.combine(
        FIRST_DAY + timedelta(days=rng.randrange(DAYS)), datetime.min.time()
    ) + timedelta(hours=8, seconds=rng.randrange(12 * 3600))
    address = f"河北省石家庄市{AREAS[area]}{rng.choice(STREETS)}{rng.randint(1, 300)}号"
    made: dict[str, Any] = {
        "sqbh": number,
        "zt": {"bm": "ZT1301000001", "mc": "民宿一件事"},
        "sqr": _applicant(rng, area),
        "jycs": {"mc": f"{rng.choice(PREMISES)}民宿", "dz": address, "xzqh": area},
        "sqsj": applied_at.strftime(STAMP),
        "ly": rng.choice(("PC", "PC", "APP", "CK")),
        "lq": _collection(rng, address),
        "sx": _items(rng),
    }
    if rng.random() < 0.6:
        made["cl"] = [_material(rng, number, name) for name in rng.sample(MATERIALS, 3)]
    return made


def _applicant(rng: Random, area: str) -> dict[str, str]:
    person, mobile = _person(rng), f"199000{rng.randrange(10**5):05}"
    if rng.random() < 0.4:
        return {"xm": person, "lx": "GR", "zjlx": "SFZ", "zjhm": _citizen(rng), "sj": mobile}
    name = f"石家庄{rng.choice(PREMISES)}{rng.randint(1, 999)}号民宿有限公司"
    code = _credit_code(rng, area)
    return {"xm": name, "lx": "QY", "zjlx": "XYDM", "zjhm": code, "fr": person, "sj": mobile}


def _collection(rng: Random, address: str) -> dict[str, str]:
    if rng.random() < 0.5:
        return {"fs": "ZQ"}
    return {"fs": "YJ", "xm": _person(rng), "dz": f"{address}收发室"}


def _items(rng: Random) -> list[dict[str, str]]:
    chosen = rng.sample(BOTH_MODES + ORDINARY_ONLY, rng.randint(1, 7))
    return [
        {"bm": code, "fs": "CN" if code in BOTH_MODES and rng.random() < 0.4 else "YB"}
        for code in sorted(chosen)
    ]


def _material(rng: Random, number: str, name: str) -> dict[str, str]:
    came = rng.choice(("ZZ", "SC", "ZK"))
    made = {"mc": name, "ly": came, "fs": str(rng.randint(1, 3))}
    if came == "SC":
        made["zy"] = sm3(f"{number}/{name}".encode())
    return made


def _person(rng: Random) -> str:
    return rng.choice(FAMILY_NAMES) + rng.choice(GIVEN_NAMES)


def _citizen(rng: Random) -> str:
    born = date(1960, 1, 1) + timedelta(days=rng.randrange(15_000))
    first_17 = f"{rng.choice(tuple(AREAS))}{born:%Y%m%d}{rng.randrange(1, 1000):03}"
    return first_17 + citizen_check_character(first_17)


def _credit_code(rng: Random, area: str) -> str:
    body = "MA" + "".join(rng.choice(CODE_CHARACTERS) for _ in range(6))
    first_17 = f"91{area}{body}{organisation_check_character(body)}"
    return first_17 + uscc_check_character(first_17)
