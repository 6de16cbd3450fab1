"""The hub's streams and receipts as AsyncAPI: for who subscribes at the broker.

Standard   AsyncAPI 3.0.0 with its AMQP bindings 0.3.0; CloudEvents 1.0 attributes
Form       two channels for each resource, of which one is for what may wait (bulk), whose parameters make
           the routing key; the hub is what is described, so its operations send. The envelope travels as one header: JSON in a text
Careful    payloads are JSON Schema in the words that drafts 7 and 2020-12 share, as AsyncAPI's own
           schema objects are; that the headers are those of the wire is a test's business
Not here   the broker's address and users: they are given with a grant
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from catalog.derive.example import example_body
from catalog.derive.json_schema import json_schema
from catalog.model import Catalogue, Resource
from schemas.errors import Fact
from schemas.message import Json, Operation
from schemas.receipt import Receipt
from schemas.texts import say

__all__ = ["RECEIPTS", "STREAMS", "STREAMS_BULK", "VERSION", "asyncapi"]

VERSION, BINDING = "3.0.0", "0.3.0"
STREAMS, STREAMS_BULK, RECEIPTS = "hub.streams", "hub.streams.bulk", "hub.receipts"
HEADER, CE = "shuniu", "cloudEvents:"
HEADERS: dict[str, dict[str, Json]] = {
    "id": {"type": "string"},
    "source": {"type": "string"},
    "type": {"type": "string", "pattern": r"^[A-Za-z0-9]+\.(created|updated|deleted)$"},
    "subject": {"type": "string"},
    "time": {"type": "string"},
    "dataschema": {"type": "string"},
    "traceparent": {"type": "string"},
    "sequence": {"type": "integer"},
    "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "region": {"type": "string"},
}
Node = dict[str, Json]


def asyncapi(resources: Iterable[Resource], catalogue: Catalogue, *, lang: str = "zh") -> Node:
    """The streams of *resources*, and the receipts. Raises `Misconfigured` where a resource is bound
    to nothing known."""

    def words(code: str, **facts: Fact) -> str:
        return say(code, facts, lang)

    chosen = list(resources)
    channels: Node = {}
    for each in chosen:
        channels[each.resource] = _channel(each, lang, STREAMS)
        channels[f"{each.resource}.bulk"] = _channel(each, lang, STREAMS_BULK)
    operations: Node = {f"publish.{name}": _sends(name) for name in channels}
    schemas = {each.resource: _schema(each, catalogue) for each in chosen}
    messages = {each.resource: _message(each, catalogue, lang) for each in chosen}
    receipts, parts = _receipts()
    return {
        "asyncapi": VERSION,
        "info": {
            "title": words("asyncapi.title"),
            "version": f"1.{sum(each.version for each in chosen)}",
            "description": words("asyncapi.about"),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            **channels,
            "_receipts": {
                "address": "{key}",
                "title": words("asyncapi.receipts"),
                "messages": {"receipts": {"$ref": "#/components/messages/_receipts"}},
                "parameters": {"key": {"description": words("asyncapi.key")}},
                "bindings": _binding(RECEIPTS),
            },
        },
        "operations": {**operations, "publish.receipts": _sends("_receipts")},
        "components": {
            "messages": {
                **messages,
                "_receipts": {
                    "title": words("asyncapi.receipts"),
                    "contentType": "application/json",
                    "payload": receipts,
                },
            },
            "schemas": {
                **schemas,
                "_headers": _headers(words("asyncapi.header")),
                "_envelope": _envelope(lang),
                **parts,
            },
        },
    }


def _sends(channel: str) -> Node:
    return {"action": "send", "channel": {"$ref": f"#/channels/{channel}"}}


def _channel(resource: Resource, lang: str, exchange: str) -> Node:
    name, title = resource.resource, _title(resource, lang)
    if exchange == STREAMS_BULK:
        title = say("asyncapi.bulk", {"stream": title}, lang)
    return {
        "address": f"{name}.{{operation}}.{{region}}",
        "title": title,
        "summary": resource.summary,
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "parameters": {
            "operation": {
                "enum": [each.value for each in Operation],
                "description": say("asyncapi.operation", {}, lang),
            },
            "region": {"description": say("asyncapi.region", {}, lang), "default": "000000"},
        },
        "bindings": _binding(exchange),
    }


def _title(resource: Resource, lang: str) -> str:
    names, code = resource.name, resource.code
    facts: dict[str, Fact] = {"name_zh": names.zh, "name_en": names.en, "code": code}
    return say("asyncapi.stream", {**facts, "number": resource.version}, lang)


def _binding(exchange: str) -> Node:
    told: Node = {"name": exchange, "type": "topic", "durable": True, "autoDelete": False}
    return {"amqp": {"is": "routingKey", "exchange": told, "bindingVersion": BINDING}}


def _message(resource: Resource, catalogue: Catalogue, lang: str) -> Node:
    name = resource.resource
    return {
        "name": name,
        "title": _title(resource, lang),
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/_headers"},
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "examples": [{"name": "example", "payload": example_body(resource, catalogue)}],
    }


def _schema(resource: Resource, catalogue: Catalogue) -> Node:
    return {
        name: value for name, value in json_schema(resource, catalogue).items() if name != "$schema"
    }


def _headers(described: str) -> Node:
    packed: Node = {
        "type": "string",
        "description": described,
        "contentMediaType": "application/json",
        "contentSchema": {"$ref": "#/components/schemas/_envelope"},
    }
    return {"type": "object", "properties": {HEADER: packed}, "required": [HEADER]}


def _envelope(lang: str) -> Node:
    properties: Node = {f"{CE}specversion": {"const": "1.0"}}
    for name, shape in HEADERS.items():
        described = "asyncapi.region" if name == "region" else f"asyncapi.header.{name}"
        properties[CE + name] = {**shape, "description": say(described, {}, lang)}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _receipts() -> tuple[Node, Node]:
    """The payload of receipts, and the schemas that it refers to."""
    (told,), parts = msgspec.json.schema_components(
        [list[Receipt]], ref_template="#/components/schemas/_{name}"
    )
    named: dict[str, Any] = {f"_{name}": schema for name, schema in parts.items()}
    return told, named
