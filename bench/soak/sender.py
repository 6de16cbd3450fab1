"""The load: cases of a few steps, each record pushed to the gateway until it is taken.

Units      seconds; rates in records a second
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from time import monotonic

import httpx
import orjson

from bench.soak.site import BULK, KIND, SENDER
from connectors.signing import signed_headers
from shuniu.clock import now

__all__ = ["Sender"]

STEPS, SENDERS = 4, 8
BURST, BURST_EVERY_S = 300, 45.0
AGAIN_S, ANSWER_S = 0.3, 15.0
OPINION = "同意受理，材料齐全。" * 60


@dataclass
class Sender:
    """*sent*: when a case's step was taken by the hub, of bulk and of others. *tries*: calls made."""

    url: str
    secrets: dict[str, str]
    per_s: float
    sent: dict[tuple[str, str], float] = field(default_factory=dict)
    bulk: set[str] = field(default_factory=set)
    tries: int = 0
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self) -> None:
        """Begin nothing new."""
        self._ended.set()

    async def run(self) -> None:
        """Until `end`; what was begun is sent to its end."""
        limits = httpx.Limits(max_connections=2 * SENDERS)
        async with (
            httpx.AsyncClient(timeout=ANSWER_S, trust_env=False, limits=limits) as client,
            asyncio.TaskGroup() as tasks,
        ):
            for n in range(SENDERS):
                tasks.create_task(self._cases(client, n))
            tasks.create_task(self._bursts(client))

    async def _cases(self, client: httpx.AsyncClient, n: int) -> None:
        gap_s, count = SENDERS / self.per_s, 0
        while not self._ended.is_set():
            case, count = f"c{n}-{count}", count + 1
            for step in range(1, STEPS + 1):
                began = monotonic()
                await self._until_taken(client, SENDER, case, str(step))
                await asyncio.sleep(max(0.0, gap_s - (monotonic() - began)))

    async def _bursts(self, client: httpx.AsyncClient) -> None:
        count = 0
        while not await self._waited(BURST_EVERY_S):
            async with asyncio.TaskGroup() as tasks:
                room = asyncio.Semaphore(SENDERS)
                for _ in range(BURST):
                    case, count = f"b-{count}", count + 1
                    self.bulk.add(case)
                    tasks.create_task(self._of_bulk(client, room, case))

    async def _of_bulk(self, client: httpx.AsyncClient, room: asyncio.Semaphore, case: str) -> None:
        async with room:
            await self._until_taken(client, BULK, case, "1")

    async def _waited(self, seconds: float) -> bool:
        """Whether it was ended meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                return await self._ended.wait()
        except TimeoutError:
            return False

    async def _until_taken(
        self, client: httpx.AsyncClient, system: str, case: str, step: str
    ) -> None:
        url = f"{self.url}/in/{system}/{KIND}"
        body = orjson.dumps({"bh": case, "hj": step, "yj": OPINION})
        while True:
            self.tries += 1
            headers = signed_headers(
                self.secrets[system], method="POST", url=url, body=body, at=now(), app_id=system
            )
            try:
                answer = await client.post(
                    url, content=body, headers={**headers, "Idempotency-Key": f"{case}/{step}"}
                )
            except httpx.HTTPError:
                pass  # it is made again
            else:
                if answer.status_code == httpx.codes.ACCEPTED:
                    self.sent[case, step] = monotonic()
                    return
            await asyncio.sleep(AGAIN_S)
