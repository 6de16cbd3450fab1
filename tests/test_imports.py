"""The import contracts bite: one planted violation for each, found in a copy of the house."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent

# Contract, the module in which the violation is planted, and the line planted there.
PLANTED = {
    "downwards": ("web/guard.py", "import catalog.model"),
    "doors": ("connectors/http_json.py", "import hub.store"),
    "own-door": ("services/one_thing/rules.py", "import hub.port"),
    "connectors": ("connectors/http_json.py", "import connectors.soap"),
    "services": ("services/one_thing/rules.py", "import services.supervision"),
    "simulators": ("simulators/__init__.py", "import hub.streams"),
    "pure": ("schemas/errors.py", "import asyncio"),
    "amqp": ("hub/delivery/worker.py", "import aio_pika"),
    "sql": ("catalog/model.py", "import sqlalchemy"),
    "http": ("hub/pipeline.py", "import starlette"),
    "soap": ("monitoring/__init__.py", "import zeep"),
    "pytest": ("hub/recover.py", "import pytest"),
    "hub": ("hub/unplaced.py", '"""A module that nobody has given a layer."""'),
    "catalog": ("catalog/model.py", "import catalog.derive"),
}


def _contracts() -> dict[str, str]:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {c["id"]: c["name"] for c in told["tool"]["importlinter"]["contracts"]}


def test_every_contract_has_its_violation() -> None:
    """A contract that has never been seen to break may as well not be there."""
    assert list(_contracts()) == list(PLANTED)


def test_each_violation_is_found(tmp_path: Path) -> None:
    """All planted at once in a copy, looked for in one run: every contract is broken by its own."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for package in told["tool"]["importlinter"]["root_packages"]:
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for module, line in PLANTED.values():
        with (tmp_path / module).open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")

    found = subprocess.run(
        [sys.executable, Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert 1 == found.returncode, found.stderr
    # Behind a contract with exceptions stands their number.
    lines = [re.sub(r" \(\d+ ignored imports?\)$", "", line) for line in found.stdout.splitlines()]
    verdicts = dict(line.rsplit(" ", 1) for line in lines if " " in line)
    assert dict.fromkeys(_contracts().values(), "BROKEN") == {
        name: verdicts.get(name) for name in _contracts().values()
    }, found.stdout
