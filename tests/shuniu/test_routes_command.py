"""``shuniu routes``: what is refused changes nothing; what is applied can be shown and undone."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.hub.site import small_texts

pytestmark = pytest.mark.timeout(90)


@dataclass(frozen=True, slots=True)
class Hub:
    site: Path

    def routes(self, *words: str) -> tuple[int, Any]:
        """The command in a process of its own: it sets up its logs for good."""
        command = [sys.executable, "-m", "shuniu", "routes", *words, "--json"]
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
        return done.returncode, json.loads(done.stdout)

    @property
    def route(self) -> Path:
        return min((self.site / "routes").glob("*.yaml"))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    site = tmp_path / "site"
    for file, text in small_texts().items():
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_text(text, "utf-8")
    home = tmp_path / "home"
    monkeypatch.setenv("SHUNIU_HOME", str(home))
    monkeypatch.setenv("SHUNIU_SITE", str(site))
    monkeypatch.setenv("SHUNIU_DATABASE_URL", f"sqlite:///{home / 'hub.db'}")
    return Hub(site)


def test_releases_are_applied_shown_and_undone(hub: Hub) -> None:
    """Apply, list, show, roll back."""
    assert (0, {"ok": True, "release": 1}) == hub.routes("apply", "--note", "first")
    before = hub.route.read_text("utf-8")
    hub.route.write_text(before + "# another word\n", "utf-8")
    assert hub.routes("list")[1]["site_differs"]
    assert (0, {"ok": True, "release": 2}) == hub.routes("apply")

    _, shown = hub.routes("show", "2")
    name = f"routes/{hub.route.name}"
    assert [name] == list(shown["changes"])
    assert "+# another word" in shown["changes"][name]

    assert (0, {"ok": True, "release": 3}) == hub.routes("rollback", "1")
    _, found = hub.routes("list")
    assert 3 == found["live"]
    assert [3, 2, 1] == [row["number"] for row in found["releases"]]
    assert found["releases"][0]["digest"] == found["releases"][2]["digest"]
    assert found["site_differs"], "the folder still holds the later text"


def test_what_is_wrong_is_refused_with_its_place(hub: Hub) -> None:
    """File and line; what is live stays."""
    hub.routes("apply")
    good = hub.route.read_text("utf-8")
    line = len(good.splitlines()) + 1
    hub.route.write_text(f"{good.rstrip()}\nnever-heard-of: 1\n", "utf-8")

    code, told = hub.routes("apply")

    assert 78 == code
    assert any(f"{hub.route.name}:{line}:" in problem for problem in told["problems"]), told
    _, found = hub.routes("list")
    assert 1 == found["live"]
    assert 1 == len(found["releases"])


def test_an_example_that_fails_is_refused(hub: Hub) -> None:
    """The examples are run before anything is applied."""
    hub.routes("apply")
    file = hub.route
    text = file.read_text("utf-8")
    file.write_text(text.replace("step: 受理}\n", "step: 办结}\n"), "utf-8")
    assert text != file.read_text("utf-8")

    code, told = hub.routes("apply")

    assert 78 == code
    assert any(file.name in problem for problem in told["problems"]), told
    assert 1 == hub.routes("list")[1]["live"]


def test_an_unknown_release_is_said(hub: Hub) -> None:
    """By its number."""
    hub.routes("apply")
    code, told = hub.routes("rollback", "9")
    assert 78 == code
    assert ["release.unknown"] == [each["code"] for each in told["errors"]]
