"""What a target was given, shown: no value of a personal item, by whatever way it got there."""

from __future__ import annotations

from typing import Any

import pytest

from routes.showing import showing
from routes.values import Value

OPEN = frozenset({"caseNo", "stepName"})


def shown(value: Any, made: Any) -> Any:
    """Of a payload with the one target ``x``."""
    return showing({"x": Value.model_validate(value)}, OPEN)({"x": made})["x"]


@pytest.mark.parametrize(
    "value",
    [
        "stepName",
        {"const": "0"},
        {"join": ["caseNo", "stepName"], "with": "-"},
        {"first": ["stepName", "caseNo"]},
        {"when": [{"if": {"stepName": "办结"}, "then": "caseNo"}], "else": {"const": "无"}},
        {"list": "caseNo"},
        "$.operation",
    ],
)
def test_what_comes_from_open_items_is_shown(value: Any) -> None:
    """As the target was given it."""
    assert "受理" == shown(value, "受理")


@pytest.mark.parametrize(
    "value",
    [
        "applicantName",
        {"join": ["caseNo", "applicantName"]},
        {"first": ["stepName", "applicantName"]},
        {"split": "applicantName", "on": "·", "take": 1},
        {"when": [{"if": {"sex": "1"}, "then": {"const": "男"}}], "else": {"const": "女"}},
        {
            "when": [
                {
                    "if": {"not": {"any": [{"stepName": "办结"}, {"field": "sex", "is": "1"}]}},
                    "then": {"const": "女"},
                }
            ]
        },
        {"list": "applicantName"},
        "$.subject",
        "applicant",
    ],
)
def test_what_a_personal_item_had_a_part_in_is_hidden(value: Any) -> None:
    """Also where it only decided between two constants."""
    assert "＊＊＊" == shown(value, "王")


def test_objects_and_lists_are_shown_value_by_value() -> None:
    """Nested targets, rows of a list, and what no target accounts for."""
    mask = showing(
        {
            "case.no": Value.model_validate("caseNo"),
            "case.who": Value.model_validate("applicantName"),
            "rows": Value.model_validate(
                {"each": "materials", "map": {"s": "@.stepName", "n": "@.applicantName"}}
            ),
        },
        OPEN,
    )

    made = {
        "case": {"no": "A1", "who": "王", "more": 1},
        "rows": [{"s": "受理", "n": "王"}],
        "else": "王",
    }
    assert {
        "case": {"no": "A1", "who": "＊＊＊", "more": "＊＊＊"},
        "rows": [{"s": "受理", "n": "＊＊＊"}],
        "else": "＊＊＊",
    } == mask(made)


def test_numbers_of_people_inside_open_texts_are_masked() -> None:
    """GB 11643 and mobile numbers, as on pages."""
    assert "电话138＊＊＊＊00" == shown("stepName", "电话13800000000")
