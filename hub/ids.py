"""Identifiers of messages and traces.

Standard   RFC 9562 (UUID version 7), W3C Trace Context level 1
"""

from __future__ import annotations

import hashlib
import os
import re
from datetime import UTC, datetime, timedelta
from random import getrandbits

from schemas.message import MessageId

__all__ = ["child_span", "derived_id", "issued_lately", "new_id", "new_trace", "trace_id"]

_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_VARIANT = {digit: "89ab"[n % 4] for n, digit in enumerate("0123456789abcdef")}


def new_id(at: datetime) -> MessageId:
    """A fresh id whose order is that of *at* (aware), to the millisecond."""
    return _uuid7(int(at.timestamp() * 1000), os.urandom(10).hex())


def derived_id(parent: str, *parts: str) -> MessageId:
    """The same id for the same *parent* and *parts*, with the parent's time."""
    told = hashlib.sha256("\x00".join((parent, *parts)).encode()).hexdigest()
    return _uuid7(int(parent[:8] + parent[9:13], 16), told[:20])


def issued_lately(text: str, now: datetime) -> bool:
    """Whether *text* may be an id given out within the last day."""
    if not _UUID7.fullmatch(text):
        return False
    at = datetime.fromtimestamp(int(text[:8] + text[9:13], 16) / 1000, UTC)
    return now - timedelta(days=1) < at < now + timedelta(minutes=1)


def _uuid7(milliseconds: int, noise: str) -> MessageId:
    """*noise*: twenty hexadecimal digits; the version takes the place of one, the variant half of
    another."""
    at = f"{milliseconds & (1 << 48) - 1:012x}"
    variant = _VARIANT[noise[4]]
    return MessageId(f"{at[:8]}-{at[8:]}-7{noise[1:4]}-{variant}{noise[5:8]}-{noise[8:]}")


def new_trace() -> str:
    """A fresh ``traceparent``."""
    return f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"


def child_span(traceparent: str) -> str:
    """The next hop of the same trace."""
    return f"00-{trace_id(traceparent)}-{getrandbits(64):016x}-01"


def trace_id(traceparent: str) -> str:
    return traceparent[3:35]
