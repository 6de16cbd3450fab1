"""The ledger's chain: each row's link holds the link before it and all that the row says.

Whoever changes, removes, adds or moves a row afterwards breaks a link, and it is known which.

Standard   SM3: GM/T 0004-2012, GB/T 32905-2016
Form       link = SM3(link before ‖ row); a row is a JSON list: form, partition, place in the chain,
           then the values of `FIELDS`; times in microseconds since 1970, keys of objects sorted.
           The link before the first is SM3("shuniu ledger 1 " ‖ partition)
Careful    this is kept for years: another form is another number, and both are verified
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from hub.crypto import sm3_bytes

__all__ = ["FIELDS", "FORM", "chained", "first_link", "row_bytes"]

FORM = 1
FIELDS = (
    "key",
    "at",
    "event",
    "message_id",
    "record_id",
    "source",
    "resource",
    "operation",
    "subject",
    "route",
    "version",
    "system",
    "attempt",
    "code",
    "faults",
    "doubts",
    "number",
    "took_ms",
    "trace",
    "digest",
    "by",
    "envelope",
)
_AT = FIELDS.index("at")
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def first_link(partition: str) -> bytes:
    """What the first row of *partition* is chained to."""
    return sm3_bytes(b"shuniu ledger %d %s" % (FORM, partition.encode()))


def chained(link: bytes, row: Mapping[Any, Any]) -> bytes:
    """The link of *row*, which follows the row of *link*."""
    return sm3_bytes(link + row_bytes(row))


def row_bytes(row: Mapping[Any, Any]) -> bytes:
    """All that *row* says, in one form whatever database it was read from."""
    values = [row[name] for name in FIELDS]
    values[_AT] = (values[_AT] - _EPOCH) // _MICROSECOND
    told = [FORM, row["part"], row["seq"], *values]
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
