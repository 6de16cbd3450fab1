"""A receiver of what is read from a partner's log, and a poll all of which is safe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from front_db.changes import Change, ChangeReader
from schemas.message import Operation

__all__ = ["Receiver", "drained", "shown"]


@dataclass
class Receiver:
    """What a receiver has that drops what is older; and all that it was told, by id."""

    rows: dict[str, tuple[int, Mapping[str, Any] | None]] = field(default_factory=dict)
    told: dict[str, Change] = field(default_factory=dict)

    def take(self, change: Change) -> None:
        self.told[change.id] = change
        if change.version > self.rows.get(change.key, (0, None))[0]:
            gone = change.operation is Operation.DELETED
            self.rows[change.key] = change.version, None if gone else change.content

    @property
    def names(self) -> dict[str, Any]:
        return {key: row.get("qymc") for key, (_, row) in self.rows.items() if row is not None}


async def drained(reader: ChangeReader, receiver: Receiver) -> list[Change]:
    """All there is, safe."""
    found = [change async for change in reader.changes()]
    for change in found:
        receiver.take(change)
    await reader.safe(found)
    return found


def shown(changes: list[Change]) -> list[tuple[str, str, Any]]:
    return [(str(c.operation), c.key, c.content.get("qymc")) for c in changes]
