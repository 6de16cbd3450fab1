"""All partners of the reference site and of the ready front ends in one process, each on a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path

from simulators.construction_approval import ConstructionApproval
from simulators.fire_safety import fire_safety
from simulators.front_end import statistics_bureau, tax_bureau
from simulators.integrated_platform import IntegratedPlatform
from simulators.market_supervision import market_supervision
from simulators.one_window import one_window
from simulators.province_library import ProvinceLibrary
from simulators.server import listening
from simulators.special_industry import special_industry
from simulators.surroundings import Partner, Surroundings

__all__ = ["PARTNERS", "RunningSimulators", "run"]

GROUP = "shuniu.simulators"
ADDRESSES = "addresses.json"


def _construction_approval(given: Surroundings) -> Partner:
    return ConstructionApproval(given.folder, seed=given.seed, speed=given.speed)


def _province_library(given: Surroundings) -> Partner:
    return ProvinceLibrary(given.folder)


PARTNERS: dict[str, Callable[[Surroundings], Partner]] = {
    "integrated-platform": IntegratedPlatform,
    "special-industry": special_industry,
    "one-window": one_window,
    "market-supervision": market_supervision,
    "construction-approval": _construction_approval,
    "fire-safety": fire_safety,
    "province-library": _province_library,
    "tax-bureau": tax_bureau,
    "statistics-bureau": statistics_bureau,
}


@dataclass(slots=True)
class RunningSimulators:
    """*addresses*: each partner's, and those of what it has besides, e.g. its database."""

    addresses: Mapping[str, str]
    _stopped: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def stop(self) -> None:
        """Lets `until_stopped` return; leaving the block of `run` is what stops them."""
        self._stopped.set()

    async def until_stopped(self) -> None:
        await self._stopped.wait()


@asynccontextmanager
async def run(
    folder: Path,
    hub_url: str,
    secrets: Mapping[str, str],
    *,
    seed: int = 1,
    speed: float = 1.0,
) -> AsyncIterator[RunningSimulators]:
    """
    Run the partners of the reference site, and those that other packages add, while the block runs.

    Their addresses are written to ``folder/addresses.json``, which is removed again at the end; their
    stores are in *folder*, and a partner that finds its store goes on where it was. *secrets*:
    by system, each shared with the hub.
    """
    partners = PARTNERS | {each.name: each.load() for each in entry_points(group=GROUP)}
    given = Surroundings(folder=folder, hub_url=hub_url, secrets=secrets, seed=seed, speed=speed)
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    file = folder / ADDRESSES
    addresses: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        for name, make in partners.items():
            partner = await stack.enter_async_context(make(given))
            addresses[name] = await stack.enter_async_context(listening(partner.app))
            addresses |= partner.addresses
        await asyncio.to_thread(_write, file, addresses)
        try:
            yield RunningSimulators(addresses)
        finally:
            await asyncio.to_thread(file.unlink, missing_ok=True)


def _write(file: Path, addresses: Mapping[str, str]) -> None:
    """At once: a reader never sees half of it."""
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps(addresses, indent=1), encoding="utf-8")
    draft.replace(file)
