"""Lines to HTTP servers that are closed whatever ends them.

Promises   a greeting of TLS that is given up, as by the time-out of a whole call, leaves no socket open:
           a system that accepts and never greets would otherwise take one for each call
Careful    httpcore closes the line where the greeting fails, and not where it is cancelled
"""

from __future__ import annotations

import select
import ssl
from collections.abc import Iterable
from socket import socket
from typing import Any

import httpcore
import httpx

__all__ = ["closing_lines"]


def closing_lines(transport: httpx.AsyncHTTPTransport) -> httpx.AsyncHTTPTransport:
    """*transport*, with such lines."""
    transport._pool._network_backend = _Lines()  # noqa: SLF001 - httpx has no other door
    return transport


class _Lines(httpcore.AnyIOBackend):
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _Line(await super().connect_tcp(host, port, timeout, local_address, socket_options))


class _Line(httpcore.AsyncNetworkStream):
    def __init__(self, line: httpcore.AsyncNetworkStream) -> None:
        self._line = line
        self._socket: socket | None = line.get_extra_info("socket")

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - as above
        return await self._line.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as above
        await self._line.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._line.aclose()

    def get_extra_info(self, info: str) -> Any:
        # Of every idle line, at each call: has the other side closed it?
        if info == "is_readable":
            return _is_readable(self._socket)
        return self._line.get_extra_info(info)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as above
    ) -> httpcore.AsyncNetworkStream:
        try:
            return _Line(await self._line.start_tls(ssl_context, server_hostname, timeout))
        except BaseException:
            await self._line.aclose()
            raise


def _is_readable(line: socket | None) -> bool:
    """Whether a read would return at once, as it does of a line that is closed."""
    if line is None or line.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(line.fileno(), select.POLLIN)
    return bool(poll.poll(0))
