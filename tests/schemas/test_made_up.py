"""What in an example could be a real person's, and what is plainly made up."""

from __future__ import annotations

import pytest

from schemas.identifiers import citizen_check_character
from schemas.made_up import Real, real_in

# Order 123 of a day in Shijiazhuang; nobody's by our making, and anybody's by its form.
FITTING = "13010219900101123"
REAL = FITTING + citizen_check_character(FITTING)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (REAL, "citizen-id"),
        (f"证件号{REAL.lower()}，已核对", "citizen-id"),
        (FITTING + ("0" if REAL[-1] != "0" else "1"), None),  # does not fit
        ("130102199001010004", None),  # order 000
        ("11010519491231002X", None),  # printed in GB 11643
        (f"1{REAL}", None),  # part of a longer number
        ("13571934826", "mobile"),
        ("请致电 +86 13571934826", "mobile"),
        ("13800000000", None),
        ("19900000001", None),
        ("13912345678", None),
        ("12571934826", None),  # no mobile number begins so
        ("2026135719348260", None),  # part of a case number
    ],
)
def test_what_could_be_real_is_told(text: str, kind: Real | None) -> None:
    """By its form alone, and not where it is known to be nobody's."""
    assert kind == real_in(text)
