"""The part of the OpenAPI that grantees fetch by: records of a grant, as pages or as one file.

Standard   R-C8; OpenAPI 3.1.1
Form       what a file holds is told in words: NDJSON has no schema of its own
Not here   what answers: `hub.grant_door`
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from schemas.message import Json, Operation

__all__ = ["PULLS", "pulls"]

PULLS = ("/out/{grant}/records", "/out/{grant}/file")
JSON_TYPE, FILE_TYPE = "application/json", "application/x-ndjson"
MOST_RECORDS, MOST_OF_FILE = 500, 100_000
Node = dict[str, Json]


def pulls(words: Callable[[str], str], resources: Iterable[str], signing: Iterable[Json]) -> Node:
    """The paths. *resources*: whose component schemas the records' bodies have, but for items that are
    not granted; *signing*: the parameters by which a request is signed."""
    signed, bodies = list(signing), sorted(resources)
    records, file = PULLS
    return {
        records: {
            "get": _asked(
                words,
                "records",
                signed,
                MOST_RECORDS,
                {JSON_TYPE: {"schema": _page(bodies)}},
            )
        },
        file: {
            "get": _asked(
                words, "file", signed, MOST_OF_FILE, {FILE_TYPE: {"schema": {"type": "string"}}}
            )
        },
    }


def _asked(
    words: Callable[[str], str], way: str, signed: list[Json], most: int, content: Node
) -> Node:
    refused: Node = {JSON_TYPE: {"schema": _REFUSED}}
    later: Node = {"Retry-After": {"schema": {"type": "string", "pattern": "^[0-9]+$"}}}
    answers: Node = {
        status: {"description": words(f"openapi.pull.{code}"), "content": refused}
        for status, code in (("400", "query"), ("401", "denied"), ("403", "ended"))
    }
    for status, code in (("429", "used-up"), ("503", "later")):
        told: Node = {"description": words(f"openapi.pull.{code}"), "content": refused}
        answers[status] = {**told, "headers": later}
    return {
        "operationId": f"fetch-{way}",
        "summary": words(f"openapi.pull.{way}"),
        "security": [{"hmacSm3": []}],
        "parameters": [
            _parameter("grant", "path", words("openapi.pull.grant"), {"type": "string"}),
            _parameter("after", "query", words("openapi.pull.after"), _NUMBER),
            _parameter(
                "limit",
                "query",
                words("openapi.pull.limit"),
                {"type": "integer", "minimum": 1, "maximum": most},
            ),
            _parameter(
                "subject",
                "query",
                words("openapi.pull.subject"),
                {"type": "string", "maxLength": 128},
            ),
            *signed,
        ],
        "responses": {
            "200": {"description": words(f"openapi.pull.{way}.answer"), "content": content},
            **answers,
        },
    }


def _parameter(name: str, place: str, described: str, schema: Node) -> Node:
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "description": described,
        "schema": schema,
    }


def _page(resources: list[str]) -> Node:
    text: Node = {"type": "string"}
    record: Node = {
        "type": "object",
        "properties": {
            "id": text,
            "operation": {"enum": [each.value for each in Operation]},
            "subject": text,
            "source": text,
            "version": text,
            "time": {"type": "string", "format": "date-time"},
            "body": {"type": ["object", "null"], "description": ", ".join(resources)},
        },
        "required": ["id", "operation", "subject", "source", "version", "time", "body"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {
            "records": {"type": "array", "items": record, "maxItems": MOST_RECORDS},
            "after": _NUMBER,
        },
        "required": ["records", "after"],
        "additionalProperties": False,
    }


_NUMBER: Node = {"type": "string", "pattern": "^[0-9]{1,19}$"}
_REFUSED: Node = {
    "type": "object",
    "properties": {
        "code": {"type": "string"},
        "reasons": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["code", "reasons"],
}
