"""The session's private MariaDB that keeps a binary log, by rows: for the tests that read it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from tests.servers.keeper import Facts
from tests.servers.mariadb import serving_with

__all__ = ["serving"]

_LOG = (
    "--log-bin=mysql-bin",
    "--server-id=7",
    "--binlog-format=ROW",
    "--binlog-row-image=FULL",
    "--binlog-row-metadata=FULL",
    "--sync-binlog=0",
)


def serving(folder: Path) -> AbstractContextManager[Facts]:
    """See `tests.servers.mariadb`."""
    return serving_with(folder, _LOG)
