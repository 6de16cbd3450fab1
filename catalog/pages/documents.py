"""What is derived from the published resources, at addresses that stay: for programs and partners.

Form       ``/api/catalogue/openapi.json?system=``, ``asyncapi.json``, ``dcat.jsonld``;
           ``catalogue.xlsx``; ``/api/catalogue/resources/<name>/schema.json``, ``schema.xsd``, ``sample.json``, ``guide.html``
Promises   made once for each catalogue that goes live, off the loop; the same one is served until then
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from catalog.derive.asyncapi import asyncapi
from catalog.derive.dcat import dcat
from catalog.derive.example import example_body
from catalog.derive.guide import STYLE, Guided, guide, guide_page
from catalog.derive.interface import Interface
from catalog.derive.json_schema import json_schema
from catalog.derive.openapi import openapi
from catalog.derive.xsd import xsd
from catalog.model import Catalogue, Resource
from catalog.pages.desk import PageDesk
from catalog.sheet.write import write_sheet
from schemas.errors import Fault, HubError, Rejected
from schemas.message import Json
from web.language import language_of
from web.problems import problem

__all__ = ["DOCUMENTS", "DocumentPages"]

MOST_KEPT = 500
# The guide carries its own style, which the pages' policy would not let pass; it may do nothing else.
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
ALONE = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
JSON, XML, HTML = "application/json", "application/xml", "text/html"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Make = Callable[[], bytes]
OfResource = Callable[[Resource, Catalogue], bytes]


def _json(document: Json) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def _sample(resource: Resource, catalogue: Catalogue) -> bytes:
    return _json(example_body(resource, catalogue))


def _schema(resource: Resource, catalogue: Catalogue) -> bytes:
    return _json(json_schema(resource, catalogue))


def _guide(resource: Resource, catalogue: Catalogue) -> bytes:
    told = Guided(resources=(resource,))
    return guide_page(guide(told, catalogue), told.title).encode()


# By name: media type, and how it is made.
DOCUMENTS: Mapping[str, tuple[str, OfResource]] = {
    "schema.json": ("application/schema+json", _schema),
    "schema.xsd": (XML, xsd),
    "sample.json": (JSON, _sample),
    "guide.html": (HTML, _guide),
}


class DocumentPages:
    """Endpoints over a `PageDesk`."""

    def __init__(self, desk: PageDesk) -> None:
        self._desk = desk
        self._of: Catalogue | None = None
        self._kept: dict[tuple[str, ...], bytes] = {}

    def routes(self) -> list[Route]:
        return [
            Route("/api/catalogue/openapi.json", self.openapi),
            Route("/api/catalogue/asyncapi.json", self.asyncapi),
            Route("/api/catalogue/dcat.jsonld", self.dcat),
            Route("/api/catalogue/catalogue.xlsx", self.sheet),
            *(
                Route(f"/api/catalogue/resources/{{name}}/{document}", partial(self.one, document))
                for document in DOCUMENTS
            ),
        ]

    async def openapi(self, request: Request) -> Response:
        """Of the whole interface, or with ``system`` of one system's part."""
        lang, system = language_of(request), request.query_params.get("system", "")

        async def make(catalogue: Catalogue) -> Make:
            interface = await self._interface(system)
            chosen = [
                each
                for name, each in catalogue.resources.items()
                if not system or name in interface.resources
            ]
            return lambda: _json(openapi(interface, chosen, catalogue, lang=lang))

        return await self._told(request, ("openapi", lang, system), JSON, make)

    async def asyncapi(self, request: Request) -> Response:
        """All streams, and the receipts."""
        lang = language_of(request)

        async def make(catalogue: Catalogue) -> Make:
            return lambda: _json(asyncapi(catalogue.resources.values(), catalogue, lang=lang))

        return await self._told(request, ("asyncapi", lang), JSON, make)

    async def dcat(self, request: Request) -> Response:
        """The catalogue for portals; its addresses are those by which it was asked for."""
        base = str(request.base_url)

        async def make(catalogue: Catalogue) -> Make:
            return lambda: _json(dcat(catalogue.resources.values(), address=base))

        return await self._told(request, ("dcat", base), "application/ld+json", make)

    async def sheet(self, request: Request) -> Response:
        """What is live as the official spreadsheet."""

        async def make(catalogue: Catalogue) -> Make:
            return lambda: write_sheet(catalogue.resources.values(), catalogue)

        return await self._told(request, ("xlsx",), XLSX, make)

    async def one(self, document: str, request: Request) -> Response:
        """One document of one resource."""
        name = request.path_params["name"]
        media_type, form = DOCUMENTS[document]

        async def make(catalogue: Catalogue) -> Make:
            resource = catalogue.resources.get(name)
            if resource is None:
                raise Rejected("lifecycle.no-resource", "No such resource", resource=name[:64])
            return lambda: form(resource, catalogue)

        return await self._told(request, (document, name), media_type, make)

    async def _interface(self, system: str) -> Interface:
        whole = await self._desk.registry.interface()
        if not system:
            return whole
        if system not in await self._desk.registry.systems():
            raise Rejected("sender.unknown", "No such system", system=system[:64])
        return whole.of(system)

    async def _told(
        self,
        request: Request,
        key: tuple[str, ...],
        media_type: str,
        make: Callable[[Catalogue], Awaitable[Make]],
    ) -> Response:
        try:
            catalogue = await self._desk.registry.catalogue()
            if self._of is not catalogue or len(self._kept) > MOST_KEPT:
                self._of, self._kept = catalogue, {}
            kept = self._kept
            if key not in kept:
                kept[key] = await asyncio.to_thread(await make(catalogue))
            alone = ALONE if media_type == HTML else None
            return Response(kept[key], media_type=media_type, headers=alone)
        except Rejected as error:
            return problem(request, error.faults, 404)
        except HubError as error:
            return problem(request, [Fault(error.code, "", error.facts)], 503)
