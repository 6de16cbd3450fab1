"""Wire tap: what the pipeline published, once more for ledger and history, many messages in one.

A copy of each message for each of them would cost the broker more than the routes do.

Form       exchange ``hub.tap``: MessagePack of pairs of headers and body, Zstandard; headers
           ``x-tapped`` (how many) and ``cloudEvents:time`` (of the first)
Standard   RFC 8878 (Zstandard)
Promises   what is tapped is confirmed together with what it copies
Units      bytes, before they are compressed
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from hub.broker import Incoming, Outgoing
from hub.envelope import CE
from hub.payloads import packed, unpacked_within
from hub.topology import TAP
from schemas.errors import Rejected

__all__ = ["TAPPED", "Copy", "copies", "tapped"]

TAPPED = "x-tapped"
MOST_BYTES = 1_048_576
# The largest single message, and some headers.
LARGEST_BYTES = MOST_BYTES + 64 * 1_048_576
Copy = tuple[dict[str, Any], bytes]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Copy]).decode


def tapped(messages: Sequence[Outgoing]) -> Iterator[Outgoing]:
    """Copies of *messages*, each of which has the headers of the envelope."""
    some: list[Outgoing] = []
    size = 0
    for message in messages:
        if some and size + len(message.body) > MOST_BYTES:
            yield _together(some)
            some, size = [], 0
        some.append(message)
        size += len(message.body)
    if some:
        yield _together(some)


def _together(messages: Sequence[Outgoing]) -> Outgoing:
    body = packed(_encode([(each.headers, each.body) for each in messages]))
    headers = {TAPPED: len(messages), f"{CE}time": messages[0].headers[f"{CE}time"]}
    return Outgoing(TAP, "", body, headers, "application/zstd")


def copies(incoming: Incoming) -> list[Copy]:
    """Headers and body of each message. Raises `Rejected` for what is no copy of the hub's."""
    try:
        return _decode(unpacked_within(incoming.body, LARGEST_BYTES))
    except ValueError as error:
        raise Rejected("body.malformed", "Not what the hub taps") from error
