"""Services on their own tables, in SQLite and in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Table, delete, event, select

from hub.store import Store
from hub.streams import Subscriber
from schemas.message import (
    Message,
    MessageId,
    Operation,
    Publication,
    ResourceName,
    SystemCode,
)
from shuniu.service_list import MIGRATIONS
from tests.records import shape

NOW = datetime(2026, 4, 21, 9, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def records(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A fresh database with the services' tables."""
    fixture = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    store = Store(request.getfixturevalue(fixture))
    shape(store, MIGRATIONS)
    yield store
    store.close()


@pytest.fixture
def postgres_records(postgres_url: str) -> Iterator[Store]:
    """The same, where several may write at once."""
    store = Store(postgres_url)
    shape(store, MIGRATIONS)
    yield store
    store.close()


def told(resource: str, body: Mapping[str, Any], number: int = 0) -> Message:
    """A message as it stands on its stream."""
    return Message(
        id=MessageId(f"{resource} {number}"),
        source=SystemCode("sender"),
        resource=ResourceName(resource),
        operation=Operation.CREATED,
        subject="",
        time=NOW,
        region="130102",
        sequence=number,
        dataschema=f"{resource}/1",
        digest="",
        traceparent="",
        body=body,
    )


def take(
    store: Store, subscriber: Subscriber, messages: Sequence[Message]
) -> list[Sequence[Publication]]:
    """All of *messages* in one transaction; what each led to."""
    return list(store.write_now(lambda c: subscriber.publications(c, messages, NOW)))


def rows_of(store: Store, *tables: Table) -> list[dict[str, Any]]:
    """What the tables hold, in the order of their keys; what is sealed differs each time."""
    found: list[dict[str, Any]] = []
    for table in tables:
        query = select(table).order_by(*table.primary_key.columns)
        with store.engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        found += [{**row, "sealed": bool(row.get("sealed"))} for row in rows]
    return found


def empty(store: Store, *tables: Table) -> None:
    with store.engine.connect() as connection, connection.begin():
        for table in tables:
            connection.execute(delete(table))


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    """The statements that *store* runs meanwhile."""
    seen: list[str] = []

    def saw(_: Any, __: Any, statement: str, *rest: Any) -> None:
        seen.append(statement)

    event.listen(store.engine, "before_cursor_execute", saw)
    try:
        yield seen
    finally:
        event.remove(store.engine, "before_cursor_execute", saw)
