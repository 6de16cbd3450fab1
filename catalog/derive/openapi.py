"""The hub's HTTP interface as OpenAPI: what systems send, what they are sent or fetch, receipts.

Standard   OpenAPI 3.1.1, whose schemas are JSON Schema 2020-12; RFC 7240 (Prefer), RFC 6901 (places)
Form       a path for each sort of record that a system pushes; a webhook for each call by which the
           hub delivers to a system that speaks JSON; resources are component schemas, with a made-up
           example each
Careful    bodies are in the system's own words; what its intake reads is described, and other fields
           are allowed
Not here   keys: the document says how requests are signed, never with what
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from catalog.derive.example import example_body
from catalog.derive.interface import Call, Interface
from catalog.derive.json_schema import DIALECT, json_schema
from catalog.derive.openapi_pulls import pulls
from catalog.model import Catalogue, Resource
from schemas.errors import Fact
from schemas.message import Json
from schemas.texts import say

__all__ = ["MOST_BYTES", "VERSION", "openapi"]

VERSION = "3.1.1"
MOST_BYTES = 1_048_576
JSON_TYPE, XML_TYPE = "application/json", "text/xml"
HEX = "^[0-9a-f]{64}$"
STATES = ("unknown", "pending", "accepted", "repeated", "rejected", "refused")
Node = dict[str, Json]


def openapi(
    interface: Interface,
    resources: Iterable[Resource],
    catalogue: Catalogue,
    *,
    address: str = "/",
    lang: str = "zh",
) -> Node:
    """
    *interface* and the *resources* that it is about, as one document without outward references.

    *address*: where the hub listens; ``/`` where it serves the document itself. Raises
    `Misconfigured` where a resource is bound to nothing known.
    """
    chosen = {each.resource: each for each in resources}
    words = _Words(lang)
    paths: Node = {
        f"/in/{call.system}/{call.kind}": _inward(call, words) for call in interface.inward
    }
    paths["/api/receipts/{id}"] = {"get": _asked(words)}
    signing = [_ref("parameters", name) for name in _SIGNING]
    paths |= pulls(words, chosen, signing)
    document: Node = {
        "openapi": VERSION,
        "jsonSchemaDialect": DIALECT,
        "info": {
            "title": words("openapi.title"),
            "version": _version(chosen.values()),
            "description": words("openapi.about"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": address}],
        "tags": [
            {"name": each.resource, "description": f"{_name(each, lang)} {each.code}"}
            for each in chosen.values()
        ],
        "paths": paths,
    }
    if interface.outward:
        document["webhooks"] = {
            f"{call.system}.{call.kind}": {call.method.lower(): _outward(call, words)}
            for call in interface.outward
        }
    components = _components(chosen, catalogue, words)
    if any(call.sm2 for call in (*interface.inward, *interface.outward)):
        _with_sm2(components, words)
    return {**document, "components": components}


class _Words:
    """Sentences of one language."""

    def __init__(self, lang: str) -> None:
        self.lang = lang

    def __call__(self, code: str, **facts: Fact) -> str:
        return say(code, facts, self.lang)

    def call(self, code: str, call: Call) -> str:
        return self(code, kind=call.kind, system_zh=call.names.zh, system_en=call.names.en)


def _name(resource: Resource, lang: str) -> str:
    return resource.name.en if lang == "en" else resource.name.zh


def _version(resources: Iterable[Resource]) -> str:
    """Grows with any resource's version."""
    return f"1.{sum(each.version for each in resources)}"


def _inward(call: Call, words: _Words) -> Node:
    extra = ["Traceparent"] if call.xml else ["Key", "Prefer", "Traceparent"]
    operation: Node = {
        "operationId": _identifier("send", call),
        "summary": words.call("openapi.send", call),
        "description": words("openapi.leads-to", resources=", ".join(call.resources)),
        "tags": list(call.resources),
        "security": [{_scheme(call): []}],
        "parameters": [*_signing(call), *(_ref("parameters", name) for name in extra)],
        "requestBody": {"required": True, "content": _content(call)},
        "responses": _xml_answers(words) if call.xml else dict(_ANSWERS),
    }
    return {call.method.lower(): operation}


def _outward(call: Call, words: _Words) -> Node:
    answers: Node = {
        status: {"description": words(code), "content": {JSON_TYPE: {"schema": {"type": "object"}}}}
        for status, code in (
            *(("200", "openapi.answer.taken"), ("201", "openapi.answer.taken")),
            *(("202", "openapi.answer.taken"), ("409", "openapi.answer.repeated")),
            *(("400", "openapi.answer.bad"), ("422", "openapi.answer.bad")),
        )
    }
    answers["default"] = {"description": words("openapi.answer.again")}
    return {
        "operationId": _identifier("receive", call),
        "summary": words.call("openapi.receive", call),
        "description": words("openapi.comes-from", resources=", ".join(call.resources)),
        "tags": list(call.resources),
        "security": [{_scheme(call): []}],
        "parameters": [
            *_signing(call),
            _ref("parameters", "DeliveryKey"),
        ],
        "requestBody": {"required": True, "content": _content(call)},
        "responses": answers,
    }


def _content(call: Call) -> Node:
    if call.xml:
        return {XML_TYPE: {"schema": {"type": "string"}}}
    told: Node = {"schema": dict(call.schema)}
    if call.examples:
        told["examples"] = {
            f"example-{n}": {"summary": name, "value": value}
            for n, (name, value) in enumerate(call.examples.items(), 1)
        }
    return {JSON_TYPE: told}


def _asked(words: _Words) -> Node:
    receipt = {JSON_TYPE: {"schema": _ref("schemas", "_Receipt")}}
    return {
        "operationId": "receipt",
        "summary": words("openapi.receipt"),
        "parameters": [
            {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
        ],
        "responses": {
            "200": {"description": words("openapi.answer.receipt"), "content": receipt},
            "404": {"description": words("openapi.answer.no-receipt"), "content": receipt},
        },
    }


_SIGNING = ("AppId", "Timestamp", "Nonce", "ContentSM3", "SignType", "KeyId")


def _signing(call: Call) -> list[Json]:
    names = ("SignTypeSM2" if call.sm2 and each == "SignType" else each for each in _SIGNING)
    return [_ref("parameters", name) for name in names]


def _scheme(call: Call) -> str:
    return "sm2" if call.sm2 else "hmacSm3"


_ANSWERS: Mapping[str, Json] = {
    status: {"$ref": f"#/components/responses/{name}"}
    for status, name in (
        *(("200", "Final"), ("202", "Accepted"), ("400", "Refused"), ("401", "Denied")),
        *(("404", "Unknown"), ("413", "TooLarge"), ("422", "Rejected"), ("503", "Later")),
    )
}


def _xml_answers(words: _Words) -> Node:
    xml: Node = {XML_TYPE: {"schema": {"type": "string"}}}
    codes = {"200": "accepted", "400": "refused", "401": "denied"}
    told: Node = {
        status: {"description": words(f"openapi.answer.{code}"), "content": xml}
        for status, code in codes.items()
    }
    too_large = words("openapi.answer.too-large", limit_bytes=MOST_BYTES)
    return {
        **told,
        "404": _ref("responses", "Unknown"),
        "413": {"description": too_large, "content": xml},
        "503": _ref("responses", "Later"),
    }


def _components(resources: Mapping[str, Resource], catalogue: Catalogue, words: _Words) -> Node:
    schemas: Node = {
        name: {**json_schema(each, catalogue), "examples": [example_body(each, catalogue)]}
        for name, each in resources.items()
    }
    return {
        "schemas": {**schemas, **_receipt_schemas()},
        "parameters": _parameters(words),
        "headers": {
            "ReceiptId": {
                "description": words("openapi.header.receipt-id"),
                "schema": {"type": "string"},
            }
        },
        "responses": _responses(words),
        "securitySchemes": {
            "hmacSm3": {
                "type": "apiKey",
                "in": "header",
                "name": "X-Signature",
                "description": words("openapi.signing"),
            }
        },
    }


def _with_sm2(components: Any, words: _Words) -> None:
    """Where a call is signed by SM2; else nobody is told of it."""
    plain = components["parameters"]["SignType"]
    schema = {"type": "string", "const": "SM2"}
    components["parameters"]["SignTypeSM2"] = {**plain, "required": True, "schema": schema}
    told = components["securitySchemes"]["hmacSm3"]
    described = {"description": words("openapi.signing-sm2")}
    components["securitySchemes"]["sm2"] = {**told, **described}


def _parameters(words: _Words) -> Node:
    def header(name: str, code: str, *, required: bool = True, **schema: Json) -> Node:
        described = words(f"openapi.header.{code}")
        shape: Node = {"type": "string", **schema}
        return {
            "name": name,
            "in": "header",
            "required": required,
            "description": described,
            "schema": shape,
        }

    return {
        "AppId": header("X-App-Id", "app-id"),
        "Timestamp": header("X-Timestamp", "timestamp", pattern="^[0-9]{1,16}$"),
        "Nonce": header("X-Nonce", "nonce", minLength=16, maxLength=64),
        "ContentSM3": header("X-Content-SM3", "content", pattern=HEX),
        "SignType": header("X-Sign-Type", "sign-type", required=False, const="HMAC-SM3"),
        "KeyId": header("X-Key-Id", "key-id", required=False),
        "Key": header("Idempotency-Key", "key", required=False),
        "DeliveryKey": header("Idempotency-Key", "delivery-key"),
        "Prefer": header("Prefer", "prefer", required=False, pattern="wait=[0-9]+"),
        "Traceparent": {
            "name": "traceparent",
            "in": "header",
            "description": "W3C Trace Context",
            "schema": {
                "type": "string",
                "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
            },
        },
    }


def _responses(words: _Words) -> Node:
    def answer(code: str, schema: Node, *, receipt: bool = False, **facts: Fact) -> Node:
        told: Node = {
            "description": words(f"openapi.answer.{code}", **facts),
            "content": {JSON_TYPE: {"schema": schema}},
        }
        if receipt:
            told["headers"] = {"X-Receipt-Id": _ref("headers", "ReceiptId")}
        return told

    reasons, receipts = _ref("schemas", "_Reasons"), _ref("schemas", "_Receipts")
    later = answer("later", reasons)
    later["headers"] = {"Retry-After": {"schema": {"type": "string", "pattern": "^[0-9]+$"}}}
    return {
        "Accepted": answer("accepted", _ref("schemas", "_Taken")),
        "Final": answer("final", receipts),
        "Rejected": answer("rejected", receipts),
        "Refused": answer("refused", reasons, receipt=True),
        "Denied": answer("denied", reasons, receipt=True),
        "Unknown": answer("unknown", reasons),
        "TooLarge": answer("too-large", reasons, receipt=True, limit_bytes=MOST_BYTES),
        "Later": later,
    }


def _receipt_schemas() -> Node:
    """What `hub.gateway` answers; that it does is a test's business."""
    text: Node = {"type": "string"}
    texts: Node = {"type": "array", "items": text}

    def closed(**properties: Json) -> Node:
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    def many(name: str) -> Node:
        return {"type": "array", "items": _ref("schemas", name)}

    return {
        "_Taken": {
            "oneOf": [closed(id=text), closed(ids=texts, state={"const": "pending"})],
        },
        "_Reasons": closed(reasons=texts),
        "_Reason": closed(code=text, at=text, zh=text, en=text, text=text),
        "_Receipts": closed(receipts=many("_Receipt")),
        "_Receipt": closed(
            id=text,
            state={"enum": list(STATES)},
            reasons=many("_Reason"),
            doubts=many("_Reason"),
            messages={"type": "array", "items": closed(id=text, resource=text, subject=text)},
            deliveries=many("_Delivery"),
        ),
        "_Delivery": closed(
            message=text,
            system=text,
            route=text,
            state={"enum": ["delivered", "replaced", "retrying", "failed"]},
            attempt={"type": "integer"},
            number=text,
            reasons=many("_Reason"),
        ),
    }


def _ref(kind: str, name: str) -> Node:
    return {"$ref": f"#/components/{kind}/{name}"}


def _identifier(verb: str, call: Call) -> str:
    words = f"{call.system}-{call.kind}".replace("/", "-").replace("{", "").replace("}", "")
    return f"{verb}-{words}"
