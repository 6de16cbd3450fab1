"""``shuniu catalog``: what is exported can be imported; what is wrong is told and writes nothing."""

from __future__ import annotations

import json
import os
from io import BytesIO
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from openpyxl import load_workbook

from catalog.derive.validator import compile_validator
from catalog.sheet.columns import COLUMNS, SHEET
from catalog.sheet.write import write_sheet
from shuniu.site import read_site
from tests.catalog.a_catalogue import reference_site
from tests.commands import shuniu

SUMMARY = 1 + next(n for n, column in enumerate(COLUMNS) if column.path == "summary")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    site = tmp_path / "site"
    copytree(Path(__file__).parents[2] / "sites" / "reference", site)
    monkeypatch.setenv("SHUNIU_SITE", str(site))
    monkeypatch.setenv("SHUNIU_HOME", str(tmp_path / "home"))
    return site


def command(*words: str) -> tuple[int, Any]:
    done = shuniu("catalog", *words, "--json")
    return done.code, done.told


def with_summary(path: Path, text: str) -> None:
    book = load_workbook(BytesIO(path.read_bytes()))
    book[SHEET].cell(2, SUMMARY).value = text
    book.save(path)


def test_a_changed_summary_changes_one_declaration(site: Path, tmp_path: Path) -> None:
    """Out, changed in one cell, looked at, and in again: the other files stay as they were."""
    before = {path: path.read_bytes() for path in (site / "resources").glob("*.yaml")}
    assert 0 == command("export", "--format", "xlsx", "--output", str(tmp_path))[0]
    file = tmp_path / "catalogue.xlsx"
    with_summary(file, "重新表述的摘要。")

    code, told = command("check", str(file))
    assert (0, []) == (code, told["written"])
    assert before == {path: path.read_bytes() for path in before}
    code, told = command("import", str(file))
    first = next(iter(reference_site().resources))
    assert (0, [str(site / "resources" / f"{first}.yaml")]) == (code, told["written"])
    assert [first] == [path.stem for path in before if path.read_bytes() != before[path]]


def test_a_fault_is_told_at_its_cell_and_writes_nothing(site: Path, tmp_path: Path) -> None:
    """And the file comes back marked."""
    before = {path: path.read_bytes() for path in (site / "resources").glob("*.yaml")}
    file, marked = tmp_path / "catalogue.xlsx", tmp_path / "marked.xlsx"
    catalogue = reference_site()
    file.write_bytes(write_sheet(catalogue.resources.values(), catalogue))
    with_summary(file, "待定")

    code, told = command("import", str(file), "--marked", str(marked))

    cell = load_workbook(marked)[SHEET].cell(2, SUMMARY)
    assert (1, False, []) == (code, told["ok"], told["written"])
    assert [(cell.coordinate, "catalog.placeholder")] == [
        (each["cell"], each["code"]) for each in told["faults"]
    ]
    assert cell.comment
    assert before == {path: path.read_bytes() for path in before}


def test_wrong_records_are_exported_with_their_faults(site: Path, tmp_path: Path) -> None:
    """Of another format than samples there are none."""
    words = ("export", "--invalid", "--resource", "caseStep", "--output", str(tmp_path))
    assert 0 == command(*words, "--format", "sample")[0]
    written = tmp_path / "caseStep.invalid.json"
    spoilt = json.loads(written.read_bytes())
    validate = compile_validator(reference_site().resources["caseStep"], reference_site())

    assert all(
        [(each["code"], each["at"])] == [(f.code, f.at) for f in validate(each["body"]).faults]
        for each in spoilt
    )
    assert ("item.missing", "/caseNo") in [(each["code"], each["at"]) for each in spoilt]
    code, told = command(*words, "--format", "xsd")
    assert (os.EX_CONFIG, "catalog.only-samples") == (code, told["errors"][0]["code"])


def test_a_code_table_is_taken_in(site: Path, tmp_path: Path) -> None:
    """Whole or not at all; and the site reads it."""
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("代码,名称\n01,农业\n02,林业\n", encoding="utf-8")
    bad.write_text("代码,名称\n01,农业\n01,林业\n", encoding="utf-8")
    words = ("--title", "行业大类", "--english", "divisions", "--standard", "GB/T 4754-2017")

    code, told = command("codes", str(bad), "--name", "industry-division", *words)
    assert (0 != code, ["codes.duplicate"]) == (True, [each["code"] for each in told["errors"]])
    assert not (site / "codes" / "industry-division.csv").exists()
    code, told = command("codes", str(good), "--name", "industry-division", *words)
    assert (0, 2) == (code, told["codes"])
    read = read_site(site).catalogue.code_lists["industry-division"]
    assert {"01": "农业", "02": "林业"} == read.codes


def test_an_import_becomes_drafts(site: Path, tmp_path: Path) -> None:
    """In the life cycle, not in the folder; who may not draft is told so (R-A5)."""
    before = {path: path.read_bytes() for path in (site / "resources").glob("*.yaml")}
    file, catalogue = tmp_path / "catalogue.xlsx", reference_site()
    file.write_bytes(write_sheet([catalogue.resources["caseRating"]], catalogue))
    with_summary(file, "重新表述的摘要。")
    words = ("import", str(file), "--as-draft", "--as", "赵编目")

    code, told = command("import", str(file), "--as-draft", "--as", "周编目")
    assert (0 != code, ["lifecycle.role"]) == (True, [each["code"] for each in told["errors"]])
    assert ["caseRating/2"] == command(*words)[1]["written"]
    assert before == {path: path.read_bytes() for path in before}


def test_tables_of_a_system_are_written(site: Path, tmp_path: Path) -> None:
    """Those that its profile declares, in the dialect asked for."""
    wish = ("--system", "province-library", "--dialect", "oracle")
    code, told = command("export", "--format", "ddl", *wish, "--output", str(tmp_path))

    (file,) = told["files"]
    assert (0, str(tmp_path / "province-library.oracle.sql")) == (code, file)
    assert "COMMENT ON COLUMN up_pro_accept.project_no" in Path(file).read_text("utf-8")
    assert site.is_dir()


def test_an_unknown_resource_is_named(site: Path) -> None:
    """Exit 78, as with every wrong configuration."""
    code, told = command("export", "--format", "xsd", "--resource", "noSuch")

    assert (78, "catalog.unknown-resource") == (code, told["errors"][0]["code"])


def test_where_nothing_can_be_written_is_said(site: Path, tmp_path: Path) -> None:
    """With the place, instead of a programmer's report."""
    taken = tmp_path / "taken"
    taken.write_text("a file", encoding="utf-8")

    code, told = command("export", "--format", "xsd", "--output", str(taken))

    assert (os.EX_CONFIG, "catalog.unwritable") == (code, told["errors"][0]["code"])
    assert str(taken) in told["errors"][0]["zh"]
    assert site.is_dir()
