"""``shuniu routes``: what is refused changes nothing; what is applied can be shown and undone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.commands import shuniu
from tests.hub.site import small_texts


@dataclass(frozen=True, slots=True)
class Hub:
    site: Path

    def routes(self, *words: str) -> tuple[int, Any]:
        return self.command("routes", *words)

    def command(self, *words: str) -> tuple[int, Any]:
        done = shuniu(*words, "--json")
        return done.code, done.told

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


def test_lint_tells_whether_the_folder_is_what_runs(hub: Hub) -> None:
    """It is no error, and nothing is made for it where there are no records yet."""
    home = hub.site.parent / "home"
    assert hub.command("lint")[1]["differs_from_release"] is None
    assert not home.exists()
    hub.routes("apply")
    assert hub.command("lint")[1]["differs_from_release"] is None
    hub.route.write_text(hub.route.read_text("utf-8") + "# another word\n", "utf-8")
    code, found = hub.command("lint")
    assert (0, 1) == (code, found["differs_from_release"])


def test_lint_checks_what_a_system_tells_its_connector(hub: Hub) -> None:
    """With the connector's own model, at file and line; what only the running hub knows is stood in for."""
    (hub.site / "systems" / "front.yaml").write_text(FRONT, "utf-8")
    # Else its routes would stand still when they are first needed.
    other = FRONT.replace("connector: front-library", "connector: pigeon")
    (hub.site / "systems" / "other.yaml").write_text(
        other.replace("system: front", "system: other"), "utf-8"
    )
    code, told = hub.command("lint")
    errors = [each for each in told["findings"] if each["severity"] == "error"]

    assert 1 == code
    assert [
        ("systems/front.yaml", 9, "connector.settings"),
        ("systems/front.yaml", 12, "connector.settings"),
        ("systems/other.yaml", 4, "connector.unknown"),
    ] == [(each["file"], each["line"], each["code"]) for each in errors]
    assert "call_s" in errors[0]["zh"]
    assert "window" in errors[1]["en"]


FRONT = """\
system: front
name: {zh: 前置库, en: front}
owner: 测试局
connector: front-library
settings:
  url: "address://front"
  connect_s: 5
  # Longer than any call may last.
  call_s: 600
  tables: [{name: qyss, business_key: [code], columns: [{name: code}, {name: gxsj, kind: moment}]}]
  reads:
    - {table: qyss, kind: firm, capture: {mode: watermark, column: gxsj, window: 5}}
"""
