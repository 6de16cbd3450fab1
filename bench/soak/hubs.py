"""The hub's processes: `shuniu run`, started again whenever they end, as a service manager would.

Units      resident memory in MB, slopes in MB an hour
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression
from time import monotonic
from typing import IO

from bench.children import ROOT
from schemas.errors import Transient

__all__ = ["Hub", "slope_per_hour"]

AGAIN_S, STOP_S, WARM_SHARE, FEW = 1.0, 25.0, 1 / 3, 10
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1_048_576


@dataclass
class Hub:
    """One process of *roles*. *memory*: when, and how much, of the one that runs since `started`."""

    name: str
    roles: Sequence[str]
    environment: Mapping[str, str]
    log: IO[bytes]
    words: Sequence[str] = ()
    killed: int = 0
    ended_itself: int = 0
    peak_mb: float = 0.0
    memory: list[tuple[float, float]] = field(default_factory=list)
    _process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        """Until cancelled: then it is stopped in order."""
        try:
            while True:
                self._process = await self._started()
                self.memory.clear()
                kills = self.killed
                await self._process.wait()
                self.ended_itself += self.killed == kills
                await asyncio.sleep(AGAIN_S)
        finally:
            await self._stopped()

    def kill(self) -> None:
        """``kill -9``."""
        if self._process is not None and self._process.returncode is None:
            self.killed += 1
            self._process.kill()

    def look(self) -> None:
        """Note its memory."""
        if self._process is None or self._process.returncode is not None:
            return
        try:
            told = Path(f"/proc/{self._process.pid}/statm").read_text(encoding="ascii")
        except OSError:
            return  # it has just gone
        resident = int(told.split()[1]) * _PAGE_MB
        self.peak_mb = max(self.peak_mb, resident)
        self.memory.append((monotonic(), resident))

    async def _started(self) -> asyncio.subprocess.Process:
        roles = [word for role in self.roles for word in ("--role", role)]
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "shuniu", "run", *roles, *self.words, "--watched"),
            cwd=ROOT,
            env={**os.environ, **self.environment},
            stdin=asyncio.subprocess.PIPE,
            stdout=self.log,
            stderr=self.log,
        )

    async def _stopped(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin:
            process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError as error:
            process.kill()
            await process.wait()
            raise Transient("bench.child", f"{self.name} did not stop") from error


def slope_per_hour(memory: Sequence[tuple[float, float]]) -> float | None:
    """Of the last two thirds, when it has warmed up; None of too few."""
    lasting = memory[int(len(memory) * WARM_SHARE) :]
    if len(lasting) < FEW:
        return None
    times, sizes = zip(*lasting, strict=True)
    return linear_regression(times, sizes).slope * 3600
