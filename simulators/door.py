"""How a partner pushes to the hub: signed, with a key, again and again until it is taken or refused.

Form       ``POST <hub>/in/<system>/<kind>`` with ``Idempotency-Key``; 2xx is taken, 4xx is refused
Units      waits between tries grow from 0.2 s to 3 s
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

import httpx
import structlog

from simulators.signing import signed_headers
from simulators.store import Store, Told
from simulators.switches import Switches

__all__ = ["Door"]

AT_ONCE = 8
TRY_S, FIRST_WAIT_S, LONGEST_WAIT_S = 10.0, 0.2, 3.0
LATER = {408, 425, 429}
log = structlog.get_logger("simulators.door")


class Door:
    """*written* makes the document to send of what is told."""

    def __init__(
        self,
        *,
        system: str,
        hub_url: str,
        secret: str,
        store: Store,
        written: Callable[[Told], bytes],
        content_type: str,
        switches: Callable[[], Switches],
    ) -> None:
        self._system, self._hub_url, self._secret = system, hub_url.rstrip("/"), secret
        self._store, self._written, self._content_type = store, written, content_type
        self._switches = switches
        self._queue: asyncio.Queue[Told] = asyncio.Queue()
        self._pushed = 0

    async def __aenter__(self) -> Self:
        limits = httpx.Limits(max_connections=AT_ONCE)
        self._http = httpx.AsyncClient(timeout=TRY_S, trust_env=False, limits=limits)
        for told in await asyncio.to_thread(self._store.waiting):
            self.put(told)
        self._workers = [asyncio.create_task(self._work()) for _ in range(AT_ONCE)]
        return self

    async def __aexit__(self, *exc: object) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.wait(self._workers)
        await self._http.aclose()

    def put(self, told: Told) -> None:
        self._queue.put_nowait(told)

    async def _work(self) -> None:
        while True:
            await self._push(await self._queue.get())

    async def _push(self, told: Told) -> None:
        self._pushed += 1
        switches, nth, body = self._switches(), self._pushed, self._written(told)
        if switches.malformed_every and nth % switches.malformed_every == 0:
            await self._until_answered(told.kind, body[: len(body) * 2 // 3], f"{told.key}/broken")
        state, answer = await self._until_answered(told.kind, body, told.key)
        if switches.duplicate_every and nth % switches.duplicate_every == 0:
            await self._until_answered(told.kind, body, told.key)
        if state == "refused":
            # The status alone: reasons may name what stands in the record.
            log.warning("event.refused", system=self._system, kind=told.kind, status=answer[:3])
        await asyncio.to_thread(self._store.settle, told.seq, state, answer)

    async def _until_answered(self, kind: str, body: bytes, key: str) -> tuple[str, str]:
        wait_s = FIRST_WAIT_S
        while True:
            with suppress(httpx.HTTPError):
                answer = await self._once(kind, body, key)
                if answer.is_success:
                    return "done", answer.text
                if answer.is_client_error and answer.status_code not in LATER:
                    return "refused", f"{answer.status_code} {answer.text}"
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    async def _once(self, kind: str, body: bytes, key: str) -> httpx.Response:
        url = f"{self._hub_url}/in/{self._system}/{kind}"
        headers = signed_headers(
            self._secret,
            app_id=self._system,
            method="POST",
            url=url,
            body=body,
            now_ms=time.time_ns() // 1_000_000,
        )
        headers |= {"Content-Type": self._content_type, "Idempotency-Key": key}
        return await self._http.post(url, content=body, headers=headers)
