"""A glance never lets pass what the proper look would refuse."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.derive.checks import Found, compile_check, glance, told_of
from catalog.derive.sample import sample_body
from catalog.model import Catalogue, DataElement
from tests.catalog.a_catalogue import dice, reference_site, small

SITE, SMALL = reference_site(), small()
# One element of each sort of rule.
SHAPES = {
    (element.type, element.format, element.domain.model_dump_json()): (element, catalogue)
    for catalogue in (SMALL, SITE)
    for element in catalogue.elements.values()
}
EDGES: list[Any] = [
    *("", " ", "\u3000", "\n", "a\nb", "\x00", "\ud800", "１", "0", "1", "12", "A", "130102"),
    *(0, 1, -1, 9, 10, 99, 100, 9999, 10000, 10**30, True, False, 1.0, None, [], {}, ["1"]),
    # Fine, with a check character that misfits, and with a day that does not exist.
    *("91350100M000100Y43", "91350100M000100Y44", "11010519491231002X", "110105194912310021"),
    *("11010519490231002X", "2026-03-02", "2026-02-30", "2026-03-02T09:30:00", "20260302093000"),
    *("x" * n for n in (4, 17, 18, 19, 30, 31, 50, 51, 64, 100, 101, 200, 201, 1000, 1001)),
]


def lets_pass(element: DataElement, catalogue: Catalogue, value: Any) -> bool:
    names: dict[str, Any] = {}

    def bind(thing: object) -> str:
        names[f"c{len(names)}"] = thing
        return f"c{len(names) - 1}"

    condition = glance(element, catalogue, bind, "value")
    if condition is None:
        return False
    return bool(eval(condition, {**names, "value": value}))  # noqa: S307 - as the validator does


def found(element: DataElement, catalogue: Catalogue, value: Any) -> Found:
    """Faults and doubts."""
    faults: Found = []
    doubts: Found = []
    compile_check(element, catalogue, told_of(element))(value, "", faults, doubts)
    return faults + doubts


@pytest.mark.parametrize("shape", sorted(SHAPES, key=str), ids=lambda each: f"{each[0]} {each[1]}")
@settings(max_examples=30)
@given(drawn=st.text(max_size=40) | st.integers() | st.text("0123456789.-", max_size=20))
def test_what_a_glance_lets_pass_is_fine(shape: tuple[Any, str, str], drawn: Any) -> None:
    """At the edges, and anywhere."""
    element, catalogue = SHAPES[shape]

    for value in (drawn, *EDGES):
        if lets_pass(element, catalogue, value):
            assert [] == found(element, catalogue, value)


def test_a_glance_is_enough_for_most_values() -> None:
    """Else it would only cost time: what is looked at is a number whose kind another item tells."""
    resource = SITE.resources["itemCase"]
    body = sample_body(resource, SITE, dice(1))
    plain = [item.wire_name for item in resource.items if item.element in body]
    enough = [name for name in plain if lets_pass(SITE.elements[name], SITE, body[name])]

    assert {"certNumber"} >= set(plain) - set(enough)
