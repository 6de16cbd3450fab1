"""JSON from outside, read strictly: UTF-8, one object or array, no doubled names, not too deep.

Standard   RFC 8259, I-JSON (RFC 7493) for doubled names
Promises   whatever the bytes: a value, or `Rejected` with line, column and reason
Careful    a byte order mark, which Windows programs write, is passed over; a whole number of more
           than 64 bits is refused, for it would be rounded without a word
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from schemas.errors import Rejected

__all__ = ["read_json"]

MOST_DEPTH = 32
MARK = b"\xef\xbb\xbf"
LEAST_WHOLE, MOST_WHOLE = -(2**63), 2**64 - 1
MOST_DIGITS = 20


def read_json(content: bytes) -> Any:
    """The value that *content* is."""
    content = content.removeprefix(MARK)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _encoding(content, error) from error
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Rejected(
            "json.malformed", "Not JSON", line=error.lineno, column=error.colno
        ) from error
    if _depth(text) > MOST_DEPTH:
        raise Rejected("json.too-deep", "Nested too deeply", limit=MOST_DEPTH)
    _STRICT.decode(text)
    return value


def _encoding(content: bytes, error: UnicodeDecodeError) -> Rejected:
    try:
        content.decode("gb18030")
    except UnicodeDecodeError:
        return Rejected("json.encoding", "Not UTF-8", byte=error.start + 1)
    return Rejected("json.gbk", "Sent in GBK; UTF-8 is needed", byte=error.start + 1)


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS or not LEAST_WHOLE <= int(digits) <= MOST_WHOLE:
        raise Rejected("json.number", "A number does not fit; send it as a text", bits=64)
    return int(digits)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Rejected("json.name-twice", "A name stands twice in one object", name=twice[:64])
    return found


def _depth(text: str) -> int:
    """How deep the brackets go, those in texts aside."""
    if text.count("{") + text.count("[") <= MOST_DEPTH:
        return 0
    deepest = depth = 0
    quoted = escaped = False
    for character in text:
        if quoted:
            quoted = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            quoted = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


# Made once: to make one takes as long as to read a small body.
_STRICT = json.JSONDecoder(object_pairs_hook=_once, parse_int=_whole)
