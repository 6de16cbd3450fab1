"""The streams as AsyncAPI: judged by the official schema, and fit to the envelope that travels."""

from __future__ import annotations

import copy
import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from catalog.derive.asyncapi import RECEIPTS, STREAMS, STREAMS_BULK, VERSION, asyncapi
from hub import topology
from tests.catalog.a_catalogue import reference_site

SITE = reference_site()
# Of npm's @asyncapi/specs, put there by scripts/setup test.
OFFICIAL = (
    Path(sys.prefix) / f"judges/node_modules/@asyncapi/specs/schemas/{VERSION}-without-$id.json"
)
CHINESE = re.compile("[一-鿿]")


@cache
def described(lang: str = "zh") -> Any:
    return orjson.loads(orjson.dumps(asyncapi(SITE.resources.values(), SITE, lang=lang)))


@cache
def judge() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(json.loads(OFFICIAL.read_text("utf-8")))


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_official_schema_accepts_it(lang: str) -> None:
    """AsyncAPI 3.0, with every resource as a channel; titles in the language asked for."""
    document = described(lang)

    assert [] == [f"{e.json_path}: {e.message}" for e in judge().iter_errors(document)]
    bulk = {f"{name}.bulk" for name in SITE.resources}
    assert {*SITE.resources, *bulk, "_receipts"} == set(document["channels"])
    titles = [channel["title"] for channel in document["channels"].values()]
    assert {lang == "zh"} == {bool(CHINESE.search(each)) for each in titles}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("channels", "caseStep", "address"), 5),
        (("channels", "caseStep", "bindings", "amqp", "is"), "topic"),
        (("components", "schemas", "caseStep", "type"), "record"),
        (("operations", "publish.caseStep", "action"), "publish"),
    ],
)
def test_the_judge_bites(place: tuple[str, ...], value: Any) -> None:
    """A planted fault is found in a channel, a binding, a schema, an operation."""
    document = copy.deepcopy(described())
    node = document
    for step in place[:-1]:
        node = node[step]
    node[place[-1]] = value

    assert not judge().is_valid(document)


def test_every_reference_leads_somewhere() -> None:
    """Inside the document; nothing needs to be fetched."""
    document = described()
    references = set(re.findall(r'"\$ref":"([^"]+)"', orjson.dumps(document).decode()))

    assert references
    for reference in references:
        node = document
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_exchanges_are_the_hubs() -> None:
    """The catalogue does not know the broker, so it says the names itself."""
    assert (topology.STREAMS, topology.STREAMS_BULK) == (STREAMS, STREAMS_BULK)
    assert topology.RECEIPTS == RECEIPTS


def test_samples_fit_their_schemas() -> None:
    """As a reader of the document alone would check them."""
    document = described()
    for name in SITE.resources:
        message = document["components"]["messages"][name]
        schema = {**document, "$ref": message["payload"]["$ref"]}
        for example in message["examples"]:
            jsonschema.Draft7Validator(schema).validate(example["payload"])
