"""Copies of what was published, many in one message, for ledger and history (ADR 0010)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.broker import Outgoing
from hub.payloads import unpacked_size
from hub.releases import plan_of
from hub.store import Store
from hub.tap import MOST_BYTES, copies, tapped
from hub.topology import STREAMS
from schemas.errors import Rejected
from schemas.receipt import Event
from tests.hub.conftest import running_engine
from tests.hub.site import small_texts


class Delivered:
    """A message as the broker delivers it."""

    exchange, routing_key, channel = "hub.tap", "", None

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.headers: dict[str, str] = {}

    async def ack(self, *, multiple: bool = False) -> None: ...

    async def nack(self, *, requeue: bool = True) -> None: ...


def message(n: int, size: int) -> Outgoing:
    headers = {"cloudEvents:id": str(n), "cloudEvents:time": "2026-03-02T09:00:00+08:00"}
    return Outgoing(STREAMS, "a.created.130102", bytes([n]) * size, headers)


def test_copies_are_what_was_published_in_its_order() -> None:
    """Headers and bodies, however many messages they take; none of these is much too large."""
    published = [message(n, MOST_BYTES * 2 // 5) for n in range(7)]
    taps = list(tapped(published))
    found = [copy for tap in taps for copy in copies(Delivered(tap.body))]

    assert [(dict(each.headers), each.body) for each in published] == found
    assert [2, 2, 2, 1] == [tap.headers["x-tapped"] for tap in taps]


def test_one_that_is_larger_than_all_together_may_be_goes_alone() -> None:
    """It is a message like others."""
    published = [message(1, 10), message(2, 2 * MOST_BYTES), message(3, 10)]

    assert [1, 1, 1] == [tap.headers["x-tapped"] for tap in tapped(published)]


def test_of_nothing_there_is_no_copy() -> None:
    """A batch of records that were all refused."""
    assert [] == list(tapped([]))


@given(bodies=st.lists(st.binary(max_size=2000), min_size=1, max_size=5), other=st.binary())
def test_what_copies_hold_is_known_before_they_are_unpacked(
    bodies: list[bytes], other: bytes
) -> None:
    """The ledger takes as much as it may keep in memory, however well it was compressed."""
    headers = {"cloudEvents:time": "2026-03-02T09:00:00+08:00"}
    (tap,) = tapped([Outgoing(STREAMS, "k", body, headers) for body in bodies])

    assert unpacked_size(tap.body) >= sum(map(len, bodies))
    assert unpacked_size(other) >= len(other)


@pytest.mark.parametrize("body", [b"", b"not compressed", b"(\xb5/\xfd \x03\x19\x00\x00abc"])
def test_what_is_no_copy_is_refused(body: bytes) -> None:
    """Nothing, no Zstandard, or Zstandard of something else."""
    with pytest.raises(Rejected):
        copies(Delivered(body))


async def test_a_message_that_nobody_follows_is_in_the_ledger(amqp_url: str, store: Store) -> None:
    """A resource without routes and services: its records are accepted and kept."""
    texts = {name: text for name, text in small_texts().items() if not name.startswith("routes/")}
    async with running_engine(amqp_url, store, plan=plan_of(texts)) as running:
        await running.send({"bh": "A1", "hj": "受理", "qh": "130102"})
        (row,) = await running.until(Event.MESSAGE_PUBLISHED, 1)
        await running.until(Event.RECORD_ACCEPTED, 1)
        assert "A1" == row["subject"]
        assert not await running.failed()
