"""The envelope on the wire: CloudEvents attributes as AMQP headers, bodies as UTF-8 JSON.

Standard   CloudEvents 1.0, in the manner of its AMQP binding (``cloudEvents:`` prefix)
Careful    what comes from the broker is not trusted: a header of the wrong type, an impossible time
           or a digest that does not fit is `Rejected`, and the message goes to the failure store
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import orjson
from msgspec import Struct

from hub.crypto import sm3
from schemas.errors import Rejected
from schemas.message import (
    Body,
    Message,
    MessageId,
    Operation,
    Record,
    ResourceName,
    SystemCode,
)
from schemas.receipt import Receipt

__all__ = [
    "ATTEMPT",
    "DOUBT",
    "REPLAY",
    "SERIES",
    "Headers",
    "Taken",
    "decode_body",
    "decode_envelope",
    "decode_heading",
    "decode_message",
    "decode_receipts",
    "decode_taken",
    "encode_body",
    "encode_message",
    "encode_receipt",
    "encode_receipts",
    "encode_taken",
    "receipts_in_lots",
]

Headers = dict[str, str | int]
CE = "cloudEvents:"
_SPECVERSION, _ID, _SOURCE, _TYPE = CE + "specversion", CE + "id", CE + "source", CE + "type"
_SUBJECT, _TIME, _SEQUENCE, _DIGEST = CE + "subject", CE + "time", CE + "sequence", CE + "digest"
_DATASCHEMA, _TRACEPARENT, _REGION = CE + "dataschema", CE + "traceparent", CE + "region"
_KEY, _OPERATION, _RECORD = "x-key", "x-operation", "x-record"
ATTEMPT, DOUBT = "x-attempt", "x-in-doubt"
# Who sent a message again: a replay, and what a failure keeps of it, a replay or a retry job.
REPLAY, SERIES = "x-replay", "x-series"
NO_REGION = "000000"
MOST_TOLD = 1000
_RECEIPTS_OUT = msgspec.json.Encoder()
_RECEIPTS_IN = msgspec.json.Decoder(list[Receipt])


class Taken(Struct, frozen=True, kw_only=True):
    """A record the hub has taken in, on its way to the pipeline.

    *canonical* is the operation where a domain service published in canonical words; None for a
    partner's record, which an intake declaration maps.
    """

    id: MessageId
    system: SystemCode
    received_at: datetime
    traceparent: str
    record: Record
    canonical: Operation | None = None


def encode_body(body: Body) -> bytes:
    """Raises `Rejected` (``body.unsendable``) where it holds what JSON has not: half a character, a
    number beyond 64 bits, bytes."""
    try:
        return orjson.dumps(body, default=_plain)
    except orjson.JSONEncodeError as error:
        # What it says may quote the body.
        raise Rejected("body.unsendable", "The body holds what JSON has not") from error


def _plain(value: object) -> object:
    """Mappings that are no dictionaries: connectors may hand over what they like."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


def decode_body(content: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Rejected("body.malformed", "Body is not JSON") from error
    if not isinstance(body, dict):
        raise Rejected("body.not-object", "Body is not a JSON object")
    return body


def encode_taken(taken: Taken) -> tuple[Headers, bytes]:
    content = encode_body(taken.record.body)
    headers: Headers = {
        _ID: taken.id,
        _SOURCE: taken.system,
        _TYPE: taken.record.kind,
        _TIME: taken.received_at.isoformat(),
        _TRACEPARENT: taken.traceparent,
        _DIGEST: sm3(content),
        _KEY: taken.record.key,
    }
    if taken.canonical:
        headers[_OPERATION] = taken.canonical
    return headers, content


def decode_taken(headers: Mapping[str, Any], content: bytes) -> Taken:
    """Raises `Rejected` where the envelope or the body cannot be what the hub sent."""
    _check_digest(headers, content)
    operation = headers.get(_OPERATION)
    return Taken(
        id=MessageId(_text(headers, _ID)),
        system=SystemCode(_text(headers, _SOURCE)),
        received_at=_time(headers),
        traceparent=_text(headers, _TRACEPARENT),
        record=Record(
            kind=_text(headers, _TYPE),
            key=str(headers.get(_KEY, "")),
            body=decode_body(content),
        ),
        canonical=_operation(operation) if operation else None,
    )


def encode_message(
    message: Message, record_id: str = "", content: bytes | None = None
) -> tuple[Headers, bytes]:
    """*content*: the encoded body, where it is at hand."""
    if content is None:
        content = encode_body(message.body)
    headers: Headers = {
        _SPECVERSION: "1.0",
        _ID: message.id,
        _SOURCE: message.source,
        _TYPE: message.type,
        _SUBJECT: message.subject,
        _TIME: message.time.isoformat(),
        _DATASCHEMA: message.dataschema,
        _TRACEPARENT: message.traceparent,
        _SEQUENCE: message.sequence,
        _DIGEST: message.digest,
        _REGION: message.region,
        _RECORD: record_id,
    }
    return headers, content


def decode_message(headers: Mapping[str, Any], content: bytes) -> Message:
    """Raises `Rejected` where the envelope, the digest or the body is wrong."""
    _check_digest(headers, content)
    return _message(headers, decode_body(content))


def decode_envelope(headers: Mapping[str, Any], content: bytes) -> Message:
    """The message without its body, of which only the digest is looked at. Raises `Rejected` where
    envelope or digest is wrong."""
    _check_digest(headers, content)
    return decode_heading(headers)


def decode_heading(headers: Mapping[str, Any]) -> Message:
    """What *headers* tell of a message whose body is not to be touched: it is left empty. Raises
    `Rejected` where they are wrong."""
    return _message(headers, {})


def _message(headers: Mapping[str, Any], body: Body) -> Message:
    resource, _, operation = _text(headers, _TYPE).partition(".")
    sequence = headers.get(_SEQUENCE, 0)
    return Message(
        id=MessageId(_text(headers, _ID)),
        source=SystemCode(_text(headers, _SOURCE)),
        resource=ResourceName(resource),
        operation=_operation(operation),
        subject=_text(headers, _SUBJECT),
        time=_time(headers),
        region=str(headers.get(_REGION) or NO_REGION),
        sequence=sequence if isinstance(sequence, int) else 0,
        dataschema=_text(headers, _DATASCHEMA),
        digest=_text(headers, _DIGEST),
        traceparent=_text(headers, _TRACEPARENT),
        body=body,
    )


def encode_receipt(receipt: Receipt) -> bytes:
    return encode_receipts((receipt,))


def encode_receipts(receipts: Sequence[Receipt]) -> bytes:
    return _RECEIPTS_OUT.encode(receipts)


def receipts_in_lots(receipts: Iterable[Receipt]) -> Iterator[bytes]:
    """*receipts*, encoded in their order, as one lot or, where there is much to tell of them, as many as
    have `MOST_TOLD` faults and doubts each: of one record that may be a megabyte, and a message that
    is too long for the broker would never leave."""
    lot: list[Receipt] = []
    told = 0
    for receipt in receipts:
        more = len(receipt.faults) + len(receipt.doubts)
        if lot and told + more > MOST_TOLD:
            yield encode_receipts(lot)
            lot, told = [], 0
        lot.append(receipt)
        told += more
    if lot:
        yield encode_receipts(lot)


def decode_receipts(content: bytes) -> list[Receipt]:
    """Raises `Rejected` where *content* holds anything but receipts."""
    try:
        return _RECEIPTS_IN.decode(content)
    except msgspec.DecodeError as error:
        raise Rejected("envelope.receipt", "Not a receipt") from error


def _text(headers: Mapping[str, Any], name: str) -> str:
    value = headers.get(name)
    if not isinstance(value, str) or not value:
        missing = name.removeprefix(CE)
        raise Rejected("envelope.header", "A header is missing or not text", header=missing)
    return value


def _time(headers: Mapping[str, Any]) -> datetime:
    try:
        at = datetime.fromisoformat(_text(headers, _TIME))
    except ValueError as error:
        raise Rejected("envelope.header", "Not a time", header="time") from error
    if at.tzinfo is None:
        raise Rejected("envelope.header", "A time without its zone", header="time")
    return at


def _operation(text: object) -> Operation:
    try:
        return Operation(str(text))
    except ValueError as error:
        raise Rejected("envelope.header", "Unknown operation", header="type") from error


def _check_digest(headers: Mapping[str, Any], content: bytes) -> None:
    if _text(headers, _DIGEST) != sm3(content):
        raise Rejected("envelope.digest", "The body is not the one that was sent")
