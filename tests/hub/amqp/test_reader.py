"""Frames out of a stream of bytes, whatever its pieces; and what is no AMQP refused at once."""

from __future__ import annotations

from itertools import pairwise

import pamqp.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands
from pamqp import header as headers

from hub.amqp import frames
from hub.amqp.reader import Content, Frames, header_table, message_id
from schemas.errors import Transient

FRAME_MAX = 4096
FRAME = st.tuples(
    st.sampled_from([frames.METHOD, frames.HEADER, frames.BODY, 8]),
    st.integers(0, 65_535),
    # The end byte inside a payload is no end.
    st.binary(max_size=60) | st.just(b"\xce" * 9),
)


def written(found: list[tuple[int, int, bytes]]) -> bytes:
    return b"".join(
        frames.PREFIX.pack(kind, channel, len(payload)) + payload + frames.END
        for kind, channel, payload in found
    )


@given(st.lists(FRAME, max_size=6), st.lists(st.integers(0, 400), max_size=12))
def test_the_pieces_do_not_matter(wanted: list[tuple[int, int, bytes]], cuts: list[int]) -> None:
    """Cut anywhere, the same frames come in the same order, and none too early."""
    stream = written(wanted)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader = Frames(FRAME_MAX)

    found = []
    for start, end in pairwise(edges):
        found += reader.feed(stream[start:end])
        whole = sum(len(written([each])) for each in found)
        assert whole <= end

    assert wanted == found


@pytest.mark.parametrize("step", [1, 3, 4096])
@pytest.mark.parametrize(
    "stream",
    [
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        b"AMQP\x00\x00\x09\x01",
        b"\x01\x00\x00\x00\x00\x00\x04abcd\xcf",
        b"\x05\x00\x00\x00\x00\x00\x04abcd\xce",
        b"\x01\x00\x00\x7f\xff\xff\xff" + b"a" * 100,
    ],
    ids=["http", "other version", "end byte", "type", "length"],
)
def test_what_is_no_amqp_is_refused(stream: bytes, step: int) -> None:
    """As soon as it can be seen, in one piece or in many; nothing of it is waited for."""
    reader = Frames(FRAME_MAX)

    with pytest.raises(Transient) as caught:
        for start in range(0, len(stream), step):
            reader.feed(stream[start : start + step])

    assert "broker.lost" == caught.value.code


def test_a_frame_may_be_as_long_as_agreed_and_no_longer() -> None:
    """The limit counts the eight bytes of the frame itself: memory stays bounded by it."""
    longest = (frames.BODY, 1, b"a" * (FRAME_MAX - 8))
    too_long = (frames.BODY, 1, b"a" * (FRAME_MAX - 7))

    assert [longest] == Frames(FRAME_MAX).feed(written([longest]))
    with pytest.raises(Transient):
        Frames(FRAME_MAX).feed(written([too_long]))
    with pytest.raises(Transient):  # seen in its first eight bytes
        Frames(FRAME_MAX).feed(written([too_long])[:8])


@pytest.mark.parametrize(
    "told",
    [
        commands.Basic.Properties(message_id="m-1"),
        commands.Basic.Properties(headers={"名": "值"}),
        commands.Basic.Properties(message_id="m-2", headers={}),
        commands.Basic.Properties(
            content_type="application/json",
            content_encoding="utf-8",
            headers={"a": 1, "b": "办"},
            delivery_mode=2,
            priority=9,
            correlation_id="c",
            reply_to="r",
            expiration="1000",
            message_id="m-3",
            message_type="t",
            user_id="u",
            app_id="x",
        ),
        commands.Basic.Properties(),
    ],
    ids=["id", "headers", "both", "all", "none"],
)
def test_headers_and_id_are_found_among_all_properties(told: commands.Basic.Properties) -> None:
    """Whichever others the publisher has set."""
    payload = headers.ContentHeader(0, 5, told).marshal()

    assert (told.headers or {}) == frames.decode_table(header_table(payload))
    assert (told.message_id or "") == message_id(payload)


def _begun(size: int) -> Content:
    content = Content(b"")
    payload = headers.ContentHeader(0, size, commands.Basic.Properties()).marshal()
    assert (size == 0) == content.begun(payload)
    return content


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=8))
def test_a_body_is_whole_when_its_last_byte_is_there(parts: list[bytes]) -> None:
    """And not a part before."""
    content = _begun(sum(map(len, parts)))

    assert [False] * (len(parts) - 1) + [True] == [content.more(part) for part in parts]
    assert b"".join(parts) == content.body


def test_a_body_without_bytes_is_whole_at_once() -> None:
    """No body frame follows an empty message (AMQP 0-9-1 §4.2.6)."""
    assert b"" == _begun(0).body


@pytest.mark.parametrize("parts", [[b"abcd"], [b"ab", b"cd"]])
def test_a_body_longer_than_told_is_refused(parts: list[bytes]) -> None:
    """The broker and we disagree on where a message ends: nothing behind it could be trusted."""
    content = _begun(3)

    with pytest.raises(Transient):
        for part in parts:
            content.more(part)


def test_a_body_before_its_header_is_refused() -> None:
    """A frame is missing."""
    with pytest.raises(Transient):
        Content(b"").more(b"abc")


def test_a_frame_that_a_peer_wrote_is_read() -> None:
    """As pamqp writes it."""
    frame = pamqp.frame.marshal(commands.Channel.Open(), 5)

    assert [(frames.METHOD, 5, frame[7:-1])] == Frames(FRAME_MAX).feed(frame)
