"""A whole city on one machine: the demo as a process, with its partners, broker and pages."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers.rabbitmq import VirtualHosts

CASES = 5
DEADLINE_S = 180.0


@dataclass(frozen=True, slots=True)
class City:
    """*home* is the running hub's; *url* its pages and gateway."""

    home: Path
    url: str
    environment: dict[str, str]

    def shuniu(self, *words: str) -> tuple[int, Any]:
        """A command's exit code and its JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "shuniu", *words, "--json"],
            env=self.environment,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return done.returncode, json.loads(done.stdout)

    @property
    def secrets(self) -> dict[str, str]:
        return {p.name: p.read_text("ascii") for p in (self.home / "secrets").iterdir()}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def city(virtual_hosts: VirtualHosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """The demo with its applications done, still running, until the module's last test is over."""
    home, amqp = tmp_path_factory.mktemp("城 市"), virtual_hosts.add()
    port = _free_port()
    environment = {
        **os.environ,
        "SHUNIU_HOME": str(home),
        "SHUNIU_AMQP_URL": amqp,
        "SHUNIU_PORT": str(port),
    }
    command = [sys.executable, "-m", "shuniu", "demo", "--cases", str(CASES), "--speed", "20"]
    with (home / "output").open("wb") as output:
        demo = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        url = f"http://127.0.0.1:{port}"
        try:
            _until_done(demo, url, home)
            at = home / "demo"
            yield City(at, url, {**environment, "SHUNIU_HOME": str(at)})
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(60)
            virtual_hosts.delete(amqp)


def _until_done(demo: subprocess.Popen[bytes], url: str, home: Path) -> None:
    """Wait until every application has come to its end."""
    found: Any = None
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        assert demo.poll() is None, (home / "output").read_text("utf-8")
        try:
            found = httpx.get(f"{url}/api/applications", trust_env=False, timeout=30).json()[
                "applications"
            ]
        except (httpx.TransportError, ValueError, KeyError):
            found = None
        if found and len(found) == CASES and all(each["state"] != "1" for each in found):
            return
        time.sleep(0.2)
    pytest.fail(f"the applications never ended: {found}\n{(home / 'output').read_text('utf-8')}")
