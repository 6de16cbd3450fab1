"""The interface described in OpenAPI is the one that the hub has: judged by others, and called."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from functools import cache
from typing import Any

import httpx
import orjson
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from catalog.derive.openapi import MOST_BYTES, openapi
from catalog.derive.openapi_pulls import PULLS
from connectors.signing import signed_headers
from hub.gateway import MAX_BODY_BYTES
from hub.store import Store
from shuniu.clock import now
from shuniu.interface import interface_of
from tests.shuniu.a_gateway import PARTNER, RESOURCE, SECRET, Door, declarations, open_door

CHINESE = re.compile("[一-鿿]")


@cache
def described(lang: str = "zh") -> Any:
    """The whole interface, as it is read from JSON."""
    declared = declarations()
    resources = declared.catalogue.resources.values()
    told = openapi(interface_of(declared), resources, declared.catalogue, lang=lang)
    return orjson.loads(orjson.dumps(told))


def faults(place: str, document: Any) -> list[str]:
    """What is wrong with *document* by the schema at *place*, a JSON Pointer in the description."""
    judge = Draft202012Validator({**described(), "$ref": f"#{place}"})
    return [f"{each.json_path}: {each.message}" for each in judge.iter_errors(document)]


def in_path(*steps: str) -> str:
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_others_find_it_valid(lang: str) -> None:
    """OpenAPI 3.1, in both languages; each sentence is in the language asked for."""
    document = described(lang)

    assert [] == [each.message for each in OpenAPIV31SpecValidator(document).iter_errors()]
    summaries = [
        operation["summary"]
        for item in (*document["paths"].values(), *document["webhooks"].values())
        for operation in item.values()
    ]
    chinese = [bool(CHINESE.search(each)) for each in summaries]
    assert {lang == "zh"} == set(chinese)


def test_every_way_in_and_out_is_there() -> None:
    """All intakes of systems that push, all routes to systems that are called, all resources."""
    document, declared = described(), declarations()

    assert {
        "/in/fire-safety/notification",
        "/in/integrated-platform/application",
        "/in/integrated-platform/rating",
        "/in/integrated-platform/supplement",
        "/in/one-window/event",
        f"/in/{PARTNER}/{RESOURCE}",
        "/api/receipts/{id}",
        *PULLS,
    } == set(document["paths"])
    assert "one-window.api/cases" in document["webhooks"]
    assert set(declared.catalogue.resources) <= set(document["components"]["schemas"])
    sent = document["paths"][f"/in/{PARTNER}/{RESOURCE}"]["post"]["requestBody"]
    assert {"$ref": f"#/components/schemas/{RESOURCE}"} == sent["content"]["application/json"][
        "schema"
    ]


def test_examples_fit_their_schemas() -> None:
    """What is sent, what is delivered, and the made-up body of each resource."""
    document, looked = described(), 0
    for kind in ("paths", "webhooks"):
        for name, item in document[kind].items():
            for method, operation in item.items():
                content = operation.get("requestBody", {}).get("content", {})
                told = content.get("application/json", {})
                where = in_path(kind, name, method, "requestBody", "content", "application/json")
                for example in told.get("examples", {}).values():
                    assert [] == faults(f"{where}/schema", example["value"]), example["summary"]
                    looked += 1
    for name, schema in document["components"]["schemas"].items():
        for example in schema.get("examples", ()):
            assert [] == faults(in_path("components", "schemas", name), example)
            looked += 1

    assert looked > 60


def test_the_limit_is_the_gateways() -> None:
    """The catalogue does not know the gateway, so it says the number itself."""
    assert MAX_BODY_BYTES == MOST_BYTES


@pytest.fixture
async def door(amqp_url: str, store: Store) -> AsyncIterator[Door]:
    async with open_door(amqp_url, store) as opened:
        yield opened


async def call(
    door: Door, path: str, content: bytes, secret: str = SECRET, **more: str
) -> httpx.Response:
    """As the description says that it is signed."""
    url = f"{door.url}{path}"
    system = path.split("/")[2]
    signed = signed_headers(secret, method="POST", url=url, body=content, at=now(), app_id=system)
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        return await client.post(url, content=content, headers={**signed, **more})


def misfits(answer: httpx.Response, path: str, method: str = "post") -> list[str]:
    """How *answer* is unlike its description."""
    status = str(answer.status_code)
    responses = described()["paths"][path][method]["responses"]
    if status not in responses:
        return [f"{status} is not described"]
    told = responses[status]
    where = in_path("paths", path, method, "responses", status)
    if "$ref" in told:
        where = told["$ref"].removeprefix("#")
    return faults(f"{where}/content/application~1json/schema", answer.json())


async def test_it_is_true(door: Door) -> None:
    """Every described record is sent as described and accepted; answers, receipts and refusals of
    each kind look as described."""
    sent = [
        (path, example["value"])
        for path, item in described()["paths"].items()
        for operation in item.values()
        for content in operation.get("requestBody", {}).get("content", {}).values()
        for example in content.get("examples", {}).values()
    ]
    assert len(sent) > 5
    prefer = {"Prefer": "wait=20"}
    for path, value in sent:
        answer = await call(door, path, orjson.dumps(value), **prefer)
        assert 200 == answer.status_code, answer.text
        assert [] == misfits(answer, path)

    path = f"/in/{PARTNER}/{RESOURCE}"
    body = next(value for each, value in sent if each == path)
    taken = await call(door, path, orjson.dumps(body))
    bad = await call(door, path, orjson.dumps({**body, "caseNo": ""}), **prefer)
    broken = await call(door, path, b"{")
    denied = await call(door, path, b"{}", secret="another")
    long = await call(door, path, b"x" * (MOST_BYTES + 1))
    async with httpx.AsyncClient(base_url=door.url, trust_env=False, timeout=30) as client:
        nobody = await client.post("/in/nobody/step", json={})
        receipt = await client.get(f"/api/receipts/{taken.json()['id']}")
        none = await client.get("/api/receipts/none")

    answers = (taken, bad, broken, denied, long, nobody)
    assert [202, 422, 400, 401, 413, 404] == [each.status_code for each in answers]
    for answer in answers:
        assert [] == misfits(answer, path)
    assert all(each.headers["x-receipt-id"] for each in (broken, denied, long))
    assert [200, 404] == [receipt.status_code, none.status_code]
    for answer in (receipt, none):
        assert [] == misfits(answer, "/api/receipts/{id}", "get")
