"""The in-memory twin: a system that holds what it is given, for tests and first steps.

Promises   what a real system promises; told to (`Memory.suffers`), it fails as a real one does
Careful    it keeps nothing when it ends, and everything until then
Not here   receiving: what is not pushed over a socket has no sender to prove
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

from connectors.faults import Fault
from hub.port import Cursor, Traits
from schemas.errors import HubError, Misconfigured, Rejected, Transient
from schemas.message import Answer, Body, Delivery, Record, SystemCode

__all__ = ["Memory", "Settings"]

ASKED_S = 7.0


class Settings(BaseModel):
    """A profile."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timeout_s: Annotated[float, Field(gt=0, le=60, description="Longest wait, seconds.")] = 10.0


class Memory:
    """*held* is what it took, by key, in order; *told* is what it has to tell, in order."""

    settings_model: ClassVar[type[BaseModel]] = Settings
    traits = Traits(idempotent=True, says_why=True)
    abilities = frozenset({"deliver", "records"})

    def __init__(self, system: SystemCode, settings: Settings) -> None:
        self.system, self._settings = system, settings
        self.held: dict[str, Body] = {}
        self.told: list[Record] = []
        self._fault: Fault | None = None

    def suffers(self, fault: Fault) -> None:
        """Go wrong with the next call, and with that one only."""
        self._fault = fault

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None: ...

    async def check(self) -> None:
        await self._called()

    async def deliver(self, delivery: Delivery, /) -> Answer:
        loses_answer = self._fault is Fault.LOSES_ANSWER
        await self._called()
        repeated = delivery.key in self.held
        self.held.setdefault(delivery.key, delivery.payload)
        if loses_answer:
            raise _error(Fault.DOWN)
        return Answer(f"M{list(self.held).index(delivery.key) + 1}", repeated=repeated)

    async def records(self, after: Cursor | None, /) -> AsyncIterator[Record]:
        await self._called()
        for n, record in enumerate(self.told[int(after or 0) :], int(after or 0) + 1):
            yield Record(kind=record.kind, key=record.key, body=record.body, cursor=str(n))

    async def taken(self, records: Sequence[Record], /) -> None:
        """The cursor is all there is to remember."""

    async def _called(self) -> None:
        fault, self._fault = self._fault, None
        if fault in {Fault.HANGS, Fault.DRIPS}:
            try:
                async with asyncio.timeout(self._settings.timeout_s):
                    await asyncio.Event().wait()
            except TimeoutError as error:
                raise Transient("target.timeout", "No answer in time") from error
        elif fault not in {None, Fault.LOSES_ANSWER}:
            raise _error(fault)


def _error(fault: Fault | None) -> HubError:
    match fault:
        case Fault.BUSY:
            return Transient("target.busy", "The system cannot now", after_s=ASKED_S)
        case Fault.REFUSES:
            return Rejected("target.refused", "The system refuses it", at="/name", reason="")
        case Fault.FORBIDS:
            return Misconfigured("target.denied", "Key, grant or address is wrong")
        case Fault.GIBBERISH:
            return Transient("target.gibberish", "Not the answer that was agreed")
        case _:
            return Transient("target.down", "The connection failed")
