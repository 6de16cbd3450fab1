"""The simulated partners, asked over their control addresses: what they hold, whether they rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from schemas.errors import Transient

__all__ = ["Held", "Partners"]

CONTROL_S = 30.0


@dataclass(frozen=True, slots=True)
class Held:
    """What one partner's own store holds: the keys it took, by call, and its counts."""

    system: str
    keys: Mapping[str, frozenset[str]]
    counts: Mapping[str, int]


class Partners:
    def __init__(self, addresses: Mapping[str, str], client: httpx.AsyncClient) -> None:
        self._addresses, self._client = addresses, client

    @property
    def systems(self) -> tuple[str, ...]:
        return tuple(self._addresses)

    async def submit(self, cases: int) -> None:
        await self._ask("integrated-platform", "POST", "submit", {"cases": cases})

    async def misbehave(self, system: str, faults: Mapping[str, Any]) -> None:
        await self._ask(system, "POST", "faults", dict(faults))

    async def quiet(self) -> bool:
        """Whether no partner has anything still to send."""
        for system in self._addresses:
            told = await self._ask(system, "GET", "quiet")
            if not told["quiet"]:
                return False
        return True

    async def counts(self, system: str) -> dict[str, int]:
        counts: dict[str, int] = await self._ask(system, "GET", "counts")
        return counts

    async def held(self, system: str) -> Held:
        keys: dict[str, set[str]] = {}
        for row in await self._ask(system, "GET", "holds"):
            keys.setdefault(row["call"], set()).add(row["key"])
        return Held(
            system,
            {call: frozenset(found) for call, found in keys.items()},
            await self.counts(system),
        )

    async def _ask(self, system: str, method: str, path: str, body: Any = None) -> Any:
        parts = urlsplit(self._addresses[system])
        url = f"{parts.scheme}://{parts.netloc}/_sim/{path}"
        try:
            answer = await self._client.request(method, url, json=body, timeout=CONTROL_S)
            answer.raise_for_status()
            return answer.json()
        except httpx.HTTPError as error:
            raise Transient(
                "demo.partner-away", "A simulated partner does not answer", system=system
            ) from error
