"""Where records come in: a partner that is asked for what is new, and one that knocks until it is answered."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from itertools import cycle

import httpx
import orjson

from connectors.conformance import Fault
from connectors.signing import signed_headers
from tests.connectors.socket_system import Asked, Said
from tests.hub.conftest import now

__all__ = ["SECRET", "Feed", "Sender"]

SECRET, SENDER = "secret", "sender"
KNOCK_S, ANSWER_S, OUTCOME_S = 0.05, 10.0, 8
OFF, WRONG, DENIED, WELL = 503, 422, 401, 200
TOO_LONG = 150_000


def _body(number: str, step: int) -> dict[str, str]:
    return {"bh": number, "hj": f"{step}", "qh": "130102"}


@dataclass
class Feed:
    """Tells what is new behind a cursor, and again the entry before it, as its contract allows. Of
    four answers to a first page, one is that it is away, one that the question is wrong, one that the key is."""

    entries: list[dict[str, str]] = field(default_factory=list)
    goes_on: int = -1
    moods: cycle[int] = field(default_factory=lambda: cycle((OFF, WRONG, DENIED, WELL)))

    def add(self, number: str, step: int) -> None:
        self.entries.append({"key": f"{number}/{step}", **_body(number, step)})

    def add_unsendable(self, number: str) -> None:
        """Its key fits no message."""
        self.entries.append({"key": number + "k" * TOO_LONG, **_body(number, 1)})

    def answers(self, asked: Asked) -> Said:
        after, most = int(asked.asked.get("after") or 0), int(asked.asked["limit"])
        if after != self.goes_on and (mood := next(self.moods)) != WELL:
            return Said(mood, b'{"reason": "no"}')
        first = max(0, after - 1)
        page = self.entries[first : first + most]
        self.goes_on = first + most if len(page) == most else -1
        return Said(200, orjson.dumps({"items": page, "next": str(first + len(page))}))

    def says(self, fault: Fault, asked: Asked) -> Said:
        raise NotImplementedError


@dataclass
class Sender:
    """Pushes to the hub's door; a call that is not answered is made again, under the same key."""

    url: str
    answers: Counter[int] = field(default_factory=Counter)
    unanswered: int = 0

    async def sends(self, number: str, *, wait: bool = False) -> str:
        """Returns its id, where it is told one."""
        body = orjson.dumps(_body(number, 1))
        prefers = {"Prefer": f"wait={OUTCOME_S}"} if wait else {}
        answer = await self._until_answered("POST", "/in/sender/step", body, number, prefers)
        return str(answer.json().get("id", ""))

    async def sends_rubbish(self, number: str) -> None:
        await self._until_answered("POST", "/in/sender/step", b"{", number, {})

    async def asks(self, record_id: str) -> str:
        """Until the outcome is known."""
        while True:
            answer = await self._until_answered("GET", f"/api/receipts/{record_id}", b"", "", {})
            if answer.status_code == 200 and answer.json()["state"] != "pending":
                return str(answer.json()["state"])
            await asyncio.sleep(KNOCK_S)

    async def _until_answered(
        self, method: str, path: str, body: bytes, key: str, more: dict[str, str]
    ) -> httpx.Response:
        url = f"{self.url}{path}"
        async with httpx.AsyncClient(timeout=ANSWER_S, trust_env=False) as client:
            while True:
                signed = signed_headers(
                    SECRET, method=method, url=url, body=body, at=now(), app_id=SENDER
                )
                headers = {**signed, **more, "Idempotency-Key": key}
                try:
                    answer = await client.request(method, url, content=body, headers=headers)
                except httpx.HTTPError:
                    self.unanswered += 1
                else:
                    if answer.status_code != OFF:
                        self.answers[answer.status_code] += 1
                        return answer
                await asyncio.sleep(KNOCK_S)
