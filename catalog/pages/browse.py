"""Looking things up: search with its filters, a resource, an element, two versions side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from catalog.lifecycle.compare import compare
from catalog.lifecycle.flow import Flowed
from catalog.lifecycle.impact import Use
from catalog.lifecycle.items import paths
from catalog.lifecycle.quality import Quality, quality_of
from catalog.lifecycle.steps import LIVE, OPEN, may
from catalog.model import Catalogue, DataElement, Item, Resource
from catalog.pages.desk import PageDesk
from catalog.pages.documents import DOCUMENTS
from catalog.pages.lineage import lineage
from catalog.search import Hit
from schemas.declarations import parse
from schemas.errors import Misconfigured, Rejected

__all__ = ["BrowsePages", "Filters", "Row", "found"]

SHARES = ("unconditional", "conditional", "none")
LONGEST = 100


@dataclass(frozen=True, slots=True)
class Filters:
    """All of a search, as it stands in the address."""

    query: str = ""
    provider: str = ""
    share: str = ""
    category: str = ""

    @classmethod
    def of(cls, request: Request) -> Filters:
        asked = request.query_params
        share = asked.get("share", "")
        return cls(
            asked.get("q", "").strip()[:LONGEST],
            asked.get("provider", "")[:LONGEST],
            share if share in SHARES else "",
            asked.get("category", "")[:LONGEST],
        )

    def takes(self, resource: Resource) -> bool:
        return (
            self.provider in {"", resource.provider}
            and self.share in {"", resource.share.type}
            and self.category in {"", resource.category}
        )


@dataclass(frozen=True, slots=True)
class Row:
    """An item of a resource, as a table shows it. *depth*: within groups."""

    path: str
    depth: int
    item: Item
    element: DataElement | None


def found(
    hits: Sequence[Hit], catalogue: Catalogue, filters: Filters
) -> tuple[list[Resource], list[DataElement]]:
    """What *hits* mean, in their order; without a query all resources, in that of their codes."""
    if not filters.query:
        every = sorted(catalogue.resources.values(), key=lambda each: each.code)
        return [each for each in every if filters.takes(each)], []
    named = [catalogue.resources[hit.name] for hit in hits if hit.kind == "resource"]
    elements = [catalogue.elements[hit.name] for hit in hits if hit.kind == "element"]
    filtered = bool(filters.provider or filters.share or filters.category)
    return [each for each in named if filters.takes(each)], [] if filtered else elements


class BrowsePages:
    """Endpoints over a `PageDesk`."""

    def __init__(self, desk: PageDesk) -> None:
        self._desk = desk

    async def search(self, request: Request) -> Response:
        """Resources and elements; the whole stock where nothing is asked for."""
        desk, filters = self._desk, Filters.of(request)
        catalogue = await desk.registry.catalogue()
        hits = (await desk.index()).find(filters.query)
        resources, elements = found(hits, catalogue, filters)
        states = {v.standing.resource: v.standing for v in await desk.registry.versions()}
        return desk.render(
            request,
            "search",
            filters=filters,
            resources=resources,
            elements=elements,
            standing=states,
            shares=SHARES,
            providers=sorted({each.provider for each in catalogue.resources.values()}),
            categories=sorted({each.category for each in catalogue.resources.values()}),
        )

    async def stock(self, request: Request) -> Response:
        """The whole stock: departments by sharing type."""
        desk = self._desk
        catalogue = await desk.registry.catalogue()
        counts = Counter((r.provider, r.share.type) for r in catalogue.resources.values())
        totals = Counter(r.provider for r in catalogue.resources.values())
        shares = Counter(r.share.type for r in catalogue.resources.values())
        flowing = (await desk.registry.flows()).days.keys()
        return desk.render(
            request,
            "stock",
            shares=SHARES,
            counts=counts,
            totals=totals.most_common(),
            by_share=shares,
            most=max(totals.values(), default=1),
            resources=len(catalogue.resources),
            elements=len(catalogue.elements),
            items=sum(len(paths(each)) for each in catalogue.resources.values()),
            flowing=len(flowing & catalogue.resources.keys()),
            grants=len(await desk.registry.grants(state="active")),
        )

    async def resource(self, request: Request) -> Response:
        """One resource: items, versions, grants and their use, where it comes from and goes."""
        desk, name = self._desk, request.path_params["name"]
        registry = desk.registry
        catalogue = await registry.catalogue()
        versions = await registry.versions(name)
        declared = catalogue.resources.get(name)
        if declared is None and not versions:
            raise Rejected("lifecycle.no-resource", "No such resource", resource=name[:64])
        shown = declared or parse(versions[0].text, Resource, file="")
        flowed, uses = await registry.flows(), await registry.uses(name)
        grants = await registry.grants(resource=name)
        pending = next((v for v in versions if v.standing.state in OPEN), None)
        live = next((v for v in versions if v.standing.state in LIVE), None)
        actor = desk.actors.of(request)
        drafted = parse(pending.text, Resource, file="") if pending else shown
        return desk.render(
            request,
            "resource",
            resource=shown,
            live=live,
            rows=list(_rows(shown.items, catalogue)),
            drafted=list(paths(drafted)),
            versions=versions,
            waiting={v.standing.number: desk.waiting(v.standing) for v in versions},
            pending=pending,
            impact=await registry.impact(pending.text) if pending else None,
            acts=[(v, act) for v in (pending, live) if v for act in may(actor, v.standing)],
            uses=uses,
            lineage=lineage(flowed.of(name)),
            quality=_quality(desk, shown, catalogue, flowed, uses) if declared else None,
            grants=grants,
            used={each.number: await registry.use(each.number) for each in grants},
            systems=await registry.systems(),
            documents=list(DOCUMENTS),
        )

    async def element(self, request: Request) -> Response:
        """One data element, and everywhere it is used."""
        desk, name = self._desk, request.path_params["name"]
        catalogue = await desk.registry.catalogue()
        element = catalogue.elements.get(name)
        if element is None:
            raise Rejected("lifecycle.no-element", "No such element", element=name[:64])
        pending = await desk.registry.versions(states=tuple(OPEN))
        drafts = [parse(each.text, Resource, file="") for each in pending]
        earlier = [each for versions in catalogue.earlier.values() for each in versions]
        return desk.render(
            request,
            "element",
            element=element,
            used=[
                *_uses(name, catalogue.resources.values(), ""),
                *_uses(name, drafts, "catalogue.used-draft"),
                *_uses(name, earlier, "catalogue.used-earlier"),
            ],
            referred=list(_referring(name, catalogue)),
            codes=catalogue.code_lists.get(element.domain.codes or ""),
        )

    async def compare(self, request: Request) -> Response:
        """Two versions side by side, and what the difference means."""
        desk, name = self._desk, request.path_params["name"]
        catalogue = await desk.registry.catalogue()
        known = {v.standing.number: v for v in await desk.registry.versions(name)}
        before, after = _numbers(request, sorted(known))
        if before not in known or after not in known:
            raise Rejected("lifecycle.unknown", "No such version", resource=name, number=after)
        old, new = (parse(known[n].text, Resource, file="") for n in (before, after))
        comparison = compare(old, new, catalogue, catalogue)
        sides = [{row.path: row for row in _rows(each.items, catalogue)} for each in (old, new)]
        return desk.render(
            request,
            "compare",
            name=name,
            resource=new,
            before=before,
            after=after,
            numbers=sorted(known),
            comparison=comparison,
            paths=list(dict.fromkeys([*sides[1], *sides[0]])),
            sides=sides,
            changed={each.item for each in comparison.differences},
        )


def _uses(
    name: str, resources: Iterable[Resource], kind: str
) -> Iterator[tuple[Resource, list[str], str]]:
    """Where an element is bound: resource, paths of its items, and what version that is."""
    for resource in resources:
        found = [path for path, item in paths(resource).items() if item.element == name]
        if found:
            yield resource, found, kind


def _referring(name: str, catalogue: Catalogue) -> Iterator[tuple[DataElement, str]]:
    """Elements whose number this one tells the kind of, and those that it replaces."""
    for each in catalogue.elements.values():
        if each.domain.identifier_by == name:
            yield each, "catalogue.referred.kind"
        if each.replaced_by == name:
            yield each, "catalogue.referred.instead"


def _quality(
    desk: PageDesk,
    resource: Resource,
    catalogue: Catalogue,
    flowed: Flowed,
    uses: Sequence[Use],
) -> Quality | None:
    intakes = [use.name for use in uses if use.kind == "intake"]
    try:
        return quality_of(resource, catalogue, flowed, intakes, desk.today, desk.terms.calendar)
    except Misconfigured:
        # Without a calendar for these days nothing can be said of the cycle.
        return None


def _rows(items: Sequence[Item], catalogue: Catalogue, above: str = "") -> Iterator[Row]:
    for item in items:
        path = f"{above}{item.wire_name}"
        element = catalogue.elements.get(item.element or "")
        yield Row(path, above.count("/"), item, element)
        yield from _rows(item.items, catalogue, f"{path}/")


def _numbers(request: Request, known: Sequence[int]) -> tuple[int, int]:
    def asked(name: str, otherwise: int) -> int:
        told = request.query_params.get(name, "")
        return int(told) if told.isascii() and told.isdigit() and len(told) < 6 else otherwise

    last = known[-1] if known else 0
    return asked("from", known[-2] if len(known) > 1 else last), asked("to", last)
