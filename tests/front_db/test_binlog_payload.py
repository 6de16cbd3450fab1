"""Compressed transactions of a binary log, byte by byte: unpacked whole, or given as they came."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence

import pytest
import zstandard
from pymysql.protocol import MysqlPacket

from front_db.binlog_payload import unpacking

PLACE = 4711
NONE, UNKNOWN = b"\xfc\xff\x00", b"\x07"  # how it is compressed


def event(kind: int, body: bytes, place: int, *, summed: bool = False) -> bytes:
    """As the log has it: header, body, checksum."""
    size = 19 + len(body) + 4 * summed
    whole = struct.pack("<IBIIIH", 1, kind, 7, size, place, 0) + body
    return whole + (zlib.crc32(whole).to_bytes(4, "little") if summed else b"")


INSIDE = [event(2, b"BEGIN", 0), event(30, b"r" * 300, 0), event(16, b"x" * 8, 0)]
BEHIND = event(2, b"behind", PLACE + 50)


def number(value: int) -> bytes:
    return b"\xfc" + value.to_bytes(2, "little")


def field(kind: int, value: bytes) -> bytes:
    return bytes([kind, len(value)]) + value


def packed(*, summed: bool, how: bytes = b"\x00", cut: int = 0, frames: int = 1) -> bytes:
    """A transaction's event. *cut*: so many bytes of its payload are missing."""
    plain = b"".join(INSIDE)
    parts = [plain] if frames == 1 else [plain[:100], plain[100:]]
    payload = plain if how == NONE else b"".join(map(zstandard.compress, parts))
    payload = payload[: len(payload) - cut]
    fields = field(1, number(len(payload))) + field(2, how) + field(3, number(len(plain)))
    return event(40, fields + b"\x00" + payload, PLACE, summed=summed)


def packets(events: Sequence[bytes]) -> list[bytes]:
    """What comes out of a line on which *events* come in, without the byte before each."""
    line: Iterator[MysqlPacket] = iter([MysqlPacket(b"\0" + each, "utf8") for each in events])
    read = unpacking(lambda *_, **__: next(line), lambda data: MysqlPacket(data, "utf8"))
    found: list[bytes] = []
    try:
        while True:
            found.append(read().get_all_data()[1:])
    except StopIteration:
        return found


@pytest.mark.parametrize("summed", [False, True])
@pytest.mark.parametrize(("how", "frames"), [(b"\x00", 1), (b"\x00", 2), (NONE, 1)])
def test_its_events_come_as_if_they_were_not_compressed(
    how: bytes, frames: int, *, summed: bool
) -> None:
    """The last one at the place behind the transaction, with checksums where the log has them."""
    wanted = [
        event(2, b"BEGIN", 0, summed=summed),
        event(30, b"r" * 300, 0, summed=summed),
        event(16, b"x" * 8, PLACE, summed=summed),
        BEHIND,
    ]
    assert wanted == packets([packed(summed=summed, how=how, frames=frames), BEHIND])


def test_what_cannot_be_unpacked_is_given_as_it_came() -> None:
    """In another way compressed, or damaged: at the place of its end, so that nothing was read past it."""
    damaged = bytearray(packed(summed=True))
    damaged[60] ^= 1
    for whole in (packed(summed=False, how=UNKNOWN), bytes(damaged)):
        assert [whole, BEHIND] == packets([whole, BEHIND])
    cut = packed(summed=False, how=NONE, cut=5)
    first = [event(2, b"BEGIN", 0)]
    assert [*first, cut, BEHIND] == packets([cut, BEHIND])


def test_other_packets_are_let_through() -> None:
    """Answers of the server among them, whatever is at the place of an event's number."""
    others = [BEHIND, b"\0\0\0\0\x28" + b"a" * 40, b"", b"\x01"]
    assert others == packets(others)
