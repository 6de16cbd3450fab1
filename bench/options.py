"""What the command line asks of a bench."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Options"]


@dataclass(frozen=True, slots=True)
class Options:
    """*messages*, *rows*, *seconds* and *minutes*: 0 means the bench's own default."""

    repeats: int = 3
    messages: int = 0
    seconds: float = 0.0
    kb: tuple[float, ...] = (2.0,)
    destinations: int = 1
    processes: int = 2
    dead_receiver: bool = False
    ordered: bool = False
    rows: int = 0
    minutes: float = 0.0
