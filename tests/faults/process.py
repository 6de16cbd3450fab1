"""Hub processes for faults: real ones, forked in milliseconds from one that has imported everything.

Form       ``python -m tests.faults.process`` reads a line of JSON for each process to start and
           answers with its id; then a line ``wait <id>``, answered with the exit status
Careful    what is forked has no threads and no event loop yet
"""

from __future__ import annotations

import asyncio
import gc
import os
import select
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import orjson

from tests.faults.steps import compiled_with_points

__all__ = ["KEY", "SEAL_KEY", "Life", "Nursery", "Worker"]

KEY, SEAL_KEY = b"faults", bytes(16)
ROOT = Path(__file__).parents[2]
MOST_WAIT_S = 30.0
_passed: Counter[str] = Counter()
_dies = ("", 0)


@dataclass(frozen=True, slots=True)
class Life:
    """A hub process to be. *dies_at*: a point of `tests.faults.steps`, and at which passing; *notes*:
    a file to which it adds each point when it first passes it; *feed*: the address of a system that is
    asked for what is new; *door*: the port at which it takes what is sent, 0 where it has no door."""

    amqp_url: str
    database_url: str
    systems: dict[str, str]
    log: str
    dies_at: str = ""
    passing: int = 1
    notes: str = ""
    feed: str = ""
    door: int = 0


class Worker:
    """A started process."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery, self.pid = nursery, pid
        self._handle = os.pidfd_open(pid)
        self._status: int | None = None

    @property
    def ended(self) -> bool:
        return self._status is not None or bool(select.select([self._handle], [], [], 0)[0])

    def kill(self) -> int:
        """``kill -9``; returns the exit status, as `wait` does."""
        if not self.ended:
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        return self.wait()

    def wait(self) -> int:
        """The exit code; minus the number of the signal that ended it."""
        if self._status is None:
            assert select.select([self._handle], [], [], MOST_WAIT_S)[0], "it goes on"
            self._status = os.waitstatus_to_exitcode(self._nursery.asked(f"wait {self.pid}"))
            os.close(self._handle)
        return self._status


class Nursery:
    """Where hub processes are forked. Leaving it kills those that still run."""

    def __init__(self) -> None:
        self._program = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self._workers: list[Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for worker in self._workers:
            worker.kill()
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.close()
        self._program.wait(MOST_WAIT_S)
        self._program.stdout.close()

    def start(self, life: Life) -> Worker:
        worker = Worker(self, self.asked(orjson.dumps(asdict(life)).decode()))
        self._workers.append(worker)
        return worker

    def asked(self, line: str) -> int:
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(line + "\n")
        answer = self._program.stdout.readline()
        assert answer, "the nursery has ended"
        return int(answer)


def _passing(point: str) -> None:
    _passed[point] += 1
    name, times = _dies
    if point == name and _passed[point] == times:
        os.kill(os.getpid(), signal.SIGKILL)
    if _passed[point] == 1 and _notes is not None:
        os.write(_notes, f"{point}\n".encode())


_notes: int | None = None


def _serve() -> None:
    from tests.faults import hub_process  # noqa: PLC0415 - after the modules' loader is in place

    hub_process.prepare()
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        if line.startswith("wait "):
            _, status = os.waitpid(int(line.split()[1]), 0)
            print(status, flush=True)  # noqa: T201 - the answer
            continue
        pid = os.fork()
        if not pid:
            _live(hub_process, Life(**orjson.loads(line)))
        print(pid, flush=True)  # noqa: T201 - the answer


def _live(hub_process: Any, life: Life) -> None:
    """In the forked process; does not return."""
    global _dies, _notes  # noqa: PLW0603 - of this process alone
    _dies = (life.dies_at, life.passing)
    log = os.open(life.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, target)
    if life.notes:
        _notes = os.open(life.notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    status = 1
    try:
        asyncio.run(hub_process.live(life))
        status = 0
    finally:
        sys.stdout.flush()
        os._exit(status)


if __name__ == "__main__":
    compiled_with_points(_passing)
    _serve()
