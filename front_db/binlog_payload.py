"""Transactions that MySQL wrote into its binary log compressed, event after event as if they were not.

Standard   MySQL's event 40 (Transaction_payload_event): fields of type, length and value (0 the end, 1 the
           payload's bytes, 2 how it is compressed, 3 its bytes before that); behind them the transaction's
           events, each with its header of 19 bytes and no checksum
Form       `unpacking` stands before a driver's connection, where the library reads packets: an event of the payload
           gets the checksum of its own. The last of them has the payload's place, those before it none: nothing
           ends or goes on within
Promises   what cannot be unpacked is given as it came, for the reader to stop at
Careful    unpacked as it is read, so that no more than one event of it is held
Tested on  MySQL 9.7
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import IO, Any

import zstandard

__all__ = ["unpacking"]

PAYLOAD, HEADER, CHECKSUM = 40, 19, 4
END, SIZE, KIND, WHOLE = 0, 1, 2, 3
ZSTD, NONE = 0, 255
# Time, number, server, size, place behind it, flags.
_HEAD = struct.Struct("<IBIIIH")
_LONGER = {252: 2, 253: 3, 254: 8}


def unpacking(read: Callable[..., Any], made: Callable[[bytes], Any]) -> Callable[..., Any]:
    """*read* gives the next packet of the line, *made* makes one of bytes."""
    rest: Iterator[Any] = iter(())

    def next_packet(*asked: Any, **more: Any) -> Any:
        nonlocal rest
        for packet in rest:
            return packet
        packet = read(*asked, **more)
        rest = _unpacked(packet, made)
        return next(rest, packet)

    return next_packet


def _unpacked(packet: Any, made: Callable[[bytes], Any]) -> Iterator[Any]:
    """Nothing for any other packet."""
    data: bytes = packet.get_all_data()
    if len(data) <= HEADER or data[0] or data[5] != PAYLOAD:
        return
    try:
        _, _, _, size, place, _ = _HEAD.unpack_from(data, 1)
        if size != len(data) - 1:
            return
        events, summed = _payload(data)
        held = b""
        for event in events:
            if held:
                yield made(_framed(held, 0, summed=summed))
            held = event
        yield made(_framed(held, place, summed=summed))
    except (ValueError, KeyError, IndexError, struct.error, zstandard.ZstdError):
        yield packet


def _payload(data: bytes) -> tuple[Iterator[bytes], bool]:
    """The transaction's events, and whether events have checksums here. Raises `ValueError`."""
    fields, at = dict[int, int](), 1 + HEADER
    while True:
        field, at = _number(data, at)
        if field == END:
            break
        length, at = _number(data, at)
        fields[field], at = _number(data, at)[0], at + length
    ends = at + fields[SIZE]
    payload, behind = data[at:ends], data[ends:]
    if behind not in (b"", _checksum(data[1:ends])):
        raise ValueError("checksum")
    kind, plain = fields.get(KIND, ZSTD), BytesIO(payload)
    if kind == ZSTD:
        told: IO[bytes] = zstandard.ZstdDecompressor().stream_reader(plain, read_across_frames=True)
    elif kind == NONE:
        told = plain
    else:
        raise ValueError("kind")
    return _events(told, fields[WHOLE]), bool(behind)


def _events(told: IO[bytes], left: int) -> Iterator[bytes]:
    while left:
        head = _read(told, HEADER)
        size = _HEAD.unpack(head)[3]
        if not HEADER <= size <= left:
            raise ValueError("size")
        left -= size
        yield head + _read(told, size - HEADER)


def _framed(event: bytes, place: int, *, summed: bool) -> bytes:
    """As a packet of the line has it."""
    stamp, number, server, size, _, flags = _HEAD.unpack_from(event)
    size += CHECKSUM if summed else 0
    whole = _HEAD.pack(stamp, number, server, size, place, flags) + event[HEADER:]
    return b"\0" + whole + (_checksum(whole) if summed else b"")


def _read(told: IO[bytes], size: int) -> bytes:
    found = told.read(size)
    if len(found) != size:
        raise ValueError("cut off")
    return found


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of one byte or, behind a byte that says so, of more; and the place behind it."""
    length = _LONGER.get(data[at], 0)
    behind = at + 1 + length
    return int.from_bytes(data[at + 1 : behind], "little") if length else data[at], behind


def _checksum(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(CHECKSUM, "little")
