"""Paths: what they mean, where they point, and which are refused."""

from __future__ import annotations

import pytest

from routes.paths import Scope, parse_path


@pytest.mark.parametrize(
    ("text", "scope", "steps", "pointer"),
    [
        ("slsj", Scope.RECORD, ("slsj",), "/slsj"),
        ("applicant.name", Scope.RECORD, ("applicant", "name"), "/applicant/name"),
        ("items.0.bh", Scope.RECORD, ("items", "0", "bh"), "/items/0/bh"),
        ("@.x", Scope.ELEMENT, ("x",), "/x"),
        ("@", Scope.ELEMENT, (), ""),
        ("$.source", Scope.ENVELOPE, ("source",), ""),
        ("/ns.tag/a~1b", Scope.RECORD, ("ns.tag", "a/b"), "/ns.tag/a~1b"),
        ("a/b", Scope.RECORD, ("a/b",), "/a~1b"),
        ("事项.编码", Scope.RECORD, ("事项", "编码"), "/事项/编码"),
    ],
)
def test_a_path_means_a_place(
    text: str, scope: Scope, steps: tuple[str, ...], pointer: str
) -> None:
    """Its scope, its steps, and the JSON Pointer a fault is told at."""
    path = parse_path(text)

    assert (scope, steps, pointer) == (path.scope, path.steps, path.pointer)


@pytest.mark.parametrize("text", ["", " a", "a.", ".a", "a..b", "$.secret", "$", "@x.", "a" * 201])
def test_a_path_that_means_nothing_is_refused(text: str) -> None:
    """With a reason, when the declaration is read."""
    with pytest.raises(ValueError, match=r"."):
        parse_path(text)


def test_the_field_is_what_a_person_calls_it() -> None:
    """The last name, not the number of an element."""
    assert "bh" == parse_path("items.bh.0").field
