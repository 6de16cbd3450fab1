"""One partner on a socket of its own, and the ways in which it can break off.

Careful    ASGI has no way to drop a connection, so `break_off` reaches for uvicorn's transport; it
           needs the server's own ``send``, before any middleware wraps it
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Send

__all__ = ["break_off", "listening"]

HOST = "127.0.0.1"
BACKLOG = 512


class _Server(uvicorn.Server):
    """Signals belong to the process, not to one of its many servers."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def listening(app: ASGIApp, *, port: int = 0) -> AsyncIterator[str]:
    """Serve *app* while the block runs; gives its address. Port 0: any that is free."""
    # With the protocol named asyncio turns Nagle's algorithm off; else each answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    listener.listen(BACKLOG)  # a call that comes before the loop turns waits instead of failing
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        http="h11",
        proxy_headers=False,
        access_log=False,
        log_config=None,
        log_level="critical",
        timeout_graceful_shutdown=1,
        timeout_keep_alive=30,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://{HOST}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await asyncio.wait([task])
        listener.close()


def break_off(send: Send) -> None:
    """Drop the connection on which *send* answers, at once and without a word."""
    cycle: Any = getattr(send, "__self__", None)
    if cycle is not None:
        cycle.transport.abort()
