"""Identifiers: ordered by time, derived without chance."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from hub.ids import child_span, derived_id, new_id, new_trace, trace_id

AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def test_ids_are_version_7_and_sort_by_time() -> None:
    """RFC 9562: version, variant, and order to the millisecond."""
    ids = [new_id(AT + timedelta(milliseconds=n)) for n in range(50)]

    assert sorted(ids) == ids
    assert {(7, "specified in RFC 4122")} == {(UUID(i).version, UUID(i).variant) for i in ids}
    assert 50 == len({new_id(AT) for _ in range(50)})


def test_a_derived_id_is_the_same_again_and_keeps_the_time() -> None:
    """What a record leads to is told the same way however often it is converted."""
    parent = new_id(AT)

    assert derived_id(parent, "0") == derived_id(parent, "0")
    assert derived_id(parent, "0") != derived_id(parent, "1")
    assert derived_id(parent, "a", "b") != derived_id(parent, "ab")
    assert derived_id(parent, "0")[:13] == parent[:13]


@given(st.text(alphabet="0123456789abcdef", min_size=12, max_size=12), st.lists(st.text()))
def test_a_derived_id_is_a_digest_with_version_and_variant(time: str, parts: list[str]) -> None:
    """RFC 9562 by arithmetic: 48 bits of time, then those of the digest but for the six of the form;
    another id for the same parent would be another message after an update of the hub."""
    parent = f"{time[:8]}-{time[8:]}-7000-8000-000000000000"
    told = hashlib.sha256("\x00".join([parent, *parts]).encode()).digest()
    noise = int.from_bytes(told[:10], "big")
    formed = noise & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62

    assert str(UUID(int=int(time, 16) << 80 | formed)) == derived_id(parent, *parts)


def test_a_hop_keeps_its_trace() -> None:
    """W3C Trace Context: the trace goes on, the span is new."""
    first = new_trace()
    second = child_span(first)

    assert trace_id(first) == trace_id(second)
    assert first != second
