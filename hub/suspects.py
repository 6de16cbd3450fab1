"""Messages that may be what broke their worker: each is taken up alone, noted in the database before.

Who comes after a process that died finds its note. When two have died of the same one, it is given
up, and goes to the failure store. Who sent it is checked once more then; where that is what they die of, the
next one gives it up unchecked, and nobody sends it again: that would sign it. That the check has passed is
noted too: who dies while giving it up did not die of the check.

Promises   of one process one suspect at a time is noted: what dies beside it leaves no note
Careful    the turn is waited for shortly: the suspect of a target that hangs stops nobody else's
Units      seconds
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from hub.broker import SUSPECT_AFTER, Incoming, times_delivered
from hub.store import Store
from hub.store import suspects as notes
from schemas.errors import Rejected, Transient

__all__ = ["DEATHS", "Suspect", "Suspects", "broke_all", "is_suspect"]

T = TypeVar("T")
DEATHS = 2
TURN_S = 5.0
WAIT_FIRST_S, WAIT_LAST_S = 0.5, 15.0
log = structlog.get_logger("hub.suspects")


def is_suspect(incoming: Incoming) -> bool:
    """Delivered several times before, and never acknowledged."""
    return times_delivered(incoming) >= SUSPECT_AFTER


def broke_all() -> Rejected:
    """What stands in the failure store of one that was given up."""
    return Rejected("broker.delivery-limit", "It broke every process that took it")


@dataclass(frozen=True, slots=True)
class Suspect:
    """One that has its turn. *keep* notes that it is given up."""

    left: notes.Note
    keep: Callable[[], Awaitable[None]]

    async def given_up(
        self, incoming: Incoming, check: Callable[[Incoming], None]
    ) -> Rejected | None:
        """What stands in the failure store of *incoming*; None where it is to be taken up once more.
        *check* raises `Rejected` where it is a stranger's."""
        if not self.left.given_up:
            if self.left.deaths < DEATHS:
                return None
            if self.left.deaths > DEATHS:
                return Rejected("envelope.unchecked", "Every process that checked it died")
        try:
            # Again where it was given up: a stranger may have borrowed its id.
            check(incoming)
        except Rejected as error:
            return error
        await self.keep()
        return broke_all()


class Suspects:
    """Of one process."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock
        self._taken = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One after the other."""
        mine = False
        try:
            async with asyncio.timeout(TURN_S):
                mine = await self._taken.acquire()
        except TimeoutError:
            log.warning("suspect.beside_another")
        try:
            yield
        finally:
            if mine:
                self._taken.release()

    @asynccontextmanager
    async def noted(self, key: str) -> AsyncIterator[Suspect]:
        """Its turn, with a note of *key* that is forgotten after. A database that is away is waited
        for."""
        async with self.turn():
            left = await self._waiting(partial(notes.note, key=key, at=self._clock()))
            try:
                yield Suspect(left, lambda: self._waiting(partial(notes.given_up, key=key)))
            finally:
                await self._waiting(partial(notes.forget, key=key))

    async def _waiting(self, work: Callable[[Connection], T]) -> T:
        wait_s = WAIT_FIRST_S
        while True:
            try:
                return await self._store.write(work)
            except Transient as error:
                log.warning("suspect.waiting", code=error.code, seconds=wait_s)
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, WAIT_LAST_S)
