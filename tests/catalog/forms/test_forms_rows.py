"""Rows of items are moved as an outline is: what stands in a group goes with it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.forms.rows import ACTS, Row, RowAct, acted, added, may_act

# a, G of b and c, d
OUTLINE = "a0 G0 b1 c1 d0"


def rows(outline: str) -> list[Row]:
    return [Row(each[0], int(each[1]), each[0].isupper(), {}) for each in outline.split()]


def outline(told: list[Row]) -> str:
    return " ".join(f"{row.key}{row.depth}" for row in told)


@pytest.mark.parametrize(
    ("act", "key", "wanted"),
    [
        ("up", "G", "G0 b1 c1 a0 d0"),
        ("down", "G", "a0 d0 G0 b1 c1"),
        ("up", "d", "a0 d0 G0 b1 c1"),
        ("down", "a", "G0 b1 c1 a0 d0"),
        ("up", "b", OUTLINE),
        ("down", "c", OUTLINE),
        ("in", "d", "a0 G0 b1 c1 d1"),
        ("in", "G", OUTLINE),
        ("out", "b", "a0 G0 c1 b0 d0"),
        ("out", "a", OUTLINE),
        ("drop", "G", "a0 d0"),
        ("drop", "c", "a0 G0 b1 d0"),
        ("up", "x", OUTLINE),
    ],
)
def test_a_row_is_moved(act: RowAct, key: str, wanted: str) -> None:
    """Past its neighbours with all that is in it, into the group above, out behind it, or away; where it
    cannot go it stays."""
    assert wanted == outline(acted(rows(OUTLINE), act, key)[0])


def test_a_row_is_added_where_one_is() -> None:
    """After an item, as the first of a group, and each with a key of its own."""
    after, key = acted(rows(OUTLINE), "add", "b")
    assert ("a0 G0 b1 n11 c1 d0", "n1") == (outline(after), key)
    within, key = acted(after, "add", "G")
    assert ("a0 G0 n21 b1 n11 c1 d0", "n2") == (outline(within), key)
    assert added(within, group=True).key == "n3"


def test_the_row_after_one_taken_out_is_looked_at() -> None:
    """Or the last; none where none is left."""
    assert acted(rows(OUTLINE), "drop", "G")[1] == "d"
    assert acted(rows(OUTLINE), "drop", "d")[1] == "c"
    assert ([], "") == acted(rows("a0"), "drop", "a")


@given(st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 9)), max_size=12))
def test_an_outline_stays_one(acts: list[tuple[RowAct, int]]) -> None:
    """Whatever is done in whatever order: no row stands in what is no group, none is there twice, and
    moving loses none."""
    now = rows(OUTLINE)
    for act, number in acts:
        if not now:
            break
        key = now[number % len(now)].key
        before = {row.key for row in now}
        possible = act in may_act(now)[key]
        after, _ = acted(now, act, key)
        if not possible:
            assert now == after
        elif act not in ("add", "drop"):
            assert before == {row.key for row in after}
        now = after
        keys = [row.key for row in now]
        assert len(keys) == len(set(keys))
        for at, row in enumerate(now):
            above = [each for each in now[:at] if each.depth < row.depth]
            assert row.depth == (above[-1].depth + 1 if above else 0)
            assert not above or above[-1].group
