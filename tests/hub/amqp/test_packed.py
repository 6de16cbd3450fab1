"""Headers of ours travel as one, and come back as they were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.amqp.frames import decode_table, encode_table
from hub.amqp.packed import PACKED, packed, unpacked

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
NAMES = TEXTS.filter(lambda name: name != PACKED and len(name.encode()) < 200)
WHOLE = st.integers(-(2**63), 2**63 - 1)


@given(st.dictionaries(NAMES, TEXTS | WHOLE | st.booleans() | st.floats(allow_nan=False)))
def test_what_is_packed_comes_back(headers: dict[str, object]) -> None:
    """Through the bytes on the wire; floats, which are not ours, travel beside."""
    assert headers == unpacked(decode_table(encode_table(packed(headers))[4:]))


def test_one_header_travels() -> None:
    """However many there are."""
    assert {PACKED} == packed({"cloudEvents:id": "a", "x-attempt": 2}).keys()


def test_what_the_broker_writes_is_its_own() -> None:
    """A repeat carries old counts; they stay beside, where the broker puts the present ones."""
    sent = packed({"x-death": [{"count": 1}], "x-delivery-count": 3, "x-key": "k"})
    assert {"x-death", "x-delivery-count", PACKED} == sent.keys()

    arrived = unpacked({**sent, "x-delivery-count": 7})
    assert {"x-death": [{"count": 1}], "x-delivery-count": 7, "x-key": "k"} == arrived


def test_a_forged_count_is_not_believed() -> None:
    """Who packs a header of the broker's own gets the broker's."""
    assert (
        1 == unpacked({PACKED: '{"x-delivery-count":0}', "x-delivery-count": 1})["x-delivery-count"]
    )


def test_headers_that_are_not_packed_are_taken_as_they_are() -> None:
    """From a hub of before, or from elsewhere."""
    assert {"cloudEvents:id": "a"} == unpacked({"cloudEvents:id": "a"})


@pytest.mark.parametrize("told", ["[]", "{", "", 7, "\ud800", '"x"'])
def test_garbage_is_no_header(told: object) -> None:
    """And is told as garbage in a table is."""
    with pytest.raises(ValueError):
        unpacked({PACKED: told})
