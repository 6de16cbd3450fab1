"""Who reads a table in which mode. A mode that is new is added here and in `front_db.modes`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from front_db.binlog import BinlogReader
from front_db.changes import Change, ChangeReader
from front_db.full_batches import FullBatchReader
from front_db.key_set import KeySetReader
from front_db.logical import LogicalReader
from front_db.modes import (
    BinlogMode,
    CaptureMode,
    FullBatchMode,
    KeySetMode,
    LogicalMode,
    StateMode,
    TriggerMode,
    WatermarkMode,
)
from front_db.origin import Origin
from front_db.watermark import WatermarkReader
from schemas.errors import Misconfigured

__all__ = ["READERS", "ChangePoll", "StandsStill", "Unbroken", "by_state", "marks", "reader_of"]


# By the mode's settings; what is read by state has no reader here.
READERS: Mapping[type[CaptureMode], Callable[[Origin, Any], ChangeReader]] = {
    KeySetMode: KeySetReader,
    WatermarkMode: WatermarkReader,
    LogicalMode: LogicalReader,
    FullBatchMode: FullBatchReader,
    BinlogMode: BinlogReader,
}


def by_state(mode: CaptureMode) -> bool:
    """Whether its rows have states that we set: `front_db.poll` and `front_db.read` see to those."""
    return isinstance(mode, StateMode | TriggerMode)


def marks(mode: CaptureMode) -> bool:
    """Whether we set states in its rows, by whatever way they are read."""
    return by_state(mode) or isinstance(mode, FullBatchMode)


def reader_of(origin: Origin, mode: CaptureMode) -> ChangeReader:
    """Raises `Misconfigured` for a mode that nobody reads in."""
    made = READERS.get(type(mode))
    if made is None:
        raise Misconfigured("front-db.mode", "No such mode of capture", mode=mode.mode)
    return made(origin, mode)


@runtime_checkable
class StandsStill(Protocol):
    """A reader for which something is kept at the partner, which must not fill up while nobody reads."""

    async def stand_still(self) -> None:
        """The table is not read now."""


@runtime_checkable
class Unbroken(Protocol):
    """A reader that goes on from certain places only: what is left off between two of them comes again as a whole."""

    def between(self) -> bool:
        """Whether it would go on just before the change that it gave last."""


@dataclass(slots=True)
class ChangePoll:
    """A reader as a connector uses it: changes are acknowledged by their ids."""

    reader: ChangeReader
    _pending: dict[str, Change] = field(default_factory=dict)

    async def changes(self) -> AsyncIterator[Change]:
        """What is new now. What was yielded and not acknowledged comes again at the next poll."""
        self._pending.clear()
        async for change in self.reader.changes():
            self._pending[change.id] = change
            yield change

    async def acknowledge(self, ids: Sequence[str]) -> None:
        """*ids*, in their order, are safe."""
        safe = [change for each in ids if (change := self._pending.pop(each, None))]
        if safe:
            await self.reader.safe(safe)

    def may_stop(self) -> bool:
        """Whether reading may end before the change that came last, and go on there."""
        return not isinstance(self.reader, Unbroken) or self.reader.between()

    async def stand_still(self) -> None:
        """The table is not to be read now."""
        if isinstance(self.reader, StandsStill):
            await self.reader.stand_still()

    async def close(self) -> None:
        await self.reader.close()
