"""What is derived, as it is served: at addresses that stay, in the language of who asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import jsonschema
import pytest
from lxml import etree

from catalog.derive.openapi_pulls import PULLS
from tests.catalog.pages.site import CatalogueSite, served


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[CatalogueSite]:
    async with served(tmp_path) as made:
        yield made


@pytest.fixture
async def client(site: CatalogueSite) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=f"{site.url}/api/catalogue", trust_env=False, timeout=20
    ) as client:
        yield client


async def test_the_interface_is_served(client: httpx.AsyncClient) -> None:
    """Whole, or one system's part; in Chinese or English; the same each time."""
    whole = await client.get("/openapi.json")
    again = await client.get("/openapi.json")
    english = await client.get("/openapi.json", headers={"Accept-Language": "en"})
    part = (await client.get("/openapi.json", params={"system": "one-window"})).json()
    streams = (await client.get("/asyncapi.json")).json()
    stock = (await client.get("/dcat.jsonld")).json()
    unknown = await client.get("/openapi.json", params={"system": "nobody"})

    assert [200, 200] == [whole.status_code, english.status_code]
    assert whole.content == again.content
    assert "枢纽" in whole.json()["info"]["title"]
    assert "Exchange" in english.json()["info"]["title"]
    assert {"/in/one-window/event", "/api/receipts/{id}", *PULLS} == set(part["paths"])
    assert {"one-window.api/cases", "one-window.api/cases/replies"} == set(part["webhooks"])
    assert "itemCase" in part["components"]["schemas"]
    assert "taxViolation" not in part["components"]["schemas"]
    assert "caseRating.{operation}.{region}" == streams["channels"]["caseRating"]["address"]
    first = {each["dct:identifier"]: each for each in stock["dcat:dataset"]}["307013/000011"]
    assert str(client.base_url).rstrip("/") + "/resources/caseRating" == first["@id"]
    assert (404, "sender.unknown") == (unknown.status_code, unknown.json()["code"])


async def test_documents_of_a_resource_fit_each_other(client: httpx.AsyncClient) -> None:
    """The sample is valid by the schema; the XSD is one; of what is not published there is none."""
    schema = (await client.get("/resources/caseRating/schema.json")).json()
    sample = (await client.get("/resources/caseRating/sample.json")).json()
    xsd = await client.get("/resources/caseRating/schema.xsd")
    none = await client.get("/resources/noSuch/schema.json")

    assert [] == list(jsonschema.Draft202012Validator(schema).iter_errors(sample))
    assert etree.XMLSchema(etree.fromstring(xsd.content)) is not None
    assert (404, "lifecycle.no-resource") == (none.status_code, none.json()["code"])


async def test_a_resource_page_leads_to_its_documents(
    site: CatalogueSite, client: httpx.AsyncClient
) -> None:
    """Every link answers."""
    page = await client.get(f"{site.url}/catalogue/resources/caseRating")
    every = [str(each.get("href")) for each in etree.HTML(page.text).iter("a")]
    links = [each for each in every if each.startswith("/api/catalogue/")]

    assert {"openapi.json", "schema.json", "schema.xsd", "sample.json", "guide.html"} <= {
        link.rsplit("/", 1)[-1] for link in links
    }
    for link in links:
        assert 200 == (await client.get(f"{site.url}{link}")).status_code, link
