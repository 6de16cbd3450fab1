"""The partners' database server, PostgreSQL or MariaDB, which is killed and comes back.

Promises   what is committed outlives ``kill -9`` of the server
Careful    blocks: for a thread
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from front_db.database import Limits, make_engine
from schemas.errors import Misconfigured, Transient
from tests.servers import mariadb, postgresql
from tests.servers.unprivileged import unprivileged

__all__ = ["KINDS", "PartnerServer", "partner_server"]

READY_S, LOOK_S = 60.0, 0.1
SOURCE, TARGET = "soak_source", "soak_target"
KINDS = ("postgresql", "mariadb")
LIMITS = Limits(call_s=30)
_DRIVERS = {"postgresql": "postgresql+psycopg", "mariadb": "mysql+pymysql"}
_USERS = {"postgresql": "postgres", "mariadb": "mysql"}


@dataclass
class PartnerServer:
    """*command*: by which it is started again; *process*: number of the one that runs."""

    kind: str
    admin: URL
    process: int
    command: Sequence[str]
    output: IO[bytes]
    _again: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def url(self, name: str) -> str:
        return self.admin.set(database=name).render_as_string(hide_password=False)

    def engine(self, name: str) -> Engine:
        return make_engine(self.url(name), LIMITS)

    def kill(self) -> None:
        """``kill -9``."""
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)

    def start(self) -> None:
        """Raises `Transient` where it does not come back."""
        ends = time.monotonic() + READY_S
        while time.monotonic() < ends:
            self._again = subprocess.Popen(
                self.command,
                cwd="/",
                stdout=self.output,
                stderr=self.output,
                **unprivileged(_USERS[self.kind]),
            )
            self.process = self._again.pid
            while self._again.poll() is None and time.monotonic() < ends:
                if self._answers():
                    return
                time.sleep(LOOK_S)
        raise Transient("bench.child", "The partners' database does not come back")

    def stop(self) -> None:
        """The one that was started last; nobody else holds it."""
        if self._again is not None:
            self._again.send_signal(signal.SIGINT if self.kind == "postgresql" else signal.SIGTERM)
            self._again.wait(READY_S)

    def _answers(self) -> bool:
        engine = create_engine(self.admin)
        try:
            engine.connect().close()
        except SQLAlchemyError:
            return False
        finally:
            engine.dispose()
        return True


@contextmanager
def partner_server(kind: str, folder: Path, output: IO[bytes]) -> Iterator[PartnerServer]:
    """With the databases `SOURCE` and `TARGET`. Raises `Misconfigured` for another *kind*."""
    if kind not in KINDS:
        raise Misconfigured("bench.absent", f"No such partner: {kind}")
    serving = (
        postgresql.serving(folder, durable=True, output=output)
        if kind == "postgresql"
        # Committed is in the system's hands, which a killed server leaves alone.
        else mariadb.serving_with(
            folder, (*mariadb.WITHOUT_LOG, "--innodb-flush-log-at-trx-commit=2")
        )
    )
    with serving as facts:
        admin = URL.create(
            _DRIVERS[kind],
            facts["user"],
            facts["password"],
            facts["host"],
            int(facts["port"]),
            "postgres" if kind == "postgresql" else None,
        )
        server = PartnerServer(kind, admin, *_running(kind, folder), output)
        engine = create_engine(admin, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for name in (SOURCE, TARGET):
                connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        try:
            yield server
        finally:
            server.stop()


def _running(kind: str, folder: Path) -> tuple[int, list[str]]:
    """Number and command of the server in *folder*."""
    if kind == "postgresql":
        data = folder / "pg" / "data"
        told = (data / "postmaster.pid").read_text(encoding="ascii")
        return int(told.splitlines()[0]), shlex.split((data / "postmaster.opts").read_text("utf-8"))
    process = int((folder / "db" / "pid").read_text(encoding="ascii"))
    told = Path(f"/proc/{process}/cmdline").read_text(encoding="utf-8")
    # Its account was made at the first start.
    return process, [part for part in told.split("\0") if part and "init-file" not in part]
