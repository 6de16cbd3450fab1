"""shuniu reconcile as its user meets it: what cannot be compared is told with what to do."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shuniu.reconcile.run import legs_of
from tests.commands import shuniu
from tests.shuniu.table_exchange import the_plan

SITE = Path(__file__).parents[2] / "sites" / "reference"


def said(folder: Path, *words: str) -> tuple[int, str]:
    """Exit code and all that was printed."""
    settings = {"SHUNIU_HOME": str(folder), "SHUNIU_SITE": str(SITE)}
    done = shuniu("reconcile", *words, environment=os.environ | settings)
    return done.code, done.out + done.err


def test_why_a_partner_could_not_be_compared_is_told(tmp_path: Path) -> None:
    """Nobody has said where the library's database is: that is no agreement, and says what to do."""
    code, told = said(tmp_path, "--system", "province-library")

    assert 1 == code
    assert "未能核对" in told
    assert "up_pro_accept  " in told, "and a sentence about it below the table"


def test_a_repair_asks_for_its_reason_at_once(tmp_path: Path) -> None:
    """Not only where something is missing, after a long comparison."""
    code, told = said(tmp_path, "--repair")

    assert 65 == code
    assert "--reason" in told


@pytest.mark.parametrize("capture", [{"mode": "watermark", "column": "changed"}, "key-set"])
def test_a_table_without_states_is_compared_too(capture: Any) -> None:
    """By what is known of it; one whose records have keys of their own is not."""
    plan = the_plan()
    tax = plan.declarations.systems["tax"]

    def legs(**more: Any) -> list[str]:
        read = {"table": "o_test_case", "kind": "testCase", "capture": capture, **more}
        changed = tax.model_copy(update={"settings": {**tax.settings, "reads": [read]}})
        systems = {**plan.declarations.systems, "tax": changed}
        declared = replace(plan.declarations, systems=systems)
        return [each.direction for each in legs_of(replace(plan, declarations=declared))]

    assert ["from", "to"] == legs()
    assert ["to"] == legs(key=["case_no"])
