"""The records that the benchmarks send: a partner's case of about 2 KB, mostly Chinese text.

Form       every record has a body, an id and a key of its own, and the SM3 digest of its body in its
           headers, as the gateway hands it over
Units      sizes in kilobytes of 1,000 bytes of UTF-8 JSON
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import orjson

from bench.site import KIND, SYSTEM, bench_plan
from hub.broker import Broker, Outgoing
from hub.crypto import Mac
from hub.envelope import Taken, encode_body
from hub.ids import new_id, new_trace
from hub.intake import taken_in
from schemas.message import Record, SystemCode

__all__ = [
    "BODIES",
    "MAC",
    "a_record",
    "bodies",
    "peers_records",
    "size_kb",
    "taken",
    "taken_records",
]

BODIES = 256
# The hub's processes sign what they send each other; so do the programs of the benches.
MAC = Mac(bytes(32))
AT = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
_TEXT = "经审查，申请人提交的材料齐全、符合法定形式，依据有关规定予以受理；现场核查安排在五个工作日内完成。"


def a_record(n: int, kb: float = 2.0) -> dict[str, Any]:
    """The *n*-th record, of about *kb*; below 1 KB the long texts are left out."""
    at = AT + timedelta(hours=8, minutes=n)
    record: dict[str, Any] = {
        "ywlsh": f"SJZ2026030200{n:06}",
        "bjmc": f"民宿经营一件事（第{n}号）",
        "sxbm": "000109001000",
        "sxmc": "旅馆业特种行业许可证核发",
        "bjlx": ("CN", "JB", "LB")[n % 3],
        "sqrlx": "FR",
        "sqrmc": "石家庄某某民宿管理有限公司 ",
        "tyshxydm": "91350100m000100y43",
        "jbr": "王小明",
        "jbrzjh": "11010519491231002X",
        "lxdh": "13800000000",
        "qx": "河北省石家庄市长安区",
        "jd": "中山东路街道",
        "mph": f"{n}号",
        "qhdm": ("130102", "130104", "130105")[n % 3],
        "sljg": "石家庄市行政审批局",
        "sljgdm": "11130100",
        "slr": "李某",
        "slsj": f"{at:%Y%m%d%H%M%S}",
        "sqsj": f"{at:%Y-%m-%d %H:%M:%S}",
        "gxsj": f"{at:%Y-%m-%d %H:%M:%S}",
        "cnbjrq": f"{at + timedelta(days=20):%Y/%m/%d}",
        "bzrq": f"{at + timedelta(days=15):%Y%m%d}",
        "fdsx": "20",
        "cnsx": 5,
        "sfsf": "0",
        "sfje": 1250 + n,
        "jzmj": "268.5",
        "kfs": str(5 + n % 9),
        "sfwsbl": "1",
        "blzt": ("S", "L", "B", "T")[n % 4],
    }
    if kb < 1:
        for name in ("bjmc", "sxmc", "jd", "mph", "jbr", "jbrzjh", "slr", "sljg", "sqsj"):
            del record[name]
        return record
    record["blyj"] = _TEXT * 2
    record["bz"] = ""
    missing = round(kb * 1000) - len(orjson.dumps(record))
    record["bz"] = (_TEXT * (missing // (3 * len(_TEXT)) + 1))[: max(1, missing // 3)]
    return record


@cache
def bodies(kb: float = 2.0) -> tuple[dict[str, Any], ...]:
    """The first ones, for what needs bodies alone."""
    return tuple(a_record(n, kb) for n in range(BODIES))


def taken(n: int, kb: float = 2.0) -> Taken:
    """The *n*-th record as the gateway takes it in."""
    at = AT + timedelta(milliseconds=n)
    return Taken(
        id=new_id(at),
        system=SystemCode(SYSTEM),
        received_at=at,
        traceparent=new_trace(),
        record=Record(kind=KIND, key=f"K{n}", body=a_record(n, kb)),
    )


def taken_records(count: int, kb: float = 2.0) -> Iterator[Outgoing]:
    """*count* records on their way to the pipeline, signed."""
    hub = Broker("amqp://127.0.0.1", name="bench", mac=MAC)
    for n in range(count):
        yield hub.signed(taken_in(taken(n, kb), bench_plan()))


def peers_records(count: int, kb: float = 2.0) -> Iterator[Outgoing]:
    """The same bodies for a peer, with as few headers as the hub's messages travel with: two."""
    for n in range(count):
        sent = taken_in(taken(n, kb), bench_plan())
        told = {name: sent.headers[name] for name in ("cloudEvents:id", "cloudEvents:digest")}
        yield Outgoing(sent.exchange, sent.key, sent.body, told)


def size_kb(kb: float = 2.0) -> float:
    """What the records of about *kb* really weigh: the mean."""
    return sum(len(encode_body(body)) for body in bodies(kb)) / BODIES / 1000
