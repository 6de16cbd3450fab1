"""Servers end with the session that asked for them, even when its processes are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shuniu.node_identity import Process

_ASK = """
import sys, pathlib
from tests.servers.keeper import shared
print(shared("postgresql", pathlib.Path(sys.argv[1]))["port"], flush=True)
sys.stdin.read()
"""


def _user(root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _ASK, str(root)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.xdist_group("together")
def test_what_is_grouped_runs_on_one_worker(request: pytest.FixtureRequest) -> None:
    """Where xdist and pytest do not fit together the marks are silently ignored, and each worker
    starts servers of its own: xdist tells a group by the end of a test's id."""
    shared_out = "PYTEST_XDIST_WORKER" in os.environ

    assert shared_out == request.node.nodeid.endswith("@together")


def test_a_killed_session_leaves_no_server_behind(tmp_path: Path) -> None:
    """Two workers share one server; it stays while one lives and goes when both were killed."""
    with _user(tmp_path) as first, _user(tmp_path) as second:
        assert first.stdout is not None
        assert second.stdout is not None
        port = int(first.stdout.readline())
        assert port == int(second.stdout.readline())
        told = tmp_path / "postgresql.json"

        first.send_signal(signal.SIGKILL)
        first.wait(5)
        assert str(port) == json.loads(told.read_text(encoding="utf-8"))["port"]
        second.send_signal(signal.SIGKILL)

    deadline = time.monotonic() + 20
    while _servers_on(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [] == _servers_on(port)
    assert not told.exists()


def _servers_on(port: int) -> list[int]:
    """The processes of a PostgreSQL with this port on its command line."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            command = (place / "cmdline").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if f"--port={port}\0" in command and Process.now(int(place.name)) is not None:
            found.append(int(place.name))
    return found
