"""A private PostgreSQL: the session's, tuned for tests so that nothing is synchronised to the disk,
or one with the server's own defaults of safety, for the benchmarks."""

from __future__ import annotations

import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psycopg

from shuniu.node_identity import free_port
from tests.servers.keeper import Facts
from tests.servers.small_disk import SmallDisk
from tests.servers.unprivileged import RunAs, owned_folder, unprivileged

__all__ = ["serving"]

_READY_S = 60.0
_QUICK = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "200",
    "autovacuum": "off",
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
    "wal_level": "logical",  # for capture from its log
}


_DURABLE = dict.fromkeys(("fsync", "synchronous_commit", "full_page_writes"), "on") | {
    "shared_buffers": "128MB",
    "autovacuum": "on",
}


@contextmanager
def serving(
    folder: Path,
    *,
    durable: bool = False,
    output: IO[bytes] | None = None,
    disk: SmallDisk | None = None,
) -> Iterator[Facts]:
    """The facts are the address of an administrator's connection, without a database. *durable*:
    what is committed is on disk. The server logs to *output*, else where we do. *disk* is mounted at
    *folder*: what is kept of the log is little then."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    assert programs, "PostgreSQL is not installed: apt-get install -y postgresql"
    owner = unprivileged("postgres")
    seen = owned_folder((disk.seen if disk else folder) / "pg", owner)
    place, inside = folder / "pg", disk.inside if disk else ()
    run_as = RunAs() if disk else owner
    password = secrets.token_urlsafe(12)
    key = seen / "password"
    key.write_text(password, encoding="ascii")
    key.chmod(0o644)
    data = str(place / "data")
    initdb = [*inside, str(programs[-1] / "initdb"), "-D", data, "-U", "shuniu"]
    initdb += [f"--pwfile={place / key.name}", *(["--wal-segsize=1"] if disk else [])]
    subprocess.run(
        [*initdb, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"],
        check=True,
        cwd="/",
        stdout=output,
        stderr=output,
        **run_as,
    )
    key.unlink()
    port = free_port()
    chosen = _QUICK | (_DURABLE if durable else {}) | {"port": str(port)}
    settings = [f"--{name}={value}" for name, value in chosen.items()]
    server = subprocess.Popen(
        [*inside, programs[-1] / "postgres", "-D", place / "data", *settings],
        cwd="/",
        stdout=output,
        stderr=output,
        **run_as,
    )
    try:
        _ready(server, password, port)
        yield {"host": "127.0.0.1", "port": str(port), "user": "shuniu", "password": password}
    finally:
        # SIGINT is PostgreSQL's "fast": sessions are ended, not waited for.
        server.send_signal(signal.SIGINT)
        server.wait(30)


def _ready(server: subprocess.Popen[bytes], password: str, port: int) -> None:
    deadline = time.monotonic() + _READY_S
    while True:
        try:
            psycopg.connect(
                host="127.0.0.1", port=port, user="shuniu", password=password, dbname="postgres"
            ).close()
        except psycopg.OperationalError:
            assert server.poll() is None, "PostgreSQL ended while starting"
            assert time.monotonic() < deadline, "PostgreSQL was not ready in time"
            time.sleep(0.05)
        else:
            return
