"""What a profile of a system that speaks SOAP says: where, by which words, with what attached.

Form   ``site://`` and ``secret://`` in a profile are resolved by the composition root: here they are
       paths and secrets already
Units  seconds, rows
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, field_validator

from connectors.signing_settings import SigningSettings, believable

__all__ = ["Attachment", "Feed", "Kind", "Receives", "Settings", "Words"]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Words(_Settings):
    """Where an answer says how it went, and in which words."""

    code: Annotated[str, Field(description="Element of the result's code.")] = "resultCode"
    message: Annotated[str, Field(description="Element of the reason.")] = "resultMessage"
    number: Annotated[str, Field(description="Element of the system's number.")] = "number"
    item: Annotated[str, Field(description="Element that names the item at fault.")] = "field"
    done: Annotated[tuple[str, ...], Field(description="Codes for: taken.")]
    repeated: Annotated[tuple[str, ...], Field(description="Codes for: had it already.")] = ()
    refused: Annotated[tuple[str, ...], Field(description="Codes for: never as it is.")] = ()


class Attachment(_Settings):
    """An XML document carried in a base64 element."""

    root: Annotated[str, Field(description="Name of the document's root element.")]
    xsd: Annotated[str, Field(description="Its schema, e.g. site://wsdl/x.xsd.")]


class Kind(_Settings):
    """What sort of record an entry is."""

    const: str


class Feed(_Settings):
    """An operation that tells what has changed, behind a cursor."""

    operation: str
    cursor: Annotated[str, Field(description="Element that carries the cursor.")] = "cursor"
    limit: Annotated[str, Field(description="Element that carries the most entries.")] = "limit"
    items: Annotated[str, Field(description="Element of one entry.")] = "record"
    next: Annotated[str, Field(description="Element of the next cursor.")] = "next"
    kind: Kind
    key: Annotated[str, Field(description="Element that identifies an entry.")]
    page_rows: Annotated[int, Field(ge=1, le=1000, description="Entries asked for at once.")] = 200


class Receives(_Settings):
    """The operation by which the system calls us."""

    wsdl: Annotated[str, Field(description="Its description, e.g. site://wsdl/x.wsdl.")]
    operation: str
    key: Annotated[str, Field(description="Element that identifies a call.")]
    code: Annotated[str, Field(description="Element of the code we answer with.")] = "resultCode"
    done: Annotated[str, Field(description="Code we answer with.")] = "0"
    attachments: Mapping[str, Attachment] = {}


class Settings(SigningSettings):
    """A profile. The descriptions are the manual."""

    url: Annotated[HttpUrl, Field(description="Where it listens.")]
    wsdl: Annotated[str, Field(description="Its description, e.g. site://wsdl/x.wsdl.")]
    timeout_s: Annotated[float, Field(gt=0, le=60, description="Longest wait, seconds.")] = 10.0
    key: Annotated[str, Field(description="Element that carries our key.")] = "requestId"
    answer: Annotated[Words, Field(description="How an answer says how it went.")]
    attachments: Annotated[
        Mapping[str, Attachment], Field(description="Elements that carry a document.")
    ] = {}
    delivers: Annotated[bool, Field(description="Whether it takes deliveries.")] = True
    feed: Annotated[Feed | None, Field(description="How it tells what has changed.")] = None
    receives: Annotated[Receives | None, Field(description="How it calls us.")] = None

    _believed = field_validator("receives")(believable)
