"""The frames of the hot path as bytes: publish, acknowledge, and tables of headers.

Standard   AMQP 0-9-1 §4.2.3 (frames), §4.2.5.5 (tables, with RabbitMQ's type letters)
Units      sizes in bytes
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from struct import Struct
from struct import error as StructError  # noqa: N812 - a class, named as one
from typing import Any

import pamqp.decode
import pamqp.encode

__all__ = [
    "BODY",
    "CONTENT_TYPE",
    "END",
    "HEADER",
    "HEARTBEAT",
    "METHOD",
    "PREFIX",
    "acknowledged",
    "decode_table",
    "encode_table",
    "publish_method",
    "published",
    "refused",
]

METHOD, HEADER, BODY = 1, 2, 3
# What RabbitMQ 4 takes unless it is told otherwise (3 takes 128 MiB): it closes the channel of who sends
# more, and from a channel that is closed nobody learns that trying again is in vain.
BODY_MOST = 16 * 1024 * 1024
END = b"\xce"
HEARTBEAT = b"\x08\x00\x00\x00\x00\x00\x00\xce"
PREFIX = Struct(">BHI")  # type, channel, size
_BASIC_PUBLISH, _BASIC_ACK, _BASIC_NACK = 0x003C0028, 0x003C0050, 0x003C0078
_ACK = Struct(">BHIIQBB")
_CONTENT = Struct(">HHQH")  # class, weight, body size, flags
CONTENT_TYPE, _HEADERS, _DELIVERY_MODE, _MESSAGE_ID = 1 << 15, 1 << 13, 1 << 12, 1 << 7
_FLAGS = CONTENT_TYPE | _HEADERS | _DELIVERY_MODE | _MESSAGE_ID
_PERSISTENT = b"\x02"
_LONG, _SIGNED, _DOUBLE = Struct(">I"), Struct(">q"), Struct(">d")


def published(
    channel: int,
    method: bytes,
    headers: Mapping[str, Any],
    body: bytes,
    *,
    content_type: bytes,
    message_id: bytes,
    frame_max: int,
) -> list[bytes]:
    """One persistent message, in pieces to be joined. *method*: of `publish_method`. Raises
    `ValueError` for what AMQP cannot carry."""
    size = len(body)
    if size > BODY_MOST:
        raise ValueError("body too long")
    content = b"".join(
        (
            _CONTENT.pack(60, 0, size, _FLAGS),
            _short(content_type),
            encode_table(headers),
            _PERSISTENT,
            _short(message_id),
        )
    )
    most = frame_max - PREFIX.size - len(END)
    if len(content) > most:
        # The body may take many frames, the header only one: the broker would end the connection.
        raise ValueError("headers too long")
    pieces = [method, PREFIX.pack(HEADER, channel, len(content)), content, END]
    if size <= most:
        if size:
            pieces += (PREFIX.pack(BODY, channel, size), body, END)
        return pieces
    for start in range(0, size, most):
        part = body[start : start + most]
        pieces += (PREFIX.pack(BODY, channel, len(part)), part, END)
    return pieces


@lru_cache(maxsize=1024)
def publish_method(channel: int, exchange: str, key: str, *, mandatory: bool = True) -> bytes:
    """The first frame of a publish. *mandatory*: the broker tells where no queue takes it."""
    bits = b"\x01" if mandatory else b"\x00"
    arguments = b"".join((b"\x00\x00", _short(exchange.encode()), _short(key.encode()), bits))
    size = 4 + len(arguments)
    return PREFIX.pack(METHOD, channel, size) + _LONG.pack(_BASIC_PUBLISH) + arguments + END


def acknowledged(channel: int, tag: int, *, multiple: bool) -> bytes:
    return _ACK.pack(METHOD, channel, 13, _BASIC_ACK, tag, multiple, END[0])


def refused(channel: int, tag: int, *, requeue: bool) -> bytes:
    return _ACK.pack(METHOD, channel, 13, _BASIC_NACK, tag, 2 * requeue, END[0])


def encode_table(table: Mapping[str, Any]) -> bytes:
    """*table* with its size in front. Raises `ValueError` for what no table can hold."""
    try:
        return _encoded(table)
    except (StructError, TypeError) as wrong:
        raise ValueError(str(wrong)) from wrong


def _encoded(table: Mapping[str, Any]) -> bytes:
    parts: list[bytes] = [b""]
    for name, value in table.items():
        if type(value) is str:
            text = value.encode()
            parts += (_named_text(name), _LONG.pack(len(text)), text)
        elif type(value) is int:
            parts += (_short(name.encode()), b"l", _SIGNED.pack(value))
        elif type(value) is float:
            # pamqp would make a single of it, of seven digits.
            parts += (_short(name.encode()), b"d", _DOUBLE.pack(value))
        else:
            parts.append(_short(name.encode()))
            parts.append(pamqp.encode.encode_table_value(value))
    parts[0] = _LONG.pack(sum(map(len, parts)))
    return b"".join(parts)


@lru_cache(maxsize=256)
def _named_text(name: str) -> bytes:
    return _short(name.encode()) + b"S"


def decode_table(data: bytes) -> dict[str, Any]:
    """The table whose content (without its size) *data* is. Raises `ValueError` for garbage."""
    try:
        table, at = _decoded(data)
    except (StructError, LookupError, ArithmeticError, OSError, RecursionError) as wrong:
        raise ValueError(type(wrong).__name__) from wrong
    if at != len(data):
        raise ValueError("a value ends behind its table")
    return table


def _decoded(data: bytes) -> tuple[dict[str, Any], int]:
    """The table, and where its last value says that it ends."""
    table: dict[str, Any] = {}
    at, end = 0, len(data)
    while at < end:
        size = data[at]
        name = data[at + 1 : at + 1 + size].decode()
        at += 1 + size
        kind = data[at]
        if kind == 0x53:  # S
            (size,) = _LONG.unpack_from(data, at + 1)
            at += 5 + size
            table[name] = data[at - size : at].decode("utf-8", "replace")
        elif kind == 0x6C:  # l
            (table[name],) = _SIGNED.unpack_from(data, at + 1)
            at += 9
        else:
            used, table[name] = pamqp.decode.embedded_value(data[at:])
            at += used
    return table, at


def _short(text: bytes) -> bytes:
    """Raises `ValueError` for more than 255 bytes."""
    return bytes((len(text),)) + text
