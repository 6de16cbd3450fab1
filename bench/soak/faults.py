"""What goes wrong in a soak, and when: at random, the same for the same seed.

Units      seconds
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic

from bench.soak.hubs import Hub
from bench.soak.partners import MOODS, WELL, Partner
from shuniu.node import PrivateNode
from tests.faults.database import PrivateDatabase

__all__ = ["Act", "Faults", "going_wrong", "killed"]

# Between two of a kind, about; each is varied by half.
KILL_S, ILL_S, DATABASE_S, BROKER_S = 25.0, 20.0, 100.0, 140.0
ILLNESS_S = 6.0
GONE_S, LOOK_S = 30.0, 0.05


Act = Callable[[random.Random], Awaitable[None]]


async def going_wrong(
    seed: int, kinds: Mapping[str, tuple[float, Act]], happened: Counter[str]
) -> None:
    """Each of *kinds* every so many seconds, about, until cancelled; what is being mended is mended
    first. *happened*: how many of each so far."""
    async with asyncio.TaskGroup() as tasks:
        for n, (kind, (every_s, act)) in enumerate(kinds.items()):
            chance = random.Random(f"{seed}-{n}")  # noqa: S311 - play, not secrets
            tasks.create_task(_now_and_then(kind, every_s, act, chance, happened))


async def _now_and_then(
    kind: str, every_s: float, act: Act, chance: random.Random, happened: Counter[str]
) -> None:
    while True:
        await asyncio.sleep(every_s * chance.uniform(0.5, 1.5))
        happened[kind] += 1
        # A server that is down stays down no longer for our being stopped meanwhile.
        mending = asyncio.ensure_future(act(chance))
        try:
            await asyncio.shield(mending)
        except asyncio.CancelledError:
            await mending
            raise


@dataclass
class Faults:
    """*happened*: how many of each kind."""

    seed: int
    hubs: Sequence[Hub]
    partners: Mapping[str, Partner]
    node: PrivateNode
    database: PrivateDatabase
    told: Callable[[str], None]
    happened: Counter[str] = field(default_factory=Counter)
    server: subprocess.Popen[bytes] | None = None

    async def run(self) -> None:
        """Until cancelled; what is being mended is mended first."""
        kinds: dict[str, tuple[float, Act]] = {
            "worker killed": (KILL_S, self._kill),
            "receiver ill": (ILL_S, self._ill),
            "database killed": (DATABASE_S, self._database),
            "broker killed": (BROKER_S, self._broker),
        }
        await going_wrong(self.seed, kinds, self.happened)

    async def _kill(self, chance: random.Random) -> None:
        chance.choice(self.hubs).kill()

    async def _ill(self, chance: random.Random) -> None:
        partner = self.partners[chance.choice(list(self.partners))]
        partner.mood = chance.choice(MOODS)
        await asyncio.sleep(ILLNESS_S * chance.uniform(0.3, 1.7))
        partner.mood = WELL

    async def _database(self, _: random.Random) -> None:
        self.told("the database is killed")
        await asyncio.to_thread(self.database.kill)
        self.server = await asyncio.to_thread(self.database.start)

    async def _broker(self, _: random.Random) -> None:
        self.told("the broker is killed")
        await killed(self.node.broker_pid)
        await self.node.revive()


async def killed(process: int) -> None:
    """``kill -9``, and wait until it is gone."""
    handle = os.pidfd_open(process)
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        ends = monotonic() + GONE_S
        while _runs(process) and monotonic() < ends:
            await asyncio.sleep(LOOK_S)
    finally:
        os.close(handle)


def _runs(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8") as told:  # noqa: PTH123 - of the kernel
            return told.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
