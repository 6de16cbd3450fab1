"""The hub's end of the line in tests of partners: a door on a real socket, and signed calls to them."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulators.server import listening
from simulators.signing import Doorkeeper, signed_headers
from simulators.surroundings import Partner, Surroundings

__all__ = ["SECRET", "Arrived", "Door", "Line", "a_partner", "until"]

SECRET = "a-secret-of-tests"
SOON_S = 8.0


@dataclass(frozen=True, slots=True)
class Arrived:
    """What a partner pushed, and how it was answered."""

    system: str
    kind: str
    key: str
    body: bytes
    status: int

    @property
    def content(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Door:
    """Takes what partners push. *statuses*: how the next ones are answered, then all with 202."""

    statuses: list[int] = field(default_factory=list)
    arrived: list[Arrived] = field(default_factory=list)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    url: str = ""

    async def __aenter__(self) -> Self:
        route = Route("/in/{system}/{kind}", self._take, methods=["POST"])
        self._served = listening(Starlette(routes=[route]))
        self.url = await self._served.__aenter__()
        self._doorkeeper = Doorkeeper(SECRET)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._served.__aexit__(None, None, None)

    @property
    def taken(self) -> list[Arrived]:
        return [each for each in self.arrived if each.status == 202]

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        why = self._doorkeeper.refusal(
            "POST", request.url.path, "", request.headers, body, now_ms=time.time_ns() // 1_000_000
        )
        status = 401 if why else self.statuses.pop(0) if self.statuses else 202
        path, headers = request.path_params, request.headers
        self.headers[headers["idempotency-key"]] = dict(headers)
        self.arrived.append(
            Arrived(path["system"], path["kind"], headers["idempotency-key"], body, status)
        )
        return JSONResponse({"id": "1", "why": why}, status)


@dataclass(slots=True)
class Line:
    """Signed calls to a partner, and its control."""

    url: str
    http: httpx.AsyncClient
    keys: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def post(
        self, path: str, content: Any, *, key: str = "", secret: str = SECRET
    ) -> httpx.Response:
        key = key or f"k{next(self.keys)}"
        return await self.send(
            "POST", path, orjson.dumps(content), secret, {"Idempotency-Key": key}
        )

    async def get(self, path: str, *, secret: str = SECRET) -> httpx.Response:
        return await self.send("GET", path, b"", secret, {})

    async def soap(self, text: bytes, action: str, *, secret: str = SECRET) -> httpx.Response:
        headers = {"SOAPAction": f'"{action}"', "Content-Type": "text/xml; charset=utf-8"}
        return await self.send("POST", "ws", text, secret, headers)

    async def send(
        self, method: str, path: str, body: bytes, secret: str, headers: Mapping[str, str]
    ) -> httpx.Response:
        url = f"{self.url}/{path}"
        now_ms = time.time_ns() // 1_000_000
        signed = signed_headers(
            secret, app_id="shuniu", method=method, url=url, body=body, now_ms=now_ms
        )
        return await self.http.request(method, url, content=body, headers={**signed, **headers})

    async def control(self, path: str, content: Any = None) -> Any:
        method = "GET" if content is None else "POST"
        answer = await self.http.request(method, f"{self.url}/_sim/{path}", json=content)
        answer.raise_for_status()
        return answer.json()

    async def quiet(self) -> bool:
        return bool((await self.control("quiet"))["quiet"])


@asynccontextmanager
async def a_partner(
    make: Callable[[Surroundings], Partner],
    folder: Path,
    *,
    hub_url: str = "http://127.0.0.1:9",
    system: str,
    speed: float = 50.0,
) -> AsyncIterator[Line]:
    """The partner that *make* makes, running on a socket."""
    given = Surroundings(
        folder=folder, hub_url=hub_url, secrets={system: SECRET}, seed=7, speed=speed
    )
    async with (
        make(given) as partner,
        listening(partner.app) as url,
        httpx.AsyncClient(timeout=SOON_S, trust_env=False) as http,
    ):
        yield Line(url, http)


async def until(fact: Callable[[], Awaitable[bool]], missing: str) -> None:
    """Wait for *fact*; after `SOON_S` seconds the test fails, saying what is *missing*."""
    ends = time.monotonic() + SOON_S
    while not await fact():
        assert time.monotonic() < ends, f"still missing: {missing}"
        await asyncio.sleep(0.01)
