"""Changes of a table that is not ours, however they are noticed: the seam of all capture modes.

Form       a `Change` is what became of one business key; a `ChangeReader` hands changes on, is told
           which are safe, and keeps in its `front_db.books.Book` how far it is
Promises   what is read twice has the same `Change.id`; versions of a key rise with its changes, over
           restarts and deletes, so that a receiver may drop what is older. Changes of one key come in
           their order
Careful    a row changed again before its last change was safe is another change, with a higher version
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import NAMESPACE_URL, uuid5

from schemas.message import Body, Json, Operation

__all__ = ["CONTROL_NAMES", "Change", "ChangeReader"]

KEY_LENGTH = 160  # of the hub's record of what it has taken
# As in the standard tables, so that one intake declaration fits both.
OPERATION, KEY, VERSION = "x_op", "x_key", "x_ver"
CONTROL_NAMES = frozenset({OPERATION, KEY, VERSION})
CODES = {Operation.CREATED: "I", Operation.UPDATED: "U", Operation.DELETED: "D"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """
    What became of the row with *key*: as `front_db.rows.content_of` gives it; of a delete, its key
    columns alone. *position*: where the reader is once it is safe, in the reader's own words.
    """

    table: str
    key: str
    operation: Operation
    version: int
    content: Mapping[str, Json]
    position: str = ""

    @property
    def id(self) -> str:
        """The same however often it is read; with the system's code, that of no other change."""
        told = f"{self.table}/{self.key}/{self.version}"
        return told if len(told) <= KEY_LENGTH else str(uuid5(NAMESPACE_URL, told))

    @property
    def body(self) -> Body:
        """What is handed on: the content, with operation, key and version under the standard names.
        An empty text is no value, as some databases keep it as NULL."""
        content = {name: value for name, value in self.content.items() if value != ""}
        ruled: dict[str, Json] = {
            OPERATION: CODES[self.operation],
            KEY: self.key,
            VERSION: self.version,
        }
        return {**content, **ruled}


class ChangeReader(Protocol):
    """One table. Not for two callers at once."""

    def changes(self) -> AsyncIterator[Change]:
        """
        All there is to tell now, then stop. What was yielded and not told to be safe comes again.

        Raises `Transient`, or `Misconfigured` while the table stands still and a person is needed:
        that keeps no other table from being read.
        """

    async def safe(self, changes: Sequence[Change], /) -> None:
        """*changes*, in the order in which they came, are durable elsewhere: go on behind them."""

    async def close(self) -> None:
        """Give back what is held open; it may be read again."""
