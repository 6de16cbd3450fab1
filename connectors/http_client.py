"""The HTTP client of all connectors, made and its errors translated in one place.

Promises   a call ends within its deadline, also with a system that drips a byte at a time; an answer
           is read, and unpacked, no further than `MOST_ANSWER_BYTES`
Units      seconds, bytes
"""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache

import httpx

from connectors.http_lines import closing_lines
from schemas.errors import Misconfigured, Transient

__all__ = ["MOST_ANSWER_BYTES", "Reply", "ask", "new_client"]

MOST_ANSWER_BYTES = 4 * 1_048_576
MOST_CONNECTIONS = 64
# Servers close idle connections after 5 s or more: we do it first, or a call meets a closed one.
IDLE_S = 2.0
PLAIN, PACKED = ("", "identity"), ("gzip", "x-gzip", "deflate")
# zlib's word for: gzip or deflate, as the first bytes tell.
EITHER_PACKING = 47


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read whole."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def after_s(self) -> float:
        """The wait that was asked for by ``Retry-After``, in seconds; 0 where none was. A date is
        counted from the answer's own (RFC 9110), so that its clock need not be ours."""
        asked = self.headers.get("retry-after", "")
        if asked.isascii() and asked.isdigit() and len(asked) < 7:
            return float(asked)
        until, now = _date(asked), _date(self.headers.get("date", ""))
        return max(0.0, (until - now).total_seconds()) if until and now else 0.0


def _date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        return None


def new_client(timeout_s: float) -> httpx.AsyncClient:
    """A client that ignores the environment's proxies and follows no redirection."""
    limits = httpx.Limits(
        max_connections=MOST_CONNECTIONS, max_keepalive_connections=16, keepalive_expiry=IDLE_S
    )
    transport = httpx.AsyncHTTPTransport(verify=_trusted(), limits=limits, trust_env=False)
    return httpx.AsyncClient(
        transport=closing_lines(transport),
        timeout=httpx.Timeout(timeout_s),
        # Answers are short. Some systems pack them all the same: see `_body`.
        headers={"Accept-Encoding": "identity"},
        trust_env=False,
        follow_redirects=False,
    )


@cache
def _trusted() -> ssl.SSLContext:
    """Read once: a city has dozens of systems, and the world hundreds of authorities."""
    return httpx.create_ssl_context(trust_env=False)


async def ask(client: httpx.AsyncClient, request: httpx.Request, timeout_s: float) -> Reply:
    """Send *request*; raises `Transient` when no whole answer came in time."""
    async with _translated(timeout_s):
        answer = await client.send(request, stream=True)
        try:
            body = await _body(answer)
        finally:
            await answer.aclose()
        return Reply(answer.status_code, answer.headers, body)


async def _body(answer: httpx.Response) -> bytes:
    """Unpacked here, no further than the limit: a library would unpack the whole of what it has read,
    and that may be a thousand times as long."""
    packing = answer.headers.get("content-encoding", "").strip().lower()
    if packing not in (*PLAIN, *PACKED):
        raise _gibberish("Not packed as we can unpack it")
    unpacker = zlib.decompressobj(EITHER_PACKING) if packing in PACKED else None
    body = bytearray()
    try:
        async for part in answer.aiter_raw():
            room = MOST_ANSWER_BYTES + 1 - len(body)
            body += unpacker.decompress(part, room) if unpacker else part
            if len(body) > MOST_ANSWER_BYTES:
                raise _gibberish("The answer is too long", limit=MOST_ANSWER_BYTES)
    except zlib.error as error:
        raise _gibberish("Not the answer that was agreed") from error
    if unpacker and not unpacker.eof:
        raise _gibberish("Not the answer that was agreed")
    return bytes(body)


def _gibberish(summary: str, **facts: int) -> Transient:
    return Transient("target.gibberish", summary, in_doubt=True, **facts)


@asynccontextmanager
async def _translated(timeout_s: float) -> AsyncIterator[None]:
    try:
        # httpx's own time-outs are per read: a system that drips never trips them.
        async with asyncio.timeout(timeout_s):
            yield
    except (TimeoutError, httpx.TimeoutException) as error:
        raise Transient(
            "target.timeout", "No answer in time", seconds=timeout_s, in_doubt=_was_sent(error)
        ) from error
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise Misconfigured("target.address", "The address cannot be called") from error
    except httpx.HTTPError as error:
        if _is_about_certificates(error):
            raise Misconfigured(
                "target.certificate", "The system's certificate is not trusted"
            ) from error
        raise Transient(
            "target.down", "The connection failed", in_doubt=_was_sent(error)
        ) from error


def _was_sent(error: Exception) -> bool:
    """Whether the request may have reached the system."""
    return not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


def _is_about_certificates(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
