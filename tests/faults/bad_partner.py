"""A partner's system on a socket that goes wrong in every way a server on HTTP can, and a store of its own.

Form       each call has a connection of its own; the first calls suffer, then all is well
Careful    written to the socket by hand: no library of HTTP would let it lie like this
"""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import Any

import orjson

from tests.servers.sockets import talking

__all__ = ["MAY_HAVE_ARRIVED", "SURELY", "SURELY_NOT", "TAKES", "Bad", "BadPartner", "on_sockets"]


class Bad(Enum):
    """What is done with a call. Those that say "taken" keep what was sent before they go wrong."""

    HANGS_UNREAD = "the connection is accepted, and nothing is read"
    HANGS_READ = "taken, and never answered"
    HANGS_HALFWAY = "taken, half an answer, then nothing"
    DRIPS = "taken; the answer comes a byte at a time"
    CLOSES_UNREAD = "closed before anything is read"
    RESETS_UNREAD = "reset before anything is read"
    CLOSES_READ = "closed without an answer"
    TOOK_AND_CUT = "taken, and reset without an answer"
    CUTS_HEAD = "taken, closed within the head of the answer"
    CUTS_BODY = "taken, closed within the body of the answer"
    NO_LENGTH = "taken; the answer has no length, its end is that of the connection"
    LENGTH_TOO_LONG = "taken; the length is longer than the answer"
    LENGTH_TOO_SHORT = "taken; the length is shorter than the answer"
    LENGTH_IS_NONE = "taken; the length is no number"
    TWO_LENGTHS = "taken; two lengths that differ"
    BROKEN_CHUNKS = "taken; chunks whose sizes are no numbers"
    CUT_CHUNKS = "taken; the last chunk never comes"
    GARBAGE = "taken; the answer is not HTTP"
    NOT_JSON = "taken; 200 with a page for people"
    ERROR_IN_200 = "not taken; 200 with an error in the body"
    NO_CONTENT = "taken; 204"
    FAILS = "500"
    BUSY = "503, to come again in a second"
    TOO_MANY = "429, to come again in a second"
    GATEWAY_GONE = "taken; 504 by what stands in between"
    MOVED = "301 to somebody else's system"
    SENT_ON = "307 to somebody else's system"
    ENDLESS_BODY = "taken; the answer never ends"
    ENDLESS_HEAD = "taken; the head of the answer never ends"
    BOMB = "taken; an answer that is a thousand times as long when unpacked"
    WRONG_PACKING = "taken; said to be packed, and is not"
    CONTINUES_ONLY = "100 Continue, and then nothing"
    ENDLESS_HINTS = "early hints without end"
    ANSWERS_UNREAD = "503 before the body is read, then reset"
    TAKES_TWICE = "the call is repeated by what stands in between"
    ANSWERS_TWICE = "taken; two answers for one call, the second of them wrong"
    NO_TLS = "what is no TLS, where TLS is spoken"
    BROKEN_TLS = "closed within the greeting of TLS"


TAKES = {each for each in Bad if each.value.startswith("taken")} | {Bad.TAKES_TWICE}
# An answer that tells in so many words that nothing was taken, or a connection that never came to be.
SURELY_NOT = {Bad.BUSY, Bad.TOO_MANY, Bad.MOVED, Bad.SENT_ON, Bad.NO_TLS, Bad.BROKEN_TLS}
# An odd way to say that all is well.
SURELY = {Bad.NO_LENGTH, Bad.TAKES_TWICE, Bad.ANSWERS_TWICE}
# Whether the answer comes through before the reset is chance.
EITHER = {Bad.ANSWERS_UNREAD}
MAY_HAVE_ARRIVED = set(Bad) - SURELY_NOT - SURELY - EITHER
DRIP_S, LINE_S = 0.05, 0.01
PAGE = b"<html><title>login</title></html>"
MUCH = bytes(65_536)


@dataclass
class BadPartner:
    """Takes each key once. *held* are the payloads that it took, in that order. *suffers*: so many
    calls that come first; *then*: the one after them; *elsewhere*: where it sends those who call; *hangs*: a hanging call ends when it
    is set, or when the caller has had enough."""

    suffers: Bad | None = None
    times: int = 0
    then: Bad | None = None
    elsewhere: str = ""
    held: list[tuple[str, str]] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    ends: asyncio.Event = field(default_factory=asyncio.Event)
    took: Callable[[str], None] = lambda _: None
    port: int = 0
    tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        bad = self.suffers if self.connections <= self.times else None
        if self.connections == self.times + 1:
            bad = self.then
        with suppress(
            ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError
        ):
            if not await self._unread(bad, reader, writer):
                await self._talk(bad, reader, writer)
        writer.close()

    async def _unread(
        self, bad: Bad | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """What goes wrong before the call is read; False where nothing does."""
        match bad:
            case Bad.NO_TLS:
                writer.write(PAGE)
                await writer.drain()
            case Bad.BROKEN_TLS:
                await reader.readexactly(20)
            case Bad.HANGS_UNREAD:
                writer.transport.pause_reading()  # type: ignore[attr-defined] # a socket's has it
                await self._hang(reader)
            case Bad.CLOSES_UNREAD:
                pass
            case Bad.RESETS_UNREAD:
                writer.transport.abort()
            case Bad.ANSWERS_UNREAD:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(_answer(503, b"{}"))
                await writer.drain()
                writer.transport.abort()
            case _:
                return False
        return True

    async def _talk(
        self, bad: Bad | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self.tls:
            await writer.start_tls(self.tls)
        method, headers, body = await _request(reader)
        self.requests.append((method, headers))
        if method == "GET":
            writer.write(self._asked(headers))
            return
        said = b""
        if bad is None or bad in TAKES:
            said = self._taken(headers["idempotency-key"], body)
        self.calls[headers["idempotency-key"]] += 1
        if bad is Bad.TAKES_TWICE:
            said = self._taken(headers["idempotency-key"], body)
        await self._answer(bad, said, reader, writer)

    def _asked(self, headers: dict[str, str]) -> bytes:
        """A check of the line, or a question after a key."""
        number = self.numbers.get(headers.get("idempotency-key", ""))
        return _answer(200, b"{}" if number is None else orjson.dumps({"number": number}))

    def _taken(self, key: str, body: bytes) -> bytes:
        payload: dict[str, Any] = orjson.loads(body)
        status = 409 if key in self.numbers else 200
        if status == 200:
            self.numbers[key] = len(self.held) + 1
            self.held.append((payload["no"], payload["step"]))
            self.took(payload["no"])
        return _answer(status, orjson.dumps({"number": self.numbers[key]}))

    async def _answer(
        self,
        bad: Bad | None,
        said: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if bad in (Bad.HANGS_READ, Bad.HANGS_HALFWAY, Bad.CONTINUES_ONLY):
            begun = {Bad.HANGS_HALFWAY: said[:-3], Bad.CONTINUES_ONLY: _CONTINUE}
            writer.write(begun.get(bad, b""))
            await self._hang(reader)
        elif bad is Bad.TOOK_AND_CUT:
            writer.transport.abort()
        elif bad is Bad.DRIPS:
            for n in range(len(said)):
                writer.write(said[n : n + 1])
                await _pause(writer, DRIP_S)
        elif bad in _ENDLESS:
            head, more = _ENDLESS[bad]
            writer.write(head)
            while True:
                writer.write(more)
                await _pause(writer, 0.0 if bad is Bad.ENDLESS_BODY else LINE_S)
        else:
            writer.write(said if bad is None else _spoilt(bad, said, self.elsewhere))
            await writer.drain()

    async def _hang(self, reader: asyncio.StreamReader) -> None:
        """Until the test or the caller has had enough."""
        ends = asyncio.create_task(self.ends.wait())
        gone = asyncio.create_task(reader.read())
        _, left = await asyncio.wait((ends, gone), return_when=asyncio.FIRST_COMPLETED)
        for each in left:
            each.cancel()


_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_ENDLESS = {
    Bad.ENDLESS_BODY: (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", MUCH),
    Bad.ENDLESS_HEAD: (b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 4096 + b"\r\n"),
    Bad.ENDLESS_HINTS: (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
}


@cache
def _bomb() -> bytes:
    packer = zlib.compressobj(wbits=31)
    return b"".join([*(packer.compress(MUCH) for _ in range(768)), packer.flush()])


def _spoilt(bad: Bad, said: bytes, elsewhere: str) -> bytes:
    """What is sent instead of *said*, the good answer."""
    head, _, body = said.partition(b"\r\n\r\n")
    line = head.partition(b"\r\n")[0] + b"\r\nConnection: close\r\n"
    one = f"{len(body)}".encode()
    chunk = f"{len(body):x}".encode()
    other = _answer(200, b'{"number": "wrong"}')
    told: dict[Bad, bytes] = {
        Bad.CUTS_HEAD: said[:20],
        Bad.CUTS_BODY: said[:-3],
        Bad.NO_LENGTH: line + b"\r\n" + body,
        Bad.LENGTH_TOO_LONG: line + b"Content-Length: 500\r\n\r\n" + body,
        Bad.LENGTH_TOO_SHORT: line + b"Content-Length: 3\r\n\r\n" + body,
        Bad.LENGTH_IS_NONE: line + b"Content-Length: many\r\n\r\n" + body,
        Bad.TWO_LENGTHS: line + b"Content-Length: 3\r\nContent-Length: " + one + b"\r\n\r\n" + body,
        Bad.BROKEN_CHUNKS: line + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + body,
        Bad.CUT_CHUNKS: line + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + b"\r\n" + body,
        Bad.GARBAGE: b"220 mail.example ESMTP\r\n" * 20,
        Bad.NOT_JSON: _answer(200, PAGE),
        Bad.ERROR_IN_200: _answer(200, b'{"error": "database is down"}'),
        Bad.NO_CONTENT: line.replace(b"200 OK", b"204 No Content") + b"\r\n",
        Bad.FAILS: _answer(500, PAGE),
        Bad.BUSY: _answer(503, b"{}", "Retry-After: 1"),
        Bad.TOO_MANY: _answer(429, b"{}", "Retry-After: 1"),
        Bad.GATEWAY_GONE: _answer(504, PAGE),
        Bad.MOVED: _answer(301, b"", f"Location: {elsewhere}/step"),
        Bad.SENT_ON: _answer(307, b"", f"Location: {elsewhere}/step"),
        Bad.BOMB: _answer(200, _bomb() if bad is Bad.BOMB else b"", "Content-Encoding: gzip"),
        Bad.WRONG_PACKING: _answer(200, body, "Content-Encoding: gzip"),
        Bad.TAKES_TWICE: said,
        Bad.ANSWERS_TWICE: said.replace(b"Connection: close\r\n", b"") + other,
    }
    # Closed without a word.
    return told.get(bad, b"")


def _answer(status: int, body: bytes, *headers: str) -> bytes:
    reason = {200: "OK", 409: "Conflict"}.get(status, "Told")
    told = [f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([f"HTTP/1.1 {status} {reason}", *told, "", ""]).encode() + body


async def _pause(writer: asyncio.StreamWriter, seconds: float) -> None:
    await writer.drain()
    await asyncio.sleep(seconds)


async def _request(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.split(":", 1) for line in head[1:] if line)
    headers = {name.strip().lower(): value.strip() for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return head[0].split(" ")[0], headers, body


@asynccontextmanager
async def on_sockets(partners: Sequence[BadPartner]) -> AsyncIterator[None]:
    """Each of *partners* behind a free port of this machine."""
    async with AsyncExitStack() as stack:
        for partner in partners:
            partner.port = await stack.enter_async_context(talking(partner.accept))
        yield
