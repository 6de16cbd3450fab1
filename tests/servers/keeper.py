"""Holds one server as long as any process of the test session uses it.

Form       ``<kind>.json`` what users need; ``<kind>.users`` a lock every user shares; ``<kind>.gate``
           a lock that lets one at a time ask or start
Promises   the kernel gives a dead process's locks back: a killed session leaves no server behind
Not here   what the servers are: the neighbours of this module
"""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Protocol

from shuniu.node_identity import write_private

__all__ = ["Facts", "Serves", "shared"]

Facts = dict[str, str]
_START_S = 120.0
_LOOK_EVERY_S = 0.05
# Locks this process holds; they must live as long as it does.
_in_use: dict[tuple[Path, str], tuple[IO[str], Facts]] = {}


class Serves(Protocol):
    """A module of a server: enter to start it in a folder, leave to stop it."""

    def serving(self, folder: Path, /) -> AbstractContextManager[Facts]: ...


def shared(kind: str, root: Path) -> Facts:
    """The session's server of this *kind* (a module beside this one), started if need be."""
    if (root, kind) in _in_use:
        return _in_use[root, kind][1]
    root.mkdir(parents=True, exist_ok=True)
    with (root / f"{kind}.gate").open("w", encoding="ascii") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        users = (root / f"{kind}.users").open("w", encoding="ascii")
        fcntl.flock(users, fcntl.LOCK_SH)
        told = root / f"{kind}.json"
        if not told.exists():
            _start(kind, root, told)
        facts: Facts = json.loads(told.read_text(encoding="utf-8"))
    _in_use[root, kind] = users, facts
    return facts


def _start(kind: str, root: Path, told: Path) -> None:
    log = root / f"{kind}.log"
    with log.open("wb") as output:
        keeper = subprocess.Popen(
            [sys.executable, "-m", __name__, kind, str(root)],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_S
    while not told.exists():
        if keeper.poll() is not None or time.monotonic() > deadline:
            said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise AssertionError(f"the {kind} server of the tests did not start:\n{said}")
        time.sleep(_LOOK_EVERY_S)
    # The keeper outlives this object on purpose, and init inherits it.
    keeper.returncode = 0


def _keep(kind: str, root: Path) -> None:
    server: Serves = importlib.import_module(f"tests.servers.{kind}")
    # Beside the session's folder, not in it: other users must be able to reach theirs.
    folder = Path(tempfile.mkdtemp(prefix=f"shuniu-{kind}-"))
    folder.chmod(0o755)
    told = root / f"{kind}.json"
    try:
        with (
            (root / f"{kind}.users").open("w", encoding="ascii") as users,
            server.serving(folder) as facts,
        ):
            write_private(told, json.dumps(facts))
            fcntl.flock(users, fcntl.LOCK_EX)  # waits until nobody shares it
            told.unlink(missing_ok=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _end_in_order(*_: object) -> None:
    # Once: a second signal would break off the stopping of the server and leave half of it.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(1)


if __name__ == "__main__":
    # A keyboard's Ctrl-C ends the tests, and thereby their locks; the keeper ends in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end_in_order)
    os.chdir("/")
    _keep(sys.argv[1], Path(sys.argv[2]))
