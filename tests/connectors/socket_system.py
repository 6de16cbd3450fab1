"""A partner's system on a socket, spoken to byte by byte, so that it can go wrong in every way.

Speaks to  whoever calls it, HTTP/1.1; what it says in which case is its `Tongue`'s business
Not here   courses of cases and stores on disk: those are the simulators
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

from connectors.conformance import Fault
from tests.servers.sockets import talking

__all__ = ["Asked", "Said", "SocketSystem", "Tongue", "on_a_socket"]

DRIP_S = 0.02
REASONS = {200: "OK", 201: "Created", 401: "Unauthorized", 409: "Conflict", 422: "Unprocessable"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. Header names are lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def asked(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Said:
    """An answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Tongue(Protocol):
    """What the system says. It may keep what it was given."""

    def answers(self, asked: Asked) -> Said:
        """All is well."""

    def says(self, fault: Fault, asked: Asked) -> Said:
        """The answer for ``BUSY``, ``REFUSES``, ``FORBIDS`` and ``GIBBERISH``."""


class SocketSystem:
    """Suffers a fault with the next call, then recovers. Its tasks are named ``system …``."""

    def __init__(self, tongue: Tongue) -> None:
        self._tongue = tongue
        self._fault: Fault | None = None
        self.calls: list[Asked] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def suffers(self, fault: Fault) -> None:
        self._fault = fault

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._one(reader, writer):
                pass
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One call; False when the talk is over."""
        asked = await _request(reader)
        self.calls.append(asked)
        fault, self._fault = self._fault, None
        match fault:
            case Fault.DOWN:
                writer.transport.abort()
                return False
            case Fault.LOSES_ANSWER:
                self._tongue.answers(asked)
                writer.transport.abort()
                return False
            case Fault.HANGS:
                await reader.read()  # until the other side has had enough
                return False
            case Fault.DRIPS:
                await _drip(writer)
                return False
            case None:
                said = self._tongue.answers(asked)
            case _:
                said = self._tongue.says(fault, asked)
        writer.write(_answer(said))
        await writer.drain()
        return True


async def _request(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    pairs = (line.split(":", 1) for line in head[1:] if line)
    headers = {name.strip().lower(): value.strip() for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    return Asked(method, parts.path, parts.query, headers, body)


async def _drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(DRIP_S)


def _answer(said: Said) -> bytes:
    headers = {"Content-Length": str(len(said.body)), **said.headers}
    lines = [f"HTTP/1.1 {said.status} {REASONS.get(said.status, 'Told')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + said.body


@asynccontextmanager
async def on_a_socket(tongue: Tongue) -> AsyncIterator[SocketSystem]:
    """*tongue* behind a free port of this machine."""
    system = SocketSystem(tongue)
    async with talking(system.talk) as system.port:
        yield system
