"""A database of a test's own, to be maltreated."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.servers.keeper import Facts
from tests.servers.small_disk import SmallDisk
from tests.servers.unprivileged import unprivileged

__all__ = ["READY_S", "PrivateDatabase"]

READY_S = 30.0


@dataclass
class PrivateDatabase:
    """A PostgreSQL of a test's own, which can be killed and started again at its address. *data*: as
    it is seen from here; *disk*: the small one on which it is, else it is on ours."""

    facts: Facts
    data: Path
    disk: SmallDisk | None = None

    @property
    def at(self) -> str:
        facts = self.facts
        place = f"{facts['user']}:{facts['password']}@{facts['host']}:{facts['port']}"
        return f"://{place}/postgres"

    def kill(self) -> None:
        """``kill -9`` of its first process; the others end when they see it."""
        told = (self.data / "postmaster.pid").read_text(encoding="ascii")
        process = int(told.splitlines()[0])
        os.kill(process, signal.SIGKILL)
        # Our child: as long as nobody has taken leave of it, its lock counts.
        os.waitpid(process, 0)

    def start(self) -> subprocess.Popen[bytes]:
        """With the command it was started by."""
        command = shlex.split((self.data / "postmaster.opts").read_text(encoding="utf-8"))
        deadline = time.monotonic() + READY_S
        while True:
            server = self._started(command)
            while server.poll() is None:
                if self.answers():
                    return server
                assert time.monotonic() < deadline, "the database does not come back"
                time.sleep(0.05)
            # The killed one's children still hold its memory.
            assert time.monotonic() < deadline, "the database does not start"

    def _started(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        if self.disk:
            return subprocess.Popen([*self.disk.inside, *command], cwd="/")
        return subprocess.Popen(command, cwd="/", **unprivileged("postgres"))

    def answers(self) -> bool:
        try:
            psycopg.connect(f"postgresql{self.at}").close()
        except psycopg.OperationalError:
            return False
        return True
