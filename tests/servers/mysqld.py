"""A server of MySQL's kind, MariaDB or MySQL, from its start to its end; and its administrator's connection."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pymysql
from pymysql.cursors import Cursor

from shuniu.node_identity import free_port
from tests.servers.keeper import Facts
from tests.servers.unprivileged import RunAs

__all__ = ["Program", "administered", "serving"]

_READY_S = 60.0
_ADMINISTRATOR = (
    "CREATE USER shuniu@'127.0.0.1' IDENTIFIED BY '{password}';\n"
    "GRANT ALL ON *.* TO shuniu@'127.0.0.1' WITH GRANT OPTION;\n"
)


@dataclass(frozen=True, slots=True)
class Program:
    """*command* with what its data needs; *owner*: as `unprivileged` tells it."""

    command: Sequence[str]
    surroundings: Mapping[str, str]
    owner: RunAs


@contextmanager
def serving(
    program: Program, folder: Path, options: Sequence[str], first: str = ""
) -> Iterator[Facts]:
    """
    The facts of an administrator's account, whose password nobody else knows.

    *folder* holds ``db``, with the data; *first*: statements of its first start.
    """
    password = secrets.token_urlsafe(12)
    statements = folder / "first.sql"
    statements.write_text(_ADMINISTRATOR.format(password=password) + first, encoding="ascii")
    place, port = folder / "db", free_port()
    server = subprocess.Popen(
        [
            *(*program.command, f"--port={port}", f"--socket={place / 'socket'}"),
            *(f"--pid-file={place / 'pid'}", f"--init-file={statements}", *options),
        ],
        cwd="/",
        env=program.surroundings,
        **program.owner,
    )
    facts = {"host": "127.0.0.1", "port": str(port), "user": "shuniu", "password": password}
    try:
        _ready(server, facts)
        statements.unlink()
        yield facts
    finally:
        server.terminate()
        server.wait(30)


@contextmanager
def administered(facts: Facts) -> Iterator[Cursor]:
    """Statements to the server of *facts*, each of which commits itself."""
    with (
        pymysql.connect(
            host=facts["host"],
            port=int(facts["port"]),
            user=facts["user"],
            password=facts["password"],
            autocommit=True,
        ) as line,
        line.cursor() as cursor,
    ):
        yield cursor


def _ready(server: subprocess.Popen[bytes], facts: Facts) -> None:
    deadline = time.monotonic() + _READY_S
    while True:
        try:
            with administered(facts):
                return
        except pymysql.err.OperationalError:
            assert server.poll() is None, "the server ended while starting"
            assert time.monotonic() < deadline, "the server was not ready in time"
            time.sleep(0.05)
