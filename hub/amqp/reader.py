"""What the socket brings, cut into frames; and messages put together from theirs.

Standard   AMQP 0-9-1 §4.2.3 (frames), §4.2.6 (content)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct, error

from hub.amqp.frames import CONTENT_TYPE, END, PREFIX
from schemas.errors import Transient

__all__ = ["Content", "Frames", "header_table", "message_id", "short"]

_HEAD = PREFIX.size
_LEAST = _HEAD + len(END)
_KINDS = (1, 2, 3, 8)
_LONG, _SIZE_FLAGS = Struct(">I"), Struct(">QH")
_PROPERTIES = 14  # where they begin in a content header: after class, weight, size, flags
# The flags before message-id, in their order, and what each stands for.
_ENCODING, _HEADERS = 1 << 14, 1 << 13
_OCTETS, _TEXTS, _MESSAGE_ID = (1 << 12, 1 << 11), (1 << 10, 1 << 9, 1 << 8), 1 << 7


class Frames:
    """Cuts a stream of bytes into frames, whatever pieces it comes in. *frame_max*: the longest
    that may come, so that a peer cannot fill our memory."""

    def __init__(self, frame_max: int) -> None:
        self.frame_max = frame_max
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """The frames that are whole by now: type, channel, payload. Raises `Transient` for what is
        no AMQP: such a connection cannot be used any more."""
        if self._rest:
            data = self._rest + data
        found: list[tuple[int, int, bytes]] = []
        at, size, most = 0, len(data), self.frame_max - _LEAST
        while size - at >= _LEAST:
            kind, channel, length = PREFIX.unpack_from(data, at)
            if length > most or kind not in _KINDS:
                raise _no_amqp()
            end = at + _HEAD + length
            if end >= size:
                break
            if data[end] != END[0]:
                raise _no_amqp()
            found.append((kind, channel, data[at + _HEAD : end]))
            at = end + 1
        self._rest = data[at:]
        return found


def _no_amqp() -> Transient:
    return Transient("broker.lost", "What came is not AMQP")


@dataclass(slots=True)
class Content:
    """A message on its way in: its method's payload, its header's, and the body so far."""

    method: bytes
    header: bytes = b""
    left: int = -1  # of the body, in bytes; before the header, none may come
    body: bytes = b""
    parts: list[bytes] = field(default_factory=list)

    def begun(self, header: bytes) -> bool:
        """Take the content header; true when nothing more is to come."""
        self.header = header
        try:
            self.left, _ = _SIZE_FLAGS.unpack_from(header, 4)
        except error as wrong:
            raise _no_amqp() from wrong
        return self.left == 0

    def more(self, body: bytes) -> bool:
        """Take a part of the body; true when it is whole. Raises `Transient` for more of it than
        the header told."""
        self.left -= len(body)
        if self.left < 0:
            raise _no_amqp()
        self.parts.append(body)
        if self.left:
            return False
        self.body = b"".join(self.parts) if len(self.parts) > 1 else body
        return True


def short(payload: bytes, at: int) -> tuple[str, int]:
    """The short text at *at*, and where it ends."""
    end = at + 1 + payload[at]
    return payload[at + 1 : end].decode("utf-8", "replace"), end


def header_table(header: bytes) -> bytes:
    """The content of the headers of a content *header*; empty where there are none."""
    _, flags = _SIZE_FLAGS.unpack_from(header, 4)
    if not flags & _HEADERS:
        return b""
    at = _after_texts(header, flags)
    (size,) = _LONG.unpack_from(header, at)
    return header[at + 4 : at + 4 + size]


def message_id(header: bytes) -> str:
    """The ``message_id`` of a content *header*, or ""."""
    _, flags = _SIZE_FLAGS.unpack_from(header, 4)
    if not flags & _MESSAGE_ID:
        return ""
    at = _after_texts(header, flags)
    if flags & _HEADERS:
        (size,) = _LONG.unpack_from(header, at)
        at += 4 + size
    at += sum(1 for flag in _OCTETS if flags & flag)
    for flag in _TEXTS:
        if flags & flag:
            at += 1 + header[at]
    return short(header, at)[0]


def _after_texts(header: bytes, flags: int) -> int:
    at = _PROPERTIES
    for flag in (CONTENT_TYPE, _ENCODING):
        if flags & flag:
            at += 1 + header[at]
    return at
