"""The catalogue is read from texts, each declaration with its place."""

from __future__ import annotations

import pytest

from catalog.model import Place
from catalog.read import read_catalogue
from schemas.declarations import InvalidDeclaration
from tests.catalog.a_catalogue import FILES, small


def test_everything_is_found_by_name() -> None:
    """Elements by short name, code lists and resources by theirs."""
    catalogue = small()

    assert 17 == len(catalogue.elements)
    assert "办件编号" == catalogue.elements["caseNo"].name.zh
    assert {"1": "受理", "2": "不予受理"} == catalogue.code_lists["acceptance-result"].codes
    assert ["caseAcceptance"] == list(catalogue.resources)


@pytest.mark.parametrize(
    ("key", "file", "text"),
    [
        ("element stepNo", "elements/all.yaml", "short_name: stepNo"),
        ("code list acceptance-result", "codes/all.yaml", "name: acceptance-result"),
        ("resource caseAcceptance", "resources/caseAcceptance.yaml", "resource: caseAcceptance"),
        ("resource caseAcceptance stepNo", "resources/caseAcceptance.yaml", "element: stepNo"),
        ("resource caseAcceptance Place", "resources/caseAcceptance.yaml", "group: Place"),
    ],
)
def test_a_declaration_has_its_line(key: str, file: str, text: str) -> None:
    """What the linter finds leads an editor there."""
    lines = FILES[file].splitlines()
    expected = next(n for n, line in enumerate(lines, 1) if text in line)

    assert Place(file, expected) == small().places[key]


def test_other_folders_are_passed_over() -> None:
    """Routes and systems are read elsewhere."""
    assert small() == read_catalogue({**FILES, "routes/a.yaml": "no catalogue"})


def test_a_name_declared_twice_is_refused_where_it_is_again() -> None:
    """And says where it was first."""
    again = FILES["elements/all.yaml"].split("  - identifier: HUB.TST.0002")[0]
    with pytest.raises(InvalidDeclaration) as caught:
        read_catalogue({**FILES, "elements/more.yaml": again})

    (problem,) = caught.value.problems
    assert ("elements/more.yaml", 4, "caseNo") == (problem.file, problem.line, problem.path)
    assert "elements/all.yaml, line 4" in problem.said


def test_problems_of_all_files_are_told_at_once() -> None:
    """Nobody wants to find them one by one."""
    broken = {
        "elements/all.yaml": FILES["elements/all.yaml"].replace("HUB.TST.0002", "TST.2"),
        "codes/all.yaml": FILES["codes/all.yaml"].replace('"1": 受理', "1: 受理"),
        "resources/caseAcceptance.yaml": "resource: caseAcceptance\nitems: []\n",
    }
    with pytest.raises(InvalidDeclaration) as caught:
        read_catalogue(broken)

    places = {(problem.file, problem.line) for problem in caught.value.problems}
    assert {("elements/all.yaml", 9), ("codes/all.yaml", 4)} < places
    assert broken.keys() == {file for file, _ in places}
