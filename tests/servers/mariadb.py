"""The session's private MariaDB, tuned for tests: nothing is synchronised to the disk.

MySQL in its place, where `tests.servers.mysql` is asked for.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.servers import mysql, mysqld
from tests.servers.keeper import Facts
from tests.servers.unprivileged import owned_folder, unprivileged

__all__ = ["WITHOUT_LOG", "serving", "serving_with"]

_QUICK = (
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-flush-method=nosync",
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=32M",
    "--skip-innodb-doublewrite",
    "--performance-schema=OFF",
    "--character-set-server=utf8mb4",
    "--max-connections=200",
)
WITHOUT_LOG = ("--skip-log-bin",)


def serving(folder: Path) -> AbstractContextManager[Facts]:
    """The facts are the address of an administrator's connection, without a database."""
    return serving_with(folder, WITHOUT_LOG)


@contextmanager
def serving_with(folder: Path, options: Sequence[str]) -> Iterator[Facts]:
    """As `serving`, with *options* of the server."""
    if root := mysql.asked_for():
        with mysql.serving_with(root, folder, options) as facts:
            yield facts
        return
    server_program = Path("/usr/sbin/mariadbd")
    assert server_program.exists(), "MariaDB is not installed: apt-get install -y mariadb-server"
    owner = unprivileged("mysql")
    place = owned_folder(folder / "db", owner)
    # A server that starts takes away what other servers have put into the same folder meanwhile.
    surroundings = os.environ | {"TMPDIR": str(owned_folder(place / "tmp", owner))}
    subprocess.run(
        [
            *("/usr/bin/mariadb-install-db", "--no-defaults", f"--datadir={place / 'data'}"),
            *("--skip-test-db", "--auth-root-authentication-method=normal", "--skip-name-resolve"),
        ],
        check=True,
        cwd="/",
        env=surroundings,
        **owner,
    )
    command = (server_program, "--no-defaults", f"--datadir={place / 'data'}")
    server = mysqld.Program([str(part) for part in command], surroundings, owner)
    with mysqld.serving(server, folder, [*_QUICK, *options]) as facts:
        yield facts
