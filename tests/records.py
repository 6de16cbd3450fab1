"""Fresh records in the present shape, without the migrations' second each time.

The first database of each kind is migrated as the hub does it; what that said to the database is
said to the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, inspect

from hub.store import Store
from hub.store.migrate import migrate

__all__ = ["shape"]

_Said = list[tuple[str, Any]]
_known: dict[tuple[str, Sequence[Path]], _Said] = {}


def shape(store: Store, services: Sequence[Path] = ()) -> None:
    """*store* in the newest shape; *services* as for `migrate`."""
    if inspect(store.engine).has_table("alembic_version"):
        migrate(store, services)
        return
    key = (store.engine.dialect.name, tuple(services))
    if key not in _known:
        _known[key] = _listened(store, services)
        return

    def say(connection: Connection) -> None:
        for statement, values in _known[key]:
            connection.exec_driver_sql(statement, values or None)

    store.write_now(say)


def _listened(store: Store, services: Sequence[Path]) -> _Said:
    said: _Said = []

    def listen(*told: Any) -> None:
        _, _, statement, values, *_ = told
        if statement.split(None, 1)[0] not in {"BEGIN", "SELECT", "PRAGMA"}:
            said.append((statement, values))

    event.listen(store.engine, "before_cursor_execute", listen)
    try:
        migrate(store, services)
    finally:
        event.remove(store.engine, "before_cursor_execute", listen)
    return said
