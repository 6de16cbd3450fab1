"""The text of a declaration is changed where its content changes, and nowhere else."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.forms.text import Told, edited, told_of
from shuniu.site import texts_of
from tests.catalog.pages.site import SITE


@pytest.mark.parametrize("text", ["name: " + "[" * 5000, "- " * 5000], ids=["flow", "block"])
def test_what_is_nested_without_end_has_no_form(text: str) -> None:
    """It is shown as text, with what is wrong."""
    assert told_of(text) is None


TEXT = """# yaml-language-server: $schema=x
# Of the resource.
resource: a  # its name
code: "307013/000003"

# Of sharing.
share:
  type: none
  open: false
  # after the last
subject: x
items:
  # the first
  - {element: a, required: true}  # beside a
  # the second
  - element: b
    # within b
    note: 'no'
  - group: G
    name: {zh: 甲, en: g}  # beside the name
    items:
      # the third
      - {element: c}
      - {element: d}
"""
AWKWARD = st.text(max_size=12) | st.sampled_from(
    ["no", "0571", "1.10", "a # b", "- x: [", "a, b", "{a}", "'", '"', "一\n二", " ", "~", "2026-01-01", "1e3", "&a", "*a", "!x", "%", "@", "key: value", "</textarea>"]
)  # fmt: skip
NAMES = st.sampled_from(["type", "note", "zh", "en", "001", "yes", "name", "a b"])


def told() -> Told:
    found = told_of(TEXT)
    assert found is not None
    return found


def test_what_stays_keeps_its_lines() -> None:
    """One value changed: every other line is the same, comments and quotes too."""
    now = told()
    now["share"]["condition"] = "依据第 1 条: 甲, 乙 # 丙"
    now["items"][1]["note"] = "yes: 1"
    before, after = TEXT.splitlines(), edited(TEXT, now, ("type", "condition", "open")).splitlines()

    assert [line for line in before if line not in after] == ["    note: 'no'"]
    assert [line for line in after if line not in before] == [
        '  condition: "依据第 1 条: 甲, 乙 # 丙"',
        '    note: "yes: 1"',
    ]
    assert (
        after.index('  condition: "依据第 1 条: 甲, 乙 # 丙"') == before.index("  type: none") + 1
    )


def test_rows_move_with_their_comments() -> None:
    """Those above, beside and within, in a group as well."""
    now = told()
    now["items"].reverse()
    now["items"][0]["items"].reverse()
    made = edited(TEXT, now, ())

    assert now == told_of(made)
    assert sorted(TEXT.splitlines()) == sorted(made.splitlines())
    for above, line in (
        ("  # the first", "  - {element: a, required: true}  # beside a"),
        ("  # the second", "  - element: b"),
        ("      # the third", "      - {element: c}"),
    ):
        lines = made.splitlines()
        assert lines.index(line) == lines.index(above) + 1


def test_rows_move_between_lists_with_their_comments() -> None:
    """Into a group, out of one, and out of a group that goes."""
    now = told()
    second = now["items"].pop(1)
    now["items"][1]["items"].insert(0, second)
    made = edited(TEXT, now, ())
    assert now == told_of(made)
    wanted = "      # the second\n      - element: b\n        # within b\n        note: 'no'\n"
    assert wanted in made

    now = told_of(made) or {}
    third = now["items"][1]["items"].pop(1)
    now["items"] = [third, now["items"][0]]
    out = edited(made, now, ())
    assert now == told_of(out)
    assert out.endswith(
        "items:\n  # the third\n  - {element: c}\n"
        "  # the first\n  - {element: a, required: true}  # beside a\n"
    )


def test_a_comment_beside_what_changes_stands_above_it() -> None:
    """None is lost where its line is written anew."""
    now = told()
    now["resource"], now["items"][0]["required"] = "b", False
    now["items"][2]["name"]["en"] = "group"
    made = edited(TEXT, now, ())

    assert now == told_of(made)
    assert ["# its name", "resource: b"] == made.splitlines()[2:4]
    assert "  # the first\n  # beside a\n  - {element: a, required: false}\n" in made
    assert "    # beside the name\n    name: {zh: 甲, en: group}\n" in made


def test_a_key_that_goes_leaves_what_stood_above_it() -> None:
    """A comment above may be of more than one key."""
    now = told()
    del now["share"]
    assert "\n\n# Of sharing.\nsubject: x\n" in edited(TEXT, now, ())


@pytest.mark.parametrize(
    "text", ["", "# only this\n", "{resource: a, items: []}\n", "a: &x {b: 1}\nc: *x\n"]
)
def test_other_styles_are_written_anew(text: str) -> None:
    """In braces, with anchors, or nothing yet."""
    now = deepcopy(told_of(text) or {}) | {"a": {"b": 2}, "note": "n"}
    made = edited(text, now, ("a", "note"))

    assert now == told_of(made)
    assert ("# only this" in text) == ("# only this" in made)


@pytest.mark.parametrize("text", ["- 1\n", "one\n", "a: [\n", "1: a\n", "a: {1: b}\n"])
def test_what_names_no_values_is_no_declaration(text: str) -> None:
    """A list, a word, what is no YAML, a key that is a number."""
    assert told_of(text) is None


@given(
    st.recursive(
        AWKWARD | st.booleans() | st.integers(-9, 99),
        lambda inner: st.lists(AWKWARD, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=4,
    ),
    st.integers(0, 2),
)
@settings(max_examples=50)
def test_whatever_is_said_is_read_again(value: Any, row: int) -> None:
    """Any text and any nesting: in a row, as a key of its own, and into a text that says nothing yet."""
    now = told()
    now["items"][row]["note"] = value
    now["more"] = value
    assert now == told_of(edited(TEXT, now, ("note",)))
    assert now == told_of(edited("", now, ()))


def test_texts_of_the_site_are_changed_in_one_line() -> None:
    """Each resource of the site with another summary."""
    for text in texts_of(SITE, "resources").values():
        now = told_of(text)
        assert now is not None
        now["summary"] = "另一个摘要。"
        before, after = text.splitlines(), edited(text, now, ()).splitlines()
        assert 1 == sum(old != new for old, new in zip(before, after, strict=True))
