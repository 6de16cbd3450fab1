"""The batch path (批量通道): from one exchange table to another without a message for each row.

Form       a *load* names both tables and how the source's rows are taken: by their ``state`` (marked
           in the transaction that reads them) or by ``position`` (row ids alone; nothing is marked).
           Rows go by pages of ascending row id; a page is written and merged as one, and stands as one
           entry in the ledger: first and last id, count, key-set digest, SM3
Promises   killed at any point it goes on behind the last page that the journal holds; a page that was
           written and not journaled is written again and changes nothing, as its row ids are derived
Careful    the key-set digest is a sum modulo 2**64, in no order, of the first 64 bits of each key's
           SHA-256: as `front_db.digest` makes it of rows
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Protocol

from front_db.contract import ExchangeTable
from schemas.errors import Fault, Misconfigured
from schemas.message import Body, Json

__all__ = [
    "Aside",
    "Convert",
    "Journal",
    "Load",
    "PageDone",
    "Place",
    "Take",
    "key_sum",
    "loadable",
    "row_prefix",
]

MODULUS = 2**64
ROW_ID_LENGTH = 48  # eight of the load's mark, and two numbers of 64 bits

Convert = Callable[[Mapping[str, Json]], Body]
"""A source row's content to the payload of the target's row. Raises `Rejected` with its faults."""


class Take(StrEnum):
    """How rows of the source are taken."""

    STATE = "state"
    POSITION = "position"


@dataclass(frozen=True, slots=True)
class Load:
    """
    One declared load. *convert*: what the route makes of a row; none: the columns of one name.
    *untouched*: rows are passed through as bytes, unseen; both tables are then PostgreSQL's and have
    the same columns.
    """

    name: str
    source: ExchangeTable
    target: ExchangeTable
    take: Take = Take.STATE
    convert: Convert | None = None
    untouched: bool = False


@dataclass(frozen=True, slots=True)
class Aside:
    """A row that was not loaded: it stays as it was, for the ordinary way. No value is quoted."""

    row_id: int
    key: str
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class PageDone:
    """
    One page that the target has committed. *digest*: SM3 of what was written, as it went; *mark*: the
    same where the same rows are written again.
    """

    first: int
    last: int
    rows: int
    mark: str
    keys: str
    digest: str
    aside: Sequence[Aside] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """How far a load is: behind this row id, in this run, and what was loaded so far in all."""

    after: int = 0
    pages: int = 0
    rows: int = 0
    aside: int = 0


class Journal(Protocol):
    """Where a load keeps its place, and its pages their proof: durable when it returns."""

    def place(self, load: Load, /) -> Place: ...
    def keep(self, load: Load, place: Place, page: PageDone, /) -> None: ...


def key_sum(keys: Iterable[str]) -> int:
    """The key-set digest of *keys*, as a number."""
    whole = int.from_bytes
    return sum(whole(sha256(key.encode()).digest()[:8]) for key in keys) % MODULUS


def row_prefix(load: Load) -> str:
    """What the ids of a load's rows begin with: ``<mark>/<row id>/<version>`` is the whole id."""
    return f"{zlib.crc32(load.name.encode()):08x}/"


def loadable(load: Load) -> Load:
    """*load* itself, where its tables can be loaded so; raises `Misconfigured` otherwise."""
    source, target = load.source.control, load.target.control
    wanted = {
        "counted": source.counted,
        "key": load.source.key_columns,
        "version": source.version and target.version,
        "operation": source.operation and target.operation,
        "state": source.state or load.take is Take.POSITION,
        "row_id_length": not target.counted and target.row_id_length >= ROW_ID_LENGTH,
    }
    if load.untouched:
        ours = [(each.name, each.kind, each.places) for each in load.source.columns]
        theirs = [(each.name, each.kind, each.places) for each in load.target.columns]
        wanted["columns"] = load.convert is None and ours == theirs
        wanted["key"] = load.source.key_columns and target.key
        wanted["operation_codes"] = source.operation_codes == target.operation_codes
    if missing := [name for name, there in wanted.items() if not there]:
        raise Misconfigured(
            "front-db.not-loadable",
            "These tables cannot be loaded by pages",
            load=load.name,
            missing=" ".join(missing),
        )
    return load
