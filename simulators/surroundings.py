"""What a partner is started in, and what it must be to be started.

Third parties ship partners as entry points of the group ``shuniu.simulators``: a callable that takes
`Surroundings` and gives a `Partner`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from starlette.types import ASGIApp

__all__ = ["Partner", "Surroundings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """*folder* is for the partners' stores; *secrets* by system; *speed* 1 is calm."""

    folder: Path
    hub_url: str
    secrets: Mapping[str, str]
    seed: int = 1
    speed: float = 1.0

    def __repr__(self) -> str:
        return f"Surroundings(folder={self.folder}, hub_url={self.hub_url})"


class Partner(Protocol):
    """A partner system: *app* is served on a socket while it is open."""

    @property
    def name(self) -> str: ...

    @property
    def app(self) -> ASGIApp: ...

    @property
    def addresses(self) -> Mapping[str, str]:
        """Addresses of it besides the one that *app* is served on, e.g. of its database."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *exc: object) -> None: ...
