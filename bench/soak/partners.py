"""Receivers with stores of their own, on real sockets, which are ill as they are told.

Form       a delivery is ``POST /step`` with ``Idempotency-Key``; a repeat is answered 409 with the number
Units      seconds
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson

__all__ = ["MOODS", "WELL", "Partner", "listening"]

WELL, BUSY, HANGS, LOSES, HALF = "well", "busy", "hangs", "loses answers", "half answers"
MOODS = (BUSY, HANGS, LOSES, HALF)
LONGEST_HEAD, HANGS_S = 65_536, 30.0


@dataclass
class Partner:
    """*held*: case, step and when it came, in that order, once a key. *mood* holds until it is changed."""

    mood: str = WELL
    held: list[tuple[str, str, float]] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    repeats: int = 0
    ill_answers: int = 0

    async def answer(self, key: str, body: bytes) -> bytes | None:
        """What is written back; None: the connection is closed without a word."""
        mood, self.ill_answers = self.mood, self.ill_answers + (self.mood != WELL)
        if mood == BUSY:
            return _said(503, {})
        if mood == HANGS:
            await asyncio.sleep(HANGS_S)
            return None
        had = key in self.numbers
        if had:
            self.repeats += 1
        else:
            told = orjson.loads(body)
            self.held.append((told["no"], told["step"], time.monotonic()))
            self.numbers[key] = len(self.held)
        if mood == LOSES:
            return None
        said = _said(409 if had else 200, {"number": self.numbers[key]})
        return said[: len(said) // 2] if mood == HALF else said


@asynccontextmanager
async def listening(partner: Partner) -> AsyncIterator[str]:
    """The address at which *partner* is reached while the block runs."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await _exchange(partner, reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the hub was killed, or gave up
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=LONGEST_HEAD)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def _exchange(
    partner: Partner, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    """One request and its answer; False where the connection is to be closed."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    lines = head.split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    if lines[0].startswith("GET"):
        said: bytes | None = _said(503 if partner.mood in (BUSY, HANGS) else 200, {})
    else:
        said = await partner.answer(headers["idempotency-key"], body)
    if said is not None:
        writer.write(said)
        await writer.drain()
    return said is not None and partner.mood != HALF


def _said(status: int, document: dict[str, object]) -> bytes:
    content = orjson.dumps(document)
    head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content
