"""Our bytes against pamqp's, an implementation that is not ours, in both directions."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import Any

import pamqp.decode
import pamqp.encode
import pamqp.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import body, commands, header

from hub.amqp import frames

FRAME_MAX = 4096
NAMES = st.text(max_size=32)  # pamqp cuts names behind 128 bytes; a character has four at most
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.sampled_from(
    [0, -1, 127, 128, 255, 2**15, 2**16, 2**31, 2**32, 2**63 - 1, -(2**63)]
)
PLAIN = (
    st.text(alphabet="办件a\N{CJK UNIFIED IDEOGRAPH-20000}\N{OK HAND SIGN}\0 ", max_size=40)
    | st.text(max_size=40)
    | NUMBERS
    | st.booleans()
    | st.none()
    | st.floats(allow_nan=False, width=32)
    | st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - given UTC here
        lambda at: at.replace(microsecond=0, tzinfo=UTC)
    )
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
TABLES = st.dictionaries(NAMES, VALUES, max_size=8)


def content_of(table: bytes) -> bytes:
    """A table without the size in front of it, which must be right."""
    (size,) = struct.unpack_from(">I", table)
    assert size == len(table) - 4
    return table[4:]


@given(TABLES)
def test_what_we_write_is_what_pamqp_reads(table: dict[str, Any]) -> None:
    """Texts of any script, numbers at the edges, truths, nothing, tables and arrays in tables."""
    written = frames.encode_table(table)

    assert (len(written), table) == pamqp.decode.field_table(written)


@given(TABLES)
def test_what_pamqp_writes_is_what_we_read(table: dict[str, Any]) -> None:
    """All its types of numbers, too: it chooses the shortest."""
    assert table == frames.decode_table(content_of(pamqp.encode.field_table(table)))


@given(st.dictionaries(NAMES, st.floats(allow_nan=False)))
def test_a_number_with_a_fraction_keeps_all_its_digits(table: dict[str, Any]) -> None:
    """0.1 comes back as 0.1: doubles travel as doubles."""
    assert table == frames.decode_table(content_of(frames.encode_table(table)))


def test_a_dead_letters_history_is_read() -> None:
    """As RabbitMQ writes it: an array of tables with a time, a count and keys."""
    deaths: list[Any] = [
        {
            "count": 2,
            "reason": "expired",
            "queue": "hub.retry.1s",
            "time": datetime(2026, 11, 21, tzinfo=UTC),
            "exchange": "",
            "routing-keys": ["pipeline"],
        }
    ]
    written = pamqp.encode.field_table({"x-death": deaths, "x-delivery-count": 3})

    assert {"x-death": deaths, "x-delivery-count": 3} == frames.decode_table(content_of(written))


@pytest.mark.parametrize("name", ["a" * 255, "办" * 85], ids=["latin", "chinese"])
def test_a_name_of_255_bytes_is_the_longest(name: str) -> None:
    """And comes back whole."""
    assert {name: "x"} == frames.decode_table(content_of(frames.encode_table({name: "x"})))
    assert {name: 1} == frames.decode_table(content_of(frames.encode_table({name: 1})))


@pytest.mark.parametrize(
    "table",
    [
        {"a" * 256: "x"},
        {"办" * 86: 1},
        {"number": 2**63},
        {"number": -(2**63) - 1},
        {"text": "\ud800"},
        {"thing": object()},
        {"inside": {"list": [object()]}},
    ],
    ids=["name", "chinese name", "great", "small", "surrogate", "object", "nested object"],
)
def test_what_no_table_can_hold_is_refused(table: dict[str, Any]) -> None:
    """One kind of error for all of it, before a byte is written."""
    with pytest.raises(ValueError):
        frames.encode_table(table)


@pytest.mark.parametrize(
    "table",
    [
        b"\x05abc",  # the name ends early
        b"\x01a",  # no value
        b"\x01aS\x00\x00\x00\x09short",  # the text ends early
        b"\x01aS\x00",  # its size ends early
        b"\x01al\x00\x00",  # the number ends early
        b"\x01a?\x00",  # no such type
        b"\x01aA\x00\x00\x00\x09\x74",  # the array ends early
        b"\x02\xff\xffS\x00\x00\x00\x00",  # the name is no text
        b"\x01aT" + b"\x7f" + b"\xff" * 7,  # no such year
        b"\x01a" + b"".join(b"A" + struct.pack(">I", 5 * left) for left in range(19_999, -1, -1)),
    ],
    ids=["name", "nothing", "text", "size", "number", "type", "array", "bytes", "year", "deep"],
)
def test_what_is_no_table_is_refused(table: bytes) -> None:
    """Garbage of any kind is one kind of error."""
    with pytest.raises(ValueError):
        frames.decode_table(table)


@given(st.binary(max_size=60))
def test_garbage_never_surprises(garbage: bytes) -> None:
    """Either a table or a `ValueError`, whatever the bytes."""
    try:
        found = frames.decode_table(garbage)
    except ValueError:
        return
    assert isinstance(found, dict)


def unmarshalled(data: bytes) -> list[tuple[int, Any]]:
    """All frames in *data* with their channels, as pamqp reads them."""
    found = []
    while data:
        used, channel, frame = pamqp.frame.unmarshal(data)
        assert used > 0
        found.append((channel, frame))
        data = data[used:]
    return found


@pytest.mark.parametrize("size", [0, 1, FRAME_MAX - 8, FRAME_MAX - 7, 3 * FRAME_MAX])
def test_a_publish_is_method_header_and_body(size: int) -> None:
    """In frames that are never longer than agreed, eight bytes of each being its own."""
    sent = bytes(n % 251 for n in range(size))

    pieces = frames.published(
        7,
        frames.publish_method(7, "hub.streams", "caseStep.created.130102"),
        {"名": "值", "n": 1},
        sent,
        content_type=b"application/json",
        message_id=b"abc-1",
        frame_max=FRAME_MAX,
    )
    found = unmarshalled(b"".join(pieces))
    method, content, *bodies = [frame for _, frame in found]

    assert {7} == {channel for channel, _ in found}
    assert isinstance(method, commands.Basic.Publish)
    assert ("hub.streams", "caseStep.created.130102") == (method.exchange, method.routing_key)
    assert (True, False) == (method.mandatory, method.immediate)
    assert isinstance(content, header.ContentHeader)
    assert size == content.body_size
    assert ("application/json", 2, "abc-1", {"名": "值", "n": 1}) == (
        content.properties.content_type,
        content.properties.delivery_mode,
        content.properties.message_id,
        content.properties.headers,
    )
    assert all(isinstance(each, body.ContentBody) for each in bodies)
    assert sent == b"".join(each.value for each in bodies)
    assert -(-size // (FRAME_MAX - 8)) == len(bodies)
    assert all(len(each.value) <= FRAME_MAX - 8 for each in bodies)


@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize("tag", [1, 2**63 - 1])
def test_acknowledgements_are_what_pamqp_reads(tag: int, *, flag: bool) -> None:
    """The tag with all its eight bytes, and each flag in its own bit."""
    ((_, ack),) = unmarshalled(frames.acknowledged(3, tag, multiple=flag))
    ((_, nack),) = unmarshalled(frames.refused(3, tag, requeue=flag))

    assert isinstance(ack, commands.Basic.Ack)
    assert (tag, flag) == (ack.delivery_tag, ack.multiple)
    assert isinstance(nack, commands.Basic.Nack)
    assert (tag, False, flag) == (nack.delivery_tag, nack.multiple, nack.requeue)
