"""Who works on which retry job: a lease counts as long as its owner is seen to renew it.

A time that somebody else wrote says nothing when clocks are set, theirs or ours. So each process
watches, by its own time that nobody sets: a lease that stayed the same for as long as it lasts is
nobody's. Pure.

Units      seconds
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

__all__ = ["Lease", "Stillness", "Watch"]


class Lease(NamedTuple):
    """As it is kept with the job; *state* is the job's."""

    job_id: str
    state: str
    owner: str | None
    until: datetime | None


class Watch:
    """Of *owner*, by a time that only goes on."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._since: dict[Lease, float] = {}

    def nobodys(self, leases: Sequence[Lease], at: float, lasts_s: float) -> Sequence[Lease]:
        """Of *leases*, as they are now, those that *owner* may take; *at*: its time."""
        self._since = {lease: self._since.get(lease, at) for lease in leases}
        return [
            lease
            for lease, since in self._since.items()
            if lease.owner in (None, self._owner) or at - since >= lasts_s
        ]


class Stillness:
    """For how long something has been the same."""

    def __init__(self) -> None:
        self._what: object = None
        self._since = 0.0

    def of(self, what: object, at: float) -> float:
        if what != self._what:
            self._what, self._since = what, at
        return at - self._since
