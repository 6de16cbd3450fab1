"""Applications and their items in memory for the time of a transaction: read together, written
together, a statement for each kind, whatever their number.

Careful    rows are locked items first, applications second, each in the order of their numbers,
           everywhere: two transactions may wait for each other, and never in a circle
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from services.one_thing.rules import Facts, ItemView, view
from services.one_thing.tables import applications, items

__all__ = ["Application", "Item", "Rows"]

ITEM_CHANGES = (
    "application",
    "number",
    "catalog_code",
    "task_name",
    "org",
    "facts",
    "state",
    "accepted_published",
    "sealed",
)


@dataclass(slots=True, kw_only=True)
class Item:
    """An item case; *application* is "" while only reports of it are known."""

    case_no: str
    application: str = ""
    number: int = 0
    catalog_code: str = ""
    task_name: str = ""
    org: str = ""
    facts: Facts = field(default_factory=dict)
    accepted_published: bool = False
    sealed: bytes | None = None

    @property
    def view(self) -> ItemView:
        return view(self.facts)

    @property
    def state(self) -> str:
        return self.view.state


@dataclass(slots=True, kw_only=True)
class Application:
    number: str
    region: str
    state: str
    version: int


class Rows:
    """The rows that a transaction works on. What is changed here is written by `keep`."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection, self._now = connection, now
        self.items: dict[str, Item] = {}
        self.applications: dict[str, Application] = {}
        self.changed_items: set[str] = set()
        self.changed_applications: set[str] = set()

    def known(self, numbers: Collection[str]) -> set[str]:
        """Those applications of *numbers* that are there already."""
        if not numbers:
            return set()
        query = select(applications.c.number).where(applications.c.number.in_(sorted(numbers)))
        return set(self._connection.scalars(query))

    def hold_items(self, case_numbers: Collection[str]) -> None:
        """Hold the rows of cases until the end of the transaction; made where there are none."""
        if not case_numbers:
            return
        numbers = sorted(case_numbers)
        made = [_item_row(Item(case_no=number), self._now) for number in numbers]
        self._connection.execute(_once(self._connection, items), made)
        query = select(items).where(items.c.case_no.in_(numbers)).order_by(items.c.case_no)
        for row in self._connection.execute(query.with_for_update()):
            self.items[row.case_no] = _item(row)

    def open_applications(self, rows: Sequence[dict[str, Any]]) -> set[str]:
        """Make the rows of new applications; the numbers of those that nobody else has made."""
        if not rows:
            return set()
        made = [
            {**row, "state": "1", "version": 0, "updated_at": self._now}
            for row in sorted(rows, key=lambda row: str(row["number"]))
        ]
        statement = _once(self._connection, applications).returning(applications.c.number)
        return set(self._connection.scalars(statement, made))

    def hold_applications(self, opened: Collection[str]) -> None:
        """Hold the applications *opened* and those of the items held, with all their items."""
        numbers = sorted({*opened, *(i.application for i in self.items.values() if i.application)})
        if not numbers:
            return
        query = select(applications).where(applications.c.number.in_(numbers))
        query = query.order_by(applications.c.number).with_for_update()
        for row in self._connection.execute(query):
            self.applications[row.number] = Application(
                number=row.number, region=row.region, state=row.state, version=row.version
            )
        # Read behind the lock: whoever changed one of them has ended.
        siblings = select(items).where(items.c.application.in_(numbers))
        for row in self._connection.execute(siblings):
            self.items.setdefault(row.case_no, _item(row))

    def items_of(self, application: str) -> list[Item]:
        """In the order of their numbers."""
        mine = (item for item in self.items.values() if item.application == application)
        return sorted(mine, key=lambda item: item.number)

    def keep(self) -> None:
        """Write what has changed."""
        if self.changed_items:
            changed = [self.items[number] for number in sorted(self.changed_items)]
            self._update(items, items.c.case_no, [_item_row(item, self._now) for item in changed])
        if self.changed_applications:
            changed_ones = [self.applications[n] for n in sorted(self.changed_applications)]
            rows = [
                {"number": a.number, "state": a.state, "version": a.version} for a in changed_ones
            ]
            moved = [{**row, "updated_at": self._now} for row in rows]
            self._update(applications, applications.c.number, moved)

    def _update(self, table: Any, key: Any, rows: Sequence[dict[str, Any]]) -> None:
        told: dict[str, Any] = {
            name: bindparam(f"now_{name}") for name in rows[0] if name != key.name
        }
        statement = update(table).where(key == bindparam("of")).values(**told)
        values = [
            {"of" if name == key.name else f"now_{name}": value for name, value in row.items()}
            for row in rows
        ]
        self._connection.execute(statement, values)


def _item(row: Any) -> Item:
    return Item(
        case_no=row.case_no,
        application=row.application,
        number=row.number,
        catalog_code=row.catalog_code,
        task_name=row.task_name,
        org=row.org,
        facts=dict(row.facts),
        accepted_published=row.accepted_published,
        sealed=row.sealed,
    )


def _item_row(item: Item, now: datetime) -> dict[str, Any]:
    told = {name: getattr(item, name) for name in ITEM_CHANGES}
    return {"case_no": item.case_no, **told, "updated_at": now}


def _once(connection: Connection, table: Any) -> Any:
    made = sqlite if connection.dialect.name == "sqlite" else postgresql
    return made.insert(table).on_conflict_do_nothing()
