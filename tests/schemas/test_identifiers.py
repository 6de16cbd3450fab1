"""Identifiers with check characters: published numbers, and every slip a clerk's hand makes."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import uscc as stdnum_uscc

from schemas.identifiers import (
    CHECKS,
    Verdict,
    check_citizen_id,
    check_food_licence,
    check_licence_id,
    check_organisation_code,
    check_uscc,
    citizen_check_character,
    uscc_check_character,
)

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
DIGITS = "0123456789"
LICENCE = "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U"

# (kind, a number that fits, the places of a slip, the characters it may turn into)
PUBLISHED = {
    "uscc": ("91350100M000100Y43", range(18), ALPHABET),
    "organisation-code": ("M000100Y4", range(8), DIGITS + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    "citizen-id": ("11010519491231002X", range(17), DIGITS),
    "food-licence": ("SC10741018302531", range(2, 16), DIGITS),
    "licence-id": (LICENCE, range(15, 36), DIGITS + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
}


@pytest.mark.parametrize(
    "code",
    [
        *("91350100M000100Y43", "91110000600037341L", "9111000071093123XX", "91440300708461136T"),
        *("91230500MA1B3N1N2M", "11370800MB28559184", "12441500196720244T", "11100000000013338W"),
    ],
)
def test_published_credit_codes_fit(code: str) -> None:
    """GB 32100's own sample and codes of real bodies."""
    assert Verdict.FINE is check_uscc(code)


@pytest.mark.parametrize("code", ["91350100M0001TGQXM", "91350211M0000XUF46"])
def test_an_early_pilot_code_is_a_doubt(code: str) -> None:
    """Legal, in use, and does not fit: refusing it would shut out a real enterprise."""
    assert Verdict.DOUBT is check_uscc(code)


@pytest.mark.parametrize(
    "code",
    [
        *("", "9135", "91350100M000100Y4", "91350100M000100Y433", "O1350100M000100Y43"),
        *("91350100m000100y43", "91350100M000100Y4 ", "91350100M000100Y4\n", "９1350100M000100Y43"),
        *("9135010AM000100Y43", "91350100I000100Y43"),
    ],
)
def test_what_is_no_credit_code_is_a_fault(code: str) -> None:
    """Length, alphabet (no I, O, S, V, Z), digits for the region, nothing around it."""
    assert Verdict.FAULT is check_uscc(code)


@given(st.text(alphabet=ALPHABET, min_size=17, max_size=17))
def test_our_arithmetic_is_stdnums(first_17: str) -> None:
    """Two implementations of GB 32100, by different hands."""
    assert stdnum_uscc.calc_check_digit(first_17) == uscc_check_character(first_17)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("M000100Y4", Verdict.FINE),
        ("60003734-1", Verdict.FINE),
        ("71093123X", Verdict.FINE),
        ("60003734-2", Verdict.DOUBT),
        ("60003734", Verdict.FAULT),
        ("6000373-41", Verdict.FAULT),
    ],
)
def test_organisation_codes(code: str, verdict: Verdict) -> None:
    """GB 11714: the codes inside three published credit codes, printed either way."""
    assert verdict is check_organisation_code(code)


@pytest.mark.parametrize("number", ["11010519491231002X", "440524188001010014"])
def test_the_standards_own_samples_fit(number: str) -> None:
    """GB 11643-1999; python-stdnum refuses the second, whose region it does not know."""
    assert Verdict.FINE is check_citizen_id(number)


@pytest.mark.parametrize(
    "number",
    [
        *("110105194912310", "11010519490230002X", "11010519491331002X", "110105190002290020"),
        *("11010519491231002x", "010105194912310021", "1101051949123100XX", ""),
    ],
)
def test_what_cannot_be_an_identity_number_is_a_fault(number: str) -> None:
    """Fifteen digits of the old form, days and months that never were, letters."""
    assert Verdict.FAULT is check_citizen_id(number)


@given(
    st.dates(date(1850, 1, 1), date(2026, 12, 31)), st.integers(110000, 659999), st.integers(0, 999)
)
def test_a_check_character_can_be_made(born: date, region: int, order: int) -> None:
    """Whoever makes test persons makes them fit."""
    first_17 = f"{region}{born:%Y%m%d}{order:03}"

    assert Verdict.FINE is check_citizen_id(first_17 + citizen_check_character(first_17))


@pytest.mark.parametrize(
    "number",
    [
        *("SC10741018302531", "SC10744030704994", "SC11351090100010", "SC12336098200173"),
        *("SC12434017430075", "JY23506230105266"),
    ],
)
def test_published_food_licences_fit(number: str) -> None:
    """ISO 7064 MOD 11,10 over thirteen digits."""
    assert Verdict.FINE is check_food_licence(number)


def test_a_published_licence_id_fits() -> None:
    """ISO 7064 MOD 37,36 over the parts without dots and without the object identifier."""
    assert Verdict.FINE is check_licence_id(LICENCE)


@pytest.mark.parametrize("identifier", [LICENCE[:-2], LICENCE.replace("3005", "3006"), "1.2.156"])
def test_what_is_no_licence_id_is_a_fault(identifier: str) -> None:
    """Another root, or parts that lack."""
    assert Verdict.FAULT is check_licence_id(identifier)


@pytest.mark.parametrize("kind", sorted(CHECKS))
def test_every_wrong_character_is_noticed(kind: str) -> None:
    """These check systems detect each single substitution; GB 11643's misses none of digits."""
    number, places, alphabet = PUBLISHED[kind]
    missed = [
        number[:place] + other + number[place + 1 :]
        for place in places
        for other in alphabet
        if other != number[place]
        and CHECKS[kind](number[:place] + other + number[place + 1 :]) is Verdict.FINE
    ]

    # GB 11714 counts in 36 values mod 11: another letter may weigh the same. That is the standard.
    if kind != "organisation-code":
        assert [] == missed
    else:
        assert all(
            (int(a, 36) - int(b, 36)) % 11 == 0
            for wrong in missed
            for a, b in zip(number, wrong, strict=True)
        )


@pytest.mark.parametrize("kind", ["uscc", "citizen-id", "licence-id"])
def test_every_swap_of_neighbours_is_noticed(kind: str) -> None:
    """The other common slip."""
    number, places, _ = PUBLISHED[kind]
    missed = []
    for place in list(places)[:-1]:
        a, b = number[place], number[place + 1]
        swapped = number[:place] + b + a + number[place + 2 :]
        if a != b and CHECKS[kind](swapped) is Verdict.FINE:
            missed.append(swapped)

    assert [] == missed


@pytest.mark.parametrize("kind", sorted(CHECKS))
@given(text=st.text(max_size=90))
def test_any_text_gets_a_verdict(kind: str, text: str) -> None:
    """What a partner sends never raises."""
    assert isinstance(CHECKS[kind](text), Verdict)
