"""The database of a partner that exchanges by tables: opened as that partner's own program would."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, MetaData, create_engine, event, make_url

__all__ = ["open_database"]

BUSY_S = 30.0


def open_database(url: str, metadata: MetaData) -> Engine:
    """The database at *url* (any that SQLAlchemy knows), with the partner's tables in it."""
    sqlite = make_url(url).get_backend_name() == "sqlite"
    arguments: dict[str, Any] = (
        {"timeout": BUSY_S, "check_same_thread": False, "isolation_level": None} if sqlite else {}
    )
    engine = create_engine(url, connect_args=arguments)
    if sqlite:

        @event.listens_for(engine, "connect")
        def _pragmas(driver: Any, _: object) -> None:
            # Readers and the one writer do not hinder each other.
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL"):
                driver.execute(f"PRAGMA {pragma}")

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            reads = connection.get_execution_options().get("reads")
            connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    metadata.create_all(engine)
    return engine
