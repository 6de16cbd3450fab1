"""The session's private MariaDB, tuned for tests: nothing is synchronised to the disk.

MySQL in its place, where `tests.servers.mysql` is asked for.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pymysql

from shuniu.node_identity import free_port
from tests.servers import mysql
from tests.servers.keeper import Facts
from tests.servers.unprivileged import owned_folder, unprivileged

__all__ = ["WITHOUT_LOG", "serving", "serving_with"]

_READY_S = 60.0
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
    password = secrets.token_urlsafe(12)
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
    first = folder / "first.sql"
    first.write_text(
        f"CREATE USER shuniu@'127.0.0.1' IDENTIFIED BY '{password}';\n"
        "GRANT ALL ON *.* TO shuniu@'127.0.0.1' WITH GRANT OPTION;\n",
        encoding="ascii",
    )
    port = free_port()
    server = subprocess.Popen(
        [
            *(server_program, "--no-defaults", f"--datadir={place / 'data'}", f"--port={port}"),
            *(f"--socket={place / 'socket'}", f"--pid-file={place / 'pid'}"),
            *(f"--init-file={first}", *_QUICK, *options),
        ],
        cwd="/",
        env=surroundings,
        **owner,
    )
    try:
        _ready(server, password, port)
        first.unlink()
        yield {"host": "127.0.0.1", "port": str(port), "user": "shuniu", "password": password}
    finally:
        server.terminate()
        server.wait(30)


def _ready(server: subprocess.Popen[bytes], password: str, port: int) -> None:
    deadline = time.monotonic() + _READY_S
    while True:
        try:
            pymysql.connect(host="127.0.0.1", port=port, user="shuniu", password=password).close()
        except pymysql.err.OperationalError:
            assert server.poll() is None, "MariaDB ended while starting"
            assert time.monotonic() < deadline, "MariaDB was not ready in time"
            time.sleep(0.05)
        else:
            return
