"""The pages on declarations: every example on them is run, and both languages say the same."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from catalog.read import read_catalogue
from routes.compiler.mapping import Compiler
from routes.examples import run
from routes.lint import lint
from routes.site import Declarations, read_declarations
from routes.values import Condition, Value
from schemas.errors import Fault

ROOT = Path(__file__).resolve().parents[2]
PAGES = {"en": ROOT / "docs" / "declarations.md", "zh": ROOT / "docs" / "zh" / "declarations.md"}
_BLOCK = re.compile(r"^```yaml\n# ([^\n]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(lang: str) -> dict[str, str]:
    return dict(_BLOCK.findall(PAGES[lang].read_text(encoding="utf-8")))


@cache
def site(lang: str) -> Declarations:
    """The files of the page, on the catalogue of the reference site."""
    folder = ROOT / "sites" / "reference"
    catalogue = read_catalogue(
        {
            str(path.relative_to(folder)): path.read_text(encoding="utf-8")
            for part in ("elements", "codes", "resources")
            for path in sorted((folder / part).glob("*.yaml"))
        }
    )
    files = {name: text for name, text in blocks(lang).items() if name.endswith(".yaml")}
    return read_declarations(files, catalogue)


@pytest.mark.parametrize("lang", PAGES)
def test_the_site_of_the_page_is_without_fault(lang: str) -> None:
    """No error of the linter; the page's streams are fed and taken by itself or by services."""
    findings = lint(site(lang), fed=["caseAcceptance"], taken=["caseAcceptance", "caseStep"])

    assert [] == [str(each) for each in findings if each.severity == "error"]


@pytest.mark.parametrize("lang", PAGES)
def test_the_examples_of_the_page_pass(lang: str) -> None:
    """Two of the intake, two of the route."""
    outcomes = run(site(lang))

    assert 4 == len(outcomes)
    assert [] == [each for each in outcomes if not each.passed]


@pytest.mark.parametrize("lang", PAGES)
def test_each_value_gives_what_the_page_says(lang: str) -> None:
    """Or has the fault it says."""
    tables = {name: table.to_ours for name, table in site(lang).tables.items()}
    compiler = Compiler(declaration="page", inward=True, codes=tables)
    rows: list[dict[str, Any]] = YAML(typ="safe").load(blocks(lang)["values"])
    for row in rows:
        compute = compiler.value(Value.model_validate(row["value"]))
        faults: list[Fault] = []
        found = compute(row["given"], None, None, "", faults)

        assert ([row["fault"]] if "fault" in row else []) == [each.code for each in faults], row
        if "gives" in row:
            assert row["gives"] == found, row


@pytest.mark.parametrize("lang", PAGES)
def test_each_condition_holds_as_the_page_says(lang: str) -> None:
    """Or does not."""
    compiler = Compiler(declaration="page", inward=True, codes={})
    rows: list[dict[str, Any]] = YAML(typ="safe").load(blocks(lang)["conditions"])
    for row in rows:
        holds = compiler.condition(TypeAdapter(Condition).validate_python(row["if"]))

        assert holds is not None
        assert row["holds"] == holds(row["given"], None, None), row


def test_both_languages_show_the_same_declarations() -> None:
    """Comments apart."""
    first, second = blocks("en"), blocks("zh")

    assert list(first) == list(second)
    for name, text in first.items():
        yaml = YAML(typ="safe")
        assert yaml.load(text) == yaml.load(second[name]), name
