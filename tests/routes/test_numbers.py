"""Units are changed exactly, or not at all."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routes.numbers import decimal_of, scale


@pytest.mark.parametrize(
    ("times", "places", "rounding", "write", "value", "expected"),
    [
        ("0.01", 2, None, "text", 1250, "12.50"),  # 分 to 元
        ("0.01", 2, None, "text", "1", "0.01"),
        ("100", 0, None, "integer", "12.50", 1250),  # 元 to 分
        ("8", 0, None, "integer", 5, 40),  # working days to hours
        ("1", 0, None, "number", "7", 7),
        ("1", 1, None, "number", "7.5", 7.5),
        ("0.01", 1, None, "text", 1250, "12.5"),
        ("0.01", 1, None, "text", 1255, None),  # it does not fit, and nobody said how to round
        ("0.01", 1, "half-up", "text", 1255, "12.6"),
        ("0.01", 1, "half-up", "text", 1245, "12.5"),
        ("0.01", 1, "down", "text", 1259, "12.5"),
        ("0.01", 1, "down", "text", "-1", "0.0"),
        ("1", 2, None, "text", 0.1, "0.10"),
        ("1", 0, None, "integer", "1,250", None),
        ("1", 0, None, "integer", "1e3", None),
        ("1", 0, None, "integer", True, None),
        ("1", 0, None, "integer", "", None),
        ("1", 0, None, "integer", float("nan"), None),
        ("1", 0, None, "integer", 10**400, None),
        ("1", 0, None, "integer", "１２", None),
    ],
)
def test_a_number_is_changed_as_declared(
    times: str, places: int, rounding: str | None, write: str, value: object, expected: object
) -> None:
    """Decimals are text, whole numbers are numbers, and what does not fit is not read."""
    found = scale(times, places, rounding, write)(value)

    assert (expected, type(expected)) == (found, type(found))


@given(st.decimals(min_value=-(10**14), max_value=10**14, places=2))
def test_to_fen_and_back_loses_nothing(amount: Decimal) -> None:
    """元 to 分 to 元."""
    text = format(amount + 0, "f")
    fen = scale("100", 0, None, "integer")(text)

    assert text == scale("0.01", 2, None, "text")(fen)


NUMBERS = st.from_regex(r"[+-]?[0-9]{0,20}(\.[0-9]{0,12})?", fullmatch=True) | st.integers()


@given(
    NUMBERS,
    st.sampled_from(["1", "0.01", "60", "0.5", "0.0001", "-1", "100000000000"]),
    st.integers(0, 6),
    st.sampled_from([None, "half-up", "down"]),
)
def test_every_number_is_changed_by_the_same_arithmetic(
    value: str | int, times: str, places: int, rounding: str | None
) -> None:
    """However a number is written: its product, to the last decimal, or nothing where it does not
    fit."""
    found = scale(times, places, rounding, "text")(value)
    number = decimal_of(value)
    expected = None
    if number is not None:
        with localcontext() as context:
            context.prec = 200
            exact = number * Decimal(times)
            mode = ROUND_HALF_UP if rounding == "half-up" else ROUND_DOWN
            fitted = exact.quantize(Decimal(10) ** -places, rounding=mode)
            if rounding is not None or fitted == exact:
                expected = format(abs(fitted) if fitted == 0 else fitted, "f")

    assert expected == found


@given(st.text() | st.integers() | st.floats() | st.booleans() | st.none())
def test_no_value_breaks_the_reader(value: object) -> None:
    """It is a number or it is not."""
    found = decimal_of(value)

    assert found is None or found.is_finite()
