"""The envelope on the wire: what goes out comes back; what a stranger sends is refused by name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from hub.crypto import sm3
from hub.envelope import (
    CE,
    Taken,
    decode_envelope,
    decode_message,
    decode_receipts,
    decode_taken,
    encode_body,
    encode_message,
    encode_receipt,
    encode_taken,
)
from hub.ids import new_id, new_trace
from schemas.errors import Fault, Rejected
from schemas.message import Message, Operation, Record, ResourceName, SystemCode
from schemas.receipt import Event, Receipt

AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def a_message() -> Message:
    body = {"caseNo": "A-1", "stepName": "受理"}
    return Message(
        id=new_id(AT),
        source=SystemCode("fire-safety"),
        resource=ResourceName("caseStep"),
        operation=Operation.CREATED,
        subject="A-1",
        time=AT,
        region="130102",
        sequence=3,
        dataschema="caseStep/1",
        digest=sm3(encode_body(body)),
        traceparent=new_trace(),
        body=body,
    )


def a_taken() -> Taken:
    return Taken(
        id=new_id(AT),
        system=SystemCode("one-window"),
        received_at=AT,
        traceparent=new_trace(),
        record=Record(kind="progress", key="k1", body={"办件": "一"}),
    )


def test_a_message_comes_back_as_it_was() -> None:
    """Every attribute and the Chinese text survive the wire."""
    message = a_message()

    assert message == decode_message(*encode_message(message))


def test_an_envelope_alone_says_what_the_whole_message_says() -> None:
    """The ledger reads no bodies: all but the body is the same, and an altered body is noticed."""
    headers, content = encode_message(a_message())

    assert replace(decode_message(headers, content), body={}) == decode_envelope(headers, content)
    with pytest.raises(Rejected) as refused:
        decode_envelope(headers, content + b" ")
    assert refused.value.code == "envelope.digest"


def test_a_record_comes_back_as_it_was() -> None:
    """Partner's and service's records alike."""
    for taken in (a_taken(), replace(a_taken(), canonical=Operation.UPDATED)):
        assert taken == decode_taken(*encode_taken(taken))


def test_a_receipt_comes_back_as_it_was() -> None:
    """Faults, doubts and time included."""
    receipt = Receipt(
        key="k",
        event=Event.RECORD_REJECTED,
        at=AT,
        message_id=new_id(AT),
        faults=(Fault("item.length", "/caseNo", {"limit": 50}),),
        doubts=(Fault("uscc.check", "/uscc", {}),),
    )

    assert [receipt] == decode_receipts(encode_receipt(receipt))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({f"{CE}id": None}, "envelope.header"),
        ({f"{CE}type": "caseStep.exploded"}, "envelope.header"),
        ({f"{CE}type": "caseStep"}, "envelope.header"),
        ({f"{CE}time": "yesterday"}, "envelope.header"),
        ({f"{CE}time": "2026-11-21T09:00:00"}, "envelope.header"),  # no zone
        ({f"{CE}digest": "0" * 64}, "envelope.digest"),
        ({f"{CE}source": 7}, "envelope.header"),
        ({f"{CE}subject": ""}, "envelope.header"),
    ],
)
def test_a_wrong_envelope_is_refused(change: dict[str, Any], code: str) -> None:
    """Direct publishes by strangers do not pass for messages of the hub."""
    headers, content = encode_message(a_message())

    with pytest.raises(Rejected) as caught:
        decode_message({**headers, **change}, content)

    assert code == caught.value.code


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'"text"', b"{}x"])
def test_a_wrong_body_is_refused(content: bytes) -> None:
    """Whatever the bytes: `Rejected`, nothing else."""
    headers, _ = encode_message(a_message())

    with pytest.raises(Rejected):
        decode_message({**headers, f"{CE}digest": sm3(content)}, content)
