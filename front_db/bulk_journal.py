"""The journal of loads in the hub's records: the place in `cursors`, each page as a row of the ledger.

Promises   place and page are kept in one transaction. A page's entry holds count, key-set digest and
           SM3, and stands in the ledger's chain as every other
Units      moments are UTC
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, delete, insert, select

from front_db.bulk import Load, PageDone, Place
from hub.store import Store
from hub.store.append import Row, append, fitted
from hub.store.chain import FIELDS
from hub.store.tables import cursors
from schemas.errors import Fault
from schemas.receipt import Event

__all__ = ["LoadJournal"]

MOST_FAULTS = 100
PREFIX = "load:"


@dataclass(frozen=True, slots=True)
class LoadJournal:
    """*source*, *system*: the systems whose tables they are; *clock* tells the moment, UTC."""

    store: Store
    source: str
    system: str
    clock: Callable[[], datetime]

    def place(self, load: Load, /) -> Place:
        """How far *load* came; its beginning where it never ran."""

        def read(connection: Connection) -> str | None:
            asked = select(cursors.c.cursor).where(cursors.c.system == _name(load))
            found: str | None = connection.scalar(asked)
            return found

        said = self.store.read_now(read)
        told: Mapping[str, Any] = orjson.loads(said) if said else {}
        return Place(**told)

    def keep(self, load: Load, place: Place, page: PageDone, /) -> None:
        """Keep both; raises `Transient` where the records are away: the page is then repeated."""
        at = self.clock()
        said = orjson.dumps(asdict(place)).decode()
        row = self._row(load, page, at)

        def write(connection: Connection) -> None:
            connection.execute(delete(cursors).where(cursors.c.system == _name(load)))
            values = {"system": _name(load), "cursor": said, "at": at}
            connection.execute(insert(cursors), values)
            append(connection, [row], {}, now=at)

        self.store.write_now(write)

    def forget(self, load: Load, /) -> None:
        """Begin anew; the ledger keeps what it holds."""
        self.store.write_now(
            lambda connection: connection.execute(
                delete(cursors).where(cursors.c.system == _name(load))
            )
        )

    def _row(self, load: Load, page: PageDone, at: datetime) -> Row:
        faults = [_shown(each.row_id, fault) for each in page.aside for fault in each.faults]
        said: Row = {
            # A page that was journaled and comes again is in the ledger once.
            "key": f"load/{load.name}/{page.mark}",
            "at": at,
            "event": Event.LOAD_PAGE.value,
            "source": self.source,
            "resource": load.source.name,
            "subject": f"{page.first}-{page.last}",
            "route": load.name,
            "system": self.system,
            "digest": page.digest,
            "number": str(page.rows),
            "faults": faults[:MOST_FAULTS],
            "envelope": {"rows": page.rows, "keys": page.keys, "aside": len(page.aside)},
        }
        return fitted(dict.fromkeys(FIELDS, "") | {"attempt": 0, "took_ms": 0, "doubts": []} | said)


def _name(load: Load) -> str:
    return f"{PREFIX}{load.name}"


def _shown(row_id: int, fault: Fault) -> dict[str, object]:
    return {"code": fault.code, "at": fault.at, "facts": {"row": row_id}}
