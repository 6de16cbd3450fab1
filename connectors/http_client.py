"""The HTTP client of all connectors, made and its errors translated in one place.

Promises   a call ends within its deadline, also with a system that drips a byte at a time; an answer
           is read no further than `MOST_ANSWER_BYTES`
Units      seconds, bytes
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from schemas.errors import Misconfigured, Transient

__all__ = ["MOST_ANSWER_BYTES", "Reply", "ask", "new_client"]

MOST_ANSWER_BYTES = 4 * 1_048_576
MOST_CONNECTIONS = 64
# Servers close idle connections after 5 s or more: we do it first, or a call meets a closed one.
IDLE_S = 2.0


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
    return httpx.AsyncClient(
        timeout=httpx.Timeout(timeout_s),
        limits=httpx.Limits(
            max_connections=MOST_CONNECTIONS,
            max_keepalive_connections=16,
            keepalive_expiry=IDLE_S,
        ),
        # Unpacked, an answer could be a thousand times as long as what was read.
        headers={"Accept-Encoding": "identity"},
        trust_env=False,
        follow_redirects=False,
    )


async def ask(client: httpx.AsyncClient, request: httpx.Request, timeout_s: float) -> Reply:
    """Send *request*; raises `Transient` when no whole answer came in time."""
    async with _translated(timeout_s):
        answer = await client.send(request, stream=True)
        try:
            body = bytearray()
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > MOST_ANSWER_BYTES:
                    raise Transient(
                        "target.gibberish",
                        "The answer is too long",
                        limit=MOST_ANSWER_BYTES,
                        in_doubt=True,
                    )
        finally:
            await answer.aclose()
        return Reply(answer.status_code, answer.headers, bytes(body))


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
    except httpx.DecodingError as error:
        raise Transient(
            "target.gibberish", "Not the answer that was agreed", in_doubt=True
        ) from error
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
