"""Bring a database to the present shape: the revisions of the hub, the catalogue and the services.

Promises   repeatable, and safe when several processes start together: one migrates, the others wait
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from hub.store import Store

__all__ = ["migrate"]

HERE = Path(__file__).parent / "migrations"
LOCK = zlib.crc32(b"shuniu migrations")


def migrate(store: Store, services: Sequence[Path] = ()) -> None:
    """Upgrade to the newest revisions; *services*: the folders of further branches."""

    def upgrade(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        command.upgrade(_config(connection, services), "heads")

    store.write_now(upgrade)


def _config(connection: Connection, services: Sequence[Path]) -> Config:
    config = Config()
    config.attributes["connection"] = connection
    folders = [HERE / "versions", HERE / "catalogue", *services]
    for option, value in {
        "script_location": str(HERE),
        "path_separator": "newline",
        "version_locations": "\n".join(map(str, folders)),
    }.items():
        config.set_main_option(option, value.replace("%", "%%"))
    return config
