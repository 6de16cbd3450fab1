"""Formats of GB/T 19488 and GB/T 39046: what they allow, and what is no format."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Misconfigured
from schemas.formats import UNLIMITED, parse_format


@pytest.mark.parametrize(
    ("notation", "least", "most", "characters"),
    [
        ("a..10", 0, 10, "any"),
        ("an18", 18, 18, "any"),
        ("an3..8", 3, 8, "any"),
        ("n6", 6, 6, "digits"),
        ("n..4", 0, 4, "digits"),
        ("c18", 18, 18, "any"),
        ("a..ul", 0, UNLIMITED, "any"),
        ("..ul", 0, UNLIMITED, "any"),
        ("ul", 0, UNLIMITED, "any"),
    ],
)
def test_a_text_has_a_length(notation: str, least: int, most: int, characters: str) -> None:
    """``m`` is fixed, ``..m`` at most, ``l..m`` between: GB/T 39046 table 3."""
    form = parse_format(notation)

    assert ("text", least, most) == (form.kind, form.least, form.most)
    assert characters == ("digits" if form.digits else "any")


@pytest.mark.parametrize(
    ("notation", "most", "places"), [("n..16,2", 16, 2), ("n..20,6", 20, 6), ("n5,0", 5, 0)]
)
def test_a_number_has_decimals(notation: str, most: int, places: int) -> None:
    """The first number counts all digits, the second those after the point."""
    form = parse_format(notation)

    assert ("number", most, places) == (form.kind, form.most, form.places)


def test_a_pattern_limits_the_characters() -> None:
    """Two letters, then three digits."""
    form = parse_format("an5(aannn)")

    assert (5, "[A-Za-z][A-Za-z][0-9][0-9][0-9]") == (form.most, form.pattern)


@pytest.mark.parametrize(
    ("notation", "kind", "length", "layout"),
    [
        ("d8", "date", 8, "%Y%m%d"),
        ("YYYYMMDD", "date", 8, "%Y%m%d"),
        ("d10", "date", 10, "%Y-%m-%d"),
        ("t6", "time", 6, "%H%M%S"),
        ("dt14", "datetime", 14, "%Y%m%d%H%M%S"),
        ("YYYYMMDDhhmmss", "datetime", 14, "%Y%m%d%H%M%S"),
        ("YYYYMMDDThhmmss", "datetime", 15, "%Y%m%dT%H%M%S"),
        ("dt19", "datetime", 19, "%Y-%m-%dT%H:%M:%S"),
    ],
)
def test_a_moment_has_a_layout(notation: str, kind: str, length: int, layout: str) -> None:
    """Short, and as the 2020 standard spells it, in both of its ways."""
    form = parse_format(notation)

    assert (kind, length, length, layout) == (form.kind, form.least, form.most, form.layout)


@pytest.mark.parametrize(("notation", "kind"), [("bl", "boolean"), ("bn", "binary")])
def test_truth_values_and_files_have_no_length(notation: str, kind: str) -> None:
    """布尔型 and 二进制."""
    assert kind == parse_format(notation).kind


@pytest.mark.parametrize(
    "notation",
    [
        *("", " ", "an", "n", "18", "x5", "AN18", "an 18", "an-5", "an18 ", "an18\n", "an5.5"),
        *("n0", "an..0", "n06", "n１８", "an8..3", "an..", "an5..", "ul10", "10ul", "n..ul,2"),
        *("n..2,5", "a..10,2", "an16,2", "n..16,", "n,2", "n6(ann)", "an5(aan)", "an5()", "a2(nn)"),
        *("d9", "dt", "dt13", "YYYYMM", "yyyymmdd", "bl1", "bool", "an99999999"),
    ],
)
def test_nonsense_is_refused(notation: str) -> None:
    """A slip in a declaration is told, never read as something else."""
    with pytest.raises(Misconfigured) as caught:
        parse_format(notation)

    assert "format.unknown" == caught.value.code


@given(st.text(alphabet="acnulbdt0123456789.,()YMDhms T", max_size=14))
def test_a_format_or_a_refusal(notation: str) -> None:
    """Whatever is written: sound limits, or the one error."""
    try:
        form = parse_format(notation)
    except Misconfigured:
        return
    assert notation == form.notation
    assert 0 <= form.least <= form.most
    assert (form.places or 0) <= form.most
